//! Every row of the acceptance list has its place: `acceptance.tsv` says which rooms test it, and their tests quote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The families of rows, and how many each has.
const FAMILIES: &[(&str, usize)] = &[
    ("SPEC", 47),
    ("SRC", 34),
    ("DEP", 13),
    ("BLD", 13),
    ("ART", 16),
    ("TEST", 19),
    ("SIGN", 17),
    ("FE", 21),
    ("RPM", 13),
    ("DEB", 16),
    ("TGT", 29),
    ("WIN", 8),
];

/// The rooms, and where their tests are.
const ROOMS: &[(&str, &str)] = &[
    ("spec", "crates/dalec-spec"),
    ("targets", "crates/dalec-targets"),
    ("llb", "crates/dalec-llb"),
    ("engine", "crates/dalec-engine"),
    ("frontend", "crates/dalec-frontend"),
    ("signer", "crates/dalec-signer"),
    ("testrunner", "crates/dalec-testrunner"),
    ("dalec", "crates/dalec"),
    ("e2e", "tests/tests/e2e"),
    ("signing", "tests/tests/signing"),
    ("buildkit", "tests/tests/buildkit"),
    ("rpm", "tests/tests/rpm"),
    ("windows", "tests/tests/windows"),
];

/// What a source has in it that is tests as a whole.
const MARKS: &[&str] = &["#[test]", "proptest!", "on_both_engines!"];

/// The word for what is open.
const LATER: &str = "later";

/// One row of the table.
struct Row {
    id: String,
    what: String,
    rooms: Vec<String>,
    open: String,
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

fn table() -> Vec<Row> {
    let text = fs::read_to_string(workspace().join("tests/acceptance.tsv")).expect("a readable table");
    let row = |line: &str| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default().to_owned();
        let (id, what, rooms, open) = (next(), next(), next(), next());
        assert!(columns.next().is_none(), "{id} has too many columns");
        Row { id, what, rooms: rooms.split(',').map(str::to_owned).collect(), open }
    };
    text.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

/// Returns the rows that tests of the rooms quote, with the rooms.
fn quoted() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (room, folder) in ROOMS {
        for path in files(&workspace().join(folder)) {
            for id in ids(&tests_of(&path)) {
                found.entry(id).or_default().insert(room);
            }
        }
    }
    found
}

/// Returns the sources and specs below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "yml") {
            found.push(path);
        }
    }
    found
}

/// Returns what of the file is tests: all of a spec, of a source its test module, or all of it when it is one. What a
/// file says of itself as a whole is no test.
fn tests_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text: String =
        text.lines().filter(|line| !line.starts_with("//!")).flat_map(|line| [line, "\n"]).collect();
    if path.extension().is_some_and(|extension| extension == "yml") {
        return text;
    }
    match text.find("#[cfg(test)]\nmod tests") {
        Some(start) => text[start..].to_owned(),
        None if MARKS.iter().any(|mark| text.contains(mark)) => text,
        None => String::new(),
    }
}

/// Returns the rows that `text` quotes; `ART-001 to ART-008` quotes all of them.
fn ids(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (family, _) in FAMILIES {
        for (at, _) in text.match_indices(&format!("{family}-")) {
            let is_word = text[..at].chars().next_back().is_none_or(|char| !char.is_alphanumeric());
            let number = |text: &str| text.get(..3).and_then(|digits| digits.parse::<usize>().ok());
            let rest = &text[at + family.len() + 1..];
            let Some(first) = number(rest).filter(|_| is_word) else { continue };
            let last = rest[3..].strip_prefix(&format!(" to {family}-")).and_then(number).unwrap_or(first);
            found.extend((first..=last).map(|number| format!("{family}-{number:03}")));
        }
    }
    found
}

#[test]
fn ids_are_found_in_words() {
    let text = "/// SPEC-001, ART-003 to ART-005: x-SPEC-002\n// MYSPEC-003 SRC-04 TEST-019.";
    let expected = ["ART-003", "ART-004", "ART-005", "SPEC-001", "SPEC-002", "TEST-019"];
    assert_eq!(ids(text), expected.map(str::to_owned).into());
}

#[test]
fn the_table_has_every_row_once() {
    let expected: Vec<String> = FAMILIES
        .iter()
        .flat_map(|(family, count)| (1..=*count).map(move |number| format!("{family}-{number:03}")))
        .collect();
    let rows: Vec<String> = table().into_iter().map(|row| row.id).collect();
    assert_eq!(rows, expected);
}

#[test]
fn rows_are_quoted_where_the_table_says() {
    let quoted = quoted();
    let mut wrong = Vec::new();
    for Row { id, what, rooms, open } in table() {
        let tested: BTreeSet<&str> = rooms.iter().map(String::as_str).filter(|room| *room != LATER).collect();
        let found = quoted.get(&id).cloned().unwrap_or_default();
        if !tested.is_subset(&found) || tested.is_empty() && !found.is_empty() {
            wrong.push(format!("{id} ({what}): the table says {tested:?}, tests of {found:?} quote it"));
        }
        if rooms.iter().any(|room| room == LATER) == open.is_empty() {
            wrong.push(format!("{id}: `later` goes with what is open"));
        }
    }
    let known: BTreeSet<String> = table().into_iter().map(|row| row.id).collect();
    wrong.extend(quoted.keys().filter(|id| !known.contains(*id)).map(|id| format!("there is no row {id}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
