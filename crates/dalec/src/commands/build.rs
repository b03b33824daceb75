//! `dalec build`: what the spec says, for one or several targets, here or on a `buildkitd`.

mod embedded;
mod remote;
mod spec;
mod targets;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dalec_engine::Cancel;
use dalec_files::{PrivateKeys, Withheld};
use dalec_gateway::{BuildOptions, Event, Warning};
use dalec_spec::Platform;
use dalec_ssh_agent::Socket;

use self::spec::Spec;
use self::targets::Known;
use super::host;
use crate::errors::{CommandError, Style};
use crate::new_file::NewFile;
use crate::options::build_args;
use crate::options::contexts::{Contexts, SPEC_CONTEXT};
use crate::options::outputs::{Destination, EmbeddedImage, ImageOutput};
use crate::options::remote::{EngineKind, Remote, RemoteArgs};
use crate::options::secrets::SecretPlaces;
use crate::options::signing::SigningArgs;
use crate::options::ssh;
use crate::progress::{self, Display, Mode, json};
use crate::signals::Watch;
use crate::summary::Summary;
use crate::surroundings;
use crate::terminal::{self, Stream};

/// More targets than this are counted in the head of the display, not listed.
const LISTED: usize = 4;

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

  # Every target that the spec supports
  dalec build --target all -o out .

  # Another version, patches from another directory, a secret that `auth` of a git source names
  dalec build --target bookworm/deb --build-arg VERSION=1.2 --build-context patches=../patches \\
      --secret id=token,env=TOKEN -o out .

  # A minimal container as a tar archive of its files, for docker, and at its registry
  dalec build --target bookworm/container -o - . | tar -t
  dalec build --target bookworm/container -o type=docker,dest=- -t hello:1 . | docker load
  dalec build --target bookworm/container --push -t registry.example.org/team/hello:1 .

`dalec targets` lists the targets. Several targets get a folder each below the destination, named
like the target with _ for /. So do several platforms, such as linux_amd64.")]
pub struct Args {
    /// Directory that the spec's `context` sources are read from
    ///
    /// Also a tar archive, docker-image://REFERENCE or oci-layout://PATH. Or it is fetched: a git repository such as
    /// https://HOST/PATH.git#BRANCH:DIRECTORY or git@HOST:PATH, or a tar archive at an http URL. Then the spec lies in it,
    /// unless -f gives an absolute path or `-`; an http URL of anything but an archive is that of the spec.
    #[arg(value_name = "CONTEXT", default_value = ".")]
    context: String,
    /// Spec to build; `-` for standard input [default: dalec.yml or dalec.yaml, here or else in CONTEXT]
    ///
    /// Where CONTEXT is fetched, this is a path in it.
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// Target to build, such as bookworm/deb, or all; may be given several times
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
    /// Additional context by name: directory, tar archive, image, git repository or URL
    ///
    /// A context named like a base image, such as debian:bookworm, replaces that image. Forms: a directory, a tar
    /// archive of files or of an image, docker-image://REFERENCE, oci-layout://PATH, which may end with :TAG or @DIGEST,
    /// the address of a git repository such as https://HOST/PATH.git#BRANCH:DIRECTORY or git@HOST:PATH, and http://URL, which gives a directory with what is downloaded as one file named `context`; archives from there
    /// are not unpacked.
    #[arg(long, value_name = "NAME=REFERENCE")]
    build_context: Vec<String>,
    /// Secret by name: `id=NAME[,src=FILE|,env=VARIABLE][,scope=signer]`
    ///
    /// `auth` of git sources and of Go modules names secrets, and so do signers and other frontends. GIT_AUTH_TOKEN and
    /// GIT_AUTH_HEADER open git servers without being named. Commands of the spec get none. A value never enters a result, a log of ours or the cache. With scope=signer only signers get it: a step of the
    /// build that names it is refused.
    #[arg(long, value_name = "SECRET")]
    secret: Vec<String>,
    #[command(flatten)]
    signing: SigningArgs,
    /// SSH agent for the steps that name it
    ///
    /// ID alone is the agent that SSH_AUTH_SOCK names. Steps can list its keys and sign with them, and nothing else. Most
    /// steps name the agent `default`. With raw=true the socket is another server's, which steps may use as they like.
    #[arg(long, value_name = "ID[=SOCKET[,raw=true]]")]
    ssh: Vec<String>,
    /// Where the result goes: a directory, type=tar,dest=FILE, - for a tar archive on standard output, or an image
    ///
    /// May be given several times. Without it, the result only stays in the cache. Images are type=oci,dest=FILE,
    /// type=docker,dest=FILE for `docker load`, and type=image,name=NAME,push=true; docs/outputs.md lists what else they
    /// take.
    #[arg(short, long, value_name = "DEST")]
    output: Vec<String>,
    /// Name of the image, for outputs that are images; may be given several times
    #[arg(short, long, value_name = "NAME")]
    tag: Vec<String>,
    /// Push the image to its registry; short for -o type=image,push=true
    #[arg(long, hide_short_help = true)]
    push: bool,
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
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Debian mirror for base images: URL or URL,SECURITY_URL [default: that of the host's apt]
    #[arg(long, value_name = "URL")]
    apt_mirror: Option<String>,
    /// CA certificates (PEM) that downloads trust beside the common ones [default: the host's]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// What builds: this process, or a buildkitd here or elsewhere
    #[arg(long, value_enum, default_value = "embedded", env = "DALEC_ENGINE", hide_env = true)]
    engine: EngineKind,
    #[command(flatten)]
    remote: RemoteArgs,
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
                let mut record = words.json();
                if let CommandError::Targets { built, .. } = &error {
                    record["builds"] = built.record()["builds"].take();
                }
                say(mode, String::new, || serde_json::json!({ "error": record }));
            }
            return Err(CommandError::Said(error.exit()));
        }
        Err(error) => {
            if let CommandError::Targets { built, .. } = &error
                && !built.builds.is_empty()
            {
                say(mode, || built.text(style()) + "\n", || serde_json::Value::Null);
            }
            return Err(error);
        }
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

