//! Comments that say where a source comes from.

use dalec_spec::target_spec::{ImageCommand, Inline, InlineFile, Source, SourceKind};

use crate::rpm::escape;

/// Longer texts of a spec are not repeated; they are in the source package anyway.
const LONGEST_TEXT: usize = 4096;

/// Returns the comment for `source`.
pub(super) fn comment(source: &Source) -> String {
    escape::comment(&words(source))
}

fn words(source: &Source) -> String {
    let mut text = kind(&source.kind);
    fact(&mut text, "path in it", &source.path);
    list(&mut text, "only", &source.includes);
    list(&mut text, "without", &source.excludes);
    text
}

fn kind(kind: &SourceKind) -> String {
    let mut text;
    match kind {
        SourceKind::Git(git) => {
            text = String::from("From a git repository:\n");
            fact(&mut text, "remote", &without_login(&git.url));
            fact(&mut text, "ref", &git.commit);
            fact(&mut text, "checksum", &git.checksum);
        }
        SourceKind::Http(http) => {
            text = String::from("Downloaded:\n");
            fact(&mut text, "url", &without_login(&http.url));
            fact(&mut text, "digest", &http.digest);
        }
        SourceKind::Image(image) => {
            text = String::from("From a container image:\n");
            fact(&mut text, "image", &image.reference);
            if let Some(command) = &image.command {
                steps(&mut text, command);
            }
        }
        SourceKind::Context(context) => {
            text = String::from("From a build context, which is not recorded:\n");
            let name = if context.name.is_empty() { "context" } else { &context.name };
            fact(&mut text, "context", name);
        }
        SourceKind::Build(build) => {
            text = String::from("Built from a Dockerfile:\n");
            fact(&mut text, "Dockerfile", &build.dockerfile_path);
            fact(&mut text, "stage", &build.target);
            for (name, value) in &build.args {
                fact(&mut text, "argument", &format!("{name}={value}"));
            }
            for line in words(&build.source).lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        SourceKind::Inline(Inline::File(file)) => {
            text = String::from("Written in the spec:\n");
            inline(&mut text, "file", file);
        }
        SourceKind::Inline(Inline::Dir(dir)) => {
            text = String::from("Written in the spec:\n");
            fact(&mut text, "directory", &owner_and_mode(dir.uid, dir.gid, dir.permissions));
            for (name, file) in &dir.files {
                inline(&mut text, name, file);
            }
        }
    }
    text
}

/// Returns `address` without a login: the source package is published. `user@host` of ssh stays, it is no secret.
fn without_login(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let Some((login, host)) = place.rsplit_once('@') else { return address.to_owned() };
    if login.contains(':') || !scheme.eq_ignore_ascii_case("ssh") {
        return format!("{scheme}://{host}{path}");
    }
    address.to_owned()
}

fn steps(text: &mut String, command: &ImageCommand) {
    fact(text, "directory", &command.dir);
    for (name, value) in &command.env {
        fact(text, "variable", &format!("{name}={value}"));
    }
    for mount in &command.mounts {
        fact(text, "mount", &mount.dest);
        for line in words(&mount.source).lines() {
            text.push_str(&format!("        {line}\n"));
        }
    }
    for step in &command.steps {
        let variables = step.env.iter().map(|(name, value)| format!("{name}={value} "));
        fact(text, "command", &(variables.collect::<String>() + &step.command));
    }
}

fn inline(text: &mut String, name: &str, file: &InlineFile) {
    fact(text, name, &owner_and_mode(file.uid, file.gid, file.permissions));
    if file.contents.len() > LONGEST_TEXT {
        text.push_str(&format!("        {} bytes\n", file.contents.len()));
        return;
    }
    for line in file.contents.lines() {
        text.push_str(&format!("        {line}\n"));
    }
}

fn owner_and_mode(uid: u32, gid: u32, mode: u32) -> String {
    format!("mode {mode:04o}, owner {uid}:{gid}")
}

fn list(text: &mut String, name: &str, patterns: &[String]) {
    for pattern in patterns {
        fact(text, name, pattern);
    }
}

/// Values of several lines are indented below each other.
fn fact(text: &mut String, name: &str, value: &str) {
    let mut lines = value.lines();
    let Some(first) = lines.next() else { return };
    text.push_str(&format!("    {name}: {first}\n"));
    for line in lines {
        text.push_str(&format!("        {line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use dalec_spec::target_spec::{GitSource, HttpSource};

    use super::*;

    #[test]
    fn logins_are_not_published() {
        for (address, shown) in [
            ("https://ann:secret@example.org/a@b.git", "https://example.org/a@b.git"),
            ("https://secret@example.org/a", "https://example.org/a"),
            ("HTTP://ann:se:cr@et@example.org?x=@", "HTTP://example.org?x=@"),
            ("ssh://git:secret@example.org/a", "ssh://example.org/a"),
            ("ssh://git@example.org/a", "ssh://git@example.org/a"),
            ("git@example.org:a/b.git", "git@example.org:a/b.git"),
            ("https://example.org/a?b=c@d", "https://example.org/a?b=c@d"),
        ] {
            let git = SourceKind::Git(GitSource { url: address.into(), ..GitSource::default() });
            assert_eq!(kind(&git).lines().nth(1), Some(format!("    remote: {shown}").as_str()));
            let http = SourceKind::Http(HttpSource { url: address.into(), ..HttpSource::default() });
            assert_eq!(kind(&http).lines().nth(1), Some(format!("    url: {shown}").as_str()));
        }
    }
}
