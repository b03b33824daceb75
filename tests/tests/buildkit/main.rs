//! The product inside BuildKit and in front of it: a real daemon, real clients, a real registry.

/// Its name is in the names of all tests here: `cargo xtask test` leaves them out where there is no root.
#[path = "."]
mod buildkit {
    mod attested;
    mod baked;
    mod caches;
    mod client;
    mod docker;
    mod forwarding;
    mod frontend;
    mod harness;
    mod images;
    mod our_signer;
    mod policies;
    mod remote;
    mod requests;
    mod same;
    mod secrets;
    mod several;
    mod signers;
    mod sources;
}
