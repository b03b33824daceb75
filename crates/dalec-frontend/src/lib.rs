//! dalec-frontend
