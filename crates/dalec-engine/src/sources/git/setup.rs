//! What git is started with: nothing of the host's settings, and no secret where others can read it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::remote::{Remote, Transport, basic};
use super::request::{LoginSecret, Request};
use crate::error::{Error, IoContext, Result};
use crate::ops::{OpContext, secret_value};

/// Files that hold the host's certificate authorities.
const HOST_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Variables that git's own downloads obey.
const PROXIES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// Settings that hold for every call: no program of anybody's choosing runs, nothing happens beside what is asked for,
/// and what is checked out is what was checked in.
const SETTINGS: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.attributesFile", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.autocrlf", "false"),
    ("core.symlinks", "true"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.recurseSubmodules", "false"),
    // Objects arrive as packs, which are there as a whole or not at all.
    ("transfer.unpackLimit", "1"),
    // Trees with impossible names do not get in. Old commits may be written carelessly in other ways.
    ("transfer.fsckObjects", "true"),
    ("fetch.fsck.badDate", "ignore"),
    ("fetch.fsck.badDateOverflow", "ignore"),
    ("fetch.fsck.badEmail", "ignore"),
    ("fetch.fsck.badFilemode", "ignore"),
    ("fetch.fsck.badName", "ignore"),
    ("fetch.fsck.badTagName", "ignore"),
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.missingEmail", "ignore"),
    ("fetch.fsck.missingNameBeforeEmail", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.missingSpaceBeforeEmail", "ignore"),
    ("fetch.fsck.missingTaggerEntry", "ignore"),
    ("fetch.fsck.multipleAuthors", "ignore"),
    ("fetch.fsck.zeroPaddedDate", "ignore"),
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("protocol.version", "2"),
    ("advice.detachedHead", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
];

/// The environment of git's processes for one source.
pub struct Setup {
    variables: BTreeMap<String, String>,
    settings: Vec<(String, String)>,
    /// What it can log in with.
    pub login: Login,
}

/// What is known about logging in, for whoever is told that it failed.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// Secrets that could hold a login, the best one first.
    pub secrets: Vec<LoginSecret>,
    /// The secret that was used.
    pub used: Option<String>,
    /// The ssh agent that was used.
    pub agent: Option<String>,
    /// Where host keys are kept.
    pub known_hosts: PathBuf,
}

impl Login {
    /// Returns what to do when the server refuses.
    pub fn denied_hint(&self, remote: &Remote) -> String {
        // Most people have a token, and one for all hosts.
        let secret = self.secrets.iter().rev().find(|secret| secret.is_token).or(self.secrets.last());
        match (remote.transport(), &self.used, secret) {
            (Transport::Ssh, ..) => {
                let agent = self.agent.as_deref().unwrap_or("default");
                format!(
                    "add a key that it knows to the ssh agent {agent:?} (ssh-add), given with --ssh {agent}"
                )
            }
            (_, Some(used), _) => format!("check that the secret {used:?} may read it"),
            (_, None, Some(LoginSecret { id, is_token })) => {
                let what = if *is_token { "a token" } else { "an `Authorization` header" };
                format!("give {what} that may read it with --secret id={id},env=VARIABLE")
            }
            (_, None, None) => "name a secret that holds a token".into(),
        }
    }

    /// Returns what to do when a server has another host key than before.
    pub fn host_key_hint(&self, words: &str) -> String {
        // Such as `Offending ED25519 key in /root/.ssh/known_hosts:3`.
        let offending =
            words.lines().find_map(|line| line.trim().strip_prefix("Offending ")?.split_once(" key in "));
        let line = offending.and_then(|(_, place)| place.rsplit_once(':'));
        let what = match line {
            Some((file, line)) => format!("remove line {line} of {file}"),
            None => format!("remove its line from {}", self.known_hosts.display()),
        };
        format!("if it was changed on purpose, {what}; if not, do not trust it")
    }
}

impl Setup {
    /// Returns what git needs for `request`; `work` is a directory for files that git reads, `kept` one that stays.
    ///
    /// # Errors
    /// When a secret or the ssh agent is not to be had, or a file cannot be written.
    pub fn new(context: &OpContext<'_>, request: &Request, work: &Path, kept: &Path) -> Result<Self> {
        let mut setup = Self {
            variables: variables(),
            settings: SETTINGS.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            login: Login {
                secrets: request.secrets.clone(),
                known_hosts: kept.join("known_hosts"),
                ..Login::default()
            },
        };
        setup.add_authorities(context, work)?;
        setup.add_secret(context, request)?;
        setup.add_ssh(context, request, work)?;
        Ok(setup)
    }

    /// Returns the environment of a process that works with `remote`.
    pub fn environment(&self, remote: &Remote) -> impl Iterator<Item = (String, String)> {
        let mut settings = vec![("remote.origin.url".to_owned(), remote.url().to_owned())];
        settings.extend(self.settings.iter().cloned());
        // The login in the address is the last resort: a secret that is meant for it goes first.
        if let Some(header) = remote.authorization().filter(|_| self.login.used.is_none()) {
            settings.extend(authorization(remote.url(), &header));
        }
        let count = ("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string());
        let numbered = settings.into_iter().enumerate().flat_map(|(index, (name, value))| {
            [(format!("GIT_CONFIG_KEY_{index}"), name), (format!("GIT_CONFIG_VALUE_{index}"), value)]
        });
        self.variables.clone().into_iter().chain([count]).chain(numbered)
    }

    /// Lets git trust whom the other downloads trust.
    fn add_authorities(&mut self, context: &OpContext<'_>, work: &Path) -> Result<()> {
        let Some(bundle) = &context.core.options.ca_bundle else { return Ok(()) };
        let mut text = std::fs::read(bundle).at("read", bundle)?;
        text.push(b'\n');
        // Git takes one file in the place of the host's, so the host's goes in, too.
        if let Some(host) = HOST_AUTHORITIES.iter().find_map(|path| std::fs::read(path).ok()) {
            text.extend(host);
        }
        let path = work.join("authorities.pem");
        std::fs::write(&path, text).at("write", &path)?;
        self.settings.push(("http.sslCAInfo".into(), path.display().to_string()));
        Ok(())
    }

    fn add_secret(&mut self, context: &OpContext<'_>, request: &Request) -> Result<()> {
        if request.remote.transport() != Transport::Http {
            return Ok(());
        }
        for secret in &request.secrets {
            let Some(value) = secret_value(context, &secret.id, true)? else { continue };
            let text = String::from_utf8(value).ok();
            let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
            let text = text
                .filter(|text| !text.contains(char::is_control))
                .ok_or_else(|| Error::op(format!("the secret {:?} is no text for a header", secret.id)))?;
            let header = if secret.is_token { basic("x-access-token", &text) } else { text };
            self.settings.extend(authorization(scope(request.remote.url()), &header));
            self.login.used = Some(secret.id.clone());
            break;
        }
        Ok(())
    }

    fn add_ssh(&mut self, context: &OpContext<'_>, request: &Request, work: &Path) -> Result<()> {
        let known = &self.login.known_hosts;
        let mut options = vec![
            "BatchMode=yes".to_owned(),
            "ConnectTimeout=20".to_owned(),
            "ServerAliveInterval=30".to_owned(),
            // Keys come from the agent only.
            "IdentityFile=none".to_owned(),
        ];
        match &request.known_hosts {
            Some(text) => {
                let path = work.join("known_hosts");
                std::fs::write(&path, text).at("write", &path)?;
                options.push(format!("UserKnownHostsFile={}", quoted(&path)));
                options.push("GlobalKnownHostsFile=/dev/null".into());
                options.push("StrictHostKeyChecking=yes".into());
                self.login.known_hosts = path;
            }
            None => {
                options.push(format!("UserKnownHostsFile={}", quoted(known)));
                let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".ssh/known_hosts"));
                let home = home.map(|path| format!(" {}", quoted(&path))).unwrap_or_default();
                options.push(format!("GlobalKnownHostsFile=/etc/ssh/ssh_known_hosts{home}"));
                options.push("StrictHostKeyChecking=accept-new".into());
            }
        }
        if let Some(id) = request.ssh_agent.as_ref().filter(|_| request.remote.transport() == Transport::Ssh)
        {
            let agent = context.core.options.ssh_agents.get(id);
            let agent = agent.ok_or_else(|| crate::ops::no_agent(id))?;
            self.variables.insert("SSH_AUTH_SOCK".into(), agent.path.display().to_string());
            self.login.agent = Some(id.clone());
        }
        let options = options.iter().map(|option| format!(" -o {}", for_shell(option)));
        let command = format!("ssh -F /dev/null{}", options.collect::<String>());
        self.variables.insert("GIT_SSH_COMMAND".into(), command);
        Ok(())
    }
}

fn variables() -> BTreeMap<String, String> {
    let fixed = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", ""),
        ("GIT_SSH_VARIANT", "ssh"),
        ("GIT_ALLOW_PROTOCOL", "http:https:ssh:git"),
        ("HOME", "/dev/null"),
        // What it says is read.
        ("LC_ALL", "C"),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let inherited = ["PATH"].into_iter().chain(PROXIES);
    let inherited = inherited.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    fixed.into_iter().chain(inherited).collect()
}

/// Returns the settings that send a header to what lies below `url`, and nowhere else: git would take it along to where
/// a server sends it.
fn authorization(url: &str, header: &str) -> [(String, String); 2] {
    [
        (format!("http.{url}.extraheader"), format!("Authorization: {header}")),
        (format!("http.{url}.followRedirects"), "false".to_owned()),
    ]
}

/// Returns for which addresses a secret is: the repository's; on GitHub, where one token is for all, all of it.
fn scope(url: &str) -> &str {
    ["https://github.com/", "https://www.github.com/"]
        .into_iter()
        .find(|prefix| url.starts_with(prefix))
        .unwrap_or(url)
}

/// Returns a path as ssh's options take it.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

/// Returns a word as a shell takes it.
fn for_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