/// Returns nothing if no flag is given that only the embedded engine understands; the variables may be set for others.
fn refuse_embedded(args: &Args) -> Result<(), CommandError> {
    let given = [("--state-dir", args.state_dir.is_some()), ("--apt-mirror", args.apt_mirror.is_some())];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => Err(CommandError::usage_help(
            format!("{flag} means nothing to a buildkitd"),
            "leave it out; a base image of another mirror is given with --build-context",
        )),
    }
}

/// A command line that makes sense.
struct Request {
    spec: Spec,
    targets: Vec<String>,
    /// Whether a target is one of several, or may be: the spec says how many all are.
    is_one_of_several: bool,
    platforms: Vec<Platform>,
    build_args: BTreeMap<String, String>,
    contexts: Contexts,
    secrets: SecretPlaces,
    /// Private keys that were read with the sources.
    private_keys: PrivateKeys,
    /// Sockets of ssh agents and other servers by id.
    ssh_agents: BTreeMap<String, Socket>,
    destinations: Vec<Destination>,
    no_cache: Option<String>,
    pull: bool,
    metadata_file: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    apt_mirror: Option<String>,
    ca_bundle: Option<PathBuf>,
    /// The daemon that builds; none for the embedded engine.
    remote: Option<Remote>,
}

impl Request {
    /// Checks everything that can be known before the engine starts; leaves nothing to clean up.
    fn read(args: Args) -> Result<Self, CommandError> {
        let spec = Spec::find(args.file.as_deref(), &args.context);
        let targets = targets::read(&args.target, || Known::of(spec.as_ref().ok()))?;
        let parse = |text: &String| text.trim().parse::<Platform>();
        let platforms = args.platform.iter().map(parse).collect::<Result<_, _>>();
        let mut build_args = build_args::collect(&args.build_arg, build_args::environment)?;
        let destinations = destinations(&args, build_args::epoch(&build_args))?;
        let remote = match args.engine {
            EngineKind::Embedded => args.remote.refuse().map(|()| None)?,
            EngineKind::Buildkit => {
                refuse_embedded(&args)?;
                Some(args.remote.read()?)
            }
        };
        let is_one_of_several = targets.len() > 1 || targets::has_all(&args.target, &targets);
        if is_one_of_several && let Some(target) = targets.first() {
            destinations.iter().try_for_each(|dest| dest.for_one_of_several(target).map(drop))?;
        }
        for file in destinations.iter().filter_map(Destination::file).chain(args.metadata_file.as_deref()) {
            NewFile::check(file).map_err(|source| CommandError::unwritable(file, source))?;
        }
        let ca_bundle = surroundings::ca_bundle(args.ca_bundle)?;
        let mut secrets = SecretPlaces::parse(&args.secret)?.with_ca_bundle(ca_bundle.clone());
        let mut contexts = Contexts::read(&args.context, &args.build_context)?;
        args.signing.apply(&targets, &mut build_args, &mut contexts, &mut secrets)?;
        Ok(Self {
            platforms: platforms.map_err(|error| CommandError::usage(format!("--platform: {error}")))?,
            build_args,
            secrets,
            private_keys: PrivateKeys::default(),
            ssh_agents: ssh::agents(&args.ssh, std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from))?,
            ca_bundle,
            contexts,
            spec: spec?,
            targets,
            is_one_of_several,
            destinations,
            no_cache: args.no_cache,
            pull: args.pull,
            metadata_file: args.metadata_file,
            state_dir: args.state_dir,
            apt_mirror: args.apt_mirror,
            remote,
        })
    }

    fn build(mut self, mode: Mode) -> Result<Summary, CommandError> {
        match self.remote.take() {
            None => self.build_embedded(mode),
            Some(remote) => self.build_remote(remote, mode),
        }
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
        if let Some(address) = &self.contexts.main {
            set("context", address);
            if self.spec.is_here() {
                set("dockerfilekey", SPEC_CONTEXT);
            }
        }
        for (name, value) in &self.contexts.options {
            set(&format!("context:{name}"), value);
        }
        BuildOptions {
            options,
            platforms: surroundings::runnable(&host(), &self.platforms)
                .iter()
                .map(Platform::to_string)
                .collect(),
            session: String::new(),
            product: "dalec".into(),
        }
    }

    /// Starts to show what happens.
    fn display(&self, mode: Mode) -> Arc<Display> {
        Arc::new(Display::start(progress::Options {
            mode,
            title: match self.targets.len() {
                many if many > LISTED => format!("{many} targets"),
                _ => self.targets.join(", "),
            },
            color: terminal::takes_color(Stream::Stderr),
            spec: self.spec.name.clone(),
        }))
    }

    /// Returns the destinations that hold results alone: one that is a directory which the build reads, or has one in it,
    /// holds sources, too.
    fn places(&self) -> impl Iterator<Item = &Path> {
        let dirs = self.contexts.local_dirs.values().map(PathBuf::as_path).chain(self.spec.own_folder());
        let dirs: Vec<PathBuf> = dirs.map(real).collect();
        let holds_sources = move |place: &Path| dirs.iter().any(|dir| dir.starts_with(real(place)));
        self.destinations.iter().filter_map(Destination::place).filter(move |place| !holds_sources(place))
    }

    /// Returns what is left out of the sources where it lies among them: keys of signers, and what this build writes,
    /// with `others` of that.
    fn withheld<'a>(&'a self, others: impl IntoIterator<Item = &'a Path>) -> Withheld {
        let folders = self.targets.iter().filter_map(|target| self.folder_of(target));
        let of_targets = folders.flat_map(|target| {
            self.destinations.iter().filter_map(|destination| destination.for_one_of_several(target).ok())
        });
        let of_targets = of_targets.filter_map(|destination| destination.place().map(Path::to_owned));
        let whole = self.places().chain(self.metadata_file.as_deref());
        let places = whole.chain(others).map(Path::to_owned).chain(of_targets);
        Withheld::of(self.secrets.files_of_signers()).with_places(places)
    }

    /// Says which keys lie among the sources, and which results of earlier builds: they are left out of them.
    fn note_withheld(&self, display: &Display) {
        let dirs: Vec<PathBuf> = self.contexts.local_dirs.values().map(real).collect();
        for file in self.secrets.files_of_signers() {
            if dirs.iter().any(|dir| real(file).starts_with(dir)) {
                display.note("signing", &format!("{} is left out of the sources", file.display()));
            }
        }
        for place in self.places() {
            if place.exists() && dirs.iter().any(|dir| real(place).starts_with(dir)) {
                let text = format!("{} is left out of the sources: results go there", place.display());
                display.note("output", &text);
            }
        }
    }

    /// Warns of private keys that were read with the sources.
    fn warn_of_keys(&self, display: &Display) {
        for key in self.private_keys.met() {
            display.sink().event(Event::Warning(Warning {
                short: format!("{} is a private OpenPGP key, and the build reads it as a source", key.display()),
                detail: vec!["source packages hold all sources, and whoever gets them could sign with it; keep the key \
                              elsewhere, or leave it out with `excludes` in the source of the spec"
                    .to_owned()],
                excerpt: None,
            }));
        }
    }

    /// Returns the target when its results get a folder of their own: when there are several, or may be.
    fn folder_of<'t>(&self, target: &'t str) -> Option<&'t str> {
        self.is_one_of_several.then_some(target)
    }

    /// Returns whether digests of what is written are wanted.
    fn digests(&self) -> bool {
        self.metadata_file.is_some()
    }

    /// Returns what came of all targets, in the order asked for; `summary` makes it of what was built.
    ///
    /// # Errors
    /// What went wrong with the only target, or with which of several.
    fn joined<T>(
        &self,
        outcomes: Vec<Result<T, CommandError>>,
        summary: impl FnOnce(Vec<T>) -> Summary,
    ) -> Result<Summary, CommandError> {
        let (mut built, mut failed) = (Vec::new(), Vec::new());
        for (target, outcome) in self.targets.iter().zip(outcomes) {
            match outcome {
                Ok(one) => built.push(one),
                Err(error) => failed.push((target.clone(), error)),
            }
        }
        match (self.targets.len(), failed.len()) {
            (_, 0) => Ok(summary(built)),
            // There is one.
            (1, _) => Err(failed.remove(0).1),
            _ => Err(CommandError::Targets { failed, built: Box::new(summary(built)) }),
        }
    }

    /// Returns what came of the build, and writes its record; a build that was to stop is not done, whatever it did.
    fn concluded(
        &self,
        built: Result<Summary, CommandError>,
        watch: &Watch,
    ) -> Result<Summary, CommandError> {
        if let Some(signal) = watch.received() {
            return Err(CommandError::Interrupted { signal, what: "the build was cancelled" });
        }
        let written = match &built {
            Ok(summary) => Some(summary),
            Err(CommandError::Targets { built, .. }) => Some(&**built),
            Err(_) => None,
        };
        written.map_or(Ok(()), |summary| self.write_metadata(summary, watch))?;
        built
    }

    fn write_metadata(&self, summary: &Summary, watch: &Watch) -> Result<(), CommandError> {
        let Some(path) = &self.metadata_file else { return Ok(()) };
        let text = super::to_json(&summary.record())?;
        let write = || {
            let file = NewFile::create(path, watch)?;
            file.writer()?.write_all(text.as_bytes())?;
            file.finish()
        };
        write().map_err(|source| CommandError::unwritable(path, source))
    }
}

