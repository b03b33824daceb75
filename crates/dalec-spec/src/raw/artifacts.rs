//! What the package installs.

use std::collections::BTreeSet;

use crate::codes;
use crate::decode::{Decoder, Field, Flag, List, Map, Mode, Text, object, suggest};
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::raw::rules::{Account, CapabilityName, InnerPath, NewAccount, Path};
use crate::raw::system::{ACCOUNTS, CAPABILITIES};
use crate::resolve::Resolver;

/// Owners whom nobody creates are named up to this number, for nobody reads more.
const MANY_OWNERS: usize = 20;

/// Artifacts by path in the build directory.
type Files = Map<RawArtifact, Path>;

object! {
    /// What the package installs, by kind. Keys are paths in the build directory; a last part `*` takes several files.
    RawArtifacts: "the artifacts", open, check check_artifacts => Artifacts {
        /// Programs, installed to `/usr/bin`.
        /// Example: {bin/tool: {}}
        "binaries" binaries: Files,
        /// Manual pages, installed to `/usr/share/man`.
        /// Example: {docs/tool.1: {}}
        "manpages" manpages: Files,
        /// Data that does not depend on the architecture, installed to `/usr/share`.
        /// Example: {assets: {subpath: tool}}
        "data_dirs" data_dirs: Files,
        /// Programs that other programs run, installed to `/usr/libexec`.
        /// Example: {bin/tool-helper: {subpath: tool}}
        "libexec" libexec: Files,
        /// Add-on software, installed to `/opt`.
        /// Example: {dist: {name: tool}}
        "opt" opt: Files,
        /// Configuration files, installed to `/etc`. What the administrator changed stays on upgrade.
        /// Example: {tool.conf: {permissions: 0640}}
        "configFiles" config_files: Files,
        /// Documentation, installed to `/usr/share/doc` in a directory of the package's name.
        /// Example: {README.md: {}}
        "docs" docs: Files,
        /// Licence texts.
        /// Example: {LICENSE: {}}
        "licenses" licenses: Files,
        /// Libraries, installed to the library directory of the distribution.
        /// Example: {build/libtool.so.1: {}}
        "libs" libs: Files,
        /// C headers, installed to `/usr/include`.
        /// Example: {include/tool.h: {subpath: tool}}
        "headers" headers: Files,
        /// Directories that the package owns.
        /// Example: {state: {tool: {mode: 0750}}}
        "createDirectories" directories: RawDirectories,
        /// Symbolic links.
        /// Example: [{source: /usr/bin/tool, dest: /usr/bin/t}]
        "links" links: List<RawLink>,
        /// systemd units and drop-ins.
        /// Example: {units: {tool.service: {enable: true}}}
        "systemd" systemd: RawSystemd,
        /// Users that are created at installation.
        /// Example: [{name: tool}]
        "users" users: List<RawUser>,
        /// Groups that are created at installation.
        /// Example: [{name: tool}]
        "groups" groups: List<RawGroup>,
        /// Keeps symbols in programs and libraries.
        /// Example: true
        "disable_strip" disable_strip: Flag,
        /// Leaves out dependencies that are found by looking at the installed files.
        /// Example: true
        "disable_auto_requires" disable_auto_requires: Flag,
    }
}

object! {
    /// How one artifact is installed.
    RawArtifact: "an artifact", open => Artifact, span self {
        /// Directory below the directory of its kind.
        /// Example: tool/plugins
        "subpath" subpath: Text<InnerPath>,
        /// Name of the installed file.
        /// Default: the last part of the key
        /// Example: tool
        "name" name: Text<InnerPath>,
        /// Permission bits.
        /// Default: what the package format chooses for the kind
        /// Example: 0750
        "permissions" permissions: Option<Mode>,
        /// Owner.
        /// Default: root
        /// Example: tool
        "user" user: Text<Account>,
        /// Group.
        /// Default: root
        /// Example: tool
        "group" group: Text<Account>,
        /// Linux capabilities of the file. Only programs and libraries can have them.
        /// Example: [{name: cap_net_bind_service, effective: true, permitted: true}]
        "linux_capabilities" capabilities: List<RawCapability>,
    }
}

