//! An archive's signed index (`InRelease`): what it says about itself and which files it names.
//!
//! Takes text whose signature held; downloads nothing.

use std::time::SystemTime;

use deb822_fast::{Deb822, Paragraph};

use crate::error::BootstrapError;

const ORIGIN: &str = "Debian";

/// The content of one `InRelease`.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    url: String,
    paragraph: Paragraph,
}

/// A file that the index names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseFile {
    /// Relative to the directory of the index.
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

impl Release {
    /// Parses `text`, which came from `url`.
    ///
    /// # Errors
    /// [`BootstrapError::Syntax`] unless it is one paragraph.
    pub(crate) fn parse(url: &str, text: &str) -> Result<Self, BootstrapError> {
        let error = |reason: String| BootstrapError::Syntax { url: url.to_owned(), reason };
        let document: Deb822 =
            text.parse().map_err(|source: deb822_fast::Error| error(source.to_string()))?;
        let mut paragraphs = document.iter();
        match (paragraphs.next(), paragraphs.next()) {
            (Some(paragraph), None) => Ok(Self { url: url.to_owned(), paragraph: paragraph.clone() }),
            _ => Err(error("it is not one paragraph of fields".to_owned())),
        }
    }

    /// Checks that this is Debian's index of `suite`, given as a code name or as a suite name.
    ///
    /// # Errors
    /// [`BootstrapError::WrongOrigin`] or [`BootstrapError::WrongSuite`].
    pub(crate) fn check_identity(&self, suite: &str) -> Result<(), BootstrapError> {
        let origin = self.get("Origin").unwrap_or("an unnamed origin");
        if origin != ORIGIN {
            return Err(BootstrapError::WrongOrigin { url: self.url.clone(), found: origin.to_owned() });
        }
        if self.codename()? == suite || self.get("Suite") == Some(suite) {
            return Ok(());
        }
        Err(BootstrapError::WrongSuite {
            url: self.url.clone(),
            wanted: suite.to_owned(),
            found: self.codename()?.to_owned(),
        })
    }

    /// Checks that the signer still vouches for this index at `now`.
    ///
    /// # Errors
    /// [`BootstrapError::Expired`], or [`BootstrapError::Syntax`] for a date of unknown form.
    pub(crate) fn check_valid_until(&self, now: SystemTime) -> Result<(), BootstrapError> {
        let Some(valid_until) = self.get("Valid-Until") else { return Ok(()) };
        if now <= self.parse_date(valid_until)? {
            return Ok(());
        }
        Err(BootstrapError::Expired { url: self.url.clone(), valid_until: valid_until.to_owned() })
    }

    /// Returns the code name, such as `bookworm` or `bookworm-security`.
    pub(crate) fn codename(&self) -> Result<&str, BootstrapError> {
        self.get("Codename").ok_or_else(|| self.syntax("it has no code name"))
    }

    /// Returns the name that changes when a release ages, such as `stable`.
    pub(crate) fn suite(&self) -> Option<&str> {
        self.get("Suite")
    }

    /// Returns the number of the release, such as `12.15`; testing has none.
    pub(crate) fn version(&self) -> Option<&str> {
        self.get("Version")
    }

    /// Returns the day the index was made, as in `2026-07-11`, in UTC.
    pub(crate) fn day(&self) -> Result<String, BootstrapError> {
        let date = self.get("Date").ok_or_else(|| self.syntax("it has no date"))?;
        Ok(parse_civil(date).ok_or_else(|| self.syntax("its date has an unknown form"))?.date().to_string())
    }

    /// Returns whether files may be asked for by their digest, which no mirror update can break.
    pub(crate) fn has_by_hash(&self) -> bool {
        self.get("Acquire-By-Hash") == Some("yes")
    }

    /// Returns the smallest list of packages of `component` for `architecture`.
    ///
    /// # Errors
    /// [`BootstrapError::NoArchitecture`] if the index names none,
    /// [`BootstrapError::Syntax`] if its list of files is broken.
    pub(crate) fn packages_file(
        &self,
        component: &str,
        architecture: &str,
    ) -> Result<ReleaseFile, BootstrapError> {
        let files = self.get("SHA256").unwrap_or_default();
        for extension in ["xz", "gz"] {
            let wanted = format!("{component}/binary-{architecture}/Packages.{extension}");
            for line in files.lines() {
                let mut words = line.split_whitespace();
                if let (Some(sha256), Some(size), Some(path)) = (words.next(), words.next(), words.next())
                    && path == wanted
                {
                    return self.file(sha256, size, path);
                }
            }
        }
        Err(BootstrapError::NoArchitecture { url: self.url.clone(), architecture: architecture.to_owned() })
    }

