//! A small, real RPM distribution: Debian's programs as signed RPMs in a signed dnf repository, and images that dnf put
//! together from it.
//!
//! No RPM distribution's repository or image can be reached from every machine. What is tested is real all the same:
//! rpmbuild, dnf and rpm are Debian's, the packages have their dependencies, and every package and all metadata are signed
//! and verified. `tests/world/repackage.py` makes it. `DALEC_TEST_IMAGES=dnf5` takes Debian's testing release, which has version 5
//! of dnf and version 6 of rpm; as that changes from day to day, nobody does by default. On a machine that reaches the
//! distributions' own images, `DALEC_TEST_IMAGES=registry` uses those.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bases::{Root, inside, keep};
use crate::layout::{Layer, Layout};

/// What makes the packages, and what is in the repository.
const SCRIPT: &[u8] = include_bytes!("../world/repackage.py");

const PACKAGES: &[&str] = &[
    "autoconf",
    "automake",
    "binutils",
    "bison",
    "ca-certificates",
    "createrepo-c",
    "cpio",
    "debugedit",
    "erofs-utils",
    "file",
    "g++",
    "gcc",
    "gpg",
    "gpg-agent",
    "libcap2-bin",
    "libtool",
    "make",
    "passwd",
    "patch",
    "pkgconf",
    "python3-pip",
    "python3-setuptools",
    "python3-wheel",
    "rpm",
    "rpm2cpio",
    "systemd",
    "tzdata",
    "zlib1g-dev",
];

/// A release of Debian's that everything is made of.
struct Ground {
    suite: &'static str,
    /// What it is kept as.
    name: &'static str,
    /// The packages that are dnf.
    dnf: &'static [&'static str],
}

const DNF4: Ground = Ground { suite: "bookworm", name: "rpm-world", dnf: &["dnf", "dnf-plugins-core"] };
const DNF5: Ground = Ground { suite: "forky", name: "rpm-world-dnf5", dnf: &["dnf5"] };

const TOOLCHAINS: &[&str] = &["cargo", "golang-go", "rustc"];

/// What other repositories are made with.
const TOOLS: &[&str] = &["ca-certificates", "createrepo-c", "gpg", "gpg-agent", "python3", "rpm"];

/// A distribution that the images can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distribution {
    /// Target key.
    pub target: &'static str,
    /// The image that upstream's workers and containers start from.
    pub image: &'static str,
    /// The release package that its containers get, and `ID`, `VERSION_ID` and `%dist` of it.
    release: (&'static str, &'static str, &'static str, &'static str),
}

impl Distribution {
    /// Returns what ends the release of its packages, for example `.azl3`.
    pub fn dist(&self) -> &'static str {
        self.release.3
    }

    /// Returns its `ID` in `os-release`.
    pub fn id(&self) -> &'static str {
        self.release.1
    }
}

/// Every distribution that the images can stand for.
pub const DISTRIBUTIONS: &[Distribution] = &[
    Distribution {
        target: "azlinux3",
        image: "mcr.microsoft.com/azurelinux/base/core:3.0",
        release: ("azurelinux-release", "azurelinux", "3.0", ".azl3"),
    },
    Distribution {
        target: "azlinux4",
        image: "mcr.microsoft.com/azurelinux-beta/base/core:4.0",
        release: ("azurelinux-release", "azurelinux", "4.0", ".azl4"),
    },
    Distribution {
        target: "mariner2",
        image: "mcr.microsoft.com/cbl-mariner/base/core:2.0",
        release: ("mariner-release", "mariner", "2.0", ".cm2"),
    },
    Distribution {
        target: "almalinux8",
        image: "docker.io/library/almalinux:8",
        release: ("almalinux-release", "almalinux", "8", ".el8"),
    },
    Distribution {
        target: "almalinux9",
        image: "docker.io/library/almalinux:9",
        release: ("almalinux-release", "almalinux", "9", ".el9"),
    },
    Distribution {
        target: "rockylinux8",
        image: "docker.io/library/rockylinux:8",
        release: ("rocky-release", "rocky", "8", ".el8"),
    },
    Distribution {
        target: "rockylinux9",
        image: "docker.io/library/rockylinux:9",
        release: ("rocky-release", "rocky", "9", ".el9"),
    },
];

/// Returns the flags that give the target's images to a build: its worker, with all that it needs, and what containers
/// start from. With `DALEC_TEST_IMAGES=registry` there are none, and the distribution's own are used.
///
/// # Panics
/// When they cannot be made; needs root.
pub fn contexts(target: &str) -> Vec<String> {
    if wanted() == "registry" {
        return Vec::new();
    }
    let distribution = find(target);
    vec![
        format!("--build-context=dalec-{target}-worker={}", worker(target).context()),
        format!("--build-context={}={}", distribution.image, base(target).context()),
    ]
}

/// Returns which images the tests are asked to use; no text for those that can be had everywhere.
fn wanted() -> String {
    std::env::var("DALEC_TEST_IMAGES").unwrap_or_default()
}

/// Returns the words of the dnf that the images have: of version 4, or of version 5.
pub fn words<'a>(four: &'a str, five: &'a str) -> &'a str {
    if wanted() == "dnf5" { five } else { four }
}

fn ground() -> &'static Ground {
    if wanted() == "dnf5" { &DNF5 } else { &DNF4 }
}

