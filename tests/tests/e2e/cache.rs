//! `dalec cache`: what builds keep is shown, removed and checked, whatever else happens at the same time.
//!
//! Each test has a store of its own. Those that build packages start with images that were made before.

use std::fs;
use std::path::{Path, PathBuf};

use dalec_e2e::binary::dalec;
use dalec_e2e::engine::base_contexts;
use dalec_e2e::run::{Invocation, Project, Ran, Who};
use dalec_e2e::specs::script;
use serde_json::Value;

fn build(project: &Project, target: &str) -> Invocation {
    let state = project.path("state").display().to_string();
    project.build(target).args(["--state-dir", &state]).args(base_contexts())
}

fn cache(project: &Project, arguments: &[&str]) -> Invocation {
    let state = project.path("state").display().to_string();
    Invocation::new(Who::Me, &project.path("")).arg("cache").args(arguments).args(["--state-dir", &state])
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

/// Returns the kinds of entries of a list, each once.
fn kinds(list: &Value) -> Vec<String> {
    let entries = list.as_array().unwrap_or_else(|| panic!("{list}"));
    let mut kinds: Vec<String> =
        entries.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
    kinds.dedup();
    kinds
}

fn made(project: &Project) -> Vec<u8> {
    let made = fs::read(project.output(".orig.tar.gz")).unwrap();
    fs::remove_dir_all(project.path("out")).unwrap();
    made
}

fn below(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn damage_is_named_and_can_be_removed(project: &Project) {
    cache(project, &["verify"]).succeeds();
    let blob = below(&project.path("state/blobs/sha256")).remove(0);
    let name = blob.file_name().unwrap().to_str().unwrap().to_owned();
    fs::write(&blob, "something else\n").unwrap();
    // Nobody can read it as a file, and the rest is checked all the same.
    fs::create_dir(blob.with_file_name("f".repeat(64))).unwrap();
    let found = cache(project, &["verify"]).fails(1);
    assert!(
        found.stdout.contains(&format!("blob {name}: its content has the digest sha256:")),
        "{}",
        found.stdout
    );
    assert!(found.stdout.contains("it cannot be read: "), "{}", found.stdout);
    let removed = json(&cache(project, &["verify", "--remove", "--format", "json"]).succeeds());
    assert_eq!(removed["damaged"][0]["id"], name.as_str());
    assert!(!blob.exists());
    cache(project, &["verify"]).succeeds();
}

/// Nobody answers the question, which is no.
#[test]
fn on_a_terminal_it_asks_first() {
    let project = Project::new(&script("asked", ""));
    let state = project.path("state").display().to_string();
    project.build("azlinux3/rpm/debug/spec").args(["--state-dir", &state]).succeeds();
    let layers = || below(&project.path("state/layers")).len();
    let (before, folder) = (layers(), project.path(""));
    assert!(before > 0);
    let prune = format!("{} cache prune --state-dir {state}", dalec().display());
    let on_terminal = |command: &str| {
        let terminal = Invocation::other(Path::new("script"), &folder);
        terminal.args(["-qec", command, "/dev/null"]).succeeds().stdout
    };
    let asked = on_terminal(&prune);
    assert!(asked.contains("Remove results of builds from") && asked.contains("? [y/N]"), "{asked}");
    assert_eq!(layers(), before);
    let forced = on_terminal(&format!("{prune} --force"));
    assert!(forced.contains("freed: ") && !forced.contains("[y/N]"), "{forced}");
    assert_eq!(layers(), 0);
}

#[test]
fn what_is_no_store_is_said() {
    let project = Project::new("");
    project.write("state/mine.txt", "not dalec's\n");
    cache(&project, &["prune", "--all"]).fails(3).says(&["holds files that are not dalec's"]);
    cache(&project, &["prune", "--older-than", "soon"]).fails(2).says(&["write a time such as"]);
    assert!(project.path("state/mine.txt").exists());
}

mod root {
    use super::*;

    /// A build that runs keeps what it uses, and goes on as if nothing had happened.
    #[test]
    fn a_build_does_not_notice_that_others_prune() {
        let steps = "build:\n  caches:\n    - dir: {dest: /kept, key: kept}\n  steps:\n    - command: |\n        echo x >/kept/here\n        \
                     echo the step has started\n        while ! test -e /kept/go; do sleep 0.1; done\n        test -e /kept/here\n";
        let project = Project::new(&script("pruned", steps));
        let mut running = build(&project, "bookworm/deb").start();
        running.says("the step has started");
        let mut in_use = Vec::new();
        // What is gone already is no less gone the second time.
        for _ in 0..3 {
            let pruned = json(&cache(&project, &["prune", "--all", "--format", "json"]).succeeds());
            in_use.push(kinds(&pruned["inUse"]));
        }
        let caches = below(&project.path("state/caches"));
        let kept = caches.iter().find(|cache| cache.join("here").exists()).expect("it is in use");
        fs::write(kept.join("go"), "").unwrap();
        let ran = running.end();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ["layer", "cache", "blob"].iter().all(|kind| in_use[0].contains(&(*kind).to_owned())),
            "{in_use:?}"
        );
        project.output(".deb");
        // All that it needed is still there.
        build(&project, "bookworm/deb").succeeds().says(&["nothing has changed"]);
        let listed = json(&cache(&project, &["ls", "--format", "json"]).succeeds());
        let entries = listed["entries"].as_array().unwrap();
        let mut caches = entries.iter().filter(|entry| entry["kind"] == "cache");
        assert!(caches.any(|cache| cache["name"] == "debian12-linux/amd64-kept"), "{listed}");
        assert_eq!(listed["size"], entries.iter().map(|entry| entry["size"].as_u64().unwrap()).sum::<u64>());
        let all = cache(&project, &["prune", "--all"]).succeeds();
        assert!(all.stdout.contains(" caches, ") && all.stdout.contains("freed: "), "{}", all.stdout);
        assert_eq!(all.stderr, "");
        assert_eq!(cache(&project, &["ls"]).succeeds().stdout, "total: 0 B\n");
    }

    /// However a prune ends, the store works, and the same spec makes the same package.
    #[test]
    fn what_is_pruned_is_made_again() {
        let project = Project::new(&script("again", ""));
        build(&project, "bookworm/dsc").succeeds();
        let first = made(&project);
        cache(&project, &["prune", "--all", "--older-than", "1h"]).succeeds();
        build(&project, "bookworm/dsc").succeeds().says(&["nothing has changed"]);
        assert!(made(&project) == first);
        damage_is_named_and_can_be_removed(&project);
        // What it was a part of is fetched again.
        build(&project, "bookworm/dsc").succeeds();
        assert!(made(&project) == first);
        cache(&project, &["prune"]).succeeds();
        assert!(below(&project.path("state/layers")).is_empty());
        build(&project, "bookworm/dsc").succeeds();
        assert!(made(&project) == first, "another package after a prune");
        let moved =
            || below(&project.path("state/tmp")).iter().any(|folder| !below(&folder.join("0")).is_empty());
        let nothing_left = || below(&project.path("state/layers")).is_empty();
        // What the first one left, the next ones find.
        let moments: [&dyn Fn() -> bool; 3] = [&|| true, &moved, &nothing_left];
        for moment in moments {
            let mut prune = cache(&project, &["prune", "--all"]).start();
            prune.until(moment);
            prune.kill();
            prune.end();
            cache(&project, &["verify"]).succeeds();
        }
        build(&project, "bookworm/dsc").succeeds();
        assert!(made(&project) == first, "another package after prunes that were killed");
        assert_eq!(below(&project.path("state/tmp")), Vec::<PathBuf>::new());
    }
}
