//! Lends ssh agents: their keys can be listed and used, and nothing else.
//!
//! The agent's protocol is `draft-ietf-sshm-ssh-agent`: a length of four bytes, a byte that says what it is, and the rest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::Ssh as Service;
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::UnixStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::rpc::Messages;

/// Header with the id of the agent.
const ID: &str = "buildkit.ssh.id";
const DEFAULT: &str = "default";
const FAILURE: u8 = 5;
const LIST_KEYS: u8 = 11;
const SIGN: u8 = 13;
/// The agent of OpenSSH takes no larger messages.
const MAX_MESSAGE: usize = 256 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sockets of agents by id.
pub(super) struct Agents(pub(super) BTreeMap<String, PathBuf>);

impl Agents {
    fn find(&self, id: &str) -> Result<PathBuf, Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        let found = self.0.get(id).cloned();
        found.ok_or_else(|| {
            Status::not_found(format!("no ssh agent called {id} was given; name one with --ssh"))
        })
    }
}

#[tonic::async_trait]
impl Service for Agents {
    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.find(&request.into_inner().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    type ForwardAgentStream = Messages<BytesMessage>;

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Messages<BytesMessage>>, Status> {
        let id = request.metadata().get(ID).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let path = self.find(id)?;
        let unreachable =
            |why: String| Status::unavailable(format!("the ssh agent {} {why}", path.display()));
        let agent = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(&path)).await;
        let agent = agent.map_err(|_| unreachable("does not answer".into()))?;
        let agent = agent.map_err(|error| unreachable(format!("cannot be reached: {error}")))?;
        let (ours, theirs) = tokio::io::duplex(MAX_MESSAGE);
        tokio::spawn(async move {
            // However it ends, the step sees its connection close.
            let _ = filter(theirs, agent).await;
        });
        Ok(Response::new(pump(ours, request.into_inner())))
    }
}

/// Carries the bytes of one connection in messages.
fn pump(stream: DuplexStream, mut incoming: Streaming<BytesMessage>) -> Messages<BytesMessage> {
    let (mut from_agent, mut to_agent) = tokio::io::split(stream);
    tokio::spawn(async move {
        while let Some(Ok(message)) = incoming.next().await {
            if to_agent.write_all(&message.data).await.is_err() {
                return;
            }
        }
        // The step closed its end; the answer to its last message may still be under way.
        let _ = to_agent.shutdown().await;
    });
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(length @ 1..) = from_agent.read(&mut buffer).await {
            if sender.send(Ok(BytesMessage { data: buffer[..length].to_vec() })).await.is_err() {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

/// Passes requests on that only use keys, and answers others itself.
async fn filter(
    mut step: impl AsyncRead + AsyncWrite + Unpin,
    mut agent: impl AsyncRead + AsyncWrite + Unpin,
) -> std::io::Result<()> {
    while let Some(request) = message(&mut step).await? {
        let answer = match request.first() {
            Some(&(LIST_KEYS | SIGN)) => {
                send(&mut agent, &request).await?;
                let answer = message(&mut agent).await?;
                answer.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))?
            }
            _ => vec![FAILURE],
        };
        send(&mut step, &answer).await?;
    }
    Ok(())
}

/// Reads a message without its length; none at the end.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let length = match stream.read_u32().await {
        Ok(length) => length as usize,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length == 0 || length > MAX_MESSAGE {
        return Err(std::io::Error::other("a message has no sensible length"));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> std::io::Result<()> {
    // Both sides checked the length.
    stream.write_u32(message.len() as u32).await?;
    stream.write_all(message).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_can_be_used_and_nothing_else() {
        let (step, step_end) = tokio::io::duplex(1000);
        let (agent, mut agent_end) = tokio::io::duplex(1000);
        let filtered = tokio::spawn(filter(step_end, agent));
        let mut step = step;
        let remove_all = [19];
        send(&mut step, &remove_all).await.unwrap();
        assert_eq!(message(&mut step).await.unwrap(), Some(vec![FAILURE]));
        send(&mut step, &[LIST_KEYS]).await.unwrap();
        // The first thing that the agent sees.
        assert_eq!(message(&mut agent_end).await.unwrap(), Some(vec![LIST_KEYS]));
        send(&mut agent_end, &[12, 0, 0, 0, 0]).await.unwrap();
        assert_eq!(message(&mut step).await.unwrap(), Some(vec![12, 0, 0, 0, 0]));
        drop(step);
        filtered.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_message_of_any_length_is_refused() {
        let mut huge: &[u8] = &[0xff; 16];
        assert!(message(&mut huge).await.is_err());
    }
}
