//! The decision tables of recovery: what to make of each place in a segment and of each segment
//! file. Columns are yes/no checks, rows are verdicts, each with how it arises.
//!
//! Contract: pure data; exactly one row matches every combination of checks (a test walks all).
//! The rule behind it: what a later mark says was durable must be there and intact, or the start
//! is refused; above every mark a crash may have left anything, and it is cut off. Nothing here
//! reads a disk or a key.

/// What recovery does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Use it and go on behind it.
    Accept,
    /// Nothing was written here: the clean end.
    End,
    /// A write the crash tore, above every mark: cut off, warn.
    Torn,
    /// What was durable is gone or altered: refuse.
    Damage,
    /// Written by a newer program: refuse by name.
    Newer,
    /// A checkpoint of an older program: pass over, the records tell the same.
    Older,
    /// Written under another data key: refuse by name.
    OtherKey,
    /// No crash, disk or hand can cause this combination: refuse, report a bug.
    Impossible,
}

/// A row: the pattern over the columns, the verdict, and how it arises.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, quoted in errors.
    pub name: &'static str,
    /// One character per column: `Y`, `N` or `-` (either).
    pub pattern: &'static str,
    /// What to do.
    pub verdict: Verdict,
    /// What is wrong, for people.
    pub cause: &'static str,
}

/// The columns for a place in a segment where a batch may stand, in this order:
///
/// 1. *marked*: a later mark, or the header of the next segment, says that what stood here was
///    durable
/// 2. *blank*: zeros, or what the file held in an earlier life, or no room for a header
/// 3. *header*: magic and CRC of the batch header are right
/// 4. *in place*: stamp, sequence and first number are the expected ones, and it ends in time
/// 5. *body*: its CRC is right
/// 6. *seal*: it opens (always yes where no key is at hand)
/// 7. *later*: an intact batch of this segment stands further on
pub const PLACE_COLUMNS: usize = 7;

/// What to make of a place in a segment.
#[rustfmt::skip]
pub static PLACE_ROWS: &[Row] = &[
    // The ordinary case.
    row("P1", "-NYYYY-", Verdict::Accept, "intact"),
    // Everything is right but the seal: no torn write gives a right CRC. Somebody altered it and
    // repaired the CRC, or a batch was moved here from another journal.
    row("P2", "-NYYYN-", Verdict::Damage, "the seal does not open: altered, or not from here"),
    // Its body rotted or was cut, and a later mark says that it had been durable.
    row("P3", "YNYYN-N", Verdict::Damage, "the checksum of the last durable batch is wrong"),
    row("P4", "YNYYN-Y", Verdict::Damage, "a batch's checksum is wrong, intact batches follow"),
    // A whole batch, but not the one that belongs here. No crash moves batches, so it does not
    // matter whether a mark covers it.
    row("P5", "-NYN---", Verdict::Damage, "an intact batch that does not belong here"),
    // The header rotted; a later mark says that there was a batch.
    row("P6", "YNN---N", Verdict::Damage, "no batch header where the last durable batch was"),
    row("P7", "YNN---Y", Verdict::Damage, "no batch header where one was, intact batches follow"),
    // Zeros where something durable was: the disk forgot a write it had confirmed, or the file
    // was replaced by an older copy, or its end was overwritten.
    row("P8", "YYN---N", Verdict::Damage, "nothing where durable records were"),
    row("P9", "YYN---Y", Verdict::Damage, "nothing where durable records were, batches follow"),
    // The crash came while the body was being written; nobody was told it is durable.
    row("P10", "NNYYN--", Verdict::Torn, "a batch was being written when the machine stopped"),
    // The same, but not even the header arrived whole.
    row("P11", "NNN----", Verdict::Torn, "a header was being written when the machine stopped"),
    // Two writes were under way and the disk finished the later one first.
    row("P12", "NYN---Y", Verdict::Torn, "a write is missing, a later unconfirmed one is there"),
    // Nothing was written any more.
    row("P13", "NYN---N", Verdict::End, "the end"),
    // A place cannot be blank and hold a header of ours.
    row("P14", "-YY----", Verdict::Impossible, "blank and not blank: a bug of this program"),
];

/// The columns for a segment file, in this order:
///
/// 1. *magic*: it starts like a segment
/// 2. *checksum*: the header's CRC is right
/// 3. *version*: this program reads its format
/// 4. *key*: it names the data key at hand
/// 5. *seal*: the header's seal opens (always yes where no key is at hand)
/// 6. *named*: it says the id its name says
/// 7. *whole*: the file is as long as the header says
/// 8. *linked*: it continues the segment before it, end and tag (yes for the oldest one kept)
/// 9. *counted*: its first record is the next one
pub const SEGMENT_COLUMNS: usize = 9;

