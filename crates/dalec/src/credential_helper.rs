//! What git asks for the login to a host of private Go modules, in the words of git-credential(1).
//!
//! It runs where modules are downloaded, beside the secrets of that step: `/run/secrets/HOST/KIND`. Nothing is stored and
//! nothing is said but to git.
//!
//! It knows `http` as upstream's does, but git never asks it for that: it is set up for `https://HOST` alone, so a host that
//! redirects to `http` gets no login.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Where the secrets are.
const SECRETS: &str = "/run/secrets";

/// More than git ever says, in bytes.
const LIMIT: u64 = 1 << 16;

/// The keys that are said back once, in the order in which they are.
const KEYS: &[&str] = &[
    "protocol",
    "path",
    "username",
    "password",
    "password_expiry_utc",
    "oauth_refresh_token",
    "url",
    "authtype",
    "credential",
    "ephemeral",
    "continue",
];

/// The keys that are lists.
const LISTS: &[&str] = &["wwwauth[]", "capability[]", "state[]"];

/// User that goes with a token, whatever its owner is called.
const TOKEN_USER: &str = "x-access-token";

/// Answers git; `args` are `--kind=token` or `--kind=header`, then `get`, `store` or `erase`. Returns the exit code.
pub fn main(args: &[OsString]) -> i32 {
    match answer(args, std::io::stdin().lock(), Path::new(SECRETS)) {
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => 0,
            Err(_) => 1,
        },
        Err(message) => {
            eprintln!("dalec: error: @1: {message}");
            1
        }
    }
}

/// What a secret holds.
#[derive(Clone, Copy)]
enum Kind {
    Token,
    Header,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Header => "header",
        }
    }
}

fn answer(args: &[OsString], input: impl Read, secrets: &Path) -> Result<String, String> {
    let [kind, action] = args else { return Err("git is answered with a kind and an action".into()) };
    let kind = match kind.to_str() {
        Some("--kind=token") => Kind::Token,
        Some("--kind=header") => Kind::Header,
        _ => return Err(format!("{kind:?} is neither --kind=token nor --kind=header")),
    };
    let mut text = String::new();
    input
        .take(LIMIT)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read what git asks: {error}"))?;
    let mut payload = Payload::parse(&text);
    let over_http = matches!(payload.get("protocol"), "http" | "https");
    match action.to_str() {
        Some("get") if over_http => {
            let secret = read(secrets, payload.get("host"), kind)?;
            match kind {
                Kind::Token => payload.log_in_with_token(&secret),
                Kind::Header => payload.log_in_with_header(&secret)?,
            }
        }
        // Others may know more.
        Some("get" | "store" | "erase") => payload.set("continue", "true".into()),
        _ => return Err(format!("git does not ask to {action:?}")),
    }
    Ok(payload.render())
}

/// Returns the secret for `host`, which is one line.
fn read(secrets: &Path, host: &str, kind: Kind) -> Result<String, String> {
    let missing = |why: String| format!("there is no {} for the host {host:?}: {why}", kind.name());
    if host.is_empty() || host.contains('/') || host.starts_with('.') {
        return Err(missing("this is no name of a host".into()));
    }
    let secret = std::fs::read_to_string(secrets.join(host).join(kind.name()));
    let secret = secret.map_err(|error| missing(error.to_string()))?;
    one_line(secret.trim_end_matches(['\r', '\n'])).map(str::to_owned).map_err(|why| missing(why.into()))
}

/// Git reads lines.
fn one_line(text: &str) -> Result<&str, &'static str> {
    match text.contains(['\n', '\r', '\0']) {
        true => Err("the secret has more than one line"),
        false => Ok(text),
    }
}

/// What git says, and is told.
#[derive(Default)]
struct Payload(Vec<(String, String)>);

impl Payload {
    /// Keys that nobody knows say nothing, and neither do lines without any.
    fn parse(text: &str) -> Self {
        let lines = text.lines().take_while(|line| !line.is_empty());
        let pairs = lines.filter_map(|line| line.split_once('='));
        let mut payload = Self::default();
        for (key, value) in pairs {
            if LISTS.contains(&key) {
                payload.0.push((key.into(), value.into()));
            } else if KEYS.contains(&key) || key == "host" {
                payload.set(key, value.into());
            }
        }
        payload
    }

    fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value)
    }

    fn set(&mut self, key: &str, value: String) {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.into(), value));
    }

    /// Git tells since 2.46 that it takes more than names and passwords.
    fn takes_credentials(&self) -> bool {
        self.0.iter().any(|(key, value)| key == "capability[]" && value == "authtype")
    }

    fn log_in_with_token(&mut self, token: &str) {
        if self.takes_credentials() {
            self.set("authtype", "basic".into());
            self.set("credential", BASE64_STANDARD.encode(format!("{TOKEN_USER}:{token}")));
        } else {
            self.set("username", TOKEN_USER.into());
            self.set("password", token.into());
        }
    }

    /// A header is a type and what belongs to it.
    fn log_in_with_header(&mut self, header: &str) -> Result<(), String> {
        let parts = header.split_once(' ').filter(|(kind, _)| !kind.is_empty());
        let (kind, credential) = parts.ok_or("the header is not a type, a blank and a credential")?;
        if self.takes_credentials() {
            self.set("authtype", kind.into());
            self.set("credential", credential.into());
            return Ok(());
        }
        if !kind.eq_ignore_ascii_case("basic") {
            return Err("a header of another type than Basic takes git 2.46 or newer".into());
        }
        let decoded = BASE64_STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or("the credential of the header is not in base64")?;
        let (user, password) =
            one_line(&decoded)?.split_once(':').ok_or("the header has no user and password")?;
        self.set("username", user.into());
        self.set("password", password.into());
        Ok(())
    }

    /// Git knows which host it asked for.
    fn render(&self) -> String {
        let one = KEYS.iter().map(|key| (*key, self.get(key)));
        let lists = LISTS.iter().flat_map(|list| {
            self.0
                .iter()
                .filter(move |(key, _)| key == list)
                .map(|(key, value)| (key.as_str(), value.as_str()))
        });
        let said = one.chain(lists).filter(|(_, value)| !value.is_empty());
        let lines: String = said.map(|(key, value)| format!("{key}={value}\n")).collect();
        lines + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Asks with `git` in place of line breaks, for hosts that have these secrets.
    fn ask(args: &str, asked: &str) -> Result<String, String> {
        let secrets = tempfile::tempdir().expect("there is a place for temporary files");
        for (place, secret) in [
            ("a.example.org/token", "t0ken\n"),
            ("a.example.org/header", "Bearer abc==\r\n"),
            ("a.example.org:8443/header", "Basic dXNlcjpwYXNzOndvcmQ="),
            ("lines/token", "a\nhost=b"),
            ("lines/header", "basic YTpiCmhvc3Q9Yw=="),
            ("odd/header", "Basic %%%"),
            ("none/header", "Basic"),
        ] {
            let place = secrets.path().join(place);
            std::fs::create_dir_all(place.parent().expect("it is below")).expect("folders can be made");
            std::fs::write(place, secret).expect("files can be written");
        }
        let args: Vec<OsString> = args.split(' ').map(OsString::from).collect();
        answer(&args, asked.replace(' ', "\n").as_bytes(), secrets.path())
    }

    #[track_caller]
    fn check(args: &str, asked: &str, expected: Expect) {
        expected.assert_eq(&match ask(args, asked) {
            Ok(text) => text,
            Err(message) => format!("error: {message}"),
        });
    }

    /// SRC-024
    #[test]
    fn a_token_is_a_password() {
        check(
            "--kind=token get",
            "protocol=https host=a.example.org odd strange=1",
            expect![[r#"
            protocol=https
            username=x-access-token
            password=t0ken

        "#]],
        );
        check(
            "--kind=token get",
            "capability[]=authtype capability[]=state protocol=https host=a.example.org state[]=s wwwauth[]=Basic",
            expect![[r#"
                protocol=https
                authtype=basic
                credential=eC1hY2Nlc3MtdG9rZW46dDBrZW4=
                wwwauth[]=Basic
                capability[]=authtype
                capability[]=state
                state[]=s

            "#]],
        );
    }

    /// SRC-024
    #[test]
    fn a_header_is_what_it_says() {
        check(
            "--kind=header get",
            "capability[]=authtype protocol=http host=a.example.org",
            expect![[r#"
                protocol=http
                authtype=Bearer
                credential=abc==
                capability[]=authtype

            "#]],
        );
        check(
            "--kind=header get",
            "protocol=https host=a.example.org:8443 path=x.git",
            expect![[r#"
            protocol=https
            path=x.git
            username=user
            password=pass:word

        "#]],
        );
        check(
            "--kind=header get",
            "protocol=https host=a.example.org",
            expect!["error: a header of another type than Basic takes git 2.46 or newer"],
        );
        check(
            "--kind=header get",
            "protocol=https host=none",
            expect!["error: the header is not a type, a blank and a credential"],
        );
        check(
            "--kind=header get",
            "protocol=https host=odd",
            expect!["error: the credential of the header is not in base64"],
        );
    }

    /// SRC-024
    #[test]
    fn others_are_asked_for_the_rest() {
        check(
            "--kind=token store",
            "protocol=https host=a.example.org username=u password=p",
            expect![[r#"
                protocol=https
                username=u
                password=p
                continue=true

            "#]],
        );
        check(
            "--kind=header erase",
            "protocol=https host=a.example.org",
            expect![[r#"
            protocol=https
            continue=true

        "#]],
        );
        check(
            "--kind=token get",
            "protocol=ssh host=a.example.org",
            expect![[r#"
            protocol=ssh
            continue=true

        "#]],
        );
        check("--kind=token approve", "protocol=https", expect![[r#"error: git does not ask to "approve""#]]);
        check(
            "--kind=any get",
            "protocol=https",
            expect![[r#"error: "--kind=any" is neither --kind=token nor --kind=header"#]],
        );
    }

    #[test]
    fn no_host_leads_elsewhere_and_no_secret_says_more() {
        check(
            "--kind=token get",
            "protocol=https host=b.example.org",
            expect![[
                r#"error: there is no token for the host "b.example.org": No such file or directory (os error 2)"#
            ]],
        );
        check(
            "--kind=token get",
            "protocol=https host=../a.example.org",
            expect![[
                r#"error: there is no token for the host "../a.example.org": this is no name of a host"#
            ]],
        );
        check(
            "--kind=token get",
            "protocol=https host=..",
            expect![[r#"error: there is no token for the host "..": this is no name of a host"#]],
        );
        check(
            "--kind=token get",
            "protocol=https host=lines",
            expect![[r#"error: there is no token for the host "lines": the secret has more than one line"#]],
        );
        check(
            "--kind=header get",
            "protocol=https host=lines",
            expect!["error: the secret has more than one line"],
        );
    }
}
