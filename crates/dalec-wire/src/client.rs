//! [`GrpcGateway`]: a BuildKit, or whoever else speaks its gateway protocol, as the [`Gateway`] of a frontend.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1::apicaps::ApiCap;
use bollard_buildkit_proto::moby::buildkit::v1::frontend as api;
use bollard_buildkit_proto::pb;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use super::{MAX_MESSAGE, errors, images, stat};
use dalec_gateway::{
    BuildOptions, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway, GatewayError, Reference,
    ResolveImage, ResolvedImage, SolveRequest, Warning, parse_bool,
};

/// How long the first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// Bytes of a file that are asked for at once; an answer must fit into a message.
const PART: u64 = 4 << 20;

/// A word of BuildKit's in what it, and we, say of images that a source policy keeps out.
const POLICY: &str = "policy";

/// Options that a called frontend gets from ours unless it is given others: where its cache may come from.
const INHERITED: &[&str] = &["cache-imports", "cache-from"];

/// What is needed to speak to a BuildKit.
pub struct Connection {
    /// The open channel.
    pub channel: Channel,
    /// Runs the calls; must not be the runtime of the thread that makes them.
    pub runtime: Handle,
    /// Sent with every call, such as the header that names the build.
    pub metadata: MetadataMap,
    /// The request. Platforms may be empty: those of the workers are taken then.
    pub options: BuildOptions,
    /// Graph of the frontend's own file system, when it is known.
    pub frontend: Option<pb::Definition>,
    /// Breaks calls off once it says so, or its other end is gone.
    pub cancelled: Option<watch::Receiver<bool>>,
}

/// A BuildKit as the gateway of one frontend call.
///
/// Calls block the thread that makes them; many threads may call at once.
pub struct GrpcGateway {
    client: Client,
    runtime: Handle,
    metadata: MetadataMap,
    options: BuildOptions,
    frontend: Option<pb::Definition>,
    cancelled: Option<watch::Receiver<bool>>,
    /// Where results may come from that the other side does not have itself; goes with every graph.
    cache_imports: Vec<api::CacheOptionsEntry>,
    frontend_capabilities: BTreeSet<String>,
    llb_capabilities: BTreeSet<String>,
    definitions: Mutex<BTreeMap<Reference, pb::Definition>>,
    /// What the client gave, once it was asked for.
    inputs: Mutex<Option<BTreeMap<String, pb::Definition>>>,
    /// Directories of the client that are loaded already, or just now, by the digests of their vertices.
    loaded: Mutex<BTreeSet<String>>,
    /// Digest of the first vertex that was solved, which is the one that loads the spec: warnings are about it.
    first_vertex: OnceLock<String>,
}

type Client = api::llb_bridge_client::LlbBridgeClient<Channel>;

impl GrpcGateway {
    /// Asks the other side what it can, and returns the gateway.
    ///
    /// # Errors
    /// [`GatewayError::Environment`] when it does not answer or is too old.
    pub fn connect(connection: Connection) -> Result<Self, GatewayError> {
        let Connection { channel, runtime, metadata, mut options, frontend, cancelled } = connection;
        let client = Client::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let mut request = tonic::Request::new(api::PingRequest {});
        request.metadata_mut().clone_from(&metadata);
        let ping = async {
            let mut client = client.clone();
            tokio::time::timeout(FIRST_ANSWER, client.ping(request)).await
        };
        let pong = match runtime.block_on(ping) {
            Ok(Ok(pong)) => pong.into_inner(),
            Ok(Err(status)) => return Err(errors::from_status(&status)),
            Err(_) => {
                return Err(GatewayError::Environment {
                    message: "the build engine does not answer".into(),
                    hint: String::new(),
                    source: None,
                });
            }
        };
        let frontend_capabilities = enabled(pong.frontend_api_caps);
        for needed in ["return", "proto.refarray", "readdir"] {
            if !frontend_capabilities.contains(needed) {
                return Err(GatewayError::Environment {
                    message: format!("the build engine is too old: it lacks `{needed}`"),
                    hint: "use BuildKit 0.12 or later".into(),
                    source: None,
                });
            }
        }
        let cache_imports = cache_imports(&options)?;
        if options.platforms.is_empty() {
            let platforms = pong.workers.iter().flat_map(|worker| &worker.platforms);
            options.platforms = platforms.map(images::platform_text).collect();
        }
        Ok(Self {
            client,
            runtime,
            metadata,
            options,
            frontend,
            cancelled,
            cache_imports,
            frontend_capabilities,
            llb_capabilities: enabled(pong.llb_caps),
            definitions: Mutex::default(),
            inputs: Mutex::default(),
            loaded: Mutex::default(),
            first_vertex: OnceLock::new(),
        })
    }

