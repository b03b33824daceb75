//! Logging in to registries: whose credentials, and how they become a header.
//!
//! Follows the distribution project's token specification: a `Bearer` challenge names a server that trades
//! credentials (or none) for a token; a login stored as an identity token is traded as an OAuth2 refresh token.

use docker_credential::{CredentialRetrievalError, DockerCredential};
use reqwest::Url;
use serde::Deserialize;

use crate::Cancel;
use crate::sources::http::{Ask, HttpClient, HttpError, is_loopback};

/// Largest answer of a token server.
const MAX_TOKEN: u64 = 1 << 20;
/// Where logins to the default registry are kept, for historical reasons.
const DEFAULT_REGISTRY_KEY: &str = "https://index.docker.io/v1/";

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User name and password.
    Password {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token to be traded for others.
    IdentityToken(String),
}

/// Finds the login for a registry: `Err` says in words why there is none.
pub type CredentialLookup = dyn Fn(&str) -> Result<Credential, String> + Send + Sync;

/// What is sent with every request once the registry asked for it.
#[derive(Clone)]
pub enum Authorization {
    /// A token.
    Bearer(String),
    /// A user name and a password.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
}

impl Authorization {
    /// Adds it to a request.
    ///
    /// # Errors
    /// When the token cannot stand in a header.
    pub fn apply(&self, mut ask: Ask) -> Result<Ask, HttpError> {
        match self {
            Self::Bearer(token) => {
                ask.header("authorization", &format!("Bearer {token}"))?;
                Ok(ask)
            }
            Self::Basic { user, password } => Ok(ask.basic_auth(user, password)),
        }
    }
}

/// Why a login did not work.
#[derive(Debug)]
pub enum LoginError {
    /// The challenge makes no sense.
    Challenge(String),
    /// The credentials, or their absence, were not accepted.
    Refused,
    /// The token server failed.
    Http(HttpError),
}

/// Answers the challenges of a registry.
///
/// # Errors
/// See [`LoginError`].
pub fn answer(
    challenges: &[String],
    scope: &str,
    credential: Option<&Credential>,
    plain_http: bool,
    client: &HttpClient,
    cancel: &Cancel,
) -> Result<Authorization, LoginError> {
    let parsed: Vec<Challenge> = challenges.iter().flat_map(|header| Challenge::parse_all(header)).collect();
    if let Some(bearer) = parsed.iter().find(|challenge| challenge.scheme == "bearer") {
        let login = TokenLogin { challenge: bearer, scope, plain_http };
        return login.run(credential, client, cancel).map(Authorization::Bearer);
    }
    if parsed.iter().any(|challenge| challenge.scheme == "basic") {
        return match credential {
            Some(Credential::Password { user, password }) => {
                Ok(Authorization::Basic { user: user.clone(), password: password.clone() })
            }
            _ => Err(LoginError::Refused),
        };
    }
    let schemes: Vec<&str> = parsed.iter().map(|challenge| challenge.scheme.as_str()).collect();
    Err(LoginError::Challenge(format!("it offers neither Bearer nor Basic but {:?}", schemes.join(", "))))
}

struct TokenLogin<'a> {
    challenge: &'a Challenge,
    scope: &'a str,
    plain_http: bool,
}

/// The answer of a token server; it has one of the two.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl TokenLogin<'_> {
    fn run(
        &self,
        credential: Option<&Credential>,
        client: &HttpClient,
        cancel: &Cancel,
    ) -> Result<String, LoginError> {
        let ask = self.ask(credential)?;
        let result = client.exchange(&ask, cancel, &mut |mut reply| {
            reply.expect_success()?;
            reply.bytes(MAX_TOKEN, cancel)
        });
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(HttpError::Status { status, .. }) if matches!(status.as_u16(), 400 | 401 | 403) => {
                return Err(LoginError::Refused);
            }
            Err(error) => return Err(LoginError::Http(error)),
        };
        let answer: Option<TokenAnswer> = serde_json::from_slice(&bytes).ok();
        answer
            .and_then(|answer| answer.token.or(answer.access_token))
            .filter(|token| !token.is_empty())
            .ok_or_else(|| LoginError::Challenge("its token server answers without a token".to_owned()))
    }

    fn ask(&self, credential: Option<&Credential>) -> Result<Ask, LoginError> {
        let mut realm = self.realm()?;
        let service = self.challenge.parameter("service").unwrap_or_default();
        let scope = self.challenge.parameter("scope").unwrap_or(self.scope);
        if let Some(Credential::IdentityToken(token)) = credential {
            let form = [
                ("grant_type", "refresh_token"),
                ("service", service),
                ("client_id", "dalec"),
                ("scope", scope),
                ("refresh_token", token),
            ];
            return Ask::post_form(realm.as_str(), encoded(&form)).map_err(LoginError::Http);
        }
        if !service.is_empty() {
            realm.query_pairs_mut().append_pair("service", service);
        }
        realm.query_pairs_mut().append_pair("scope", scope);
        let ask = Ask::get(realm.as_str()).map_err(LoginError::Http)?;
        Ok(match credential {
            Some(Credential::Password { user, password }) => ask.basic_auth(user, password),
            _ => ask,
        })
    }

    /// Returns the token server's URL; credentials go there, so it must be as safe as the registry.
    fn realm(&self) -> Result<Url, LoginError> {
        let text = self.challenge.parameter("realm").unwrap_or_default();
        let bad = |reason: &str| LoginError::Challenge(format!("its token server {text:?} {reason}"));
        let url = Url::parse(text).map_err(|_| bad("is not a URL"))?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.plain_http && is_loopback(&url) => Ok(url),
            _ => Err(bad("is not reached over https")),
        }
    }
}

