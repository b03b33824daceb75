//! The configuration of an OCI image, as far as a build reads or sets it.

use std::collections::BTreeMap;

use dalec_llb::Platform;
use dalec_spec::shlex;
use dalec_spec::target_spec::Image;
use serde::{Deserialize, Serialize};

use crate::error::PlanError;

/// Search path of every process that is run in a root file system of Linux.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An OCI image configuration (`image-spec/config.md`). Fields this room does not know are kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Architecture, for example `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// Operating system, for example `linux`.
    #[serde(default)]
    pub os: String,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// How a container of the image runs.
    #[serde(default)]
    pub config: RunConfig,
    /// Everything else.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// How a container of an image runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    /// User, empty for root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `NAME=value` entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Entrypoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Volumes; the values are empty objects.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, serde_json::Value>,
    /// Working directory.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Stop signal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Everything else, such as exposed ports and a health check.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// Returns the configuration of a container for `platform`: that of its base, if there is one, with the settings
/// of the spec's `image` section on top.
///
/// An `entrypoint` resets the base's command, which was made for the base's entrypoint. A variable of `env`
/// replaces the base's variable of that name. Labels and volumes are added.
///
/// # Errors
/// [`PlanError::Invalid`] if `entrypoint` or `cmd` cannot be split into words.
pub fn for_container(
    base: Option<&ImageConfig>,
    platform: &Platform,
    image: &Image,
) -> Result<ImageConfig, PlanError> {
    let mut result = base.cloned().unwrap_or_else(|| ImageConfig::for_platform(platform));
    result.set_platform(platform);
    let config = &mut result.config;
    if let Some(words) = words("image.entrypoint", &image.entrypoint)? {
        config.entrypoint = Some(words);
        config.cmd = None;
    }
    if let Some(words) = words("image.cmd", &image.cmd)? {
        config.cmd = Some(words);
    }
    for variable in &image.env {
        set_variable(&mut config.env, variable);
    }
    config.labels.extend(image.labels.clone());
    let nothing = || serde_json::Value::Object(serde_json::Map::new());
    config.volumes.extend(image.volumes.keys().map(|path| (path.clone(), nothing())));
    for (set, written) in [
        (&mut config.working_dir, &image.working_dir),
        (&mut config.stop_signal, &image.stop_signal),
        (&mut config.user, &image.user),
    ] {
        if !written.is_empty() {
            set.clone_from(written);
        }
    }
    Ok(result)
}

impl ImageConfig {
    /// Returns the configuration of an image for `platform` that starts from nothing.
    pub fn for_platform(platform: &Platform) -> Self {
        let mut config = Self {
            config: RunConfig {
                env: vec![format!("PATH={PATH}")],
                working_dir: "/".into(),
                ..RunConfig::default()
            },
            ..Self::default()
        };
        config.set_platform(platform);
        config.reset_layers();
        config
    }

    /// Forgets the layers that the configuration describes: for an image that keeps none of them.
    pub fn reset_layers(&mut self) {
        self.other.remove("history");
        self.other.insert("rootfs".into(), serde_json::json!({"type": "layers", "diff_ids": []}));
    }

    fn set_platform(&mut self, platform: &Platform) {
        self.os.clone_from(&platform.os);
        self.architecture.clone_from(&platform.architecture);
        self.variant.clone_from(&platform.variant);
    }
}

impl RunConfig {
    /// Returns the environment by name; of several values of one name the last one counts.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let split = |entry: &String| entry.split_once('=').map(|(name, value)| (name.into(), value.into()));
        self.env.iter().filter_map(split).collect()
    }
}

/// Splits a command line of the spec; an empty one is unset.
fn words(field: &str, line: &str) -> Result<Option<Vec<String>>, PlanError> {
    let words = shlex::split(line)
        .map_err(|error| PlanError::invalid(format!("`{field}` is no command line: {error}"), []))?;
    Ok((!words.is_empty()).then_some(words))
}

