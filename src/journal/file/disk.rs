//! The real disk: one folder of plain files, held by one process at a time.
//!
//! Contract: files are their owner's only, whatever the umask. The handle of the segment being
//! written stays open, and one opened under an earlier name serves the new one: rotation needs no
//! descriptor. A failed sync of the folder is told to everybody who asks after it.

use super::backend::{Backend, Change, FileName, Sync};
use crate::limits::JOURNAL_FILES_MAX;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A folder of the real disk, held by one process at a time.
#[derive(Debug)]
pub struct DiskBackend {
    folder: PathBuf,
    /// Directory handle: target of the directory fsync, and holder of the exclusive lock.
    folder_handle: File,
    writable: bool,
    /// A sync of the folder failed: the kernel tells that once, to whoever asks first, and which
    /// names are safe nobody knows any more.
    folder_failed: AtomicBool,
    /// The one used last comes last.
    open: Mutex<Vec<(FileName, Arc<File>)>>,
}

/// The mode of every file: owner only, whatever the umask.
const FILE_MODE: u32 = 0o600;
/// The mode of a folder made here.
const FOLDER_MODE: u32 = 0o700;

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
        let folder_failed = AtomicBool::new(false);
        Ok(Self { folder: folder.to_owned(), folder_handle, writable, folder_failed, open })
    }

    fn path(&self, name: FileName) -> PathBuf {
        self.folder.join(name.to_string())
    }

    fn file(&self, name: FileName, create: bool) -> io::Result<Arc<File>> {
        let mut open = self.handles();
        if let Some(at) = open.iter().position(|(known, _)| *known == name) {
            open[at..].rotate_left(1);
        } else {
            let file = self.open_anew(name, create && self.writable)?;
            if open.len() == JOURNAL_FILES_MAX {
                // Neither the segment being written nor those after it: there may be no descriptor
                // to open them again.
                let written = open.iter().map(|(known, _)| *known).filter(FileName::is_segment);
                let written = written.max();
                let needed = |name| Some(name) == written || matches!(name, FileName::Spare(_));
                let oldest = open.iter().position(|(known, _)| !needed(*known));
                open.remove(oldest.unwrap_or(0));
            }
            open.push((name, Arc::new(file)));
        }
        open.last().map(|(_, file)| Arc::clone(file)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_anew(&self, name: FileName, create: bool) -> io::Result<File> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.read(true).write(self.writable);
        if create {
            match options.clone().create_new(true).mode(FILE_MODE).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
        options.open(path)
    }

    fn handles(&self) -> MutexGuard<'_, Vec<(FileName, Arc<File>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the handle of a name that now means another file, or none.
    fn forget(&self, name: FileName) {
        self.handles().retain(|(known, _)| *known != name);
    }

    /// Keeps the handle of a file that has another name now: it is the same file, and there may be
    /// no descriptor to open it once more.
    fn renamed(&self, from: FileName, to: FileName) {
        let mut open = self.handles();
        open.retain(|(known, _)| *known != to);
        if let Some((known, _)) = open.iter_mut().find(|(known, _)| *known == from) {
            *known = to;
        }
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
    std::fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
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
        self.file(name, name.begins_at(at))?.write_all_at(bytes, at)
    }

    fn sync(&self, what: Sync) -> io::Result<()> {
        self.refuse_read_only()?;
        match what {
            Sync::File(name) => self.file(name, false)?.sync_data(),
            Sync::Folder if self.folder_failed.load(Ordering::Acquire) => {
                Err(io::Error::other("an earlier sync of the folder failed"))
            }
            Sync::Folder => self.folder_handle.sync_all().inspect_err(|_| {
                self.folder_failed.store(true, Ordering::Release);
            }),
        }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.refuse_read_only()?;
        match change {
            Change::Rename { from, to } => {
                std::fs::rename(self.path(from), self.path(to))?;
                self.renamed(from, to);
                Ok(())
            }
            Change::Remove(name) => {
                self.forget(name);
                std::fs::remove_file(self.path(name))
            }
        }
    }

    fn free(&self) -> Option<u64> {
        let found = rustix::fs::fstatvfs(&self.folder_handle).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::file::backend::read_all;

    #[test]
    fn a_folder_has_one_writer_and_any_number_of_readers() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let first = DiskBackend::open(folder.path())?;
        first.write_at(FileName::Segment(1), 0, b"123")?;
        first.write_at(FileName::Segment(1), 3, b"abc")?;
        first.sync(Sync::File(FileName::Segment(1)))?;
        first.sync(Sync::Folder)?;
        let second = DiskBackend::open(folder.path()).map(|_| ()).map_err(|e| e.kind());
        assert_eq!(second, Err(io::ErrorKind::WouldBlock));
        let reader = DiskBackend::open_read_only(folder.path())?;
        assert_eq!(reader.list()?, [(FileName::Segment(1), 6)]);
        assert_eq!(read_all(&reader, FileName::Segment(1), 9)?, b"123abc");
        assert!(reader.write_at(FileName::Segment(1), 0, b"x").is_err());
        Ok(())
    }

    #[test]
    fn a_spare_or_segment_that_is_gone_does_not_come_back_short() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let disk = DiskBackend::open(folder.path())?;
        for (name, at) in [(FileName::Spare(1), 0), (FileName::Segment(1), 4_096)] {
            let refused = disk.write_at(name, at, b"x").map_err(|error| error.kind());
            assert_eq!(refused, Err(io::ErrorKind::NotFound), "{name}");
        }
        assert_eq!(disk.list()?, []);
        Ok(())
    }

    #[test]
    fn every_file_is_its_owners_and_no_crowd_of_readers_closes_the_one_written() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir()?;
        let disk = DiskBackend::open(&folder.path().join("journal"))?;
        let mode = |path: &Path| Ok::<_, io::Error>(path.metadata()?.permissions().mode() & 0o777);
        assert_eq!(mode(&disk.folder)?, FOLDER_MODE);
        for id in 1..40 {
            disk.write_at(FileName::Segment(id), 0, b"abc")?;
            assert_eq!(mode(&disk.path(FileName::Segment(id)))?, FILE_MODE);
        }
        for id in 1..40 {
            disk.read_at(FileName::Segment(id), 0, &mut [0])?;
        }
        let open = disk.handles();
        assert_eq!(open.len(), JOURNAL_FILES_MAX);
        assert!(open.iter().any(|(name, _)| *name == FileName::Segment(39)));
        assert_eq!(disk.free().map(|free| free > 0), Some(true));
        Ok(())
    }
}