/// One way to log in that a registry offers.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    /// In lower case.
    scheme: String,
    /// Names in lower case, and values.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads a `WWW-Authenticate` header: `SCHEME name="value",name=value, SCHEME …`.
    fn parse_all(header: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest = header.trim_start();
        while !rest.is_empty() {
            let end = rest.find([' ', '=', ',']).unwrap_or(rest.len());
            let word = rest[..end].to_ascii_lowercase();
            rest = rest[end..].trim_start_matches(' ');
            match (rest.strip_prefix('='), found.last_mut()) {
                (Some(after), Some(challenge)) => {
                    let (value, left) = value(after.trim_start());
                    challenge.parameters.push((word, value));
                    rest = left;
                }
                (Some(_), None) => return found,
                (None, _) if !word.is_empty() => found.push(Self { scheme: word, parameters: Vec::new() }),
                (None, _) => {}
            }
            rest = rest.trim_start_matches([' ', ',']);
        }
        found
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a value, in quotes or not; returns it and what follows.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

/// Encodes a form.
fn encoded(form: &[(&str, &str)]) -> String {
    // A URL's query has the same encoding; this one is never visited.
    let mut url = Url::parse("http://localhost/").expect("a constant URL");
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

/// Looks up logins as docker and podman keep them, credential helpers included.
///
/// # Errors
/// Says in words why there is no login.
pub fn host_credentials(registry: &str) -> Result<Credential, String> {
    let keys = if registry == "docker.io" {
        vec![DEFAULT_REGISTRY_KEY.to_owned(), registry.to_owned()]
    } else {
        vec![registry.to_owned(), format!("https://{registry}")]
    };
    let mut reason = None;
    for lookup in [docker_credential::get_credential, docker_credential::get_podman_credential] {
        for key in &keys {
            match lookup(key) {
                Ok(DockerCredential::UsernamePassword(user, password)) => {
                    return Ok(Credential::Password { user, password });
                }
                Ok(DockerCredential::IdentityToken(token)) => return Ok(Credential::IdentityToken(token)),
                Err(error) => reason = reason.or(lookup_failure(&error)),
            }
        }
    }
    Err(reason.unwrap_or_else(|| "no login for it is stored here".to_owned()))
}

/// Returns what went wrong, unless there simply is no login.
fn lookup_failure(error: &CredentialRetrievalError) -> Option<String> {
    match error {
        CredentialRetrievalError::NoCredentialConfigured
        | CredentialRetrievalError::ConfigNotFound
        | CredentialRetrievalError::ConfigReadError => None,
        CredentialRetrievalError::HelperFailure { stdout, .. }
            if stdout.contains("credentials not found") =>
        {
            None
        }
        // What a helper prints may hold secrets; its name is enough.
        CredentialRetrievalError::HelperFailure { helper, .. } => {
            Some(format!("the credential helper {helper} failed"))
        }
        other => Some(format!("the stored login cannot be read: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let header =
            r#"Bearer realm="https://a/token",service="r,x",scope="repository:l/d:pull,push", Basic realm=x"#;
        let challenges = Challenge::parse_all(header);
        let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["bearer", "basic"]);
        assert_eq!(challenges[0].parameter("realm"), Some("https://a/token"));
        assert_eq!(challenges[0].parameter("service"), Some("r,x"));
        assert_eq!(challenges[0].parameter("scope"), Some("repository:l/d:pull,push"));
        assert_eq!(challenges[1].parameter("realm"), Some("x"));
        for odd in ["", ",", "=", "a=b", "Bearer", "Bearer realm=", "Bearer realm=\"x", "Bearer ,,=,"] {
            Challenge::parse_all(odd);
        }
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(encoded(&[("a", "x&y=z"), ("b", "ä /")]), "a=x%26y%3Dz&b=%C3%A4+%2F");
    }
}