object! {
    /// A Linux capability, in one or more sets.
    RawCapability: "a capability", open, needs ["name"], check check_capability => Capability {
        /// Name.
        /// Example: cap_net_bind_service
        "name" name: Text<CapabilityName>,
        /// In the effective set.
        /// Example: true
        "effective" effective: Flag,
        /// In the permitted set.
        /// Example: true
        "permitted" permitted: Flag,
        /// In the inheritable set.
        /// Example: true
        "inheritable" inheritable: Flag,
    }
}

object! {
    /// Directories that the package owns, by path.
    RawDirectories: "the directories", open => Directories {
        /// Below `/etc`.
        /// Example: {tool/conf.d: {}}
        "config" config: Map<RawDirectory, InnerPath>,
        /// Below `/var/lib`.
        /// Example: {tool: {mode: 0750, user: tool}}
        "state" state: Map<RawDirectory, InnerPath>,
    }
}

object! {
    /// A directory that the package owns.
    RawDirectory: "a directory", open => DirectoryConfig, span self {
        /// Permission bits.
        /// Default: 0755
        /// Example: 0750
        "mode" mode: Option<Mode>,
        /// Owner.
        /// Default: root
        /// Example: tool
        "user" user: Text<Account>,
        /// Group.
        /// Default: root
        /// Example: tool
        "group" group: Text<Account>,
    }
}

object! {
    /// A symbolic link in the package.
    RawLink: "a link", open, needs ["source", "dest"] => Link, span self {
        /// What the link points to.
        /// Example: /usr/bin/tool
        "source" source: Text<Path>,
        /// Path of the link.
        /// Example: /usr/bin/t
        "dest" dest: Text<InnerPath>,
        /// Owner of the link.
        /// Default: root
        /// Example: tool
        "user" user: Text<Account>,
        /// Group of the link.
        /// Default: root
        /// Example: tool
        "group" group: Text<Account>,
    }
}

object! {
    /// systemd units and drop-ins.
    RawSystemd: "the systemd settings", open => Systemd {
        /// Units, by path in the build directory.
        /// Example: {tool.service: {enable: true}}
        "units" units: Map<RawUnit, Path>,
        /// Drop-ins, by path in the build directory.
        /// Example: {limits.conf: {unit: tool.service}}
        "dropins" dropins: Map<RawDropin, Path>,
    }
}

object! {
    /// A systemd unit.
    RawUnit: "a systemd unit", open => Unit, span self {
        /// Name of the installed unit.
        /// Default: the last part of the key
        /// Example: tool.service
        "name" name: Text<InnerPath>,
        /// Enables the unit when the package is first installed.
        /// Example: true
        "enable" enable: Flag,
        /// Starts the unit when the package is first installed.
        /// Default: what the package format's habit is
        /// Example: true
        "start" start: Option<Flag>,
    }
}

object! {
    /// A systemd drop-in.
    RawDropin: "a systemd drop-in", open, needs ["unit"] => Dropin, span self {
        /// Name of the installed file.
        /// Default: the last part of the key
        /// Example: 10-limits.conf
        "name" name: Text<InnerPath>,
        /// Unit that the drop-in belongs to.
        /// Example: tool.service
        "unit" unit: Text<InnerPath>,
    }
}

