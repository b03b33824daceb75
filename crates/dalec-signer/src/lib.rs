//! Signatures of packages on disk: making them and checking them.
//!
//! Knows the formats that carry a signature (`.deb`, `.rpm`, Windows programs, Debian's control files, and a detached
//! signature beside anything else), OpenPGP and X.509. It does not know how a file came to be, and it neither prints nor
//! reads the environment nor speaks to anybody: keys, the time, timestamps and the wish to stop are given.
//!
//! [`sign`] makes signatures, [`verify`] checks them. Who may be trusted is a matter of [`Trust`]. What somebody else
//! signed is held against what it was before by [`mod@compare`].

mod ar;
mod armor;
mod authenticode;
mod clearsign;
pub mod compare;
mod control;
mod deb;
mod error;
mod generate;
pub mod held;
mod key;
mod keyring;
mod kind;
mod message;
mod parts;
mod pe;
mod place;
mod rpm;
mod sign;
mod timestamp;
mod verify;
mod x509;

pub use dalec_openpgp::{KeyringError, Signer, Unfit};
pub use error::{Broken, KeyError, SignError, VerifyError};
pub use generate::{Algorithm, GenerateError, GeneratedKey, NewKey, generate};
pub use key::{KeyMaterial, SigningKey};
pub use keyring::{Fault, Finding, Keyring, SignatureFault};
pub use kind::{Kind, kind_of};
pub use sign::{Detached, Key, Request, Signed, Watch, sign};
pub use timestamp::{TIMESTAMP_LIMIT, Timestamp, TimestampError, Timestamps};
pub use verify::{Report, Trust, Verdict, verify};
pub use x509::chain::Roots;
pub use x509::error::{CodeKeyError, RootsError};
pub use x509::key::CodeKey;
pub use x509::{CertificateFacts, CertificateFault, Purpose};
