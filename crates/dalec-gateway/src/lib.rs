//! dalec-gateway
