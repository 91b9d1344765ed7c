//! Every kind of damage, everywhere: a bit flipped in every byte, a cut at every byte, sectors
//! lost, segments swapped, removed, forged. Never a wrong record (the replay of [`crate::world`]
//! checks each); refused, or a torn tail above every mark.

use crate::world::{
    NOW, Tested, append, entropy, key, options, record, replay, replay_with, start, start_from,
};
use pointsman::journal::file::backend::FileName;
use pointsman::journal::file::entry::{BATCH_HEADER_LEN, BatchHeader, padded};
use pointsman::journal::file::segment::SegmentHeader;
use pointsman::journal::{
    DataKey, Options, Reader, RecoveryError, SimDisk, Writer, recover, write_checkpoint,
};
use std::sync::Arc;

/// A journal of three lives, 1,100 records and more, in segments of 16 KiB.
struct Sample {
    disk: SimDisk,
    segments: Vec<FileName>,
    /// The largest mark on disk: from here on back nothing may vanish.
    mark: u64,
    next: u64,
}

fn sample() -> Result<Sample, Box<dyn std::error::Error>> {
    let disk = SimDisk::new(5);
    let mut writer = start(&disk, 1)?;
    for (life, records) in [(2, 560), (3, 60)] {
        write_turns(&mut writer, records)?;
        // Not synced: the next life finds a torn tail and cuts it off, for good.
        append(&mut writer, 9)?;
        append(&mut writer, 9)?;
        disk.crash();
        writer = start(&disk, life)?;
    }
    write_turns(&mut writer, 560)?;
    writer.idle(NOW)?;
    let mark = writer.durable();
    append(&mut writer, 5)?;
    writer.sync()?;
    let next = writer.next();
    let mut segments = disk.names();
    segments.retain(|name| matches!(name, FileName::Segment(_)));
    assert!(segments.len() >= 4 && next > 1_100, "{next} records in {segments:?}");
    Ok(Sample { disk, segments, mark, next })
}

fn write_turns(writer: &mut Writer, records: u64) -> Tested {
    let end = writer.next() + records;
    while writer.next() < end {
        append(writer, writer.next() % 23 + 1)?;
        writer.sync()?;
    }
    Ok(())
}

impl Sample {
    /// Recovers the disk as it is now; what came back must be whole up to the mark.
    fn judge(&self, what: &str) -> Option<RecoveryError> {
        self.judge_above(self.mark, what)
    }

    fn judge_above(&self, mark: u64, what: &str) -> Option<RecoveryError> {
        match replay(&self.disk) {
            Ok(recovered) => {
                assert!(recovered.next > mark, "{what}: ends at {}", recovered.next);
                let cut = recovered.next < self.next && mark == self.mark;
                assert!(!cut || !recovered.findings.is_empty(), "{what}: cut off in silence");
                None
            }
            Err(error) => Some(error),
        }
    }

    /// The row, file and offset it is refused with.
    fn damaged_row(&self, what: &str) -> Option<(&'static str, FileName, u64)> {
        match self.judge(what)? {
            RecoveryError::Damage { row, file, offset, .. } => Some((row.name, file, offset)),
            _ => None,
        }
    }

    /// Where the bytes end that hold what a later mark says was durable.
    fn covered(&self, which: usize) -> Result<usize, String> {
        if let Some(next) = self.segments.get(which + 1) {
            let header = SegmentHeader::parse(&self.content(*next)?).ok_or("no header")?;
            return Ok(header.before.end as usize);
        }
        let bytes = self.content(self.segments[which])?;
        let above = batches(&bytes).into_iter().find(|(_, header)| header.first > self.mark);
        above.map(|(at, _)| at).ok_or_else(|| "nothing above the mark".to_owned())
    }

    fn content(&self, name: FileName) -> Result<Vec<u8>, String> {
        self.disk.get(name).ok_or_else(|| format!("{name} is missing"))
    }
}

