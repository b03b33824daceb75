//! Sources that are results of Dockerfiles: another frontend builds them.

use dalec_gateway::{FrontendRequest, Gateway, GatewayError};
use dalec_llb::{File, Platform, State};
use dalec_spec::target_spec::BuildSource;

use crate::frontends::{self, GATEWAY};
use crate::main_context::{self, MAIN, SPEC};
use crate::options::Options;

/// The frontend that BuildKit has built in.
const BUILT_IN: &str = "dockerfile.v0";
/// More bytes than this are no Dockerfile.
const LARGEST: u64 = 4 << 20;
/// Options that are about the request itself, such as which frontend reads the spec.
const REPLACED: [&str; 4] = ["filename", "dockerfilekey", "target", "build-arg:BUILDKIT_SYNTAX"];

/// Has the Dockerfile of `build`, which lies in `context`, built by the frontend that its first line names, for a spec of
/// the name `package`.
///
/// Its caches are apart from those of other packages, and from what package managers and builds keep: what lies there is
/// taken as verified.
///
/// # Errors
/// [`GatewayError::NotFound`] when the Dockerfile is not there, what the other frontend says, or when it returns anything but one file system.
pub fn build(
    gateway: &dyn Gateway,
    options: &Options,
    build: &BuildSource,
    context: &State,
    platform: &Platform,
    package: &str,
) -> Result<State, GatewayError> {
    let content = main_context::read(gateway, context, &build.dockerfile_path, LARGEST)?;
    let syntax = syntax(&content);
    let image = syntax.as_deref().map_or(BUILT_IN, |syntax| syntax.split(' ').next().unwrap_or_default());
    let cmdline = syntax.as_deref().unwrap_or_default();
    let mut request: FrontendRequest = frontends::request(gateway, image, cmdline, &REPLACED)?;
    if syntax.is_none() {
        request.frontend = BUILT_IN.into();
        request.options.remove("source");
        request.options.remove("cmdline");
    } else {
        request.frontend = GATEWAY.into();
    }
    let mut set = |name: &str, value: &str| request.options.insert(name.into(), value.into());
    set("dalec.target", options.target_key());
    set("build-arg:DALEC_TARGET", options.target_key());
    if !build.target.is_empty() {
        set("target", &build.target);
    }
    for (name, value) in &build.args {
        set(&format!("build-arg:{name}"), value);
    }
    // After the arguments, which are the spec's.
    set("build-arg:BUILDKIT_CACHE_MOUNT_NS", &format!("dalec-dockerfile-{package}"));
    // Its steps run where the build runs, whatever the result is for.
    if !options.platforms.is_empty() {
        set("platform", &platform.to_string());
    }
    let file = File::new("Write the Dockerfile").mkfile("/Dockerfile", 0o600, None, content);
    request.inputs.insert(SPEC.into(), State::scratch().file(file).marshal(platform));
    request.inputs.insert(MAIN.into(), context.marshal(platform));
    let result = gateway.solve_frontend(request)?;
    frontends::single(gateway, image, &result)
}

/// Returns the value of the directive `syntax` at the top of a Dockerfile, as `frontend/dockerfile/parser` reads it.
fn syntax(dockerfile: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(dockerfile);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let first = usize::from(text.starts_with("#!"));
    ["#", "//"].into_iter().find_map(|comment| {
        let directives = text.lines().skip(first).map_while(|line| {
            let (name, value) = line.strip_prefix(comment)?.split_once('=')?;
            let name = name.trim();
            let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.chars().all(|letter| letter.is_ascii_alphanumeric());
            is_name.then(|| (name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        let mut found = directives.filter(|(name, value)| name == "syntax" && !value.is_empty());
        found.next().map(|(_, value)| value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontend_stands_in_the_first_lines() {
        for (text, expected) in [
            ("FROM scratch\n", None),
            ("# syntax=example.org/a:1\nFROM scratch\n", Some("example.org/a:1")),
            (
                "#!/bin/x\n#escape=`\n# Syntax = example.org/a:1 --fast\nFROM x\n",
                Some("example.org/a:1 --fast"),
            ),
            ("//syntax=example.org/a:1\n", Some("example.org/a:1")),
            ("# a comment\n# syntax=example.org/a:1\n", None),
            ("FROM x\n# syntax=example.org/a:1\n", None),
            ("", None),
        ] {
            assert_eq!(syntax(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }
}
