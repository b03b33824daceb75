//! `--secret` values, and giving the secrets to the engine when it asks.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use dalec_engine::{SecretError, SecretScope, Secrets};

use super::fields;
use super::keys::KeySource;
use crate::errors::CommandError;

const FORM: &str = "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE; scope=signer gives it to signers alone";
/// BuildKit's limit; a larger file is probably not what was meant.
const LARGEST: u64 = 500 * 1024;

/// No collection of certificates is larger.
const LARGEST_BUNDLE: u64 = 16 << 20;
/// Id under which package managers in the build get the certificates to trust.
const CA_BUNDLE: &str = "dalec.ca-bundle";

/// Where one secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Variable(String),
    /// Not secret at all; served like one, so that a result does not depend on it.
    Certificates(PathBuf),
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    place: Place,
    scope: SecretScope,
}

/// The secrets of a command line; values are read when a step needs them and never kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretPlaces(BTreeMap<String, Given>);

impl SecretPlaces {
    /// Reads `id=NAME[,src=FILE|,env=VARIABLE][,scope=signer]` values; with a name alone it is the variable of that name, or else the
    /// file of that name.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for anything else, a file that is not there or a variable that is not set.
    pub fn parse(given: &[String]) -> Result<Self, CommandError> {
        let mut places = BTreeMap::new();
        for text in given {
            let (id, given) = parse(text)?;
            if places.insert(id.clone(), given).is_some() {
                return Err(CommandError::usage(format!("--secret: two secrets are called `{id}`")));
            }
        }
        Ok(Self(places))
    }

    /// Serves the certificates that downloads trust, unless a secret of that name was given.
    pub fn with_ca_bundle(mut self, bundle: Option<PathBuf>) -> Self {
        if let Some(path) = bundle {
            let given = Given { place: Place::Certificates(path), scope: SecretScope::Everyone };
            self.0.entry(CA_BUNDLE.to_owned()).or_insert(given);
        }
        self
    }

    /// Adds the secret `id` for signers alone; `flag` is what gave it.
    ///
    /// # Errors
    /// [`CommandError::Usage`] when it is not there, or another secret has that id.
    pub fn add_signing(&mut self, flag: &str, id: &str, source: KeySource) -> Result<(), CommandError> {
        let place = match source {
            KeySource::File(path) => Place::File(path),
            KeySource::Variable(name) => Place::Variable(name),
            KeySource::Stdin => return Err(CommandError::usage(format!("{flag} takes no standard input"))),
        };
        place.check(id)?;
        let given = Given { place, scope: SecretScope::Signer };
        match self.0.insert(id.to_owned(), given) {
            None => Ok(()),
            Some(_) => Err(CommandError::usage(format!("{flag} and --secret both give the secret `{id}`"))),
        }
    }

    /// Returns the files with secrets for signers alone.
    pub fn files_of_signers(&self) -> impl Iterator<Item = &Path> {
        let own = self.0.values().filter(|given| given.scope == SecretScope::Signer);
        own.filter_map(|given| match &given.place {
            Place::File(path) => Some(path.as_path()),
            Place::Variable(_) | Place::Certificates(_) => None,
        })
    }

    /// Returns whether there is a secret `id`.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Returns whether one of them is for signers alone.
    pub fn has_signers_own(&self) -> bool {
        self.0.values().any(|given| given.scope == SecretScope::Signer)
    }
}

