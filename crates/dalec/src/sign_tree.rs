//! The step of the signers' image that signs: everything in one directory, into another.
//!
//! It runs in a container that holds this program alone. Keys are files that the engine mounts for this step.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use dalec_engine::Cancel;
use dalec_signer::{CodeKey, Detached, Key, KeyMaterial, Kind, Request, SigningKey, Timestamps, Watch};
use dalec_signer_frontend::place;

use crate::compare_signed::take;
use crate::timestamps::Service;

/// What to sign, and how; see [`dalec_signer_frontend::flag`].
#[derive(Debug, clap::Parser)]
struct Args {
    #[arg(long)]
    kind: Vec<String>,
    #[arg(long)]
    key_name: String,
    #[arg(long)]
    code_key_name: String,
    #[arg(long)]
    fingerprint: Option<String>,
    #[arg(long)]
    detach: Option<String>,
    #[arg(long)]
    timestamp_url: Option<String>,
    #[arg(long)]
    time: Option<u64>,
    #[arg(long)]
    replace: bool,
    #[arg(long)]
    list_keys: bool,
    #[arg(long)]
    key: Vec<String>,
}

/// Where the step finds and leaves things.
struct Places {
    input: PathBuf,
    output: PathBuf,
    context: PathBuf,
    key: PathBuf,
    passphrase: PathBuf,
    code_key: PathBuf,
    code_passphrase: PathBuf,
}

/// Runs the step with `args`; returns the exit code.
pub fn main(args: &[OsString]) -> i32 {
    let name = OsString::from(dalec_signer_frontend::STEP);
    let args = match Args::try_parse_from(std::iter::once(&name).chain(args)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("dalec: error: {error}");
            return crate::role::UNKNOWN;
        }
    };
    let places = Places {
        input: place::INPUT.into(),
        output: place::OUTPUT.into(),
        context: place::CONTEXT.into(),
        key: place::KEY.into(),
        passphrase: place::PASSPHRASE.into(),
        code_key: place::CODE_KEY.into(),
        code_passphrase: place::CODE_PASSPHRASE.into(),
    };
    match run(&args, &places, crate::commands::now()) {
        Ok(signed) => {
            eprint!("{signed}");
            0
        }
        Err(words) => {
            eprintln!("dalec: error: {words}");
            1
        }
    }
}

/// Signs; returns what was signed by whom, or in words why not.
fn run(args: &Args, places: &Places, now: u64) -> Result<String, String> {
    // Neither a core dump nor another process gets at what is read now. That cannot fail on Linux.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    if args.list_keys {
        return args.write_keys(places, now).map(|()| String::new());
    }
    take(&places.input, &places.input, &places.output)
        .map_err(|error| format!("cannot copy what is to be signed: {error}"))?;
    let mut files = Vec::new();
    walk(&places.output, &mut files).map_err(|error| format!("cannot list what is to be signed: {error}"))?;
    let (mut programs, mut others) = (Vec::new(), Vec::new());
    for path in files {
        let kind = dalec_signer::kind_of(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        match kind {
            Some(Kind::Program) if args.wants("authenticode", false) => programs.push(path),
            Some(kind) if kind != Kind::Program && args.wants(word(kind), kind == Kind::Detached) => {
                others.push(path)
            }
            _ => {}
        }
    }
    let mut said = String::new();
    let time = args.time.unwrap_or(now);
    if !others.is_empty() {
        let key = args.open_pgp(places, now)?;
        let signer = key.signer();
        let names = [signer.fingerprint.as_str(), signer.primary.as_str()];
        args.check_fingerprint(places, &names)?;
        said += &args.sign(&others, Key::OpenPgp(&key), time, places)?;
        said += &format!("by {}\n", crate::commands::signer(signer));
    }
    if !programs.is_empty() {
        let key = args.code(places, now)?;
        let certificate = key.certificate();
        args.check_fingerprint(places, &[certificate.fingerprint.as_str()])?;
        let service = match &args.timestamp_url {
            Some(url) => Some(Service::new(url, Cancel::new()).map_err(|error| {
                error
                    .words()
                    .map_or_else(|| "there is no such timestamp service".to_owned(), |words| words.message())
            })?),
            None => None,
        };
        let timestamps = service.as_ref().map(|service| service as &dyn Timestamps);
        said += &args.sign(&programs, Key::Code { key: &key, timestamps }, time, places)?;
        said += &format!("by {}\n", crate::commands::certificate(&certificate));
    }
    if said.is_empty() {
        return Err("there is nothing that the signer signs in what was built".into());
    }
    Ok(said)
}

/// Returns the word of a command line for a kind of file.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Rpm => "rpm",
        Kind::Program => "authenticode",
        Kind::Deb | Kind::Dsc | Kind::Buildinfo | Kind::Changes => "deb",
        Kind::Detached => "openpgp",
    }
}

