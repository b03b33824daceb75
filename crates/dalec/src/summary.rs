//! What came of a build: as words for people, as a record for `--metadata-file` and for `--progress json`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use dalec_engine::Stats;
use dalec_gateway::FrontendResult;
use serde::Serialize;
use serde_json::{Value, json};

use crate::errors::Style;
use crate::observe::Base;
use crate::outputs::{Output, OutputFile};
use crate::progress::words;
use crate::signed::Signed;
use crate::terminal::{self, Keep};

/// More files than this are counted, not listed.
const LISTED: usize = 24;

/// What came of a build. Times and counts are per run and no part of the record.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// How the engine runs.
    pub engine: Value,
    /// What was built, in the order asked for.
    pub builds: Vec<Built>,
    /// How long it took.
    #[serde(skip)]
    pub elapsed: Duration,
    /// What the engine did.
    #[serde(skip)]
    pub stats: Stats,
}

/// What came of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// The target.
    pub target: String,
    /// The platforms it was built for.
    pub platforms: Vec<String>,
    /// The images it started from.
    pub bases: Vec<Base>,
    /// What was signed, by whom; nothing for a build without signer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signing: Vec<Signed>,
    /// What was written.
    pub outputs: Vec<Output>,
    /// What exporters of images say, in BuildKit's words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exporter: BTreeMap<String, Value>,
}

impl Built {
    /// Returns what a frontend's result for `target` is, started from `bases`; nothing is written of it yet.
    pub fn new(target: &str, result: &FrontendResult, mut bases: Vec<Base>) -> Self {
        let signing = Signed::of(result);
        // The signer's image was looked for as well, and nothing was built from it.
        bases
            .retain(|base| !signing.iter().any(|signed| signed.signer.digest.as_ref() == Some(&base.digest)));
        Self {
            target: target.to_owned(),
            platforms: result.refs.iter().map(|(platform, _)| platform.clone()).collect(),
            bases,
            signing,
            outputs: Vec::new(),
            exporter: BTreeMap::new(),
        }
    }
}

impl Summary {
    /// Returns the record as one value.
    ///
    /// What exporters say of the only target also stands at the top, where programs look that know the metadata file of
    /// `docker buildx build`; that of several targets below their names, as `docker buildx bake` writes it.
    pub fn record(&self) -> Value {
        let mut record = serde_json::to_value(self).unwrap_or_default();
        let Some(fields) = record.as_object_mut() else { return record };
        match self.builds.as_slice() {
            [only] => fields.extend(only.exporter.clone()),
            several => {
                let said = several.iter().filter(|built| !built.exporter.is_empty());
                fields.extend(said.map(|built| (built.target.clone(), json!(built.exporter))));
            }
        }
        record
    }

    /// Returns the words.
    pub fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let targets: Vec<&str> = self.builds.iter().map(|built| built.target.as_str()).collect();
        let head = format!("built {} in {}", targets.join(", "), words::short_time(self.elapsed));
        let head = if style.color { format!("\x1b[1;32m{head}\x1b[0m") } else { head };
        // Writing to a string cannot fail, here and below.
        let _ = match self.stats.ops_run {
            0 => {
                let all = if self.stats.ops_cached == 1 { "" } else { "all " };
                let steps = words::count(self.stats.ops_cached, "step");
                writeln!(text, "{head}: nothing has changed, {all}{steps} cached")
            }
            run => {
                writeln!(text, "{head}: {} run, {} cached", words::count(run, "step"), self.stats.ops_cached)
            }
        };
        for base in self.bases() {
            let _ = writeln!(text, "base {}: {}", base.name(), base.origin);
        }
        for built in &self.builds {
            for signed in &built.signing {
                let _ = writeln!(text, "{}", signed.line());
            }
            for output in &built.outputs {
                write_output(&mut text, output);
            }
            if built.outputs.is_empty() {
                let _ = writeln!(text, "nothing was written: name a directory with -o to get the result");
            }
        }
        text
    }

    /// Returns the images that were started from, each way they came once.
    fn bases(&self) -> Vec<&Base> {
        let mut bases: Vec<&Base> = Vec::new();
        for base in self.builds.iter().flat_map(|built| &built.bases) {
            if !bases.iter().any(|known| known.name() == base.name() && known.origin == base.origin) {
                bases.push(base);
            }
        }
        bases
    }
}

fn write_output(text: &mut String, output: &Output) {
    let dest = match output.dest.as_str() {
        "-" => "standard output".to_owned(),
        dest => terminal::clean(dest.as_bytes(), Keep::Nothing),
    };
    match output.kind {
        "local" => write_files(text, output, &dest),
        "image" => {
            let digest = output.digest.as_deref().unwrap_or("no digest is known");
            let name = if dest.is_empty() { "without a name" } else { &dest };
            let _ = writeln!(text, "image {name}: {digest}");
        }
        _ => drop(writeln!(text, "wrote {} to {dest}", words::bytes(output.size))),
    }
}

