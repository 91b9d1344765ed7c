//! The five things the journal ever does to a disk, as a trait, and the real disk.
//!
//! Contract: everything the journal keeps lies in one folder of plain files. What was written is
//! safe against a power cut only after [`Backend::sync`] of that file; what was created, renamed
//! or removed only after [`Sync::Folder`]. Writer, reader and recovery are plain functions over
//! this trait, so a simulated disk ([`super::sim_disk`]) can break every promise a disk breaks.
//! Deliberately absent: memory maps, open modes, truncation, locks held across calls.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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

    /// Writes all of `bytes` at byte `at`; creates the file if it does not exist.
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

/// A folder of the real disk, held by one process at a time.
#[derive(Debug)]
pub struct DiskBackend {
    folder: PathBuf,
    /// Directory handle: target of the directory fsync, and holder of the exclusive lock.
    folder_handle: File,
    writable: bool,
    open: Mutex<Vec<(FileName, Arc<File>)>>,
}

/// Handles kept open: the segment being written, its successor, and what readers look at.
const OPEN_FILES_MAX: usize = 16;

impl DiskBackend {
    /// Opens `folder` (created if missing, readable by its owner only) for one writer.
    ///
    /// # Errors
    /// What the disk says; `WouldBlock` when another process holds the journal.
    pub fn open(folder: &Path) -> io::Result<Self> {
        create_private_folder(folder)?;
        let backend = Self::new(folder, true)?;
        backend.folder_handle.try_lock().map_err(io::Error::from)?;
        Ok(backend)
    }

    /// Opens an existing `folder` for reading, beside a writer: every change is refused.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open_read_only(folder: &Path) -> io::Result<Self> {
        Self::new(folder, false)
    }

    fn new(folder: &Path, writable: bool) -> io::Result<Self> {
        let folder_handle = File::open(folder)?;
        if !folder_handle.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        let open = Mutex::new(Vec::new());
        Ok(Self { folder: folder.to_owned(), folder_handle, writable, open })
    }

    fn path(&self, name: FileName) -> PathBuf {
        self.folder.join(name.to_string())
    }

    fn file(&self, name: FileName, create: bool) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = open.iter().find(|(known, _)| *known == name) {
            return Ok(Arc::clone(file));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(self.writable).create(create && self.writable);
        let file = Arc::new(options.open(self.path(name))?);
        if open.len() == OPEN_FILES_MAX {
            open.remove(0);
        }
        open.push((name, Arc::clone(&file)));
        Ok(file)
    }

    /// Drops the handle of a name that now means another file, or none.
    fn forget(&self, name: FileName) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(known, _)| *known != name);
    }

    fn refuse_read_only(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::ReadOnlyFilesystem.into()) }
    }
}

fn create_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // The folder's own entry must survive a power cut as well.
    match folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

impl Backend for DiskBackend {
    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().and_then(FileName::parse) else {
                continue;
            };
            files.push((name, entry.metadata()?.len()));
        }
        files.sort_unstable();
        Ok(files)
    }

    fn read_at(&self, name: FileName, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = self.file(name, false)?;
        let mut got = 0;
        while got < into.len() {
            match file.read_at(&mut into[got..], at + got as u64) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(got)
    }

    fn write_at(&self, name: FileName, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.refuse_read_only()?;
        self.file(name, true)?.write_all_at(bytes, at)
    }

    fn sync(&self, what: Sync) -> io::Result<()> {
        self.refuse_read_only()?;
        match what {
            Sync::File(name) => self.file(name, false)?.sync_data(),
            Sync::Folder => self.folder_handle.sync_all(),
        }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.refuse_read_only()?;
        match change {
            Change::Rename { from, to } => {
                std::fs::rename(self.path(from), self.path(to))?;
                self.forget(from);
                self.forget(to);
                Ok(())
            }
            Change::Remove(name) => {
                self.forget(name);
                std::fs::remove_file(self.path(name))
            }
        }
    }
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

    #[test]
    fn a_folder_has_one_writer_and_any_number_of_readers() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let first = DiskBackend::open(folder.path())?;
        first.write_at(FileName::Segment(1), 3, b"abc")?;
        first.sync(Sync::File(FileName::Segment(1)))?;
        first.sync(Sync::Folder)?;
        let second = DiskBackend::open(folder.path()).map(|_| ()).map_err(|e| e.kind());
        assert_eq!(second, Err(io::ErrorKind::WouldBlock));
        let reader = DiskBackend::open_read_only(folder.path())?;
        assert_eq!(reader.list()?, [(FileName::Segment(1), 6)]);
        assert_eq!(read_all(&reader, FileName::Segment(1), 9)?, b"\0\0\0abc");
        assert!(reader.write_at(FileName::Segment(1), 0, b"x").is_err());
        Ok(())
    }
}
