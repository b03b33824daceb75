//! The options of one request, in the words that BuildKit's `frontend/dockerui` uses on the wire.

use std::collections::BTreeMap;

use dalec_gateway::{BuildOptions, parse_bool};
use dalec_spec::Platform;

use crate::error::FrontendError;
use crate::main_context::{MAIN, SPEC};

/// One request, read from the gateway's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Requested route, for example `bookworm/deb`; empty when none was given.
    pub target: String,
    /// Platforms to build for; empty for the default one.
    pub platforms: Vec<Platform>,
    /// Platform that runs the build.
    pub build_platform: Platform,
    /// Platforms whose programs run where the build runs, emulated ones too.
    machine: Vec<Platform>,
    /// `build-arg:NAME` options by name.
    pub build_args: BTreeMap<String, String>,
    /// `context:NAME` options by name.
    pub contexts: BTreeMap<String, String>,
    /// Name of the spec file.
    pub filename: String,
    /// Name of the directory that holds the spec.
    pub spec_context: String,
    /// Whether the client names that directory: then the spec is there, wherever the main context is.
    pub names_spec_context: bool,
    /// Address of the main context; empty when it is a directory.
    pub main_context: String,
    /// Directory of the main context that is taken, where that is no directory of the client's.
    pub context_subdir: Option<String>,
    /// What is asked for besides a build; empty for a build.
    pub subrequest: String,
    /// Whether results are named by platform: when there are several, or a client wants it.
    pub names_platforms: bool,
    /// Target key that a caller fixed, another frontend for example.
    pub forwarded_target: Option<String>,
    /// Session that serves directories.
    session: String,
    /// Sessions of single directories by name, where they differ.
    local_sessions: BTreeMap<String, String>,
    /// Cache keys to ignore; an empty list ignores all.
    pub no_cache: Option<Vec<String>>,
    /// How images are resolved: `default`, `pull` or `local`.
    pub resolve_mode: String,
}

impl Options {
    /// Reads the options of a request.
    ///
    /// # Errors
    /// [`FrontendError::Option`] for a platform that is none, and for several that are to be one result.
    pub fn read(request: &BuildOptions) -> Result<Self, FrontendError> {
        let given = |name: &str| request.options.get(name).filter(|value| !value.is_empty()).cloned();
        let option = |name: &str| given(name).unwrap_or_default();
        let prefixed = |prefix: &str| {
            let entries = request.options.iter();
            entries
                .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
                .collect::<BTreeMap<_, _>>()
        };
        let platform = |text: &str| {
            text.trim().parse::<Platform>().map_err(|error| FrontendError::Option {
                option: "platform".into(),
                message: error.to_string(),
            })
        };
        let platforms = option("platform");
        let platforms = platforms.split(',').filter(|text| !text.trim().is_empty());
        let platforms: Vec<Platform> = platforms.map(platform).collect::<Result<_, _>>()?;
        let machine: Vec<Platform> =
            request.platforms.iter().map(|text| platform(text)).collect::<Result<_, _>>()?;
        let names_platforms = given("build-arg:BUILDKIT_MULTI_PLATFORM").or_else(|| given("multi-platform"));
        let names_platforms =
            names_platforms.map_or(Ok(platforms.len() > 1), |text| named(&text, platforms.len()))?;
        Ok(Self {
            target: option("target"),
            platforms,
            build_platform: machine.first().cloned().unwrap_or_default(),
            machine,
            build_args: prefixed("build-arg:"),
            contexts: prefixed("context:"),
            filename: given("filename").unwrap_or_else(|| "Dockerfile".into()),
            spec_context: given("dockerfilekey").unwrap_or_else(|| SPEC.into()),
            names_spec_context: given("dockerfilekey").is_some(),
            main_context: option(given("contextkey").as_deref().unwrap_or(MAIN)),
            context_subdir: given("contextsubdir"),
            subrequest: option("requestid"),
            names_platforms,
            forwarded_target: given("dalec.target"),
            session: request.session.clone(),
            local_sessions: prefixed("local-sessionid:"),
            no_cache: request.options.get("no-cache").map(|keys| {
                keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect()
            }),
            resolve_mode: option("image-resolve-mode"),
        })
    }

    /// Returns whether programs for `platform` run where the build runs, as far as the client wants them to: with
    /// `DALEC_DISABLE_EMULATION` those of the machine's own processor alone. Which variants of it do is known too late.
    ///
    /// # Errors
    /// As [`Options::flag`].
    pub fn runs(&self, platform: &Platform) -> Result<bool, FrontendError> {
        let own = self.build_platform.arch.as_str();
        let is_emulated = platform.arch != own
            && !matches!((own, platform.arch.as_str()), ("amd64", "386") | ("arm64", "arm"));
        if self.flag("DALEC_DISABLE_EMULATION")? && is_emulated {
            return Ok(false);
        }
        let runs = |one: &Platform| one.os == platform.os && one.arch == platform.arch;
        Ok(self.machine.iter().chain([&self.build_platform]).any(runs))
    }

    /// Returns the session that serves the directory `name`.
    pub fn session_of(&self, name: &str) -> &str {
        self.local_sessions.get(name).unwrap_or(&self.session)
    }

