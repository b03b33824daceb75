//! From a request to a recipe: finds the repositories, believes their signatures, picks packages.

use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::cache::{Cache, Promise};
use crate::compression::Compression;
use crate::error::BootstrapError;
use crate::http::Http;
use crate::index::Index;
use crate::keyring::Keyring;
use crate::mirror::AptSources;
use crate::progress::{Event, Progress};
use crate::recipe::{Package, Recipe, Repository};
use crate::relation;
use crate::release::Release;
use crate::resolver::{self, Groups};
use crate::universe::{PackageId, Universe};

const COMPONENT: &str = "main";
/// What every root has beside the essential and required packages.
const PACKAGE_MANAGER: &str = "apt";
const MAX_INRELEASE: u64 = 16 << 20;
const MAX_PACKAGES_FILE: u64 = 512 << 20;

/// What a root file system is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A code name such as `bookworm`, or a suite name such as `stable`.
    pub suite: String,
    /// A Debian architecture such as `amd64`.
    pub architecture: String,
    /// Packages beyond the minimal set, each a dependency expression such as `git` or
    /// `default-mta | mail-transport-agent`.
    pub packages: Vec<String>,
}

/// Whose word is taken, and when it is now.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// One of these keys must have signed each index.
    pub keyring: &'a Keyring,
    /// The time by which indexes and keys expire.
    pub now: SystemTime,
}

/// A recipe with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What the root is made of.
    pub recipe: Recipe,
    /// How to tell people about it.
    pub origin: Origin,
}

/// Where a recipe came from, for people; no part of the recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The release, such as `bookworm`.
    pub codename: String,
    /// The main archive's base URL.
    pub mirror: String,
    /// The day of the newest index, as in `2026-07-11`.
    pub day: String,
    /// How many packages there are.
    pub packages: usize,
    /// Whether every index would have been refused past its date.
    pub checked_valid_until: bool,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { codename, mirror, day, packages, .. } = self;
        write!(f, "debian:{codename} assembled from {mirror} (InRelease of {day}, {packages} packages")?;
        if !self.checked_valid_until {
            f.write_str(", expiry not checked as in the host's apt configuration")?;
        }
        f.write_str(")")
    }
}

/// Chooses the packages for `request` from `sources`.
///
/// The minimal set is that of `debootstrap --variant=minbase` and of Debian's container images:
/// packages that are `Essential: yes` or of `Priority: required`, and apt. Suites are the wanted
/// one with its updates and security updates, component `main`. Only two kinds of suites may
/// lack the latter, and the signed index says which they are: unstable never has them, and
/// testing is let off if the mirror answers that they do not exist. For a stable release their
/// absence is an error.
///
/// # Errors
/// Everything in [`BootstrapError`] that is about mirrors, signatures, indexes and requests.
pub fn resolve(
    request: &Request,
    sources: &AptSources,
    trust: Trust<'_>,
    http: &Http,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Resolved, BootstrapError> {
    let wanted = parse_requests(&request.packages)?;
    let session = Session { request, sources, trust, http, cache, progress };
    let repositories = session.open_repositories()?;
    let key = session.memory_key(&repositories);
    let recipe = match cache.recipe(&key).and_then(|text| Recipe::from_json(&text)) {
        Some(recipe) => recipe,
        None => {
            let recipe = session.choose(&repositories, &wanted)?;
            cache.keep_recipe(&key, &recipe.to_json())?;
            recipe
        }
    };
    let origin = session.origin(&repositories, &recipe)?;
    Ok(Resolved { recipe, origin })
}

struct Session<'a> {
    request: &'a Request,
    sources: &'a AptSources,
    trust: Trust<'a>,
    http: &'a Http,
    cache: &'a Cache,
    progress: &'a dyn Progress,
}

/// A repository whose index was verified.
struct Opened {
    url: String,
    suite: String,
    release: Release,
    /// The SHA-256 of the signed text.
    digest: [u8; 32],
}