fn parse(text: &str) -> Result<(String, Given), CommandError> {
    let wrong = |what: &str| CommandError::usage_help(format!("--secret {text}: {what}"), FORM);
    let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
    let mut scope = SecretScope::Everyone;
    for (key, value) in fields::split("--secret", text)? {
        let Some(value) = value else { return Err(wrong(&format!("`{key}` has no value"))) };
        match key.as_str() {
            "id" => id = Some(value),
            "src" | "source" => file = Some(PathBuf::from(value)),
            "env" => variable = Some(value),
            "type" => kind = Some(value),
            "scope" if value == "signer" => scope = SecretScope::Signer,
            "scope" => {
                return Err(wrong("the only scope is signer; without one, every step that names it gets it"));
            }
            other => return Err(wrong(&format!("there is no field `{other}`"))),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wrong("the id is missing"))?;
    // For `type=env`, buildx takes `src` as the name of the variable.
    if kind.as_deref() == Some("env") && variable.is_none() {
        variable = file.take().map(|name| name.to_string_lossy().into_owned()).or_else(|| Some(id.clone()));
    }
    if !matches!(kind.as_deref(), None | Some("env" | "file")) {
        return Err(wrong("the type is neither file nor env"));
    }
    let place = match (file, variable) {
        (Some(_), Some(_)) => return Err(wrong("it is either a file or a variable")),
        (Some(file), None) => Place::File(file),
        (None, Some(variable)) => Place::Variable(variable),
        (None, None) if kind.is_none() && std::env::var_os(&id).is_some() => Place::Variable(id.clone()),
        (None, None) => Place::File(id.clone().into()),
    };
    place.check(&id)?;
    Ok((id, Given { place, scope }))
}

impl Place {
    /// Checks that the secret `id` is there.
    fn check(&self, id: &str) -> Result<(), CommandError> {
        match self {
            Self::File(path) => match std::fs::metadata(path) {
                Ok(_) => Ok(()),
                Err(source) => {
                    Err(CommandError::unreadable(&format!("file for the secret `{id}`:"), path, source))
                }
            },
            Self::Variable(name) if std::env::var_os(name).is_none() => {
                Err(CommandError::usage(format!("the variable {name} for the secret `{id}` is not set")))
            }
            Self::Variable(_) | Self::Certificates(_) => Ok(()),
        }
    }
}

impl Secrets for SecretPlaces {
    fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, SecretError> {
        match self.0.get(id).map(|given| &given.place) {
            None => Ok(None),
            Some(Place::Variable(name)) => match std::env::var_os(name) {
                Some(value) => Ok(Some(std::os::unix::ffi::OsStringExt::into_vec(value))),
                None => Err(SecretError { id: id.into(), place: format!("${name}"), source: None }),
            },
            Some(Place::File(path)) => read(id, path, LARGEST).map(Some),
            Some(Place::Certificates(path)) => read(id, path, LARGEST_BUNDLE).map(Some),
        }
    }

    fn scope(&self, id: &str) -> SecretScope {
        self.0.get(id).map_or(SecretScope::Everyone, |given| given.scope)
    }
}

fn read(id: &str, path: &Path, largest: u64) -> Result<Vec<u8>, SecretError> {
    let failed =
        |source| SecretError { id: id.to_owned(), place: path.display().to_string(), source: Some(source) };
    let mut value = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(largest + 1).read_to_end(&mut value).map_err(failed)?;
    if value.len() as u64 > largest {
        let message = format!("it is larger than {} KiB", largest / 1024);
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message)));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_file_or_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "hush").unwrap();
        let given =
            [format!("id=token,src={}", file.display()), "id=path,env=PATH".to_owned(), "id=PATH".to_owned()];
        let secrets = SecretPlaces::parse(&given).unwrap();
        assert_eq!(secrets.secret("token").unwrap().as_deref(), Some(&b"hush"[..]));
        assert!(secrets.secret("path").unwrap().is_some());
        assert!(secrets.secret("PATH").unwrap().is_some());
        assert_eq!(secrets.secret("other").unwrap(), None);
    }

    #[test]
    fn a_secret_may_be_for_signers_alone() {
        let given = ["id=PATH,scope=signer", "id=HOME"].map(str::to_owned);
        let secrets = SecretPlaces::parse(&given).unwrap();
        assert_eq!(
            (secrets.scope("PATH"), secrets.scope("HOME")),
            (SecretScope::Signer, SecretScope::Everyone)
        );
        assert!(secrets.has_signers_own());
        assert!(!SecretPlaces::parse(&given[1..]).unwrap().has_signers_own());
    }

    #[test]
    fn certificates_are_served_unless_a_secret_has_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle.pem");
        // More than a secret may be: some hosts trust many.
        let certificates = vec![b'a'; LARGEST as usize + 1];
        std::fs::write(&bundle, &certificates).unwrap();
        let own = folder.path().join("own.pem");
        std::fs::write(&own, "own").unwrap();
        let served = |given: &[String], bundle: Option<&PathBuf>| {
            let secrets = SecretPlaces::parse(given).unwrap().with_ca_bundle(bundle.cloned());
            secrets.secret("dalec.ca-bundle").unwrap()
        };
        assert_eq!(served(&[], None), None);
        assert_eq!(served(&[], Some(&bundle)), Some(certificates));
        let given = [format!("id=dalec.ca-bundle,src={}", own.display())];
        assert_eq!(served(&given, Some(&bundle)).as_deref(), Some(&b"own"[..]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "token",
            "src=/dev/null",
            "id=,src=/dev/null",
            "id=a,src=/dev/null,env=PATH",
            "id=a,mode=0400",
            "id=a,type=ssh",
            "id=PATH,scope=build",
            "id=a,env=DALEC_TEST_NOT_SET",
            "id=a,src=/nowhere/at/all",
        ] {
            assert!(SecretPlaces::parse(&[text.to_owned()]).is_err(), "{text}");
        }
        assert!(SecretPlaces::parse(&["id=a,env=PATH".to_owned(), "id=a,env=PATH".to_owned()]).is_err());
    }
}
