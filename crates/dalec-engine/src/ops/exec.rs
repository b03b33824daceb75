//! Exec ops: one process in a sandbox.

use std::path::Path;

use bollard_buildkit_proto::pb;
use pb::{NetMode, SecurityMode};

use super::OpContext;
use super::logs::{Tail, follow};
use super::mounts::Mounts;
use super::secret::secret_value;
use crate::error::{Error, Result};
use crate::sandbox::{
    DEFAULT_HOSTNAME, ExitStatus, HostEntry, Network, RunningSandbox, SandboxError, SandboxSpec, Ulimit,
};
use crate::shared::Counters;
use crate::snapshot::Snapshot;

/// Runs the process and returns the outputs.
///
/// # Errors
/// When the process cannot be started, or ends in a way that counts as failure.
pub fn run(
    context: &OpContext<'_>,
    op: &pb::ExecOp,
    inputs: &[Snapshot],
    outputs: usize,
) -> Result<Vec<Snapshot>> {
    let meta = op.meta.clone().unwrap_or_default();
    refuse_unsupported(op, &meta)?;
    let mounts = Mounts::new(context, op, inputs)?;
    let spec = spec(context, op, &meta, &mounts)?;
    // Held only while the process runs: those who wait for it hold nothing that it needs.
    let slot = context.core.slots.take(context.cancel)?;
    let mut tail = Tail::default();
    let status = run_sandbox(context, &spec, &mut tail)?;
    drop(slot);
    drop(spec);
    check_status(status, &meta, tail, context.core.store().root())?;
    mounts.commit(context, outputs)
}

/// Runs one sandbox to its end, passing on what it writes.
///
/// # Errors
/// When it cannot be started, or someone says stop.
pub fn run_sandbox(context: &OpContext<'_>, spec: &SandboxSpec, tail: &mut Tail) -> Result<ExitStatus> {
    let launcher = context.core.launcher()?;
    context.check()?;
    Counters::add(&context.core.counters.processes);
    let mut sandbox = launcher.spawn(spec).map_err(sandbox_error)?;
    let streams = [sandbox.stdout(), sandbox.stderr()];
    let mut take = |stream, data: &[u8]| {
        context.progress.log(stream, data);
        tail.push(stream, data);
    };
    // Leaving early drops the sandbox, which kills it.
    follow(streams, &|| context.check(), &mut take)?;
    wait(&mut sandbox, &|| context.check())
}