/// What to make of a segment file, before its batches are looked at. A segment gets its name only
/// after its header and its full length were synced, so no crash leaves any of the damage rows.
#[rustfmt::skip]
pub static SEGMENT_ROWS: &[Row] = &[
    row("S1", "YYYYYYYYY", Verdict::Accept, "intact"),
    // Rot in the first bytes, or a file that was never ours.
    row("S2", "N--------", Verdict::Damage, "it does not start like a segment"),
    // Rot in the header.
    row("S3", "YN-------", Verdict::Damage, "the header's checksum is wrong"),
    // A downgrade of the program.
    row("S4", "YYN------", Verdict::Newer, "a newer format"),
    // The key file was exchanged, or the segment comes from another journal.
    row("S5", "YYYN-----", Verdict::OtherKey, "its key id is another one"),
    // Somebody altered the header and repaired the CRC.
    row("S6", "YYYYN----", Verdict::Damage, "the header's seal does not open"),
    // Two segments were swapped, or one was copied over another.
    row("S7", "YYYYYN---", Verdict::Damage, "it is another segment under this name"),
    // A copy that stopped half-way, or a truncation by hand.
    row("S8", "YYYYYYN--", Verdict::Damage, "the file is not as long as its header says"),
    // A segment between the two is missing, or one was replaced by an older copy.
    row("S9", "YYYYYYYN-", Verdict::Damage, "it does not continue the segment before it"),
    // The chain holds but the numbers do not: after an accepted loss without a checkpoint.
    row("S10", "YYYYYYYYN", Verdict::Damage, "its first record is not the next one"),
];

/// The columns for a checkpoint file, in this order: *magic*; *checksum* of the whole file;
/// *known*: its format is not newer than this program's; *current*: nor older; *key*: it names the
/// data key at hand; *seal*: header and pieces open; *named*: it says the record number and length
/// its name and file say.
pub const CHECKPOINT_COLUMNS: usize = 7;

/// What to make of a checkpoint file. It gets its name only after it was written and synced, so
/// no crash leaves a damage row; one that is damaged or of an older format is passed over for
/// another, and told.
#[rustfmt::skip]
pub static CHECKPOINT_ROWS: &[Row] = &[
    row("C1", "YYYYYYY", Verdict::Accept, "intact"),
    row("C2", "N------", Verdict::Damage, "it does not start like a checkpoint"),
    row("C3", "YN-----", Verdict::Damage, "its checksum is wrong"),
    // A downgrade of the program.
    row("C4", "YYN----", Verdict::Newer, "a newer format"),
    // An upgrade of the program.
    row("C8", "YYYN---", Verdict::Older, "an older format: passed over, records tell the same"),
    // The key file was exchanged, or it comes from another journal.
    row("C5", "YYYYN--", Verdict::OtherKey, "its key id is another one"),
    // Somebody altered it and repaired the checksum.
    row("C6", "YYYYYN-", Verdict::Damage, "its seal does not open"),
    // It was renamed or copied over another.
    row("C7", "YYYYYYN", Verdict::Damage, "it is another checkpoint under this name"),
];

/// A checkpoint that is intact, and that the caller passed over.
pub static OLDER_STATE: Row = row(
    "C9",
    "",
    Verdict::Older,
    "its state has an older format: passed over, records tell the same",
);

const fn row(
    name: &'static str,
    pattern: &'static str,
    verdict: Verdict,
    cause: &'static str,
) -> Row {
    Row { name, pattern, verdict, cause }
}

/// A checkpoint vouches for records that no segment holds any more.
pub static MISSING_SEGMENTS: Row =
    row("M1", "", Verdict::Damage, "the segments that hold these records are missing");

/// The newest segments, which were opened, are not there.
pub static NEWEST_MISSING: Row =
    row("M3", "", Verdict::Damage, "the newest segments, which were opened, are missing");

/// There are segments, and the statement of what there must be is gone.
pub static EXTENT_MISSING: Row =
    row("E1", "", Verdict::Damage, "what the journal must hold is not stated any more");
/// Neither slot of the extent is whole.
pub static EXTENT_DAMAGED: Row =
    row("E2", "", Verdict::Damage, "what the journal must hold cannot be read");
