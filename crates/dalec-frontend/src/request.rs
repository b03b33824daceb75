//! One request from start to end: a question, a target that another frontend builds, or one that is built here.

use dalec_gateway::{FrontendResult, Gateway};

use crate::build::Build;
use crate::error::FrontendError;
use crate::forward::Forward;
use crate::main_context::MainContext;
use crate::options::Options;
use crate::spec::Spec;
use crate::{routes, subrequests};

/// Does what the gateway was asked for, and returns what it keeps.
///
/// The metadata of a build is BuildKit's (`exporter/containerimage/exptypes`), and [`SIGNING`](crate::SIGNING) for what was signed,
/// a JSON object; with `/PLATFORM` behind the name when several platforms were asked for.
///
/// # Errors
/// See [`FrontendError`]; the first platform's error when several fail.
pub fn answer(gateway: &dyn Gateway) -> Result<FrontendResult, FrontendError> {
    let options = Options::read(gateway.build_options())?;
    match options.subrequest.as_str() {
        // Clients that have seen upstream's list may send the last one with a build.
        "" | subrequests::TARGETS | subrequests::RESOLVE | "dalec.target" => {}
        subrequests::DESCRIBE => return Ok(subrequests::describe()),
        subrequests::DEFAULT_PLATFORM => return Ok(subrequests::default_platform(&options)),
        subrequests::SCHEMA => return Ok(subrequests::schema()),
        other => return Err(FrontendError::UnknownSubrequest { id: other.to_owned() }),
    }
    let main = MainContext::find(gateway, &options)?;
    let spec = Spec::load(main.spec(gateway, &options)?);
    let forwards = spec.raw().map(Forward::all).unwrap_or_default();
    if let (Some(_), Some(forward)) = (&options.forwarded_target, forwards.first()) {
        return Err(already_forwarded(&spec, forward));
    }
    match options.subrequest.as_str() {
        subrequests::TARGETS => {
            let targets = routes::with_forwarded(gateway, &main, &spec, &forwards);
            Ok(subrequests::list(&options, targets))
        }
        subrequests::RESOLVE => subrequests::resolved(gateway, &options, &spec),
        _ => match forwards.iter().find(|forward| forward.covers(&options.target)) {
            Some(forward) => forward.build(gateway, &main, &spec.source_text, &options.target),
            None => {
                let route = routes::matched(gateway, &options.target, &forwards)?;
                Build { gateway, options: &options, main: &main, spec: &spec, route }.run()
            }
        },
    }
}

/// Another frontend let this one build a target: letting a third one do it might never end.
fn already_forwarded(spec: &Spec, forward: &Forward) -> FrontendError {
    FrontendError::Plan {
        message: format!(
            "target forwarding requested but target is already forwarded: the frontend {} was called by another one",
            forward.frontend.image
        ),
        hint: Some("a frontend that is called by another one cannot call further ones".into()),
        source_text: spec.source_text.clone(),
        spans: vec![forward.frontend.span],
    }
}
