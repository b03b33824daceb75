//! Makes a Debian root: `bootstrap SUITE ROOT [PACKAGE]...`, as the superuser.
//!
//! Takes the mirror from `DALEC_APT_MIRROR` or else from the host's apt configuration, keeps
//! downloads in `BOOTSTRAP_CACHE` (default `/var/tmp/bootstrap-cache`), and runs the commands
//! inside the root with `unshare` and `chroot`. Prints how long each step took.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Instant, SystemTime};

use dalec_bootstrap::{
    AptSources, BootstrapError, Cache, Cause, Http, HttpOptions, Keyring, Request, RootCommand, Silent,
    Trust, UnpackOptions, configure, fetch, resolve, unpack,
};

/// Mounts what scripts need and changes the root; `$0` is the root.
const ENTER: &str = r#"mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
exec /usr/sbin/chroot "$0" "$@""#;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [suite, root, packages @ ..] = args.as_slice() else {
        eprintln!("usage: bootstrap SUITE ROOT [PACKAGE]...");
        return ExitCode::from(2);
    };
    match bootstrap(suite, Path::new(root), packages) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn bootstrap(suite: &str, root: &Path, packages: &[String]) -> Result<(), Box<dyn Error>> {
    let sources = match std::env::var("DALEC_APT_MIRROR") {
        Ok(mirror) => AptSources::from_mirror(&mirror)?,
        Err(_) => AptSources::from_host(Path::new("/etc/apt"))?,
    };
    let directory = std::env::var_os("BOOTSTRAP_CACHE")
        .map_or_else(|| PathBuf::from("/var/tmp/bootstrap-cache"), PathBuf::from);
    let cache = Cache::open(&directory)?;
    let http = Http::new(&HttpOptions::default())?;
    let keyring = Keyring::debian();
    let request =
        Request { suite: suite.to_owned(), architecture: "amd64".to_owned(), packages: packages.to_vec() };
    let trust = Trust { keyring: &keyring, now: SystemTime::now() };
    let resolved = timed("resolve", || resolve(&request, &sources, trust, &http, &cache, &Silent))?;
    println!("{}", resolved.origin);
    let recipe = resolved.recipe;
    timed("fetch", || fetch(&recipe, &http, &cache, &Silent))?;
    std::fs::create_dir_all(root)?;
    let options = UnpackOptions::default();
    let unpacked = timed("unpack", || unpack(&recipe, &cache, root, options, &Silent))?;
    timed("configure", || configure(&recipe, root, unpacked, options, &mut |command| run(root, command)))?;
    println!("recipe {}", recipe.digest());
    Ok(())
}

fn run(root: &Path, command: &RootCommand) -> Result<(), Cause> {
    let namespaces = ["--mount", "--ipc", "--net", "--pid", "--fork"];
    let status = timed(command.purpose, || {
        Command::new("/usr/bin/unshare")
            .args(namespaces)
            .args(["/bin/sh", "-ec", ENTER])
            .arg(root)
            .args(&command.args)
            .env_clear()
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .status()
    })?;
    if status.success() { Ok(()) } else { Err(status.to_string().into()) }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = work();
    println!("{what}: {} ms", start.elapsed().as_millis());
    outcome
}

fn report(error: &(dyn Error + 'static)) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("cause: {error}");
        cause = error.source();
    }
    if let Some(hint) = error.downcast_ref::<BootstrapError>().and_then(BootstrapError::hint) {
        eprintln!("hint: {hint}");
    }
}
