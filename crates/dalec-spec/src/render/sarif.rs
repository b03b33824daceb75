//! Findings of several files as one SARIF 2.1.0 log, the format of code scanning services.
//!
//! Follows "Static Analysis Results Interchange Format (SARIF) Version 2.1.0" of OASIS; the numbers are its sections.
//! Two departures are on purpose. Braces in messages are not doubled (3.11.5): the messages have no arguments, no viewer
//! in use replaces anything then, and `${{NAME}}` would be wrong advice. And messages have no Markdown: what a spec says
//! is quoted in them and must not become links or images. The help of a rule says nothing of any spec: it is the page
//! about the code. There is no `fullDescription` (3.49.10), as it would repeat the short one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Region, harmless, path, sorted};
use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source_text::SourceText;
use crate::span::Span;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What relative names are relative to: the root of the repository, where `dalec lint` is meant to run.
const ROOT: &str = "%SRCROOT%";

/// Returns the findings of all files as a SARIF log with one run.
///
/// Files keep their order; the findings of each are sorted by position, repetitions left out. Rules are the codes that
/// occur, in the order of [`codes::ALL`].
pub fn render_sarif(found: &[(SourceText, Vec<Diagnostic>)]) -> Value {
    let found: Vec<(&SourceText, Vec<Diagnostic>)> =
        found.iter().map(|(source, diagnostics)| (source, sorted(diagnostics))).collect();
    let occurs =
        |code: &&Code| found.iter().any(|(_, list)| list.iter().any(|finding| finding.code == code.name));
    let rules: Vec<&Code> = codes::ALL.iter().filter(occurs).collect();
    let indexes: BTreeMap<&str, usize> =
        rules.iter().enumerate().map(|(index, code)| (code.name, index)).collect();
    let results = found.iter().flat_map(|(source, diagnostics)| {
        diagnostics.iter().map(|diagnostic| result(source, diagnostic, indexes.get(diagnostic.code)))
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "dalec",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules.iter().map(|code| rule(code)).collect::<Vec<_>>(),
                }
            },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: &Code) -> Value {
    let help = match code.severity {
        Severity::Error => "The spec cannot be used until this is fixed.".to_owned(),
        Severity::Warning => {
            let name = code.name;
            format!(
                "If it is meant, write the comment `# dalec: allow {name}` at the end of the line or above it."
            )
        }
    };
    json!({
        "id": code.name,
        "shortDescription": { "text": sentence(code.summary) },
        "help": { "text": help, "markdown": code.page },
        "defaultConfiguration": { "level": code.severity.to_string() },
    })
}

fn result(source: &SourceText, diagnostic: &Diagnostic, rule: Option<&usize>) -> Value {
    let mut result = json!({ "ruleId": diagnostic.code });
    if let Some(index) = rule {
        result["ruleIndex"] = json!(index);
    }
    result["level"] = json!(diagnostic.severity.to_string());
    result["message"] = json!({ "text": message(diagnostic) });
    result["locations"] = json!([{ "physicalLocation": place(source, diagnostic.span) }]);
    if !diagnostic.labels.is_empty() {
        let related = diagnostic.labels.iter().enumerate().map(|(index, label)| {
            json!({
                "id": index,
                "physicalLocation": place(source, Some(label.span)),
                "message": { "text": sentence(&label.text) },
            })
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

/// Returns what is said about the finding, as sentences.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = match diagnostic.note.as_str() {
        "" => sentence(&diagnostic.message),
        note => sentence(&format!("{} ({note})", diagnostic.message)),
    };
    if let Some(help) = &diagnostic.help {
        text.push(' ');
        text.push_str(&sentence(help));
    }
    text
}

/// Returns `words`, which are lower case without a full stop, as a sentence of plain text.
fn sentence(words: &str) -> String {
    // `[words](address)` would be a link (3.11.6).
    let words = harmless(words.trim()).replace("](", "] (");
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let end = if words.ends_with(['.', '?', '!']) { "" } else { "." };
    first.into_iter().chain(chars).chain(end.chars()).collect()
}

/// Returns the place of `span`, or that of the whole file.
fn place(source: &SourceText, span: Option<Span>) -> Value {
    let mut file = Map::from_iter([("uri".to_owned(), json!(uri(path(source))))]);
    if !path(source).starts_with('/') {
        file.insert("uriBaseId".into(), json!(ROOT));
    }
    let mut place = json!({ "artifactLocation": file });
    if let Some(span) = span {
        let Region { start, end } = Region::new(source, span);
        place["region"] = json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        });
    }
    place
}

