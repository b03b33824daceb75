//! Root file systems for the engine from the bootstrap room: Debian images that no registry has to give.
//!
//! Only translates between the two rooms. The engine remembers what was answered here.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use dalec_bootstrap::{
    AptSources, BootstrapError, Cache, Event, Http, HttpOptions, Keyring, Progress, Recipe, Request,
    Resolved, Silent, Trust, UnpackOptions,
};
use dalec_engine::{ResolvedRoot, RootCommand, RootError, RootRequest, RootSource};

use crate::errors::CommandError;

/// Repository of the images that can be put together.
const REPOSITORY: &str = "docker.io/library/debian";
const HOST_APT: &str = "/etc/apt";

/// Assembles Debian's images from its signed package repository.
pub struct DebianRoots {
    state: PathBuf,
    mirror: Option<AptSources>,
    ca_bundle: Option<PathBuf>,
    single_id: bool,
    tools: OnceLock<Tools>,
    resolving: Mutex<()>,
}

/// What takes time to set up and is only needed when something is really assembled or asked.
struct Tools {
    http: Http,
    cache: Cache,
}

impl DebianRoots {
    /// Returns a source of roots that keeps packages below `state`.
    ///
    /// `mirror` is an URL, or two with a comma between; without, the host's apt configuration is asked. `single_id`
    /// says that files can have one owner only.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for a mirror that is none.
    pub fn new(
        state: &Path,
        mirror: Option<&str>,
        ca_bundle: Option<PathBuf>,
        single_id: bool,
    ) -> Result<Self, CommandError> {
        let mirror =
            mirror.map(AptSources::from_mirror).transpose().map_err(|error| CommandError::Usage {
                message: error.to_string(),
                help: error.hint().map(str::to_owned),
                source: None,
            })?;
        Ok(Self {
            state: state.join("bootstrap"),
            mirror,
            ca_bundle,
            single_id,
            tools: OnceLock::new(),
            resolving: Mutex::default(),
        })
    }

    fn tools(&self) -> Result<&Tools, BootstrapError> {
        if let Some(tools) = self.tools.get() {
            return Ok(tools);
        }
        let options = HttpOptions { ca_bundle: self.ca_bundle.clone(), ..HttpOptions::default() };
        let tools = Tools { http: Http::new(&options)?, cache: Cache::open(&self.state)? };
        // Two threads at once make two; one of them is kept.
        Ok(self.tools.get_or_init(|| tools))
    }

    fn sources(&self) -> Result<AptSources, BootstrapError> {
        match &self.mirror {
            Some(sources) => Ok(sources.clone()),
            None => AptSources::from_host(Path::new(HOST_APT)),
        }
    }

    fn ask(&self, request: &Request) -> Result<Resolved, BootstrapError> {
        let (sources, tools) = (self.sources()?, self.tools()?);
        let mut keyring = Keyring::debian();
        keyring.add_host(Path::new("/"))?;
        let trust = Trust { keyring: &keyring, now: SystemTime::now() };
        // A package index takes much memory while it is read: one at a time. The second finds it on disk.
        let _one_at_a_time = self.resolving.lock().unwrap_or_else(PoisonError::into_inner);
        dalec_bootstrap::resolve(request, &sources, trust, &tools.http, &tools.cache, &Silent)
    }
}

impl RootSource for DebianRoots {
    /// Names the mirrors, those of another one may know other packages, and the form of the configurations.
    fn identity(&self) -> String {
        // Debug output of plain data names every field; a change of its form only asks a mirror once more.
        self.sources().map(|sources| format!("with history: {sources:?}")).unwrap_or_default()
    }

    fn resolve(&self, request: &RootRequest) -> Result<Option<ResolvedRoot>, RootError> {
        let Some(wanted) = debian_request(request) else { return Ok(None) };
        let resolved = self.ask(&wanted).map_err(root_error)?;
        Ok(Some(ResolvedRoot {
            recipe: resolved.recipe.to_json(),
            config: resolved.recipe.image_config(),
            origin: resolved.origin.to_string(),
        }))
    }

    fn materialize(
        &self,
        recipe: &[u8],
        root: &Path,
        run: &mut dyn FnMut(&RootCommand) -> Result<(), RootError>,
        progress: &(dyn Fn(&str, u64, u64) + Sync),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), RootError> {
        let recipe = Recipe::from_json(recipe).ok_or_else(|| RootError {
            message: "the list of packages in the store cannot be read".into(),
            hint: "build again with --pull".into(),
            log: Vec::new(),
            source: None,
        })?;
        let options = UnpackOptions { map_ids: !self.single_id, ..UnpackOptions::default() };
        let steps = Steps { progress, cancelled, counts: Counts::default() };
        let mut run = |command: &dalec_bootstrap::RootCommand| {
            progress(command.purpose, 0, 0);
            run(&RootCommand { args: command.args.clone(), env: command.env.clone() }).map_err(Into::into)
        };
        let mut make = || {
            let tools = self.tools()?;
            let unpacked =
                dalec_bootstrap::fetch_and_unpack(&recipe, &tools.http, &tools.cache, root, options, &steps)?;
            dalec_bootstrap::configure(&recipe, root, unpacked, options, &mut run)
        };
        make().map_err(root_error)
    }
}