impl Session<'_> {
    /// Opens the wanted suite, then its companions.
    fn open_repositories(&self) -> Result<Vec<Opened>, BootstrapError> {
        if !is_suite_name(&self.request.suite) {
            return Err(BootstrapError::Request {
                text: self.request.suite.clone(),
                reason: "it is not the name of a suite".to_owned(),
            });
        }
        if self.sources.main.is_empty() {
            return Err(BootstrapError::NoMirror { suite: self.request.suite.clone() });
        }
        let base = self.open_any(&self.sources.main, &self.request.suite)?;
        if is_unstable(&base) {
            return Ok(vec![base]);
        }
        let main = [base.url.clone()];
        let updates = || self.open_companion(&base, &main, "updates");
        let security = || self.open_companion(&base, &self.sources.security, "security");
        let (updates, security) = std::thread::scope(|scope| {
            let updates = scope.spawn(updates);
            let security = security();
            (join(updates), security)
        });
        let (updates, security) = (updates?, security?);
        Ok([Some(base), updates, security].into_iter().flatten().collect())
    }

    /// Opens `CODENAME-suffix`, which only testing may lack.
    fn open_companion(
        &self,
        base: &Opened,
        urls: &[String],
        suffix: &str,
    ) -> Result<Option<Opened>, BootstrapError> {
        let suite = format!("{}-{suffix}", base.suite);
        let missing = |url: String| BootstrapError::SuiteMissing {
            suite: base.suite.clone(),
            missing: suite.clone(),
            url,
        };
        let is_testing = base.release.suite() == Some("testing");
        if urls.is_empty() {
            return Err(missing(format!("a security archive beside {}", base.url)));
        }
        match self.open_any(urls, &suite) {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if is_absence(&error) && is_testing => Ok(None),
            Err(BootstrapError::NotFound { url }) => Err(missing(url)),
            Err(error) => Err(error),
        }
    }

    /// Opens `suite` at the first URL that has a good index of it.
    fn open_any(&self, urls: &[String], suite: &str) -> Result<Opened, BootstrapError> {
        let mut tried = Vec::new();
        for url in urls {
            match self.open(url, suite) {
                Err(error) if error.is_about_one_mirror() => tried.push(error),
                outcome => return outcome,
            }
        }
        match tried.len() {
            1 => Err(tried.remove(0)),
            _ => Err(BootstrapError::NoUsableMirror { suite: suite.to_owned(), tried }),
        }
    }

    fn open(&self, base: &str, suite: &str) -> Result<Opened, BootstrapError> {
        let url = format!("{base}/dists/{suite}/InRelease");
        self.progress.report(Event::Index { url: url.clone() });
        let message = self.http.get(&url, MAX_INRELEASE, self.progress)?;
        let signed = self.trust.keyring.open(&url, &message, self.trust.now)?;
        let release = Release::parse(&url, &signed.text)?;
        release.check_identity(suite)?;
        if self.sources.checks_expiry(base) {
            release.check_valid_until(self.trust.now)?;
        }
        let suite = release.codename()?.to_owned();
        let digest = Sha256::digest(signed.text.as_bytes()).into();
        Ok(Opened { url: base.to_owned(), suite, release, digest })
    }

    /// Returns a name for everything that the choice of packages depends on.
    fn memory_key(&self, repositories: &[Opened]) -> String {
        let mut hasher = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        add(env!("CARGO_PKG_VERSION").as_bytes());
        add(self.request.architecture.as_bytes());
        for repository in repositories {
            add(repository.url.as_bytes());
            add(&[u8::from(self.sources.checks_expiry(&repository.url))]);
            add(&repository.digest);
        }
        add(b"packages");
        for package in &self.request.packages {
            add(package.as_bytes());
        }
        hex::encode(hasher.finalize())
    }

    fn choose(&self, repositories: &[Opened], wanted: &Groups<'_>) -> Result<Recipe, BootstrapError> {
        let indexes = self.read_indexes(repositories)?;
        let universe = Universe::new(&self.request.architecture, &indexes);
        let mut base = universe.base();
        let manager = universe.find(PACKAGE_MANAGER);
        base.extend(manager.filter(|manager| !base.contains(manager)));
        let chosen = resolver::resolve(&universe, &base, wanted)
            .map_err(|explanation| self.unsatisfiable(&universe, &base, explanation))?;
        let packages =
            chosen.into_iter().map(|id| package(&universe, id, repositories)).collect::<Result<_, _>>()?;
        let base = &repositories[0];
        Ok(Recipe::new(
            base.suite.clone(),
            base.release.version().map(|version| major(version).to_owned()),
            self.request.architecture.clone(),
            repositories
                .iter()
                .map(|repository| Repository {
                    url: repository.url.clone(),
                    suite: repository.suite.clone(),
                    component: COMPONENT.to_owned(),
                    check_valid_until: self.sources.checks_expiry(&repository.url),
                })
                .collect(),
            packages,
        ))
    }

    /// Names those requests that cannot be met even alone, or all if only their sum is too much.
    fn unsatisfiable(
        &self,
        universe: &Universe<'_>,
        base: &[PackageId],
        explanation: String,
    ) -> BootstrapError {
        let is_alone_impossible = |text: &&String| {
            relation::parse(text).is_ok_and(|wanted| resolver::resolve(universe, base, &wanted).is_err())
        };
        let mut packages: Vec<String> =
            self.request.packages.iter().filter(is_alone_impossible).cloned().collect();
        if packages.is_empty() {
            packages.clone_from(&self.request.packages);
        }
        if packages.is_empty() {
            packages.push("its own base system".to_owned());
        }
        BootstrapError::Unsatisfiable { suite: self.request.suite.clone(), packages, explanation }
    }

    fn read_indexes(&self, repositories: &[Opened]) -> Result<Vec<Index>, BootstrapError> {
        std::thread::scope(|scope| {
            let readers: Vec<_> = repositories
                .iter()
                .map(|repository| scope.spawn(move || self.read_index(repository)))
                .collect();
            readers.into_iter().map(join).collect()
        })
    }

    fn read_index(&self, repository: &Opened) -> Result<Index, BootstrapError> {
        let file = repository.release.packages_file(COMPONENT, &self.request.architecture)?;
        let directory = format!("{}/dists/{}", repository.url, repository.suite);
        let url = format!("{directory}/{}", file.path);
        if file.size > MAX_PACKAGES_FILE {
            return Err(BootstrapError::TooLarge { url, limit: MAX_PACKAGES_FILE });
        }
        let promise = Promise { sha256: &file.sha256, size: file.size };
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let by_hash = format!("{directory}/{folder}/by-hash/SHA256/{}", file.sha256);
        let ensure = |url: &str| self.cache.ensure(self.http, url, promise, self.progress);
        let (path, _) = if repository.release.has_by_hash() {
            // Mirrors of a simpler kind promise it, but have the plain names only.
            ensure(&by_hash).or_else(|error| match error {
                BootstrapError::NotFound { .. } => ensure(&url),
                error => Err(error),
            })
        } else {
            ensure(&url)
        }
        .map_err(moved)?;
        let compression = Compression::of_name(&file.path).unwrap_or(Compression::None);
        Index::read(&path, compression).map_err(|reason| BootstrapError::Syntax { url, reason })
    }

    fn origin(&self, repositories: &[Opened], recipe: &Recipe) -> Result<Origin, BootstrapError> {
        let mut days = Vec::new();
        for repository in repositories {
            days.push(repository.release.day()?);
        }
        Ok(Origin {
            codename: recipe.codename.clone(),
            mirror: repositories[0].url.clone(),
            // ISO dates sort by time.
            day: days.into_iter().max().unwrap_or_default(),
            packages: recipe.packages.len(),
            checked_valid_until: recipe.repositories.iter().all(|repository| repository.check_valid_until),
        })
    }
}

