//! A recipe: everything that decides what a root file system contains, and nothing else.
//!
//! No clock, no path of the host, no order of arrival: the same packages from the same
//! repositories make the same bytes, so the digest can name the root that comes out.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Raised when the same recipe would come out as another tree, or is written in another way.
const FORMAT: u32 = 2;
const SKELETON: &str = "base-files";

/// What a root file system is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The version of the rules by which packages become a tree.
    pub format: u32,
    /// The name of the release, such as `bookworm`.
    pub codename: String,
    /// The number of the release as in `os-release`, such as `12`; testing and unstable have none.
    pub version_id: Option<String>,
    /// The Debian architecture, such as `amd64`.
    pub architecture: String,
    /// Where the packages are from, and what the root's own apt will ask.
    pub repositories: Vec<Repository>,
    /// In the order in which they are to be set up.
    pub packages: Vec<Package>,
}

/// One suite of one archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// The archive's base URL, without a trailing slash.
    pub url: String,
    /// The suite's code name, such as `bookworm-security`.
    pub suite: String,
    /// The component, such as `main`.
    pub component: String,
    /// Whether the root's own apt refuses its index past its date, as was done here.
    pub check_valid_until: bool,
}

/// One `.deb`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// Its full version.
    pub version: String,
    /// Its own architecture: the root's, or `all`.
    pub architecture: String,
    /// The SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Where the file is, below the repository's URL.
    pub path: String,
    /// The repository's position in [`Recipe::repositories`].
    pub repository: usize,
}

impl Recipe {
    /// Makes a recipe of today's format.
    pub(crate) fn new(
        codename: String,
        version_id: Option<String>,
        architecture: String,
        repositories: Vec<Repository>,
        packages: Vec<Package>,
    ) -> Self {
        Self { format: FORMAT, codename, version_id, architecture, repositories, packages }
    }

    /// Reads what [`Recipe::to_json`] wrote; `None` if it is something else or of another format.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|recipe: &Self| recipe.format == FORMAT)
    }

    /// Returns the canonical text: fields in the order of declaration, no white space.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and lists are always JSON")
    }

    /// Returns the SHA-256 of the canonical text, in lower-case hexadecimal.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.to_json()))
    }

    /// Returns how many bytes all packages have as files.
    pub fn download_size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    /// Returns the position of the package whose links other packages' paths lead through.
    pub(crate) fn skeleton(&self) -> Option<usize> {
        self.packages.iter().position(|package| package.name == SKELETON)
    }

    /// Returns all positions in the order in which work on them should start.
    ///
    /// First what everything waits for, then the largest, so that none of those is left over
    /// when all others are done.
    pub(crate) fn by_weight(&self) -> Vec<usize> {
        let skeleton = self.skeleton();
        let mut positions: Vec<usize> = (0..self.packages.len()).collect();
        positions.sort_by_key(|position| {
            (Some(*position) != skeleton, std::cmp::Reverse(self.packages[*position].size))
        });
        positions
    }

    /// Returns the URL of a package of this recipe.
    pub fn url(&self, package: &Package) -> String {
        format!("{}/{}", self.repositories[package.repository].url, package.path)
    }

    /// Returns the source list that the root carries, in deb822 form.
    ///
    /// Suites of one archive share a paragraph; the keys are those of the root's own keyring.
    pub fn sources(&self) -> String {
        let mut paragraphs: Vec<(&Repository, Vec<&str>)> = Vec::new();
        for repository in &self.repositories {
            match paragraphs.iter_mut().find(|(first, _)| first.shares_paragraph(repository)) {
                Some((_, suites)) => suites.push(&repository.suite),
                None => paragraphs.push((repository, vec![&repository.suite])),
            }
        }
        let texts: Vec<String> = paragraphs
            .into_iter()
            .map(|(Repository { url, component, check_valid_until, .. }, suites)| {
                let expiry = if *check_valid_until { "" } else { "Check-Valid-Until: no\n" };
                format!(
                    "Types: deb\nURIs: {url}\nSuites: {}\nComponents: {component}\n\
                     Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n{expiry}",
                    suites.join(" ")
                )
            })
            .collect();
        texts.join("\n")
    }
}

impl Repository {
    /// Returns whether a source list names both with one paragraph: they differ in the suite alone.
    fn shares_paragraph(&self, other: &Self) -> bool {
        self.url == other.url
            && self.component == other.component
            && self.check_valid_until == other.check_valid_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn recipe() -> Recipe {
        let repository = |url: &str, suite: &str| Repository {
            url: url.to_owned(),
            suite: suite.to_owned(),
            component: "main".to_owned(),
            check_valid_until: true,
        };
        Recipe::new(
            "bookworm".to_owned(),
            Some("12".to_owned()),
            "amd64".to_owned(),
            vec![
                repository("http://m.example/debian", "bookworm"),
                repository("http://m.example/debian", "bookworm-updates"),
                repository("http://m.example/debian-security", "bookworm-security"),
            ],
            vec![Package {
                name: "hello".to_owned(),
                version: "2.10-3".to_owned(),
                architecture: "amd64".to_owned(),
                sha256: "00".repeat(32),
                size: 53_000,
                path: "pool/main/h/hello/hello_2.10-3_amd64.deb".to_owned(),
                repository: 0,
            }],
        )
    }

    #[test]
    fn the_canonical_text_is_fixed() {
        expect![[r#"{"format":2,"codename":"bookworm","version_id":"12","architecture":"amd64","repositories":[{"url":"http://m.example/debian","suite":"bookworm","component":"main","check_valid_until":true},{"url":"http://m.example/debian","suite":"bookworm-updates","component":"main","check_valid_until":true},{"url":"http://m.example/debian-security","suite":"bookworm-security","component":"main","check_valid_until":true}],"packages":[{"name":"hello","version":"2.10-3","architecture":"amd64","sha256":"0000000000000000000000000000000000000000000000000000000000000000","size":53000,"path":"pool/main/h/hello/hello_2.10-3_amd64.deb","repository":0}]}"#]]
            .assert_eq(&String::from_utf8(recipe().to_json()).unwrap());
        assert_eq!(Recipe::from_json(&recipe().to_json()), Some(recipe()));
        assert_eq!(recipe().digest().len(), 64);
    }

    #[test]
    fn another_format_is_not_read() {
        let mut old = recipe();
        old.format = 0;
        assert_eq!(Recipe::from_json(&old.to_json()), None);
    }

    #[test]
    fn the_source_list_has_one_paragraph_per_archive() {
        expect![[r#"
            Types: deb
            URIs: http://m.example/debian
            Suites: bookworm bookworm-updates
            Components: main
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

            Types: deb
            URIs: http://m.example/debian-security
            Suites: bookworm-security
            Components: main
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
        "#]]
        .assert_eq(&recipe().sources());
    }

    #[test]
    fn only_the_archive_whose_dates_were_ignored_is_marked() {
        let mut recipe = recipe();
        recipe.repositories[0].check_valid_until = false;
        recipe.repositories[1].check_valid_until = false;
        expect![[r#"
            Types: deb
            URIs: http://m.example/debian
            Suites: bookworm bookworm-updates
            Components: main
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
            Check-Valid-Until: no

            Types: deb
            URIs: http://m.example/debian-security
            Suites: bookworm-security
            Components: main
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
        "#]]
        .assert_eq(&recipe.sources());
    }
}
