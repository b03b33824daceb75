//! Chooses the packages of a root: what is asked for, and all that it depends on.
//!
//! The rules are apt's without recommendations: `Pre-Depends` and `Depends` must hold, `Breaks`
//! and `Conflicts` must not, the first alternative is taken unless another one is in anyway.
//! A complete search (a SAT solver) does the choosing, so a set that exists is found, and for one
//! that does not there is a proof to show.

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider, Interner,
    KnownDependencies, NameId, Problem, SolvableId, Solver, SolverCache, StringId, UnsolvableOrCancelled,
    VersionSetId, VersionSetUnionId,
};

use crate::relation::{self, Relation};
use crate::universe::{PackageId, Universe};

/// The groups of a dependency expression that must hold.
pub(crate) type Groups<'a> = Vec<Vec<Relation<'a>>>;

/// Returns a set of candidates that contains `base`, satisfies `wanted` and is closed.
///
/// The set is in the order of installation: as far as there are no cycles, a package comes after
/// those that it depends on, and the closure of `base` before everything else.
///
/// # Errors
/// A tree, in words, that says which package needs what and why it cannot have it.
pub(crate) fn resolve(
    universe: &Universe<'_>,
    base: &[PackageId],
    wanted: &Groups<'_>,
) -> Result<Vec<PackageId>, String> {
    let provider = Provider::new(universe);
    let mut requirements: Vec<ConditionalRequirement> =
        base.iter().map(|id| provider.exactly(*id).into()).collect();
    requirements.extend(wanted.iter().map(|group| provider.requirement(group)));
    let mut solver = Solver::new(provider);
    let chosen = match solver.solve(Problem::new().requirements(requirements)) {
        Ok(solution) => solution.into_iter().map(package_of).collect::<Vec<_>>(),
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            let tree = conflict.display_user_friendly(&solver).to_string();
            return Err(tree.trim_end().to_owned());
        }
        // The provider never cancels, so this cannot be reached by any input.
        Err(UnsolvableOrCancelled::Cancelled(_)) => {
            return Err("the search was stopped".to_owned());
        }
    };
    Ok(installation_order(universe, base, chosen))
}

/// Orders `chosen` depth first along dependencies, from `base` and then by name.
fn installation_order(
    universe: &Universe<'_>,
    base: &[PackageId],
    mut chosen: Vec<PackageId>,
) -> Vec<PackageId> {
    chosen.sort_by_key(|id| universe.stanza(*id).name());
    let mut pending: HashSet<PackageId> = chosen.iter().copied().collect();
    let mut order = Vec::with_capacity(chosen.len());
    // The walk keeps its own stack: dependency chains are as deep as an index wants them to be.
    for root in base.iter().chain(&chosen) {
        let mut stack = vec![(*root, false)];
        while let Some((id, is_done)) = stack.pop() {
            if is_done {
                order.push(id);
                continue;
            }
            if !pending.remove(&id) {
                continue;
            }
            stack.push((id, true));
            let needed = needs(universe, id);
            stack.extend(needed.into_iter().rev().map(|needed| (needed, false)));
        }
    }
    order
}

/// Returns the candidates that may satisfy what `id` depends on, strongest dependencies first.
fn needs(universe: &Universe<'_>, id: PackageId) -> Vec<PackageId> {
    let stanza = universe.stanza(id);
    ["Pre-Depends", "Depends"]
        .iter()
        .filter_map(|field| relation::parse(stanza.get(field)?).ok())
        .flatten()
        .flatten()
        .flat_map(|relation| universe.satisfying(&relation))
        .collect()
}

/// Shows a universe to the solver.
///
/// A solvable is a candidate. A name is a candidate's own (same number), or, beyond those, one
/// that nothing is called. As there is one candidate per name, a version set is simply "that
/// candidate" or "not that candidate", with the words that led to it.
struct Provider<'a> {
    universe: &'a Universe<'a>,
    interned: RefCell<Interned>,
}