    /// Hands the result back and ends the request.
    ///
    /// # Errors
    /// When the result is not taken.
    pub fn return_result(&self, result: &FrontendResult) -> Result<(), GatewayError> {
        self.end(api::ReturnRequest { result: Some(self.wire_result(result)), error: None })
    }

    /// Says why there is no result and ends the request.
    ///
    /// # Errors
    /// When the words are not taken.
    pub fn return_error(&self, error: rpc::Status) -> Result<(), GatewayError> {
        self.end(api::ReturnRequest { result: None, error: Some(error) })
    }

    fn end(&self, request: api::ReturnRequest) -> Result<(), GatewayError> {
        self.call(request, async |mut client, request| client.r#return(request).await).map(drop)
    }

    /// Makes one call and waits for its answer.
    fn call<Q, A>(
        &self,
        message: Q,
        method: impl AsyncFnOnce(Client, tonic::Request<Q>) -> Result<tonic::Response<A>, tonic::Status>,
    ) -> Result<A, GatewayError> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().clone_from(&self.metadata);
        let call = method(self.client.clone(), request);
        let answer = self.runtime.block_on(async {
            let Some(mut cancelled) = self.cancelled.clone() else { return call.await };
            tokio::select! {
                answer = call => answer,
                // The other side sees that nobody waits for the answer.
                _ = cancelled.wait_for(|stop| *stop) => Err(tonic::Status::cancelled("nobody waits for it")),
            }
        });
        answer.map(tonic::Response::into_inner).map_err(|status| errors::from_status(&status))
    }

    /// Has the directories of the client in a graph loaded, for as long as the result is held.
    ///
    /// By itself, a BuildKit loads them only once it has found the images that stand beside them in the graph.
    fn load(&self, definition: &pb::Definition) -> JoinSet<()> {
        let mut loading = JoinSet::new();
        for (vertex, definition) in images::client_directories(definition) {
            if !locked(&self.loaded).insert(vertex) {
                continue;
            }
            let mut request = tonic::Request::new(api::SolveRequest {
                definition: Some(definition),
                evaluate: true,
                allow_result_return: true,
                allow_result_array_ref: true,
                ..api::SolveRequest::default()
            });
            request.metadata_mut().clone_from(&self.metadata);
            let mut client = self.client.clone();
            let load = async move {
                // Who needs it, says why it cannot be loaded.
                let _ = client.solve(request).await;
            };
            loading.spawn_on(load, &self.runtime);
        }
        loading
    }

    fn can(&self, capability: &str) -> bool {
        self.frontend_capabilities.contains(capability)
    }

    /// Solves, and returns the refs by their keys; a single one has none.
    fn solve_request(&self, mut request: api::SolveRequest) -> Result<FrontendResult, GatewayError> {
        let evaluate = request.evaluate;
        request.evaluate = evaluate && self.can("gateway.solve.evaluate");
        request.allow_result_return = true;
        request.allow_result_array_ref = true;
        let evaluated = request.evaluate;
        let answer = self.call(request, async |mut client, request| client.solve(request).await)?;
        let result = answer.result.unwrap_or_default();
        let refs = match result.result {
            Some(api::result::Result::Ref(one)) => vec![(String::new(), self.keep(one))],
            Some(api::result::Result::Refs(map)) => {
                let mut refs: Vec<_> = map.refs.into_iter().map(|(key, one)| (key, self.keep(one))).collect();
                refs.sort();
                refs
            }
            Some(api::result::Result::RefDeprecated(id)) => vec![(String::new(), named(id))],
            Some(api::result::Result::RefsDeprecated(map)) => {
                let mut refs: Vec<_> = map.refs.into_iter().map(|(key, id)| (key, named(id))).collect();
                refs.sort();
                refs
            }
            None => Vec::new(),
        };
        if evaluate && !evaluated {
            for reference in refs.iter().filter_map(|(_, reference)| reference.as_ref()) {
                self.read_dir(reference, "/")?;
            }
        }
        Ok(FrontendResult { refs, metadata: result.metadata.into_iter().collect() })
    }

