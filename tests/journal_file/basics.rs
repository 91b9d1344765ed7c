//! What the journal promises while nothing is damaged: durability, reading back, checkpoints, a
//! full disk, restarts.

use crate::world::{NOW, Tested, append, append_as, entropy, key, record, replay, start};
use pointsman::journal::file::backend::FileName;
use pointsman::journal::{
    Class, JournalError, Reader, Replayed, Retention, SimDisk, prune_checkpoints, retire, walk_all,
    write_checkpoint,
};
use pointsman::time::Wall;
use std::sync::Arc;

#[test]
fn what_was_synced_survives_a_power_cut_and_what_was_not_is_cut_off() -> Tested {
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let mut durable = 0;
        for life in 0..4 {
            let mut writer = start(&disk, seed * 10 + life)?;
            assert!(writer.next() > durable, "seed {seed}: {durable} was durable");
            // What a start found, it vouches for.
            durable = writer.durable();
            for turn in 0..30 {
                append(&mut writer, turn % 7)?;
                if turn % 3 == 0 {
                    durable = writer.sync()?;
                }
            }
            // Every third life ends with the process only.
            if (seed + life) % 3 > 0 {
                disk.crash();
            }
        }
        assert!(replay(&disk)?.next > durable);
    }
    Ok(())
}

#[test]
fn records_are_read_back_by_number_beside_the_writer() -> Tested {
    let disk = SimDisk::new(1);
    let mut writer = start(&disk, 1)?;
    let mut reader = Reader::new(Arc::new(disk.clone()), key(), writer.map());
    for _ in 0..200 {
        append(&mut writer, 9)?;
    }
    let newest = writer.next() - 1;
    assert_eq!(reader.read(newest)?, None, "not durable yet");
    let durable = writer.sync()?;
    for no in 1..=durable {
        assert_eq!(reader.read(no)?, Some(record(no)), "record {no}");
    }
    assert_eq!(reader.read(durable + 1)?, None);
    let recovered = replay(&disk)?;
    let mut reader = Reader::new(Arc::new(disk), key(), recovered.map);
    assert_eq!(reader.read(777)?, Some(record(777)));
    Ok(())
}

#[test]
fn a_restart_starts_from_the_newest_checkpoint_and_an_older_one_if_that_is_damaged() -> Tested {
    let disk = SimDisk::new(1);
    let mut writer = start(&disk, 1)?;
    for upto in [500_u64, 1_000] {
        append(&mut writer, 100)?;
        assert!(
            write_checkpoint(&disk, &key(), &writer.map(), &mut entropy(9), upto, b"").is_err()
        );
        while writer.next() <= upto {
            append(&mut writer, 50)?;
        }
        writer.sync()?;
        let state = format!("state {upto}");
        write_checkpoint(&disk, &key(), &writer.map(), &mut entropy(upto), upto, state.as_bytes())?;
    }
    append(&mut writer, 20)?;
    writer.sync()?;
    let next = writer.next();
    drop(writer);
    let recovered = replay(&disk)?;
    assert_eq!((recovered.checkpoint, recovered.next), (Some(1_000), next));
    assert_eq!(recovered.records, next - 1_001);
    let file = FileName::Checkpoint(1_000);
    assert!(disk.flip(file, 100, 3));
    let recovered = replay(&disk)?;
    assert_eq!((recovered.checkpoint, recovered.next), (Some(500), next));
    assert_eq!(recovered.findings.first().map(|finding| finding.row.name), Some("C3"));
    assert!(disk.flip(file, 100, 3));
    assert_eq!(prune_checkpoints(&disk, 1)?, Some(1_000));
    assert_eq!(replay(&disk)?.checkpoint, Some(1_000));
    Ok(())
}

#[test]
fn what_is_retired_while_all_is_read_is_passed_over_and_nothing_behind_it() -> Tested {
    let disk = SimDisk::new(1);
    let retention = Retention { keep_ms: 0, archive: None };
    let mut writer = start(&disk, 1)?;
    for _ in 0..30 {
        append(&mut writer, 100)?;
    }
    let upto = writer.sync()?;
    let (map, shelf, extent) = (writer.map(), writer.shelf(), writer.extent());
    let mut reader = Reader::new(Arc::new(disk.clone()), key(), writer.map());
    let (mut seen, mut failed) = (Vec::new(), None);
    reader.each(1, upto, &mut |no, _| {
        if no == 10 {
            let gone = retire(&disk, &map, (&shelf, &extent), &retention, 2_000, NOW);
            failed = gone.map_or_else(
                |e| Some(e.to_string()),
                |gone| (gone.len() < 3).then(|| format!("only {gone:?} went")),
            );
        }
        seen.push(no);
        true
    })?;
    assert_eq!(failed, None);
    let oldest = map.all().first().map_or(0, |segment| segment.header.first);
    let kept: Vec<u64> = seen.iter().copied().filter(|no| *no >= oldest).collect();
    assert_eq!(kept, (oldest..=upto).collect::<Vec<_>>());
    assert!(seen.is_sorted() && kept.len() < seen.len(), "{oldest}");
    Ok(())
}