#[derive(Default)]
struct Interned {
    strange_names: Vec<String>,
    sets: Vec<VersionSet>,
    set_ids: HashMap<VersionSet, VersionSetId>,
    unions: Vec<Vec<VersionSetId>>,
    strings: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct VersionSet {
    name: u32,
    accepts: bool,
    words: String,
}

impl<'a> Provider<'a> {
    fn new(universe: &'a Universe<'a>) -> Self {
        Self { universe, interned: RefCell::default() }
    }

    fn set(&self, name: u32, accepts: bool, words: String) -> VersionSetId {
        let interned = &mut *self.interned.borrow_mut();
        let next = VersionSetId(interned.sets.len() as u32);
        match interned.set_ids.entry(VersionSet { name, accepts, words }) {
            Entry::Occupied(present) => *present.get(),
            Entry::Vacant(absent) => {
                interned.sets.push(absent.key().clone());
                *absent.insert(next)
            }
        }
    }

    fn exactly(&self, id: PackageId) -> VersionSetId {
        self.set(id.0, true, String::new())
    }

    /// Returns the number of a name, known or not.
    fn name(&self, name: &str) -> u32 {
        if let Some(id) = self.universe.find(name) {
            return id.0;
        }
        let names = &mut self.interned.borrow_mut().strange_names;
        let position = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        (self.universe.len() + position) as u32
    }

    /// Returns the requirement that one of `group` be there.
    fn requirement(&self, group: &[Relation<'_>]) -> ConditionalRequirement {
        let mut sets = Vec::new();
        for relation in group {
            let found = self.universe.satisfying(relation);
            if found.is_empty() {
                sets.push(self.set(self.name(relation.name), false, self.absence(relation)));
            }
            for id in found {
                let is_real = self.universe.stanza(id).name() == relation.name;
                let words = if is_real { constraint_words(relation) } else { format!("as {relation}") };
                sets.push(self.set(id.0, true, words));
            }
        }
        match sets[..] {
            [set] => set.into(),
            _ => {
                let unions = &mut self.interned.borrow_mut().unions;
                unions.push(sets);
                VersionSetUnionId(unions.len() as u32 - 1).into()
            }
        }
    }

    /// Says what would have done and what is there instead.
    fn absence(&self, relation: &Relation<'_>) -> String {
        let words = constraint_words(relation);
        match self.universe.find(relation.name) {
            Some(id) => format!("{words} (there is {})", self.universe.stanza(id).version()),
            None => words,
        }
    }

    fn dependencies(&self, id: PackageId) -> Result<KnownDependencies, String> {
        let stanza = self.universe.stanza(id);
        let mut known = KnownDependencies::default();
        for field in ["Pre-Depends", "Depends"] {
            for group in relation::parse(stanza.get(field).unwrap_or_default())? {
                // A package that satisfies its own dependency needs nobody else.
                let is_own = group.iter().any(|one| self.universe.satisfying(one).contains(&id));
                if !is_own {
                    known.requirements.push(self.requirement(&group));
                }
            }
        }
        for field in ["Conflicts", "Breaks"] {
            for relation in relation::parse(stanza.get(field).unwrap_or_default())?.iter().flatten() {
                for other in self.universe.satisfying(relation) {
                    if other != id {
                        let words = format!("not {relation}");
                        known.constrains.push(self.set(other.0, false, words));
                    }
                }
            }
        }
        Ok(known)
    }
}

/// Returns `>= 2` for `libc6 (>= 2)`, and nothing for `libc6`.
fn constraint_words(relation: &Relation<'_>) -> String {
    let text = relation.to_string();
    text.split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned()).unwrap_or_default()
}

fn package_of(id: SolvableId) -> PackageId {
    PackageId(id.into_raw())
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        let stanza = self.universe.stanza(package_of(solvable));
        format!("{} {}", stanza.name(), stanza.version())
    }

