//! `%install`: copies what the package holds from the build directory.
//!
//! A missing file is named together with the artifact that wants it.

use crate::marker::Marks;
use crate::rpm::escape::{pattern, word};
use crate::rpm::places::{Content, Place};

pub(super) const PUT: &str = r#"
# put MARK KEY MODE DIR NAME FILE...: copies to DIR under NAME, several files under their own names.
put() {
    mark=$1 key=$2 mode=$3 dir=$4 name=$5
    shift 5
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then
        echo "${mark}artifact \"$key\": no such file in the build directory" >&2
        exit 1
    fi
    mkdir -p "$dir"
    for file; do
        to="$dir/${name:-${file##*/}}"
        cp -r -T -- "$file" "$to"
        [ -z "$mode" ] || chmod "$mode" "$to"
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
            Content::Files { key, .. } => {
                let name = if place.content.is_pattern() { "" } else { name };
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
