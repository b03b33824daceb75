//! What the package installs.

use crate::codes;
use crate::decode::{Decoder, Field, Flag, List, Map, Mode, Object, Text, object};
use crate::diagnostic::Diagnostic;
use crate::emit::{Tree, entry};
use crate::raw::rules::{Account, CapabilityName, InnerPath, NewAccount, Path};
use crate::resolve::Resolver;
use crate::target_spec::Artifacts;

/// Artifacts by path in the build root.
type Files = Map<RawArtifact, Path>;

object! {
    /// What the package installs, by kind.
    RawArtifacts: "the artifacts", open, check check_artifacts {
        /// Programs.
        "binaries" binaries: Files,
        /// Manual pages.
        "manpages" manpages: Files,
        /// Architecture-independent data.
        "data_dirs" data_dirs: Files,
        /// Programs run by programs.
        "libexec" libexec: Files,
        /// Add-on software.
        "opt" opt: Files,
        /// Configuration files.
        "configFiles" config_files: Files,
        /// Documentation.
        "docs" docs: Files,
        /// Licence texts.
        "licenses" licenses: Files,
        /// Libraries.
        "libs" libs: Files,
        /// C headers.
        "headers" headers: Files,
        /// Directories.
        "createDirectories" directories: RawDirectories,
        /// Symbolic links.
        "links" links: List<RawLink>,
        /// systemd units and drop-ins.
        "systemd" systemd: RawSystemd,
        /// Users to create.
        "users" users: List<RawUser>,
        /// Groups to create.
        "groups" groups: List<RawGroup>,
        /// Keeps symbols in binaries.
        "disable_strip" disable_strip: Flag,
        /// Leaves out automatically found dependencies.
        "disable_auto_requires" disable_auto_requires: Flag,
    }
}

object! {
    /// How one artifact is installed.
    RawArtifact: "an artifact", open => Artifact, span {
        /// Directory below the kind's directory.
        "subpath" subpath: Text<InnerPath>,
        /// Name of the installed file.
        "name" name: Text<InnerPath>,
        /// Permission bits.
        "permissions" permissions: Option<Mode>,
        /// Owner.
        "user" user: Text<Account>,
        /// Group.
        "group" group: Text<Account>,
        /// File capabilities.
        "linux_capabilities" capabilities: List<RawCapability>,
    }
}

object! {
    /// A Linux file capability.
    RawCapability: "a capability", open, check check_capability => Capability {
        /// Name.
        "name" name: Text<CapabilityName>,
        /// In the effective set.
        "effective" effective: Flag,
        /// In the permitted set.
        "permitted" permitted: Flag,
        /// In the inheritable set.
        "inheritable" inheritable: Flag,
    }
}

object! {
    /// Directories the package owns.
    RawDirectories: "the directories", open {
        /// Below `/etc`.
        "config" config: Map<RawDirectory, InnerPath>,
        /// Below `/var/lib`.
        "state" state: Map<RawDirectory, InnerPath>,
    }
}

object! {
    /// A directory the package owns.
    RawDirectory: "a directory", open => DirectoryConfig, span {
        /// Permission bits.
        "mode" mode: Option<Mode>,
        /// Owner.
        "user" user: Text<Account>,
        /// Group.
        "group" group: Text<Account>,
    }
}

object! {
    /// A symbolic link of the package.
    RawLink: "a link", open, check check_link => Link, span {
        /// What the link points to.
        "source" source: Text<Path>,
        /// Path of the link.
        "dest" dest: Text<InnerPath>,
        /// Owner.
        "user" user: Text<Account>,
        /// Group.
        "group" group: Text<Account>,
    }
}

object! {
    /// systemd units and drop-ins.
    RawSystemd: "the systemd settings", open {
        /// Units by path in the build root.
        "units" units: Map<RawUnit, Path>,
        /// Drop-ins by path in the build root.
        "dropins" dropins: Map<RawDropin, Path>,
    }
}

object! {
    /// A systemd unit.
    RawUnit: "a systemd unit", open => Unit, span {
        /// Installed name.
        "name" name: Text<InnerPath>,
        /// Enabled at first installation.
        "enable" enable: Flag,
        /// Started at first installation.
        "start" start: Option<Flag>,
    }
}

object! {
    /// A systemd drop-in.
    RawDropin: "a systemd drop-in", open, check check_dropin => Dropin, span {
        /// Installed name.
        "name" name: Text<InnerPath>,
        /// Unit the drop-in belongs to.
        "unit" unit: Text<InnerPath>,
    }
}

/// Declares an object that is only a name.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident: $title:literal, $check:ident) => {
        object! {
            $(#[$doc])*
            $name: $title, open, check $check {
                /// Name.
                "name" name: Text<NewAccount>,
            }
        }

        fn $check(object: &$name, decoder: &mut Decoder<'_>) {
            decoder.need(&object.name.value, "name", $name::NAME, object.span);
        }

        impl Field for $name {
            type Output = String;

            fn resolve(&self, resolver: &mut Resolver<'_>) -> String {
                self.name.resolve(resolver)
            }

            fn emit(output: &String) -> Tree {
                Tree::Map(vec![("name".to_owned(), Text::<NewAccount>::emit(output))])
            }
        }
    };
}

