//! Lends the logins for registries that are stored on this host.
//!
//! The daemon asks for the login of one registry when it pulls from there or pushes to it, and gets tokens with it by
//! itself.

use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::auth_server::Auth as Service;
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use tonic::{Request, Response, Status};

/// Host of the default registry, and its name.
const DEFAULT_HOST: &str = "registry-1.docker.io";
const DEFAULT_NAME: &str = "docker.io";

/// A login for a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// User name and password.
    Password {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token to be traded for others.
    IdentityToken(String),
}

/// Finds the login for a registry, none when there is none.
pub type Credentials = dyn Fn(&str) -> Option<Login> + Send + Sync;

/// The service that the daemon calls.
pub(super) struct Served(pub(super) Arc<Credentials>);

#[tonic::async_trait]
impl Service for Served {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let host = request.into_inner().host;
        let credentials = self.0.clone();
        // It may start a helper program.
        let found = tokio::task::spawn_blocking(move || {
            credentials(if host == DEFAULT_HOST { DEFAULT_NAME } else { &host })
        });
        let found = found.await.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(match found {
            Some(Login::Password { user, password }) => {
                CredentialsResponse { username: user, secret: password }
            }
            Some(Login::IdentityToken(token)) => {
                CredentialsResponse { username: String::new(), secret: token }
            }
            None => CredentialsResponse::default(),
        }))
    }

    async fn fetch_token(
        &self,
        _request: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(no_tokens())
    }

    async fn get_token_authority(
        &self,
        _request: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(no_tokens())
    }

    async fn verify_token_authority(
        &self,
        _request: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(no_tokens())
    }
}

/// The daemon then asks for the login instead.
fn no_tokens() -> Status {
    Status::unimplemented("this client fetches no tokens")
}
