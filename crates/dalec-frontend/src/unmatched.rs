//! Says which patterns of sources match nothing, while what the sources are for is built.

use std::thread;

use dalec_gateway::{Excerpt, FileRange, Gateway, GatewayError, SolveRequest, Warning};
use dalec_llb::{Location, Platform, Range};
use dalec_targets::unmatched::{Patterns, UNMATCHED_REPORT};

use crate::build::joined;

/// More bytes than this are no report.
const LARGEST_REPORT: u64 = 1 << 20;

/// Runs `build`, and beside it looks for patterns that match nothing; `platform` is what the steps run on.
///
/// Warnings come in the order of `patterns`, whichever is known first. A source that cannot be had is no matter of this: the
/// build says so.
pub fn beside<T>(
    gateway: &dyn Gateway,
    platform: &Platform,
    patterns: &[Patterns],
    build: impl FnOnce() -> T,
) -> T {
    thread::scope(|scope| {
        let look = |one| scope.spawn(move || look(gateway, platform, one).unwrap_or_default());
        let looks: Vec<_> = patterns.iter().map(look).collect();
        scope.spawn(move || {
            for (one, look) in patterns.iter().zip(looks) {
                for (message, place) in joined(look).into_iter().filter_map(|number| one.warnings.get(number))
                {
                    gateway.warn(warning(message, place.as_ref()));
                }
            }
        });
        build()
    })
}

/// Returns the numbers of the patterns that match nothing.
fn look(gateway: &dyn Gateway, platform: &Platform, patterns: &Patterns) -> Result<Vec<usize>, GatewayError> {
    let definition = patterns.report.marshal(platform);
    let Some(reference) = gateway.solve(SolveRequest { definition, evaluate: true })? else {
        return Ok(Vec::new());
    };
    let range = FileRange { offset: 0, length: LARGEST_REPORT };
    let report = gateway.read_file(&reference, UNMATCHED_REPORT, Some(range))?;
    serde_json::from_slice(&report).map_err(|error| GatewayError::Request {
        message: format!("the report of unmatched patterns cannot be read: {error}"),
    })
}

fn warning(message: &str, place: Option<&Location>) -> Warning {
    let excerpt = place.map(|place| Excerpt {
        info: place.map.to_pb(),
        ranges: place.ranges.iter().copied().map(Range::to_pb).collect(),
    });
    Warning { short: message.to_owned(), excerpt, ..Warning::default() }
}
