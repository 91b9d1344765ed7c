//! Sealing: AES-256-GCM under a key that is used for one file only, so that a nonce never
//! repeats.
//!
//! Contract: one [`Cipher`] per file, derived from the data key and 32 random bytes that stand in
//! the file's header. Nonces 0, 1, 2… are the file's batches; [`HEADER_NONCE`] is its header.
//! Additional data binds a batch to its place and to the batch before it (the chain).

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

/// A GCM tag; the last one of the chain stands for all before it.
pub type Tag = [u8; 16];

/// The nonce of a file's header: no batch counter reaches it.
pub const HEADER_NONCE: u64 = u64::MAX;

/// Seals and opens what one file holds.
pub struct Cipher(Aes256Gcm);

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(***)")
    }
}

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Encrypts `body` in place. `None` only beyond the cipher's limit of 64 GiB.
    pub fn seal(&self, nonce: u64, bound: &[u8], body: &mut [u8]) -> Option<Tag> {
        let sealed = self.0.encrypt_inout_detached(&wide(nonce).into(), bound, body.into());
        sealed.ok().map(Into::into)
    }

    /// Decrypts `body` in place; false (and `body` unchanged) if anything was altered.
    #[must_use]
    pub fn open(&self, nonce: u64, bound: &[u8], body: &mut [u8], tag: &Tag) -> bool {
        let nonce = wide(nonce).into();
        self.0.decrypt_inout_detached(&nonce, bound, body.into(), tag.into()).is_ok()
    }
}

fn wide(nonce: u64) -> [u8; 12] {
    let mut wide = [0; 12];
    wide[4..].copy_from_slice(&nonce.to_be_bytes());
    wide
}
