//! `dalec build`: what the spec says, for one or several targets, with the embedded engine.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dalec_engine::store::Store;
use dalec_engine::{Cancel, Engine, EngineOptions, userns};
use dalec_gateway::{BuildOptions, GatewayError, Progress};
use dalec_spec::{Platform, RawSpec, SourceText};

use super::host;
use crate::bases::DebianRoots;
use crate::errors::{CommandError, SpecName, Style};
use crate::new_file::NewFile;
use crate::observe::Observed;
use crate::options::build_args;
use crate::options::contexts::{Contexts, SPEC_CONTEXT};
use crate::options::outputs::Destination;
use crate::options::secrets::SecretPlaces;
use crate::outputs::Exporter;
use crate::progress::{self, Display, Mode, json};
use crate::signals::Watch;
use crate::signed::Signed;
use crate::spec_file::SpecFile;
use crate::summary::{Built, Summary};
use crate::surroundings;
use crate::terminal::{self, Stream};

/// Builds targets of a spec
///
/// Reads the spec, builds the targets in sandboxes, runs the spec's tests, and writes the results out. What did not
/// change since the last build is not built again. Flags are named as in `docker buildx build`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  # A Debian package from dalec.yml and the sources here, into ./out
  dalec build --target bookworm/deb -o out .

  # Two targets: out/bookworm_deb and out/trixie_deb
  dalec build -f hello.yml --target bookworm/deb --target trixie/deb -o out .

  # Another version, patches from another directory, a secret for the steps that name it
  dalec build --target bookworm/deb --build-arg VERSION=1.2 --build-context patches=../patches \\
      --secret id=token,env=TOKEN -o out .

  # A minimal container as a tar archive of its files
  dalec build --target bookworm/container -o - . | tar -t

`dalec targets` lists the targets. Several targets get a folder each below the destination, named
like the target with _ for /. So do several platforms, such as linux_amd64.")]
pub struct Args {
    /// Directory that the spec's `context` sources are read from
    ///
    /// Also a tar archive, docker-image://REFERENCE, oci-layout://PATH or an http URL, which gives a directory with what
    /// is downloaded as one file named `context`; archives from there are not unpacked.
    #[arg(value_name = "CONTEXT", default_value = ".")]
    context: String,
    /// Spec to build; `-` for standard input [default: dalec.yml or dalec.yaml]
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// Target to build, such as bookworm/deb; may be given several times
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// Platforms to build for, such as linux/arm64 [default: this machine's]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    /// Value for an argument that the spec declares
    ///
    /// NAME alone takes its value from the environment. DALEC_SKIP_TESTS=1 leaves the spec's tests out,
    /// DALEC_SKIP_SIGNING=1 leaves packages unsigned.
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Additional context by name: directory, tar archive, image or URL
    ///
    /// A context named like a base image, such as debian:bookworm, replaces that image. Forms: a directory, a tar
    /// archive of files or of an image, docker-image://REFERENCE, oci-layout://PATH, which may end with :TAG or @DIGEST,
    /// and http://URL, which gives a directory with what is downloaded as one file named `context`; archives from there
    /// are not unpacked.
    #[arg(long, value_name = "NAME=REFERENCE")]
    build_context: Vec<String>,
    /// Secret for the steps that name it: id=NAME[,src=FILE|,env=VARIABLE]
    ///
    /// Its value never enters a result, a log of ours or the cache.
    #[arg(long, value_name = "SECRET")]
    secret: Vec<String>,
    /// Where the result goes: a directory, type=tar,dest=FILE, or - for a tar archive on standard output
    ///
    /// May be given several times. Without it, the result only stays in the cache.
    #[arg(short, long, value_name = "DEST")]
    output: Vec<String>,
    /// Build again what is in the cache; with keys, only the phases they name
    ///
    /// Keys, separated by commas: dalec.srcpkg, dalec.pkg, dalec.container, dalec.tests.
    #[arg(long, value_name = "KEYS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    no_cache: Option<String>,
    /// Ask registries and package repositories for what is new
    #[arg(long)]
    pull: bool,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto", env = "DALEC_PROGRESS", hide_env = true)]
    progress: Mode,
    /// Write what was built, from what and where to, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Where results are kept [default: $XDG_CACHE_HOME/dalec or ~/.cache/dalec]
    #[arg(long, value_name = "DIR", env = "DALEC_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,
    /// Debian mirror for base images: URL or URL,SECURITY_URL [default: that of the host's apt]
    #[arg(long, value_name = "URL", env = "DALEC_APT_MIRROR", hide_env = true)]
    apt_mirror: Option<String>,
    /// CA certificates (PEM) that downloads trust beside the common ones [default: the host's]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
}

