//! Plans of whole routes.
