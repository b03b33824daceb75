//! The references that a frontend was given, and its final answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1::frontend as api;

use crate::server::Host;
use dalec_gateway::{FrontendResult, GatewayError, Reference};

/// References that one frontend is given; a frontend that asks for more has lost its way.
const MAX_REFERENCES: usize = 10_000;

/// What a frontend hands back.
pub type Answer = Result<FrontendResult, rpc::Status>;

/// What one frontend was given and has said so far.
#[derive(Debug, Default)]
pub struct Answers {
    known: Mutex<BTreeSet<Reference>>,
    answer: Mutex<Option<(Answer, Instant)>>,
}

impl Answers {
    /// Returns the reference called `id` that this frontend was given before; none is the empty file system.
    ///
    /// # Errors
    /// When it was given no such reference.
    pub fn reference(&self, id: &str) -> Result<Option<Reference>, GatewayError> {
        if id.is_empty() {
            return Ok(None);
        }
        let reference = Reference(id.to_owned());
        match locked(&self.known).contains(&reference) {
            true => Ok(Some(reference)),
            false => {
                Err(GatewayError::Request { message: format!("no solve of this frontend yielded {id:?}") })
            }
        }
    }

    /// Goes on unless this frontend was given more than any frontend needs.
    ///
    /// # Errors
    /// When it was.
    pub fn check_room(&self) -> Result<(), GatewayError> {
        match locked(&self.known).len() < MAX_REFERENCES {
            true => Ok(()),
            false => {
                let message = format!("this frontend has solved more than {MAX_REFERENCES} graphs");
                Err(GatewayError::Request { message })
            }
        }
    }

    /// Returns `result` as the answer to `request`.
    ///
    /// # Errors
    /// When the frontend cannot take several results.
    pub fn give(
        &self,
        host: &dyn Host,
        result: FrontendResult,
        request: &api::SolveRequest,
    ) -> Result<api::SolveResponse, GatewayError> {
        locked(&self.known).extend(result.refs.iter().filter_map(|(_, reference)| reference.clone()));
        let id = |reference: &Option<Reference>| {
            reference.as_ref().map(|reference| reference.0.clone()).unwrap_or_default()
        };
        let with_graph = |reference: &Option<Reference>| {
            let def = reference.as_ref().map(|reference| host.definition(reference)).transpose()?;
            Ok::<_, GatewayError>(api::Ref { id: id(reference), def })
        };
        let only = match result.refs.as_slice() {
            [] => Some(None),
            [(key, reference)] if key.is_empty() => Some(reference.clone()),
            _ => None,
        };
        if only.is_none() && !request.allow_result_return {
            return Err(GatewayError::Request {
                message: "the result is one of several platforms, which this frontend cannot take".into(),
            });
        }
        let refs = match (&only, request.allow_result_array_ref) {
            (Some(reference), true) => api::result::Result::Ref(with_graph(reference)?),
            (Some(reference), false) => api::result::Result::RefDeprecated(id(reference)),
            (None, true) => {
                let refs = result.refs.iter().map(|(key, one)| Ok((key.clone(), with_graph(one)?)));
                api::result::Result::Refs(api::RefMap { refs: refs.collect::<Result<_, GatewayError>>()? })
            }
            (None, false) => api::result::Result::RefsDeprecated(api::RefMapDeprecated {
                refs: result.refs.iter().map(|(key, one)| (key.clone(), id(one))).collect(),
            }),
        };
        let single = only.as_ref().map(id).unwrap_or_default();
        if request.r#final {
            self.end(Ok(inline_result(only.flatten(), result.metadata.clone(), &request.exporter_attr)?))?;
        }
        Ok(api::SolveResponse {
            r#ref: if request.allow_result_return { String::new() } else { single },
            result: Some(api::Result {
                metadata: result.metadata.into_iter().collect(),
                result: Some(refs),
                ..api::Result::default()
            }),
        })
    }

    /// Takes the last word of the frontend.
    ///
    /// # Errors
    /// When it names a reference that it was not given, or has had its last word already.
    pub fn take(&self, request: api::ReturnRequest) -> Result<(), GatewayError> {
        let answer = match (request.error, request.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => Ok(self.result(result)?),
            (None, None) => {
                return Err(GatewayError::Request { message: "neither a result nor an error".into() });
            }
        };
        self.end(answer)
    }

    fn result(&self, result: api::Result) -> Result<FrontendResult, GatewayError> {
        let refs = match result.result {
            None => vec![(String::new(), None)],
            Some(api::result::Result::Ref(one)) => vec![(String::new(), self.reference(&one.id)?)],
            Some(api::result::Result::RefDeprecated(id)) => vec![(String::new(), self.reference(&id)?)],
            Some(api::result::Result::Refs(map)) => {
                self.several(map.refs.into_iter().map(|(key, one)| (key, one.id)))?
            }
            Some(api::result::Result::RefsDeprecated(map)) => self.several(map.refs.into_iter())?,
        };
        Ok(FrontendResult { refs, metadata: result.metadata.into_iter().collect() })
    }

    fn several(
        &self,
        ids: impl Iterator<Item = (String, String)>,
    ) -> Result<Vec<(String, Option<Reference>)>, GatewayError> {
        let refs = ids.map(|(key, id)| Ok((key, self.reference(&id)?)));
        let mut refs = refs.collect::<Result<Vec<_>, GatewayError>>()?;
        refs.sort();
        Ok(refs)
    }

    fn end(&self, answer: Answer) -> Result<(), GatewayError> {
        let mut slot = locked(&self.answer);
        if slot.is_some() {
            return Err(GatewayError::Request { message: "the result was returned already".into() });
        }
        *slot = Some((answer, Instant::now()));
        Ok(())
    }

    /// Returns when the last word was said, if it was.
    pub fn ended(&self) -> Option<Instant> {
        locked(&self.answer).as_ref().map(|(_, at)| *at)
    }

    /// Returns the last word, once.
    pub fn take_answer(&self) -> Option<Answer> {
        locked(&self.answer).take().map(|(answer, _)| answer)
    }
}

/// Returns the result of a frontend that has no call for it: its metadata is JSON with values in base64.
fn inline_result(
    reference: Option<Reference>,
    mut metadata: BTreeMap<String, Vec<u8>>,
    attributes: &[u8],
) -> Result<FrontendResult, GatewayError> {
    let malformed = || GatewayError::Request { message: "the metadata of the result is malformed".into() };
    if !attributes.is_empty() {
        let given: Option<BTreeMap<String, Option<String>>> =
            serde_json::from_slice(attributes).map_err(|_| malformed())?;
        for (key, value) in given.unwrap_or_default() {
            let value = STANDARD.decode(value.unwrap_or_default()).map_err(|_| malformed())?;
            metadata.entry(key).or_insert(value);
        }
    }
    Ok(FrontendResult { refs: vec![(String::new(), reference)], metadata })
}

/// Locks a mutex whose content no panic can leave half-changed.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