    fn keep(&self, reference: api::Ref) -> Option<Reference> {
        let name = named(reference.id)?;
        let mut definitions = locked(&self.definitions);
        let mut definition = reference.def.unwrap_or_default();
        // An empty list of places goes out as none at all, which BuildKit does not take back.
        if let Some(source) = &mut definition.source {
            source.locations.retain(|_, places| !places.locations.is_empty());
        }
        definitions.insert(name.clone(), definition);
        Some(name)
    }

    fn wire_result(&self, result: &FrontendResult) -> api::Result {
        let reference = |reference: &Option<Reference>| {
            let definitions = locked(&self.definitions);
            match reference {
                Some(reference) => {
                    api::Ref { id: reference.0.clone(), def: definitions.get(reference).cloned() }
                }
                None => api::Ref::default(),
            }
        };
        // Exporters give each result of a map a folder of its own: a single one is none, unless it is to be one of several
        // that other builders make.
        let several = ["build-arg:BUILDKIT_MULTI_PLATFORM", "multi-platform"];
        let several = several.iter().filter_map(|name| self.options.options.get(*name));
        let several = several.map(String::as_str).find(|value| !value.is_empty());
        let several = several.and_then(parse_bool).unwrap_or_default();
        let named = result.refs.len() > 1 || several && result.metadata.contains_key("refs.platforms");
        let refs = match result.refs.first() {
            _ if named => api::result::Result::Refs(api::RefMap {
                refs: result.refs.iter().map(|(key, one)| (key.clone(), reference(one))).collect(),
            }),
            Some((_, only)) => api::result::Result::Ref(reference(only)),
            None => api::result::Result::Ref(api::Ref::default()),
        };
        let metadata = result.metadata.iter().map(|(key, value)| (key.clone(), value.clone()));
        api::Result { metadata: metadata.collect(), result: Some(refs), ..api::Result::default() }
    }
}

impl Gateway for GrpcGateway {
    fn build_options(&self) -> &BuildOptions {
        &self.options
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        if !self.can("frontend.inputs") {
            return Ok(BTreeMap::new());
        }
        let mut known = locked(&self.inputs);
        if let Some(inputs) = &*known {
            return Ok(inputs.clone());
        }
        let answer =
            self.call(api::InputsRequest {}, async |mut client, request| client.inputs(request).await)?;
        Ok(known.insert(answer.definitions.into_iter().collect()).clone())
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        if let Some(vertex) = images::terminal_input(&request.definition) {
            self.first_vertex.get_or_init(|| vertex);
        }
        // What is loaded when this ends was in vain.
        let _loading = request.evaluate.then(|| self.load(&request.definition));
        let result = self.solve_request(api::SolveRequest {
            definition: Some(request.definition),
            evaluate: request.evaluate,
            cache_imports: self.cache_imports.clone(),
            ..api::SolveRequest::default()
        })?;
        Ok(result.refs.into_iter().next().and_then(|(_, reference)| reference))
    }