/// The share of all bytes a test thread takes, so that two cores work.
fn flip_every_byte(of: usize, share: usize) -> Tested {
    let sample = sample()?;
    for (which, name) in sample.segments.iter().enumerate() {
        let len = sample.content(*name)?.len();
        let covered = sample.covered(which)?;
        for at in (share..len).step_by(of) {
            let bit = (at % 8) as u8;
            assert!(sample.disk.flip(*name, at, bit));
            let what = format!("{name} byte {at} bit {bit}");
            // All of what is known to have been durable is watched; what is not covered are
            // zeros, cut-off tails and the batches above every mark.
            assert_eq!(sample.judge(&what).is_some(), at < covered, "{what}");
            assert!(sample.disk.flip(*name, at, bit));
        }
    }
    assert!(sample.judge("restored").is_none());
    Ok(())
}

#[test]
fn a_bit_flipped_in_every_even_byte_never_gives_a_wrong_record() -> Tested {
    flip_every_byte(2, 0)
}

#[test]
fn a_bit_flipped_in_every_odd_byte_never_gives_a_wrong_record() -> Tested {
    flip_every_byte(2, 1)
}

#[test]
fn a_journal_cut_at_every_byte_is_refused() -> Tested {
    let sample = sample()?;
    for name in &sample.segments {
        let whole = sample.content(*name)?;
        for len in 0..whole.len() {
            sample.disk.put(*name, whole[..len].to_vec());
            let error = sample.judge(&format!("{name} cut to {len}"));
            assert!(error.is_some(), "{name} cut to {len} was accepted");
        }
        sample.disk.put(*name, whole);
    }
    Ok(())
}

#[test]
fn zeros_from_every_byte_on_give_a_prefix_or_a_refusal() -> Tested {
    let sample = sample()?;
    let newest = sample.segments.len() - 1;
    for (which, name) in sample.segments.iter().enumerate() {
        let whole = sample.content(*name)?;
        let mut most = 0;
        for from in (0..whole.len()).step_by(3) {
            let mut bytes = whole.clone();
            bytes[from..].fill(0);
            sample.disk.put(*name, bytes);
            let Ok(recovered) = replay(&sample.disk) else { continue };
            let kept = recovered.next;
            assert!(which == newest || kept == sample.next, "{name} zeroed from {from}");
            assert!(kept >= most, "{name} zeroed from {from} keeps less than zeroed earlier");
            most = kept;
        }
        sample.disk.put(*name, whole);
    }
    Ok(())
}

#[test]
fn any_lost_sector_is_refused_or_lies_above_every_mark() -> Tested {
    let sample = sample()?;
    let newest = sample.segments[sample.segments.len() - 1];
    for name in &sample.segments {
        let whole = sample.content(*name)?;
        for (sector, _) in whole.chunks(512).enumerate() {
            for filler in [0, 0xA5] {
                let mut bytes = whole.clone();
                bytes[sector * 512..][..512].fill(filler);
                // What the sector held may have been the newest marks themselves.
                let mark = if *name == newest { marks(&bytes) } else { sample.mark };
                sample.disk.put(*name, bytes);
                sample.judge_above(mark, &format!("{name} sector {sector} filled with {filler}"));
            }
        }
        sample.disk.put(*name, whole);
    }
    Ok(())
}

#[test]
fn swapped_copied_missing_and_stale_segments_are_refused() -> Tested {
    let sample = sample()?;
    let refused = |what: &str, rows: &[&str]| {
        let row = sample.damaged_row(what).map(|(row, ..)| row);
        assert!(row.is_some_and(|row| rows.contains(&row)), "{what}: {row:?}");
    };
    for (i, first) in sample.segments.iter().enumerate() {
        let one = sample.content(*first)?;
        for second in &sample.segments[i + 1..] {
            let two = sample.content(*second)?;
            sample.disk.put(*first, two.clone());
            refused("copied over another", &["S7"]);
            sample.disk.put(*second, one.clone());
            refused("swapped", &["S7"]);
            sample.disk.put(*first, one.clone());
            sample.disk.put(*second, two);
        }
    }
    let oldest = sample.segments[0];
    let second = sample.segments[1];
    let whole = sample.content(oldest)?;
    // An older copy of the same file: every batch in it is genuine, its end is missing.
    let mut stale = whole.clone();
    stale[whole.len() / 2 / 64 * 64..].fill(0);
    sample.disk.put(oldest, stale);
    refused("replaced by an older copy", &["P8", "P6", "P3"]);
    sample.disk.put(oldest, whole);
    for missing in [oldest, second] {
        let disk = sample.disk.fork(1);
        remove(&disk, missing)?;
        let error = replay(&disk).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("(row M1)") || error.contains("(row S9)"), "{missing}: {error}");
    }
    Ok(())
}