/// Declares a list entry that is only a name, which it resolves to.
macro_rules! named {
    ($(#[doc = $doc:literal])+ $name:ident: $title:literal, $what:literal, $example:literal) => {
        object! {
            $(#[doc = $doc])+
            $name: $title, open, needs ["name"] {
                #[doc = $what]
                #[doc = $example]
                "name" name: Text<NewAccount>,
            }
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
    RawUser: "a user", " Name of the user.", " Example: tool"
}

named! {
    /// A group to create.
    RawGroup: "a group", " Name of the group.", " Example: tool"
}

fn check_capability(capability: &mut RawCapability, decoder: &mut Decoder<'_>) {
    check_capability_name(&capability.name, decoder);
    let is_in_a_set =
        capability.effective.value || capability.permitted.value || capability.inheritable.value;
    if !is_in_a_set && !decoder.findings.error_within(capability.span) {
        let span = decoder.first_line(capability.span);
        let message = format!("`{}` is in no set, so the file does not get it", capability.name.value);
        let diagnostic = Diagnostic::warning(codes::NO_EFFECT, span, message);
        decoder.doubt(
            diagnostic.help(
                "add `permitted: true`; also `effective: true` unless the program switches it on itself",
            ),
        );
    }
}

/// One that a newer kernel knows is no error, but without a word a misspelt one fails when the package is installed.
fn check_capability_name(name: &Text<CapabilityName>, decoder: &mut Decoder<'_>) {
    let lower = name.value.to_ascii_lowercase();
    if lower.is_empty() || CAPABILITIES.contains(&lower.as_str()) || decoder.findings.error_within(name.span)
    {
        return;
    }
    let message = format!("there is no capability `{}`", name.value);
    let diagnostic = Diagnostic::warning(codes::UNKNOWN_CAPABILITY, name.span, message);
    decoder.report(match suggest(&lower, CAPABILITIES.iter().copied()) {
        Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
        None => diagnostic.help("capabilities(7) lists them, for example `cap_net_bind_service`"),
    });
}

fn check_artifacts(artifacts: &mut RawArtifacts, decoder: &mut Decoder<'_>) {
    check_kinds_with_capabilities(artifacts, decoder);
    check_owners(artifacts, decoder);
}

/// Whoever owns files has to be there when they are installed. A new user comes with a group of that name.
fn check_owners(artifacts: &RawArtifacts, decoder: &mut Decoder<'_>) {
    let files = [
        &artifacts.binaries,
        &artifacts.manpages,
        &artifacts.data_dirs,
        &artifacts.libexec,
        &artifacts.opt,
        &artifacts.config_files,
        &artifacts.docs,
        &artifacts.licenses,
        &artifacts.libs,
        &artifacts.headers,
    ];
    let files = files.into_iter().flat_map(|kind| &kind.entries);
    let files = files.map(|entry| (&entry.value.user, &entry.value.group));
    let directories = [&artifacts.directories.config, &artifacts.directories.state];
    let directories = directories.into_iter().flat_map(|kind| &kind.entries);
    let directories = directories.map(|entry| (&entry.value.user, &entry.value.group));
    let links = artifacts.links.items.iter().map(|link| (&link.user, &link.group));
    let users: BTreeSet<&str> = artifacts.users.items.iter().map(|user| user.name.value.as_str()).collect();
    let mut groups = users.clone();
    groups.extend(artifacts.groups.items.iter().map(|group| group.name.value.as_str()));
    let mut said = BTreeSet::new();
    for (user, group) in files.chain(directories).chain(links) {
        let owners = [(user, "user", "users", &users), (group, "group", "groups", &groups)];
        for (account, what, key, created) in owners {
            let name = account.value.as_str();
            // A number needs no account; neither does no name at all.
            let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
            let is_known = is_number || ACCOUNTS.contains(&name) || created.contains(name);
            let comes_along = key == "groups" && said.contains(&("users", name));
            if is_known || comes_along || said.len() == MANY_OWNERS || !said.insert((key, name)) {
                continue;
            }
            let message = format!("nothing in this spec creates the {what} `{name}`");
            let diagnostic = Diagnostic::warning(codes::UNKNOWN_ACCOUNT, account.span, message);
            decoder.doubt(match suggest(name, created.iter().copied()) {
                Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
                None => diagnostic.help(format!("add `- name: {name}` to `{key}` of the artifacts")),
            });
        }
    }
}

/// Capabilities only make sense on files that the kernel executes or maps.
fn check_kinds_with_capabilities(artifacts: &RawArtifacts, decoder: &mut Decoder<'_>) {
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
            let help = "capabilities go with `binaries`, `libexec`, `libs` and `opt`";
            let span = decoder.first_line(capability.span);
            // Upstream does not look at the artifacts of targets, and ignores such capabilities there.
            if decoder.is_below("targets") {
                decoder.doubt(Diagnostic::warning(codes::NO_EFFECT, span, message).help(help));
            } else {
                decoder.report(Diagnostic::error(codes::CONFLICTING_KEYS, span, message).help(help));
            }
        }
    }
}
