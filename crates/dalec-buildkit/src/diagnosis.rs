//! What is wrong with a `buildkitd` that cannot be spoken to: nobody is there, TLS on one side alone, certificates.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::AlertDescription;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::address::Address;
use crate::error::{Cause, ConnectError};
use crate::tls::TlsFiles;

/// How long may be looked for TLS.
const PATIENCE: Duration = Duration::from_secs(5);

/// A `ClientHello` without content: no server of TLS takes it, and each says so in TLS.
const EMPTY_HELLO: [u8; 9] = [22, 3, 1, 0, 4, 1, 0, 0, 0];

/// What the records begin with that a server of TLS may answer: an alert, or a part of a handshake.
const TLS_ANSWERS: [u8; 2] = [21, 22];

/// How far a connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It could not be made.
    Connect,
    /// It was made, with TLS if TLS is used, and what was said first got no answer.
    FirstCall,
}

/// Returns why the daemon at `address` cannot be spoken to, which showed as `error`.
pub(crate) async fn diagnose(
    address: &Address,
    tls: &TlsFiles,
    stage: Stage,
    error: &(dyn Error + 'static),
) -> ConnectError {
    let (shown, source) = (address.to_string(), root_cause(error));
    if tls.is_used() {
        let hung_up = stage == Stage::FirstCall && tls.cert.is_none();
        if hung_up || chain(error).any(refuses_certificate) {
            return ConnectError::NotLetIn { address: shown, source };
        }
        if stage == Stage::FirstCall || !is_network(error) {
            return ConnectError::Tls { address: shown, source };
        }
    } else if let Address::Tcp { host, port } = address
        && speaks_tls(host, *port).await
    {
        return ConnectError::SpeaksTls { address: shown };
    }
    ConnectError::Unreachable { address: shown, source }
}

/// Returns whether a server of TLS listens there.
async fn speaks_tls(host: &str, port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.write_all(&EMPTY_HELLO).await?;
        stream.read_u8().await
    };
    let answer = tokio::time::timeout(PATIENCE, ask).await;
    matches!(answer, Ok(Ok(first)) if TLS_ANSWERS.contains(&first))
}

/// Returns whether `error` is the other side's word that it does not take the client's certificate, or lack of one.
fn refuses_certificate(error: &(dyn Error + 'static)) -> bool {
    use AlertDescription as Alert;
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        inner.or_else(|| error.downcast_ref()),
        Some(rustls::Error::AlertReceived(
            Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
        ))
    )
}

/// Returns whether the operating system could not connect: TLS never got a chance.
fn is_network(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound, TimedOut};
    let found = chain(error).find_map(|error| error.downcast_ref::<io::Error>());
    found.is_some_and(|error| {
        error.raw_os_error().is_some() || matches!(error.kind(), ConnectionRefused | TimedOut | NotFound)
    })
}

/// Returns the words of what is below everything else: what is above it only says that a transport failed.
fn root_cause(error: &(dyn Error + 'static)) -> Cause {
    chain(error).last().map(ToString::to_string).unwrap_or_default().into()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
