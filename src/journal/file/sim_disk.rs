//! A disk in memory that keeps exactly the promises a real one keeps, and breaks on demand.
//!
//! Contract: deterministic from its seed. What is written is visible at once (the page cache) and
//! safe only after a sync of its file; names are safe only after a sync of the folder.
//! [`SimDisk::crash`] is a power cut: of every unsynced write any subset of its 512-byte sectors
//! survives, of unsynced folder changes any leading part. After a failed sync of a file what had
//! been written stays visible and never reaches the medium, though later syncs succeed. Clones
//! share one disk. For tests and the simulation; nothing in the switch uses it.

use super::backend::{Backend, Change, FileName, Sync};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk write survives a power cut in units of this many bytes.
const SECTOR_BYTES: usize = 512;

/// The disk; clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<Disk>>);

/// What the disk did so far, by kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// All calls.
    pub calls: u64,
    /// Writes.
    pub writes: u64,
    /// Syncs of files.
    pub file_syncs: u64,
    /// Syncs of the folder.
    pub folder_syncs: u64,
    /// Crashes in which something unsynced was lost or torn.
    pub torn: u64,
}

#[derive(Debug, Clone, Default)]
struct Disk {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<FileName, u64>,
    safe_names: BTreeMap<FileName, u64>,
    /// Folder changes since the last folder sync; `None` stands for a removal.
    pending_names: Vec<Vec<(FileName, Option<u64>)>>,
    next_inode: u64,
    random: u64,
    capacity: Option<u64>,
    /// Fail this many calls from now; 0 is the next one.
    fail_in: Option<u64>,
    /// Once failed, everything fails: the disk is gone.
    dead: bool,
    done: Done,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    safe: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl SimDisk {
    /// An empty disk; `seed` decides what crashes leave.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk { random: seed, ..Disk::default() })))
    }

