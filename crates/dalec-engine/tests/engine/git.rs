//! Files of git repositories, from a real server.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use dalec_engine::{Engine, Export, SecretError, Secrets};
use dalec_gateway::{Gateway, GatewayError};
use pb::file_action::Action;
use sha2::{Digest, Sha256};

use crate::git_server::{GitServer, Manners, Origin, certificate, git};
use crate::graph::{Graph, Node, copy};
use crate::world::{Built, Case, World, cases, explain, holds};

pub const CASES: &[(&str, Case)] = cases![
    a_commit_is_fetched_once_and_its_files_are_as_they_were_checked_in,
    a_branch_that_moves_is_fetched_again,
    names_stand_for_what_git_says,
    checksums_pin_names,
    a_kept_git_dir_is_a_repository_with_the_same_bytes_each_time,
    submodules_are_part_of_the_files,
    hostile_submodules_are_refused,
    hostile_trees_are_refused,
    carelessly_written_commits_are_taken,
    what_a_server_calls_its_default_branch_is_no_path,
    a_login_goes_to_no_other_server,
    logins_are_secrets,
    a_server_with_a_certificate_of_its_own_authority_is_trusted_when_told,
    old_and_plain_servers_work,
    what_is_missing_in_a_repository_is_said,
    what_a_killed_git_leaves_is_no_hindrance,
    a_commit_without_its_files_does_not_count,
    builds_at_once_share_a_repository,
    files_of_the_commit_alone_count,
];

const TOKEN: &str = "token-of-the-tests-4711";

/// A repository called `a` with one commit, and its server.
fn served(world: &World, manners: Manners) -> (Origin, String, GitServer) {
    let origin = Origin::new(&world.path("served/a"));
    origin.write("file", "one\n");
    let commit = origin.commit();
    (origin, commit, GitServer::start(&world.path("served"), manners))
}

fn source(graph: &mut Graph, server: &GitServer, fragment: &str, attrs: &[(&str, &str)]) -> Node {
    let url = server.url("a/.git");
    let attrs = [&[("git.fullurl", url.as_str())], attrs].concat();
    graph.source(&format!("git://{}{fragment}", server.place("a/.git")), &attrs)
}

fn failure(world: &World, server: &GitServer, fragment: &str, attrs: &[(&str, &str)]) -> (String, String) {
    let failure = world.failure(|graph| source(graph, server, fragment, attrs));
    let shown = |text: String| text.replace(&server.url(""), "http://HOST/");
    (shown(failure.message), shown(failure.hint.unwrap_or_default()))
}

/// Writes a result out.
fn exported(built: &Built, dest: &Path) {
    std::fs::create_dir_all(dest).unwrap();
    let results = [(String::new(), Some(built.reference.clone()))];
    built.engine.export(&results, Export::Local { dest: dest.to_owned() }).unwrap();
}

/// SRC-001.
fn a_commit_is_fetched_once_and_its_files_are_as_they_were_checked_in(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    origin.write(".gitattributes", "*.txt eol=crlf\n");
    origin.write("a.txt", "x\ny\n");
    origin.write("dir/run", "#!/bin/sh\n");
    std::fs::set_permissions(origin.path("dir/run"), PermissionsExt::from_mode(0o700)).unwrap();
    symlink("dir/run", origin.path("link")).unwrap();
    let commit = origin.commit();
    let build = || world.build(|graph| source(graph, &server, &format!("#{commit}"), &[]));
    let built = build();
    assert_eq!(built.names("/"), [".gitattributes", "a.txt", "dir", "file", "link"]);
    assert_eq!((built.read("/a.txt").as_str(), built.read("/file").as_str()), ("x\r\ny\r\n", "one\n"));
    assert_eq!((built.mode("/file"), built.mode("/dir/run"), built.mode("/dir")), (0o644, 0o755, 0o755));
    let stat = built.session.stat_file(&built.reference, "/dir/run").unwrap();
    assert_eq!((stat.uid, stat.gid, stat.modified), (0, 0, dalec_engine::CONSTANT_MTIME * 1_000_000_000));
    assert_eq!(built.session.stat_file(&built.reference, "/link").unwrap().link, "dir/run");
    assert!(world.events.statuses().contains(&format!("commit {commit}")));
    let asked = server.asked();
    assert_eq!(build().stats().ops_cached, 1);
    // Another part of the same commit needs no network either.
    let part = world.build(|graph| source(graph, &server, &format!("#{commit}:dir"), &[]));
    assert_eq!((part.names("/"), server.asked()), (vec!["run".to_owned()], asked));
    let timed =
        world.build(|graph| source(graph, &server, &format!("#{commit}"), &[("git.mtime", "commit")]));
    let stat = timed.session.stat_file(&timed.reference, "/file").unwrap();
    assert_eq!(stat.modified, 981_173_106 * 1_000_000_000);
}

