//! Lends ssh agents, whose keys can be listed and used, and nothing else; and passes on what goes to other sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::Ssh as Service;
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use dalec_ssh_agent::{DEFAULT, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::rpc::Messages;

/// Header with the id of the agent.
const ID: &str = "buildkit.ssh.id";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sockets by id.
pub(super) struct Agents(pub(super) BTreeMap<String, Socket>);

impl Agents {
    fn find(&self, id: &str) -> Result<Socket, Status> {
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
        let Socket { path, raw } = self.find(id)?;
        let unreachable =
            |why: String| Status::unavailable(format!("the ssh agent {} {why}", path.display()));
        let agent = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(&path)).await;
        let agent = agent.map_err(|_| unreachable("does not answer".into()))?;
        let agent = agent.map_err(|error| unreachable(format!("cannot be reached: {error}")))?;
        let ours = if raw { Ok(agent) } else { lend(agent) };
        let ours = ours.map_err(|error| unreachable(format!("cannot be lent: {error}")))?;
        Ok(Response::new(pump(ours, request.into_inner())))
    }
}

/// Returns a connection on which `agent` answers as a step may use it.
fn lend(agent: UnixStream) -> std::io::Result<UnixStream> {
    let agent = agent.into_std()?;
    agent.set_nonblocking(false)?;
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = theirs.into_std()?;
    theirs.set_nonblocking(false)?;
    // A thread of its own, which the end of the runtime does not wait for: an agent may ask its user first.
    std::thread::Builder::new().name("ssh-agent".into()).spawn(move || {
        // However it ends, the step sees its connection close.
        let _ = dalec_ssh_agent::exchange(&theirs, &agent);
    })?;
    Ok(ours)
}

/// Carries the bytes of one connection in messages.
fn pump(stream: UnixStream, mut incoming: Streaming<BytesMessage>) -> Messages<BytesMessage> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lent_agent_answers_until_the_step_has_gone() {
        let (agent, mut agent_end) = UnixStream::pair().unwrap();
        let mut step = lend(agent).unwrap();
        let list_keys = [0, 0, 0, 1, 11];
        step.write_all(&list_keys).await.unwrap();
        let mut seen = [0; 5];
        agent_end.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, list_keys);
        let remove_all = [0, 0, 0, 1, 19];
        agent_end.write_all(&[0, 0, 0, 1, 12]).await.unwrap();
        step.write_all(&remove_all).await.unwrap();
        let mut answers = [0; 10];
        step.read_exact(&mut answers).await.unwrap();
        assert_eq!(answers, [0, 0, 0, 1, 12, 0, 0, 0, 1, 5]);
        drop(step);
        assert_eq!(agent_end.read(&mut seen).await.unwrap(), 0);
    }
}
