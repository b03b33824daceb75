//! The two ways of naming a machine, Debian's and that of container images, and what an image of a
//! root says about itself.

use crate::recipe::Recipe;

/// Debian's name, and an image's architecture and variant.
const MACHINES: &[(&str, &str, Option<&str>)] = &[
    ("amd64", "amd64", None),
    ("arm64", "arm64", Some("v8")),
    ("armel", "arm", Some("v5")),
    ("armhf", "arm", Some("v7")),
    ("i386", "386", None),
    ("loong64", "loong64", None),
    ("mips64el", "mips64le", None),
    ("ppc64el", "ppc64le", None),
    ("riscv64", "riscv64", None),
    ("s390x", "s390x", None),
];

/// Returns Debian's name of an image platform, such as `armhf` for `arm` and `v7`.
///
/// A missing variant means the usual one; `None` is for machines that Debian does not know.
pub fn debian_architecture(architecture: &str, variant: Option<&str>) -> Option<&'static str> {
    let variant = match (architecture, variant) {
        ("arm", None) => Some("v7"),
        (_, variant) => variant,
    };
    MACHINES
        .iter()
        .filter(|(_, image, _)| *image == architecture)
        .find(|(_, _, own)| variant.is_none() || *own == variant)
        .map(|(debian, _, _)| *debian)
}

impl Recipe {
    /// Returns the OCI image configuration of this root, as JSON without `rootfs` and `history`.
    ///
    /// It is what Debian's own container images say: a path, and a shell to be started.
    pub fn image_config(&self) -> Vec<u8> {
        let machine = MACHINES.iter().find(|(debian, _, _)| *debian == self.architecture);
        let (image, variant) =
            machine.map_or((self.architecture.as_str(), None), |(_, image, variant)| (*image, *variant));
        let mut config = serde_json::json!({
            "architecture": image,
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": ["bash"],
            },
            // Builders of Dockerfiles take an image without layers for an empty one, and this one's is not known yet.
            "history": [{ "created_by": "dalec bootstrap" }],
        });
        if let Some(variant) = variant {
            config["variant"] = variant.into();
        }
        config.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn platforms_have_debian_names() {
        assert_eq!(debian_architecture("amd64", None), Some("amd64"));
        assert_eq!(debian_architecture("arm64", None), Some("arm64"));
        assert_eq!(debian_architecture("arm64", Some("v8")), Some("arm64"));
        assert_eq!(debian_architecture("arm", None), Some("armhf"));
        assert_eq!(debian_architecture("arm", Some("v5")), Some("armel"));
        assert_eq!(debian_architecture("arm", Some("v6")), None);
        assert_eq!(debian_architecture("386", None), Some("i386"));
        assert_eq!(debian_architecture("sparc", None), None);
    }

    #[test]
    fn the_image_starts_a_shell() {
        let mut recipe = Recipe::new("sid".into(), None, "amd64".into(), vec![], vec![]);
        expect![[r#"{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Cmd":["bash"]},"history":[{"created_by":"dalec bootstrap"}]}"#]]
            .assert_eq(&String::from_utf8(recipe.image_config()).unwrap());
        recipe.architecture = "armhf".to_owned();
        let config = String::from_utf8(recipe.image_config()).unwrap();
        assert!(config.starts_with(r#"{"architecture":"arm","#), "{config}");
        assert!(config.ends_with(r#""variant":"v7"}"#), "{config}");
    }
}
