//! The business day index: found again after restarts, noticed when it is not whole, made anew.

use crate::world::{NOW, Tested, append, key, record, start};
use pointsman::journal::file::backend::FileName;
use pointsman::journal::{Backend, DayIndex, Options, Reader, SimDisk, recover};
use std::sync::Arc;

/// Three days, 20261120 to 20261122, a few hundred records each.
fn key_of(no: u64) -> (u32, u64) {
    // Every tenth key is one that was there before: a repeat.
    let keyed = if no.is_multiple_of(10) { no / 10 } else { no };
    (20_261_120 + (no / 400) as u32, keyed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn filled(disk: &SimDisk) -> Result<u64, Box<dyn std::error::Error>> {
    let mut writer = start(disk, 1)?;
    for _ in 0..24 {
        append(&mut writer, 50)?;
    }
    writer.idle(NOW)?;
    Ok(writer.durable())
}

fn expect_all(index: &DayIndex, upto: u64) -> Tested {
    for no in 1..=upto {
        let (_, fingerprint) = key_of(no);
        let found = index.find(fingerprint, 7)?;
        assert!(found.contains(&no), "record {no} is not in {found:?}");
        assert!(found.iter().all(|other| key_of(*other).1 == fingerprint));
        assert!(found.is_sorted_by(|a, b| a > b), "{found:?} is not newest first");
    }
    assert!(index.find(1, 7)?.is_empty());
    Ok(())
}

#[test]
fn keys_are_found_before_and_after_a_flush_and_after_a_restart() -> Tested {
    let backend: Arc<dyn Backend> = Arc::new(SimDisk::new(1));
    let mut index = DayIndex::open(Arc::clone(&backend))?;
    for no in 1..=1_200 {
        let (day, fingerprint) = key_of(no);
        index.add(day, fingerprint, no);
        if no == 500 || no == 900 {
            index.flush(no)?;
        }
    }
    expect_all(&index, 1_200)?;
    let (_, old) = key_of(7);
    assert!(index.find(old, 1)?.is_empty(), "that was not on the newest day");
    let mut index = DayIndex::open(Arc::clone(&backend))?;
    assert!(index.is_whole(900) && !index.is_whole(901));
    for no in 400..=1_200 {
        let (day, fingerprint) = key_of(no);
        index.add(day, fingerprint, no);
    }
    assert_eq!(index.pending(), 300, "what was flushed is passed over");
    expect_all(&index, 1_200)?;
    index.flush(1_200)?;
    index.retire(20_261_122)?;
    assert!(index.find(old, 7)?.is_empty());
    assert!(DayIndex::open(backend)?.is_whole(1_200));
    Ok(())
}

#[test]
fn large_blocks_are_searched_wherever_a_fingerprint_lies() -> Tested {
    let backend: Arc<dyn Backend> = Arc::new(SimDisk::new(1));
    let mut index = DayIndex::open(backend)?;
    // Not even at all: a third of them share their upper half.
    let skewed = |no: u64| {
        let (_, fingerprint) = key_of(no * 10 + 1);
        if no.is_multiple_of(3) { fingerprint >> 32 } else { fingerprint }
    };
    for no in 1..=70_000 {
        index.add(20_261_122, skewed(no), no);
    }
    index.flush(70_000)?;
    for no in (1..=70_000).step_by(997) {
        assert!(index.find(skewed(no), 1)?.contains(&no), "record {no}");
    }
    for (no, edge) in [(70_001, 0), (70_002, u64::MAX)] {
        index.add(20_261_122, edge, no);
        index.flush(no)?;
        assert_eq!(index.find(edge, 1)?, [no]);
    }
    Ok(())
}

#[test]
fn what_is_missing_or_damaged_is_noticed_and_made_anew_from_the_segments() -> Tested {
    let disk = SimDisk::new(1);
    let upto = filled(&disk)?;
    let backend: Arc<dyn Backend> = Arc::new(disk.clone());
    let mut rebuilt = 0;
    let mut rebuild = || -> Result<DayIndex, Box<dyn std::error::Error>> {
        rebuilt += 1;
        let map = recover(&disk, &key(), &Options::default(), &mut |_| Ok(()))?.map;
        let mut index = DayIndex::anew(Arc::clone(&backend))?;
        let mut reader = Reader::new(Arc::clone(&backend), key(), map);
        reader.each(1, upto, &mut |no, bytes| {
            assert_eq!(bytes, record(no));
            let (day, fingerprint) = key_of(no);
            index.add(day, fingerprint, no);
            true
        })?;
        index.flush(upto)?;
        Ok(index)
    };
    assert!(!DayIndex::open(Arc::clone(&backend))?.is_whole(upto), "there is none yet");
    expect_all(&rebuild()?, upto)?;
    let index = DayIndex::open(Arc::clone(&backend))?;
    assert!(index.is_whole(upto));
    expect_all(&index, upto)?;

    use pointsman::journal::file::backend::Change;
    disk.change(Change::Remove(FileName::DayIndex(20_261_121)))?;
    assert!(!DayIndex::open(Arc::clone(&backend))?.is_whole(upto), "a day is missing");
    expect_all(&rebuild()?, upto)?;

    let mut index = DayIndex::open(Arc::clone(&backend))?;
    index.add(20_261_121, 5, upto + 1);
    index.flush(upto + 1)?;
    disk.flip(FileName::DayIndex(20_261_121), 9, 2);
    assert!(!DayIndex::open(Arc::clone(&backend))?.is_whole(upto), "a block header rotted");

    expect_all(&rebuild()?, upto)?;
    disk.flip(FileName::DayIndex(20_261_121), 32 + 16 * 5 + 8, 1);
    let index = DayIndex::open(Arc::clone(&backend))?;
    assert!(index.is_whole(upto), "only a look-up sees it");
    let (_, fingerprint) = key_of(500);
    assert!(index.find(fingerprint, 7).is_err(), "a rotten entry is no answer");
    Ok(())
}

#[test]
fn a_crash_between_flushes_loses_no_key_that_a_checkpoint_covers() -> Tested {
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let backend: Arc<dyn Backend> = Arc::new(disk.clone());
        let mut index = DayIndex::open(Arc::clone(&backend))?;
        let mut covered = 0;
        for no in 1..=1_000 {
            let (day, fingerprint) = key_of(no);
            index.add(day, fingerprint, no);
            if no % 150 == seed {
                // The flush may fail at any call; only then no checkpoint is written.
                disk.fail_after(no % 9, true);
                match index.flush(no) {
                    Ok(()) => covered = no,
                    Err(_) => break,
                }
                disk.heal();
            }
        }
        disk.crash();
        let mut index = DayIndex::open(Arc::clone(&backend))?;
        assert!(index.is_whole(covered), "seed {seed}");
        for no in covered + 1..=1_000 {
            let (day, fingerprint) = key_of(no);
            index.add(day, fingerprint, no);
        }
        expect_all(&index, 1_000)?;
    }
    Ok(())
}
