//! dalec-bootstrap
