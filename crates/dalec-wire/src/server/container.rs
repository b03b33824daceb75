//! The containers of one frontend, by the names that it gave them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bollard_buildkit_proto::moby::buildkit::v1::frontend as api;
use bollard_buildkit_proto::pb;

use super::answers::{Answers, locked};
use super::host::{Container, ContainerRequest, Host};
use dalec_gateway::GatewayError;

/// Containers that a frontend has at a time.
const MAX_CONTAINERS: usize = 64;

/// Containers by name. Dropped, all of them are released.
#[derive(Default)]
pub struct Containers(Mutex<BTreeMap<String, Arc<dyn Container>>>);

impl Containers {
    /// Makes a container.
    ///
    /// # Errors
    /// When the request makes no sense, the name is taken, or the container cannot be made.
    pub fn make(
        &self,
        host: &dyn Host,
        answers: &Answers,
        request: api::NewContainerRequest,
    ) -> Result<(), GatewayError> {
        let wrong = |message: String| Err(GatewayError::Request { message });
        let network = request.network();
        let name = request.container_id;
        if !request.mounts.iter().any(|mount| mount.dest == "/") {
            return wrong(format!("the container {name:?} has no root file system"));
        }
        if locked(&self.0).contains_key(&name) {
            return wrong(format!("there is a container {name:?} already"));
        }
        if locked(&self.0).len() >= MAX_CONTAINERS {
            return wrong(format!("this frontend has {MAX_CONTAINERS} containers already; release some"));
        }
        let mount = |mount: pb::Mount| {
            let reference = answers.reference(&mount.result_id)?;
            // Changes go with the container.
            Ok((pb::Mount { output: -1, ..mount }, reference))
        };
        let mounts = request.mounts.into_iter().map(mount).collect::<Result<_, GatewayError>>()?;
        let container = host.container(ContainerRequest {
            name: name.clone(),
            mounts,
            network,
            hostname: request.hostname,
            extra_hosts: request.extra_hosts,
        })?;
        match locked(&self.0).entry(name) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(container);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(entry) => {
                wrong(format!("there is a container {:?} already", entry.key()))
            }
        }
    }

    /// Returns the container called `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Container>, GatewayError> {
        locked(&self.0).get(name).cloned().ok_or_else(|| missing(name))
    }

    /// Returns the container called `name` with the number of one of its mounts.
    ///
    /// # Errors
    /// When there is none, or the number is negative.
    pub fn mount(&self, name: &str, mount: i32) -> Result<(Arc<dyn Container>, usize), GatewayError> {
        let mount = usize::try_from(mount)
            .map_err(|_| GatewayError::Request { message: format!("there is no mount {mount}") })?;
        Ok((self.get(name)?, mount))
    }

    /// Ends the container called `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn release(&self, name: &str) -> Result<(), GatewayError> {
        let container = locked(&self.0).remove(name).ok_or_else(|| missing(name))?;
        container.release();
        Ok(())
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        // Threads that wait for a process hold its container, too.
        locked(&self.0).values().for_each(|container| container.release());
    }
}

fn missing(name: &str) -> GatewayError {
    GatewayError::Request { message: format!("there is no container {name:?}, or it was released") }
}