fn a_branch_that_moves_is_fetched_again(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    let build = || world.build(|graph| source(graph, &server, "#main", &[]));
    assert_eq!(build().read("/file"), "one\n");
    assert_eq!(build().stats().ops_run, 0);
    origin.write("file", "two\n");
    origin.commit();
    assert_eq!(build().read("/file"), "two\n");
    // The branch becomes the folder of another, which one repository cannot hold together.
    origin.git(&["checkout", "--quiet", "-b", "next"]);
    origin.git(&["branch", "--quiet", "-D", "main"]);
    origin.git(&["branch", "--quiet", "main/one"]);
    assert_eq!(world.build(|graph| source(graph, &server, "#main/one", &[])).read("/file"), "two\n");
}

fn names_stand_for_what_git_says(world: &World) {
    let (origin, first, server) = served(world, Manners::default());
    origin.git(&["tag", "light"]);
    origin.git(&["tag", "--annotate", "--message=x", "heavy"]);
    let tag = origin.git(&["rev-parse", "heavy"]);
    origin.write("file", "two\n");
    origin.commit();
    origin.git(&["checkout", "--quiet", "-b", "light"]);
    let read = |fragment: &str| world.build(|graph| source(graph, &server, fragment, &[])).read("/file");
    for (fragment, text) in [
        ("", "two\n"),
        ("#light", "two\n"),
        ("#refs/tags/light", "one\n"),
        ("#heavy", "one\n"),
        (&format!("#{tag}"), "one\n"),
        (&format!("#{first}"), "one\n"),
    ] {
        assert_eq!(read(fragment), text, "{fragment}");
    }
}

fn checksums_pin_names(world: &World) {
    let (origin, first, server) = served(world, Manners::default());
    let build = |checksum: &str| {
        Built::new(world.engine(), |graph| source(graph, &server, "#main", &[("git.checksum", checksum)]))
    };
    assert_eq!(
        build(&first[..7]).map(|built| built.read("/file")).map_err(|error| explain(&error)).unwrap(),
        "one\n"
    );
    let other = "0".repeat(40);
    let (message, hint) = failure(world, &server, "#main", &[("git.checksum", &other)]);
    assert_eq!(message, format!("main of http://HOST/a/.git is {first}, expected {other}"));
    assert!(hint.contains(&first), "{hint}");
    origin.write("file", "two\n");
    let second = origin.commit();
    // A whole hash is enough to know the files, wherever the name has gone; its beginning is not.
    let asked = server.asked();
    assert_eq!(build(&first).map(|built| built.read("/file")).ok().unwrap(), "one\n");
    assert_eq!(server.asked(), asked);
    let (message, _) = failure(world, &server, "#main", &[("git.checksum", &first[..7])]);
    assert_eq!(message, format!("main of http://HOST/a/.git is {second}, expected {}", &first[..7]));
}

