//! `%files`: what belongs to the package, to whom, and how RPM treats it.

use crate::rpm::escape::{listed, listed_pattern};
use crate::rpm::places::{Content, Kind, Place, is_number};

/// Returns the section.
pub(super) fn render(places: &[Place<'_>]) -> String {
    places.iter().fold(String::from("%files\n"), |text, place| text + &line(place) + "\n")
}

/// Returns the owner as RPM takes it, which is a name. Numbers are given at the installation.
fn name(owner: &str) -> &str {
    if owner.is_empty() || is_number(owner) { "root" } else { owner }
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
        words.push(format!("%attr(-, {}, {})", name(place.user), name(place.group)));
    }
    if place.has_numeric_owner() {
        words.push("%verify(not user group)".into());
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
