//! Directories that survive from one build to the next, for the process that runs the build steps.
//!
//! What a cache holds is no part of any key: it makes steps faster, and what they make must not depend on it. Names of
//! caches are upstream's, so that what builds on a daemon left there goes on being used; they say for which target
//! and platform a cache is, unless the author shares a directory on purpose.

mod bazel;
mod sccache;
#[cfg(test)]
mod tests;

use dalec_llb::{CacheSharing, Exec, Mount, ProgressGroup};
use dalec_spec::target_spec::{self, CacheDir, TargetSpec};

use crate::error::PlanError;
use crate::golang;
use crate::paths::join;
use crate::request::Request;
use crate::worker::Worker;

const GO_DIR: &str = "/tmp/dalec/gobuild-cache";

/// What caches add to a process.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    mounts: Vec<Mount>,
    env: Vec<(&'static str, &'static str)>,
    setup: &'static str,
}

/// Where a process is that caches are for.
pub(crate) struct Place<'a> {
    /// What keeps the caches of one target apart from those of others.
    pub namespace: &'a str,
    /// The root that is at hand for work on the caches themselves.
    pub worker: &'a Worker,
    /// Phase that such work belongs to.
    pub group: &'a ProgressGroup,
}

/// Returns the caches of the build steps of `request`; without steps there are none.
///
/// # Errors
/// [`PlanError::Invalid`] for a cache where packages are built.
pub(crate) fn plan(request: &Request<'_>, place: &Place<'_>) -> Result<Caches, PlanError> {
    let build = &request.spec.build;
    let mut planner = Planner { request, place, caches: Caches::default() };
    if build.steps.is_empty() {
        return Ok(planner.caches);
    }
    for cache in &build.caches {
        planner.add(cache)?;
    }
    if is_automatic(request.spec) {
        planner.gobuild("");
    }
    Ok(planner.caches)
}

/// Returns the named contexts that may bring what caches of `spec` need.
pub(crate) fn contexts(spec: &TargetSpec) -> Option<String> {
    let wanted = spec.build.caches.iter().any(|cache| cache.rustsccache.is_some());
    wanted.then(|| sccache::CONTEXT.to_owned())
}

/// Returns warnings about caches that there are not.
pub(crate) fn warnings(request: &Request<'_>) -> Option<String> {
    let wanted = request.spec.build.caches.iter().any(|cache| cache.rustsccache.is_some());
    if !wanted || sccache::is_there(request) {
        return None;
    }
    let platform = request.build_platform();
    Some(format!(
        "there is no sccache for {platform}: the build goes on without `rustsccache`; give one with `--build-context {}=DIRECTORY`",
        sccache::CONTEXT
    ))
}

/// Returns whether there is a Go build cache that nobody asked for. One that is disabled was spoken of.
fn is_automatic(spec: &TargetSpec) -> bool {
    golang::is_built(spec) && spec.build.caches.iter().all(|cache| cache.gobuild.is_none())
}

impl Caches {
    /// Adds the caches to `exec`.
    pub fn give(self, exec: Exec) -> Exec {
        self.env.into_iter().fold(exec.mounts(self.mounts), |exec, (name, value)| exec.env(name, value))
    }

    /// Returns what a shell has to do before the steps run.
    pub fn setup(&self) -> &'static str {
        self.setup
    }
}

struct Planner<'a> {
    request: &'a Request<'a>,
    place: &'a Place<'a>,
    caches: Caches,
}

impl Planner<'_> {
    fn add(&mut self, cache: &target_spec::Cache) -> Result<(), PlanError> {
        if let Some(dir) = &cache.dir {
            self.dir(dir, cache)?;
        }
        if let Some(gobuild) = cache.gobuild.as_ref().filter(|gobuild| !gobuild.disabled) {
            self.gobuild(&gobuild.scope);
        }
        if let Some(rust) = &cache.rustsccache {
            sccache::add(self, &rust.scope);
        }
        if let Some(bazel) = &cache.bazel {
            bazel::add(self, &bazel.scope);
        }
        Ok(())
    }

    fn dir(&mut self, dir: &CacheDir, cache: &target_spec::Cache) -> Result<(), PlanError> {
        let dest = join("/", &dir.dest);
        if dest == "/work" || dest.starts_with("/work/") {
            return Err(PlanError::Invalid {
                message: format!("a cache cannot be at {:?}: packages are built in `/work`", dir.dest),
                spans: vec![cache.span],
                hint: Some("choose another directory for it".into()),
            });
        }
        let key = if dir.key.is_empty() { &dir.dest } else { &dir.key };
        if dir.no_auto_namespace && is_of_downloads(key) {
            return Err(PlanError::Invalid {
                message: format!(
                    "a cache cannot have the key {key:?}: what is downloaded for all builds is kept there"
                ),
                spans: vec![cache.span],
                hint: Some("choose another key for it".into()),
            });
        }
        let id = if dir.no_auto_namespace { key.clone() } else { self.id(key) };
        let sharing = match dir.sharing {
            target_spec::CacheSharing::Shared => CacheSharing::Shared,
            target_spec::CacheSharing::Locked => CacheSharing::Locked,
            target_spec::CacheSharing::Private => CacheSharing::Private,
        };
        self.caches.mounts.push(Mount::cache(dest, id, sharing));
        Ok(())
    }

    fn gobuild(&mut self, scope: &str) {
        self.shared(GO_DIR, "dalec-gobuildcache", scope);
        self.caches.env.push(("GOCACHE", GO_DIR));
    }

    /// Mounts a cache of a kind that has one directory per `scope`.
    fn shared(&mut self, dest: &str, kind: &str, scope: &str) {
        let key = if scope.is_empty() { kind.to_owned() } else { format!("{kind}-{scope}") };
        let id = self.id(&key);
        self.caches.mounts.push(Mount::cache(dest, id, CacheSharing::Shared));
    }

    /// Returns the name of a cache of this target and platform.
    fn id(&self, key: &str) -> String {
        format!("{}-{}-{key}", self.place.namespace, self.request.platform)
    }
}

/// Returns whether `id` is how package managers and downloads of modules call what they share with other builds: what lies
/// there is taken as verified.
fn is_of_downloads(id: &str) -> bool {
    let is_of_packages = |part| id.contains(part);
    ["dalec-var-cache-apt", "dalec-var-lib-apt", "-dnf-cache-", "-dnf5-cache-", "-tdnf-cache-"]
        .into_iter()
        .any(is_of_packages)
        || id.starts_with("dalec-gomod-proxy-cache")
}
