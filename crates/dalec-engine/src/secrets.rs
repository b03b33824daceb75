//! Where the secrets of a build come from, and whom they are for. Their values never enter the store or a cache key.

use thiserror::Error;

/// Gives the client's secrets by id.
pub trait Secrets: Send + Sync {
    /// Returns the value of the secret `id`; none when the client did not give one.
    ///
    /// # Errors
    /// When the client named a place for it that cannot be read.
    fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, SecretError>;

    /// Returns who is served the secret `id`.
    fn scope(&self, _id: &str) -> SecretScope {
        SecretScope::Everyone
    }
}

/// Who is served a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum SecretScope {
    /// Every step that names it.
    #[default]
    Everyone,
    /// Steps that a signer asks for, and nobody else.
    Signer,
}

/// A secret that the client promised cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the secret {id} from {place}")]
pub struct SecretError {
    /// Id of the secret.
    pub id: String,
    /// The file or environment variable that should hold it.
    pub place: String,
    /// Why not.
    pub source: Option<std::io::Error>,
}

/// No secrets at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _id: &str) -> Result<Option<Vec<u8>>, SecretError> {
        Ok(None)
    }
}