#[test]
fn old_segments_go_to_the_archive_and_are_recycled_when_nothing_needs_them() -> Tested {
    let disk = SimDisk::new(1);
    let archive = SimDisk::new(2);
    let retention = Retention { keep_ms: 1_000, archive: Some(Arc::new(archive.clone())) };
    let old = Wall::from_millis(NOW.millis() + 1_000);
    let mut writer = start(&disk, 1)?;
    let mut reader = Reader::new(Arc::new(disk.clone()), key(), writer.map());
    let (mut most, mut retired) = (0, 0);
    for _ in 0..100 {
        append(&mut writer, 100)?;
        let upto = writer.sync()?;
        let state = format!("state {upto}");
        write_checkpoint(&disk, &key(), &writer.map(), &mut entropy(upto), upto, state.as_bytes())?;
        let covered = prune_checkpoints(&disk, 2)?.unwrap_or(0);
        let (map, shelf, extent) = (writer.map(), writer.shelf(), writer.extent());
        let gone = retire(&disk, &map, (&shelf, &extent), &retention, covered, NOW)?;
        assert!(gone.is_empty(), "too young");
        retired += retire(&disk, &map, (&shelf, &extent), &retention, covered, old)?.len() as u64;
        most = most.max(disk.used());
        assert_eq!(reader.read(upto)?, Some(record(upto)));
    }
    // Three checkpoints, four spares or segments beside the newest: it does not grow.
    assert!(most < 9 * 16_384, "{most} bytes");
    assert_eq!(reader.read(1)?, None, "retired");
    // Every one became a spare, and the writer went on in it.
    assert_eq!((writer.shelf().recycled(), retired > 8), (retired, true));
    let upto = writer.durable();
    disk.crash();
    assert_eq!(replay(&disk)?.next, upto + 1);

    // The archive holds all of them, and the chain through them is unbroken.
    let mut next = 1;
    let walked = walk_all(&archive, Some(&key()), &mut |_, _, replayed| {
        if let Replayed::Record { no, bytes } = replayed {
            assert_eq!((no, bytes), (next, record(no)));
            next += 1;
        }
        Ok(())
    })?;
    assert!(walked.findings.is_empty() && next > 9_000, "{next} {:?}", walked.findings);
    Ok(())
}

#[test]
fn a_full_disk_refuses_what_is_new_and_takes_what_must_end_and_gets_well() -> Tested {
    let disk = SimDisk::new(1);
    let mut writer = start(&disk, 1)?;
    disk.set_capacity(Some(disk.used()));
    let refused = loop {
        if let Err(error) = append(&mut writer, 20) {
            break error;
        }
    };
    assert!(matches!(refused, JournalError::DiskFull), "{refused}");
    for _ in 0..5 {
        append_as(&mut writer, 20, Class::Essential)?;
    }
    assert!(matches!(append(&mut writer, 1), Err(JournalError::DiskFull)), "kept for outcomes");
    writer.sync()?;
    disk.set_capacity(None);
    writer.shelf().fill()?;
    append(&mut writer, 1)?;
    let durable = writer.sync()?;
    disk.crash();
    assert_eq!(replay(&disk)?.next, durable + 1);
    Ok(())
}

#[test]
fn restarts_without_traffic_do_not_pile_up_segments() -> Tested {
    let disk = SimDisk::new(1);
    let mut writer = start(&disk, 1)?;
    append(&mut writer, 5)?;
    writer.sync()?;
    drop(writer);
    let before = start(&disk, 2).map(|_| disk.names().len())?;
    for life in 3..20 {
        start(&disk, life)?.idle(NOW)?;
    }
    assert_eq!(disk.names().len(), before);
    assert_eq!(replay(&disk)?.next, 6);
    Ok(())
}