/// A statement that was altered, and its checksum repaired.
pub static EXTENT_FORGED: Row =
    row("E3", "", Verdict::Damage, "what the journal must hold was altered: the seal is wrong");
/// Segments name a newer statement than there is.
pub static EXTENT_OLDER: Row =
    row("E4", "", Verdict::Damage, "an older copy of the statement of what the journal must hold");
/// A statement of a later program.
pub static EXTENT_NEWER: Row = row("E5", "", Verdict::Newer, "a newer format");
/// A statement under another data key.
pub static EXTENT_OTHER_KEY: Row = row("E6", "", Verdict::OtherKey, "its key id is another one");

/// Records inside an opened seal do not add up: only a bug writes that.
pub static MISCOUNTED: Row =
    row("M2", "", Verdict::Impossible, "the records in it do not add up: a bug of this program");

/// What is wrong with the extent.
pub static EXTENT_ROWS: [&Row; 6] = [
    &EXTENT_MISSING,
    &EXTENT_DAMAGED,
    &EXTENT_FORGED,
    &EXTENT_OLDER,
    &EXTENT_NEWER,
    &EXTENT_OTHER_KEY,
];

/// The row that matches `checks`, in the order of the columns.
pub fn decide(rows: &'static [Row], checks: &[bool]) -> Option<&'static Row> {
    rows.iter().find(|row| row.matches(checks))
}

impl Verdict {
    /// Whether something that was durable is not what was written: neither the torn tail of a
    /// crash nor what an older program wrote.
    pub const fn is_damage(self) -> bool {
        !matches!(self, Self::Torn | Self::Older)
    }
}

impl Row {
    fn matches(&self, checks: &[bool]) -> bool {
        self.pattern.len() == checks.len()
            && self.pattern.bytes().zip(checks).all(|(want, is)| match want {
                b'Y' => *is,
                b'N' => !*is,
                _ => true,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_combination_has_one_row(rows: &'static [Row], columns: usize) {
        for bits in 0..1_u32 << columns {
            let checks: Vec<bool> = (0..columns).map(|column| bits >> column & 1 == 1).collect();
            let matching: Vec<_> = rows.iter().filter(|r| r.matches(&checks)).collect();
            assert_eq!(matching.len(), 1, "{checks:?} matches {matching:?}");
            assert_eq!(decide(rows, &checks), matching.first().copied());
        }
        for row in rows {
            assert_eq!(row.pattern.len(), columns, "{}", row.name);
        }
    }

    #[test]
    fn every_place_has_one_verdict() {
        every_combination_has_one_row(PLACE_ROWS, PLACE_COLUMNS);
    }

    #[test]
    fn every_segment_has_one_verdict() {
        every_combination_has_one_row(SEGMENT_ROWS, SEGMENT_COLUMNS);
    }

    #[test]
    fn every_checkpoint_has_one_verdict() {
        every_combination_has_one_row(CHECKPOINT_ROWS, CHECKPOINT_COLUMNS);
    }

    #[test]
    fn every_row_is_explained_to_operators() {
        let page = include_str!("../../../docs/journal-format.md");
        let explained: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split('|').next())
            .flat_map(str::split_whitespace)
            .collect();
        let rows = PLACE_ROWS.iter().chain(SEGMENT_ROWS).chain(CHECKPOINT_ROWS);
        for row in rows
            .chain([&OLDER_STATE, &MISSING_SEGMENTS, &NEWEST_MISSING, &MISCOUNTED])
            .chain(EXTENT_ROWS)
        {
            assert!(explained.contains(&row.name), "{} is not in journal-format.md", row.name);
        }
    }

    /// The law, stated apart from the table: a marked place is never cut off or passed over, and
    /// what is not intact is never accepted.
    #[test]
    fn no_row_breaks_the_law() {
        for bits in 0..1_u32 << PLACE_COLUMNS {
            let checks: Vec<bool> = (0..PLACE_COLUMNS).map(|c| bits >> c & 1 == 1).collect();
            let verdict = decide(PLACE_ROWS, &checks).map(|row| row.verdict);
            let [marked, blank, header, in_place, body, seal, _] = checks[..] else { continue };
            let intact = !blank && header && in_place && body && seal;
            assert_eq!(verdict == Some(Verdict::Accept), intact, "{checks:?}");
            if marked && !intact {
                assert!(!matches!(verdict, Some(Verdict::Torn | Verdict::End)), "{checks:?}");
            }
        }
    }
}