/// Returns the image with `bash`, `coreutils`, `rpm` and `dnf`, as distributions ship it.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn base(target: &str) -> Layout {
    image(find(target), "base", &["repository", "base"])
}

/// Returns the image that packages are built in: the base with `rpmbuild` and a compiler.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn worker(target: &str) -> Layout {
    image(find(target), "worker", &["repository", "base", "worker"])
}

/// Returns the folder of a dnf repository with compilers of Go and Rust, and its key as `key.asc`. It is no part of the
/// images, and signed by another key than what is.
///
/// # Panics
/// When it cannot be made; needs root.
pub fn toolchains() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| repository("rpm-toolchains", TOOLCHAINS))
}

/// Returns the folder of another such repository, with npm.
///
/// # Panics
/// As [`toolchains`].
pub fn npm() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| repository("rpm-npm", &["npm"]))
}

/// Returns the folder of a repository with `packages`, and with those of what they need that the images do not have.
fn repository(name: &str, packages: &[&str]) -> PathBuf {
    let known = std::fs::read(world().join("packages")).expect("the world lists its packages");
    let ingredients = [SCRIPT, &known].concat();
    let mut packages = [TOOLS, packages].concat();
    packages.sort_unstable();
    keep(name, ground().suite, &packages, &ingredients, |root| {
        std::fs::write(root.path.join("known"), &known).expect("files can be written");
        repackage(root, &["/known"]);
        std::fs::rename(root.path.join("world/repository"), &root.result).expect("it can be moved");
    })
}

/// Returns the folder with the layers that all images are made of.
fn world() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let Ground { suite, name, dnf } = ground();
        keep(name, suite, &[PACKAGES, dnf].concat(), SCRIPT, |root| {
            repackage(root, &[]);
            let world = root.path.join("world");
            std::fs::create_dir(&root.result).expect("folders can be made");
            // In the images it is where its configuration says.
            let shown = root.scratch.join("shown");
            std::fs::create_dir(&shown).expect("folders can be made");
            std::fs::rename(world.join("repository"), shown.join("world")).expect("it can be moved");
            let pack = |tree: &Path, files: Option<&Path>, name: &str| {
                Layer::pack(tree, files, &root.result.join(format!("{name}.tar")));
            };
            pack(&shown, None, "repository");
            pack(&world.join("base"), None, "base");
            pack(&world.join("worker"), Some(&world.join("worker.files")), "worker");
            std::fs::copy(world.join("packages"), root.result.join("packages")).expect("it can be copied");
            std::fs::copy(shown.join("world/key.asc"), root.result.join("key.asc"))
                .expect("it can be copied");
        })
    })
}

/// Runs the script in a root of Debian's, where it writes below `/world`.
fn repackage(root: &Root, arguments: &[&str]) {
    std::fs::write(root.path.join("repackage.py"), SCRIPT).expect("the script can be written");
    let program = ["/usr/bin/python3", "/repackage.py", "/world"];
    let command: Vec<String> = program.iter().chain(arguments).map(|word| (*word).to_owned()).collect();
    let env = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"), ("LC_ALL", "C.UTF-8")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    inside(&root.path, &command, &env).expect("the packages can be made");
}

/// Returns the distribution of a target.
///
/// # Panics
/// When the images can stand for none of that name.
pub fn find(target: &str) -> &'static Distribution {
    DISTRIBUTIONS.iter().find(|distribution| distribution.target == target).expect("a known target")
}

/// Returns an image of `layers` that says it is `distribution`.
fn image(distribution: &Distribution, purpose: &str, layers: &[&str]) -> Layout {
    let folder = world().join(format!("{}-{purpose}", distribution.target));
    if folder.exists() {
        return Layout::open(&folder);
    }
    let scratch = tempfile::TempDir::new_in(world()).expect("folders can be made");
    let mut layers: Vec<Layer> =
        layers.iter().map(|name| Layer::read(&world().join(format!("{name}.tar")))).collect();
    let identity = scratch.path().join("identity");
    write_identity(distribution, &identity);
    layers.push(Layer::pack(&identity, None, &scratch.path().join("identity.tar")));
    let image = scratch.path().join("image");
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let config: Value = json!({ "Env": [path], "Cmd": ["bash"] });
    Layout::write(&image, &layers.iter().collect::<Vec<_>>(), config);
    match std::fs::rename(&image, &folder) {
        Ok(()) => {}
        // Another process was faster.
        Err(_) if folder.exists() => {}
        Err(error) => panic!("{}: {error}", folder.display()),
    }
    Layout::open(&folder)
}

/// Writes the files by which a root says which distribution it is, and where dnf finds that distribution's packages: all of
/// the repository but the releases of others.
fn write_identity(distribution: &Distribution, root: &Path) {
    let (package, id, version, dist) = distribution.release;
    let mut others: Vec<&str> = DISTRIBUTIONS.iter().map(|other| other.release.0).collect();
    others.retain(|name| *name != package);
    others.dedup();
    let repository = format!(
        "[world]\nname=Packages of the tests\nbaseurl=file:///world\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n\
         gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-world\nexcludepkgs={}\n",
        others.join(",")
    );
    for (path, text) in [
        ("etc/yum.repos.d/world.repo", repository),
        ("usr/lib/os-release", format!("NAME={package}\nID={id}\nVERSION_ID={version}\n")),
        ("etc/rpm/macros.dist", format!("%dist {dist}\n")),
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("folders can be made");
        std::fs::write(path, text).expect("files can be written");
    }
}