fn remove(disk: &SimDisk, name: FileName) -> Tested {
    use pointsman::journal::Backend;
    use pointsman::journal::file::backend::{Change, Sync};
    disk.change(Change::Remove(name))?;
    Ok(disk.sync(Sync::Folder)?)
}

#[test]
fn the_newest_segment_missing_is_told_by_a_checkpoint() -> Tested {
    let sample = sample()?;
    let newest = sample.segments[sample.segments.len() - 1];
    let recovered = replay(&sample.disk)?;
    let upto = recovered.next - 1;
    let state = format!("state {upto}");
    let map = recovered.map;
    write_checkpoint(&sample.disk, &key(), &map, &mut entropy(3), upto, state.as_bytes())?;
    remove(&sample.disk, newest)?;
    let error = replay(&sample.disk).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("row M3"), "{error}");
    Ok(())
}

/// Where the batches of a segment stand, by their own headers.
fn batches(segment: &[u8]) -> Vec<(usize, BatchHeader)> {
    let mut found = Vec::new();
    let mut at = 256;
    while let Some(header) = segment.get(at..).and_then(BatchHeader::parse) {
        found.push((at, header));
        at += header.total_len();
    }
    found
}

/// The largest mark in the batch headers of a segment, found without following the chain.
fn marks(segment: &[u8]) -> u64 {
    let headers = segment.chunks(BATCH_HEADER_LEN).filter_map(BatchHeader::parse);
    headers.map(|header| header.durable).max().unwrap_or(0)
}

/// Changes a batch and repairs its checksums, as somebody without the key could.
fn forge(segment: &mut [u8], at: usize, change: impl FnOnce(&mut BatchHeader, &mut [u8])) {
    let Some(mut header) = BatchHeader::parse(&segment[at..]) else { return };
    let body = at + BATCH_HEADER_LEN..at + BATCH_HEADER_LEN + padded(header.body_len as usize);
    change(&mut header, &mut segment[body.clone()]);
    header.body_crc = crc32fast::hash(&segment[body]);
    segment[at..at + BATCH_HEADER_LEN].copy_from_slice(&header.encode());
}

type Forgery = Box<dyn FnOnce(&mut BatchHeader, &mut [u8])>;

#[test]
fn a_forger_who_repairs_checksums_is_found_by_the_seal() -> Tested {
    let sample = sample()?;
    let name = sample.segments[1];
    let whole = sample.content(name)?;
    let all = batches(&whole);
    let (at, _) = all[3];
    let forgeries: [(&str, Forgery); 4] = [
        ("a record", Box::new(|_, body| body[5] ^= 1)),
        ("the mark", Box::new(|header, _| header.durable -= 1)),
        ("the tag", Box::new(|header, _| header.tag[0] ^= 1)),
        ("the count", Box::new(|header, _| header.records += 1)),
    ];
    for (what, change) in forgeries {
        let mut bytes = whole.clone();
        forge(&mut bytes, at, change);
        sample.disk.put(name, bytes);
        assert_eq!(sample.damaged_row(what), Some(("P2", name, at as u64)), "{what}");
    }
    // A batch left out: those behind it moved up, sequence and numbers repaired.
    let mut bytes = whole.clone();
    let (next, header) = all[4];
    bytes.copy_within(next..next + header.total_len(), at);
    sample.disk.put(name, bytes);
    let error = sample.judge("a batch moved").map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("row P5"), "{error}");
    Ok(())
}

#[test]
fn a_newer_format_and_another_key_are_refused_by_name() -> Tested {
    let sample = sample()?;
    let name = sample.segments[2];
    let mut bytes = sample.content(name)?;
    bytes[8] = 9;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..12]);
    crc.update(&bytes[16..256]);
    bytes[12..16].copy_from_slice(&crc.finalize().to_le_bytes());
    sample.disk.put(name, bytes);
    let newer = sample.judge("newer");
    assert!(
        matches!(newer, Some(RecoveryError::NewerFormat { file, found: 9, .. }) if file == name),
        "{newer:?}"
    );
    let other = DataKey::new([8; 32]);
    let error = recover(&sample.disk, &other, &options(), &mut |_| Ok(()));
    assert!(matches!(error, Err(RecoveryError::WrongKey { .. })), "{error:?}");
    Ok(())
}