/// Sets the `NAME=value` entry `variable` in `env`, where the name stands already or at the end.
fn set_variable(env: &mut Vec<String>, variable: &str) {
    let name = |entry: &str| entry.split_once('=').map_or(entry, |(name, _)| name).to_owned();
    let set = name(variable);
    let first = env.iter().position(|entry| name(entry) == set);
    let mut index = 0;
    env.retain(|entry| {
        let other = name(entry) != set || Some(index) == first;
        index += 1;
        other
    });
    match first {
        Some(first) => env[first] = variable.to_owned(),
        None => env.push(variable.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(base: Option<&str>, image: &Image, expected: Expect) {
        let base: Option<ImageConfig> = base.map(|text| serde_json::from_str(text).unwrap());
        let config = for_container(base.as_ref(), &Platform::linux("amd64"), image).unwrap();
        expected.assert_eq(&serde_json::to_string_pretty(&config).unwrap());
    }

    // TGT-020
    #[test]
    fn a_fresh_image_has_a_path_and_a_place_to_be() {
        check(
            None,
            &Image::default(),
            expect![[r#"
            {
              "architecture": "amd64",
              "os": "linux",
              "config": {
                "Env": [
                  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                ],
                "WorkingDir": "/"
              },
              "rootfs": {
                "type": "layers",
                "diff_ids": []
              }
            }"#]],
        );
    }

    // TGT-020
    #[test]
    fn settings_lie_over_the_base() {
        let image = Image {
            entrypoint: r#"/usr/bin/hello --name "a b""#.into(),
            env: vec!["PATH=/opt/bin".into(), "B=2".into()],
            labels: [("x".to_owned(), "new".to_owned())].into(),
            volumes: [("/data".to_owned(), ())].into(),
            user: "1000".into(),
            stop_signal: "SIGINT".into(),
            ..Image::default()
        };
        check(
            Some(
                r#"{"architecture":"arm64","os":"linux","created":"2024-01-01T00:00:00Z","config":{
                "Env":["PATH=/bin","A=1","PATH=/sbin"],"Cmd":["bash"],"Entrypoint":["/init"],
                "Labels":{"x":"old","y":"kept"},"WorkingDir":"/srv","Volumes":{"/old":{}},
                "ExposedPorts":{"80/tcp":{}}},"os.version":"10.0"}"#,
            ),
            &image,
            expect![[r#"
                {
                  "architecture": "amd64",
                  "os": "linux",
                  "config": {
                    "User": "1000",
                    "Env": [
                      "PATH=/opt/bin",
                      "A=1",
                      "B=2"
                    ],
                    "Entrypoint": [
                      "/usr/bin/hello",
                      "--name",
                      "a b"
                    ],
                    "Volumes": {
                      "/data": {},
                      "/old": {}
                    },
                    "WorkingDir": "/srv",
                    "Labels": {
                      "x": "new",
                      "y": "kept"
                    },
                    "StopSignal": "SIGINT",
                    "ExposedPorts": {
                      "80/tcp": {}
                    }
                  },
                  "created": "2024-01-01T00:00:00Z",
                  "os.version": "10.0"
                }"#]],
        );
    }

    // TGT-020
    #[test]
    fn a_command_alone_leaves_the_entrypoint() {
        let image = Image { cmd: "serve --port 80".into(), ..Image::default() };
        let base = ImageConfig {
            config: RunConfig { entrypoint: Some(vec!["/init".into()]), ..RunConfig::default() },
            ..ImageConfig::default()
        };
        let config = for_container(Some(&base), &Platform::linux("amd64"), &image).unwrap().config;
        assert_eq!(config.entrypoint, Some(vec!["/init".to_owned()]));
        assert_eq!(config.cmd, Some(["serve", "--port", "80"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_command_line_must_be_one() {
        let image = Image { cmd: "echo it's".into(), ..Image::default() };
        let error = for_container(None, &Platform::linux("amd64"), &image).unwrap_err();
        assert_eq!(error.to_string(), "`image.cmd` is no command line: the quote `'` is never closed");
    }
}
