//! The head of the spec file: names, sources, dependencies.

use std::collections::BTreeMap;

use dalec_spec::target_spec::{PackageConstraint, TargetSpec};

use super::{BUILD_SCRIPT, origin, scriptlets};
use crate::error::PlanError;
use crate::generators::{self, KINDS, edits};
use crate::quote::one_line;
use crate::rpm::escape::line;
use crate::rpm::names::Names;
use crate::rpm::places::Place;
use crate::rpm::relation::tags;

/// Returns the head.
///
/// # Errors
/// [`PlanError::Invalid`] for a dependency that would break out of its line, or a source whose name is taken.
pub(super) fn render(spec: &TargetSpec, names: &Names, places: &[Place<'_>]) -> Result<String, PlanError> {
    let artifacts = &spec.artifacts;
    let mut text = String::new();
    if artifacts.disable_strip {
        text.push_str("%global __strip /bin/true\n");
    }
    if !artifacts.systemd.units.is_empty() || !artifacts.systemd.dropins.is_empty() {
        // Not every distribution has the macro where packages are built.
        text.push_str("%{!?_unitdir:%global _unitdir /usr/lib/systemd/system}\n");
    }
    field(&mut text, "Name", names.package());
    field(&mut text, "Epoch", names.epoch().unwrap_or_default());
    field(&mut text, "Version", names.version());
    text.push_str(&format!("Release: {}%{{?dist}}\n", names.release()));
    field(&mut text, "License", &line(&spec.license));
    field(&mut text, "Summary", &line(spec.description.trim().lines().next().unwrap_or_default()));
    if artifacts.disable_auto_requires {
        text.push_str("AutoReq: no\n");
    }
    // It is one word to RPM.
    let website: Vec<&str> = spec.website.split_whitespace().collect();
    field(&mut text, "URL", &line(&website.join("%20")));
    field(&mut text, "Vendor", &line(&spec.vendor));
    field(&mut text, "Packager", &line(&spec.packager));
    if spec.noarch {
        text.push_str("BuildArch: noarch\n");
    }
    let mut group = |lines: String| {
        if !lines.is_empty() {
            text.push('\n');
            text.push_str(&lines);
        }
    };
    group(sources(spec)?);
    group(tags("Conflicts", &spec.conflicts)?);
    group(provides(spec)?);
    group(tags("Obsoletes", &spec.replaces)?);
    group(scriptlets::requires(spec, places));
    group(tags("BuildRequires", &spec.dependencies.build)?);
    group(tags("Requires", &spec.dependencies.runtime)?);
    group(tags("Recommends", &spec.dependencies.recommends)?);
    Ok(text)
}

fn field(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        text.push_str(&format!("{name}: {value}\n"));
    }
}

fn sources(spec: &TargetSpec) -> Result<String, PlanError> {
    let mut text = String::new();
    let spec_file = format!("{}.spec", spec.name);
    let mut files: BTreeMap<String, &str> =
        BTreeMap::from([(BUILD_SCRIPT.to_owned(), "the build steps"), (spec_file, "the spec file")]);
    files.extend(KINDS.iter().map(|kind| (file_name(kind.directory, true), kind.title)));
    for (index, (name, source)) in spec.sources.iter().enumerate() {
        let file = file_name(name, source.is_dir());
        let taken = files.insert(file.clone(), "another source");
        if taken.is_some() || one_line(name) != *name {
            return Err(PlanError::Invalid {
                message: match taken {
                    Some(other) => format!(
                        "source {name:?} becomes the file {file:?} of the source package, which is that of {other}"
                    ),
                    None => format!("a source cannot be called {name:?} in an RPM package"),
                },
                spans: vec![source.span],
                hint: Some("choose another name".into()),
            });
        }
        text.push_str(&origin::comment(source));
        text.push_str(&format!("Source{index}: {}\n", line(&file)));
    }
    let edits = edits::patch_names(spec).map(|name| line(&name));
    let downloads = generators::wanted(spec).map(|kind| file_name(kind.directory, true));
    let script = (!spec.build.steps.is_empty()).then(|| BUILD_SCRIPT.to_owned());
    for (index, file) in edits.chain(downloads).chain(script).enumerate() {
        text.push_str(&format!("Source{}: {file}\n", spec.sources.len() + index));
    }
    Ok(text)
}

/// Returns the name of a source among the files that a source package is made of.
pub(in crate::rpm) fn file_name(source: &str, is_dir: bool) -> String {
    if is_dir { format!("{source}.tar.gz") } else { source.to_owned() }
}

/// Since version 4.19 RPM finds out which users own files and requires them; the package makes its own ones itself.
fn provides(spec: &TargetSpec) -> Result<String, PlanError> {
    let list: &BTreeMap<String, PackageConstraint> = &spec.provides;
    let users = spec.artifacts.users.iter().map(|name| format!("Provides: user({name})\n"));
    let groups = spec.artifacts.groups.iter().map(|name| format!("Provides: group({name})\n"));
    let own: String = users.chain(groups).collect();
    Ok(tags("Provides", list)? + &own)
}
