//! What a request says, read from its options.

use std::collections::BTreeMap;

use dalec_llb::{ImageRef, Local, State, pb};

use crate::{SignerError, flag};

/// The named context with certificates and fingerprints.
const SIGNING_CONTEXT: &str = "context:dalec-signing";
/// The words that a command line may have.
const KINDS: [&str; 4] = ["deb", "rpm", "authenticode", "openpgp"];

/// A request for signatures. Keys are named, never given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Which kinds of signatures to make; empty for all that go inside of files.
    kinds: Vec<String>,
    /// Secret with the OpenPGP key.
    pub(crate) key: String,
    /// Secret with what opens it.
    pub(crate) passphrase: String,
    /// Secret with the private key for Windows programs.
    pub(crate) code_key: String,
    /// Secret with what opens it.
    pub(crate) code_passphrase: String,
    /// Who says when programs were signed.
    pub(crate) timestamp_url: Option<String>,
    fingerprint: Option<String>,
    time: Option<String>,
    detach: Option<String>,
    replace: bool,
}

impl Request {
    /// Reads the options of a request. Build arguments of others are passed over: all of the client's travel along.
    pub(crate) fn parse(options: &BTreeMap<String, String>) -> Result<Self, SignerError> {
        let refused = |message: String| Err(SignerError::Request(message));
        let argument =
            |name: &str| options.get(&format!("build-arg:{name}")).filter(|value| !value.is_empty()).cloned();
        let secret = |name: &str, default: &str| argument(name).unwrap_or_else(|| default.to_owned());
        let words = options.get("cmdline").map(String::as_str).unwrap_or_default();
        let words = words.split([' ', ',']).filter(|word| !word.is_empty());
        // Where a client calls this image itself, with `# syntax=`, its name comes first.
        let image = options.get("source").map(String::as_str);
        let words =
            words.enumerate().filter(|(at, word)| *at > 0 || Some(*word) != image).map(|(_, word)| word);
        let mut kinds = Vec::new();
        for word in words {
            match KINDS.contains(&word) {
                true => kinds.push(word.to_owned()),
                false => {
                    return refused(format!(
                        "the signer's cmdline has {word:?}, which is none of {}",
                        KINDS.join(", ")
                    ));
                }
            }
        }
        let detach = argument("DALEC_SIGN_DETACH");
        if let Some(detach) =
            detach.as_ref().filter(|detach| !["armored", "binary"].contains(&detach.as_str()))
        {
            return refused(format!("DALEC_SIGN_DETACH is {detach:?}, and neither armored nor binary"));
        }
        let time = argument("SOURCE_DATE_EPOCH");
        if let Some(time) = time.as_ref().filter(|time| time.parse::<u32>().is_err()) {
            return refused(format!(
                "SOURCE_DATE_EPOCH is {time:?}, which is no number of seconds since 1970"
            ));
        }
        let timestamp_url = argument("DALEC_SIGN_TIMESTAMP_URL");
        let is_web = |url: &&String| ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        if let Some(url) = timestamp_url.as_ref().filter(|url| !is_web(url)) {
            return refused(format!(
                "DALEC_SIGN_TIMESTAMP_URL is {url:?}, which is no http:// or https:// address"
            ));
        }
        let replace = match argument("DALEC_SIGN_REPLACE").as_deref() {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => return refused(format!("DALEC_SIGN_REPLACE is {other:?}, and neither 1 nor 0")),
        };
        Ok(Self {
            kinds,
            key: secret("DALEC_SIGN_KEY_SECRET", "dalec-signing-key"),
            passphrase: secret("DALEC_SIGN_PASSPHRASE_SECRET", "dalec-signing-passphrase"),
            code_key: secret("DALEC_SIGN_CODE_KEY_SECRET", "dalec-code-signing-key"),
            code_passphrase: secret("DALEC_SIGN_CODE_PASSPHRASE_SECRET", "dalec-code-signing-passphrase"),
            timestamp_url,
            fingerprint: argument("DALEC_SIGN_FINGERPRINT"),
            time,
            detach,
            replace,
        })
    }

    /// Returns the arguments that say how people call the keys.
    pub(crate) fn names(&self) -> [String; 4] {
        let [key, code_key] = [self.key.clone(), self.code_key.clone()];
        [flag::KEY_NAME.into(), key, flag::CODE_KEY_NAME.into(), code_key]
    }

    /// Returns the arguments of the step that signs.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut push = |name: &str, value: &str| flags.extend([name.to_owned(), value.to_owned()]);
        self.kinds.iter().for_each(|kind| push(flag::KIND, kind));
        let given = [
            (flag::FINGERPRINT, &self.fingerprint),
            (flag::DETACH, &self.detach),
            (flag::TIMESTAMP_URL, &self.timestamp_url),
            (flag::TIME, &self.time),
        ];
        for (name, value) in given {
            value.iter().for_each(|value| push(name, value));
        }
        if self.replace {
            flags.push(flag::REPLACE.to_owned());
        }
        flags
    }
}

/// Returns the name of what is to be signed.
pub(crate) fn context_name(options: &BTreeMap<String, String>) -> &str {
    options.get("contextkey").map_or("context", String::as_str)
}

/// Returns the directory `name` that the client of `session` serves: not that of another one, who builds at the same time.
pub(crate) fn local(name: &str, session: &str) -> State {
    let label = format!("[context {name}] load");
    State::local(Local { name: name.to_owned(), session: session.to_owned(), label, ..Local::default() })
}

/// Returns the named context, if the client has one: a directory, an input or an image.
pub(crate) fn named_context(
    options: &BTreeMap<String, String>,
    session: &str,
    inputs: &BTreeMap<String, pb::Definition>,
) -> Result<Option<State>, SignerError> {
    let Some(value) = options.get(SIGNING_CONTEXT) else { return Ok(None) };
    if let Some(name) = value.strip_prefix("local:") {
        return Ok(Some(local(name, session)));
    }
    if let Some(reference) = value.strip_prefix("docker-image://") {
        return Ok(Some(State::image(ImageRef { reference: reference.to_owned(), ..ImageRef::default() })));
    }
    match value.strip_prefix("input:").map(|name| inputs.get(name)) {
        Some(Some(definition)) => crate::state(definition).map(Some),
        Some(None) => {
            Err(SignerError::Request("the context dalec-signing is an input that is not there".into()))
        }
        None => Err(SignerError::Request(format!(
            "the context dalec-signing is {value:?}; it can be a directory or an image"
        ))),
    }
}
