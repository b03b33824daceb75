//! What this executable is: the command of that name, or one of the parts that a build puts into its containers.
//!
//! Images of ours hold the executable alone, under the name of the part that they start.

use std::ffi::OsString;
use std::path::Path;

/// Exit code for a part that does not exist (`EX_USAGE`).
pub const UNKNOWN: i32 = 64;

/// Name of the executable in the frontend's image.
const FRONTEND: &str = "frontend";

/// Name of the executable in the signers' image.
const SIGNER: &str = dalec_signer_frontend::PROGRAM;

/// Signs what a build made.
const SIGN_TREE: &str = dalec_signer_frontend::STEP;

/// Runs a step or a check of a spec's test in the tested container.
const TEST_RUNNER: &str = "test-runner";

/// Compares what a signer returned with what was built.
const COMPARE: &str = dalec_frontend::COMPARE;

/// Looks for patterns of a source that match nothing.
const UNMATCHED: &str = dalec_frontend::UNMATCHED;

/// Answers git where private modules are downloaded.
const CREDENTIAL_HELPER: &str = "credential-helper";

/// A part of this program that is not the command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Answers a build engine that started our image.
    Frontend,
    /// Runs a part of a spec's test, with these arguments.
    TestRunner(Vec<OsString>),
    /// Compares what a signer returned with what was built, with these arguments.
    Compare(Vec<OsString>),
    /// Looks for patterns of a source that match nothing, with these arguments.
    Unmatched(Vec<OsString>),
    /// Answers git where private modules are downloaded, with these arguments.
    CredentialHelper(Vec<OsString>),
    /// Answers a build engine that started the signers' image.
    Signer,
    /// Signs what a build made, with these arguments.
    SignTree(Vec<OsString>),
    /// A part that does not exist.
    Unknown(String),
}

/// Returns which part a process with `args`, its own name first, is; none for the command line.
pub fn of(mut args: impl Iterator<Item = OsString>) -> Option<Part> {
    let own = args.next().unwrap_or_default();
    let name = Path::new(&own).file_name().unwrap_or_default();
    let (is_frontend, is_signer) = (name == FRONTEND, name == SIGNER);
    let part = match args.next() {
        Some(first) if first == TEST_RUNNER => Part::TestRunner(args.collect()),
        Some(first) if first == COMPARE => Part::Compare(args.collect()),
        Some(first) if first == UNMATCHED => Part::Unmatched(args.collect()),
        Some(first) if is_frontend && first == CREDENTIAL_HELPER => Part::CredentialHelper(args.collect()),
        Some(first) if is_signer && first == SIGN_TREE => Part::SignTree(args.collect()),
        Some(first) if is_frontend || is_signer => Part::Unknown(first.to_string_lossy().into_owned()),
        None if is_frontend => Part::Frontend,
        None if is_signer => Part::Signer,
        _ => return None,
    };
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Option<Part> {
        of(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_name_decides_in_images_of_ours() {
        assert_eq!(check("/frontend"), Some(Part::Frontend));
        assert_eq!(check("/frontend sign-tree"), Some(Part::Unknown("sign-tree".into())));
        assert_eq!(check("/signer"), Some(Part::Signer));
        assert_eq!(check("/signer sign"), Some(Part::Unknown("sign".into())));
        assert_eq!(check("/usr/bin/dalec"), None);
        assert_eq!(check("dalec frontend"), None);
    }

    #[test]
    fn parts_keep_their_arguments() {
        assert_eq!(check("/frontend compare-signed a"), Some(Part::Compare(vec!["a".into()])));
        assert_eq!(check("/signer sign-tree --replace"), Some(Part::SignTree(vec!["--replace".into()])));
        let helper = Part::CredentialHelper(vec!["--kind=token".into(), "get".into()]);
        assert_eq!(check("/work/dalec/frontend credential-helper --kind=token get"), Some(helper));
        assert_eq!(check("dalec credential-helper get"), None);
        for name in ["/frontend", "/tmp/dalec"] {
            let Some(Part::TestRunner(args)) = check(&format!("{name} test-runner step a")) else {
                panic!("{name}")
            };
            assert_eq!(args, ["step", "a"]);
        }
    }
}
