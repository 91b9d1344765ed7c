//! DUKPT with triple DES (ANSI X9.24-1): a terminal's key for one transaction, from the base
//! key and the key serial number it sends.
//!
//! Contract: derivation only. Deliberately absent: counting – the terminal counts, the host
//! derives what the serial number says.

use super::cipher::{self, CipherFamily};
use super::{KeyError, SecretKey};
use zeroize::Zeroizing;

/// Bytes of a key serial number.
pub const KSN_BYTES: usize = 10;
/// The transaction counter: the lowest 21 bits.
const COUNTER_MASK: u64 = 0x1F_FFFF;
/// XORed into a key for the second half of a derivation.
const HALF_VARIANT: [u8; 16] =
    [0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0, 0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0];

/// What a transaction key is used for; each use has its own variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// PIN blocks.
    Pin,
    /// MACs of requests, or both ways.
    MacRequest,
    /// MACs of responses.
    MacResponse,
}

type Double = Zeroizing<[u8; 16]>;

/// The initial key of a terminal (IPEK).
///
/// # Errors
/// [`KeyError::Length`] when the base key has not 16 bytes.
pub fn initial_key(base: &SecretKey, ksn: &[u8; KSN_BYTES]) -> Result<SecretKey, KeyError> {
    SecretKey::new(&*initial(&double(base)?, ksn)?)
}

/// The transaction key of a serial number, before any variant.
///
/// # Errors
/// [`KeyError::Length`] when the base key has not 16 bytes.
pub fn transaction_key(base: &SecretKey, ksn: &[u8; KSN_BYTES]) -> Result<SecretKey, KeyError> {
    let mut key = initial(&double(base)?, ksn)?;
    let low = ksn.last_chunk::<8>().map_or(0, |low| u64::from_be_bytes(*low));
    let mut register = low & !COUNTER_MASK;
    for bit in (0..21).rev().map(|shift| 1 << shift) {
        if low & bit != 0 {
            register |= bit;
            key = next(&key, register.to_be_bytes())?;
        }
    }
    SecretKey::new(&*key)
}

/// A transaction key for one use.
///
/// # Errors
/// [`KeyError::Length`] when the transaction key has not 16 bytes.
pub fn variant(transaction: &SecretKey, r#use: Use) -> Result<SecretKey, KeyError> {
    let at = match r#use {
        Use::Pin => 7,
        Use::MacRequest => 6,
        Use::MacResponse => 4,
    };
    let mut key = double(transaction)?;
    key[at] ^= 0xFF;
    key[at + 8] ^= 0xFF;
    SecretKey::new(&*key)
}

fn double(key: &SecretKey) -> Result<Double, KeyError> {
    let (what, expected) = ("DUKPT with triple DES", "16");
    let refused = KeyError::Length { what, expected, got: key.len() };
    key.material().try_into().map(Zeroizing::new).map_err(|_| refused)
}

fn varied(key: &Double) -> Double {
    let mut other = key.clone();
    other.iter_mut().zip(HALF_VARIANT).for_each(|(byte, mask)| *byte ^= mask);
    other
}

fn initial(base: &Double, ksn: &[u8; KSN_BYTES]) -> Result<Double, KeyError> {
    let mut serial = [0; 8];
    serial.copy_from_slice(&ksn[..8]);
    // The counter's upper five bits stand in the eighth byte.
    serial[7] &= 0xE0;
    let mut key = Double::default();
    for (half, with) in [(0, base.clone()), (8, varied(base))] {
        let part = &mut key[half..half + 8];
        part.copy_from_slice(&serial);
        cipher::of(CipherFamily::Des, &*with)?.encrypt(part);
    }
    Ok(key)
}

/// The one-way step: both halves of the next key from the register under the present one.
fn next(key: &Double, register: [u8; 8]) -> Result<Double, KeyError> {
    let mut out = Double::default();
    for (half, with) in [(8, key.clone()), (0, varied(key))] {
        let (left, right) = with.split_at(8);
        let part = &mut out[half..half + 8];
        part.iter_mut().zip(register.iter().zip(right)).for_each(|(o, (r, k))| *o = r ^ k);
        cipher::of(CipherFamily::Des, left)?.encrypt(part);
        part.iter_mut().zip(right).for_each(|(o, k)| *o ^= k);
    }
    Ok(out)
}
