//! Files beside a spec that a build can be given: a source filter and a signing configuration.
//!
//! They follow upstream's `source_filter.go` and `frontend/request.go`. Arguments are not expanded in them.

use crate::codes;
use crate::decode::{Decode, Decoder, Field, List, Text, object};
use crate::diagnostic::{Diagnostic, sort};
use crate::raw::rules::FilePattern;
use crate::raw::signing::RawSigner;
use crate::resolve::{Budget, ResolveOptions, Resolver};
use crate::source_text::SourceText;
use crate::span::Span;
use crate::target_spec::{Signer, SourceFilter};
use crate::yaml;

object! {
    /// What a build leaves out of all sources that are directories, and of what is downloaded beside them.
    RawSourceFilter: "a source filter", closed => SourceFilter {
        /// Patterns of the files to leave out, relative to each source.
        /// Example: ["**/*.test"]
        "global_excludes" global_excludes: List<Text<FilePattern>>,
    }
}

object! {
    /// Who signs the packages of a build, whatever the spec says.
    RawSigningConfig: "a signing configuration", open, needs ["signer"] {
        /// The frontend that signs.
        /// Example: {image: "registry.example.org/signer:1"}
        "signer" signer: Option<RawSigner>,
    }
}

/// Loads the source filter in `source`, the file that the build argument `DALEC_SOURCE_FILTER_CONFIG_PATH` names.
///
/// Returns none when there are errors; unknown keys are errors.
pub fn load_source_filter(source: &SourceText) -> (Option<SourceFilter>, Vec<Diagnostic>) {
    read(source, Decoder::new(source), |filter: &RawSourceFilter, resolver, _| filter.resolve(resolver))
}

/// Loads the signing configuration in `source`, the file that the build argument `DALEC_SIGNING_CONFIG_PATH` names.
///
/// Returns none when there are errors; unknown keys are warnings, as upstream reads on.
pub fn load_signing_config(source: &SourceText) -> (Option<Signer>, Vec<Diagnostic>) {
    let mut decoder = Decoder::new(source);
    decoder.ignore_unknown_keys = true;
    read(source, decoder, |config: &RawSigningConfig, _, decoder| {
        let signer = config.signer.clone().unwrap_or_default();
        if !signer.image.is_given() && !decoder.findings.has_errors() {
            let place = if signer.span == Span::default() { config.span } else { signer.span };
            let message = "a signing configuration needs a signer with `image`";
            let diagnostic = Diagnostic::error(codes::MISSING_KEY, decoder.first_line(place), message);
            decoder.report(diagnostic.help("write `signer: {image: ...}`"));
        }
        let text = |text: &str| text.to_owned();
        Signer {
            image: text(&signer.image.value),
            cmdline: text(&signer.cmdline.value),
            args: signer
                .args
                .entries
                .iter()
                .map(|entry| (text(&entry.key.value), text(&entry.value.value)))
                .collect(),
            span: signer.span,
        }
    })
}

fn read<T: Decode, O>(
    source: &SourceText,
    mut decoder: Decoder<'_>,
    make: impl FnOnce(&T, &mut Resolver<'_>, &mut Decoder<'_>) -> O,
) -> (Option<O>, Vec<Diagnostic>) {
    let (node, mut found) = yaml::parse(source);
    let Some(node) = node else { return (None, found) };
    let raw: T = decoder.read(&node);
    let root = super::RawRoot::default();
    let mut budget = Budget::default();
    let mut resolver = Resolver::of(&root, source, &ResolveOptions::default(), &mut budget);
    let output = make(&raw, &mut resolver, &mut decoder);
    found.extend(decoder.findings.into_sorted());
    found.extend(decoder.doubts.into_sorted());
    sort(&mut found);
    let output = Some(output).filter(|_| !crate::diagnostic::has_errors(&found));
    (output, found)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{RenderOptions, render};

    fn text(name: &str, text: &str) -> SourceText {
        SourceText::new(name, text)
    }

    #[track_caller]
    fn check_signing(written: &str, expected: Expect) {
        let source = text("signing.yml", written);
        let (signer, found) = load_signing_config(&source);
        let signer = signer.map(|signer| {
            format!("image {}, cmdline {:?}, args {:?}\n", signer.image, signer.cmdline, signer.args)
        });
        let shown = render(&source, &found, RenderOptions::default());
        expected.assert_eq(&(signer.unwrap_or_default() + &shown));
    }

    /// SRC-015: the file of a source filter.
    #[test]
    fn source_filters_are_strict() {
        let (filter, found) =
            load_source_filter(&text("filter.yml", "global_excludes: [\"**/*.pem\", docs]\n"));
        assert_eq!(filter.expect("a filter").global_excludes, ["**/*.pem", "docs"]);
        assert!(found.is_empty());
        assert_eq!(load_source_filter(&text("filter.yml", "")).0, Some(SourceFilter::default()));
        let (filter, found) = load_source_filter(&text("filter.yml", "global_exclude: [a]\n"));
        assert_eq!(filter, None);
        assert_eq!(found[0].help.as_deref(), Some("did you mean `global_excludes`?"));
    }

    /// SIGN-005: a signing configuration beside the spec; arguments are not expanded in it.
    #[test]
    fn signing_configurations_are_read_on() {
        check_signing(
            "signer:\n  image: registry.example/signer:1\n  args: {KEY: \"${KEY}\"}\n  colour: red\nother: 1\n",
            expect![[r#"
                image registry.example/signer:1, cmdline "", args {"KEY": "${KEY}"}
                warning[no-effect]: unknown key `colour` in a signer is not looked at
                 --> signing.yml:4:3
                  |
                4 |   colour: red
                  |   ^^^^^^
                  |
                  = help: known are `image`, `cmdline` and `args`

                warning[no-effect]: unknown key `other` in a signing configuration is not looked at
                 --> signing.yml:5:1
                  |
                5 | other: 1
                  | ^^^^^
                  |
                  = help: known are only `signer`
            "#]],
        );
    }

    /// Upstream crashes on such a file.
    #[test]
    fn a_signing_configuration_names_a_signer() {
        check_signing(
            "",
            expect![[r#"
                error[missing-key]: a signing configuration needs `signer`
                 --> signing.yml:1:1
                  |
                1 |
                  | ^
            "#]],
        );
        check_signing(
            "signer: {cmdline: a}\n",
            expect![[r#"
                error[missing-key]: a signing configuration needs a signer with `image`
                 --> signing.yml:1:1
                  |
                1 | signer: {cmdline: a}
                  | ^^^^^^^^^^^^^^^^^^^^
                  |
                  = help: write `signer: {image: ...}`

                warning[no-effect]: a signer without `image` signs nothing
                 --> signing.yml:1:1
                  |
                1 | signer: {cmdline: a}
                  | ^^^^^^^^^^^^^^^^^^^^
                  |
                  = help: add `image`, or remove the signer
            "#]],
        );
    }
}
