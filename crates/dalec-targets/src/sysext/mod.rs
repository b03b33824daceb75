//! System extensions: images that systemd lays over the `/usr` and `/opt` of a running system (systemd-sysext(8)).
//!
//! An image holds the files of the built packages and of the packages in `dependencies.sysext`, and nothing that those
//! need in turn. Nothing here knows how packages are built or downloaded: a family hands over directories with packages
//! of its kind, and a root file system that can unpack them and has `mkfs.erofs`.

mod content;
pub(crate) mod host;
mod names;
mod settings;

use dalec_llb::{Exec, Mount, Network, ProgressGroup, State};

pub(crate) use content::{Installed, check, warnings};
pub use settings::Settings;
pub(crate) use settings::{ANYWHERE, Defaults};

use crate::date::epoch;
use crate::error::PlanError;
use crate::image_config::PATH;
use crate::request::Request;
use names::Names;

const IMAGE: &str = include_str!("scripts/image.sh");

/// What an image is made of.
pub(crate) struct Ingredients<'a> {
    /// Key of the target that it is for.
    pub target: &'a str,
    /// What the target wants where the client says nothing.
    pub defaults: &'a Defaults,
    /// Root file system to work in.
    pub root: &'a State,
    /// The built packages, without those with debug symbols.
    pub packages: &'a State,
    /// The packages in `dependencies.sysext`.
    pub dependencies: &'a State,
}

/// Returns a file system with the image at its top.
///
/// # Errors
/// [`PlanError::MissingFields`] for parts of its name that the spec lacks, [`PlanError::Invalid`] for those that no
/// name can have, for settings that cannot be written, and for a processor that systemd has no name for.
pub(crate) fn plan(request: &Request<'_>, ingredients: &Ingredients<'_>) -> Result<State, PlanError> {
    let Ingredients { target, defaults, root, packages, dependencies } = ingredients;
    let settings = request.options.sysext.over(defaults);
    let names = Names::new(request.spec, target, &request.platform.architecture, &settings, defaults)?;
    let release = settings.release(names.architecture)?;
    let epoch = epoch(request.spec).to_string();
    let args = ["/bin/sh", "-c", IMAGE, "image", names.name, &names.image, &release, &epoch];
    let exec = Exec::new(args)
        .env("PATH", PATH)
        .network(Network::None)
        .name(format!("Make {}.raw", names.image))
        .group(&ProgressGroup::new(format!("{target}: system extension")))
        .mount(Mount::bind("/work/packages", packages).readonly())
        .mount(Mount::bind("/work/dependencies", dependencies).readonly())
        .mount(Mount::output("/work/out"));
    Ok(root.run(exec).output("/work/out"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_script_is_one() {
        let checked = std::process::Command::new("sh").args(["-n", "-c", super::IMAGE]).status();
        assert!(checked.expect("a shell").success());
    }
}