/// Returns the Debian release and packages that `request` is about; none for anything but Debian's own images.
fn debian_request(request: &RootRequest) -> Option<Request> {
    let tag = request.reference.strip_prefix(REPOSITORY)?.strip_prefix(':')?;
    let suite = tag.strip_suffix("-slim").unwrap_or(tag);
    let is_suite =
        !suite.is_empty() && suite.bytes().all(|byte| byte.is_ascii_lowercase()) && suite != "latest";
    let architecture = architecture(&request.platform)?;
    is_suite.then(|| Request {
        suite: suite.to_owned(),
        architecture: architecture.to_owned(),
        packages: request.packages.clone(),
    })
}

/// Returns Debian's name for a platform, `linux/ARCHITECTURE[/VARIANT]`.
fn architecture(platform: &str) -> Option<&'static str> {
    let machine = platform.strip_prefix("linux/")?;
    let (architecture, variant) = machine.split_once('/').map_or((machine, None), |(a, v)| (a, Some(v)));
    dalec_bootstrap::debian_architecture(architecture, variant)
}

fn root_error(error: BootstrapError) -> RootError {
    let hint = error.hint().unwrap_or_default().to_owned();
    let message = error.to_string();
    match error {
        // What the sandbox said about the command is an error of the same kind, with the command's last words.
        BootstrapError::Command { source, .. } => match source.downcast::<RootError>() {
            Ok(inner) => {
                // Its own message repeats the command, which may be a long script.
                let RootError { message: said, hint, log, source } = *inner;
                RootError { message, hint, log, source: source.or_else(|| Some(said.into())) }
            }
            Err(source) => RootError { message, hint, log: Vec::new(), source: Some(source) },
        },
        error => {
            // The message is taken; what is below it follows.
            let source = std::error::Error::source(&error).map(below);
            RootError { message, hint, log: Vec::new(), source }
        }
    }
}

/// Returns `error` as something that can be handed on: an error of the operating system as such, for the engine
/// knows a full disk when it sees one, anything else in words.
fn below(error: &(dyn std::error::Error + 'static)) -> Box<dyn std::error::Error + Send + Sync> {
    let mut next = Some(error);
    while let Some(cause) = next {
        let code = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        if let Some(code) = code {
            return std::io::Error::from_raw_os_error(code).into();
        }
        next = cause.source();
    }
    chain(error).into()
}

/// Returns the words of an error and everything below it in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        next = cause.source();
    }
    words
}

/// Turns what the bootstrap room tells into parts of one step's work.
struct Steps<'a> {
    progress: &'a (dyn Fn(&str, u64, u64) + Sync),
    cancelled: &'a (dyn Fn() -> bool + Sync),
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    packages: AtomicU64,
    bytes: AtomicU64,
    fetched: AtomicU64,
    unpacked: AtomicU64,
}

impl Progress for Steps<'_> {
    fn report(&self, event: Event) {
        let Counts { packages, bytes, fetched, unpacked } = &self.counts;
        match event {
            Event::FetchStarts { packages: count, bytes: size } => {
                packages.store(count as u64, Ordering::Relaxed);
                bytes.store(size, Ordering::Relaxed);
            }
            Event::Fetched { bytes: size, .. } => {
                let done = fetched.fetch_add(size, Ordering::Relaxed) + size;
                (self.progress)("download packages", done, bytes.load(Ordering::Relaxed));
            }
            Event::Unpacked { .. } => {
                let done = unpacked.fetch_add(1, Ordering::Relaxed) + 1;
                (self.progress)("unpack packages", done, packages.load(Ordering::Relaxed));
            }
            _ => {}
        }
    }

    fn is_cancelled(&self) -> bool {
        (self.cancelled)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(reference: &str, platform: &str) -> Option<String> {
        let request = RootRequest {
            reference: reference.into(),
            platform: platform.into(),
            packages: Vec::new(),
            refresh: false,
        };
        debian_request(&request).map(|request| format!("{} {}", request.suite, request.architecture))
    }

    #[test]
    fn only_debians_own_images_can_be_put_together() {
        let debian = |tag: &str| format!("docker.io/library/debian:{tag}");
        assert_eq!(wanted(&debian("bookworm"), "linux/amd64").as_deref(), Some("bookworm amd64"));
        assert_eq!(wanted(&debian("trixie-slim"), "linux/arm/v7").as_deref(), Some("trixie armhf"));
        for reference in [
            "docker.io/library/debian",
            "docker.io/library/debian:latest",
            "docker.io/library/debian:bookworm-20260101",
            "docker.io/library/debian:bookworm@sha256:00",
            "docker.io/library/debian-special:bookworm",
            "docker.io/someone/debian:bookworm",
            "example.org/library/debian:bookworm",
        ] {
            assert_eq!(wanted(reference, "linux/amd64"), None, "{reference}");
        }
        assert_eq!(wanted(&debian("bookworm"), "windows/amd64"), None);
    }
}
