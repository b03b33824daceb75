//! `debian/copyright`: the licence, for people and for programs that look at what is installed.
//!
//! Upstream has no such file. Policy (12.5) asks for it, and testing containers, which leave out all other documentation,
//! keep it. The format is Debian's own (copyright-format 1.0), in which `or` and `and` join licences as `OR` and `AND` do
//! in SPDX's.

use dalec_spec::target_spec::TargetSpec;

use crate::paths::base;
use crate::quote::{is_pattern, one_line};

/// Returns the file, or nothing if the spec names no licence.
pub(super) fn render(spec: &TargetSpec, package: &str) -> Option<String> {
    let license = one_line(&spec.license);
    if license.is_empty() {
        return None;
    }
    let words: Vec<&str> = license
        .split_whitespace()
        .map(|word| match word {
            "OR" => "or",
            "AND" => "and",
            "WITH" => "with",
            word => word,
        })
        .collect();
    let texts = spec.artifacts.licenses.iter().map(|(key, artifact)| match artifact.name.as_str() {
        "" if is_pattern(key) => key,
        "" => base(key),
        name => name,
    });
    let texts: Vec<String> = texts.map(one_line).collect();
    let text = match texts.as_slice() {
        [] => "The package brings no text of it.".to_owned(),
        texts => format!("Texts below /usr/share/doc/{package}: {}", texts.join(", ")),
    };
    let website = one_line(&spec.website);
    let source = if website.is_empty() { String::new() } else { format!("Source: {website}\n") };
    Some(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: {package}\n{source}\nFiles: *\nCopyright: the authors of {package}\nLicense: {}\n {text}\n",
        words.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{artifacts, spec};
    use dalec_spec::target_spec::Artifact;
    use expect_test::expect;

    #[test]
    fn texts_and_website() {
        let mut spec = spec();
        spec.license = "MIT OR (Apache-2.0 WITH LLVM-exception)\nEvil: yes".into();
        spec.website = "https://example.org".into();
        let renamed = Artifact { name: "MIT".into(), ..Artifact::default() };
        spec.artifacts.licenses = artifacts([("src/COPYING", Artifact::default()), ("src/l", renamed)]);
        expect![[r#"
            Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
            Upstream-Name: hello
            Source: https://example.org

            Files: *
            Copyright: the authors of hello
            License: MIT or (Apache-2.0 with LLVM-exception) Evil: yes
             Texts below /usr/share/doc/hello: COPYING, MIT
        "#]]
        .assert_eq(&render(&spec, "hello").expect("a file"));
    }

    #[test]
    fn no_texts() {
        let mut spec = spec();
        expect![[r#"
            Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
            Upstream-Name: hello

            Files: *
            Copyright: the authors of hello
            License: MIT
             The package brings no text of it.
        "#]]
        .assert_eq(&render(&spec, "hello").expect("a file"));
        spec.license = " ".into();
        assert_eq!(render(&spec, "hello"), None);
    }
}