    /// An independent copy of the disk as it is, with another seed for its crashes.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let mut disk = self.disk().clone();
        disk.random = seed;
        Self(Arc::new(Mutex::new(disk)))
    }

    /// A power cut: what was not synced survives in part. Failures asked for are over.
    pub fn crash(&self) {
        self.disk().crash();
    }

    /// Lets `calls` more calls succeed, then fails one (EIO) and, with `for_good`, all after it.
    pub fn fail_after(&self, calls: u64, for_good: bool) {
        let mut disk = self.disk();
        disk.fail_in = Some(calls);
        disk.dead = false;
        if for_good {
            disk.fail_in = Some(calls | FOR_GOOD);
        }
    }

    /// Ends all failures.
    pub fn heal(&self) {
        let mut disk = self.disk();
        disk.fail_in = None;
        disk.dead = false;
    }

    /// The disk takes no more than this many bytes from now on; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk().capacity = bytes;
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        self.disk().used()
    }

    /// What it did so far.
    pub fn done(&self) -> Done {
        self.disk().done
    }

    /// Bit rot: inverts one bit (0–7) of a byte, on the medium as well. False if there is no such
    /// byte.
    pub fn flip(&self, name: FileName, at: usize, bit: u8) -> bool {
        let mut disk = self.disk();
        let Some(inode) = disk.named(name) else { return false };
        let mut hit = false;
        for bytes in [&mut inode.bytes, &mut inode.safe] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bit & 7);
                hit = true;
            }
        }
        hit
    }

    /// Sets the content of a file, on the medium as well; truncation, swaps and zeroing in tests.
    pub fn put(&self, name: FileName, bytes: Vec<u8>) {
        let mut disk = self.disk();
        let inode = disk.create(name);
        disk.safe_names.insert(name, inode);
        disk.inodes.insert(inode, Inode { safe: bytes.clone(), bytes, pending: Vec::new() });
    }

    /// The content of a file.
    pub fn get(&self, name: FileName) -> Option<Vec<u8>> {
        self.disk().named(name).map(|inode| inode.bytes.clone())
    }

    /// Files in the folder.
    pub fn names(&self) -> Vec<FileName> {
        self.disk().names.keys().copied().collect()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks a failure that stays, in `Disk::fail_in`.
const FOR_GOOD: u64 = 1 << 63;

impl Disk {
    fn named(&mut self, name: FileName) -> Option<&mut Inode> {
        let inode = self.names.get(&name)?;
        self.inodes.get_mut(inode)
    }

    fn create(&mut self, name: FileName) -> u64 {
        if let Some(inode) = self.names.get(&name) {
            return *inode;
        }
        self.next_inode += 1;
        self.names.insert(name, self.next_inode);
        self.pending_names.push(vec![(name, Some(self.next_inode))]);
        self.inodes.insert(self.next_inode, Inode::default());
        self.next_inode
    }

    fn used(&self) -> u64 {
        let live = self.names.values().filter_map(|inode| self.inodes.get(inode));
        live.map(|inode| inode.bytes.len() as u64).sum()
    }

    /// Counts a call and fails it if its time has come.
    fn call(&mut self) -> io::Result<()> {
        self.done.calls += 1;
        if self.dead {
            return Err(broken());
        }
        match self.fail_in {
            Some(left) if left & !FOR_GOOD == 0 => {
                self.dead = left & FOR_GOOD != 0;
                self.fail_in = None;
                Err(broken())
            }
            Some(left) => {
                self.fail_in = Some(left - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// splitmix64: the next pseudo-random number.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn crash(&mut self) {
        self.fail_in = None;
        self.dead = false;
        let pending = std::mem::take(&mut self.pending_names);
        let unsynced = self.inodes.values().any(|inode| !inode.pending.is_empty());
        self.done.torn += u64::from(unsynced || !pending.is_empty());
        let kept = usize::try_from(self.random() % (pending.len() as u64 + 1)).unwrap_or(0);
        for (name, inode) in pending.into_iter().take(kept).flatten() {
            match inode {
                Some(inode) => self.safe_names.insert(name, inode),
                None => self.safe_names.remove(&name),
            };
        }
        self.names = self.safe_names.clone();
        let ids: Vec<u64> = self.inodes.keys().copied().collect();
        for id in ids {
            if !self.names.values().any(|live| *live == id) {
                self.inodes.remove(&id);
                continue;
            }
            let Some(mut inode) = self.inodes.remove(&id) else { continue };
            for (at, bytes) in std::mem::take(&mut inode.pending) {
                self.tear(&mut inode.safe, at, &bytes);
            }
            inode.bytes = inode.safe.clone();
            self.inodes.insert(id, inode);
        }
    }

    /// Lets any subset of a write's sectors reach the medium: often all, often none.
    fn tear(&mut self, safe: &mut Vec<u8>, at: usize, bytes: &[u8]) {
        let mode = self.random() % 4;
        let mut done = 0;
        while done < bytes.len() {
            let sector_end = (at + done + 1).next_multiple_of(SECTOR_BYTES);
            let piece = (sector_end - at - done).min(bytes.len() - done);
            let survives = match mode {
                0 => false,
                1 => true,
                _ => self.random().is_multiple_of(2),
            };
            if survives {
                store(safe, at + done, &bytes[done..done + piece]);
            }
            done += piece;
        }
    }
}

fn store(into: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if into.len() < at + bytes.len() {
        into.resize(at + bytes.len(), 0);
    }
    into[at..at + bytes.len()].copy_from_slice(bytes);
}

fn broken() -> io::Error {
    io::Error::other("simulated input/output error")
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Backend for SimDisk {
    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        let mut disk = self.disk();
        disk.call()?;
        let len = |inode| disk.inodes.get(inode).map_or(0, |inode| inode.bytes.len() as u64);
        Ok(disk.names.iter().map(|(name, inode)| (*name, len(inode))).collect())
    }

    fn read_at(&self, name: FileName, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.disk();
        disk.call()?;
        let inode = disk.named(name).ok_or_else(missing)?;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = inode.bytes.get(at..).unwrap_or_default();
        let got = bytes.len().min(into.len());
        into[..got].copy_from_slice(&bytes[..got]);
        Ok(got)
    }

    fn write_at(&self, name: FileName, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        disk.call()?;
        disk.done.writes += 1;
        if !name.begins_at(at) && disk.named(name).is_none() {
            return Err(missing());
        }
        let at = usize::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let have = disk.named(name).map_or(0, |inode| inode.bytes.len());
        let grows = (at + bytes.len()).saturating_sub(have) as u64;
        let over = disk.capacity.is_some_and(|capacity| disk.used() + grows > capacity);
        if grows > 0 && over {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let id = disk.create(name);
        if let Some(inode) = disk.inodes.get_mut(&id) {
            store(&mut inode.bytes, at, bytes);
            inode.pending.push((at, bytes.to_vec()));
        }
        Ok(())
    }

    fn sync(&self, what: Sync) -> io::Result<()> {
        let mut disk = self.disk();
        if let Err(error) = disk.call() {
            // As Linux does: what could not be written is taken for clean and never tried again.
            if let Sync::File(name) = what
                && let Some(inode) = disk.named(name)
            {
                inode.pending.clear();
            }
            return Err(error);
        }
        match what {
            Sync::File(name) => {
                disk.done.file_syncs += 1;
                let inode = disk.named(name).ok_or_else(missing)?;
                for (at, bytes) in std::mem::take(&mut inode.pending) {
                    store(&mut inode.safe, at, &bytes);
                }
            }
            Sync::Folder => {
                disk.done.folder_syncs += 1;
                disk.pending_names.clear();
                disk.safe_names = disk.names.clone();
            }
        }
        Ok(())
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut disk = self.disk();
        disk.call()?;
        let step = match change {
            Change::Rename { from, to } => {
                let inode = disk.names.remove(&from).ok_or_else(missing)?;
                disk.names.insert(to, inode);
                vec![(from, None), (to, Some(inode))]
            }
            Change::Remove(name) => {
                disk.names.remove(&name).ok_or_else(missing)?;
                vec![(name, None)]
            }
        };
        disk.pending_names.push(step);
        Ok(())
    }

    fn free(&self) -> Option<u64> {
        let disk = self.disk();
        disk.capacity.map(|capacity| capacity.saturating_sub(disk.used()))
    }
}