impl Args {
    /// Returns whether files of a kind are signed: those that were named, or all that have their signature inside.
    fn wants(&self, word: &str, is_beside: bool) -> bool {
        match self.kind.as_slice() {
            [] => !is_beside,
            kinds => kinds.iter().any(|kind| kind == word),
        }
    }

    fn open_pgp(&self, places: &Places, now: u64) -> Result<SigningKey, String> {
        let name = &self.key_name;
        let material = secret(&places.key)?.ok_or_else(|| {
            format!("the client gives no secret `{name}`, which is to be the OpenPGP key; use --secret id={name},src=FILE")
        })?;
        let passphrase = secret(&places.passphrase)?.map(KeyMaterial::without_line_break);
        SigningKey::load(&material, passphrase.as_ref(), now)
            .map_err(|error| format!("cannot sign with the secret `{name}`: {error}"))
    }

    fn code(&self, places: &Places, now: u64) -> Result<CodeKey, String> {
        let name = &self.code_key_name;
        let material = secret(&places.code_key)?.ok_or_else(|| {
            format!(
                "the client gives no secret `{name}`, which is to be the key for Windows programs; use \
                 --secret id={name},src=FILE"
            )
        })?;
        let passphrase = secret(&places.code_passphrase)?.map(KeyMaterial::without_line_break);
        let certificates = content(&places.context.join(place::CERTIFICATES))?;
        CodeKey::load(&material, certificates.as_deref(), passphrase.as_ref(), now)
            .map_err(|error| format!("cannot sign with the secret `{name}`: {error}"))
    }

    /// Writes the fingerprints of the keys that are there and of use; what is wrong with others is said by who needs them.
    fn write_keys(&self, places: &Places, now: u64) -> Result<(), String> {
        let open_pgp = self.open_pgp(places, now).map(|key| key.signer().fingerprint.clone());
        let code = self.code(places, now).map(|key| key.certificate().fingerprint.clone());
        let lines: String = [open_pgp, code].into_iter().flatten().map(|line| line + "\n").collect();
        let file = places.output.join(place::KEYS);
        fs::write(&file, lines).map_err(|error| format!("cannot write the names of the keys: {error}"))
    }

    /// Checks that a key with one of `names` may sign. Each restriction holds by itself: the spec may give the fingerprint,
    /// and must not let another key of the client's sign than those that its file lists.
    fn check_fingerprint(&self, places: &Places, names: &[&str]) -> Result<(), String> {
        // The engine knows this step by the keys that were there, and what another one signs would be taken for theirs.
        if !self.key.iter().any(|key| names.contains(&key.as_str())) {
            let key = names[0];
            return Err(match self.key.is_empty() {
                true => format!("the key {key} was not there when the build began to sign; build once more"),
                false => format!("the key {key} took the place of another one during the build"),
            });
        }
        let is_one_of = |allowed: &[String]| names.iter().any(|name| allowed.contains(&plain(name)));
        if let Some(listed) = content(&places.context.join(place::FINGERPRINTS))? {
            let listed = String::from_utf8_lossy(&listed);
            let lines =
                listed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            let allowed: Vec<String> = lines.map(plain).collect();
            if !is_one_of(&allowed) {
                let file = place::FINGERPRINTS;
                return Err(format!(
                    "the key {} may not sign here: the file {file} of the context dalec-signing does not list it",
                    names[0]
                ));
            }
        }
        match &self.fingerprint {
            Some(only) if !is_one_of(&[plain(only)]) => Err(format!(
                "the key {} may not sign here: DALEC_SIGN_FINGERPRINT names another one",
                names[0]
            )),
            _ => Ok(()),
        }
    }

    fn sign(&self, files: &[PathBuf], key: Key<'_>, time: u64, places: &Places) -> Result<String, String> {
        let detached = match self.detach.as_deref() {
            Some("binary") => Detached::Binary,
            _ => Detached::Armored,
        };
        let request = Request { files, key, time, replace: self.replace, detached, output: None };
        let signed = dalec_signer::sign(&request, &Nobody).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}").replace(&format!("{}/", places.output.display()), "")
        })?;
        let shown = |path: &Path| path.strip_prefix(&places.output).unwrap_or(path).display().to_string();
        Ok(signed.iter().map(|signed| format!("signed {}\n", shown(&signed.path))).collect())
    }
}

/// Returns a fingerprint without what people put in for their eyes.
fn plain(fingerprint: &str) -> String {
    fingerprint.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_uppercase()).collect()
}