    fn file(&self, sha256: &str, size: &str, path: &str) -> Result<ReleaseFile, BootstrapError> {
        if !is_sha256(sha256) {
            return Err(self.syntax("a digest is not a SHA-256"));
        }
        let size = size.parse().map_err(|_| self.syntax("a size is not a number"))?;
        Ok(ReleaseFile { path: path.to_owned(), sha256: sha256.to_owned(), size })
    }

    fn parse_date(&self, text: &str) -> Result<SystemTime, BootstrapError> {
        parse_civil(text)
            .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .map(|date| date.timestamp().into())
            .ok_or_else(|| self.syntax("a date has an unknown form"))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.paragraph.get(name)
    }

    fn syntax(&self, reason: &str) -> BootstrapError {
        BootstrapError::Syntax { url: self.url.clone(), reason: reason.to_owned() }
    }
}

/// Returns whether `text` is a SHA-256 as Debian writes it; such a text is a safe file name.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Parses dates such as `Sat, 28 Nov 2026 00:53:02 UTC`, the only form that archives use.
fn parse_civil(text: &str) -> Option<jiff::civil::DateTime> {
    let text = text.strip_suffix(" UTC").or_else(|| text.strip_suffix(" +0000"))?;
    jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S", text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn release(text: &str) -> Release {
        Release::parse("http://m/InRelease", text).unwrap()
    }

    fn bookworm() -> Release {
        release(&format!(
            "Origin: Debian\nSuite: oldstable\nVersion: 12.15\nCodename: bookworm\n\
             Date: Sat, 11 Jul 2026 10:16:37 UTC\nValid-Until: Sat, 18 Jul 2026 10:16:37 UTC\n\
             Acquire-By-Hash: yes\nSHA256:\n {DIGEST} 10 main/binary-amd64/Packages\n \
             {DIGEST} 7 main/binary-amd64/Packages.gz\n {DIGEST} 5 main/binary-amd64/Packages.xz\n \
             {DIGEST} 7 main/binary-i386/Packages.gz\n"
        ))
    }

    #[test]
    fn identity_is_code_name_or_suite() {
        assert!(bookworm().check_identity("bookworm").is_ok());
        assert!(bookworm().check_identity("oldstable").is_ok());
        let error = bookworm().check_identity("trixie").unwrap_err();
        assert_eq!(error.to_string(), "http://m/InRelease is the index of bookworm, not of trixie");
        let error = release("Origin: Vendor\nCodename: bookworm\n").check_identity("bookworm").unwrap_err();
        assert_eq!(error.to_string(), "http://m/InRelease belongs to Vendor, not to Debian");
    }

    #[test]
    fn an_index_is_good_until_its_date() {
        let end = UNIX_EPOCH + Duration::from_secs(1_784_369_797);
        assert!(bookworm().check_valid_until(end).is_ok());
        let error = bookworm().check_valid_until(end + Duration::from_secs(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "http://m/InRelease expired: it was valid until Sat, 18 Jul 2026 10:16:37 UTC"
        );
        assert!(release("Origin: Debian\n").check_valid_until(end).is_ok());
        let error = release("Valid-Until: soon\n").check_valid_until(end).unwrap_err();
        assert!(matches!(error, BootstrapError::Syntax { .. }));
        assert_eq!(bookworm().day().unwrap(), "2026-07-11");
    }

    #[test]
    fn the_smallest_list_of_packages_is_chosen() {
        let file = bookworm().packages_file("main", "amd64").unwrap();
        assert_eq!((file.path.as_str(), file.size), ("main/binary-amd64/Packages.xz", 5));
        let file = bookworm().packages_file("main", "i386").unwrap();
        assert_eq!(file.path, "main/binary-i386/Packages.gz");
        let error = bookworm().packages_file("main", "sparc").unwrap_err();
        assert_eq!(error.to_string(), "http://m/InRelease has no packages for sparc");
    }

    #[test]
    fn a_digest_that_could_be_a_path_is_refused() {
        let release = release("SHA256:\n ../../etc/passwd 5 main/binary-amd64/Packages.xz\n");
        let error = release.packages_file("main", "amd64").unwrap_err();
        assert!(matches!(error, BootstrapError::Syntax { .. }));
    }
}
