//! What must hold for the engine's own mounts, whoever makes them.

use std::path::Path;

use dalec_engine::mount::{self, Access, MountError, Overlay, Writable};

use crate::cases::mounts_of_this_process;
use crate::world::{Case, World, cases};

pub const ALL: &[(&str, Case)] = cases![
    overlay_shows_layers_in_order,
    overlay_of_many_layers_with_odd_names,
    readonly_views_refuse_writes,
    mounts_go_when_dropped,
    mount_of_nothing_is_an_error,
    lost_upper_directory_is_named,
];

fn layers(count: usize, name: impl Fn(usize) -> String) -> (tempfile::TempDir, Vec<std::path::PathBuf>) {
    let base = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..count).map(|number| base.path().join(name(number))).collect();
    for (number, path) in paths.iter().enumerate() {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("top"), number.to_string()).unwrap();
        std::fs::write(path.join(format!("file{number}")), "").unwrap();
    }
    (base, paths)
}

fn view<'a>(world: &World, lowers: &'a [std::path::PathBuf], writable: Option<Writable<'a>>) -> Overlay<'a> {
    Overlay { lowers, writable, user_namespace: world.mode.in_user_namespace() }
}

fn overlay_shows_layers_in_order(world: &World) {
    let (_base, paths) = layers(3, |number| number.to_string());
    let target = tempfile::tempdir().unwrap();
    let mounted = mount::overlay(&view(world, &paths, None), target.path()).unwrap();
    assert_eq!(std::fs::read_to_string(mounted.path().join("top")).unwrap(), "2");
    assert_eq!(std::fs::read_dir(mounted.path()).unwrap().count(), 4);
    mounted.unmount().unwrap();
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
}

fn overlay_of_many_layers_with_odd_names(world: &World) {
    let (_base, paths) = layers(150, |number| format!("sha256:{number:0>200},a\\b=\"c d\""));
    let [target, scratch] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [upper, work] = ["up,per:1", "wo\\rk"].map(|name| scratch.path().join(name));
    std::fs::create_dir(&upper).unwrap();
    std::fs::create_dir(&work).unwrap();
    let overlay = view(world, &paths, Some(Writable { upper: &upper, work: &work }));
    let mounted = mount::overlay(&overlay, target.path()).unwrap();
    assert_eq!(std::fs::read_to_string(mounted.path().join("top")).unwrap(), "149");
    std::fs::remove_file(mounted.path().join("file0")).unwrap();
    std::fs::rename(mounted.path().join("file1"), mounted.path().join("renamed")).unwrap();
    drop(mounted);
    let mut written: Vec<_> = std::fs::read_dir(&upper)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    assert_eq!(written, ["file0", "file1", "renamed"]);
}

fn readonly_views_refuse_writes(world: &World) {
    let (_base, paths) = layers(2, |number| number.to_string());
    let target = tempfile::tempdir().unwrap();
    for lowers in [&paths[..1], &paths[..]] {
        let mounted = mount::overlay(&view(world, lowers, None), target.path()).unwrap();
        let error = std::fs::write(mounted.path().join("new"), "").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }
    let mounted = mount::bind(&paths[0], target.path(), Access::ReadOnly).unwrap();
    assert!(std::fs::write(mounted.path().join("new"), "").is_err());
}

fn mounts_go_when_dropped(_: &World) {
    let target = tempfile::tempdir().unwrap();
    let before = mounts_of_this_process();
    let mounted = mount::tmpfs(target.path(), Some(1 << 20)).unwrap();
    std::fs::write(mounted.path().join("file"), "").unwrap();
    // A mount in use goes, too: out of sight, and for good when the last user is gone.
    let user = std::fs::File::open(mounted.path().join("file")).unwrap();
    drop(mounted);
    assert_eq!(mounts_of_this_process(), before);
    drop(user);
}

fn mount_of_nothing_is_an_error(world: &World) {
    let target = tempfile::tempdir().unwrap();
    let error = mount::overlay(&view(world, &[], None), target.path()).unwrap_err();
    assert!(matches!(error, MountError::NoLayer { .. }), "{error}");
    let (_base, mut paths) = layers(2, |number| number.to_string());
    paths.push("/no/such/layer".into());
    let error = mount::overlay(&view(world, &paths, None), target.path()).unwrap_err();
    assert_eq!(error.to_string(), "cannot open /no/such/layer");
}

/// An upper directory on a file system that cannot carry it: `/proc` takes no overlays anywhere.
fn lost_upper_directory_is_named(world: &World) {
    let (_base, paths) = layers(2, |number| number.to_string());
    let target = tempfile::tempdir().unwrap();
    let writable = Writable { upper: Path::new("/proc/self/fd"), work: Path::new("/proc/self/fdinfo") };
    let error = mount::overlay(&view(world, &paths, Some(writable)), target.path()).unwrap_err();
    assert!(
        error.to_string().starts_with("the file system of /proc/self/fd cannot carry overlay mounts"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("--state-dir"));
}
