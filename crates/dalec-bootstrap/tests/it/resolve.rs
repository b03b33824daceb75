//! From a request to a recipe: which mirrors, which signatures, which packages.

use std::time::{Duration, UNIX_EPOCH};

use dalec_bootstrap::{AptSources, BootstrapError};
use expect_test::{Expect, expect};

use crate::support::deb::Deb;
use crate::support::keys::Key;
use crate::support::mirror::{BOOKWORM, BOOKWORM_SECURITY, BOOKWORM_UPDATES, Suite};
use crate::support::world::World;

fn base() -> Vec<Deb> {
    vec![
        Deb::new("libc6", "2.36-9").field("Priority: optional\n"),
        Deb::new("dash", "0.5").field("Essential: yes\nPre-Depends: libc6 (>= 2)\n"),
        Deb::new("apt", "2.6").field("Depends: libc6\n"),
        Deb::new("hello", "1.0").field("Depends: libc6\nRecommends: extra\n"),
        Deb::new("extra", "1.0"),
    ]
}

fn names(world: &World, packages: &[&str]) -> Vec<String> {
    let recipe = world.recipe(packages);
    recipe.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect()
}

#[track_caller]
fn check_error(world: &World, suite: &str, expected: Expect) -> BootstrapError {
    let error = world.resolve_suite(suite, &[]).unwrap_err();
    expected.assert_eq(&world.render(&error));
    error
}

#[test]
fn a_recipe_holds_the_base_apt_and_what_was_asked_for() {
    let world = World::with(&base());
    assert_eq!(names(&world, &[]), ["libc6 2.36-9", "dash 0.5", "apt 2.6"]);
    assert_eq!(names(&world, &["hello"]), ["libc6 2.36-9", "dash 0.5", "apt 2.6", "hello 1.0"]);
    let resolved = world.resolve_suite("bookworm", &[]).unwrap();
    assert_eq!(resolved.recipe.codename, "bookworm");
    assert_eq!(resolved.recipe.version_id.as_deref(), Some("12"));
    expect!["debian:bookworm assembled from http://MIRROR/debian (InRelease of 2026-07-11, 3 packages)"]
        .assert_eq(&world.mirror.redact(&resolved.origin.to_string()));
}

#[test]
fn the_same_packages_make_the_same_recipe() {
    let world = World::with(&base());
    let first = world.recipe(&["hello"]);
    let again = world.recipe(&["hello"]);
    let otherwise = world.recipe(&["hello", "libc6"]);
    assert_eq!(first.to_json(), again.to_json());
    assert_eq!(first.digest(), otherwise.digest());
    assert_ne!(first.digest(), world.recipe(&[]).digest());
}

#[test]
fn an_unchanged_mirror_is_asked_for_its_lists_once() {
    let world = World::with(&base());
    let asked = |part: &str| world.mirror.requests().iter().filter(|request| request.contains(part)).count();
    let first = world.recipe(&["hello"]);
    let lists = asked("Packages");
    assert_eq!(world.recipe(&["hello"]), first);
    assert_eq!(asked("Packages"), lists);
    assert_eq!(asked("InRelease"), 6);
}

#[test]
fn a_security_update_wins() {
    let world = World::with(&base());
    let update = [Deb::new("libc6", "2.36-9+deb12u1")];
    world.mirror.publish("debian-security", &BOOKWORM_SECURITY, &update, &world.key);
    let recipe = world.recipe(&[]);
    assert_eq!(recipe.packages[0].version, "2.36-9+deb12u1");
    assert_eq!(
        world.mirror.redact(&recipe.url(&recipe.packages[0])),
        "http://MIRROR/debian-security/pool/libc6_2.36-9+deb12u1.deb"
    );
}

