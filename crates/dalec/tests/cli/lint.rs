//! `dalec lint`: formats, silenced warnings, exit codes. What is found and where is tested where specs are read.

use expect_test::expect;
use serde_json::Value;

use super::{HELLO, Place, Run};

/// A place with a spec that has one warning, and one with an error.
fn place() -> Place {
    let place = Place::with("a.yml", &HELLO.replace("VERSION: 1.0.0", "VERSION: 1.0.0\n  UNUSED: 1"));
    place.write("b.yml", &HELLO.replace("license: MIT", "licence: MIT"));
    place
}

fn allowing(comment: &str) -> String {
    HELLO.replace("VERSION: 1.0.0", &format!("VERSION: 1.0.0\n  UNUSED: 1 {comment}"))
}

#[test]
fn warnings_fail_when_they_are_told_to() {
    let place = place();
    for format in ["text", "json", "sarif", "github"] {
        assert_eq!(place.run(&["lint", "--format", format, "a.yml"]).code, Some(0), "{format}");
        assert_eq!(place.run(&["lint", "--format", format, "--strict", "a.yml"]).code, Some(2), "{format}");
        assert_eq!(place.run(&["lint", "--format", format, "b.yml"]).code, Some(2), "{format}");
    }
    let run = Place::with("dalec.yml", HELLO).run(&["lint", "--strict"]);
    assert_eq!(run.code, Some(0));
}

