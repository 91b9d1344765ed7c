//! Key material: held inline, wiped on drop, never printed.

use super::cipher::{self, CipherFamily};
use crate::hex::{self, HexError};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The longest key: AES-256.
const KEY_MAX: usize = 32;

/// A key as bytes, before it is bound to a use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey {
    bytes: [u8; KEY_MAX],
    len: usize,
}

/// Why a key was refused. Never holds material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not hexadecimal.
    #[error("key: {0}")]
    Hex(#[from] HexError),
    /// A length that the algorithm does not take.
    #[error("{what} takes a key of {expected} bytes, got {got}")]
    Length {
        /// Algorithm or cipher.
        what: &'static str,
        /// Lengths it takes, in words.
        expected: &'static str,
        /// Bytes given.
        got: usize,
    },
}

impl SecretKey {
    /// Takes 1 to 32 bytes; which lengths make sense is decided where the key is used.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut key = Self { bytes: [0; KEY_MAX], len: bytes.len() };
        let (Some(held), false) = (key.bytes.get_mut(..bytes.len()), bytes.is_empty()) else {
            let (what, expected) = ("every cipher here", "1 to 32");
            return Err(KeyError::Length { what, expected, got: bytes.len() });
        };
        held.copy_from_slice(bytes);
        Ok(key)
    }

    /// Reads a key written in hexadecimal; white space around it (the end of a file) is ignored.
    ///
    /// # Errors
    /// [`KeyError`]: not hexadecimal, or not 1 to 32 bytes.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        Self::new(&Zeroizing::new(hex::parse(text.trim())?))
    }

    /// Bytes of the key.
    #[expect(clippy::len_without_is_empty, reason = "an empty key cannot be made")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The check value: the first four bytes of E(key, zeros). Schemes show three or four.
    ///
    /// # Errors
    /// [`KeyError::Length`] when the cipher does not take such a key.
    pub fn kcv(&self, family: CipherFamily) -> Result<[u8; 4], KeyError> {
        Ok(cipher::check_value(&*cipher::of(family, self.material())?))
    }

    /// The clear bytes, for this room only.
    pub(super) fn material(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({} bytes)", self.len)
    }
}
