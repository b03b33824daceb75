//! System extensions of Debian packages, judged by erofs-utils and by systemd.

use dalec_e2e::extensions::{ARCHITECTURE, Extension, KIT};
use dalec_e2e::run::{Project, Who};

/// TGT-024 to TGT-026: with the packages and the tools of a release that has extensions of its own.
#[test]
fn an_extension_of_trixie() {
    let project = Project::new(KIT);
    project.build("trixie/testing/sysext").succeeds();
    let image = format!("kit-v1.0.0-1-trixie-{ARCHITECTURE}");
    assert_eq!(project.outputs(), [format!("{image}.raw")]);
    Extension::read(&project.output(".raw")).is_kit(&image, "ID=_any\n");
    let other = Project::new(KIT);
    other.build_as(Who::Ordinary, "trixie/testing/sysext").arg("--no-cache=dalec.pkg").succeeds();
    let read = |project: &Project| std::fs::read(project.output(".raw")).unwrap();
    assert!(read(&project) == read(&other), "an ordinary user makes another");
}

/// What no extension can hold is said at its place, before anything is built.
#[test]
fn files_have_to_be_where_extensions_have_them() {
    let links = "  links:\n    - source: /usr/bin/kit\n      dest: /srv/kit\n";
    let project = Project::new(&KIT.replace("dependencies:", &format!("{links}dependencies:")));
    let ran = project.build("trixie/testing/sysext").fails(2);
    ran.says(&["a system extension cannot hold /srv/kit", "spec.yml:44:", "below /usr and /opt"]);
    let project = Project::new(&KIT.replace("subpath: kit", "subpath: systemd/system"));
    let ran = project.build("azlinux3/testing/sysext").fails(2);
    ran.says(&["a system extension cannot hold /etc/systemd/system/kit.conf", "spec.yml:"]);
    let ran = Project::new(KIT).build("bookworm/testing/sysext").fails(2);
    ran.says(&["there is no target `bookworm/testing/sysext`"]);
}

/// Ubuntu's images come from a registry or a context: here Debian's stand in for them, which share the tools.
mod root {
    use dalec_e2e::bases;
    use dalec_e2e::extensions::attached;
    use dalec_e2e::run::Invocation;

    use super::*;
    use crate::repositories;

    const ROUTE: &str = "flatcar/testing/sysext";
    const SYSTEM: &str = "ID=flatcar\nVERSION_ID=4593.0.0\nSYSEXT_LEVEL=1.0\n";

    fn build(project: &Project, who: Who, route: &str) -> Invocation {
        let context = |name: &str, value: String| format!("--build-context={name}={value}");
        project.build_as(who, route).args([
            context("dalec-noble-worker", bases::worker("bookworm").context()),
            context("ubuntu:noble", bases::base("bookworm").context()),
        ])
    }

    /// TGT-006, TGT-024 to TGT-026: the program, what it is set up with and the service are there once it is attached.
    #[test]
    fn flatcar_attaches_it() {
        let project = Project::new(KIT);
        build(&project, Who::Me, ROUTE).succeeds();
        assert_eq!(project.outputs(), ["kit.raw"]);
        let image = project.output(".raw");
        Extension::read(&image).is_kit("kit", "ID=flatcar\nSYSEXT_LEVEL=1.0\n");
        let said = attached(&image, "kit", SYSTEM, "usr/bin/kit && cat etc/kit/kit.conf && ls usr/bin");
        assert_eq!(said, "I am kit\na = b\nfile\nkit\n");
        for other in [SYSTEM.replace("flatcar", "debian"), SYSTEM.replace("1.0", "2.0")] {
            assert_eq!(attached(&image, "kit", &other, "ls usr/bin"), "", "{other} takes what is not for it");
        }
    }

    /// TGT-025
    #[test]
    fn build_arguments_say_what_it_is_for() {
        let project = Project::new(KIT);
        let arguments = ["OS_ID=debian", "OS_VERSION_ID=13", "SYSEXT_LEVEL=", "IMAGE_NAME=mine.raw"];
        let arguments = arguments.map(|argument| format!("--build-arg=DALEC_SYSEXT_{argument}"));
        build(&project, Who::Me, ROUTE).args(arguments).succeeds();
        assert_eq!(project.outputs(), ["mine.raw"]);
        let image = project.output(".raw");
        Extension::read(&image).is_kit("mine", "ID=debian\nVERSION_ID=13\n");
        let on = |version: &str| {
            attached(&image, "kit", &format!("ID=debian\nVERSION_ID={version}\n"), "ls usr/bin")
        };
        assert_eq!((on("13").as_str(), on("14").as_str()), ("file\nkit\n", ""));
        let ran = build(&project, Who::Me, ROUTE).arg("--build-arg=DALEC_SYSEXT_IMAGE_NAME=../mine").fails(2);
        ran.says(&["cannot be called \"../mine\"", "DALEC_SYSEXT_IMAGE_NAME"]);
    }

    /// TGT-026: all constraints on a name hold for one package, also where the newest does not meet them.
    #[test]
    fn dependencies_meet_their_constraints() {
        for (version, expected) in [("", "2.0"), ("\">= 1.1\", \"< 2\"", "1.2"), ("\"1.0\"", "1.0")] {
            let sysext = format!("  sysext:\n    extra-tool:\n      version: [{version}]\n");
            let project = repositories::project(&sysext, "[install]");
            build(&project, Who::Me, ROUTE).succeeds();
            let text = Extension::read(&project.output(".raw")).text("usr/bin/extra-tool");
            assert!(text.ends_with(&format!("extra {expected}\n")), "{text}");
        }
        let project = Project::new(&KIT.replace("file: {}", "file: {version: [\">= 99:0\"]}"));
        let ran = build(&project, Who::Me, ROUTE).fails(1);
        ran.says(&["dependency \"file (>= 99:0)\" cannot be downloaded", "spec.yml:45:"]);
    }

    /// TGT-021: packages of a context are not built again.
    #[test]
    fn packages_may_be_given() {
        let project = Project::new(KIT);
        build(&project, Who::Me, "noble/deb").succeeds();
        let given = format!("flatcar-pkg={}", project.path("out").display());
        let other = Project::new(&KIT.replace("echo I am kit", "echo I am not"));
        build(&other, Who::Me, ROUTE).args(["--build-context", &given]).succeeds().says(&["flatcar-pkg"]);
        let text = Extension::read(&other.output(".raw")).text("usr/bin/kit");
        assert!(text.ends_with("echo I am kit\n"), "{text}");
    }

    /// TEST-001
    #[test]
    fn a_failing_test_keeps_the_image() {
        let project = Project::new(&KIT.replace("equals: \"I am kit", "equals: \"I am not"));
        build(&project, Who::Me, ROUTE).fails(1).says(&["I am kit", "spec.yml:"]);
        assert_eq!(project.outputs(), Vec::<String>::new());
    }
}
