//! Signatures of packages on disk: making them and checking them.
//!
//! Knows the formats that carry a signature (`.deb`, `.rpm`, Debian's control files, and a detached signature beside
//! anything else) and OpenPGP. It does not know how a file came to be, and it neither prints nor reads the
//! environment: keys, the time and the wish to stop are given.
//!
//! [`sign`] makes signatures, [`verify`] checks them. Who may be trusted is a matter of the [`Keyring`]. What somebody else
//! signed is held against what it was before by [`mod@compare`].

mod ar;
mod armor;
mod clearsign;
pub mod compare;
mod control;
mod deb;
mod error;
mod generate;
mod key;
mod keyring;
mod kind;
mod parts;
#[cfg_attr(not(test), expect(dead_code, reason = "signing and comparing programs come next"))]
mod pe;
mod place;
mod rpm;
mod sign;
mod verify;

pub use dalec_openpgp::{KeyringError, Signer, Unfit};
pub use error::{Broken, KeyError, SignError, VerifyError};
pub use generate::{Algorithm, GenerateError, GeneratedKey, NewKey, generate};
pub use key::{KeyMaterial, SigningKey};
pub use keyring::{Fault, Finding, Keyring};
pub use kind::Kind;
pub use sign::{Detached, Request, Signed, Watch, sign};
pub use verify::{Report, Verdict, verify};
