//! Packages on their way to a signer and back.
//!
//! Who signs is the frontend's to know: a plan says what there is to sign, and is made again with the signer's answer.
//! Before anything is made of an answer, [`compare`] holds it against what was built.

use dalec_llb::{Copy, Exec, File, Location, Mount, Network, ProgressGroup, State};

use crate::request::Options;

/// First argument of this program where it runs as the step that compares.
///
/// Four directories follow: what was built, what the signer returned, where the tree to go on with is written, and
/// where [`REPORT`] is.
pub const COMPARE: &str = "compare-signed";

/// Name of the file that says what was compared.
pub const REPORT: &str = "report.json";

/// Everything that comparing needs is mounted below this directory.
const DIRECTORY: &str = "/tmp/internal/dalec/signing";

/// What a signer gets of one kind of packages. Its answer is laid over everything that was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageKind {
    /// Patterns of the files that are signed.
    include: &'static [&'static str],
}

/// Programs for Windows: everything that is packaged.
pub const WINDOWS: PackageKind = PackageKind { include: &[] };

/// Debian packages: the binary ones alone; descriptions and sources stay as they are.
pub const DEB: PackageKind = PackageKind { include: &["**/*.deb"] };

/// RPM packages, binary and source.
pub const RPM: PackageKind = PackageKind { include: &["RPMS/**/*.rpm", "SRPMS/**/*.rpm"] };

impl PackageKind {
    /// Returns what of `built` is to be signed.
    pub fn to_sign(self, built: &State) -> State {
        let include = self.include.iter().map(|pattern| (*pattern).to_owned()).collect();
        let copy = Copy { contents_only: true, include, ..Copy::default() };
        let file = File::new("Choose the packages to sign").copy(built, "/", "/", copy).group(&group());
        State::scratch().file(file)
    }
}

/// A signer's answer that is compared with what was built.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What was signed, and signatures beside it; empty when more than signatures differs.
    pub signed: State,
    /// Holds [`REPORT`], a JSON object: `artifacts` and `warnings`, or `differences` when more than signatures differs.
    pub report: State,
}

/// Plans to compare `answer` with `built`, what the signer got.
///
/// `frontend` holds this program as `/frontend`, `at` is the signer in the spec.
pub fn compare(frontend: &State, built: &State, answer: &State, at: Option<Location>) -> Compared {
    let path = |name: &str| format!("{DIRECTORY}/{name}");
    let [built_path, answer_path, signed_path, report_path] =
        ["built", "answer", "signed", "report"].map(path);
    let args = ["/frontend", COMPARE, &built_path, &answer_path, &signed_path, &report_path];
    let exec = Exec::new(args)
        .network(Network::None)
        .readonly_root()
        .name("Compare what was signed with what was built")
        .group(&group())
        .at(at)
        .mount(Mount::bind(&built_path, built).readonly())
        .mount(Mount::bind(&answer_path, answer).readonly())
        .mount(Mount::output(&signed_path))
        .mount(Mount::output(&report_path));
    let compared = frontend.run(exec);
    Compared { signed: compared.output(&signed_path), report: compared.output(&report_path) }
}

/// Returns `tree` with what was signed over it, or as it is where nothing was.
pub(crate) fn lay_over(tree: State, signed: Option<&State>, options: &Options) -> State {
    match signed {
        Some(signed) => options.lay(&[tree, signed.clone()], "Put the signed packages in place"),
        None => tree,
    }
}

fn group() -> ProgressGroup {
    ProgressGroup::new("Sign package")
}

#[cfg(test)]
mod tests {
    use dalec_llb::{ImageRef, Platform, describe};
    use expect_test::expect;

    use super::*;

    fn image(name: &str) -> State {
        State::image(ImageRef { reference: name.into(), ..ImageRef::default() })
    }

    /// SIGN-012: a signer sees binary packages alone. The answer is compared without network, read-only.
    #[test]
    fn an_answer_is_compared_with_what_the_signer_got() {
        let built = DEB.to_sign(&image("built"));
        let compared = compare(&image("frontend"), &built, &image("answer"), None);
        expect![[r#"
            #0 source docker-image://frontend
            #1 source docker-image://built
            #2 file
                scratch copy #1:/ -> / include ["**/*.deb"]
                name Choose the packages to sign
            #3 source docker-image://answer
            #4 exec network=NONE
                arg /frontend
                arg compare-signed
                arg /tmp/internal/dalec/signing/built
                arg /tmp/internal/dalec/signing/answer
                arg /tmp/internal/dalec/signing/signed
                arg /tmp/internal/dalec/signing/report
                cwd /
                mount / #0 ro
                mount /tmp/internal/dalec/signing/built #2 ro
                mount /tmp/internal/dalec/signing/answer #3 ro
                mount /tmp/internal/dalec/signing/signed scratch
                mount /tmp/internal/dalec/signing/report scratch
                name Compare what was signed with what was built
            #5 result #4.1
        "#]]
        .assert_eq(&describe(&compared.report.marshal(&Platform::linux("amd64"))));
    }
}