#[test]
fn a_suite_may_be_asked_for_by_its_role() {
    let world = World::with(&base());
    world.mirror.put("debian/dists/oldstable/InRelease", {
        world.key.sign(&world.mirror.index("debian", &BOOKWORM, &base()))
    });
    let resolved = world.resolve_suite("oldstable", &[]).unwrap();
    assert_eq!(resolved.recipe, world.recipe(&[]));
}

#[test]
fn unstable_has_no_companions() {
    let world = World::new();
    let sid = Suite { codename: "sid", suite: "unstable", version: None, lines: "" };
    world.mirror.publish("debian", &sid, &base(), &world.key);
    let recipe = world.resolve_suite("sid", &[]).unwrap().recipe;
    assert_eq!(recipe.repositories.len(), 1);
    assert_eq!(recipe.version_id, None);
    assert!(!world.mirror.requests().iter().any(|request| request.contains("sid-")));
}

#[test]
fn testing_may_lack_its_companions() {
    let world = World::new();
    let forky = Suite { codename: "forky", suite: "testing", version: None, lines: "" };
    world.mirror.publish("debian", &forky, &base(), &world.key);
    assert_eq!(world.resolve_suite("forky", &[]).unwrap().recipe.repositories.len(), 1);
}

#[test]
fn a_stable_release_without_its_security_suite_is_refused() {
    let world = World::new();
    world.mirror.publish("debian", &BOOKWORM, &base(), &world.key);
    world.mirror.publish("debian", &BOOKWORM_UPDATES, &[], &world.key);
    check_error(
        &world,
        "bookworm",
        expect![[r#"
        bookworm needs bookworm-security, but http://MIRROR/debian-security/dists/bookworm-security/InRelease does not exist
        hint: name the mirror's security archive after a comma: --apt-mirror URL,SECURITY_URL
    "#]],
    );
}

#[test]
fn a_mirror_of_unknown_layout_needs_a_security_mirror() {
    let mut world = World::new();
    world.mirror.publish("d", &BOOKWORM, &base(), &world.key);
    world.mirror.publish("d", &BOOKWORM_UPDATES, &[], &world.key);
    world.mirror.publish("s", &BOOKWORM_SECURITY, &[], &world.key);
    world.sources = AptSources::from_mirror(&world.mirror.url("d")).unwrap();
    check_error(
        &world,
        "bookworm",
        expect![[r#"
        bookworm needs bookworm-security, but a security archive beside http://MIRROR/d does not exist
        hint: name the mirror's security archive after a comma: --apt-mirror URL,SECURITY_URL
    "#]],
    );
    let both = format!("{},{}", world.mirror.url("d"), world.mirror.url("s"));
    world.sources = AptSources::from_mirror(&both).unwrap();
    assert_eq!(world.recipe(&[]).repositories.len(), 3);
}

#[test]
fn the_next_mirror_is_tried_when_one_is_not_debian() {
    let mut world = World::with(&base());
    let text = "Origin: Vendor\nCodename: bookworm\n";
    world.mirror.put("vendor/debian/dists/bookworm/InRelease", Key::generate("vendor").sign(text));
    world.sources.main.insert(0, world.mirror.url("vendor/debian"));
    assert_eq!(world.recipe(&[]).packages.len(), 3);
    world.sources.main.pop();
    world.sources.main.push(world.mirror.url("nothing/debian"));
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    let BootstrapError::NoUsableMirror { tried, .. } = error else { panic!("{error}") };
    assert!(matches!(tried[0], BootstrapError::BadSignature { .. }), "{}", tried[0]);
    assert!(matches!(tried[1], BootstrapError::NotFound { .. }), "{}", tried[1]);
}

#[test]
fn no_mirror_at_all_is_said() {
    let mut world = World::new();
    world.sources.main.clear();
    check_error(
        &world,
        "bookworm",
        expect![[r#"
        no Debian mirror is known for bookworm
        hint: this host's apt configuration names no Debian repository; give one with --apt-mirror URL or DALEC_APT_MIRROR
    "#]],
    );
}

#[test]
fn an_unknown_suite_is_said() {
    let world = World::with(&base());
    check_error(
        &world,
        "bookwurm",
        expect![[r#"
        http://MIRROR/debian/dists/bookwurm/InRelease does not exist
        hint: the mirror may not carry this suite; choose another one with --apt-mirror
    "#]],
    );
    check_error(
        &world,
        "../../etc",
        expect![[r#"
            `../../etc` cannot be asked for: it is not the name of a suite
        "#]],
    );
}

#[test]
fn an_unreachable_mirror_is_said() {
    let mut world = World::new();
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/debian");
    world.sources = AptSources::from_mirror(&url).unwrap();
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot reach {url}/dists/bookworm/InRelease"));
    assert!(error.hint().is_some());
}

#[test]
fn a_tampered_index_is_refused() {
    let world = World::with(&base());
    let path = "debian/dists/bookworm/InRelease";
    let index = String::from_utf8(world.mirror.take(path)).unwrap();
    world.mirror.put(path, index.replace("12.15", "12.16").into_bytes());
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    assert!(matches!(error, BootstrapError::BadSignature { .. }), "{error}");
    assert!(error.to_string().ends_with("does not match the text"), "{error}");
}

#[test]
fn text_around_the_signed_part_is_not_believed() {
    let world = World::with(&base());
    let path = "debian/dists/bookworm/InRelease";
    let index = String::from_utf8(world.mirror.take(path)).unwrap();
    world.mirror.put(path, format!("Codename: evil\n\n{index}").into_bytes());
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    assert!(matches!(error, BootstrapError::Unsigned { .. }), "{error}");
    world.mirror.put(path, format!("{index}\nCodename: evil\n").into_bytes());
    if let Ok(resolved) = world.resolve_suite("bookworm", &[]) {
        assert_eq!(resolved.recipe.codename, "bookworm");
    }
}

#[test]
fn an_index_by_an_unknown_key_is_refused() {
    let world = World::with(&base());
    world.mirror.publish("debian", &BOOKWORM, &base(), &Key::generate("stranger"));
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    assert!(matches!(error, BootstrapError::BadSignature { .. }), "{error}");
    assert!(error.to_string().ends_with("is not trusted"), "{error}");
}

#[test]
fn an_index_without_signature_is_refused() {
    let world = World::with(&base());
    let text = world.mirror.index("debian", &BOOKWORM, &base());
    world.mirror.put("debian/dists/bookworm/InRelease", text.into_bytes());
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    assert!(matches!(error, BootstrapError::Unsigned { .. }), "{error}");
}

#[test]
fn a_signing_subkey_is_as_good_as_its_primary_key() {
    let world = World::with(&base());
    let text = world.mirror.index("debian", &BOOKWORM, &base());
    world.mirror.put("debian/dists/bookworm/InRelease", world.key.sign_with_subkey(&text));
    assert_eq!(world.recipe(&[]).packages.len(), 3);
}

#[test]
fn an_expired_index_is_refused_unless_told_otherwise() {
    let mut world = World::with(&base());
    let lines = "Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC\n";
    let suite = Suite { lines, ..BOOKWORM };
    world.mirror.publish("debian", &suite, &base(), &world.key);
    world.now = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    check_error(
        &world,
        "bookworm",
        expect![[r#"
        http://MIRROR/debian/dists/bookworm/InRelease expired: it was valid until Sat, 18 Jul 2026 10:16:37 UTC
        hint: the mirror is out of date, or this machine's clock is wrong; choose another mirror with --apt-mirror
    "#]],
    );
    world.sources.expiry_ignored = [world.mirror.url("debian")].into();
    let resolved = world.resolve_suite("bookworm", &[]).unwrap();
    assert!(resolved.origin.to_string().contains("expiry not checked"));
    assert_eq!(resolved.recipe.sources().matches("Check-Valid-Until: no").count(), 1);
    let suite = Suite { lines, ..BOOKWORM_SECURITY };
    world.mirror.publish("debian-security", &suite, &[], &world.key);
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    let BootstrapError::Expired { url, .. } = &error else { panic!("{error}") };
    assert!(url.contains("/debian-security/"), "{url}");
}

#[test]
fn the_index_of_another_suite_is_refused() {
    let world = World::with(&base());
    let trixie = world.mirror.index("debian", &Suite { codename: "trixie", ..BOOKWORM }, &base());
    world.mirror.put("debian/dists/bookworm/InRelease", world.key.sign(&trixie));
    check_error(
        &world,
        "bookworm",
        expect![[r#"
        http://MIRROR/debian/dists/bookworm/InRelease is the index of trixie, not of bookworm
    "#]],
    );
}

#[test]
fn a_tampered_list_of_packages_is_refused() {
    let world = World::with(&base());
    let path = "debian/dists/bookworm/main/binary-amd64/Packages.xz";
    let mut list = world.mirror.take(path);
    let last = list.len() - 1;
    list[last] ^= 1;
    world.mirror.put(path, list.clone());
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    let BootstrapError::HashMismatch { url, expected, actual } = &error else { panic!("{error}") };
    assert_eq!(world.mirror.redact(url), format!("http://MIRROR/{path}"));
    assert_eq!(*actual, crate::support::deb::sha256(&list));
    assert!(error.to_string().contains(expected.as_str()));
    list.pop();
    world.mirror.put(path, list);
    let error = world.resolve_suite("bookworm", &[]).unwrap_err();
    assert!(matches!(error, BootstrapError::SizeMismatch { .. }), "{error}");
}

#[test]
fn a_list_that_is_gone_is_said_to_have_moved() {
    let world = World::with(&base());
    world.mirror.take("debian/dists/bookworm/main/binary-amd64/Packages.xz");
    check_error(
        &world,
        "bookworm",
        expect![[r#"
        http://MIRROR/debian/dists/bookworm/main/binary-amd64/Packages.xz does not exist, though the mirror's signed index names it
        hint: the mirror is probably being updated at this moment; try again
    "#]],
    );
}

#[test]
fn lists_are_asked_for_by_digest_where_the_index_allows_it() {
    let world = World::with(&base());
    let suite = Suite { lines: "Acquire-By-Hash: yes\n", ..BOOKWORM };
    world.mirror.publish("debian", &suite, &base(), &world.key);
    let list = world.mirror.take("debian/dists/bookworm/main/binary-amd64/Packages.xz");
    let digest = crate::support::deb::sha256(&list);
    let directory = "debian/dists/bookworm/main/binary-amd64/by-hash/SHA256";
    world.mirror.put(&format!("{directory}/{digest}"), list);
    assert_eq!(world.recipe(&[]).packages.len(), 3);
}

#[test]
fn an_unsatisfiable_request_names_the_package_and_the_reason() {
    let mut debs = base();
    debs.push(Deb::new("broken", "1.0").field("Depends: libc6 (>= 3)\n"));
    let world = World::with(&debs);
    let error = world.resolve_suite("bookworm", &["hello", "broken"]).unwrap_err();
    expect![[r#"
        bookworm cannot provide broken:
        broken cannot be installed because there are no viable options:
        └─ broken 1.0 would require
           └─ libc6 >= 3 (there is 2.36-9), for which no candidates were found.
    "#]]
    .assert_eq(&world.render(&error));
    let error = world.resolve_suite("bookworm", &["nowhere"]).unwrap_err();
    expect![[r#"
        bookworm cannot provide nowhere:
        No candidates were found for nowhere.
    "#]]
    .assert_eq(&world.render(&error));
    let error = world.resolve_suite("bookworm", &["No Such"]).unwrap_err();
    expect![[r#"
        `No Such` cannot be asked for: `No Such` is not a package name
    "#]]
    .assert_eq(&world.render(&error));
}
