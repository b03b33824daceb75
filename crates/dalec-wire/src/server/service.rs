//! The calls of the protocol, each handed to the [`Host`] on a thread where it may block.

use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::v1::frontend as api;
use bollard_buildkit_proto::moby::buildkit::v1::types::WorkerRecord;
use bollard_buildkit_proto::pb;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::answers::Answers;
use super::capabilities;
use super::container::Containers;
use super::host::Host;
use crate::{MAX_MESSAGE, errors, images, stat};
use dalec_gateway::{
    Excerpt, FileRange, FileStat, FrontendRequest, FrontendResult, GatewayError, Purpose, Reference,
    ResolveImage, SolveRequest, Warning,
};

/// Most bytes of a file in one answer, with room for what is around them.
const MAX_FILE: u64 = MAX_MESSAGE as u64 - 4096;

/// Id of the one worker.
const WORKER: &str = "dalec";

/// The protocol for one frontend; cheap to clone.
#[derive(Clone)]
pub struct Service {
    host: Arc<dyn Host>,
    answers: Arc<Answers>,
    containers: Arc<Containers>,
}

type Answered<T> = Result<Response<T>, Status>;

impl Service {
    /// Returns the service of `host` that keeps its answers in `answers`.
    pub fn new(host: Arc<dyn Host>, answers: Arc<Answers>) -> Self {
        Self { host, answers, containers: Arc::default() }
    }

    /// Does one call's work where it may block.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, GatewayError> + Send + 'static,
    ) -> Answered<T> {
        let service = self.clone();
        let worked = tokio::task::spawn_blocking(move || work(&service)).await;
        match worked {
            Ok(Ok(answer)) => Ok(Response::new(answer)),
            Ok(Err(error)) => Err(errors::to_status(&error)),
            Err(error) => Err(Status::internal(format!("the call was not finished: {error}"))),
        }
    }

    /// Returns a reference that something is to be read of.
    fn readable(&self, id: &str) -> Result<Reference, GatewayError> {
        self.answers.reference(id)?.ok_or_else(|| GatewayError::Request {
            message: "the empty file system has no files to read".into(),
        })
    }

    fn solve_any(&self, request: &mut api::SolveRequest) -> Result<FrontendResult, GatewayError> {
        self.answers.check_room()?;
        let definition = request.definition.take().unwrap_or_default();
        if request.frontend.is_empty() {
            let reference = self.host.solve(SolveRequest { definition, evaluate: request.evaluate })?;
            return Ok(FrontendResult {
                refs: vec![(String::new(), reference)],
                ..FrontendResult::default()
            });
        }
        if !definition.def.is_empty() {
            return Err(GatewayError::Request {
                message: "a solve is either of a graph or of a frontend".into(),
            });
        }
        self.host.solve_frontend(FrontendRequest {
            frontend: std::mem::take(&mut request.frontend),
            options: std::mem::take(&mut request.frontend_opt).into_iter().collect(),
            inputs: std::mem::take(&mut request.frontend_inputs).into_iter().collect(),
            evaluate: request.evaluate,
            // What a frontend works for is decided by its caller, not by itself.
            purpose: Purpose::Build,
        })
    }

    fn resolve(&self, reference: String, platform: Option<pb::Platform>, mode: String) -> ImageAnswer {
        let platform = platform.as_ref().map(images::platform_text).unwrap_or_default();
        self.host.resolve_image(&ResolveImage { reference, platform, mode, ..ResolveImage::default() })
    }
}

type ImageAnswer = Result<dalec_gateway::ResolvedImage, GatewayError>;

/// Returns the part of a file that a request wants, and whether more than that is too much.
pub fn range_of(range: Option<api::FileRange>) -> Result<(FileRange, bool), GatewayError> {
    let Some(range) = range else {
        return Ok((FileRange { offset: 0, length: MAX_FILE + 1 }, true));
    };
    match (u64::try_from(range.offset), u64::try_from(range.length)) {
        (Ok(offset), Ok(length)) => {
            Ok((FileRange { offset, length: length.min(MAX_FILE + 1) }, length > MAX_FILE))
        }
        _ => Err(GatewayError::Request { message: "a part of a file begins or ends before it".into() }),
    }
}