/// Everything below a directory, in one line each: permissions, time of files, digest of the content.
fn fingerprint(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let what = match meta.is_dir() {
                true => String::new(),
                false => {
                    format!("{} {}", meta.mtime(), hex::encode(Sha256::digest(std::fs::read(&path).unwrap())))
                }
            };
            found.push(format!("{} {:o} {what}", path.strip_prefix(dir).unwrap().display(), meta.mode()));
            if meta.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// SRC-001.
fn a_kept_git_dir_is_a_repository_with_the_same_bytes_each_time(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    origin.write("file", "two\n");
    let commit = origin.commit();
    origin.git(&["tag", "--annotate", "--message=x", "v1"]);
    let keep = [("git.keepgitdir", "true")];
    for (fragment, tag) in [("#v1", "v1"), ("#main", ""), (&format!("#{commit}"), "")] {
        let name = fragment.trim_start_matches('#');
        let built = world.build(|graph| source(graph, &server, fragment, &keep));
        let out = world.path(&format!("out-{name}"));
        exported(&built, &out);
        let before = fingerprint(&out);
        assert_eq!(git(&out, &["status", "--porcelain"]), "");
        assert_eq!(git(&out, &["log", "--format=%H"]), commit);
        assert_eq!(git(&out, &["tag"]), tag);
        git(&out, &["fsck", "--strict"]);
        // Elsewhere, where the repository was fetched in another way.
        let other = World::new(world.mode);
        if name == "main" {
            other.build(|graph| source(graph, &server, "#v1", &[]));
        }
        let built = other.build(|graph| source(graph, &server, fragment, &keep));
        exported(&built, &other.path("out"));
        assert_eq!(fingerprint(&other.path("out")), before, "{fragment}");
    }
    // A part of a repository has none.
    origin.write("dir/file", "x");
    origin.commit();
    let part = world.build(|graph| source(graph, &server, "#main:dir", &keep));
    assert_eq!(part.names("/"), ["file"]);
}

fn submodules_are_part_of_the_files(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    let inner = Origin::new(&world.path("served/inner"));
    inner.write("deep", "inner\n");
    inner.commit();
    let middle = Origin::new(&world.path("served/middle"));
    for (parent, path, name) in [(&middle, "in", "inner"), (&origin, "lib/mid", "middle")] {
        let from = server.url(&format!("{name}/.git"));
        parent.git(&["submodule", "--quiet", "add", &from, path]);
        // As people write it.
        let modules = parent.path(".gitmodules");
        let text = std::fs::read_to_string(&modules).unwrap();
        std::fs::write(&modules, text.replace(&server.url(""), "../../")).unwrap();
        parent.commit();
    }
    let built = world.build(|graph| source(graph, &server, "", &[]));
    assert_eq!(built.read("/lib/mid/in/deep"), "inner\n");
    assert_eq!(built.names("/lib/mid"), [".gitmodules", "in"]);
    let skipped = world.build(|graph| source(graph, &server, "", &[("git.skipsubmodules", "true")]));
    assert_eq!(skipped.names("/lib/mid"), Vec::<String>::new());
}

fn hostile_submodules_are_refused(world: &World) {
    let (origin, commit, server) = served(world, Manners::default());
    let secret = Origin::new(&world.path("secret"));
    secret.write("file", "not for anybody\n");
    let hidden = secret.commit();
    origin.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{hidden},sub")]);
    for url in
        [world.path("secret").display().to_string(), format!("file://{}", world.path("secret").display())]
    {
        origin.write(".gitmodules", &format!("[submodule \"x\"]\n\tpath = sub\n\turl = {url}\n"));
        origin.git(&["add", ".gitmodules"]);
        origin.git(&["commit", "--quiet", "--message=x"]);
        let (message, _) = failure(world, &server, "", &[]);
        assert!(
            message.starts_with("the submodule \"sub\" of http://HOST/a/.git: cannot fetch from"),
            "{message}"
        );
    }
    origin.git(&["rm", "--quiet", "--cached", ".gitmodules"]);
    origin.git(&["commit", "--quiet", "--message=x"]);
    let (message, _) = failure(world, &server, "", &[]);
    assert_eq!(
        message,
        "the submodule \"sub\" of http://HOST/a/.git: its commit has no address for it in .gitmodules"
    );
    assert!(world.unfinished().is_empty());
    drop(world.build(|graph| source(graph, &server, &format!("#{commit}"), &[])));
}

/// Paths out of the tree, and through a link that has the name of a directory.
fn hostile_trees_are_refused(world: &World) {
    let (origin, commit, server) = served(world, Manners::default());
    let plain = GitServer::start(&world.path("served"), Manners { plain: true, ..Manners::default() });
    let victim = world.path("outside/victim");
    std::fs::create_dir_all(&victim).unwrap();
    std::fs::write(victim.join("file"), "precious\n").unwrap();
    std::fs::write(world.path("target"), world.path("outside").display().to_string()).unwrap();
    let link = origin.git(&["hash-object", "-w", &world.path("target").display().to_string()]);
    let inner = origin.tree(&[("160000 victim", &commit)]);
    for (name, entries) in [
        ("..", [("40000 ..", inner.as_str()), ("40000 a", &inner)]),
        ("a", [("40000 a", &inner), ("120000 a", &link)]),
        ("a", [("120000 a", &link), ("40000 a", &inner)]),
        (".git", [("40000 .git", &inner), ("40000 a", &inner)]),
    ] {
        let modules =
            format!("[submodule \"x\"]\n\tpath = {name}/victim\n\turl = {}\n", server.url("a/.git"));
        std::fs::write(world.path("modules"), modules).unwrap();
        let modules = origin.git(&["hash-object", "-w", &world.path("modules").display().to_string()]);
        let tree = origin.tree(&[&[("100644 .gitmodules", modules.as_str())], &entries[..]].concat());
        let hostile = origin.git(&["commit-tree", &tree, "-m", "x"]);
        origin.git(&["update-ref", "refs/heads/hostile", &hostile]);
        origin.git(&["repack", "--quiet", "-a", "-d"]);
        origin.git(&["update-server-info"]);
        let (message, _) = failure(world, &server, "#hostile", &[]);
        assert!(message.contains("http://HOST/a/.git"), "{message}");
        // Git does not look at what a plain server gives it.
        let built = Built::new(world.engine(), |graph| source(graph, &plain, "#hostile", &[]));
        assert!(built.is_err() || name == "a", "{name}");
        drop(built);
        assert_eq!(std::fs::read_to_string(victim.join("file")).unwrap(), "precious\n");
        assert!(world.unfinished().is_empty());
    }
}

/// As old tools wrote them: modes with a zero in front, and no name of who it was.
fn carelessly_written_commits_are_taken(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    let inner = origin.git(&["rev-parse", "HEAD^{tree}"]);
    let tree = origin.tree(&[("040000 dir", &inner)]);
    let who = "<a@example.org> 981173106 +051800";
    let text = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n");
    std::fs::write(origin.path(".git/made"), text).unwrap();
    let commit = origin.git(&["hash-object", "-t", "commit", "-w", "--literally", ".git/made"]);
    origin.git(&["update-ref", "refs/heads/careless", &commit]);
    let built = world.build(|graph| source(graph, &server, "#careless", &[]));
    assert_eq!(built.read("/dir/file"), "one\n");
}

fn what_a_server_calls_its_default_branch_is_no_path(world: &World) {
    let manners = Manners { head: Some("refs/heads/../../../escaped"), ..Manners::default() };
    let (_, commit, server) = served(world, manners);
    let built = world.build(|graph| source(graph, &server, "", &[("git.keepgitdir", "true")]));
    assert_eq!(built.read("/.git/HEAD"), format!("{commit}\n"));
    assert_eq!(built.names("/.git"), ["HEAD", "config", "index", "objects", "refs", "shallow"]);
}

/// SRC-002.
fn a_login_goes_to_no_other_server(world: &World) {
    let (_, _, server) = served(world, Manners::default());
    let moved = || Manners { moved: Some(server.url("")), ..Manners::default() };
    let first = GitServer::start(&world.path("served"), moved());
    let login = format!("http://x-access-token:{TOKEN}@{}", first.place("a/.git"));
    let place = format!("git://{}#main:", first.place("a/.git"));
    let failure = world.failure(|graph| graph.source(&place, &[("git.fullurl", &login)]));
    let url = first.url("a/.git");
    let host = server.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let message = format!("{url} has moved: its server answers with another address, on {host}");
    assert_eq!(failure.message, message);
    assert!(failure.hint.unwrap().contains(&url));
    assert_eq!(server.asked(), 0);
    // Who brings no login may go there.
    assert_eq!(world.build(|graph| source(graph, &first, "#main", &[])).read("/file"), "one\n");
}

/// Secrets by id.
struct Given(&'static [(&'static str, &'static str)]);

impl Secrets for Given {
    fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, SecretError> {
        Ok(self.0.iter().find(|(known, _)| *known == id).map(|(_, value)| value.as_bytes().to_vec()))
    }
}

/// SRC-002.
fn logins_are_secrets(world: &World) {
    // `x-access-token:` and the token.
    let wanted = "basic eC1hY2Nlc3MtdG9rZW46dG9rZW4tb2YtdGhlLXRlc3RzLTQ3MTE=";
    let (_, _, server) = served(world, Manners { authorization: Some(wanted), ..Manners::default() });
    let names = [("git.authtokensecret", "TOKEN"), ("git.authheadersecret", "HEADER")];
    let build = |secrets: &'static [(&'static str, &'static str)]| {
        let mut options = world.options();
        options.secrets = Arc::new(Given(secrets));
        let engine = Engine::new(options).expect("an engine");
        Built::new(engine, |graph| source(graph, &server, "#main", &names))
    };
    let refused = |secrets| match build(secrets) {
        Err(GatewayError::Solve(failure)) => {
            (failure.message.replace(&server.url(""), "http://HOST/"), failure.hint.unwrap_or_default())
        }
        Err(error) => panic!("another kind of error: {}", explain(&error)),
        Ok(_) => panic!("no error"),
    };
    let (message, hint) = refused(&[]);
    assert_eq!(message, "http://HOST/a/.git refuses access");
    assert_eq!(hint, "give a token that may read it with --secret id=TOKEN,env=VARIABLE");
    let (_, hint) = refused(&[("TOKEN", "wrong")]);
    assert_eq!(hint, "check that the secret \"TOKEN\" may read it");
    let header = build(&[("HEADER", "basic eC1hY2Nlc3MtdG9rZW46dG9rZW4tb2YtdGhlLXRlc3RzLTQ3MTE=\n")]);
    assert_eq!(header.map(|built| built.read("/file")).map_err(|error| explain(&error)).unwrap(), "one\n");
    let token = build(&[("TOKEN", TOKEN)]);
    assert_eq!(token.map(|built| built.read("/file")).map_err(|error| explain(&error)).unwrap(), "one\n");
    for text in [TOKEN, &wanted[6..]] {
        assert!(!world.events.tell(text) && !holds(&world.path("state"), text));
    }
    let login = format!("http://x-access-token:{TOKEN}@{}", server.place("a/.git"));
    let built = world.build(|graph| {
        graph.source(&format!("git://{}#main:", server.place("a/.git")), &[("git.fullurl", &login)])
    });
    assert_eq!(built.read("/file"), "one\n");
    assert!(!holds(&world.path("state"), TOKEN));
}

fn a_server_with_a_certificate_of_its_own_authority_is_trusted_when_told(world: &World) {
    let tls = certificate(world.dir.path());
    let (_, _, server) = served(world, Manners { tls: Some(tls), ..Manners::default() });
    let build = |authority: Option<&str>| {
        let mut options = world.options();
        options.ca_bundle = authority.map(|name| world.path(name));
        Built::new(Engine::new(options).expect("an engine"), |graph| source(graph, &server, "#main", &[]))
    };
    let host = server.url("").replace("https://", "").replace('/', "");
    match build(None) {
        Err(GatewayError::Solve(failure)) => {
            assert!(failure.message.starts_with(&format!("cannot trust {host} for ")), "{}", failure.message);
            assert!(failure.hint.unwrap().contains("--ca-bundle"));
        }
        Err(error) => panic!("another kind of error: {}", explain(&error)),
        Ok(_) => panic!("no error"),
    }
    let built = build(Some("certificate.pem")).map(|built| built.read("/file"));
    assert_eq!(built.map_err(|error| explain(&error)).unwrap(), "one\n");
}

fn old_and_plain_servers_work(world: &World) {
    let (origin, first, server) = served(world, Manners { old: true, ..Manners::default() });
    origin.write("file", "two\n");
    let second = origin.commit();
    let read = |server: &GitServer, fragment: &str| {
        world.build(|graph| source(graph, server, fragment, &[])).read("/file")
    };
    assert_eq!(read(&server, &format!("#{second}")), "two\n");
    // No branch or tag points to it, so it comes with all the others.
    assert_eq!(read(&server, &format!("#{first}")), "one\n");
    origin.write("file", "three\n");
    origin.commit();
    assert_eq!(read(&server, "#main"), "three\n");
    origin.write("file", "four\n");
    let fourth = origin.commit();
    origin.git(&["repack", "--quiet", "-a", "-d"]);
    origin.git(&["update-server-info"]);
    let plain = GitServer::start(&world.path("served"), Manners { plain: true, ..Manners::default() });
    assert_eq!(read(&plain, "#main"), "four\n");
    assert_eq!(read(&plain, &format!("#{fourth}")), "four\n");
}

fn what_is_missing_in_a_repository_is_said(world: &World) {
    let (origin, first, server) = served(world, Manners::default());
    symlink("/etc", origin.path("away")).unwrap();
    origin.commit();
    for (fragment, message) in [
        ("#none", "http://HOST/a/.git has no branch or tag called \"none\"".to_owned()),
        (
            &format!("#{}", "1".repeat(40)),
            format!("http://HOST/a/.git does not have the commit {}", "1".repeat(40)),
        ),
        (
            &format!("#{first}:nowhere"),
            format!("http://HOST/a/.git has no directory \"nowhere\" in the commit {first}"),
        ),
        ("#--upload-pack=id", "\"--upload-pack=id\" cannot be a commit, tag or branch".to_owned()),
    ] {
        assert_eq!(failure(world, &server, fragment, &[]).0, message);
    }
    let (message, _) = failure(world, &server, "#main:away", &[]);
    assert!(message.contains("has no directory \"away\""), "{message}");
    let (_, hint) = failure(world, &server, &format!("#{}", &first[..8]), &[]);
    assert_eq!(hint, "write the whole hash of the commit, 40 characters");
    let missing = |url: &str| {
        let place = url.split_once("://").unwrap().1.to_owned();
        world.failure(|graph| graph.source(&format!("git://{place}"), &[("git.fullurl", url)])).message
    };
    let nothing = server.url("nothing.git");
    assert_eq!(missing(&nothing), format!("{nothing} is not there"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let message = missing(&format!("http://{closed}/a"));
    assert!(message.starts_with(&format!("cannot reach {closed} for http://{closed}/a")), "{message}");
    let ssh = world.failure(|graph| {
        graph.source(
            "git://127.0.0.1/a",
            &[("git.fullurl", "ssh://me@127.0.0.1/a"), ("git.mountsshsock", "mine")],
        )
    });
    assert_eq!(ssh.message, "no ssh agent called \"mine\" was given");
}

fn a_commit_without_its_files_does_not_count(world: &World) {
    // Git's words name the address, which sounds as if only this way of asking were refused.
    let origin = Origin::new(&world.path("served/shallow"));
    origin.write("file", "one\n");
    origin.commit();
    origin.git(&["checkout", "--quiet", "-b", "other"]);
    origin.write("file", "two\n");
    let commit = origin.commit();
    origin.git(&["update-server-info"]);
    let tree = origin.git(&["rev-parse", "HEAD^{tree}"]);
    let tree = origin.path(&format!(".git/objects/{}/{}", &tree[..2], &tree[2..]));
    let server = GitServer::start(&world.path("served"), Manners { plain: true, ..Manners::default() });
    let url = server.url("shallow/.git");
    let build = || {
        let address = format!("git://{}#{commit}", server.place("shallow/.git"));
        Built::new(world.engine(), |graph| graph.source(&address, &[("git.fullurl", &url)]))
    };
    let content = std::fs::read(&tree).unwrap();
    std::fs::remove_file(&tree).unwrap();
    assert!(build().is_err());
    // Everything that there is can be fetched, but the commit is not among it.
    let branch = origin.path(".git/refs/heads/other");
    std::fs::remove_file(&branch).unwrap();
    origin.git(&["update-server-info"]);
    assert!(build().is_err());
    std::fs::write(&branch, format!("{commit}\n")).unwrap();
    std::fs::write(&tree, content).unwrap();
    origin.git(&["update-server-info"]);
    let built = build().unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_eq!(built.read("/file"), "two\n");
}

fn what_a_killed_git_leaves_is_no_hindrance(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    let build = || world.build(|graph| source(graph, &server, "#main", &[]));
    drop(build());
    origin.write("file", "two\n");
    let commit = origin.commit();
    let kept = world.path("state/git");
    let repository =
        std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    let repository = repository.unwrap();
    let left = ["shallow.lock", &format!("refs/dalec/{commit}.lock"), "objects/pack/tmp_pack_a1b2c3"];
    for name in left {
        std::fs::write(repository.join(name), "").unwrap();
    }
    assert_eq!(build().read("/file"), "two\n");
    assert!(left.iter().all(|name| !repository.join(name).exists()));
    // Old servers are asked by name, and for everything: those references lie deeper.
    let old = GitServer::start(&world.path("served"), Manners { old: true, ..Manners::default() });
    let build = |fragment: &str| world.build(|graph| source(graph, &old, fragment, &[]));
    drop(build("#main"));
    origin.write("file", "three\n");
    let third = origin.commit();
    for repository in std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(names) = std::fs::read_dir(repository.join("refs/dalec/names")) else { continue };
        for name in names.map(|entry| entry.unwrap().path()).collect::<Vec<_>>() {
            std::fs::write(name.with_extension("lock"), "").unwrap();
        }
        std::fs::create_dir_all(repository.join("refs/dalec/all/heads")).unwrap();
        std::fs::write(repository.join("refs/dalec/all/heads/main.lock"), "").unwrap();
    }
    assert_eq!(build("#main").read("/file"), "three\n");
    assert_eq!(build(&format!("#{third}")).read("/file"), "three\n");
}

fn builds_at_once_share_a_repository(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    let commits: Vec<String> = (0..4)
        .map(|number| {
            origin.write("file", &format!("{number}\n"));
            origin.commit()
        })
        .collect();
    std::thread::scope(|scope| {
        let build = |commit: &str| world.build(|graph| source(graph, &server, &format!("#{commit}"), &[]));
        let builds: Vec<_> =
            commits.iter().map(|commit| scope.spawn(move || build(commit).read("/file"))).collect();
        for (number, build) in builds.into_iter().enumerate() {
            assert_eq!(build.join().unwrap(), format!("{number}\n"));
        }
    });
    let repositories = std::fs::read_dir(world.path("state/git")).unwrap();
    assert_eq!(repositories.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count(), 1);
}

/// What reads a part of the files does not run again when another part changes.
fn files_of_the_commit_alone_count(world: &World) {
    let (origin, _, server) = served(world, Manners::default());
    let build = || {
        world.build(|graph| {
            let files = source(graph, &server, "#main", &[]);
            graph.file(None, Some(&files), vec![Action::Copy(copy("/file", "/file"))])
        })
    };
    assert_eq!(build().stats().ops_run, 2);
    origin.write("notes", "x");
    origin.commit();
    assert_eq!(build().stats().ops_run, 1);
}
