//! `--ssh` values: agents whose keys steps may use, and other sockets.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use dalec_ssh_agent::Socket;

use crate::errors::CommandError;

const FORM: &str = "write --ssh default for the agent of $SSH_AUTH_SOCK, or --ssh ID=SOCKET[,raw=true]";

/// Reads `ID[=SOCKET][,raw=true]` values into sockets by id; with an id alone it is the agent of this environment, whose
/// socket is `own`.
///
/// # Errors
/// [`CommandError::Usage`] when there is no agent, or what is named is no socket.
pub fn agents(given: &[String], own: Option<PathBuf>) -> Result<BTreeMap<String, Socket>, CommandError> {
    let mut agents = BTreeMap::new();
    for text in given {
        let (value, raw) = raw(text)?;
        let (id, socket) = value.split_once('=').map_or((value, ""), |(id, socket)| (id, socket));
        if id.is_empty() {
            return Err(CommandError::usage_help(format!("--ssh {text}: the id is missing"), FORM));
        }
        let path = match (socket, &own) {
            ("", _) if raw => {
                let message = format!("--ssh {text}: the socket is missing");
                return Err(CommandError::usage_help(message, FORM));
            }
            ("", Some(own)) => own.clone(),
            ("", None) => {
                let message = format!("--ssh {text}: no agent runs here: SSH_AUTH_SOCK is not set");
                return Err(CommandError::usage_help(message, FORM));
            }
            (socket, _) => PathBuf::from(socket),
        };
        let found = std::fs::metadata(&path);
        let found =
            found.map_err(|source| CommandError::unreadable(&format!("ssh agent `{id}`:"), &path, source))?;
        if !found.file_type().is_socket() {
            let message = format!("--ssh {text}: {} is not the socket of an agent", path.display());
            return Err(CommandError::usage_help(
                message,
                "load keys into an agent with ssh-add, and give its socket",
            ));
        }
        if agents.insert(id.to_owned(), Socket { path, raw }).is_some() {
            return Err(CommandError::usage(format!("--ssh: two agents are called `{id}`")));
        }
    }
    Ok(agents)
}

/// Returns a value without what follows it, and whether that says that the socket is no agent's.
///
/// # Errors
/// [`CommandError::Usage`] when it says something else than yes or no.
fn raw(text: &str) -> Result<(&str, bool), CommandError> {
    let Some((value, raw)) = text.rsplit_once(",raw=") else { return Ok((text, false)) };
    match raw {
        "true" | "1" => Ok((value, true)),
        "false" | "0" => Ok((value, false)),
        _ => Err(CommandError::usage_help(format!("--ssh {text}: raw is true or false"), FORM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_sockets_by_id() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let named = format!("work={}", socket.display());
        let read = agents(&["default".to_owned(), named], Some(socket.clone())).unwrap();
        let agent = Socket { path: socket.clone(), raw: false };
        assert_eq!(read, [("default".to_owned(), agent.clone()), ("work".to_owned(), agent)].into());
        let named = format!("cache={},raw=true", socket.display());
        let read = agents(&[named], None).unwrap();
        assert_eq!(read, [("cache".to_owned(), Socket { path: socket, raw: true })].into());
        for text in ["default", "=x", "a=/dev/null", "a=/no/such/socket", "a,raw=true", "a=/dev/null,raw=x"] {
            assert!(agents(&[text.to_owned()], None).is_err(), "{text}");
        }
    }
}
