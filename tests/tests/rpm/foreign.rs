//! Containers and workers for another processor on a machine that does not run its programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use dalec_e2e::layout::{Layer, Layout};
use dalec_e2e::rpm_world;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::script;
use serde_json::json;

use crate::cross::FOR_ARM;

const TARGET: &str = "rockylinux8";
const IMAGE: &str = "docker.io/library/rockylinux:8";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Images with packages for arm64 in their repositories. The world has none, so these hold what matters here: their names,
/// and what their scripts are.
struct Images {
    project: Project,
}

impl Images {
    fn for_project(project: Project) -> Self {
        let shown = project.path("shown");
        for (name, provides, script) in [
            ("filesystem", "", ""),
            ("shell", "Provides: /bin/sh /sbin/ldconfig\n", ""),
            ("rpm-build", "", ""),
            ("ca-certificates", "", "%post\ntrust extract\n"),
            ("tzdata", "", "%post -p <lua>\nprint('set')\n"),
            ("ldconfigured", "", "%post -p /sbin/ldconfig\n"),
        ] {
            rpm(&project, name, provides, script);
        }
        let config = "[arm]\nname=arm\nbaseurl=file:///arm\ngpgcheck=0\n";
        project.write("shown/etc/yum.repos.d/arm.repo", config);
        run(Command::new("createrepo_c").args(["--quiet", "--no-database"]).arg(shown.join("arm")));
        let more = Layer::pack(&shown, None, &project.path("arm.tar"));
        let mut layers = rpm_world::worker(TARGET).layers();
        layers.push(more);
        let config = json!({ "Env": [PATH] });
        Layout::write(&project.path("native"), &layers.iter().collect::<Vec<_>>(), config.clone());
        project.write("small/etc/small", "");
        let small = Layer::pack(&project.path("small"), None, &project.path("small.tar"));
        let platform = json!({ "architecture": "arm64", "os": "linux" });
        Layout::write_for(&platform, &project.path("foreign"), &[&small], config);
        Self { project }
    }

    /// Builds with `name` as the machine's image, and an image for arm64 to start from.
    fn build(&self, route: &str, name: &str) -> Invocation {
        let context = |name: &str, folder: &str| {
            format!("--build-context={name}={}", Layout::open(&self.project.path(folder)).context())
        };
        let build = self.project.build(route).args(FOR_ARM);
        build.args([context(name, "native"), context(&format!("{IMAGE}::linux/arm64"), "foreign")])
    }
}

fn run(command: &mut Command) {
    let done = command.output().expect("it starts");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Makes a package for arm64 with the file `/usr/share/NAME`.
fn rpm(project: &Project, name: &str, provides: &str, script: &str) {
    let spec = format!(
        "Name: {name}\nVersion: 1\nRelease: 1\nSummary: {name}\nLicense: MIT\n{provides}%description\n%install\n\
         mkdir -p %{{buildroot}}/usr/share\necho {name} >%{{buildroot}}/usr/share/{name}\n{script}%files\n/usr/share/{name}\n"
    );
    let file = format!("{name}.spec");
    project.write(&file, spec);
    let define = |name: &str, path: &Path| format!("{name} {}", path.display());
    run(Command::new("rpmbuild")
        .args(["-bb", "--quiet", "--target", "aarch64-linux"])
        .args(["--define", &define("_topdir", &project.path("rpmbuild"))])
        .args(["--define", &define("_rpmdir", &project.path("shown/arm"))])
        .arg(project.path(&file)));
}

/// A package for arm64 that needs `dependency` when it runs.
fn greeting(dependency: &str) -> Project {
    let spec = script("hello", &format!("dependencies:\n  runtime:\n    {dependency}: {{}}\n"));
    Project::new(&spec.replace("noarch: true\n", ""))
}

const WORKER: &str = "dalec-rockylinux8-worker::linux/amd64";

mod root {
    use super::*;

    /// TGT-010, TGT-013: the worker's dnf takes packages for the other processor; scripts in Lua are rpm's own, and those of
    /// an ldconfig are not needed.
    #[test]
    fn a_container() {
        let images = Images::for_project(greeting("ldconfigured"));
        images.build("rockylinux8/container", WORKER).succeeds();
        let root = images.project.path("out");
        for path in ["usr/bin/hello", "usr/lib/os-release", "usr/share/tzdata", "usr/share/ldconfigured"] {
            assert!(root.join(path).exists(), "{path}");
        }
        let mut rpm = Command::new("rpm");
        rpm.arg("--dbpath").arg(root.join("var/lib/rpm")).args(["-qa", "--qf", "%{NAME} %{ARCH}\n"]);
        let said = String::from_utf8(rpm.output().unwrap().stdout).unwrap();
        for package in ["hello aarch64", "tzdata aarch64", "rocky-release noarch"] {
            assert!(said.contains(package), "{said}");
        }
        assert!(!said.contains("x86_64"), "{said}");
    }

    /// TGT-010, TGT-018: what a script does would be missing.
    #[test]
    fn a_script_for_the_processor_is_named() {
        let images = Images::for_project(greeting("ca-certificates"));
        for route in ["rockylinux8/container", "rockylinux8/container/depsonly"] {
            let ran = images.build(route, WORKER).fails(1);
            ran.says(&["scripts of these packages have to run on aarch64", "ca-certificates"]);
        }
    }

    /// TGT-010: as upstream, a worker is put together without emulation, and without what scripts do.
    #[test]
    fn a_worker() {
        let images = Images::for_project(Project::new(&script("any", "")));
        let build = images.build("rockylinux8/worker", &format!("{IMAGE}::linux/amd64"));
        build.args(["--metadata-file", "metadata.json"]).succeeds();
        let root = images.project.path("out");
        for path in ["etc/small", "usr/share/rpm-build", "usr/share/ca-certificates"] {
            assert!(root.join(path).exists(), "{path}");
        }
        assert!(!root.join("usr/bin/rpmbuild").exists(), "the machine's own packages are in it");
    }

    /// TGT-010, TGT-008: one that is given is passed on, and nothing runs.
    #[test]
    fn a_worker_that_is_given() {
        let images = Images::for_project(Project::new(&script("any", "")));
        let foreign = Layout::open(&images.project.path("foreign")).context();
        for worker in ["dalec-rockylinux8-worker", "dalec-bookworm-worker::linux/arm64"] {
            let route = if worker.contains("rocky") { "rockylinux8/worker" } else { "bookworm/worker" };
            let _ = fs::remove_dir_all(images.project.path("out"));
            let context = format!("--build-context={worker}={foreign}");
            images.project.build(route).args(FOR_ARM).arg(context).succeeds();
            assert_eq!(images.project.outputs(), ["etc/small"]);
        }
    }
}
