//! dalec-targets
