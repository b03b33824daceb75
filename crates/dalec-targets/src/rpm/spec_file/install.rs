//! `%install`: copies what the package holds from the build directory.
//!
//! A missing file is named together with the artifact that wants it.

use crate::marker::Marks;
use crate::rpm::escape::{pattern, word};
use crate::rpm::places::{Content, Place};

pub(super) const PUT: &str = r#"
# put MARK KEY MODE DIR NAME FILE...: copies to DIR under NAME; several files go into DIR/NAME.
put() {
    mark=$1 key=$2 mode=$3 dir=$4 name=$5
    shift 5
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then
        echo "${mark}artifact \"$key\": no such file in the build directory" >&2
        exit 1
    fi
    if [ $# -gt 1 ]; then
        dir="$dir/$name" name=
    fi
    mkdir -p "$dir"
    for file; do
        to="$dir/${name:-${file##*/}}"
        cp -r -T -- "$file" "$to"
        [ -z "$mode" ] || [ -L "$to" ] || chmod "$mode" "$to"
    done
}

"#;

/// Returns the section; a missing file is named by its artifact's mark.
pub(super) fn render(places: &[Place<'_>], marks: &mut Marks) -> String {
    let mut text = String::from("%install\n");
    if places.iter().any(|place| matches!(place.content, Content::Files { .. })) {
        text.push_str(PUT);
    }
    for place in places {
        let (dir, name) = place.split();
        let below = |path: &str| match path {
            "" => format!("%{{buildroot}}{}", place.root),
            path => format!("%{{buildroot}}{}{}", place.root, word(path)),
        };
        text.push_str(&match place.content {
            Content::Files { key, keep_names, .. } => {
                let name = if keep_names { "" } else { name };
                let mode = place.mode.map(|mode| format!("{mode:o}")).unwrap_or_default();
                format!(
                    "put {} {} {} {} {} {}\n",
                    word(&marks.mark(place.span)),
                    word(key),
                    word(&mode),
                    below(dir),
                    word(name),
                    pattern(key)
                )
            }
            Content::Directory => {
                let mode = place.mode.map(|mode| format!("-m {mode:o} ")).unwrap_or_default();
                format!("mkdir -p {mode}{}\n", below(&place.path))
            }
            // What is in it makes it.
            Content::Parent => String::new(),
            Content::Link { target } => {
                format!("mkdir -p {}\nln -s -f -T -- {} {}\n", below(dir), word(target), below(&place.path))
            }
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Output};

    use dalec_spec::target_spec::Artifact;

    use super::*;
    use crate::fixture::{artifacts, spec};
    use crate::rpm::places;

    /// Runs the section in a build directory with `files`, all of which hold text.
    fn installed(entries: &[(&str, &str)], files: &[&str]) -> (tempfile::TempDir, Output) {
        let directory = tempfile::tempdir().expect("a directory");
        for file in files {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "text").expect("a file");
        }
        let output = install_in(&directory, entries);
        (directory, output)
    }

    fn install_in(directory: &tempfile::TempDir, entries: &[(&str, &str)]) -> Output {
        let mut spec = spec();
        for (key, name) in entries {
            let artifact =
                Artifact { name: (*name).to_owned(), permissions: Some(0o600), ..Artifact::default() };
            spec.artifacts.binaries.extend(artifacts([(*key, artifact)]));
        }
        let places = places::all(&spec, "hello").expect("valid");
        let text = render(&places, &mut Marks::default());
        let script = text.strip_prefix("%install\n").expect("a section").replace("%{buildroot}", "root");
        let script = script.replace("%{_bindir}", "/bin").replace("%%", "%");
        let output = Command::new("sh").args(["-ec", &script]).current_dir(directory).output();
        output.expect("a shell")
    }

    fn listed(folder: &Path) -> Vec<String> {
        let output =
            Command::new("find").args([".", "-type", "f", "-perm", "600"]).current_dir(folder).output();
        let text = String::from_utf8(output.expect("find starts").stdout).expect("text");
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// ART-001, ART-013, RPM-005: what a real shell makes of it.
    #[test]
    fn files_get_their_names() {
        let entries =
            [("a b/%x", ""), ("many/*", ""), ("one/*", "first"), ("several/*", "folder"), ("x", "y")];
        let files = ["a b/%x", "many/1", "many/2 3", "one/only", "several/a", "several/b", "x"];
        let (directory, output) = installed(&entries, &files);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(
            listed(&directory.path().join("root/bin")),
            ["./%x", "./1", "./2 3", "./first", "./folder/a", "./folder/b", "./y"]
        );
    }

    /// ART-001: a link has no mode of its own, and what it names need not be there.
    #[test]
    fn links_keep_their_modes() {
        let links = "ln -s libx.so.1 lib/libx.so; ln -s gone lib/libx.so.1";
        let chain = format!("mkdir lib; {links}; echo x >lib/libx.so.1.0");
        let (directory, _) = installed(&[], &[]);
        let made = Command::new("sh").args(["-ec", &chain]).current_dir(&directory).status();
        assert!(made.expect("a shell").success());
        let output = install_in(&directory, &[("lib/libx.so*", "")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(listed(&directory.path().join("root/bin")), ["./libx.so.1.0"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        for key in ["missing", "none/*"] {
            let (_directory, output) = installed(&[(key, "")], &[]);
            assert!(!output.status.success());
            let expected =
                format!("dalec: error: @1: artifact \"{key}\": no such file in the build directory\n");
            assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        }
    }
}
