//! From a recipe to a tree: what is downloaded, kept, unpacked and recorded.

use std::fs;
use std::sync::Mutex;

use dalec_bootstrap::{BootstrapError, Event, Progress, fetch, fetch_and_unpack};
use expect_test::expect;

use crate::support::deb::Deb;
use crate::support::mirror::Failure;
use crate::support::world::{OPTIONS, World, list};

fn packages() -> Vec<Deb> {
    vec![
        Deb::new("base-files", "12")
            .field("Essential: yes\n")
            .directory("./bin/", 0o755)
            .directory("./usr/", 0o755)
            .directory("./usr/bin/", 0o755)
            .directory("./var/", 0o755)
            .directory("./run/", 0o755)
            .directory("./tmp/", 0o1777)
            .symlink("./var/run", "/run"),
        Deb::new("libx", "1.0")
            .field("Essential: yes\nMulti-Arch: same\n")
            .script("triggers", "interest-noawait /usr/lib\nactivate-noawait ldconfig\n")
            .directory("./lib64/", 0o755)
            .file("./lib64/libx.so.1.0", 0o644, "library")
            .symlink("./lib64/libx.so.1", "libx.so.1.0")
            .compressed("zst"),
        Deb::new("tool", "2.0")
            .field("Essential: yes\nDepends: libx\n")
            .script("conffiles", "/etc/tool.conf\nremove-on-upgrade /etc/old.conf\n")
            .script("postinst", "#!/bin/sh\n")
            .script("triggers", "# who wants to know\ninterest tool-changed\n")
            .directory("./etc/", 0o755)
            .file("./etc/tool.conf", 0o640, "setting = 1\n")
            .directory("./bin/", 0o755)
            .file("./bin/tool", 0o4755, "program")
            .hard_link("./bin/tool-again", "./bin/tool")
            .directory("./var/", 0o755)
            .directory("./var/run/", 0o755)
            .directory("./var/run/tool/", 0o700)
            .compressed("gz"),
        Deb::new("apt", "2.6"),
    ]
}

#[test]
fn packages_become_a_tree_with_merged_usr() {
    let world = World::with(&packages());
    let (_, root, _) = world.assemble(&[]).unwrap();
    let tree: String = list(&root, "")
        .lines()
        .filter(|line| !line.starts_with("var/lib/dpkg") && !line.starts_with("etc/apt/sources"))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r##"
        / 755
        bin -> usr/bin
        etc/ 755
        etc/alternatives/ 755
        etc/apt/ 755
        etc/apt/apt.conf.d/ 755
        etc/apt/apt.conf.d/90container 644 315619200 "Acquire::Languages \"none\";\nAPT::AutoRemove::SuggestsImportant \"false\";\n"
        etc/dpkg/ 755
        etc/dpkg/dpkg.cfg.d/ 755
        etc/dpkg/dpkg.cfg.d/90container 644 315619200 "force-unsafe-io\n"
        etc/tool.conf 640 1600000000 "setting = 1\n"
        lib64 -> usr/lib64
        run/ 755
        run/tool/ 700
        tmp/ 1777
        usr/ 755
        usr/bin/ 755
        usr/bin/tool 4755 1600000000 "program"
        usr/bin/tool-again 4755 1600000000 "program"
        usr/lib64/ 755
        usr/lib64/libx.so.1 -> libx.so.1.0
        usr/lib64/libx.so.1.0 644 1600000000 "library"
        usr/sbin/ 755
        usr/sbin/policy-rc.d 755 315619200 "#!/bin/sh\nexit 101\n"
        var/ 755
        var/lib/ 755
        var/run -> /run
    "##]].assert_eq(&tree);
    assert_eq!(fs::read_to_string(root.join("bin/tool-again")).unwrap(), "program");
}