/// Waits for the end of a process; kills it when `check` says that it is not wanted any more.
///
/// # Errors
/// What `check` says, and when the process is lost.
pub fn wait(sandbox: &mut RunningSandbox, check: &dyn Fn() -> Result<()>) -> Result<ExitStatus> {
    let killer = sandbox.killer();
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut stopped = Ok(());
    let status = std::thread::scope(|scope| {
        scope.spawn(move || sender.send(sandbox.wait()));
        loop {
            match receiver.recv_timeout(std::time::Duration::from_millis(20)) {
                Ok(status) => return Some(status),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) if stopped.is_ok() => {
                    stopped = check();
                    if stopped.is_err() {
                        killer.kill();
                    }
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    });
    stopped?;
    status.unwrap_or(Err(SandboxError::Lost)).map_err(sandbox_error)
}

/// Goes on unless the process asks for what this engine gives no process.
///
/// # Errors
/// When it does.
pub fn refuse_unsupported(op: &pb::ExecOp, meta: &pb::Meta) -> Result<()> {
    if op.security() == SecurityMode::Insecure {
        return Err(Error::op("this engine runs no privileged build steps"));
    }
    if !op.cdi_devices.is_empty() {
        return Err(Error::op("this engine gives build steps no devices"));
    }
    if meta.args.is_empty() {
        return Err(Error::Request("a process has no arguments".into()));
    }
    Ok(())
}

/// Returns what the process of `op` is to be and to see.
///
/// # Errors
/// When a secret is missing, or something that the process asks for makes no sense.
pub fn spec(
    context: &OpContext<'_>,
    op: &pb::ExecOp,
    meta: &pb::Meta,
    mounts: &Mounts,
) -> Result<SandboxSpec> {
    let mut env = meta.env.clone();
    let proxies = proxy_env(meta);
    if proxies.is_empty() && op.network() != NetMode::None {
        let own = &context.core.options.proxies;
        let unset = own.iter().filter(|(name, _)| !meta.env.iter().any(|set| names(set, name)));
        env.extend(unset.map(|(name, value)| format!("{name}={value}")));
    }
    env.extend(proxies);
    for secret in &op.secretenv {
        if let Some(value) = secret_value(context, &secret.id, secret.optional)? {
            let value = String::from_utf8(value)
                .map_err(|_| Error::op(format!("the secret {:?} is no text for a variable", secret.id)))?;
            env.push(format!("{}={value}", secret.name));
        }
    }
    let root = op.mounts.iter().find(|mount| mount.dest == "/");
    Ok(SandboxSpec {
        root: mounts.root.clone(),
        readonly_root: root.is_some_and(|mount| mount.readonly),
        mounts: mounts.mounts.clone(),
        args: meta.args.clone(),
        env,
        cwd: if meta.cwd.is_empty() { "/".into() } else { meta.cwd.clone() },
        user: meta.user.clone(),
        // BuildKit's own sandbox network, a bridge, would need root of the machine and a firewall; processes
        // that say nothing get the host's network, as under a rootless BuildKit.
        network: match op.network() {
            NetMode::Unset | NetMode::Host => Network::Host,
            NetMode::None => Network::None,
        },
        hostname: if meta.hostname.is_empty() { DEFAULT_HOSTNAME.into() } else { meta.hostname.clone() },
        extra_hosts: extra_hosts(meta)?,
        ulimits: meta.ulimit.iter().map(ulimit).collect(),
        remove_stub_parents: true,
        mode: context.core.options.mode,
    })
}

fn proxy_env(meta: &pb::Meta) -> Vec<String> {
    let Some(proxy) = &meta.proxy_env else { return Vec::new() };
    let values = [
        ("HTTP_PROXY", &proxy.http_proxy),
        ("HTTPS_PROXY", &proxy.https_proxy),
        ("FTP_PROXY", &proxy.ftp_proxy),
        ("NO_PROXY", &proxy.no_proxy),
        ("ALL_PROXY", &proxy.all_proxy),
    ];
    let set = values.into_iter().filter(|(_, value)| !value.is_empty());
    set.flat_map(|(name, value)| {
        [format!("{name}={value}"), format!("{}={value}", name.to_ascii_lowercase())]
    })
    .collect()
}

/// Returns whether `variable` is one called `name`.
fn names(variable: &str, name: &str) -> bool {
    variable.split_once('=').is_some_and(|(called, _)| called == name)
}

fn extra_hosts(meta: &pb::Meta) -> Result<Vec<HostEntry>> {
    let entry = |host: &pb::HostIp| {
        let ip = host.ip.parse().map_err(|_| Error::Request(format!("{:?} is no IP address", host.ip)))?;
        Ok(HostEntry { host: host.host.clone(), ip })
    };
    meta.extra_hosts.iter().map(entry).collect()
}

fn ulimit(limit: &pb::Ulimit) -> Ulimit {
    // A negative limit is none.
    let value = |limit: i64| u64::try_from(limit).unwrap_or(u64::MAX);
    Ulimit { name: limit.name.clone(), soft: value(limit.soft), hard: value(limit.hard) }
}

fn check_status(status: ExitStatus, meta: &pb::Meta, tail: Tail, state: &Path) -> Result<()> {
    let valid = match status {
        ExitStatus::Code(code) if meta.valid_exit_codes.is_empty() => code == 0,
        ExitStatus::Code(code) => meta.valid_exit_codes.contains(&code),
        ExitStatus::Signal(_) => false,
    };
    if valid {
        return Ok(());
    }
    let (message, exit_code) = match status {
        ExitStatus::Code(code) => (format!("the command failed with exit code {code}"), Some(code)),
        ExitStatus::Signal(signal) => (format!("the command was killed by signal {signal}"), None),
    };
    let log = tail.lines();
    let hint = full_disk(&log, state).unwrap_or_default();
    Err(Error::Process { message, hint, exit_code, log })
}

/// Returns what to do where a process wrote that a disk is full, which is nearly always that of the state directory: it
/// may have room again by now.
fn full_disk(log: &[String], state: &Path) -> Option<String> {
    let said = log.iter().any(|line| line.contains("No space left on device"));
    said.then(|| {
        format!(
            "its disk is that of the state directory {}: free some space there, or name a directory elsewhere with \
             --state-dir",
            state.display()
        )
    })
}

/// Turns what became of a sandbox into an engine's error.
pub fn sandbox_error(error: SandboxError) -> Error {
    let hint = error.hint().unwrap_or_default().to_owned();
    match error {
        SandboxError::Launch { .. } | SandboxError::Setup { .. } | SandboxError::Lost => {
            Error::Op { message: error.to_string(), hint, source: cause(error) }
        }
        SandboxError::Command { .. } => {
            let exit_code = error.shell_status();
            let reason =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Error::Process { message: format!("{error}{reason}"), hint, exit_code, log: Vec::new() }
        }
        SandboxError::User { .. } => Error::op(error.to_string()),
    }
}

fn cause(error: SandboxError) -> Option<crate::error::Cause> {
    match error {
        SandboxError::Launch { source } | SandboxError::Setup { source, .. } => Some(Box::new(source)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_disk_is_told_whose_disk_it_is() {
        let hint = |line: &str| full_disk(&["before".to_owned(), line.to_owned()], Path::new("/state"));
        let hint_of_full = hint("cp: error writing 'x': No space left on device").expect("a hint");
        assert!(hint_of_full.contains("the state directory /state"), "{hint_of_full}");
        assert_eq!(hint("cp: cannot stat 'x'"), None);
    }
}
