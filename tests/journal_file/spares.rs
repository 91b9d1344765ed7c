//! Spares that are gone, or cannot be made: no failed journal as long as another can be taken.

use crate::world::{NOW, Tested, append, append_as, entropy, key, options, replay, start};
use pointsman::journal::file::backend::{Change, FileName, Sync};
use pointsman::journal::{Backend, Bare, Class, JournalError, SimDisk, Writer, recover};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// The simulated disk, with an error of the system's for whoever makes or opens a spare.
struct Refusing(SimDisk, Arc<AtomicI32>);

impl Refusing {
    fn pass(&self, name: FileName) -> io::Result<()> {
        match (self.1.load(Ordering::Relaxed), name) {
            (0, _) => Ok(()),
            (code, FileName::Blank(_)) => Err(io::Error::from_raw_os_error(code)),
            (code @ EMFILE, FileName::Spare(_)) => Err(io::Error::from_raw_os_error(code)),
            _ => Ok(()),
        }
    }
}

impl Backend for Refusing {
    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        self.0.list()
    }

    fn read_at(&self, name: FileName, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.pass(name)?;
        self.0.read_at(name, at, into)
    }

    fn write_at(&self, name: FileName, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.pass(name)?;
        self.0.write_at(name, at, bytes)
    }

    fn sync(&self, what: Sync) -> io::Result<()> {
        self.0.sync(what)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.0.change(change)
    }
}

const EIO: i32 = 5;
const EMFILE: i32 = 24;

/// A writer whose next calls meet what the number says.
fn refusing(disk: &SimDisk) -> Result<(Writer, Arc<AtomicI32>), Box<dyn std::error::Error>> {
    let code = Arc::new(AtomicI32::new(0));
    let backend: Arc<dyn Backend> = Arc::new(Refusing(disk.clone(), Arc::clone(&code)));
    let recovered = recover(&*backend, &key(), &options(), &mut |_| Ok(()))?;
    let writer = Writer::start(backend, key(), options(), &recovered, entropy(1), NOW)?;
    Ok((writer, code))
}

/// Appends until something new is refused; by what.
fn fill_up(writer: &mut Writer) -> JournalError {
    loop {
        if let Err(error) = append(writer, 30) {
            return error;
        }
    }
}

#[test]
fn without_descriptors_outcomes_fit_the_reserve_and_wait_beyond_it() -> Tested {
    let disk = SimDisk::new(1);
    let (mut writer, code) = refusing(&disk)?;
    code.store(EMFILE, Ordering::Relaxed);
    for _ in 0..2 {
        // Neither new ones nor outcomes get a segment, and nothing has failed.
        assert!(matches!(fill_up(&mut writer), JournalError::DiskFull));
        let outcome = append_as(&mut writer, 30, Class::Essential);
        assert!(matches!(outcome, Err(JournalError::DiskFull)), "{outcome:?}");
        assert_eq!(writer.poison(), None);
    }
    assert!(matches!(writer.shelf().fill(), Err(Bare::Scarce(_))));
    code.store(0, Ordering::Relaxed);
    append_as(&mut writer, 30, Class::Essential)?;
    writer.shelf().fill()?;
    append(&mut writer, 30)?;
    let durable = writer.sync()?;
    disk.crash();
    assert!(replay(&disk)?.next > durable);
    Ok(())
}

#[test]
fn a_disk_on_which_no_spare_can_be_made_fails_the_journal_only_when_none_is_left() -> Tested {
    let disk = SimDisk::new(1);
    let (mut writer, code) = refusing(&disk)?;
    code.store(EIO, Ordering::Relaxed);
    assert!(matches!(fill_up(&mut writer), JournalError::DiskFull));
    let before = writer.next();
    let failed = loop {
        if let Err(error) = append_as(&mut writer, 30, Class::Essential) {
            break error;
        }
    };
    assert!(writer.next() > before + 100, "the reserve was used");
    assert!(matches!(&failed, JournalError::NoSpare { why } if why.contains("blank")), "{failed}");
    assert!(writer.poison().is_some());
    assert!(replay(&disk)?.next >= before);
    Ok(())
}

#[test]
fn removed_spares_are_missed_and_never_come_back_short() -> Tested {
    let spares = |disk: &SimDisk| {
        let names = disk.names();
        names.into_iter().filter(|name| matches!(name, FileName::Spare(_))).collect::<Vec<_>>()
    };
    for noticed in [false, true] {
        let disk = SimDisk::new(1);
        let mut writer = start(&disk, 1)?;
        for spare in spares(&disk) {
            disk.change(Change::Remove(spare))?;
        }
        if noticed {
            writer.shelf().look()?;
            assert!(writer.shelf().is_empty());
            writer.shelf().fill()?;
            assert_eq!(spares(&disk).len(), 2);
        }
        for _ in 0..40 {
            append(&mut writer, 30)?;
        }
        let durable = writer.sync()?;
        let whole = u64::from(options().segment_bytes);
        let mut segments = disk.list()?.into_iter().filter(|(name, _)| name.is_segment());
        assert!(segments.all(|(_, len)| len == whole));
        disk.crash();
        assert!(replay(&disk)?.next > durable);
    }
    Ok(())
}

#[test]
fn what_cannot_be_removed_after_a_failure_does_not_pile_up() -> Tested {
    let disk = SimDisk::new(1);
    let mut writer = start(&disk, 1)?;
    disk.set_capacity(Some(disk.used() + 1_000));
    assert!(matches!(fill_up(&mut writer), JournalError::DiskFull));
    for _ in 0..10 {
        assert_eq!(writer.shelf().fill(), Err(Bare::Full(Some(1_000))));
    }
    // One written in part, and its removal fails as well.
    disk.set_capacity(None);
    for failing in 0..3 {
        disk.fail_after(failing, true);
        assert!(matches!(writer.shelf().fill(), Err(Bare::Broken(_))), "{failing}");
        assert!(writer.shelf().fill().is_err());
        disk.heal();
    }
    writer.shelf().fill()?;
    let blanks = disk.names().into_iter().filter(|name| matches!(name, FileName::Blank(_)));
    assert_eq!(blanks.count(), 0);
    Ok(())
}
