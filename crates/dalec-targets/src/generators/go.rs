//! What all work with Go modules has in common: the cache of downloads, and the hosts of private modules.

use std::collections::BTreeMap;

use dalec_llb::{CacheSharing, Exec, Mount, Secret, Socket};
use dalec_spec::target_spec::{Gomod, GomodAuth, RepositoryUse};

use super::Generators;
use crate::quote::shell;
use crate::worker::ca_bundle;

const SCRIPT: &str = include_str!("go.sh");

/// Name of the cache of downloads; specs share it, as upstream's do.
const CACHE: &str = "dalec-gomod-proxy-cache";

/// Name of the cache of specs whose own repositories may have brought the programs that write it. Sums find out about
/// modules that are not what they were, but not about those that no `go.sum` and no public database knows.
const UNTRUSTED_CACHE: &str = "dalec-gomod-proxy-cache-untrusted";

/// Returns a process that runs `script` with `args` where there is a go that may download modules for `gomods`.
pub(super) fn exec<'a>(
    generators: &Generators<'_>,
    gomods: impl IntoIterator<Item = &'a Gomod>,
    script: &str,
    args: impl IntoIterator<Item = String>,
) -> Exec {
    let mut hosts: BTreeMap<&str, &GomodAuth> = BTreeMap::new();
    for gomod in gomods {
        for (host, auth) in &gomod.auth {
            hosts.entry(host).or_insert(auth);
        }
    }
    let logins = Logins::new(&hosts);
    let request = generators.request;
    let head = ["/bin/sh", "-c", &format!("{SCRIPT}{}{script}", logins.script), "go"].map(str::to_owned);
    let mut repositories = request.spec.dependencies.extra_repos.iter();
    let own = repositories.any(|repository| repository.envs.contains(&RepositoryUse::Build));
    let cache = if own { UNTRUSTED_CACHE } else { CACHE };
    let mut exec = Exec::new(head.into_iter().chain(args))
        .envs(generators.env.clone())
        .env("GOPATH", "/go")
        .group(&generators.group)
        .mount(Mount::cache("/work/cache", cache, CacheSharing::Shared))
        .mount(ca_bundle())
        .mounts(logins.mounts);
    if logins.asks_helper {
        exec = exec.mount(Mount::bind("/work/dalec", &request.frontend).readonly());
    }
    if !hosts.is_empty() {
        let names: Vec<&str> = hosts.keys().map(|host| without_port(host)).collect();
        exec = exec.env("GOPRIVATE", names.join(","));
    }
    if !request.options.gomod_proxy.is_empty() {
        exec = exec.env("GOPROXY", &request.options.gomod_proxy);
    }
    exec
}

/// How to log in to the hosts of private modules.
#[derive(Default)]
struct Logins {
    /// Calls of functions of the script.
    script: String,
    /// Secrets and agents.
    mounts: Vec<Mount>,
    /// Whether git asks the credential helper of this program.
    asks_helper: bool,
}

impl Logins {
    /// A token comes before a header, and this before ssh.
    fn new(hosts: &BTreeMap<&str, &GomodAuth>) -> Self {
        let mut logins = Self::default();
        let mut agents: Vec<&str> = Vec::new();
        for (host, auth) in hosts {
            if !auth.token.is_empty() {
                logins.secret(host, "token", &auth.token);
            } else if !auth.header.is_empty() {
                logins.secret(host, "header", &auth.header);
            } else if let Some(ssh) = &auth.ssh {
                let known = agents.iter().position(|id| *id == ssh.id);
                let socket = format!("/run/ssh/{}", known.unwrap_or(agents.len()));
                if known.is_none() {
                    agents.push(&ssh.id);
                    let agent = Socket { id: ssh.id.clone(), optional: false, mode: 0o600 };
                    logins.mounts.push(Mount::socket(&socket, agent));
                }
                let call = [host, without_port(host), &ssh.username, &socket].map(shell);
                logins.script.push_str(&format!("ssh_login {}\n", call.join(" ")));
            }
        }
        logins
    }

    fn secret(&mut self, host: &str, kind: &str, id: &str) {
        let place = format!("/run/secrets/{host}/{kind}");
        let secret = Secret { id: id.to_owned(), optional: false, mode: 0o400 };
        self.mounts.push(Mount::secret(place, secret));
        self.script.push_str(&format!("secret_login {} {kind}\n", shell(host)));
        self.asks_helper = true;
    }
}

/// Returns the name of a host without the port that may be behind it.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
