//! Files by URL.

use crate::codes;
use crate::decode::{Decoder, Mode, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::raw::rules::{Digest, Url};

object! {
    /// One file by URL. It becomes a file of the source's name.
    RawHttp: "an http source", closed, needs ["url"], check check_http => HttpSource {
        /// Address of the file.
        /// Example: "https://example.org/tool-${VERSION}.tar.gz"
        "url" url: Template<Url>,
        /// Digest of the content; a file with another one fails the build.
        /// Example: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        "digest" digest: Text<Digest>,
        /// Permission bits of the file.
        /// Default: 0600
        /// Example: 0755
        "permissions" permissions: Option<Mode>,
    }
}

fn check_http(http: &mut RawHttp, decoder: &mut Decoder<'_>) {
    // The key of a repository is checked by those who use it.
    if http.digest.value.is_empty()
        && !decoder.findings.error_within(http.span)
        && !decoder.is_at(&["keys", "*", "http"])
    {
        let span = decoder.first_line(http.span);
        let message = "this http source has no digest: whatever the server sends is built";
        let diagnostic = Diagnostic::warning(codes::MISSING_DIGEST, span, message);
        decoder.doubt(diagnostic.help("add `digest: sha256:...` (sha256sum prints it)"));
    }
}