fn write_files(text: &mut String, output: &Output, dest: &str) {
    let files = words::count(output.files.len() as u64, "file");
    let size = words::bytes(output.size);
    let _ = match output.written {
        _ if output.files.is_empty() => writeln!(text, "no files, in {dest}: the result is empty"),
        0 => writeln!(text, "{files}, {size}, in {dest}, as they were:"),
        all if all == output.files.len() => writeln!(text, "wrote {files}, {size}, to {dest}:"),
        some => writeln!(text, "{files}, {size}, in {dest}, {some} of them new or changed:"),
    };
    let listed = if output.files.len() > LISTED { &output.files[..LISTED / 2] } else { &output.files };
    // Names come out of the build, which may have made them to steer the terminal.
    let shown = |file: &OutputFile| terminal::clean(file.path.as_bytes(), Keep::Nothing);
    let width = listed.iter().map(|file| shown(file).chars().count()).max().unwrap_or_default();
    for file in listed {
        let size = file.size.map(words::bytes).unwrap_or_default();
        let _ = writeln!(text, "{}", format!("  {:width$}  {size:>9}", shown(file)).trim_end());
    }
    if listed.len() < output.files.len() {
        let _ = writeln!(text, "  … and {} more", output.files.len() - listed.len());
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn file(path: &str, size: Option<u64>) -> OutputFile {
        OutputFile { path: path.into(), size, digest: size.map(|_| "sha256:00".to_owned()) }
    }

    fn directory(dest: &str, written: usize, files: Vec<OutputFile>) -> Output {
        Output { kind: "local", dest: dest.into(), size: 20_480, written, files, digest: None }
    }

    fn built(target: &str, outputs: Vec<Output>) -> Built {
        let base = Base {
            reference: "docker.io/library/debian:bookworm".into(),
            packages: 0,
            platform: "linux/amd64".into(),
            digest: "sha256:11".into(),
            origin: "pulled from its registry".into(),
        };
        Built {
            target: target.into(),
            platforms: vec!["linux/amd64".into()],
            bases: vec![base],
            signing: Vec::new(),
            outputs,
            exporter: BTreeMap::new(),
        }
    }

    fn summary(ops_run: u64, builds: Vec<Built>) -> Summary {
        Summary {
            engine: json!({ "mode": "rootless", "ids": 1 }),
            builds,
            elapsed: Duration::from_millis(if ops_run == 0 { 17 } else { 12_340 }),
            stats: Stats { ops_run, ops_cached: 5, ..Stats::default() },
        }
    }

    #[track_caller]
    fn check(summary: &Summary, expected: &Expect) {
        expected.assert_eq(&summary.text(Style::default()));
    }

    #[test]
    fn what_was_built_from_what_and_where_it_is() {
        let files = vec![file("hello_1.0.0-1_amd64.deb", Some(20_480)), file("latest.deb", None)];
        check(
            &summary(14, vec![built("bookworm/deb", vec![directory("out", 2, files)])]),
            &expect![[r#"
            built bookworm/deb in 12.3s: 14 steps run, 5 cached
            base docker.io/library/debian:bookworm: pulled from its registry
            wrote 2 files, 20.5 kB, to out:
              hello_1.0.0-1_amd64.deb    20.5 kB
              latest.deb
        "#]],
        );
    }

    #[test]
    fn names_of_files_cannot_steer_the_terminal() {
        let files = vec![file("a\x1b[2J\x1b]0;title\x07\nb\u{202e}.deb", Some(20_480)), file("plain", None)];
        let text = summary(1, vec![built("bookworm/deb", vec![directory("o\x1b[31mut", 2, files)])])
            .text(Style::default());
        assert!(text.contains(", to out:\n  ab.deb    20.5 kB\n  plain\n"), "{text:?}");
    }

    #[test]
    fn a_build_in_which_nothing_changed_says_so() {
        let files = vec![file("a.deb", Some(20_480))];
        check(
            &summary(0, vec![built("bookworm/deb", vec![directory("out", 0, files)])]),
            &expect![[r#"
            built bookworm/deb in 17ms: nothing has changed, all 5 steps cached
            base docker.io/library/debian:bookworm: pulled from its registry
            1 file, 20.5 kB, in out, as they were:
              a.deb    20.5 kB
        "#]],
        );
    }

    #[test]
    fn a_result_without_files_says_so() {
        let mut summary = summary(0, vec![built("debug/gomods", vec![directory("out", 0, Vec::new())])]);
        summary.stats.ops_cached = 1;
        check(
            &summary,
            &expect![[r#"
            built debug/gomods in 17ms: nothing has changed, 1 step cached
            base docker.io/library/debian:bookworm: pulled from its registry
            no files, in out: the result is empty
        "#]],
        );
    }

    #[test]
    fn large_results_are_counted_and_archives_have_a_size() {
        let many = (0..3000).map(|number| file(&format!("usr/{number:04}"), Some(1))).collect();
        let tar = Output { kind: "tar", dest: "-".into(), ..directory("", 1, Vec::new()) };
        let builds = vec![
            built("bookworm/container", vec![directory("a", 7, many), tar]),
            built("bookworm/deb", Vec::new()),
        ];
        check(
            &summary(1, builds),
            &expect![[r#"
            built bookworm/container, bookworm/deb in 12.3s: 1 step run, 5 cached
            base docker.io/library/debian:bookworm: pulled from its registry
            3000 files, 20.5 kB, in a, 7 of them new or changed:
              usr/0000        1 B
              usr/0001        1 B
              usr/0002        1 B
              usr/0003        1 B
              usr/0004        1 B
              usr/0005        1 B
              usr/0006        1 B
              usr/0007        1 B
              usr/0008        1 B
              usr/0009        1 B
              usr/0010        1 B
              usr/0011        1 B
              … and 2988 more
            wrote 20.5 kB to standard output
            nothing was written: name a directory with -o to get the result
        "#]],
        );
    }

    fn signed(compared: bool, key: Option<&str>) -> Signed {
        let signatures = key.map(|key| {
            json!([{ "type": "openpgp", "place": "_gpgorigin", "key": key, "hash": "SHA512", "time": 7 }])
        });
        let artifact = json!({
            "path": "hello.deb", "kind": "deb", "before": "00", "after": "11",
            "signatures": signatures.unwrap_or_else(|| json!([])),
        });
        serde_json::from_value(json!({
            "signer": { "image": "example.org/signer:1", "digest": "sha256:22" },
            "target": "bookworm",
            "compared": compared,
            "artifacts": if compared { json!([artifact]) } else { json!([]) },
        }))
        .unwrap()
    }

    #[test]
    fn who_signed_is_said() {
        let mut one = built("bookworm/deb", Vec::new());
        one.signing = vec![signed(true, Some("AB\x1b[2JCD")), signed(true, None), signed(false, None)];
        check(
            &summary(14, vec![one.clone()]),
            &expect![[r#"
                built bookworm/deb in 12.3s: 14 steps run, 5 cached
                base docker.io/library/debian:bookworm: pulled from its registry
                signed 1 file with example.org/signer:1: key ABCD
                no file was signed, although example.org/signer:1 was to do it
                signed with example.org/signer:1, which may have changed anything: nothing was compared
                nothing was written: name a directory with -o to get the result
            "#]],
        );
        one.signing.truncate(1);
        let record = summary(1, vec![one]).record();
        let signing = &record["builds"][0]["signing"][0];
        assert_eq!(signing["signer"]["digest"], "sha256:22");
        assert_eq!(
            (&signing["artifacts"][0]["before"], &signing["artifacts"][0]["after"]),
            (&json!("00"), &json!("11"))
        );
        assert_eq!(signing["artifacts"][0]["signatures"][0]["hash"], "SHA512");
    }

    #[test]
    fn what_exporters_say_stands_where_programs_look() {
        let image = |target: &str, digest: &str| Built {
            exporter: [("containerimage.digest".to_owned(), json!(digest))].into(),
            ..built(target, Vec::new())
        };
        let one = summary(1, vec![image("bookworm/container", "sha256:1")]).record();
        assert_eq!(one["containerimage.digest"], "sha256:1");
        let packages = built("bookworm/deb", Vec::new());
        let several =
            vec![image("bookworm/container", "sha256:1"), packages, image("trixie/container", "sha256:2")];
        let several = summary(1, several).record();
        assert_eq!(several["trixie/container"]["containerimage.digest"], "sha256:2");
        assert!(several.get("bookworm/deb").is_none() && several.get("containerimage.digest").is_none());
    }

    #[test]
    fn the_record_holds_nothing_of_one_run_alone() {
        let outputs = |written| vec![directory("out", written, vec![file("a.deb", Some(20_480))])];
        let first = summary(14, vec![built("bookworm/deb", outputs(1))]).record();
        let second = summary(0, vec![built("bookworm/deb", outputs(0))]).record();
        assert_eq!(first, second);
        expect![[r#"
            {
              "engine": {
                "mode": "rootless",
                "ids": 1
              },
              "builds": [
                {
                  "target": "bookworm/deb",
                  "platforms": [
                    "linux/amd64"
                  ],
                  "bases": [
                    {
                      "reference": "docker.io/library/debian:bookworm",
                      "platform": "linux/amd64",
                      "digest": "sha256:11",
                      "origin": "pulled from its registry"
                    }
                  ],
                  "outputs": [
                    {
                      "type": "local",
                      "dest": "out",
                      "size": 20480,
                      "files": [
                        {
                          "path": "a.deb",
                          "size": 20480,
                          "digest": "sha256:00"
                        }
                      ]
                    }
                  ]
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&first).unwrap());
    }
}