/// Refuses what is too large for an answer.
pub fn checked(path: &str, data: Vec<u8>, limited: bool) -> Result<api::ReadFileResponse, GatewayError> {
    if limited && data.len() as u64 > MAX_FILE {
        let message = format!("{path} has more than {MAX_FILE} bytes; read it in parts");
        return Err(GatewayError::Request { message });
    }
    Ok(api::ReadFileResponse { data })
}

fn entries(entries: &[FileStat]) -> api::ReadDirResponse {
    api::ReadDirResponse { entries: entries.iter().map(stat::to_wire).collect() }
}

/// Returns the image that a source op names, as the gateway asks for images.
fn image_of(source: &pb::SourceOp) -> Option<String> {
    if let Some(reference) = source.identifier.strip_prefix("docker-image://") {
        return Some(reference.to_owned());
    }
    let reference = source.identifier.strip_prefix("oci-layout://")?;
    Some(layout_reference(reference, source.attrs.get("oci.store").map(String::as_str).unwrap_or_default()))
}

/// Returns how the gateway calls the image `reference` of the layout `store`.
fn layout_reference(reference: &str, store: &str) -> String {
    match reference.split_once('@') {
        Some((_, digest)) if !store.is_empty() => format!("oci-layout://{store}@{digest}"),
        _ => format!("oci-layout://{reference}"),
    }
}

#[tonic::async_trait]
impl api::llb_bridge_server::LlbBridge for Service {
    type ExecProcessStream = ReceiverStream<Result<api::ExecMessage, Status>>;

    async fn ping(&self, _: Request<api::PingRequest>) -> Answered<api::PongResponse> {
        let platform = |text: &String| {
            let mut parts = text.split('/').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            pb::Platform { os: next(), architecture: next(), variant: next(), ..pb::Platform::default() }
        };
        let worker = WorkerRecord {
            id: WORKER.into(),
            platforms: self.host.build_options().platforms.iter().map(platform).collect(),
            ..WorkerRecord::default()
        };
        Ok(Response::new(api::PongResponse {
            frontend_api_caps: capabilities::of_frontends(),
            llb_caps: capabilities::enabled(self.host.capabilities()),
            workers: vec![worker],
        }))
    }

    async fn solve(&self, request: Request<api::SolveRequest>) -> Answered<api::SolveResponse> {
        let mut request = request.into_inner();
        self.work(move |service| {
            let result = service.solve_any(&mut request)?;
            service.answers.give(&*service.host, result, &request)
        })
        .await
    }