#[test]
fn github_gets_workflow_commands() {
    let Run { code, stdout, stderr } = place().run(&["lint", "--format", "github", "./a.yml", "b.yml"]);
    assert_eq!(code, Some(2));
    expect![[r#"
        ::warning file=a.yml,line=11,endLine=11,col=3,endColumn=9,title=dalec unused-arg::the argument `UNUSED` is declared and never used%0Ahelp: remove it, or refer to it as `${UNUSED}`
        ::error file=b.yml,line=6,endLine=6,col=1,endColumn=8,title=dalec unknown-key::unknown key `licence` in a spec%0Ahelp: did you mean `license`?
    "#]].assert_eq(&stdout);
    expect![[r#"
        1 error and 1 warning in 2 files
    "#]]
    .assert_eq(&stderr);
    let run = Place::with("dalec.yml", HELLO).run(&["lint", "--format", "github"]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(0), "", "nothing to say about 1 file\n")
    );
}

#[test]
fn code_scanning_gets_one_log_for_all_files() {
    let place = place();
    let Run { code, stdout, stderr } = place.run(&["lint", "--format", "sarif", "./a.yml", "b.yml"]);
    assert_eq!((code, stderr.as_str()), (Some(2), ""));
    assert!(stdout.ends_with("}\n"));
    let log: Value = serde_json::from_str(&stdout).expect("JSON");
    let run = &log["runs"][0];
    let rules: Vec<&Value> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert_eq!(rules, ["unknown-key", "unused-arg"]);
    let results = run["results"].as_array().unwrap();
    let shown: Vec<String> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            let (uri, line) = (&place["artifactLocation"]["uri"], &place["region"]["startLine"]);
            format!("{uri}:{line} {} {}\n", result["level"], result["message"]["text"])
        })
        .collect();
    expect![[r#"
        "a.yml":11 "warning" "The argument `UNUSED` is declared and never used. Remove it, or refer to it as `${UNUSED}`."
        "b.yml":6 "error" "Unknown key `licence` in a spec. Did you mean `license`?"
    "#]].assert_eq(&shown.concat());
    let again = place.run(&["lint", "--format", "sarif", "./a.yml", "b.yml"]);
    assert_eq!(again.stdout, stdout, "the same specs give the same bytes");
    let run = Place::with("dalec.yml", HELLO).run(&["lint", "--format", "sarif"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("\"results\": []"), "{}", run.stdout);
}

#[test]
fn comments_silence_warnings_in_all_formats() {
    let place = Place::with("dalec.yml", &allowing("# dalec: allow unused-arg (for the wrapper)"));
    let run = place.run(&["lint", "--strict"]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(0), "", "nothing to say about 1 file\n")
    );
    assert_eq!(place.run(&["lint", "--strict", "--format", "json"]).stdout, "[]\n");
    assert_eq!(place.run(&["lint", "--strict", "--format", "github"]).stdout, "");
    assert_eq!(place.run(&["lint", "--strict", "--format", "sarif"]).code, Some(0));
}

#[test]
fn comments_that_silence_nothing_are_warnings() {
    let run = Place::with("dalec.yml", &allowing("# dalec: allow unused-agr, no-checks")).run(&["lint"]);
    assert_eq!(run.code, Some(0));
    expect![[r#"
        warning[unused-arg]: the argument `UNUSED` is declared and never used
          --> dalec.yml:11:3
           |
        11 |   UNUSED: 1 # dalec: allow unused-agr, no-checks
           |   ^^^^^^
           |
           = help: remove it, or refer to it as `${UNUSED}`

        warning[unknown-code]: there is no code `unused-agr`
          --> dalec.yml:11:28
           |
        11 |   UNUSED: 1 # dalec: allow unused-agr, no-checks
           |                            ^^^^^^^^^^
           |
           = help: did you mean `unused-arg`?

        warning[unused-allow]: line 11 has no `no-checks` to silence
          --> dalec.yml:11:40
           |
        11 |   UNUSED: 1 # dalec: allow unused-agr, no-checks
           |                                        ^^^^^^^^^
           |
           = help: remove it
    "#]]
    .assert_eq(&run.stdout);
    expect![[r#"
        0 errors and 3 warnings in 1 file
    "#]]
    .assert_eq(&run.stderr);
}

#[test]
fn every_code_is_explained() {
    let place = Place::new();
    for code in dalec_spec::codes::ALL {
        let Run { code: exit, stdout, stderr } = place.run(&["lint", "--explain", code.name]);
        assert_eq!((exit, stdout.as_str(), stderr.as_str()), (Some(0), code.page, ""), "{}", code.name);
    }
    let pasted = place.run(&["lint", "--explain", "warning[unused-arg]"]);
    assert!(pasted.stdout.starts_with("# `unused-arg`\n\nWarning: "), "{}", pasted.stdout);
}

#[test]
fn an_unknown_code_is_not_explained() {
    let place = place();
    let run = place.run(&["lint", "--explain", "unusd-arg"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    expect![[r#"
        error: there is no code `unusd-arg`
         |
         = help: did you mean `unused-arg`?
    "#]]
    .assert_eq(&run.stderr);
    let run = place.run(&["lint", "--explain", "everything"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    expect![[r#"
        error: there is no code `everything`
         |
         = help: the code is what stands in brackets, as in `error[unknown-key]`
    "#]]
    .assert_eq(&run.stderr);
    for other in [&["a.yml"][..], &["--format", "json"], &["--strict"], &["--build-arg", "A=1"]] {
        let run = place.run(&[&["lint", "--explain", "unused-arg"], other].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{other:?}");
    }
}

#[test]
fn the_page_about_it_leads_to_all_findings() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let page = std::fs::read_to_string(docs.join("lint.md")).unwrap();
    assert!(page.contains("](findings/README.md)"));
    assert!(docs.join("findings/README.md").is_file());
}

#[test]
fn a_file_that_is_not_there_hides_no_findings() {
    let place = place();
    let Run { code, stdout, stderr } =
        place.run(&["lint", "--format", "json", "-f", "a.yml", "none.yml", "b.yml"]);
    assert_eq!(code, Some(2));
    let found: Value = serde_json::from_str(&stdout).expect("JSON");
    let codes: Vec<_> = found.as_array().into_iter().flatten().map(|found| &found["code"]).collect();
    assert_eq!(codes, ["unknown-key", "unused-arg"]);
    expect![[r#"
        error: there is no spec none.yml
    "#]]
    .assert_eq(&stderr);
}

/// Debian packages need somebody who makes them; whoever writes for such a target hears of it before the build.
#[test]
fn what_a_target_needs_is_missed() {
    let spec = HELLO.replace("packager: Hello Maintainers <hello@example.org>\n", "");
    let run = Place::with("dalec.yml", &spec).run(&["lint"]);
    let missed = "warning[incomplete-for-target]: packages for `trixie` need `packager`";
    assert!(run.stdout.starts_with(missed), "{}", run.stdout);
    let elsewhere = spec.replace("  trixie:", "  azlinux3:");
    assert_eq!(Place::with("dalec.yml", &elsewhere).run(&["lint"]).stdout, "");
}
