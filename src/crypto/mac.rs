//! MACs: one key bound to one statement, made once and used for every message.

use super::cipher::{self, CipherFamily};
use super::{KeyError, MacAlgorithm, MacStatement, Padding, Rendering, SecretKey};
use super::{cbc, cmac, fold, retail};
use crate::hex;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The longest MAC in a field: sixteen bytes as hexadecimal text.
const MAC_MAX: usize = 32;

/// One algorithm with its key schedule. The result stands left in the sixteen bytes.
pub(super) trait Engine: Send + Sync {
    fn run(&self, data: &[u8], padding: Padding) -> [u8; 16];
}

/// A key bound to a MAC statement. Cheap to clone; the schedule is wiped with the last clone.
#[derive(Clone)]
pub struct MacKey {
    statement: MacStatement,
    engine: Arc<dyn Engine>,
    kcv: [u8; 4],
}

/// A MAC as it stands in its field.
#[derive(Clone, Copy)]
pub struct Mac {
    bytes: [u8; MAC_MAX],
    len: usize,
}

/// Why a received MAC is not accepted. Never holds the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// Another length than the statement's.
    #[error("a MAC of {got} bytes, expected {expected}")]
    Length {
        /// Bytes by the statement.
        expected: usize,
        /// Bytes received.
        got: usize,
    },
    /// It does not match: the wrong key, another scope, or a message that was changed.
    #[error("the MAC does not match: wrong key, other fields covered, or a changed message")]
    Mismatch,
}

impl MacKey {
    /// Binds a key to a statement and computes its schedule.
    ///
    /// # Errors
    /// [`KeyError::Length`] when the algorithm does not take a key of that length.
    pub fn new(statement: &MacStatement, key: &SecretKey) -> Result<Self, KeyError> {
        let (algorithm, bytes) = (statement.algorithm(), key.material());
        let what = algorithm.name();
        let engine = match algorithm {
            MacAlgorithm::X99 => cbc::des(bytes),
            MacAlgorithm::X919 => retail::des(bytes),
            MacAlgorithm::EcbFold => fold::des(bytes),
            MacAlgorithm::AesCmac => cmac::aes(bytes),
            MacAlgorithm::AesCbcMac => cbc::aes(bytes),
            MacAlgorithm::Sm4Cmac => cmac::sm4(bytes),
            MacAlgorithm::Sm4CbcMac => cbc::sm4(bytes),
            MacAlgorithm::Sm4EcbFold => fold::sm4(bytes),
        };
        let (family, expected) = takes(algorithm);
        let engine = engine.ok_or(KeyError::Length { what, expected, got: bytes.len() })?;
        let kcv = cipher::check_value(&*cipher::of(family, bytes)?);
        Ok(Self { statement: *statement, engine: engine.into(), kcv })
    }

    /// The same from hexadecimal text, white space around it ignored.
    ///
    /// # Errors
    /// [`KeyError`]: not hexadecimal, or a length the algorithm does not take.
    pub fn from_hex(statement: &MacStatement, text: &str) -> Result<Self, KeyError> {
        Self::new(statement, &SecretKey::from_hex(text)?)
    }

    /// The statement it is bound to.
    pub fn statement(&self) -> &MacStatement {
        &self.statement
    }

    /// The check value: first four bytes of E(key, zeros). Schemes show three or four.
    pub fn kcv(&self) -> [u8; 4] {
        self.kcv
    }

    /// The MAC of `data` as it stands in its field.
    pub fn mac(&self, data: &[u8]) -> Mac {
        let full = self.engine.run(data, self.statement.padding());
        let mut mac = Mac { bytes: [0; MAC_MAX], len: self.statement.field_bytes() };
        match self.statement.rendering() {
            Rendering::Raw => mac.bytes[..16].copy_from_slice(&full),
            Rendering::Hex => mac.bytes = fold::hex_text(full),
        }
        mac
    }

    /// Whether `field` holds the MAC of `data`; compared in constant time.
    ///
    /// # Errors
    /// [`MacError`] when it does not.
    pub fn verify(&self, data: &[u8], field: &[u8]) -> Result<(), MacError> {
        let mac = self.mac(data);
        let (expected, got) = (mac.len, field.len());
        if expected != got {
            return Err(MacError::Length { expected, got });
        }
        if mac.as_bytes().ct_eq(field).into() { Ok(()) } else { Err(MacError::Mismatch) }
    }
}

/// The cipher family of an algorithm, and the key lengths it takes in words.
fn takes(algorithm: MacAlgorithm) -> (CipherFamily, &'static str) {
    match algorithm {
        MacAlgorithm::X99 | MacAlgorithm::EcbFold => (CipherFamily::Des, "8, 16 or 24"),
        MacAlgorithm::X919 => (CipherFamily::Des, "16"),
        MacAlgorithm::AesCmac | MacAlgorithm::AesCbcMac => (CipherFamily::Aes, "16, 24 or 32"),
        MacAlgorithm::Sm4Cmac | MacAlgorithm::Sm4CbcMac | MacAlgorithm::Sm4EcbFold => {
            (CipherFamily::Sm4, "16")
        }
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.statement.algorithm().name();
        // Three bytes of check value are what key ceremonies print; they identify, not reveal.
        write!(f, "MacKey({name}, check value {})", hex::upper(&self.kcv[..3]))
    }
}

impl Mac {
    /// The bytes as they stand in the field.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mac({} bytes)", self.len)
    }
}