    fn display_merged_solvables(&self, solvables: &[SolvableId]) -> impl Display + '_ {
        let shown: Vec<String> = solvables.iter().map(|id| self.display_solvable(*id).to_string()).collect();
        shown.join(" | ")
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        let number = name.into_raw() as usize;
        match number.checked_sub(self.universe.len()) {
            None => self.universe.stanza(PackageId(number as u32)).name().to_owned(),
            Some(position) => self.interned.borrow().strange_names[position].clone(),
        }
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        self.interned.borrow().sets[version_set.0 as usize].words.clone()
    }

    fn display_string(&self, string_id: StringId) -> impl Display + '_ {
        self.interned.borrow().strings[string_id.0 as usize].clone()
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        NameId::from_raw(self.interned.borrow().sets[version_set.0 as usize].name)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        NameId::from_raw(solvable.into_raw())
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.interned.borrow().unions[union.0 as usize].clone().into_iter()
    }

    fn resolve_condition(&self, _condition: ConditionId) -> Condition {
        unreachable!("no requirement of ours has a condition")
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let accepts = self.interned.borrow().sets[version_set.0 as usize].accepts;
        if accepts != inverse { candidates.to_vec() } else { Vec::new() }
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates<SolvableId>> {
        let number = name.into_raw();
        let is_known = (number as usize) < self.universe.len();
        is_known
            .then(|| Candidates { candidates: vec![SolvableId::from_raw(number)], ..Candidates::default() })
    }

    async fn sort_candidates(&self, _solver: &SolverCache<Self>, _solvables: &mut [SolvableId]) {
        // There is one candidate per name.
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        match self.dependencies(package_of(solvable)) {
            Ok(known) => Dependencies::Known(known),
            Err(reason) => {
                let strings = &mut self.interned.borrow_mut().strings;
                strings.push(format!("its fields are broken: {reason}"));
                Dependencies::Unknown(StringId(strings.len() as u32 - 1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;
    use expect_test::{Expect, expect};

    /// Resolves `wanted` beside the base of made-up lists, one per repository.
    fn check(lists: &[&str], wanted: &str, expected: Expect) {
        let indexes: Vec<Index> = lists.iter().map(|list| Index::parse(list.as_bytes()).unwrap()).collect();
        let universe = Universe::new("amd64", &indexes);
        let wanted = relation::parse(wanted).unwrap();
        let rendered = match resolve(&universe, &universe.base(), &wanted) {
            Ok(chosen) => {
                let shown = |id: &PackageId| {
                    let stanza = universe.stanza(*id);
                    format!("{} {}", stanza.name(), stanza.version())
                };
                chosen.iter().map(shown).collect::<Vec<_>>().join("\n")
            }
            Err(tree) => tree,
        };
        expected.assert_eq(&format!("{rendered}\n"));
    }

    const BASE: &str = "Package: libc6\nVersion: 2\nPriority: optional\n\n\
        Package: dash\nVersion: 1\nEssential: yes\nPre-Depends: libc6 (>= 2)\n\n\
        Package: tzdata\nVersion: 1\nPriority: required\nDepends: debconf (>= 0.5) | debconf-2.0\n\n\
        Package: debconf\nVersion: 1\nProvides: debconf-2.0\n\n\
        Package: cdebconf\nVersion: 1\nProvides: debconf-2.0\n\n\
        Package: extra\nVersion: 1\n\n";

    #[test]
    fn the_base_is_essential_and_required_with_dependencies_first() {
        check(
            &[BASE],
            "",
            expect![[r#"
                libc6 2
                dash 1
                debconf 1
                tzdata 1
            "#]],
        );
    }

    #[test]
    fn the_first_alternative_wins_unless_another_is_in() {
        let list = "Package: app\nVersion: 1\nDepends: one | two\n\n\
            Package: needs-two\nVersion: 1\nDepends: two\n\n\
            Package: one\nVersion: 1\n\nPackage: two\nVersion: 1\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
                one 1
                app 1
            "#]],
        );
        check(
            &[list],
            "app, needs-two",
            expect![[r#"
                two 1
                app 1
                needs-two 1
            "#]],
        );
    }

    #[test]
    fn a_virtual_package_is_provided_by_the_most_important_one() {
        let list = "Package: app\nVersion: 1\nDepends: awk\n\n\
            Package: gawk\nVersion: 1\nPriority: optional\nProvides: awk\n\n\
            Package: mawk\nVersion: 1\nPriority: important\nProvides: awk\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
                mawk 1
                app 1
            "#]],
        );
    }

    #[test]
    fn only_versioned_provisions_satisfy_versioned_dependencies() {
        let list = "Package: app\nVersion: 1\nDepends: api (>= 2)\n\n\
            Package: aa-old\nVersion: 9\nProvides: api\n\n\
            Package: bb-older\nVersion: 9\nProvides: api (= 1)\n\n\
            Package: cc-new\nVersion: 1\nProvides: api (= 2)\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
                cc-new 1
                app 1
            "#]],
        );
    }

    #[test]
    fn the_highest_version_of_any_repository_is_the_candidate() {
        let security = "Package: libc6\nVersion: 2+deb12u1\n\n";
        let older = "Package: libc6\nVersion: 2~rc1\n\n";
        check(
            &[BASE, security, older],
            "libc6",
            expect![[r#"
                libc6 2+deb12u1
                dash 1
                debconf 1
                tzdata 1
            "#]],
        );
    }

    #[test]
    fn conflicts_lead_to_the_other_alternative() {
        let list = "Package: app\nVersion: 1\nDepends: one | two, three\n\n\
            Package: one\nVersion: 1\n\nPackage: two\nVersion: 1\n\n\
            Package: three\nVersion: 1\nBreaks: one (<< 2)\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
                two 1
                three 1
                app 1
            "#]],
        );
    }

    #[test]
    fn a_package_may_conflict_with_what_it_provides() {
        let list = "Package: exim\nVersion: 1\nProvides: mta\nConflicts: mta\n\n\
            Package: postfix\nVersion: 1\nProvides: mta\nConflicts: mta\n\n";
        check(
            &[list],
            "exim",
            expect![[r#"
                exim 1
            "#]],
        );
        check(
            &[list],
            "exim, postfix",
            expect![[r#"
            The following packages are incompatible
            ├─ postfix can be installed with any of the following options:
            │  └─ postfix 1
            └─ exim cannot be installed because there are no viable options:
               └─ exim 1 would constrain
                  └─ postfix not mta, which conflicts with any installable versions previously reported
        "#]],
        );
    }

    #[test]
    fn cycles_are_no_obstacle() {
        let list = "Package: aa\nVersion: 1\nDepends: bb\n\nPackage: bb\nVersion: 1\nDepends: aa\n\n";
        check(
            &[list],
            "aa",
            expect![[r#"
                bb 1
                aa 1
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_had_is_named_with_the_reason() {
        check(
            &[BASE],
            "nowhere",
            expect![[r#"
            No candidates were found for nowhere.
        "#]],
        );
        check(
            &[BASE],
            "libc6 (>= 3)",
            expect![[r#"
            No candidates were found for libc6 >= 3 (there is 2).
        "#]],
        );
        let list = "Package: app\nVersion: 1\nDepends: lib (>= 2)\n\nPackage: lib\nVersion: 1.5\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
            app cannot be installed because there are no viable options:
            └─ app 1 would require
               └─ lib >= 2 (there is 1.5), for which no candidates were found.
        "#]],
        );
        let list = "Package: app\nVersion: 1\nDepends: gone | away\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
            app cannot be installed because there are no viable options:
            └─ app 1 would require
               └─ gone | away, for which no candidates were found.
        "#]],
        );
    }

    #[test]
    fn usrmerge_never_gets_in() {
        let list = "Package: app\nVersion: 1\nDepends: usrmerge | usr-is-merged\n\n\
            Package: usrmerge\nVersion: 1\n\nPackage: usr-is-merged\nVersion: 1\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
                usr-is-merged 1
                app 1
            "#]],
        );
    }

    #[test]
    fn other_architectures_do_not_count() {
        let list = "Package: app\nVersion: 1\nDepends: lib:i386 | tool:any\n\n\
            Package: lib\nVersion: 1\n\nPackage: tool\nVersion: 1\n\n";
        check(
            &[list],
            "app",
            expect![[r#"
                tool 1
                app 1
            "#]],
        );
    }
}
