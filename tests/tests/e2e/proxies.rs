//! Builds on a machine that reaches some servers through a proxy alone.

use std::collections::BTreeSet;
use std::process::Command;

use dalec_e2e::http::{Response, Server};
use dalec_e2e::run::Project;
use dalec_e2e::specs::script;

/// Returns the servers of the host's own repositories, which have to be reached in the ordinary way.
fn own_servers() -> String {
    let sites = Command::new("apt-get").args(["indextargets", "--format", "$(SITE)"]).output().unwrap();
    let sites = String::from_utf8(sites.stdout).unwrap();
    let host = |site: &str| {
        let host = site.split("://").nth(1)?.split('/').next()?;
        Some(host.split(':').next()?.to_owned())
    };
    let hosts: BTreeSet<String> = sites.lines().filter_map(host).collect();
    hosts.into_iter().chain(["127.0.0.1".to_owned()]).collect::<Vec<_>>().join(",")
}

/// BLD-013: steps with a network are told of the machine's proxies, the others are not; nothing of them stays.
#[test]
fn package_managers_go_through_the_proxy() {
    let proxy = Server::start(|path| match path.ends_with("/Packages") {
        true => Response::ok(""),
        false => Response::not_found(),
    });
    // A repository that no earlier run has seen, or its installation would be known.
    let own = proxy.url("").replace(|char: char| !char.is_ascii_digit(), "");
    let config = format!("deb [trusted=yes] http://packages.invalid/{own} ./\\n");
    let more = format!(
        "dependencies:\n  build: {{hello: {{}}}}\n  extra_repos:\n    - envs: [build]\n      \
         config: {{extra: {{inline: {{file: {{contents: \"{config}\"}}}}}}}}\nbuild:\n  steps:\n    - command: \
         test -z \"$HTTP_PROXY$http_proxy\" && hello && ! grep -r packages.invalid /etc/apt /tmp\n"
    );
    let project = Project::new(&script("proxied", &more));
    let mut build = project.build("bookworm/deb");
    build.command.env("HTTP_PROXY", proxy.url("").trim_end_matches('/')).env("NO_PROXY", own_servers());
    build.succeeds();
    assert!(proxy.requests() > 0, "nobody came by");
}
