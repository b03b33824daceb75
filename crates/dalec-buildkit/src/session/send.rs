//! Takes results from the daemon's exporters, as files or as one stream of bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, PoisonError};

use bollard_buildkit_proto::moby::filesync::v1::BytesMessage;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::{Response, Status, Streaming};

use super::packets::Packet;
use super::receive::Receiver;
use super::rpc::{self, Answer, Messages, Rpc};
use super::target::{Place, Target, WriteFailure};

/// Header with the number of the exporter.
const EXPORTER: &str = "buildkit-attachable-exporter-id";
/// Packets from the network that wait for the disk.
const QUEUE: usize = 64;

/// Targets by the number of their exporter.
pub(super) struct Results {
    pub(super) targets: BTreeMap<usize, Arc<Target>>,
}

impl Rpc for Results {
    const NAME: &'static str = "moby.filesync.v1.FileSend";

    fn call(self: Arc<Self>, method: &str, request: http::Request<Body>) -> Answer {
        if method != "DiffCopy" {
            return rpc::unknown();
        }
        // Daemons that know one exporter only do not number it.
        let number = request.headers().get(EXPORTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let Some(target) = self.targets.get(&number.unwrap_or(0)).cloned() else {
            return rpc::refuse(Status::not_found("there is no such exporter"));
        };
        match &target.place {
            Place::Directory(_) => rpc::streams(request, move |request| {
                let target = target.clone();
                async move { Ok(Response::new(files(target, request.into_inner()))) }
            }),
            Place::Stream(writer) => {
                let taken = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(writer) = taken else {
                    return rpc::refuse(Status::already_exists("this archive was written already"));
                };
                let mut writer = Some(writer);
                rpc::streams(request, move |request| {
                    // There is one call.
                    let (target, writer) = (target.clone(), writer.take());
                    async move { bytes(&target, writer, request.into_inner()).await }
                })
            }
        }
    }
}

fn files(target: Arc<Target>, mut incoming: Streaming<Packet>) -> Messages<Packet> {
    let (packets, waiting) = tokio::sync::mpsc::channel(QUEUE);
    // Requests must never wait for data, nor data for requests: their number is that of the files.
    let (answers, outgoing) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(Some(packet)) = incoming.message().await {
            if packets.send(packet).await.is_err() {
                return;
            }
        }
    });
    tokio::task::spawn_blocking(move || Receiver::run(&target, waiting, &answers));
    Box::pin(UnboundedReceiverStream::new(outgoing))
}

async fn bytes(
    target: &Arc<Target>,
    writer: Option<Box<dyn Write + Send>>,
    mut incoming: Streaming<BytesMessage>,
) -> Result<Response<Messages<BytesMessage>>, Status> {
    let Some(mut writer) = writer else {
        return Err(Status::already_exists("this archive was written already"));
    };
    let failed = |source: std::io::Error| {
        let status = Status::aborted(format!("the client cannot write the result: {source}"));
        target.fail(WriteFailure { path: None, source });
        status
    };
    while let Some(message) = incoming.message().await? {
        let write = tokio::task::spawn_blocking(move || {
            let written = writer.write_all(&message.data);
            (writer, written)
        });
        let (back, written) = write.await.map_err(|error| Status::internal(error.to_string()))?;
        written.map_err(failed)?;
        writer = back;
    }
    writer.flush().map_err(failed)?;
    Ok(Response::new(Box::pin(tokio_stream::empty())))
}
