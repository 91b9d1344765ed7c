//! Checkpoints: the caller's state after some record, so that a restart replays little.
//!
//! Contract: a checkpoint is whole or not there: written beside, synced, read back and opened,
//! renamed, folder synced.
//! It vouches for its records, so it may only cover durable ones. Recovery starts from the newest
//! one that is intact and tells of those it passed over; two are kept, so that one bad file costs
//! a longer replay and nothing else. What the bytes mean is the caller's business.
//!
//! ```text
//!  0  "PMSTATE\0"   12  crc of the rest u32   24  length u64   40  salt 32   88  sealed state
//!  8  version u16   16  upto u64              32  key id 8     72  seal 16
//! ```

use super::backend::{Backend, Change, FileName, Sync, read_all};
use super::entry::{u32_at, u64_at};
use super::error::{AtFile, JournalError, RecoveryError};
use super::keys::DataKey;
use super::map::SegmentMap;
use super::options::Entropy;
use super::recovery::Finding;
use super::seal::{HEADER_NONCE, Tag};
use super::verdicts::{CHECKPOINT_ROWS, Verdict, decide};

const MAGIC: &[u8; 8] = b"PMSTATE\0";
const VERSION: u16 = 1;
const HEADER_LEN: usize = 88;
const BOUND: std::ops::Range<usize> = 16..72;

/// A checkpoint read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last record it covers.
    pub upto: u64,
    /// The caller's state after that record.
    pub state: Vec<u8>,
}

/// Bytes between two syncs of a checkpoint that is being written: the writer's own syncs wait for
/// no more than this.
const PIECE_BYTES: usize = 1 << 20;

/// Writes `state` as it stands after record `upto`. Slow: not on the writer's thread.
///
/// # Errors
/// `OutOfOrder` when `upto` is not durable yet; what the disk says (a full disk included: the
/// journal goes on, the next start only takes longer); `Damaged` when it does not read back: it
/// then gets no name, and the checkpoints before it stay.
pub fn write_checkpoint(
    backend: &dyn Backend,
    key: &DataKey,
    map: &SegmentMap,
    entropy: &mut Entropy,
    upto: u64,
    state: &[u8],
) -> Result<(), JournalError> {
    let durable = map.durable();
    if upto > durable {
        return Err(JournalError::OutOfOrder { expected: durable, got: upto });
    }
    let bytes = seal(key, entropy, upto, state)?;
    let (beside, name) = (FileName::Unfinished(upto), FileName::Checkpoint(upto));
    for (piece, at) in bytes.chunks(PIECE_BYTES).zip((0..).step_by(PIECE_BYTES)) {
        backend.write_at(beside, at, piece).at("write", name)?;
        backend.sync(Sync::File(beside)).at("write", name)?;
    }
    let read = read_all(backend, beside, bytes.len() as u64).at("read back", name)?;
    if !matches!(open(Some(key), upto, read), Ok(Ok(_))) {
        let cause = "it does not read back as it was written";
        return Err(JournalError::Damaged { file: name.to_string(), offset: 0, cause });
    }
    let named = backend.change(Change::Rename { from: beside, to: name });
    named.and_then(|()| backend.sync(Sync::Folder)).at("write", name)
}

fn seal(
    key: &DataKey,
    entropy: &mut Entropy,
    upto: u64,
    state: &[u8],
) -> Result<Vec<u8>, JournalError> {
    let mut salt = [0; 32];
    entropy(&mut salt).map_err(JournalError::Entropy)?;
    let mut bytes = vec![0; HEADER_LEN];
    bytes.extend_from_slice(state);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&upto.to_le_bytes());
    bytes[24..32].copy_from_slice(&(state.len() as u64).to_le_bytes());
    bytes[32..40].copy_from_slice(&key.id());
    bytes[40..72].copy_from_slice(&salt);
    let (head, body) = bytes.split_at_mut(HEADER_LEN);
    let tag = key.file_cipher(&salt).seal(HEADER_NONCE, &head[BOUND], body);
    let tag = tag.ok_or(JournalError::TooLarge { got: state.len(), most: 1 << 36 })?;
    head[72..].copy_from_slice(&tag);
    let crc = crc(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

fn crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..]);
    hasher.finalize()
}

/// The newest intact checkpoint, and those passed over because they are damaged.
///
/// # Errors
/// A newer format, another data key, the disk.
pub fn newest_checkpoint(
    backend: &dyn Backend,
    key: &DataKey,
) -> Result<(Option<Checkpoint>, Vec<Finding>), RecoveryError> {
    let mut findings = Vec::new();
    for (upto, len) in listed(backend)?.into_iter().rev() {
        let file = FileName::Checkpoint(upto);
        let bytes = read_all(backend, file, len).at("read", file)?;
        match open(Some(key), upto, bytes)? {
            Ok(checkpoint) => return Ok((Some(checkpoint), findings)),
            Err(row) => findings.push(Finding { file, offset: 0, record: upto, row }),
        }
    }
    Ok((None, findings))
}

