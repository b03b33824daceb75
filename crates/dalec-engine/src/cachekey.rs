//! Keys: 32 bytes that name an op's work, a result, or a piece of content.
//!
//! An op's key covers its own bytes without the digests of its inputs, and for each input what the op can
//! see of it: the input's key where the op builds on the whole of it (the root of a process, the base of a
//! file action), the digest of the content it reads everywhere else. So a change that leaves alone what an
//! op reads does not run it again. What the keys of each kind of op cover is in [`crate::solver`].

/// A blake3 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// Returns a hasher for what `domain` stands for; equal fields in other domains have other keys.
    pub fn hasher(domain: &str) -> Hasher {
        let mut hasher = Hasher(blake3::Hasher::new());
        hasher.field(domain.as_bytes());
        hasher
    }

    /// Returns the key in hexadecimal.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hex::encode(&self.0[..6]))
    }
}

/// Makes a [`Key`] from fields. Each field's length is hashed too, so no two lists of fields look alike.
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Adds one field.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Returns the key of what was added.
    pub fn finish(&self) -> Key {
        Key(*self.0.finalize().as_bytes())
    }
}