    /// Returns the target key: what a caller fixed, or else the first part of the target.
    pub fn target_key(&self) -> &str {
        let own = self.target.split('/').next().unwrap_or_default();
        self.forwarded_target.as_deref().unwrap_or(own)
    }

    /// Returns whether the build argument `name` is exactly `1`.
    pub fn is_one(&self, name: &str) -> bool {
        self.build_args.get(name).is_some_and(|value| value == "1")
    }

    /// Reads the boolean build argument `name`.
    ///
    /// # Errors
    /// [`FrontendError::Option`] for text that is no boolean.
    pub fn flag(&self, name: &str) -> Result<bool, FrontendError> {
        let value = self.build_args.get(name).map_or("", String::as_str);
        boolean(value).ok_or_else(|| FrontendError::Option {
            option: format!("build-arg {name}"),
            message: format!("`{value}` is not a boolean; write 1 or 0"),
        })
    }
}

/// Reads whether results are named by platform, of which there are `platforms`.
fn named(text: &str, platforms: usize) -> Result<bool, FrontendError> {
    let wrong = |message: String| FrontendError::Option { option: "multi-platform".into(), message };
    match boolean(text) {
        Some(false) if platforms > 1 => {
            Err(wrong(format!("it is off, and {platforms} platforms are built for")))
        }
        Some(named) => Ok(named),
        None => Err(wrong(format!("`{text}` is not a boolean; write 1 or 0"))),
    }
}

/// Reads a boolean in the forms that upstream's programs take; nothing is false.
pub fn boolean(text: &str) -> Option<bool> {
    if text.is_empty() { Some(false) } else { parse_bool(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<Options, FrontendError> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Options::read(&BuildOptions { options, ..BuildOptions::default() })
    }

    #[test]
    fn emulators_are_left_alone_on_request() {
        let runs = |argument: &str, platform: &str| {
            let options = BTreeMap::from([("build-arg:DALEC_DISABLE_EMULATION".into(), argument.into())]);
            let platforms = ["linux/amd64", "linux/386", "linux/arm64"].map(str::to_owned).into();
            let request = BuildOptions { options, platforms, ..BuildOptions::default() };
            Options::read(&request).unwrap().runs(&platform.parse().unwrap()).ok()
        };
        for (platform, emulated, own) in
            [("linux/amd64", true, true), ("linux/386", true, true), ("linux/arm64", true, false)]
        {
            let found = (runs("", platform), runs("1", platform));
            assert_eq!(found, (Some(emulated), Some(own)), "{platform}");
        }
        assert_eq!(runs("", "linux/riscv64"), Some(false));
        assert_eq!(runs("perhaps", "linux/arm64"), None);
    }

    #[test]
    fn reads_what_the_client_sends() {
        let options = read(&[
            ("target", "bookworm/deb"),
            ("platform", "linux/amd64, linux/arm64"),
            ("build-arg:VERSION", "1.2"),
            ("context:patches", "local:patches"),
            ("no-cache", "dalec.pkg,dalec.tests"),
        ])
        .unwrap();
        assert_eq!(options.target, "bookworm/deb");
        assert_eq!(options.platforms.len(), 2);
        assert_eq!(options.build_args["VERSION"], "1.2");
        assert_eq!(options.contexts["patches"], "local:patches");
        assert_eq!(options.filename, "Dockerfile");
        assert_eq!(options.no_cache, Some(vec!["dalec.pkg".to_owned(), "dalec.tests".to_owned()]));
        assert_eq!(read(&[("no-cache", "")]).unwrap().no_cache, Some(Vec::new()));
        assert!(read(&[("platform", "linux")]).is_err());
    }

    /// FE-011: one result may be named by its platform; several have to be.
    #[test]
    fn clients_say_whether_results_are_named() {
        let named = |options: &[(&str, &str)]| read(options).map(|options| options.names_platforms).ok();
        let two = ("platform", "linux/amd64,linux/arm64");
        assert_eq!(named(&[]), Some(false));
        assert_eq!(named(&[two]), Some(true));
        assert_eq!(named(&[("multi-platform", "true")]), Some(true));
        let argument = ("build-arg:BUILDKIT_MULTI_PLATFORM", "0");
        assert_eq!(named(&[("multi-platform", "true"), argument]), Some(false));
        assert_eq!(named(&[two, argument]), None);
        assert_eq!(named(&[("multi-platform", "perhaps")]), None);
    }

    /// The set of texts that upstream reads as booleans (reference 12.1).
    #[test]
    fn skip_tests_takes_booleans_only() {
        let flag =
            |value: &str| read(&[("build-arg:DALEC_SKIP_TESTS", value)]).unwrap().flag("DALEC_SKIP_TESTS");
        for value in ["1", "t", "T", "TRUE", "true", "True"] {
            assert!(flag(value).unwrap(), "{value}");
        }
        for value in ["", "0", "f", "F", "FALSE", "false", "False"] {
            assert!(!flag(value).unwrap(), "{value}");
        }
        assert!(flag("yes").is_err());
    }
}