#[test]
fn damage_says_where_which_row_and_which_command_accepts_it() -> Tested {
    let sample = sample()?;
    let name = sample.segments[1];
    let (at, header) = batches(&sample.content(name)?)[2];
    sample.disk.flip(name, at + BATCH_HEADER_LEN + 1, 0);
    let message = sample.judge("flipped").map(|error| error.to_string()).unwrap_or_default();
    for part in [
        &name.to_string(),
        &format!("byte {at}"),
        "row P4",
        &format!("record number {}", header.first).replace("record number", "records from number"),
        "--accept-loss",
        "nothing was deleted",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    Ok(())
}

#[test]
fn an_accepted_loss_costs_what_was_hit_and_nothing_else() -> Tested {
    let accepting = Options { accept_loss: true, ..options() };
    let sample = sample()?;
    let name = sample.segments[1];
    let all = batches(&sample.content(name)?);
    let (at, hit) = all[2];
    sample.disk.flip(name, at + BATCH_HEADER_LEN + 1, 0);
    let mut lost = Vec::new();
    let recovered = replay_with(&sample.disk, &accepting, &mut lost)?;
    assert_eq!(lost, [(hit.first, hit.next() - 1)], "the body of one batch");
    assert!(recovered.needs_checkpoint && recovered.next == sample.next);
    let mut reader = Reader::new(Arc::new(sample.disk.clone()), key(), recovered.map);
    assert!(reader.read(hit.first).is_err());
    assert_eq!(reader.read(hit.next())?, Some(record(hit.next())));
    assert_eq!(reader.lost_before(), None);

    // To a reader that is told of the loss it is not there; nor is what else it cannot find in
    // that segment when it hands out all, and it says from when on it knows everything.
    let FileName::Segment(segment) = name else { return Err("no segment".into()) };
    let mut reader = reader.without(Arc::new([(segment, at as u64)].into()));
    assert_eq!(reader.read(hit.first)?, None);
    assert_eq!(reader.read(hit.next())?, Some(record(hit.next())));
    let mut seen = Vec::new();
    reader.each(1, sample.next - 1, &mut |no, _| {
        seen.push(no);
        true
    })?;
    let (before, behind) = seen.split_at(usize::try_from(hit.first)? - 1);
    assert_eq!(before.last(), Some(&(hit.first - 1)));
    let resumes = *behind.first().ok_or("nothing behind the damage")?;
    assert!(resumes > hit.next() && behind.iter().copied().eq(resumes..sample.next));
    assert_eq!(reader.lost_before(), Some(NOW.millis()));

    // A header hit as well: the batch behind it cannot be opened without its tag.
    let (at, hit) = all[5];
    sample.disk.flip(name, at + 20, 0);
    lost.clear();
    let recovered = replay_with(&sample.disk, &accepting, &mut lost)?;
    assert_eq!(lost[1..], [(hit.first, all[6].1.next() - 1)], "two batches");

    // Going on from there: refused until a checkpoint covers the damage, then plain again.
    let mut writer = start_from(&sample.disk, &recovered, 8, accepting)?;
    append(&mut writer, 3)?;
    let upto = writer.sync()?;
    assert!(replay(&sample.disk).is_err());
    let state = format!("state {upto}");
    let map = writer.map();
    write_checkpoint(&sample.disk, &key(), &map, &mut entropy(77), upto, state.as_bytes())?;
    append(&mut writer, 3)?;
    let upto = writer.sync()?;
    assert_eq!(replay(&sample.disk)?.next, upto + 1);
    Ok(())
}

#[test]
fn any_flipped_bit_can_be_accepted_as_a_loss_without_a_wrong_record() -> Tested {
    let accepting = Options { accept_loss: true, ..options() };
    let sample = sample()?;
    for name in &sample.segments {
        let len = sample.content(*name)?.len();
        for at in (0..len).step_by(37) {
            sample.disk.flip(*name, at, (at % 8) as u8);
            let recovered = replay_with(&sample.disk, &accepting, &mut Vec::new())?;
            assert!(recovered.next > sample.mark, "{name} byte {at}: {}", recovered.next);
            sample.disk.flip(*name, at, (at % 8) as u8);
        }
    }
    Ok(())
}