#[test]
fn the_package_database_is_as_dpkg_would_leave_it() {
    let world = World::with(&packages());
    let (_, root, _) = world.assemble(&[]).unwrap();
    let read = |path: &str| fs::read_to_string(root.join("var/lib/dpkg").join(path)).unwrap();
    expect![[r#"
        Package: base-files
        Version: 12
        Architecture: amd64
        Maintainer: Nobody <n@example.org>
        Essential: yes
        Description: a package
         that a test made
        Status: install ok unpacked

        Package: libx
        Version: 1.0
        Architecture: amd64
        Maintainer: Nobody <n@example.org>
        Essential: yes
        Multi-Arch: same
        Description: a package
         that a test made
        Status: install ok unpacked

        Package: tool
        Version: 2.0
        Architecture: amd64
        Maintainer: Nobody <n@example.org>
        Essential: yes
        Depends: libx
        Description: a package
         that a test made
        Status: install ok unpacked
        Conffiles:
         /etc/tool.conf 6bc5aa55a24a9d663f97616fed018e1a
         /etc/old.conf newconffile remove-on-upgrade

        Package: apt
        Version: 2.6
        Architecture: amd64
        Maintainer: Nobody <n@example.org>
        Description: a package
         that a test made
        Status: install ok unpacked
    "#]]
    .assert_eq(&read("status"));
    let names: Vec<String> = list(&root, "var/lib/dpkg")
        .lines()
        .map(|line| format!("{}\n", line.split(' ').next().unwrap()))
        .collect();
    expect![[r#"
        var/lib/dpkg/
        var/lib/dpkg/alternatives/
        var/lib/dpkg/available
        var/lib/dpkg/diversions
        var/lib/dpkg/info/
        var/lib/dpkg/info/apt.list
        var/lib/dpkg/info/base-files.list
        var/lib/dpkg/info/format
        var/lib/dpkg/info/libx:amd64.list
        var/lib/dpkg/info/libx:amd64.triggers
        var/lib/dpkg/info/tool.conffiles
        var/lib/dpkg/info/tool.list
        var/lib/dpkg/info/tool.postinst
        var/lib/dpkg/info/tool.triggers
        var/lib/dpkg/parts/
        var/lib/dpkg/statoverride
        var/lib/dpkg/status
        var/lib/dpkg/triggers/
        var/lib/dpkg/triggers/File
        var/lib/dpkg/triggers/tool-changed
        var/lib/dpkg/updates/
    "#]]
    .assert_eq(&names.concat());
    expect![[r#"
        /.
        /etc
        /etc/tool.conf
        /bin
        /bin/tool
        /bin/tool-again
        /var
        /var/run
        /var/run/tool
    "#]]
    .assert_eq(&read("info/tool.list"));
    assert_eq!(read("triggers/File"), "/usr/lib libx:amd64/noawait\n");
    assert_eq!(read("triggers/tool-changed"), "tool\n");
}

#[test]
fn the_tree_does_not_depend_on_the_run() {
    let world = World::with(&packages());
    let (recipe, first, unpacked) = world.assemble(&[]).unwrap();
    for _ in 0..8 {
        let root = world.root();
        assert_eq!(world.unpack(&recipe, &root).unwrap(), unpacked);
        assert_eq!(list(&root, ""), list(&first, ""));
    }
}

#[test]
fn the_root_knows_its_own_repositories() {
    let world = World::with(&packages());
    let (_, root, _) = world.assemble(&[]).unwrap();
    let sources = fs::read_to_string(root.join("etc/apt/sources.list.d/debian.sources")).unwrap();
    expect![[r#"
        Types: deb
        URIs: http://MIRROR/debian
        Suites: bookworm bookworm-updates
        Components: main
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

        Types: deb
        URIs: http://MIRROR/debian-security
        Suites: bookworm-security
        Components: main
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
    "#]]
    .assert_eq(&world.mirror.redact(&sources));
}

#[test]
fn packages_are_kept_for_next_time() {
    let world = World::with(&packages());
    let recipe = world.recipe(&[]);
    world.fetch(&recipe).unwrap();
    let asked = world.mirror.requests().len();
    world.fetch(&recipe).unwrap();
    assert_eq!(world.mirror.requests().len(), asked);
    assert_eq!(fs::read_dir(world.cached_file("../partial")).unwrap().count(), 0);
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let world = World::with(&packages());
    let recipe = world.recipe(&[]);
    world.fetch(&recipe).unwrap();
    let path = world.cached_file(&recipe.packages[0].sha256);
    let intact = fs::read(&path).unwrap();
    fs::write(&path, vec![0; intact.len()]).unwrap();
    world.fetch(&recipe).unwrap();
    assert_eq!(fs::read(&path).unwrap(), intact);
}

#[test]
fn an_altered_package_is_refused_and_not_kept() {
    let world = World::with(&packages());
    let recipe = world.recipe(&[]);
    let mut content = world.mirror.take("debian/pool/tool_2.0.deb");
    content[100] ^= 1;
    world.mirror.put("debian/pool/tool_2.0.deb", content.clone());
    let error = world.fetch(&recipe).unwrap_err();
    let BootstrapError::HashMismatch { url, expected, actual } = &error else { panic!("{error}") };
    assert_eq!(world.mirror.redact(url), "http://MIRROR/debian/pool/tool_2.0.deb");
    assert_eq!(*actual, crate::support::deb::sha256(&content));
    assert!(!world.cached_file(expected).exists());
    assert!(!world.cached_file(actual).exists());
    content.push(0);
    world.mirror.put("debian/pool/tool_2.0.deb", content);
    let error = world.fetch(&recipe).unwrap_err();
    assert!(matches!(error, BootstrapError::SizeMismatch { .. }), "{error}");
}

#[test]
fn a_package_that_is_gone_is_said_to_have_moved() {
    let world = World::with(&packages());
    let recipe = world.recipe(&[]);
    world.mirror.take("debian/pool/tool_2.0.deb");
    let error = world.fetch(&recipe).unwrap_err();
    expect![[r#"
        http://MIRROR/debian/pool/tool_2.0.deb does not exist, though the mirror's signed index names it
        hint: the mirror is probably being updated at this moment; try again
    "#]]
    .assert_eq(&world.render(&error));
    let error = world.assemble(&[]).unwrap_err();
    assert!(matches!(error, BootstrapError::IndexMoved { .. }), "{error}");
}

#[test]
fn a_root_that_is_not_empty_is_left_alone() {
    let world = World::with(&packages());
    let recipe = world.recipe(&[]);
    world.fetch(&recipe).unwrap();
    let root = world.root();
    fs::write(root.join("precious"), "data").unwrap();
    let error = world.unpack(&recipe, &root).unwrap_err();
    assert!(matches!(error, BootstrapError::Io { .. }), "{error}");
    assert_eq!(list(&root, "precious").lines().count(), 1);
}

#[test]
fn a_file_goes_to_the_package_that_replaces_the_other() {
    let old = Deb::new("old", "1.0").field("Essential: yes\n").file("./usr/share/x", 0o644, "old");
    let new = Deb::new("new", "2.0").field("Essential: yes\nReplaces: old (<< 2)\n").file(
        "./usr/share/x",
        0o644,
        "new",
    );
    let world = World::with(&[old.clone(), new]);
    let recipe = world.recipe(&[]);
    world.fetch(&recipe).unwrap();
    for _ in 0..16 {
        let root = world.root();
        world.unpack(&recipe, &root).unwrap();
        assert_eq!(fs::read_to_string(root.join("usr/share/x")).unwrap(), "new");
        let lists =
            |name: &str| fs::read_to_string(root.join(format!("var/lib/dpkg/info/{name}.list"))).unwrap();
        assert_eq!(lists("old"), "/.\n");
        assert_eq!(lists("new"), "/.\n/usr/share/x\n");
    }
}

#[test]
fn two_packages_with_one_file_are_an_error() {
    let one = Deb::new("one", "1.0").field("Essential: yes\n").file("./bin/x", 0o644, "1");
    let two = Deb::new("two", "1.0").field("Essential: yes\n").file("./usr/bin/x", 0o644, "2");
    let world = World::with(&[one, two]);
    let error = world.assemble(&[]).unwrap_err();
    assert_eq!(error.to_string(), "packages one and two both contain /usr/bin/x");
}

#[test]
fn a_transient_failure_is_met_with_another_attempt() {
    let world = World::with(&packages());
    world.mirror.fail(&[Failure::Busy, Failure::HangUp]);
    let recipe = world.recipe(&[]);
    world.mirror.fail(&[Failure::HangUp, Failure::Busy]);
    world.fetch(&recipe).unwrap();
    world.mirror.fail(&[Failure::Busy; 3]);
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    let text = world.mirror.redact(&error.to_string());
    let expected = "http://MIRROR/debian/dists/bookworm/InRelease answers with HTTP status 503";
    assert_eq!(text, expected);
}

/// Notes what happens and stops after some packages.
struct Witness {
    events: Mutex<Vec<Event>>,
    patience: usize,
}

impl Witness {
    fn new(patience: usize) -> Self {
        Self { events: Mutex::default(), patience }
    }
}

impl Progress for Witness {
    fn report(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    fn is_cancelled(&self) -> bool {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| matches!(event, Event::Fetched { .. })).count() >= self.patience
    }
}

#[test]
fn progress_tells_of_every_package() {
    let world = World::with(&packages());
    let recipe = world.recipe(&[]);
    let witness = Witness::new(usize::MAX);
    fetch_and_unpack(&recipe, &world.http, &world.cache(), &world.root(), OPTIONS, &witness).unwrap();
    let events = witness.events.into_inner().unwrap();
    assert_eq!(events[0], Event::FetchStarts { packages: 4, bytes: recipe.download_size() });
    for package in &recipe.packages {
        let place = |wanted: Event| events.iter().position(|event| *event == wanted).unwrap();
        let fetched =
            place(Event::Fetched { package: package.name.clone(), bytes: package.size, cached: false });
        assert!(fetched < place(Event::Unpacked { package: package.name.clone() }));
    }
}

#[test]
fn work_stops_when_it_is_cancelled() {
    let world = World::with(&packages());
    let recipe = world.recipe(&[]);
    let error = fetch(&recipe, &world.http, &world.cache(), &Witness::new(0)).unwrap_err();
    assert!(matches!(error, BootstrapError::Cancelled), "{error}");
    let witness = Witness::new(1);
    let error =
        fetch_and_unpack(&recipe, &world.http, &world.cache(), &world.root(), OPTIONS, &witness).unwrap_err();
    assert!(matches!(error, BootstrapError::Cancelled), "{error}");
    world.fetch(&recipe).unwrap();
    world.unpack(&recipe, &world.root()).unwrap();
}
