//! `--build-arg` values.

use std::collections::BTreeMap;

use crate::errors::CommandError;

/// Passed on from the environment unless given, as `docker buildx` does.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Returns the build arguments in `given`; `NAME` alone takes its value from `environment` and is left out when it
/// is not set there.
///
/// # Errors
/// [`CommandError::Usage`] for an argument without a name.
pub fn collect(
    given: &[String],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut args = BTreeMap::new();
    args.extend(environment(EPOCH).map(|value| (EPOCH.to_owned(), value)));
    for text in given {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text.as_str(), environment(text)),
        };
        if name.is_empty() {
            let message = format!("--build-arg {text}: the name is missing");
            return Err(CommandError::usage_help(message, "write --build-arg NAME=VALUE"));
        }
        args.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(args)
}

/// Returns `SOURCE_DATE_EPOCH`, in seconds since 1970, if `args` have it as a number.
pub fn epoch(args: &BTreeMap<String, String>) -> Option<i64> {
    args.get(EPOCH)?.trim().parse().ok()
}

/// Returns a variable of the environment of this process, when it is text.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(given: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
        let given: Vec<String> = given.iter().map(|arg| (*arg).to_owned()).collect();
        let find = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        collect(&given, find).unwrap().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn a_name_alone_takes_the_environment() {
        assert_eq!(collected(&["A=1", "B", "C", "D="], &[("B", "b")]), ["A=1", "B=b", "D="]);
        assert!(collect(&["=x".to_owned()], |_| None).is_err());
    }

    #[test]
    fn the_epoch_comes_from_the_environment_unless_given() {
        assert_eq!(collected(&[], &[(EPOCH, "1")]), ["SOURCE_DATE_EPOCH=1"]);
        assert_eq!(collected(&["SOURCE_DATE_EPOCH=2"], &[(EPOCH, "1")]), ["SOURCE_DATE_EPOCH=2"]);
    }
}
