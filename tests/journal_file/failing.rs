//! Disks that fail: the Nth call for every N, and the planted bugs of the journal.

use crate::world::{
    NOW, Tested, append, append_as, entropy, key, options, replay, start, start_from,
};
use pointsman::journal::{
    Class, JournalError, KeyEncryptionKey, SimDisk, Writer, open_keys, prune_checkpoints,
    write_checkpoint,
};
use std::error::Error;

/// What one life does to the disk: everything the journal can do.
fn live(disk: &SimDisk, seed: u64, durable: &mut u64) -> Result<(), Box<dyn Error>> {
    let wrap = KeyEncryptionKey::new([1; 32]);
    open_keys(disk, &wrap, &mut entropy(99))?;
    let mut writer = start(disk, seed)?;
    *durable = (*durable).max(writer.durable());
    let lived = traffic(disk, &mut writer, durable);
    // Only a checkpoint may fail without poisoning the writer: it stands in a file of its own.
    let checkpoint = matches!(&lived, Err(error) if error.to_string().contains("checkpoint"));
    assert_eq!(writer.poison().is_some(), lived.is_err() && !checkpoint, "{lived:?}");
    if let Some(poison) = writer.poison().map(str::to_owned) {
        let again = append(&mut writer, 1);
        assert!(matches!(&again, Err(JournalError::Poisoned { .. })), "{again:?} after {poison}");
        let again = writer.sync();
        assert!(matches!(&again, Err(JournalError::Poisoned { .. })), "{again:?} after {poison}");
    }
    // A statement of the extent that the disk refused stops nothing, and is told.
    match writer.extent().failed() {
        Some((_, why)) => lived.and(Err(why.into())),
        None => lived,
    }
}

fn traffic(disk: &SimDisk, writer: &mut Writer, durable: &mut u64) -> Result<(), Box<dyn Error>> {
    for turn in 0..45 {
        match append(writer, 40) {
            // What was decided goes to the reserve then.
            Err(JournalError::DiskFull) => append_as(writer, 40, Class::Essential)?,
            other => other?,
        };
        if turn % 2 == 0 {
            *durable = writer.sync()?;
        }
        if turn == 25 {
            let upto = *durable;
            let state = format!("state {upto}");
            write_checkpoint(disk, &key(), &writer.map(), &mut entropy(7), upto, state.as_bytes())?;
            prune_checkpoints(disk, 1).map_err(|error| format!("checkpoint: {error}"))?;
        }
    }
    writer.idle(NOW)?;
    *durable = writer.durable();
    Ok(())
}

/// How many calls a whole life makes.
fn calls_of_a_life() -> Result<u64, Box<dyn Error>> {
    let disk = SimDisk::new(1);
    live(&disk, 1, &mut 0)?;
    Ok(disk.done().calls)
}

/// How a life ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// The power goes.
    Power,
    /// The process ends and is started again, with the page cache as it was; then the power goes.
    ProcessThenPower,
}

fn fail_every_call(for_good: bool, end: End) -> Tested {
    let calls = calls_of_a_life()?;
    assert!(calls > 80, "{calls}");
    // A spare that cannot be made or used is no failure: another is.
    let mut unheard = 0;
    for n in 0..calls {
        let disk = SimDisk::new(n);
        let mut durable = 0;
        disk.fail_after(n, for_good);
        let lived = live(&disk, 1, &mut durable);
        assert!(lived.is_err() || !for_good, "call {n} of {calls} failed and nobody heard");
        unheard += u64::from(lived.is_ok());
        if end == End::ProcessThenPower {
            disk.heal();
            open_keys(&disk, &KeyEncryptionKey::new([1; 32]), &mut entropy(98))?;
            let started = start(&disk, 3).map_err(|error| format!("call {n}: {error}"))?;
            assert!(started.durable() >= durable, "call {n}");
            durable = started.durable();
        }
        disk.crash();
        let recovered = replay(&disk).map_err(|error| format!("call {n}: {error}"))?;
        assert!(recovered.next > durable, "call {n}: {} after {durable}", recovered.next);
        live(&disk, 2, &mut durable).map_err(|error| format!("after call {n}: {error}"))?;
        disk.crash();
        assert!(replay(&disk)?.next > durable);
    }
    assert!(for_good || (unheard > 0 && unheard * 2 < calls), "{unheard} of {calls}");
    Ok(())
}

