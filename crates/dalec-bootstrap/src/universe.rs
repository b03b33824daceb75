//! All packages that one set of repositories offers, by name and by what they provide.
//!
//! Of each name only the highest version counts, wherever it comes from: that is apt's
//! "candidate", and what makes security updates win.

use std::collections::HashMap;

use debversion::Version;

use crate::index::{Index, Stanza};
use crate::relation::{self, Relation};

/// A package that must never get in.
///
/// It turns a root with a separate `/bin` into a merged one at run time; ours is merged from the
/// start, which `usr-is-merged`, the alternative to it, states.
const EXCLUDED: &str = "usrmerge";

/// Users, the skeleton and the package manager: set up first, as debootstrap does.
const FOUNDATION: &[&str] = &["base-passwd", "base-files", "dpkg"];

/// Tells one candidate from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackageId(pub(crate) u32);

/// The candidates of several lists.
pub(crate) struct Universe<'a> {
    architecture: &'a str,
    packages: Vec<Candidate<'a>>,
    by_name: HashMap<&'a str, PackageId>,
    providers: HashMap<&'a str, Vec<PackageId>>,
}

struct Candidate<'a> {
    stanza: Stanza<'a>,
    repository: usize,
}

impl<'a> Universe<'a> {
    /// Joins lists; the position of a list is the number of its repository.
    pub(crate) fn new(architecture: &'a str, indexes: &'a [Index]) -> Self {
        let mut universe =
            Self { architecture, packages: Vec::new(), by_name: HashMap::new(), providers: HashMap::new() };
        for (repository, index) in indexes.iter().enumerate() {
            for stanza in index.stanzas().filter(|stanza| stanza.name() != EXCLUDED) {
                universe.offer(Candidate { stanza, repository });
            }
        }
        universe.collect_providers();
        universe
    }

    fn offer(&mut self, candidate: Candidate<'a>) {
        // Two paragraphs of one name are rare, so versions are only parsed for those.
        match self.by_name.get(candidate.stanza.name()) {
            None => {
                self.by_name.insert(candidate.stanza.name(), PackageId(self.packages.len() as u32));
                self.packages.push(candidate);
            }
            Some(&id) => {
                let present = &mut self.packages[id.0 as usize];
                if is_newer(candidate.stanza.version(), present.stanza.version()) {
                    *present = candidate;
                }
            }
        }
    }

    fn collect_providers(&mut self) {
        for (number, candidate) in self.packages.iter().enumerate() {
            for text in candidate.stanza.provides().split(',') {
                let name = text.split(['(', ':']).next().unwrap_or_default().trim();
                if !name.is_empty() {
                    self.providers.entry(name).or_default().push(PackageId(number as u32));
                }
            }
        }
        // Like apt, the more important package is the better provider; then the name decides.
        let packages = &self.packages;
        for providers in self.providers.values_mut() {
            providers.sort_by_key(|id| {
                let stanza = packages[id.0 as usize].stanza;
                (priority(&stanza), stanza.name())
            });
            providers.dedup();
        }
    }

    /// Returns how many candidates there are; their numbers are below.
    pub(crate) fn len(&self) -> usize {
        self.packages.len()
    }

    pub(crate) fn stanza(&self, id: PackageId) -> Stanza<'a> {
        self.packages[id.0 as usize].stanza
    }

    /// Returns the number of the repository that a candidate comes from.
    pub(crate) fn repository(&self, id: PackageId) -> usize {
        self.packages[id.0 as usize].repository
    }

    pub(crate) fn find(&self, name: &str) -> Option<PackageId> {
        self.by_name.get(name).copied()
    }

    /// Returns the packages that every root has: essential and required ones.
    ///
    /// Those that the scripts of all others rely on come first, then all by name.
    pub(crate) fn base(&self) -> Vec<PackageId> {
        let mut base: Vec<PackageId> = (0..self.packages.len() as u32)
            .map(PackageId)
            .filter(|id| {
                let stanza = self.stanza(*id);
                stanza.get("Essential") == Some("yes") || stanza.get("Priority") == Some("required")
            })
            .collect();
        base.sort_by_key(|id| {
            let name = self.stanza(*id).name();
            let rank = FOUNDATION.iter().position(|foundation| *foundation == name);
            (rank.unwrap_or(FOUNDATION.len()), name)
        });
        base
    }

    /// Returns every candidate that satisfies `relation`, the preferred one first.
    pub(crate) fn satisfying(&self, relation: &Relation<'_>) -> Vec<PackageId> {
        if !relation.means_architecture(self.architecture) {
            return Vec::new();
        }
        let real = self.find(relation.name).filter(|id| {
            relation::parse_version(self.stanza(*id).version())
                .is_ok_and(|version| relation.accepts(&version))
        });
        let mut found: Vec<PackageId> = real.into_iter().collect();
        for &id in self.providers.get(relation.name).into_iter().flatten() {
            if !found.contains(&id) && self.provides(id, relation) {
                found.push(id);
            }
        }
        found
    }

    /// Returns whether a candidate's `Provides` satisfies `relation`.
    fn provides(&self, id: PackageId, relation: &Relation<'_>) -> bool {
        let Ok(groups) = relation::parse(self.stanza(id).provides()) else { return false };
        groups.iter().flatten().filter(|offer| offer.name == relation.name).any(|offer| {
            match (&offer.constraint, &relation.constraint) {
                (_, None) => true,
                (Some((_, version)), Some(_)) => relation.accepts(version),
                // Policy 7.5: an unversioned provision satisfies no versioned relation.
                (None, Some(_)) => false,
            }
        })
    }
}

fn is_newer(candidate: &str, present: &str) -> bool {
    let parsed = |text: &str| -> Option<Version> { relation::parse_version(text).ok() };
    candidate != present && parsed(candidate) > parsed(present)
}

fn priority(stanza: &Stanza<'_>) -> u8 {
    match stanza.get("Priority") {
        Some("required") => 0,
        Some("important") => 1,
        Some("standard") => 2,
        Some("optional") => 3,
        _ => 4,
    }
}
