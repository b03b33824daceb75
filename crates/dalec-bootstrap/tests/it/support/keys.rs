//! Signing keys made for one run of the tests.

use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedSecretKey,
    SubkeyParamsBuilder,
};
use pgp::types::Password;

/// A key pair with a subkey that can sign as well.
pub struct Key {
    secret: SignedSecretKey,
}

impl Key {
    pub fn generate(name: &str) -> Self {
        let subkey =
            SubkeyParamsBuilder::default().key_type(KeyType::Ed25519Legacy).can_sign(true).build().unwrap();
        let secret = SecretKeyParamsBuilder::default()
            .key_type(KeyType::Ed25519Legacy)
            .can_sign(true)
            .can_certify(true)
            .primary_user_id(format!("{name} <{name}@example.org>"))
            .subkey(subkey)
            .build()
            .unwrap()
            .generate(rand::thread_rng())
            .unwrap();
        Self { secret }
    }

    /// Returns the public half, armoured.
    pub fn public(&self) -> Vec<u8> {
        self.secret.to_public_key().to_armored_bytes(ArmorOptions::default()).unwrap()
    }

    /// Returns `text`, clear-signed with the primary key.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        CleartextSignedMessage::sign(rand::thread_rng(), text, &self.secret.primary_key, &Password::empty())
            .unwrap()
            .to_armored_bytes(ArmorOptions::default())
            .unwrap()
    }

    /// Returns `text`, clear-signed with the subkey.
    pub fn sign_with_subkey(&self, text: &str) -> Vec<u8> {
        CleartextSignedMessage::sign(
            rand::thread_rng(),
            text,
            &self.secret.secret_subkeys[0].key,
            &Password::empty(),
        )
        .unwrap()
        .to_armored_bytes(ArmorOptions::default())
        .unwrap()
    }
}
