//! The working keys of a UnionPay sign-in: F62 of an 0810, keys under the terminal's master key,
//! each followed by its check value (domain.md section 4).
//!
//! Contract: all keys or none – a wrong check value refuses the block, and the caller goes on
//! with the keys it has. Deliberately absent: when to sign in and what to do with the keys.

use super::cipher::{self, BlockCipher, CipherFamily};
use super::{KeyError, SecretKey};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a check value in the block.
const CHECK_BYTES: usize = 4;

/// The working keys of one terminal.
#[derive(Debug, Clone)]
pub struct SignInKeys {
    /// For PIN blocks.
    pub pin: SecretKey,
    /// For MACs; eight bytes where the block carried a single-length key.
    pub mac: SecretKey,
    /// For tracks, where the block has a third part.
    pub track: Option<SecretKey>,
}

/// Which key of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Pin,
    /// The second.
    Mac,
    /// The third.
    Track,
}

/// Why a block was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// A length that no combination of keys gives.
    #[error("sign-in keys of {got} bytes, expected {expected}")]
    Length {
        /// Bytes received.
        got: usize,
        /// Lengths this cipher allows, in words.
        expected: &'static str,
    },
    /// A check value that is not the key's: another master key, or a damaged block.
    #[error("{part:?} key: wrong check value; is the terminal's master key the bank's?")]
    CheckValue {
        /// Which key.
        part: Part,
    },
    /// A master key of a wrong length.
    #[error("master {0}")]
    MasterKey(#[from] KeyError),
}

/// Reads the keys of F62 under the terminal's master key.
///
/// # Errors
/// [`SignInError`]; no key of a refused block may be used.
pub fn read_keys(
    master: &SecretKey,
    family: CipherFamily,
    block: &[u8],
) -> Result<SignInKeys, SignInError> {
    let key_bytes = key_bytes(family, block.len())?;
    let reader = Reader { family, master: cipher::of(family, master.material())? };
    let mut parts = block.chunks_exact(key_bytes + CHECK_BYTES);
    let mut read = |part| parts.next().map(|bytes| reader.key(part, bytes)).transpose();
    let missing = SignInError::Length { got: block.len(), expected: "two keys" };
    Ok(SignInKeys {
        pin: read(Part::Pin)?.ok_or(missing)?,
        mac: read(Part::Mac)?.ok_or(missing)?,
        track: read(Part::Track)?,
    })
}

/// Bytes of each key in a block of so many bytes.
fn key_bytes(family: CipherFamily, block: usize) -> Result<usize, SignInError> {
    match (family, block) {
        (CipherFamily::Des, 24) => Ok(8),
        (_, 40 | 60) => Ok(16),
        (CipherFamily::Des, 56 | 84) => Ok(24),
        (CipherFamily::Des, got) => {
            Err(SignInError::Length { got, expected: "24, 40, 56, 60 or 84" })
        }
        (_, got) => Err(SignInError::Length { got, expected: "40 or 60" }),
    }
}

struct Reader {
    family: CipherFamily,
    master: Box<dyn BlockCipher>,
}

impl Reader {
    /// One key and its check value.
    fn key(&self, part: Part, bytes: &[u8]) -> Result<SecretKey, SignInError> {
        let (sealed, check) = bytes.split_at(bytes.len() - CHECK_BYTES);
        let double = self.family == CipherFamily::Des && sealed.len() == 16;
        if double
            && part == Part::Mac
            && let Some(single) = self.single_length(sealed, check)?
        {
            return Ok(single);
        }
        let key = self.open(sealed)?;
        self.checked(part, key, check)
    }

    fn open(&self, sealed: &[u8]) -> Result<SecretKey, KeyError> {
        let mut clear = Zeroizing::new(sealed.to_vec());
        cipher::decrypt_blocks(&*self.master, &mut clear);
        SecretKey::new(&clear)
    }

    /// A MAC key of eight bytes in a place for sixteen: the other eight are zero, as they
    /// stand or once opened, and the check value is the single key's.
    fn single_length(&self, sealed: &[u8], check: &[u8]) -> Result<Option<SecretKey>, SignInError> {
        let (first, second) = sealed.split_at(8);
        let zeros = [0; 8];
        if second != zeros && self.open(second)?.material() != zeros {
            return Ok(None);
        }
        self.checked(Part::Mac, self.open(first)?, check).map(Some)
    }

    fn checked(&self, part: Part, key: SecretKey, check: &[u8]) -> Result<SecretKey, SignInError> {
        let right = key.kcv(self.family)?.ct_eq(check);
        if right.into() { Ok(key) } else { Err(SignInError::CheckValue { part }) }
    }
}