/// Returns the error for a file that a signed index names and the mirror lacks.
pub(crate) fn moved(error: BootstrapError) -> BootstrapError {
    match error {
        BootstrapError::NotFound { url } => BootstrapError::IndexMoved { url },
        error => error,
    }
}

fn parse_requests(packages: &[String]) -> Result<Groups<'_>, BootstrapError> {
    let mut wanted = Vec::new();
    for text in packages {
        let error = |reason| BootstrapError::Request { text: text.clone(), reason };
        wanted.extend(relation::parse(text).map_err(error)?);
    }
    Ok(wanted)
}

fn package(
    universe: &Universe<'_>,
    id: PackageId,
    repositories: &[Opened],
) -> Result<Package, BootstrapError> {
    let stanza = universe.stanza(id);
    let repository = universe.repository(id);
    let (path, sha256, size) = stanza
        .download()
        .map_err(|reason| BootstrapError::Syntax { url: repositories[repository].url.clone(), reason })?;
    Ok(Package {
        name: stanza.name().to_owned(),
        version: stanza.version().to_owned(),
        architecture: stanza.get("Architecture").unwrap_or_default().to_owned(),
        sha256: sha256.to_owned(),
        size,
        path: path.to_owned(),
        repository,
    })
}

/// Unstable has neither updates nor security suites: they are part of itself.
fn is_unstable(base: &Opened) -> bool {
    base.suite == "sid" || base.release.suite() == Some("unstable")
}

/// Returns whether every server that was asked answered that there is no such suite.
fn is_absence(error: &BootstrapError) -> bool {
    match error {
        BootstrapError::NotFound { .. } => true,
        BootstrapError::NoUsableMirror { tried, .. } => tried.iter().all(is_absence),
        _ => false,
    }
}

/// Returns `12` for `12.15`.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

fn is_suite_name(suite: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !suite.is_empty() && suite.bytes().all(allowed)
}

/// Returns what a thread came to; its panic goes on here.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