    async fn r#return(&self, request: Request<api::ReturnRequest>) -> Answered<api::ReturnResponse> {
        let request = request.into_inner();
        self.work(move |service| service.answers.take(request).map(|()| api::ReturnResponse {})).await
    }

    async fn inputs(&self, _: Request<api::InputsRequest>) -> Answered<api::InputsResponse> {
        self.work(|service| {
            Ok(api::InputsResponse { definitions: service.host.inputs()?.into_iter().collect() })
        })
        .await
    }

    async fn evaluate(&self, request: Request<api::EvaluateRequest>) -> Answered<api::EvaluateResponse> {
        let id = request.into_inner().r#ref;
        self.work(move |service| {
            if let Some(reference) = service.answers.reference(&id)? {
                service.host.stat_file(&reference, "/")?;
            }
            Ok(api::EvaluateResponse {})
        })
        .await
    }

    async fn read_file(&self, request: Request<api::ReadFileRequest>) -> Answered<api::ReadFileResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            let reference = service.readable(&request.r#ref)?;
            let (range, limited) = range_of(request.range)?;
            let data = service.host.read_file(&reference, &request.file_path, Some(range))?;
            checked(&request.file_path, data, limited)
        })
        .await
    }

    async fn read_dir(&self, request: Request<api::ReadDirRequest>) -> Answered<api::ReadDirResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            let reference = service.readable(&request.r#ref)?;
            let found = match request.include_pattern.as_str() {
                "" => service.host.read_dir(&reference, &request.dir_path)?,
                pattern => service.host.read_matching(&reference, &request.dir_path, pattern)?,
            };
            Ok(entries(&found))
        })
        .await
    }

    async fn stat_file(&self, request: Request<api::StatFileRequest>) -> Answered<api::StatFileResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            let reference = service.readable(&request.r#ref)?;
            let found = service.host.stat_followed(&reference, &request.path)?;
            Ok(api::StatFileResponse { stat: Some(stat::to_wire(&found)) })
        })
        .await
    }

    async fn resolve_image_config(
        &self,
        request: Request<api::ResolveImageConfigRequest>,
    ) -> Answered<api::ResolveImageConfigResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            // 1 is an image of a layout that the client has, 0 one of a registry.
            let reference = match request.resolver_type {
                1 => layout_reference(&request.r#ref, &request.store_id),
                _ => request.r#ref.clone(),
            };
            let found = service.resolve(reference, request.platform, request.resolve_mode)?;
            Ok(api::ResolveImageConfigResponse {
                digest: found.digest,
                config: found.config,
                r#ref: request.r#ref,
            })
        })
        .await
    }

    async fn resolve_source_meta(
        &self,
        request: Request<api::ResolveSourceMetaRequest>,
    ) -> Answered<api::ResolveSourceMetaResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            let source = request
                .source
                .ok_or_else(|| GatewayError::Request { message: "the question names no source".into() })?;
            let image = match image_of(&source) {
                None => None,
                Some(reference) => {
                    let found = service.resolve(reference, request.platform, request.resolve_mode)?;
                    let unwanted = request.image.is_some_and(|image| image.no_config);
                    Some(api::ResolveSourceImageResponse {
                        digest: found.digest,
                        config: if unwanted { Vec::new() } else { found.config },
                        ..api::ResolveSourceImageResponse::default()
                    })
                }
            };
            Ok(api::ResolveSourceMetaResponse {
                source: Some(source),
                image,
                ..api::ResolveSourceMetaResponse::default()
            })
        })
        .await
    }

    async fn warn(&self, request: Request<api::WarnRequest>) -> Answered<api::WarnResponse> {
        let request = request.into_inner();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut detail: Vec<String> = request.detail.iter().map(|line| text(line)).collect();
        detail.extend((!request.url.is_empty()).then_some(request.url));
        let ranges = request.ranges;
        self.host.warn(Warning {
            short: text(&request.short),
            detail,
            excerpt: request.info.map(|info| Excerpt { info, ranges }),
        });
        Ok(Response::new(api::WarnResponse {}))
    }

    async fn new_container(
        &self,
        request: Request<api::NewContainerRequest>,
    ) -> Answered<api::NewContainerResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            service.containers.make(&*service.host, &service.answers, request)?;
            Ok(api::NewContainerResponse {})
        })
        .await
    }

    async fn release_container(
        &self,
        request: Request<api::ReleaseContainerRequest>,
    ) -> Answered<api::ReleaseContainerResponse> {
        let id = request.into_inner().container_id;
        self.work(move |service| {
            service.containers.release(&id)?;
            Ok(api::ReleaseContainerResponse {})
        })
        .await
    }

    async fn exec_process(
        &self,
        request: Request<Streaming<api::ExecMessage>>,
    ) -> Answered<Self::ExecProcessStream> {
        Ok(Response::new(super::process::converse(self.containers.clone(), request.into_inner())))
    }

    async fn read_file_container(
        &self,
        request: Request<api::ReadFileRequest>,
    ) -> Answered<api::ReadFileResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            let (range, limited) = range_of(request.range)?;
            let (container, mount) = service.containers.mount(&request.r#ref, request.mount_index)?;
            checked(&request.file_path, container.read_file(mount, &request.file_path, range)?, limited)
        })
        .await
    }

    async fn read_dir_container(
        &self,
        request: Request<api::ReadDirRequest>,
    ) -> Answered<api::ReadDirResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            let (container, mount) = service.containers.mount(&request.r#ref, request.mount_index)?;
            Ok(entries(&container.read_dir(mount, &request.dir_path)?))
        })
        .await
    }

    async fn stat_file_container(
        &self,
        request: Request<api::StatFileRequest>,
    ) -> Answered<api::StatFileResponse> {
        let request = request.into_inner();
        self.work(move |service| {
            let (container, mount) = service.containers.mount(&request.r#ref, request.mount_index)?;
            let found = container.stat_file(mount, &request.path)?;
            Ok(api::StatFileResponse { stat: Some(stat::to_wire(&found)) })
        })
        .await
    }
}
