//! The five things the journal ever does to a disk, as a trait; the real disk is [`super::disk`].
//!
//! Contract: everything the journal keeps lies in one folder of plain files. What was written is
//! safe against a power cut only after [`Backend::sync`] of that file; what was created, renamed
//! or removed only after [`Sync::Folder`]. Writer, reader and recovery are plain functions over
//! this trait, so a simulated disk ([`super::sim_disk`]) can break every promise a disk breaks.
//! Deliberately absent: memory maps, open modes, truncation, locks held across calls.

use std::fmt;
use std::io;

/// A file of the journal folder. Only these names exist for the journal; others are not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// A segment that holds (or held) records, by its id.
    Segment(u64),
    /// A zero-filled or retired file that waits to become a segment.
    Spare(u64),
    /// A file that is being zero-filled.
    Blank(u64),
    /// A checkpoint, by the last record number it covers.
    Checkpoint(u64),
    /// A checkpoint that is being written.
    Unfinished(u64),
    /// The wrapped data key.
    Keys,
    /// The index of one business day, as YYYYMMDD.
    DayIndex(u32),
    /// What the journal holds.
    Extent,
}

impl FileName {
    /// The name `text` stands for; `None` for files that are not the journal's.
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, extension) = text.rsplit_once('.')?;
        let number = || stem.rsplit_once('-').and_then(|(_, digits)| digits.parse().ok());
        let name = match extension {
            "segment" => Self::Segment(number()?),
            "spare" => Self::Spare(number()?),
            "blank" => Self::Blank(number()?),
            "checkpoint" => Self::Checkpoint(number()?),
            "unfinished" => Self::Unfinished(number()?),
            "index" => Self::DayIndex(u32::try_from(number()?).ok()?),
            "keys" => Self::Keys,
            "extent" => Self::Extent,
            _ => return None,
        };
        (name.to_string() == text).then_some(name)
    }

    /// Whether it holds records.
    pub fn is_segment(&self) -> bool {
        matches!(self, Self::Segment(_))
    }

    /// Whether a write at byte `at` may make this file. A spare is made under another name, and a
    /// segment is never begun in its middle: one that is gone must not come back short.
    pub(super) fn begins_at(self, at: u64) -> bool {
        match self {
            Self::Spare(_) => false,
            Self::Segment(_) | Self::Extent => at == 0,
            _ => true,
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(id) => write!(f, "journal-{id:010}.segment"),
            Self::Spare(id) => write!(f, "journal-{id:010}.spare"),
            Self::Blank(id) => write!(f, "journal-{id:010}.blank"),
            Self::Checkpoint(no) => write!(f, "state-{no:020}.checkpoint"),
            Self::Unfinished(no) => write!(f, "state-{no:020}.unfinished"),
            Self::Keys => write!(f, "journal.keys"),
            Self::Extent => write!(f, "journal.extent"),
            Self::DayIndex(day) => write!(f, "day-{day:08}.index"),
        }
    }
}

/// What [`Backend::sync`] makes safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// The bytes of one file (fdatasync).
    File(FileName),
    /// Which names exist in the folder (fsync of the directory).
    Folder,
}

/// A change of the folder; not safe before `Sync::Folder`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Gives a file another name; an existing file of that name is replaced.
    Rename {
        /// The name it has.
        from: FileName,
        /// The name it gets.
        to: FileName,
    },
    /// Removes a file.
    Remove(FileName),
}

/// One folder of files. Every call either did all it says or returned the error; after an error
/// the caller must assume that any part of it may have happened.
pub trait Backend: Send + std::marker::Sync {
    /// The journal's files in the folder with their length in bytes, in the order of their names.
    ///
    /// # Errors
    /// What the disk says.
    fn list(&self) -> io::Result<Vec<(FileName, u64)>>;

    /// Reads from byte `at` on until `into` is full or the file ends; how many bytes it got.
    ///
    /// # Errors
    /// What the disk says; `NotFound` for an unknown name.
    fn read_at(&self, name: FileName, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at byte `at`; creates the file if it does not exist and it
    /// is no spare, nor a segment or extent written in its middle.
    ///
    /// # Errors
    /// What the disk says; `StorageFull` where no space is left.
    fn write_at(&self, name: FileName, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written (or changed in the folder) safe against a power cut.
    ///
    /// # Errors
    /// What the disk says. Never call again for the same data: the kernel forgets the failure.
    fn sync(&self, what: Sync) -> io::Result<()>;

    /// Renames or removes a file.
    ///
    /// # Errors
    /// What the disk says.
    fn change(&self, change: Change) -> io::Result<()>;

    /// Bytes that can still be taken, where that is known.
    fn free(&self) -> Option<u64> {
        None
    }
}

/// Reads a whole file.
///
/// # Errors
/// What the disk says.
pub fn read_all(backend: &dyn Backend, name: FileName, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_whole(backend, name, len, &mut bytes)?;
    Ok(bytes)
}

/// Reads a whole file in place of what `into` held.
///
/// # Errors
/// What the disk says.
pub fn read_whole(
    backend: &dyn Backend,
    name: FileName,
    len: u64,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    let len = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    if into.capacity() < len {
        // Zeros of the system's own: they are not written twice.
        *into = vec![0; len];
    }
    into.resize(len, 0);
    let got = backend.read_at(name, 0, into)?;
    into.truncate(got);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_strangers_are_left_alone() {
        let names = [
            FileName::Segment(1),
            FileName::Spare(12),
            FileName::Blank(13),
            FileName::Checkpoint(7_000_000_000),
            FileName::Unfinished(3),
            FileName::Keys,
            FileName::Extent,
            FileName::DayIndex(20_261_122),
        ];
        for name in names {
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
        for stranger in ["lost+found", "journal-1.segment", "x.segment", "other.keys", ""] {
            assert_eq!(FileName::parse(stranger), None, "{stranger}");
        }
    }
}
