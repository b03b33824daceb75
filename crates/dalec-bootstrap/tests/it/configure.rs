//! From an unpacked tree to an installed one: the commands, and what is left behind.

use std::fs;
use std::os::unix::fs::MetadataExt;

use dalec_bootstrap::{BootstrapError, RootCommand, configure};
use expect_test::expect;

use crate::support::deb::Deb;
use crate::support::world::{OPTIONS, World};

fn packages() -> Vec<Deb> {
    vec![
        Deb::new("base-passwd", "3").field("Essential: yes\n").script("preinst", "#!/bin/sh\n"),
        Deb::new("dpkg", "1.21").field("Essential: yes\n"),
        Deb::new("libpam", "1").field("Essential: yes\nMulti-Arch: same\n").script("preinst", "#!/bin/sh\n"),
        Deb::new("man-db", "2").field("Essential: yes\n"),
        Deb::new("mawk", "1").field("Essential: yes\n").file("./usr/bin/mawk", 0o755, "awk"),
    ]
}

#[test]
fn commands_run_preinst_scripts_then_dpkg() {
    let world = World::with(&packages());
    let (recipe, root, unpacked) = world.assemble(&[]).unwrap();
    let mut commands = String::new();
    configure(&recipe, &root, unpacked, OPTIONS, &mut |command: &RootCommand| {
        commands.push_str(&format!("# {}\n{}\n", command.purpose, command.args.join(" ")));
        let path = command.env.iter().find(|(name, _)| name == "PATH").unwrap();
        assert!(path.1.starts_with("/run/bootstrap:"));
        assert!(root.join("run/bootstrap/ischroot").exists());
        assert!(command.env.contains(&("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())));
        Ok(())
    })
    .unwrap();
    expect![[r##"
        # prepare the packages
        /bin/sh -ec DPKG_MAINTSCRIPT_PACKAGE=base-passwd DPKG_MAINTSCRIPT_ARCH=amd64 DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_RUNNING_VERSION=1.21 DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT= /var/lib/dpkg/info/base-passwd.preinst install || { echo "preinst of base-passwd failed" >&2; exit 1; }
        DPKG_MAINTSCRIPT_PACKAGE=libpam DPKG_MAINTSCRIPT_ARCH=amd64 DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_RUNNING_VERSION=1.21 DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT= /var/lib/dpkg/info/libpam:amd64.preinst install || { echo "preinst of libpam failed" >&2; exit 1; }
        echo 'man-db man-db/auto-update boolean false' | debconf-set-selections

        # configure the packages
        /usr/bin/dpkg --force-confold --force-unsafe-io --no-triggers --configure base-passwd dpkg libpam man-db mawk
        # process the triggers
        /usr/bin/dpkg --force-unsafe-io --triggers-only --pending
    "##]].assert_eq(&commands);
}

#[test]
fn traces_are_removed_and_times_are_clamped() {
    let world = World::with(&packages());
    let (recipe, root, unpacked) = world.assemble(&[]).unwrap();
    configure(&recipe, &root, unpacked, OPTIONS, &mut |_| {
        fs::create_dir_all(root.join("var/log/apt"))?;
        fs::create_dir_all(root.join("var/cache/ldconfig"))?;
        for path in ["var/log/dpkg.log", "var/log/apt/term.log", "var/cache/ldconfig/aux-cache"] {
            fs::write(root.join(path), "now")?;
        }
        fs::write(root.join("etc/machine-id"), "0123")?;
        fs::write(root.join("etc/resolv.conf"), "nameserver 192.0.2.1")?;
        fs::write(root.join("etc/made"), "by a script")?;
        fs::write(root.join("var/lib/dpkg/status-old"), "")?;
        Ok(())
    })
    .unwrap();
    for path in [
        "var/log/dpkg.log",
        "var/log/apt/term.log",
        "var/cache/ldconfig/aux-cache",
        "etc/resolv.conf",
        "var/lib/dpkg/status-old",
        "run/bootstrap",
    ] {
        assert!(!root.join(path).exists(), "{path}");
    }
    assert_eq!(fs::read_to_string(root.join("etc/machine-id")).unwrap(), "");
    for path in ["etc/made", "etc", "var/log", ""] {
        let metadata = root.join(path).metadata().unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_600_000_000, 0), "{path}");
    }
}

#[test]
fn tidying_does_not_follow_links_out_of_the_root() {
    let world = World::with(&packages());
    let (recipe, root, unpacked) = world.assemble(&[]).unwrap();
    let outside = world.outside();
    fs::write(outside.join("machine-id"), "precious").unwrap();
    let before = outside.join("machine-id").metadata().unwrap().mtime();
    configure(&recipe, &root, unpacked, OPTIONS, &mut |_| {
        let _ = fs::remove_dir_all(root.join("tmp"));
        std::os::unix::fs::symlink(&outside, root.join("tmp")).or(Ok::<_, std::io::Error>(()))?;
        let target = outside.join("machine-id");
        std::os::unix::fs::symlink(target, root.join("etc/machine-id")).or(Ok(()))
    })
    .unwrap_or_else(|error| assert!(matches!(error, BootstrapError::Io { .. }), "{error}"));
    assert_eq!(fs::read_to_string(outside.join("machine-id")).unwrap(), "precious");
    assert_eq!(outside.join("machine-id").metadata().unwrap().mtime(), before);
}

#[test]
fn a_failing_command_ends_everything() {
    let world = World::with(&packages());
    let (recipe, root, unpacked) = world.assemble(&[]).unwrap();
    let mut runs = 0;
    let error = configure(&recipe, &root, unpacked, OPTIONS, &mut |_| {
        runs += 1;
        Err("exit status 1".into())
    })
    .unwrap_err();
    assert_eq!(runs, 1);
    assert_eq!(error.to_string(), "cannot prepare the packages");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "exit status 1");
}