/// Returns `path` as a URI, or as a reference relative to one (RFC 3986): all but unreserved characters are encoded.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn finding(code: &'static str, start: usize, end: usize) -> Diagnostic {
        let severity = codes::find(code).expect("a code").severity;
        let span = Span::new(start, end);
        match severity {
            Severity::Error => Diagnostic::error(code, span, "it is `wrong`"),
            Severity::Warning => Diagnostic::warning(code, span, "it is `doubtful`"),
        }
    }

    #[test]
    fn findings_of_two_files_are_one_log() {
        let first = SourceText::new("./specs/a b.yml", "name: é\nargs:\n  A: 1\nname: x\n");
        let second = SourceText::new("/tmp/c.yml", "x: 1\n");
        let log = render_sarif(&[
            (
                first,
                vec![
                    finding(codes::DUPLICATE_KEY, 22, 26)
                        .note("both count")
                        .label(Span::new(0, 4), "first written here")
                        .help("keep one of them"),
                    finding(codes::UNUSED_ARG, 17, 18).help("did you mean `B`?"),
                ],
            ),
            (
                second,
                vec![
                    finding(codes::DUPLICATE_KEY, 0, 1),
                    Diagnostic::error_outside(codes::UNKNOWN_BUILD_ARG, "no argument `B`"),
                ],
            ),
        ]);
        let mut text = serde_json::to_string_pretty(&log).expect("JSON");
        for code in codes::ALL {
            let page = json!(code.page).to_string();
            text = text.replace(&page, &format!("\"PAGE of {}\"", code.name));
        }
        let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
        expect![[r#"
            {
              "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
              "version": "2.1.0",
              "runs": [
                {
                  "tool": {
                    "driver": {
                      "name": "dalec",
                      "version": "VERSION",
                      "rules": [
                        {
                          "id": "duplicate-key",
                          "shortDescription": {
                            "text": "A mapping has the same key twice."
                          },
                          "help": {
                            "text": "The spec cannot be used until this is fixed.",
                            "markdown": "PAGE of duplicate-key"
                          },
                          "defaultConfiguration": {
                            "level": "error"
                          }
                        },
                        {
                          "id": "unknown-build-arg",
                          "shortDescription": {
                            "text": "A build argument was given that `args` does not declare."
                          },
                          "help": {
                            "text": "The spec cannot be used until this is fixed.",
                            "markdown": "PAGE of unknown-build-arg"
                          },
                          "defaultConfiguration": {
                            "level": "error"
                          }
                        },
                        {
                          "id": "unused-arg",
                          "shortDescription": {
                            "text": "An argument is declared and never used."
                          },
                          "help": {
                            "text": "If it is meant, write the comment `# dalec: allow unused-arg` at the end of the line or above it.",
                            "markdown": "PAGE of unused-arg"
                          },
                          "defaultConfiguration": {
                            "level": "warning"
                          }
                        }
                      ]
                    }
                  },
                  "columnKind": "unicodeCodePoints",
                  "results": [
                    {
                      "ruleId": "unused-arg",
                      "ruleIndex": 2,
                      "level": "warning",
                      "message": {
                        "text": "It is `doubtful`. Did you mean `B`?"
                      },
                      "locations": [
                        {
                          "physicalLocation": {
                            "artifactLocation": {
                              "uri": "specs/a%20b.yml",
                              "uriBaseId": "%SRCROOT%"
                            },
                            "region": {
                              "startLine": 3,
                              "startColumn": 3,
                              "endLine": 3,
                              "endColumn": 4
                            }
                          }
                        }
                      ]
                    },
                    {
                      "ruleId": "duplicate-key",
                      "ruleIndex": 0,
                      "level": "error",
                      "message": {
                        "text": "It is `wrong` (both count). Keep one of them."
                      },
                      "locations": [
                        {
                          "physicalLocation": {
                            "artifactLocation": {
                              "uri": "specs/a%20b.yml",
                              "uriBaseId": "%SRCROOT%"
                            },
                            "region": {
                              "startLine": 4,
                              "startColumn": 1,
                              "endLine": 4,
                              "endColumn": 5
                            }
                          }
                        }
                      ],
                      "relatedLocations": [
                        {
                          "id": 0,
                          "physicalLocation": {
                            "artifactLocation": {
                              "uri": "specs/a%20b.yml",
                              "uriBaseId": "%SRCROOT%"
                            },
                            "region": {
                              "startLine": 1,
                              "startColumn": 1,
                              "endLine": 1,
                              "endColumn": 5
                            }
                          },
                          "message": {
                            "text": "First written here."
                          }
                        }
                      ]
                    },
                    {
                      "ruleId": "duplicate-key",
                      "ruleIndex": 0,
                      "level": "error",
                      "message": {
                        "text": "It is `wrong`."
                      },
                      "locations": [
                        {
                          "physicalLocation": {
                            "artifactLocation": {
                              "uri": "file:///tmp/c.yml"
                            },
                            "region": {
                              "startLine": 1,
                              "startColumn": 1,
                              "endLine": 1,
                              "endColumn": 2
                            }
                          }
                        }
                      ]
                    },
                    {
                      "ruleId": "unknown-build-arg",
                      "ruleIndex": 1,
                      "level": "error",
                      "message": {
                        "text": "No argument `B`."
                      },
                      "locations": [
                        {
                          "physicalLocation": {
                            "artifactLocation": {
                              "uri": "file:///tmp/c.yml"
                            }
                          }
                        }
                      ]
                    }
                  ]
                }
              ]
            }"#]].assert_eq(&text.replace(&version, "\"version\": \"VERSION\""));
    }

    #[test]
    fn no_findings_are_a_log_too() {
        let log = render_sarif(&[(SourceText::new("a.yml", ""), Vec::new())]);
        assert_eq!(log["runs"][0]["results"], json!([]));
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"], json!([]));
        assert_eq!(log["version"], "2.1.0");
    }

    /// What 3.13, 3.14, 3.18, 3.19, 3.27, 3.29, 3.30 and 3.49 require, and what GitHub asks for beyond that.
    #[test]
    fn every_code_has_what_readers_need() {
        let source = SourceText::new("a.yml", "\u{feff}é: [x,\n y]\n");
        let findings: Vec<Diagnostic> = codes::ALL
            .iter()
            .map(|code| finding(code.name, 3, 14).label(Span::new(3, 5), "here"))
            .chain([Diagnostic::error_outside(codes::UNKNOWN_BUILD_ARG, "no place")])
            .collect();
        let log = render_sarif(&[(source, findings)]);
        assert!(log["$schema"].as_str().is_some_and(|uri| uri.starts_with("https://")));
        let run = &log["runs"][0];
        assert_eq!(log["runs"].as_array().map(Vec::len), Some(1));
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        let driver = &run["tool"]["driver"];
        assert_eq!(
            (&driver["name"], &driver["version"]),
            (&json!("dalec"), &json!(env!("CARGO_PKG_VERSION")))
        );
        let rules = driver["rules"].as_array().expect("a list");
        assert_eq!(rules.len(), codes::ALL.len());
        for rule in rules {
            let code = codes::find(rule["id"].as_str().expect("text")).expect("a code");
            assert_eq!(rule["help"]["markdown"], code.page);
            for key in ["shortDescription", "help"] {
                assert!(rule[key]["text"].as_str().is_some_and(|text| text.ends_with('.')), "{rule}");
            }
            assert!(
                ["error", "warning"].contains(&rule["defaultConfiguration"]["level"].as_str().expect("text"))
            );
        }
        let results = run["results"].as_array().expect("a list");
        assert_eq!(results.len(), codes::ALL.len() + 1);
        for result in results {
            let index = result["ruleIndex"].as_u64().expect("a number") as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert_eq!(rules[index]["defaultConfiguration"]["level"], result["level"]);
            assert!(result["message"]["text"].as_str().is_some_and(|text| text.ends_with('.')));
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"], json!({ "uri": "a.yml", "uriBaseId": "%SRCROOT%" }));
            if result["message"]["text"] == "No place." {
                assert_eq!(place["region"], Value::Null);
                continue;
            }
            let region = json!({ "startLine": 1, "startColumn": 1, "endLine": 2, "endColumn": 4 });
            assert_eq!(place["region"], region);
            let related = &result["relatedLocations"][0];
            assert_eq!(related["message"]["text"], "Here.");
            assert_eq!(related["physicalLocation"]["region"]["endColumn"], 2);
        }
    }

    #[test]
    fn file_names_are_references() {
        for (name, expected) in [
            ("dalec.yml", "dalec.yml"),
            ("././a/b.yml", "a/b.yml"),
            ("../a.yml", "../a.yml"),
            ("a:b ü%#?.yml", "a%3Ab%20%C3%BC%25%23%3F.yml"),
            ("/x y", "file:///x%20y"),
            ("<stdin>", "%3Cstdin%3E"),
        ] {
            assert_eq!(uri(path(&SourceText::new(name, ""))), expected);
        }
    }

    #[test]
    fn messages_are_plain_sentences() {
        for (words, expected) in [
            ("did you mean `x`?", "Did you mean `x`?"),
            ("`x` is unknown", "`x` is unknown."),
            ("ümlaut", "ümlaut."),
            ("refer to it as `${X}`", "Refer to it as `${X}`."),
            ("a [link](https://example.org) \u{1b}[1m\n", "A [link] (https://example.org) \u{fffd}[1m."),
            ("", "."),
        ] {
            assert_eq!(sentence(words), expected);
        }
    }
}
