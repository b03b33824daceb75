//! `dalec verify`: whether signatures hold, and whose they are. Starts no engine.

use std::fmt::Write;
use std::path::PathBuf;

use dalec_signer::{
    CertificateFacts, Finding, Keyring, Report, Roots, Timestamp, Trust, Verdict, VerifyError,
};
use serde_json::{Value, json};

use super::DataFormat;
use crate::errors::{CommandError, Exit};
use crate::terminal::{Keep, clean};

/// No collection of public keys or certificates is larger.
const LARGEST_KEYRING: u64 = 64 << 20;

/// Checks signatures of packages and other files
///
/// Checks what `dalec sign` makes, and says who signed or what is wrong. A file is valid when a key of the keyring made a
/// good signature and no signature is bad; keys that have expired or are revoked by now do not count. What .dsc, .changes
/// and .buildinfo list has to be what lies beside them, as far as it is there. Windows programs are valid by certificates
/// that lead to one of those given.
///
/// The exit code is 0 when all files are valid, 1 when one is not or has no signature, and 2 when a file cannot be read.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("trust").required(true).multiple(true))]
#[command(after_long_help = "\
Examples:
  dalec verify --keyring public.asc out/*.deb out/*.changes
  dalec verify --keyring public.asc release.tar.zst    # by release.tar.zst.asc or .sig
  dalec verify --ca authority.pem out/*.exe
  dalec verify --keyring public.asc --format json out/*.rpm | jq -r '.[] | .file, .status'")]
pub struct Args {
    /// Files to check; a signature beside something else, or what it belongs to
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// OpenPGP public keys that are trusted, as text or bytes; may be given several times
    #[arg(long, value_name = "FILE", group = "trust")]
    keyring: Vec<PathBuf>,
    /// Certificates that are trusted for Windows programs and their timestamps, as PEM or DER; may be given several times
    #[arg(long, value_name = "FILE", group = "trust")]
    ca: Vec<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value = "text")]
    format: DataFormat,
}

/// Prints what was found.
///
/// # Errors
/// When a file or keyring cannot be read, or a file is not valid.
pub fn run(args: &Args) -> Result<(), CommandError> {
    let (keyring, roots) = (keyring(&args.keyring)?, roots(&args.ca)?);
    let trust = Trust { keyring: &keyring, roots: &roots };
    let now = super::now();
    let reports = args.files.iter().map(|path| dalec_signer::verify(path, trust, now));
    let reports: Vec<Report> = reports.collect::<Result<_, _>>().map_err(|error| match error {
        VerifyError::Read { path, source } => CommandError::unreadable("file", &path, source),
        other => CommandError::usage(other.to_string()),
    })?;
    let printed = match args.format {
        DataFormat::Text => reports.iter().map(text).collect(),
        DataFormat::Json => super::to_json(&reports.iter().map(record).collect::<Vec<_>>())?,
    };
    super::print(&printed)?;
    match reports.iter().all(|report| report.verdict == Verdict::Valid) {
        true => Ok(()),
        false => Err(CommandError::Said(Exit::Failed)),
    }
}

fn keyring(paths: &[PathBuf]) -> Result<Keyring, CommandError> {
    let mut keyring = Keyring::default();
    for path in paths {
        // What is left out could be a revocation.
        let bytes = super::read_bounded(path, LARGEST_KEYRING)
            .map_err(|source| CommandError::unreadable("keyring", path, source))?;
        keyring.add(&bytes).map_err(|source| CommandError::Usage {
            message: format!("cannot use the keyring {}", path.display()),
            help: Some("a keyring is what `gpg --armor --export` writes".into()),
            source: Some(source.into()),
        })?;
    }
    Ok(keyring)
}

fn roots(paths: &[PathBuf]) -> Result<Roots, CommandError> {
    let mut roots = Roots::default();
    for path in paths {
        let bytes = super::read_bounded(path, LARGEST_KEYRING)
            .map_err(|source| CommandError::unreadable("certificate", path, source))?;
        roots.add(&bytes).map_err(|source| CommandError::Usage {
            message: format!("cannot use the certificates {}", path.display()),
            help: None,
            source: Some(source.into()),
        })?;
    }
    Ok(roots)
}

fn text(report: &Report) -> String {
    let mut text = clean(report.path.display().to_string().as_bytes(), Keep::Nothing);
    text += match &report.verdict {
        Verdict::Valid => ": valid\n",
        Verdict::Unsigned => ": not signed\n",
        Verdict::Invalid => ": not valid\n",
        Verdict::Broken(broken) => {
            return format!("{text}: not valid: {}\n", clean(broken.0.as_bytes(), Keep::Nothing));
        }
    };
    for finding in &report.findings {
        let by = match (&finding.signer, &finding.certificate, &finding.issuer) {
            (Some(signer), ..) => super::signer(signer),
            (None, Some(certificate), _) => super::certificate(certificate),
            (None, None, Some(issuer)) => issuer.clone(),
            (None, None, None) => "nobody".to_owned(),
        };
        let on = finding.time.map(|time| format!(" on {}", super::time(time))).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = match finding.fault {
            None => writeln!(text, "  signed by {by}{on}"),
            Some(fault) => writeln!(text, "  signature by {by}{on} does not count: {fault}"),
        };
        if let Some(certificate) = &finding.certificate {
            let issuer = super::name(&certificate.issuer);
            let _ = writeln!(text, "    certificate {} of {issuer}", certificate.serial);
        }
        if let Some(Timestamp { time, by, fault }) = &finding.timestamp {
            let by = by.as_ref().map_or_else(|| "nobody".to_owned(), super::certificate);
            let time = super::time(*time);
            let _ = match fault {
                None => writeln!(text, "    timestamp {time} by {by}"),
                Some(fault) => writeln!(text, "    timestamp {time} by {by} does not count: {fault}"),
            };
        }
    }
    text
}

fn record(report: &Report) -> Value {
    let (status, reason) = match &report.verdict {
        Verdict::Valid => ("valid", None),
        Verdict::Unsigned => ("unsigned", None),
        Verdict::Invalid => ("invalid", None),
        Verdict::Broken(broken) => ("invalid", Some(broken.0.clone())),
    };
    let mut record = json!({
        "file": report.path.to_string_lossy(),
        "kind": report.kind.name(),
        "status": status,
        "signatures": report.findings.iter().map(signature).collect::<Vec<_>>(),
    });
    if let Some(reason) = reason {
        record["reason"] = json!(reason);
    }
    record
}

fn signature(finding: &Finding) -> Value {
    let mut record = json!({ "good": finding.fault.is_none() });
    if let Some(signer) = &finding.signer {
        record["fingerprint"] = json!(signer.fingerprint);
        record["primaryFingerprint"] = json!(signer.primary);
        record["userId"] = json!(signer.user_id);
    } else if let Some(issuer) = &finding.issuer {
        record["issuer"] = json!(issuer);
    }
    if let Some(certificate) = &finding.certificate {
        record["certificate"] = of_certificate(certificate);
    }
    if let Some(Timestamp { time, by, fault }) = &finding.timestamp {
        let mut timestamp = json!({ "good": fault.is_none(), "time": super::time(*time) });
        if let Some(by) = by {
            timestamp["certificate"] = of_certificate(by);
        }
        if let Some(fault) = fault {
            timestamp["reason"] = json!(fault.to_string());
        }
        record["timestamp"] = timestamp;
    }
    if let Some(time) = finding.time {
        record["time"] = json!(super::time(time));
    }
    if let Some(fault) = finding.fault {
        record["reason"] = json!(fault.to_string());
    }
    record
}

fn of_certificate(certificate: &CertificateFacts) -> Value {
    json!({
        "fingerprint": certificate.fingerprint,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
    })
}