#[test]
fn every_call_may_fail_once_and_nothing_durable_is_lost() -> Tested {
    fail_every_call(false, End::Power)
}

#[test]
fn the_disk_may_die_at_every_call_and_nothing_durable_is_lost() -> Tested {
    fail_every_call(true, End::Power)
}

#[test]
fn after_any_failure_a_restart_vouches_only_for_what_reached_the_medium() -> Tested {
    fail_every_call(false, End::ProcessThenPower)?;
    fail_every_call(true, End::ProcessThenPower)
}

#[test]
fn a_start_that_fails_at_any_call_can_be_tried_again() -> Tested {
    for n in 0..60 {
        let disk = SimDisk::new(n);
        let mut durable = 0;
        live(&disk, 1, &mut durable)?;
        disk.crash();
        disk.fail_after(n, n % 2 == 0);
        // Beyond some n the start succeeds and the failure comes later; both must be survived.
        if let Ok(mut writer) = start(&disk, 2)
            && append(&mut writer, 3).is_ok()
        {
            durable = writer.sync().unwrap_or(durable);
        }
        disk.crash();
        assert!(replay(&disk)?.next > durable, "call {n}");
    }
    Ok(())
}

#[test]
fn a_full_disk_at_any_size_neither_poisons_nor_loses() -> Tested {
    for spare_bytes in (0..160_u64 << 10).step_by(1 << 10) {
        let disk = SimDisk::new(spare_bytes);
        let mut writer = start(&disk, 1)?;
        disk.set_capacity(Some(disk.used() + spare_bytes));
        let mut refused = 0;
        for _ in 0..80 {
            match append(&mut writer, 30) {
                Ok(_) => {}
                Err(JournalError::DiskFull) => refused += 1,
                Err(other) => return Err(other.into()),
            }
        }
        let durable = writer.sync()?;
        assert!(refused > 0 || spare_bytes > 0);
        disk.crash();
        disk.set_capacity(None);
        assert!(replay(&disk)?.next > durable);
        let recovered = replay(&disk)?;
        let mut writer = start_from(&disk, &recovered, 2, options())?;
        append(&mut writer, 10)?;
    }
    Ok(())
}

/// The planted bugs are found by what these tests check.
#[cfg(feature = "faults")]
mod planted {
    use super::*;
    use crate::world::replay_with;
    use pointsman::journal::Options;
    use pointsman::journal::file::backend::FileName;
    use pointsman::journal::file::options::Plant;

    #[test]
    fn without_directory_syncs_durable_records_vanish() -> Tested {
        let planted = Options { plant: Plant::NoFolderSync, ..options() };
        let mut caught = 0;
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            let recovered = replay(&disk)?;
            let mut writer = start_from(&disk, &recovered, seed, planted)?;
            let mut durable = 0;
            for _ in 0..40 {
                append(&mut writer, 20)?;
                durable = writer.sync()?;
            }
            disk.crash();
            caught += u32::from(!replay(&disk).is_ok_and(|found| found.next > durable));
        }
        assert!(caught > 10, "caught {caught} of 50");
        Ok(())
    }

    #[test]
    fn a_middle_that_is_cut_off_loses_durable_records() -> Tested {
        let planted = Options { plant: Plant::MiddleTruncationAccepted, ..options() };
        let disk = SimDisk::new(1);
        let mut writer = start(&disk, 1)?;
        for _ in 0..40 {
            append(&mut writer, 5)?;
        }
        writer.idle(NOW)?;
        disk.flip(FileName::Segment(1), 2_000, 1);
        assert!(replay(&disk).is_err(), "the sound one refuses");
        let found = replay_with(&disk, &planted, &mut Vec::new())?;
        assert!(found.next <= writer.durable(), "the planted one forgets");
        Ok(())
    }
}
