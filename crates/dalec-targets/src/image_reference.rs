//! References of images, in the forms that people write and that registries know.

/// Returns the full form of an image reference: with domain, and with a tag unless there is a digest.
pub fn full_reference(written: &str) -> String {
    let is_domain = |part: &str| {
        part == "localhost"
            || part.contains(['.', ':'])
            || part.contains(|char: char| char.is_ascii_uppercase())
    };
    let (domain, path) = match written.split_once('/') {
        Some((first, path)) if is_domain(first) => (first, path.to_owned()),
        Some(_) => ("docker.io", written.to_owned()),
        None => ("docker.io", format!("library/{written}")),
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let tag = if last.contains([':', '@']) { "" } else { ":latest" };
    format!("{domain}/{path}{tag}")
}

/// Returns the names that a context replacing the image `reference`, in its full form, may have; the full one first.
pub fn names_of(reference: &str) -> Vec<String> {
    let mut names = vec![reference.to_owned()];
    if let Some(path) = reference.strip_prefix("docker.io/") {
        names.push(path.to_owned());
        names.extend(path.strip_prefix("library/").map(str::to_owned));
    }
    let untagged = names.iter().filter_map(|name| name.strip_suffix(":latest").map(str::to_owned));
    let untagged: Vec<String> = untagged.collect();
    names.extend(untagged);
    names
}

#[cfg(test)]
mod tests {
    use super::{full_reference, names_of};

    #[test]
    fn references_become_full() {
        for (written, expected) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:bookworm", "docker.io/library/debian:bookworm"),
            ("me/tool:1", "docker.io/me/tool:1"),
            ("localhost/tool", "localhost/tool:latest"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("registry.example/a@sha256:00", "registry.example/a@sha256:00"),
            ("docker.io/library/debian:12", "docker.io/library/debian:12"),
        ] {
            assert_eq!(full_reference(written), expected);
        }
    }
    /// TGT-009: a context named by the base image replaces it, however the name is written.
    #[test]
    fn an_image_has_familiar_names() {
        assert_eq!(
            names_of("docker.io/library/debian:bookworm"),
            ["docker.io/library/debian:bookworm", "library/debian:bookworm", "debian:bookworm"]
        );
        assert_eq!(names_of("example.org/base:1"), ["example.org/base:1"]);
        assert_eq!(names_of("example.org/base:latest"), ["example.org/base:latest", "example.org/base"]);
    }
}
