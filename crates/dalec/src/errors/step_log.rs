//! What generated build scripts said about the piece of the spec that made them fail.
//!
//! The form of such lines is in [`dalec_targets::marker`]. The words may come from a hostile build, so they are taken as
//! words and nothing else.

use dalec_targets::marker;

use crate::terminal::{Keep, clean};

/// What a script said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Which range of the op's location it is about, from 0.
    pub range: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// Returns everything that the lines of `log` say in the words of generated scripts, repetitions left out.
pub fn said(log: &[String]) -> Vec<Said> {
    let mut found: Vec<Said> = Vec::new();
    for line in log {
        let line = clean(line.as_bytes(), Keep::Nothing);
        let Some(marker) = marker::parse(line.trim_start()) else { continue };
        let said = Said { range: marker.range, message: marker.message.to_owned() };
        if !found.contains(&said) {
            found.push(said);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_lines_are_taken_apart() {
        let log = [
            "dpkg-deb: building",
            "dalec: error: @12: dependency \"nope (>= 1)\" cannot be installed",
            "  dalec: error: out of luck: really",
            "dalec: error: out of luck: really",
            "dalec: error: @0: no such range",
            "make: dalec: error: @1: not at the start",
        ];
        let found = said(&log.map(str::to_owned));
        let short: Vec<_> = found.iter().map(|said| (said.range, said.message.as_str())).collect();
        assert_eq!(
            short,
            [
                (Some(11), "dependency \"nope (>= 1)\" cannot be installed"),
                (None, "out of luck: really"),
                (None, "@0: no such range"),
            ]
        );
    }
}