    fn solve_frontend(&self, mut request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        for name in INHERITED {
            if let Some(value) = self.options.options.get(*name) {
                request.options.entry((*name).to_owned()).or_insert_with(|| value.clone());
            }
        }
        let image = request.options.get("source").cloned().unwrap_or_else(|| request.frontend.clone());
        let result = self.solve_request(api::SolveRequest {
            frontend: request.frontend,
            frontend_opt: request.options.into_iter().collect(),
            frontend_inputs: request.inputs.into_iter().collect(),
            evaluate: request.evaluate,
            ..api::SolveRequest::default()
        });
        result.map_err(|error| match error {
            GatewayError::Request { message } => {
                GatewayError::Frontend { image, message, hint: None, log: Vec::new() }
            }
            other => other,
        })
    }

    fn definition(&self, reference: &Reference) -> Result<pb::Definition, GatewayError> {
        let definitions = locked(&self.definitions);
        definitions.get(reference).cloned().ok_or_else(|| GatewayError::Request {
            message: format!("the result {} has no known graph", reference.0),
        })
    }

    fn supports(&self, id: &str) -> bool {
        self.llb_capabilities.contains(id)
    }

    fn read_file(
        &self,
        reference: &Reference,
        path: &str,
        range: Option<FileRange>,
    ) -> Result<Vec<u8>, GatewayError> {
        let FileRange { mut offset, length } = range.unwrap_or(FileRange { offset: 0, length: u64::MAX });
        let mut missing = length;
        let mut content = Vec::new();
        while missing > 0 {
            let asked = missing.min(PART);
            let request = api::ReadFileRequest {
                r#ref: reference.0.clone(),
                file_path: path.to_owned(),
                range: Some(api::FileRange {
                    offset: i64::try_from(offset).unwrap_or(i64::MAX),
                    length: i64::try_from(asked).unwrap_or(i64::MAX),
                }),
                mount_index: 0,
            };
            let part = self.call(request, async |mut client, request| client.read_file(request).await);
            let part = part.map_err(|error| at(path, error))?.data;
            let read = part.len() as u64;
            content.extend(part);
            if read != asked {
                break;
            }
            offset = offset.saturating_add(read);
            missing -= read;
        }
        Ok(content)
    }

    fn read_dir(&self, reference: &Reference, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        let request = api::ReadDirRequest {
            r#ref: reference.0.clone(),
            dir_path: path.to_owned(),
            ..api::ReadDirRequest::default()
        };
        let answer = self.call(request, async |mut client, request| client.read_dir(request).await);
        let mut entries: Vec<FileStat> =
            answer.map_err(|error| at(path, error))?.entries.into_iter().map(stat::from_wire).collect();
        entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Ok(entries)
    }

    fn stat_file(&self, reference: &Reference, path: &str) -> Result<FileStat, GatewayError> {
        // The call for one file follows a symbolic link there; the list of its directory says what it is itself.
        let trimmed = path.trim_end_matches('/');
        let (directory, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
        if !matches!(name, "" | "." | "..") {
            let directory = if directory.is_empty() { "/" } else { directory };
            let entries = self.read_dir(reference, directory).map_err(|error| at(path, error))?;
            let found = entries.into_iter().find(|entry| entry.name == name);
            return found.ok_or_else(|| GatewayError::NotFound { path: path.to_owned() });
        }
        let request = api::StatFileRequest {
            r#ref: reference.0.clone(),
            path: path.to_owned(),
            ..api::StatFileRequest::default()
        };
        let answer = self.call(request, async |mut client, request| client.stat_file(request).await);
        let found = answer.map_err(|error| at(path, error))?.stat;
        found.map(stat::from_wire).ok_or_else(|| GatewayError::NotFound { path: path.to_owned() })
    }

    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        let found = match self.can("source.metaresolver") {
            true => {
                let request = images::source_request(image, &self.options.session);
                let method = async |mut client: Client, request| client.resolve_source_meta(request).await;
                self.call(request, method).and_then(|answer| {
                    images::of_source(answer).map_err(|message| GatewayError::Request { message })
                })
            }
            false => {
                let request = images::config_request(image, &self.options.session);
                let method = async |mut client: Client, request| client.resolve_image_config(request).await;
                self.call(request, method)
                    .map(|answer| images::of_config(image, &self.options.session, answer))
            }
        };
        found.map_err(|error| match error {
            GatewayError::Request { message } => GatewayError::Image {
                reference: image.reference.clone(),
                hint: match message.contains(POLICY) {
                    true => {
                        "it is the client's policy for sources that says so: have it allow the image".into()
                    }
                    false => String::new(),
                },
                source: Some(message.into()),
            },
            other => other,
        })
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        self.frontend.clone().ok_or_else(|| GatewayError::Environment {
            message: "the build engine does not say where the frontend's own image is".into(),
            hint: "use BuildKit 0.12 or later".into(),
            source: None,
        })
    }

