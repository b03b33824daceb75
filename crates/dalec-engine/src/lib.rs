//! dalec-engine
