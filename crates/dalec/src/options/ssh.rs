//! `--ssh` values: agents whose keys steps may use.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use crate::errors::CommandError;

const FORM: &str = "write --ssh default for the agent of $SSH_AUTH_SOCK, or --ssh ID=SOCKET";

/// Reads `ID[=SOCKET]` values into sockets by id; with an id alone it is the agent of this environment, whose socket
/// is `own`.
///
/// # Errors
/// [`CommandError::Usage`] when there is no agent, or what is named is no socket.
pub fn agents(given: &[String], own: Option<PathBuf>) -> Result<BTreeMap<String, PathBuf>, CommandError> {
    let mut agents = BTreeMap::new();
    for text in given {
        let (id, socket) = text.split_once('=').map_or((text.as_str(), ""), |(id, socket)| (id, socket));
        if id.is_empty() {
            return Err(CommandError::usage_help(format!("--ssh {text}: the id is missing"), FORM));
        }
        let socket = match (socket, &own) {
            ("", Some(own)) => own.clone(),
            ("", None) => {
                let message = format!("--ssh {text}: no agent runs here: SSH_AUTH_SOCK is not set");
                return Err(CommandError::usage_help(message, FORM));
            }
            (socket, _) => PathBuf::from(socket),
        };
        let found = std::fs::metadata(&socket);
        let found = found
            .map_err(|source| CommandError::unreadable(&format!("ssh agent `{id}`:"), &socket, source))?;
        if !found.file_type().is_socket() {
            let message = format!("--ssh {text}: {} is not the socket of an agent", socket.display());
            return Err(CommandError::usage_help(
                message,
                "load keys into an agent with ssh-add, and give its socket",
            ));
        }
        if agents.insert(id.to_owned(), socket).is_some() {
            return Err(CommandError::usage(format!("--ssh: two agents are called `{id}`")));
        }
    }
    Ok(agents)
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
        assert_eq!(read, [("default".to_owned(), socket.clone()), ("work".to_owned(), socket)].into());
        for text in ["default", "=x", "a=/dev/null", "a=/no/such/socket"] {
            assert!(agents(&[text.to_owned()], None).is_err(), "{text}");
        }
    }
}
