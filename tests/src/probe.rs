//! A clean root of a distribution in which a test does what an administrator would do.
//!
//! It is the container of a probe package, and the steps are the tests of the probe's spec.

use crate::run::Project;
use crate::specs::script;

/// What happens in the root, put together step by step.
#[derive(Debug, Default)]
pub struct Probe {
    more: String,
    steps: String,
    given: Vec<(String, Vec<u8>)>,
}

impl Probe {
    /// Returns no steps in the root of the spec's target; `more` is added to the probe's spec.
    pub fn new(more: &str) -> Self {
        Self { more: more.to_owned(), ..Self::default() }
    }

    /// Puts a file into `/given`.
    #[must_use]
    pub fn given(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.given.push((name.to_owned(), content.into()));
        self
    }

    /// Runs a command, which must succeed.
    #[must_use]
    pub fn run(mut self, command: &str) -> Self {
        self.steps.push_str(&format!("      - command: {}\n", quoted(command)));
        self
    }

    /// Runs a command, which must print `text`.
    #[must_use]
    pub fn says(self, command: &str, text: &str) -> Self {
        let mut probe = self.run(command);
        probe.steps.push_str(&format!("        stdout:\n          contains: [{}]\n", quoted(text)));
        probe
    }

    /// Returns the project of the probe package `name`.
    pub fn project(&self, name: &str) -> Project {
        let tests = format!(
            "{}\ntests:\n  - name: {name}\n    mounts:\n      - dest: /given\n        spec:\n          context: {{}}\n          path: given\n    \
             steps:\n{}",
            self.more.trim_end(),
            self.steps
        );
        let project = Project::new(&script(name, &tests));
        project.write("given/.keep", "");
        for (name, content) in &self.given {
            project.write(&format!("given/{name}"), content);
        }
        project
    }
}

/// Returns `text` in double quotes, which mean the same in YAML as in JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