named! {
    /// A user to create.
    RawUser: "a user", check_user
}

named! {
    /// A group to create.
    RawGroup: "a group", check_group
}

fn check_capability(capability: &RawCapability, decoder: &mut Decoder<'_>) {
    decoder.need(&capability.name.value, "name", RawCapability::NAME, capability.span);
}

fn check_link(link: &RawLink, decoder: &mut Decoder<'_>) {
    decoder.need(&link.source.value, "source", RawLink::NAME, link.span);
    decoder.need(&link.dest.value, "dest", RawLink::NAME, link.span);
}

fn check_dropin(dropin: &RawDropin, decoder: &mut Decoder<'_>) {
    decoder.need(&dropin.unit.value, "unit", RawDropin::NAME, dropin.span);
}

/// Capabilities only make sense on files that the kernel executes or maps.
fn check_artifacts(artifacts: &RawArtifacts, decoder: &mut Decoder<'_>) {
    let kinds = [
        ("manpages", &artifacts.manpages),
        ("data_dirs", &artifacts.data_dirs),
        ("configFiles", &artifacts.config_files),
        ("docs", &artifacts.docs),
        ("licenses", &artifacts.licenses),
        ("headers", &artifacts.headers),
    ];
    for (kind, files) in kinds {
        for capability in files.entries.iter().filter_map(|entry| entry.value.capabilities.items.first()) {
            let message = format!("files under `{kind}` are not executed and cannot have capabilities");
            let span = decoder.first_line(capability.span);
            let diagnostic = Diagnostic::error(codes::CONFLICTING_KEYS, span, message);
            decoder.report(diagnostic.help("capabilities go with `binaries`, `libexec`, `libs` and `opt`"));
        }
    }
}

impl Field for RawArtifacts {
    type Output = Artifacts;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Artifacts {
        Artifacts {
            binaries: self.binaries.resolve(resolver),
            manpages: self.manpages.resolve(resolver),
            data_dirs: self.data_dirs.resolve(resolver),
            libexec: self.libexec.resolve(resolver),
            opt: self.opt.resolve(resolver),
            config_files: self.config_files.resolve(resolver),
            docs: self.docs.resolve(resolver),
            licenses: self.licenses.resolve(resolver),
            libs: self.libs.resolve(resolver),
            headers: self.headers.resolve(resolver),
            config_dirs: self.directories.config.resolve(resolver),
            state_dirs: self.directories.state.resolve(resolver),
            links: self.links.resolve(resolver),
            units: self.systemd.units.resolve(resolver),
            dropins: self.systemd.dropins.resolve(resolver),
            users: self.users.resolve(resolver),
            groups: self.groups.resolve(resolver),
            disable_strip: self.disable_strip.resolve(resolver),
            disable_auto_requires: self.disable_auto_requires.resolve(resolver),
        }
    }

    fn emit(output: &Artifacts) -> Tree {
        let mut entries = Vec::new();
        entry::<Files>(&mut entries, "binaries", &output.binaries);
        entry::<Files>(&mut entries, "manpages", &output.manpages);
        entry::<Files>(&mut entries, "data_dirs", &output.data_dirs);
        entry::<Files>(&mut entries, "libexec", &output.libexec);
        entry::<Files>(&mut entries, "opt", &output.opt);
        entry::<Files>(&mut entries, "configFiles", &output.config_files);
        entry::<Files>(&mut entries, "docs", &output.docs);
        entry::<Files>(&mut entries, "licenses", &output.licenses);
        entry::<Files>(&mut entries, "libs", &output.libs);
        entry::<Files>(&mut entries, "headers", &output.headers);
        let mut directories = Vec::new();
        entry::<Map<RawDirectory, InnerPath>>(&mut directories, "config", &output.config_dirs);
        entry::<Map<RawDirectory, InnerPath>>(&mut directories, "state", &output.state_dirs);
        group(&mut entries, "createDirectories", directories);
        entry::<List<RawLink>>(&mut entries, "links", &output.links);
        let mut systemd = Vec::new();
        entry::<Map<RawUnit, Path>>(&mut systemd, "units", &output.units);
        entry::<Map<RawDropin, Path>>(&mut systemd, "dropins", &output.dropins);
        group(&mut entries, "systemd", systemd);
        entry::<List<RawUser>>(&mut entries, "users", &output.users);
        entry::<List<RawGroup>>(&mut entries, "groups", &output.groups);
        entry::<Flag>(&mut entries, "disable_strip", &output.disable_strip);
        entry::<Flag>(&mut entries, "disable_auto_requires", &output.disable_auto_requires);
        Tree::Map(entries)
    }

    fn is_absent(output: &Artifacts) -> bool {
        *output == Artifacts::default()
    }
}

fn group(entries: &mut Vec<(String, Tree)>, key: &str, group: Vec<(String, Tree)>) {
    if !group.is_empty() {
        entries.push((key.to_owned(), Tree::Map(group)));
    }
}
