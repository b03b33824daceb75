//! dalec-llb
