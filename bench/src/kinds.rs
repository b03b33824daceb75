//! What is measured when packages of several families are built: one program, on workers that are ready.

use dalec_e2e::layout::Layout;
use dalec_e2e::run::Project;
use dalec_e2e::{bases, rpm_world, specs};

/// A kind of package, and the images that it needs, by the names of their contexts.
pub struct Kind {
    /// What `--target` names.
    pub target: &'static str,
    /// The images. Upstream knows them by the same names.
    pub contexts: Vec<(&'static str, Layout)>,
}

impl Kind {
    /// Returns one kind of each family; makes their images if need be, for which it has to be root.
    pub fn all() -> [Self; 3] {
        let rpm = rpm_world::find("azlinux3");
        [
            Self {
                target: "bookworm/deb",
                contexts: vec![
                    ("dalec-bookworm-worker", bases::worker("bookworm")),
                    ("docker.io/library/debian:bookworm", bases::base("bookworm")),
                ],
            },
            Self {
                target: "azlinux3/rpm",
                contexts: vec![
                    ("dalec-azlinux3-worker", rpm_world::worker(rpm.target)),
                    (rpm.image, rpm_world::base(rpm.target)),
                ],
            },
            Self {
                target: "windowscross/zip",
                contexts: vec![("dalec-windowscross-worker", bases::cross_worker())],
            },
        ]
    }

    /// Returns the flags that give its images to `dalec build` and to buildx.
    pub fn flags(&self) -> impl Iterator<Item = String> {
        self.contexts.iter().map(|(name, image)| format!("--build-context={name}={}", image.context()))
    }
}

/// Returns a project of one C program that every kind can be made of. Its main context is its folder.
pub fn project() -> Project {
    let project = Project::new(include_str!("../everywhere.yml"));
    change(&project, 0);
    project
}

/// Changes a line of the program: each number gives other sources, and the same program.
pub fn change(project: &Project, number: usize) {
    let source = specs::example("hello/hello.c");
    project.write("hello.c", source.replace("return 0;", &format!("return 0 * {number};")));
}