/// Builds, and says what came of it.
///
/// # Errors
/// When the command line is wrong, the machine lacks something or the build fails.
pub fn run(args: Args) -> Result<(), CommandError> {
    let mode = args.progress.decided();
    let outcome = Request::read(args).and_then(|request| request.build(mode));
    match outcome {
        Ok(summary) => {
            say(mode, || summary.text(style()), || serde_json::json!({ "result": summary.record() }))
        }
        Err(error) if mode == Mode::Json => {
            if let Some(words) = error.words() {
                say(mode, String::new, || serde_json::json!({ "error": words.json() }));
            }
            return Err(CommandError::Said(error.exit()));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Says what is said last, in the form that fits the progress display.
fn say(mode: Mode, text: impl FnOnce() -> String, record: impl FnOnce() -> serde_json::Value) {
    match mode {
        Mode::Quiet => {}
        Mode::Json => {
            let mut line = String::new();
            json::line(&record(), &mut line);
            super::say(&line);
        }
        Mode::Auto | Mode::Tty | Mode::Plain => super::say(&text()),
    }
}

fn style() -> Style {
    Style { color: terminal::takes_color(Stream::Stderr), width: terminal::text_width(Stream::Stderr) }
}

/// A command line that makes sense.
struct Request {
    spec: Spec,
    targets: Vec<String>,
    platforms: Vec<Platform>,
    build_args: BTreeMap<String, String>,
    contexts: Contexts,
    secrets: SecretPlaces,
    destinations: Vec<Destination>,
    no_cache: Option<String>,
    pull: bool,
    metadata_file: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    apt_mirror: Option<String>,
    ca_bundle: Option<PathBuf>,
}

/// The spec that is to be built.
struct Spec {
    name: SpecName,
    text: SpecText,
}

enum SpecText {
    /// In a file of this folder.
    InFolder(PathBuf),
    /// Came through standard input.
    Read(Vec<u8>),
}

/// A directory with the spec in it, which is how frontends get it.
enum SpecFolder {
    Found(PathBuf),
    /// Goes with this value.
    Made(tempfile::TempDir),
}

impl SpecFolder {
    fn path(&self) -> &Path {
        match self {
            Self::Found(path) => path,
            Self::Made(folder) => folder.path(),
        }
    }
}

impl Request {
    /// Checks everything that can be known before the engine starts; leaves nothing to clean up.
    fn read(args: Args) -> Result<Self, CommandError> {
        let spec = Spec::find(args.file.as_deref());
        let targets = targets(&args.target, || spec.as_ref().ok()?.raw())?;
        let parse = |text: &String| text.trim().parse::<Platform>();
        let platforms = args.platform.iter().map(parse).collect::<Result<_, _>>();
        let destinations: Vec<Destination> =
            args.output.iter().map(|text| Destination::parse(text)).collect::<Result<_, _>>()?;
        if destinations.iter().filter(|dest| **dest == Destination::TarStdout).count() > 1 {
            return Err(CommandError::usage("standard output takes one tar archive, not several"));
        }
        if let [_, another, ..] = targets.as_slice() {
            destinations.iter().try_for_each(|dest| dest.for_one_of_several(another).map(drop))?;
        }
        let ca_bundle = surroundings::ca_bundle(args.ca_bundle)?;
        Ok(Self {
            platforms: platforms.map_err(|error| CommandError::usage(format!("--platform: {error}")))?,
            build_args: build_args::collect(&args.build_arg, build_args::environment)?,
            secrets: SecretPlaces::parse(&args.secret)?.with_ca_bundle(ca_bundle.clone()),
            ca_bundle,
            contexts: Contexts::read(&args.context, &args.build_context)?,
            spec: spec?,
            targets,
            destinations,
            no_cache: args.no_cache,
            pull: args.pull,
            metadata_file: args.metadata_file,
            state_dir: args.state_dir,
            apt_mirror: args.apt_mirror,
        })
    }

    fn build(mut self, mode: Mode) -> Result<Summary, CommandError> {
        let started = Instant::now();
        self.platforms.iter().try_for_each(|platform| surroundings::can_run(platform, &host()))?;
        // Before anything that starts a thread.
        let entered = surroundings::enter()?;
        let state_dir = surroundings::state_dir(self.state_dir.clone())?;
        let store = Store::open(&state_dir).map_err(|error| self.engine_error(error))?;
        let display = Arc::new(Display::start(progress::Options {
            mode,
            title: self.targets.join(", "),
            color: terminal::takes_color(Stream::Stderr),
            spec: self.spec.name.clone(),
        }));
        display.note("engine", &entered.mode.to_string());
        if let Some(remark) = &entered.remark {
            display.note("engine", remark);
        }
        let cancel = Cancel::new();
        let watch = watch(mode, &display, &cancel)?;
        // Only from here on a signal removes what is made.
        let inputs = self.contexts.unpack(&cancel, &watch).and_then(|()| self.spec.folder(&watch));
        let built = inputs.and_then(|spec| {
            let engine = self.engine(store, &state_dir, &display, cancel, entered.mode, spec.path())?;
            let builds = self.targets.iter().map(|target| self.one(&engine, &watch, &display.sink(), target));
            Ok((builds.collect::<Result<Vec<_>, _>>()?, engine.stats()))
        });
        display.end();
        match (built, watch.received()) {
            (_, Some(signal)) => Err(CommandError::Interrupted { signal, what: "the build was cancelled" }),
            (Err(error), None) => Err(error),
            (Ok((builds, stats)), None) => {
                let engine = surroundings::mode_record(&entered);
                let summary = Summary { engine, builds, elapsed: started.elapsed(), stats };
                self.write_metadata(&summary, &watch)?;
                Ok(summary)
            }
        }
    }

    fn engine(
        &self,
        store: Store,
        state_dir: &Path,
        display: &Display,
        cancel: Cancel,
        mode: userns::Mode,
        spec: &Path,
    ) -> Result<Engine, CommandError> {
        let mirror = self.apt_mirror.as_deref();
        let roots = DebianRoots::new(state_dir, mirror, self.ca_bundle.clone(), mode.has_single_id())?;
        let mut local_dirs = self.contexts.local_dirs.clone();
        local_dirs.insert(SPEC_CONTEXT.into(), spec.to_owned());
        let options = EngineOptions {
            mode,
            cancel,
            secrets: Arc::new(self.secrets.clone()),
            local_dirs,
            oci_layouts: self.contexts.oci_layouts.clone(),
            root_source: Some(Arc::new(roots)),
            frontend: std::env::current_exe().ok(),
            ca_bundle: self.ca_bundle.clone(),
            ..EngineOptions::new(store, display.sink())
        };
        Engine::new(options).map_err(|error| self.engine_error(error))
    }

    /// Builds one target and writes its result out.
    fn one(
        &self,
        engine: &Engine,
        watch: &Watch,
        progress: &Progress,
        target: &str,
    ) -> Result<Built, CommandError> {
        let gateway = Observed::new(engine.session(self.options(target)), progress.clone());
        let result = dalec_frontend::answer(&gateway).map_err(|error| CommandError::Frontend {
            error: Box::new(error),
            spec: self.spec.name.clone(),
        })?;
        let exporter =
            Exporter { engine, watch, spec: &self.spec.name, digests: self.metadata_file.is_some() };
        let outputs = self.destinations.iter().map(|destination| match self.targets.len() {
            1 => exporter.write(&result.refs, destination),
            _ => exporter.write(&result.refs, &destination.for_one_of_several(target)?),
        });
        let signing = Signed::of(&result);
        let mut bases = gateway.bases();
        // The signer's image was looked for as well, and nothing was built from it.
        bases
            .retain(|base| !signing.iter().any(|signed| signed.signer.digest.as_ref() == Some(&base.digest)));
        Ok(Built {
            target: target.to_owned(),
            signing,
            outputs: outputs.collect::<Result<_, _>>()?,
            platforms: result.refs.into_iter().map(|(platform, _)| platform).collect(),
            bases,
        })
    }

    /// Returns the request in the words that BuildKit's clients use.
    fn options(&self, target: &str) -> BuildOptions {
        let mut options = BTreeMap::new();
        let mut set = |name: &str, value: &str| options.insert(name.to_owned(), value.to_owned());
        set("target", target);
        set("filename", &self.spec.name.in_build);
        if !self.platforms.is_empty() {
            let platforms: Vec<String> = self.platforms.iter().map(Platform::to_string).collect();
            set("platform", &platforms.join(","));
        }
        if let Some(keys) = &self.no_cache {
            set("no-cache", keys);
        }
        if self.pull {
            set("image-resolve-mode", "pull");
        }
        for (name, value) in &self.build_args {
            set(&format!("build-arg:{name}"), value);
        }
        for (name, value) in &self.contexts.options {
            set(&format!("context:{name}"), value);
        }
        BuildOptions {
            options,
            platforms: vec![host().to_string()],
            session: String::new(),
            product: "dalec".into(),
        }
    }

    fn write_metadata(&self, summary: &Summary, watch: &Watch) -> Result<(), CommandError> {
        let Some(path) = &self.metadata_file else { return Ok(()) };
        let text = super::to_json(summary)?;
        let write = || {
            let file = NewFile::create(path, watch)?;
            file.writer()?.write_all(text.as_bytes())?;
            file.finish()
        };
        write().map_err(|source| CommandError::unwritable(path, source))
    }

    fn engine_error(&self, error: GatewayError) -> CommandError {
        CommandError::Engine { error: Box::new(error), spec: self.spec.name.clone() }
    }
}

impl Spec {
    fn find(given: Option<&str>) -> Result<Self, CommandError> {
        let file = SpecFile::find(given)?;
        let shown = file.shown();
        let SpecFile::Path(path) = &file else {
            let name = SpecName { in_build: "spec.yml".to_owned(), shown };
            return Ok(Self { name, text: SpecText::Read(file.bytes()?) });
        };
        // Opening tells what the frontend could only say less clearly.
        std::fs::File::open(path).map_err(|error| CommandError::unreadable("spec", path, error))?;
        let name = path.file_name().filter(|_| path.is_file());
        let Some(name) = name else {
            return Err(CommandError::usage(format!("the spec {shown} is not a file")));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self {
            name: SpecName { in_build: name.to_string_lossy().into_owned(), shown },
            text: SpecText::InFolder(folder.to_owned()),
        })
    }

    /// Returns the spec as it is written, as far as it can be read here.
    fn raw(&self) -> Option<RawSpec> {
        let bytes = match &self.text {
            SpecText::InFolder(folder) => std::fs::read(folder.join(&self.name.in_build)).ok()?,
            SpecText::Read(text) => text.clone(),
        };
        dalec_spec::load(&SourceText::from_bytes(&self.name.shown, bytes).ok()?).raw
    }

    /// Returns the folder of the spec, made for one that came through standard input.
    fn folder(&self, watch: &Watch) -> Result<SpecFolder, CommandError> {
        let text = match &self.text {
            SpecText::InFolder(folder) => return Ok(SpecFolder::Found(folder.clone())),
            SpecText::Read(text) => text,
        };
        let made = tempfile::Builder::new().prefix("dalec-spec-").tempdir();
        let made = made.map_err(|error| CommandError::unwritable(std::env::temp_dir(), error))?;
        watch.remove_when_killed(made.path());
        let path = made.path().join(&self.name.in_build);
        std::fs::write(&path, text).map_err(|error| CommandError::unwritable(path, error))?;
        Ok(SpecFolder::Made(made))
    }
}

/// Starts to watch for signals; what it does then waits for no reader of the output.
fn watch(mode: Mode, display: &Arc<Display>, cancel: &Cancel) -> Result<Watch, CommandError> {
    let told = display.clone();
    Watch::start(
        cancel.clone(),
        move || told.try_note("stopping", "the build is being cancelled; once more ends it at once"),
        move || {
            if mode == Mode::Tty {
                super::say_without_waiting(progress::RESTORE);
            }
        },
    )
}

/// Returns the targets to build, each once; all of them must exist, here or in what `spec` returns.
fn targets(given: &[String], spec: impl FnOnce() -> Option<RawSpec>) -> Result<Vec<String>, CommandError> {
    let mut targets = Vec::new();
    let is_ours = |target: &String| dalec_frontend::check_target(target.trim_end_matches('/'), None).is_ok();
    let spec = if given.iter().all(is_ours) { None } else { spec() };
    for target in given {
        let name = target.trim_end_matches('/').to_owned();
        dalec_frontend::check_target(&name, spec.as_ref()).map_err(CommandError::target)?;
        if !targets.contains(&name) {
            targets.push(name);
        }
    }
    match targets.is_empty() {
        true => dalec_frontend::check_target("", None).map_err(CommandError::target).map(|()| targets),
        false => Ok(targets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_of_standard_input_is_a_file_only_while_signals_are_watched() {
        let name = SpecName { in_build: "spec.yml".into(), shown: "<stdin>".into() };
        let spec = Spec { name, text: SpecText::Read(b"name: hello\n".to_vec()) };
        let watch = Watch::default();
        let folder = spec.folder(&watch).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(watch.leftovers(), std::slice::from_ref(&path));
        assert_eq!(std::fs::read(path.join("spec.yml")).unwrap(), b"name: hello\n");
        drop(folder);
        assert!(!path.exists());
    }
}