/// Reads a secret; none when the client has none.
fn secret(path: &Path) -> Result<Option<KeyMaterial>, String> {
    match fs::File::open(path) {
        Ok(file) => {
            KeyMaterial::read(file).map(Some).map_err(|error| format!("cannot read a secret: {error}"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read a secret: {error}")),
    }
}

/// Reads a file of the named context; none when it has none.
fn content(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        // A link that leads out of the context is there.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Err(format!("cannot read {name} of the context dalec-signing: {error}"))
        }
    }
}

/// Lists the files below `folder`. Links are not followed: what they point to is there itself.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        match entry.file_type()? {
            kind if kind.is_dir() => walk(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// The engine stops this step by killing it, and takes nothing of what it left.
struct Nobody;

impl Watch for Nobody {
    fn should_stop(&self) -> bool {
        false
    }

    fn will_write(&self, _: &Path) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day in 2026, in seconds.
    const NOW: u64 = 1_790_000_000;

    /// A file to sign, and a key.
    struct Step {
        folder: tempfile::TempDir,
        fingerprint: String,
        primary: String,
    }

    impl Step {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["input", "output", "context"] {
                fs::create_dir(folder.path().join(name)).unwrap();
            }
            fs::write(folder.path().join("input/notes"), "hello\n").unwrap();
            let key = dalec_signer::generate(&dalec_signer::NewKey {
                user_id: "signer@example.org",
                algorithm: dalec_signer::Algorithm::Ed25519,
                created: NOW,
                lifetime: None,
                passphrase: None,
            })
            .unwrap();
            fs::write(folder.path().join("key"), key.secret.bytes()).unwrap();
            let signer = SigningKey::load(&key.secret, None, NOW).unwrap().signer().clone();
            Self { folder, fingerprint: signer.fingerprint, primary: signer.primary }
        }

        fn list(&self, fingerprints: Option<&str>) {
            let file = self.folder.path().join("context/fingerprints");
            match fingerprints {
                Some(text) => fs::write(file, text).unwrap(),
                None => drop(fs::remove_file(file)),
            }
        }

        /// Signs; returns the error, with `KEY` for the fingerprint.
        fn run(&self, more: &[&str]) -> Result<(), String> {
            self.run_with(&["--key", &self.fingerprint], more)
        }

        /// As [`Step::run`], where these keys were listed before.
        fn run_with(&self, keys: &[&str], more: &[&str]) -> Result<(), String> {
            let path = |name: &str| self.folder.path().join(name);
            let places = Places {
                input: path("input"),
                output: path("output"),
                context: path("context"),
                key: path("key"),
                passphrase: path("none"),
                code_key: path("none"),
                code_passphrase: path("none"),
            };
            fs::remove_dir_all(path("output")).unwrap();
            fs::create_dir(path("output")).unwrap();
            let names = ["", "--key-name", "k", "--code-key-name", "c", "--kind", "openpgp"];
            let args = Args::try_parse_from(names.iter().chain(keys).chain(more)).unwrap();
            run(&args, &places, NOW).map(drop).map_err(|words| words.replace(&self.fingerprint, "KEY"))
        }
    }

    #[test]
    fn no_restriction_widens_another() {
        let (step, other) = (Step::new(), "1".repeat(40));
        let (own, primary) = (step.fingerprint.as_str(), step.primary.as_str());
        for (listed, only) in [
            (None, own),
            (None, primary),
            (Some(own), own),
            (Some(&*format!("# ours\n{other}\n{}\n", primary.to_lowercase())), own),
        ] {
            step.list(listed);
            assert_eq!(step.run(&["--fingerprint", only]), Ok(()), "{listed:?} {only}");
        }
        let unlisted = "the key KEY may not sign here: the file fingerprints of the context dalec-signing does not list it";
        let another = "the key KEY may not sign here: DALEC_SIGN_FINGERPRINT names another one";
        let with = |listed, only| {
            step.list(listed);
            step.run(&["--fingerprint", only]).unwrap_err()
        };
        assert_eq!(with(Some(&*other), own), unlisted);
        assert_eq!(with(Some(own), &*other), another);
        assert_eq!(with(None, &*other), another);
        // A list without a fingerprint lets nobody sign.
        for listed in ["", "# none yet\n"] {
            step.list(Some(listed));
            assert_eq!(step.run(&[]).unwrap_err(), unlisted, "{listed:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_allows_nobody() {
        let step = Step::new();
        std::os::unix::fs::symlink("../gone", step.folder.path().join("context/fingerprints")).unwrap();
        let words = step.run(&[]).unwrap_err();
        assert!(words.starts_with("cannot read fingerprints of the context dalec-signing: "), "{words}");
    }

    #[test]
    fn a_key_that_was_not_listed_does_not_sign() {
        let (step, other) = (Step::new(), "1".repeat(40));
        assert_eq!(step.run_with(&["--key", &other, "--key", &step.fingerprint], &[]), Ok(()));
        assert_eq!(
            step.run_with(&["--key", &other], &[]).unwrap_err(),
            "the key KEY took the place of another one during the build"
        );
        assert_eq!(
            step.run_with(&[], &[]).unwrap_err(),
            "the key KEY was not there when the build began to sign; build once more"
        );
        // Without any key it is still said which one is missing.
        fs::remove_file(step.folder.path().join("key")).unwrap();
        let words = step.run_with(&[], &[]).unwrap_err();
        assert!(words.starts_with("the client gives no secret `k`"), "{words}");
    }
}
