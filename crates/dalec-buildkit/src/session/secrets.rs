//! Serves the client's secrets to the steps that name them.

use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::Secrets as Service;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use thiserror::Error;
use tonic::{Request, Response, Status};

/// Knows the client's secrets; asked from several threads.
pub trait Secrets: Send + Sync {
    /// Returns the secret called `id`, none when there is no such secret.
    ///
    /// # Errors
    /// [`SecretError`] when there is one that cannot or must not be served.
    fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, SecretError>;
}

/// Why a secret is not served.
#[derive(Debug, Error)]
pub enum SecretError {
    /// It is for others.
    #[error("the secret {id} is refused: {reason}")]
    Refused {
        /// Its name.
        id: String,
        /// Why.
        reason: String,
    },
    /// It is not where it should be.
    #[error("the secret {id} cannot be read: {reason}")]
    Unreadable {
        /// Its name.
        id: String,
        /// Why, without a word of its content.
        reason: String,
    },
}

/// The service that the daemon calls.
pub(super) struct Served(pub(super) Arc<dyn Secrets>);

#[tonic::async_trait]
impl Service for Served {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        let secrets = self.0.clone();
        let asked = id.clone();
        // It may be a file on a slow disk.
        let found = tokio::task::spawn_blocking(move || secrets.secret(&asked)).await;
        match found.map_err(|error| Status::internal(error.to_string()))? {
            Ok(Some(data)) => Ok(Response::new(GetSecretResponse { data })),
            // This one code lets a step go on that does not insist.
            Ok(None) => Err(Status::not_found(format!("there is no secret {id}"))),
            Err(error @ SecretError::Refused { .. }) => Err(Status::permission_denied(error.to_string())),
            Err(error @ SecretError::Unreadable { .. }) => Err(Status::internal(error.to_string())),
        }
    }
}
