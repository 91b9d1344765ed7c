//! The data key of a journal, wrapped on disk by a key-encryption key the caller holds.
//!
//! Contract: the key file holds the data key only encrypted; both keys are wiped from memory on
//! drop and never printed. The key-encryption key comes from `file:` or `env:` (an HSM later);
//! losing it loses the journal. Every file gets a key of its own, derived here.
//!
//! ```text
//! key file, 96 bytes: "PMKEYS\0\0" | version u16 | 6 zero | salt 32 | wrapped key 32 | tag 16
//! ```

use super::backend::{Backend, FileName, Sync};
use super::error::{AtFile, JournalError};
use super::options::Entropy;
use super::seal::{Cipher, HEADER_NONCE};
use hkdf::Hkdf;
use sha2::Sha256;
use std::io;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const MAGIC: &[u8; 8] = b"PMKEYS\0\0";
const VERSION: u16 = 1;
const KEY_FILE_LEN: usize = 96;
const BOUND: std::ops::Range<usize> = 0..48;

/// The key that wraps the data key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyEncryptionKey([u8; 32]);

/// The key everything in one journal is derived from.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl std::fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyEncryptionKey(***)")
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(***)")
    }
}

impl KeyEncryptionKey {
    /// Takes 32 key bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes 64 hex digits, as they stand in a secret file or variable; space around is ignored.
    ///
    /// # Errors
    /// When it is anything else; the text is not repeated.
    pub fn from_hex(text: &str) -> Result<Self, JournalError> {
        let digits = text.trim().as_bytes();
        let refuse = || JournalError::Key {
            file: "key-encryption key".to_owned(),
            why: format!("expected 64 hex digits, got {} characters", digits.len()),
        };
        let mut bytes = Zeroizing::new([0; 32]);
        if digits.len() != 64 {
            return Err(refuse());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0]).zip(hex_digit(pair[1])).ok_or_else(refuse).map(join)?;
        }
        Ok(Self(*bytes))
    }

    fn wrapping(&self, salt: &[u8]) -> Cipher {
        derive(&self.0, salt, b"pointsman key wrap")
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn join((high, low): (u8, u8)) -> u8 {
    high << 4 | low
}

impl DataKey {
    /// Takes 32 key bytes: tests and the simulation; a journal's own comes from [`open_keys`].
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The cipher of the file whose header holds `salt`.
    pub(super) fn file_cipher(&self, salt: &[u8; 32]) -> Cipher {
        derive(&self.0, salt, b"pointsman journal file")
    }

    /// Eight bytes that tell two data keys apart and say nothing about them.
    pub fn id(&self) -> [u8; 8] {
        let mut id = [0; 8];
        expand(&self.0, &[], b"pointsman key id", &mut id);
        id
    }

    /// Vouches for what is not secret: 16 bytes that only this key gives.
    pub(super) fn vouch(&self, said: &[u8]) -> [u8; 16] {
        let mut seal = [0; 16];
        expand(&self.0, b"pointsman journal extent", said, &mut seal);
        seal
    }

    /// The key of the hashes by which messages that nobody could read are told apart; the same in
    /// every run of one journal.
    pub fn digest_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        expand(&self.0, &[], b"pointsman digest of garbled messages", &mut key);
        key
    }
}

fn derive(key: &[u8; 32], salt: &[u8], purpose: &[u8]) -> Cipher {
    let mut derived = Zeroizing::new([0; 32]);
    expand(key, salt, purpose, derived.as_mut());
    Cipher::new(&derived)
}

fn expand(key: &[u8; 32], salt: &[u8], purpose: &[u8], into: &mut [u8]) {
    let expanded = Hkdf::<Sha256>::new(Some(salt), key).expand(purpose, into);
    debug_assert!(expanded.is_ok(), "HKDF gives up to 8,160 bytes");
}

/// Opens the journal's data key; never makes one. For reading a journal beside its writer.
///
/// # Errors
/// A wrong key-encryption key, a damaged or missing key file, the disk.
pub fn read_keys(backend: &dyn Backend, wrap: &KeyEncryptionKey) -> Result<DataKey, JournalError> {
    let mut file = [0; KEY_FILE_LEN];
    match backend.read_at(FileName::Keys, 0, &mut file).at("read", FileName::Keys)? {
        KEY_FILE_LEN => unwrap_key(&file, wrap),
        _ => Err(refuse("shorter than 96 bytes; restore it from a copy")),
    }
}

/// Opens the journal's data key, or makes one if the folder holds neither a key file nor records.
///
/// # Errors
/// A wrong key-encryption key, a damaged key file, a missing key file beside records, the disk.
pub fn open_keys(
    backend: &dyn Backend,
    wrap: &KeyEncryptionKey,
    entropy: &mut Entropy,
) -> Result<DataKey, JournalError> {
    match read_keys(backend, wrap) {
        Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create(backend, wrap, entropy)
        }
        other => other,
    }
}

fn refuse(why: impl ToString) -> JournalError {
    JournalError::Key { file: FileName::Keys.to_string(), why: why.to_string() }
}

fn unwrap_key(file: &[u8; KEY_FILE_LEN], wrap: &KeyEncryptionKey) -> Result<DataKey, JournalError> {
    if &file[..8] != MAGIC {
        return Err(refuse("not a key file; restore it from a copy"));
    }
    let version = u16::from_le_bytes([file[8], file[9]]);
    if version > VERSION {
        return Err(refuse(format!("key file format {version}, this program reads {VERSION}")));
    }
    let mut key = Zeroizing::new([0; 32]);
    let mut tag = [0; 16];
    key.copy_from_slice(&file[48..80]);
    tag.copy_from_slice(&file[80..]);
    if !wrap.wrapping(&file[16..48]).open(HEADER_NONCE, &file[BOUND], key.as_mut(), &tag) {
        return Err(refuse("the key-encryption key does not open it, or it is damaged"));
    }
    Ok(DataKey(*key))
}

fn create(
    backend: &dyn Backend,
    wrap: &KeyEncryptionKey,
    entropy: &mut Entropy,
) -> Result<DataKey, JournalError> {
    let files = backend.list().at("list", "the journal folder")?;
    if files.iter().any(|(name, _)| matches!(name, FileName::Segment(_))) {
        return Err(refuse("missing, but there are records; restore it from a copy"));
    }
    let mut file = [0; KEY_FILE_LEN];
    file[..8].copy_from_slice(MAGIC);
    file[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let mut key = Zeroizing::new([0; 32]);
    entropy(key.as_mut()).map_err(JournalError::Entropy)?;
    entropy(&mut file[16..48]).map_err(JournalError::Entropy)?;
    let mut wrapped = *key;
    let sealed = wrap.wrapping(&file[16..48]).seal(HEADER_NONCE, &file[BOUND], &mut wrapped);
    let tag = sealed.ok_or_else(|| refuse("cannot be sealed"))?;
    file[48..80].copy_from_slice(&wrapped);
    file[80..].copy_from_slice(&tag);
    // Written beside and renamed: a crash leaves no key file or a whole one.
    let beside = FileName::Unfinished(0);
    backend.write_at(beside, 0, &file).at("write", beside)?;
    backend.sync(Sync::File(beside)).at("sync", beside)?;
    let rename = super::backend::Change::Rename { from: beside, to: FileName::Keys };
    backend.change(rename).at("rename", beside)?;
    backend.sync(Sync::Folder).at("sync", "the journal folder")?;
    Ok(DataKey(*key))
}