/// Every checkpoint in the folder, oldest first: the last record it covers, its length in bytes
/// and what is wrong with it. Without a key the seals are taken for good.
///
/// # Errors
/// A newer format, another data key, the disk.
pub fn inspect_checkpoints(
    backend: &dyn Backend,
    key: Option<&DataKey>,
) -> Result<Vec<(u64, u64, Option<Finding>)>, RecoveryError> {
    let mut inspected = Vec::new();
    for (upto, len) in listed(backend)? {
        let file = FileName::Checkpoint(upto);
        let bytes = read_all(backend, file, len).at("read", file)?;
        let row = open(key, upto, bytes)?.err();
        let finding = row.map(|row| Finding { file, offset: 0, record: upto, row });
        inspected.push((upto, len, finding));
    }
    Ok(inspected)
}

/// Checkpoints in the folder: last record covered and length in bytes, oldest first.
fn listed(backend: &dyn Backend) -> Result<Vec<(u64, u64)>, JournalError> {
    let files = backend.list().at("list", "the journal folder")?;
    let mut listed: Vec<_> = files
        .into_iter()
        .filter_map(|(name, len)| match name {
            FileName::Checkpoint(upto) => Some((upto, len)),
            _ => None,
        })
        .collect();
    listed.sort_unstable();
    Ok(listed)
}

type Opened = Result<Checkpoint, &'static super::verdicts::Row>;

fn open(key: Option<&DataKey>, upto: u64, mut bytes: Vec<u8>) -> Result<Opened, RecoveryError> {
    let file = FileName::Checkpoint(upto);
    let whole = bytes.len() >= HEADER_LEN;
    let crc = whole && u32_at(&bytes, 12) == crc(&bytes);
    let version = if crc { u16::from_le_bytes([bytes[8], bytes[9]]) } else { 0 };
    let named = crc
        && u64_at(&bytes, 16) == upto
        && u64_at(&bytes, 24) == (bytes.len() - HEADER_LEN) as u64;
    let ours = crc && key.is_none_or(|key| bytes[32..40] == key.id());
    let opened = crc && ours && key.is_none_or(|key| open_body(key, &mut bytes));
    let checks = [bytes.starts_with(MAGIC), crc, version <= VERSION, ours, opened, named];
    let row = decide(CHECKPOINT_ROWS, &checks).unwrap_or(&super::verdicts::MISCOUNTED);
    match row.verdict {
        Verdict::Accept => Ok(Ok(Checkpoint { upto, state: bytes.split_off(HEADER_LEN) })),
        Verdict::Newer => {
            Err(RecoveryError::NewerFormat { file, found: version, supported: VERSION })
        }
        Verdict::OtherKey => Err(RecoveryError::WrongKey { file, why: row.cause }),
        _ => Ok(Err(row)),
    }
}

fn open_body(key: &DataKey, bytes: &mut [u8]) -> bool {
    let (head, body) = bytes.split_at_mut(HEADER_LEN);
    let (mut salt, mut tag): ([u8; 32], Tag) = ([0; 32], [0; 16]);
    salt.copy_from_slice(&head[40..72]);
    tag.copy_from_slice(&head[72..]);
    key.file_cipher(&salt).open(HEADER_NONCE, &head[BOUND], body, &tag)
}

/// Removes all but the newest `keep` checkpoints and what unfinished ones a crash left; the last
/// record the oldest kept one covers: retention must keep every segment with later records.
///
/// # Errors
/// What the disk says.
pub fn prune_checkpoints(backend: &dyn Backend, keep: usize) -> Result<Option<u64>, JournalError> {
    let checkpoints = listed(backend)?;
    let surplus = checkpoints.len().saturating_sub(keep);
    let mut gone: Vec<_> =
        checkpoints.iter().take(surplus).map(|(upto, _)| FileName::Checkpoint(*upto)).collect();
    let files = backend.list().at("list", "the journal folder")?;
    let unfinished = files.iter().map(|(name, _)| *name);
    gone.extend(unfinished.filter(|name| matches!(name, FileName::Unfinished(_))));
    for name in &gone {
        backend.change(Change::Remove(*name)).at("remove", *name)?;
    }
    if !gone.is_empty() {
        backend.sync(Sync::Folder).at("sync", "the journal folder")?;
    }
    Ok(checkpoints.get(surplus).map(|(upto, _)| *upto))
}
