//! `%files`: what belongs to the package, to whom, and how RPM treats it.

use crate::rpm::escape::{listed, listed_pattern};
use crate::rpm::places::{Content, Kind, Place};

/// Returns the section.
pub(super) fn render(places: &[Place<'_>]) -> String {
    places.iter().fold(String::from("%files\n"), |text, place| text + &line(place) + "\n")
}

fn line(place: &Place<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    match place.content {
        Content::Directory | Content::Parent => words.push("%dir".into()),
        Content::Files { kind: Kind::Config, .. } => words.push("%config(noreplace)".into()),
        Content::Files { kind: Kind::Doc, .. } => words.push("%doc".into()),
        Content::Files { kind: Kind::License, .. } => words.push("%license".into()),
        Content::Files { .. } | Content::Link { .. } => {}
    }
    if !place.user.is_empty() || !place.group.is_empty() {
        let or_root = |name: &str| if name.is_empty() { "root".to_owned() } else { name.to_owned() };
        words.push(format!("%attr(-, {}, {})", or_root(place.user), or_root(place.group)));
    }
    if !place.capabilities.is_empty() {
        words.push(format!("%caps({})", place.capabilities));
    }
    let is_pattern = matches!(place.content, Content::Files { keep_names: true, .. });
    let path = if is_pattern { listed_pattern(&place.path) } else { listed(&place.path) };
    let rest = if matches!(place.content, Content::Files { kind: Kind::Manpage, .. }) { "*" } else { "" };
    words.push(format!("{}{path}{rest}", place.root));
    words.join(" ")
}