/// Returns where results go, images with their names.
fn destinations(args: &Args, epoch: Option<i64>) -> Result<Vec<Destination>, CommandError> {
    let parsed = args.output.iter().map(|text| Destination::parse(text));
    let mut destinations: Vec<Destination> = parsed.collect::<Result<_, _>>()?;
    if args.push {
        destinations.push(Destination::Image(ImageOutput::pushed()));
    }
    if destinations.iter().filter(|dest| dest.is_stdout()).count() > 1 {
        return Err(CommandError::usage("standard output takes one archive, not several"));
    }
    let mut images: Vec<&mut ImageOutput> =
        destinations.iter_mut().filter_map(Destination::image_mut).collect();
    if images.is_empty() && !args.tag.is_empty() {
        return Err(CommandError::usage_help(
            "--tag names an image, and no output is one",
            "push it with --push, or add -o type=oci,dest=FILE or -o type=docker,dest=FILE",
        ));
    }
    for image in &mut images {
        image.name(&args.tag);
        match args.engine {
            EngineKind::Embedded => drop(EmbeddedImage::read(image, epoch)?),
            EngineKind::Buildkit => image.check_remote()?,
        }
    }
    Ok(destinations)
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

/// Returns where `path` leads, as far as it is there.
fn real(path: impl AsRef<Path>) -> PathBuf {
    std::fs::canonicalize(&path).unwrap_or_else(|_| path.as_ref().to_owned())
}
