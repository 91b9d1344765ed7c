//! What goes wrong, split by who must act: [`JournalError`] while writing or reading,
//! [`RecoveryError`] at start. Every message says where, what and what to do; none holds record
//! bytes or keys.

use super::backend::FileName;
use super::verdicts::Row;
use std::io;

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk failed. Where it was a write or sync of the writer's, that is poisoned.
    #[error("{what} of {file} failed: {source}")]
    Io {
        /// Which step: read, write, sync, rename, remove, list.
        what: &'static str,
        /// The file or folder.
        file: String,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// An earlier failure poisoned the writer.
    #[error("the journal failed earlier ({first}) and takes nothing more, restart")]
    Poisoned {
        /// The first failure.
        first: String,
    },
    /// No other segment can be had for now. Nothing was written and nothing is lost: free space (or
    /// archive), then go on. Essential batches see this only when the reserve is used up too.
    #[error("no space for another journal segment; free space, traffic then goes on by itself")]
    DiskFull,
    /// An essential batch has no segment to go to, and waiting will not help.
    #[error("no segment can be made and none is left: {why}; restart when the disk is well")]
    NoSpare {
        /// What the disk said.
        why: String,
    },
    /// The batch does not fit a segment. Nothing was written.
    #[error("a batch of {got} bytes does not fit a segment that holds {most}")]
    TooLarge {
        /// Bytes of the sealed batch.
        got: usize,
        /// Bytes a segment has for batches.
        most: usize,
    },
    /// The batch's first record is not the next one. Nothing was written. A bug of the caller.
    #[error("expected record {expected} next, got a batch that starts with {got}")]
    OutOfOrder {
        /// The next record number.
        expected: u64,
        /// The batch's first.
        got: u64,
    },
    /// What is on disk is not what was written.
    #[error("{file} is damaged at byte {offset}: {cause}")]
    Damaged {
        /// The file.
        file: String,
        /// Byte offset in it.
        offset: u64,
        /// What is wrong there.
        cause: &'static str,
    },
    /// No randomness for a new segment's key.
    #[error("no randomness for a new key: {0}")]
    Entropy(#[source] io::Error),
    /// The key-encryption key does not open the journal's key file, or it cannot be read.
    #[error("{file}: {why}")]
    Key {
        /// The key file, or where the key was to come from.
        file: String,
        /// What is wrong.
        why: String,
    },
}

impl JournalError {
    /// Whether it is for want of something that comes back, like descriptors: waiting helps.
    pub fn is_scarce(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_scarce(source))
    }
}

/// Whether it is for want of something that comes back.
pub(super) fn is_scarce(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let kind = matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::Interrupted);
    kind || matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Why a journal cannot be started from. Nothing was changed on disk.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The disk failed, or a file could not be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was durable is not there any more, or is not what was written.
    #[error(
        "{file} is damaged at byte {offset}: {} (row {}); nothing was deleted; restore the file \
         from a copy, or accept that records from number {record} on may be lost with: \
         pointsman serve CONFIG --accept-loss \"NAME: REASON\"",
        row.cause, row.name
    )]
    Damage {
        /// The file.
        file: FileName,
        /// Byte offset in it.
        offset: u64,
        /// The first record number in doubt.
        record: u64,
        /// The row of the decision table that says so.
        row: &'static Row,
    },
    /// Written by a newer program.
    #[error(
        "{file} has journal format {found}, this program reads up to {supported}: \
         start it with the version that wrote it, or a later one"
    )]
    NewerFormat {
        /// The file.
        file: FileName,
        /// Its format.
        found: u16,
        /// The newest format this program reads.
        supported: u16,
    },
    /// What an older program wrote is not read any more, and what would tell the same is gone.
    #[error(
        "{file} has an older format and the records from number {record} on, which would tell \
         the same, are not in this folder: put the archived segments back, or start it with the \
         version that wrote it; nothing was changed"
    )]
    OlderFormat {
        /// The file.
        file: FileName,
        /// The first record that is missing.
        record: u64,
    },
    /// Written under another data key.
    #[error("{file} was written under another data key: {why}")]
    WrongKey {
        /// The file.
        file: FileName,
        /// Which check said so.
        why: &'static str,
    },
    /// The caller cannot use a record or checkpoint.
    #[error("{what} is intact but cannot be applied: {why}")]
    Refused {
        /// `record N` or `checkpoint N`.
        what: String,
        /// The caller's reason.
        why: String,
    },
}

/// Says which step of which file the disk refused.
pub(super) trait AtFile<T> {
    fn at(self, what: &'static str, file: impl ToString) -> Result<T, JournalError>;
}

impl<T> AtFile<T> for io::Result<T> {
    fn at(self, what: &'static str, file: impl ToString) -> Result<T, JournalError> {
        self.map_err(|source| JournalError::Io { what, file: file.to_string(), source })
    }
}