    fn warn(&self, warning: Warning) {
        if !self.can("gateway.warnings") {
            return;
        }
        let excerpt = warning.excerpt.unwrap_or_default();
        let request = api::WarnRequest {
            digest: self.first_vertex.get().cloned().unwrap_or_default(),
            level: 1,
            short: warning.short.into_bytes(),
            detail: warning.detail.into_iter().map(String::into_bytes).collect(),
            url: String::new(),
            info: (!excerpt.ranges.is_empty()).then_some(excerpt.info),
            ranges: excerpt.ranges,
        };
        // A build does not fail because nobody hears a warning.
        let _ = self.call(request, async |mut client, request| client.warn(request).await);
    }
}

/// A place where a cache may be, as the option `cache-imports` has it.
#[derive(Deserialize)]
struct CacheImport {
    #[serde(rename = "Type", alias = "type")]
    kind: String,
    #[serde(rename = "Attrs", alias = "attrs", default)]
    attrs: HashMap<String, String>,
}

/// Reads where caches may be: `cache-imports` is a JSON list, the older `cache-from` a list of images.
fn cache_imports(options: &BuildOptions) -> Result<Vec<api::CacheOptionsEntry>, GatewayError> {
    let entry = |kind: String, attrs| api::CacheOptionsEntry { r#type: kind, attrs };
    if let Some(text) = options.options.get("cache-imports") {
        let places: Vec<CacheImport> = serde_json::from_str(text).map_err(|error| GatewayError::Request {
            message: format!("the option cache-imports cannot be read: {error}"),
        })?;
        return Ok(places.into_iter().map(|place| entry(place.kind, place.attrs)).collect());
    }
    let images = options.options.get("cache-from").map(String::as_str).unwrap_or_default();
    let images = images.split(',').filter(|image| !image.is_empty());
    Ok(images.map(|image| entry("registry".into(), [("ref".to_owned(), image.to_owned())].into())).collect())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enabled(capabilities: Vec<ApiCap>) -> BTreeSet<String> {
    capabilities.into_iter().filter(|one| one.enabled).map(|one| one.id).collect()
}

fn named(id: String) -> Option<Reference> {
    (!id.is_empty()).then_some(Reference(id))
}

/// Returns what `error` means for a file: the other side says in words alone that there is none.
fn at(path: &str, error: GatewayError) -> GatewayError {
    match error {
        GatewayError::Request { message }
            if ["no such file or directory", "not a directory"].iter().any(|end| message.ends_with(end)) =>
        {
            GatewayError::NotFound { path: path.to_owned() }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(name: &str, value: &str) -> Result<Vec<(String, String)>, GatewayError> {
        let options = [(name.to_owned(), value.to_owned())].into();
        let entries = cache_imports(&BuildOptions { options, ..BuildOptions::default() })?;
        let shown = |entry: api::CacheOptionsEntry| (entry.r#type, entry.attrs["ref"].clone());
        Ok(entries.into_iter().map(shown).collect())
    }

    #[test]
    fn caches_are_where_clients_say() {
        let registry = |reference: &str| ("registry".to_owned(), reference.to_owned());
        let list = r#"[{"Type":"registry","Attrs":{"ref":"example.org/a"}}]"#;
        assert_eq!(imports("cache-imports", list).unwrap(), [registry("example.org/a")]);
        assert_eq!(imports("cache-from", "a,b").unwrap(), [registry("a"), registry("b")]);
        assert!(imports("cache-imports", "none").is_err());
    }
}
