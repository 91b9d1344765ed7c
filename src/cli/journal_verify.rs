//! `pointsman journal verify`: whether everything is there that was durable.
//!
//! Contract: changes nothing. Names file, offset and cause of everything that is not intact or not
//! there, and says what the journal states of itself: from which record on it is kept, what was let
//! go, and whose losses were accepted. Without a key checksums and order are checked, with the key
//! seals and chain too, with `--money` the rules of money.

use super::journal::Resolve;
use super::journal_folder::{open, open_key};
use super::money::Money;
use crate::journal::file::backend::FileName;
use crate::journal::file::checkpoint_folder::inspect_checkpoints;
use crate::journal::file::verdicts::{MISSING_SEGMENTS, Verdict};
use crate::journal::{Finding, Recovered, Replayed, Stated, walk_all};
use crate::server::inspection::Accepted;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `journal verify`.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The key-encryption key, 64 hex digits in a file or variable. Without it seals and chain
    /// are not checked.
    #[arg(long, value_name = "file:PATH|env:NAME")]
    key: Option<String>,
    /// Judge the records by the rules of money as well, and sum them up.
    #[arg(long, requires = "key")]
    money: bool,
}

/// Runs `journal verify`.
pub(super) fn verify(
    args: &VerifyArgs,
    resolve: Resolve,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let backend = open(&args.folder)?;
    let key = args.key.as_deref().map(|key| open_key(&backend, key, resolve));
    let key = key.transpose()?;
    let mut money = args.money.then(Money::default);
    let found =
        walk_all(&backend, key.as_ref(), &mut |_, _, replayed| match (&mut money, replayed) {
            (Some(money), Replayed::Record { no, bytes }) => money.see(no, bytes),
            _ => Ok(()),
        })?;
    print_segments(&found, out)?;
    let mut findings = found.findings.clone();
    let mut newest = None;
    for (upto, len, finding) in inspect_checkpoints(&backend, key.as_ref())? {
        newest = finding.is_none().then_some(upto).or(newest);
        writeln!(out, "{}  covers records to {upto}  {len} bytes", FileName::Checkpoint(upto))?;
        findings.extend(finding);
    }
    findings.extend(unreached(&found, &findings, newest));
    let accepted = Accepted::of(&found.stated);
    let (old, findings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| is_damage(finding) && accepted.holds(finding));
    print_extent(&found.stated, out)?;
    for finding in &old {
        writeln!(out, "accepted, still there: {finding}")?;
    }
    for finding in &findings {
        let what = match finding.row.verdict {
            Verdict::Torn => "torn tail",
            Verdict::Older => "passed over",
            _ => "DAMAGED",
        };
        writeln!(out, "{what}: {finding}")?;
    }
    let extent = if key.is_some() { "chain and seals" } else { "checksums only, no key given" };
    let damage = findings.iter().filter(|finding| is_damage(finding)).count();
    let first = found.map.all().first().map_or(found.next, |oldest| oldest.header.first);
    let records = numbers(first, found.next);
    writeln!(out, "{records}, {damage} places damaged ({extent})")?;
    let broken = money.map_or(Ok(0), |money| money.tell(out))?;
    Ok(ExitCode::from(u8::from(damage > 0 || broken > 0)))
}

/// What a checkpoint vouches for and no segment holds, where nothing else says so.
fn unreached(found: &Recovered, findings: &[Finding], newest: Option<u64>) -> Option<Finding> {
    let upto = newest.filter(|upto| *upto >= found.next)?;
    let known = findings.iter().any(|finding| finding.row.name == MISSING_SEGMENTS.name);
    let (file, row) = (FileName::Checkpoint(upto), &MISSING_SEGMENTS);
    (!known).then_some(Finding { file, offset: 0, record: found.next, row })
}

/// Says what the journal must hold, and what was ever accepted.
fn print_extent(stated: &Stated, out: &mut impl Write) -> io::Result<()> {
    let Stated::Whole(_, said) = stated else {
        return writeln!(out, "{}: nothing states what must be here", FileName::Extent);
    };
    let (first, newest) = (FileName::Segment(said.first_segment), FileName::Segment(said.newest));
    writeln!(
        out,
        "kept from record {} ({first}) to {newest}; {} segments let go before, {} of them archived",
        said.first_record, said.let_go, said.archived
    )?;
    said.losses.iter().try_for_each(|loss| writeln!(out, "accepted loss: {loss}"))
}

/// Whether a finding is more than a torn tail or an older format.
pub(super) fn is_damage(finding: &Finding) -> bool {
    finding.row.verdict.is_damage()
}

fn print_segments(found: &Recovered, out: &mut impl Write) -> io::Result<()> {
    let segments = found.map.all();
    for (at, segment) in segments.iter().enumerate() {
        let next = segments.get(at + 1).map_or(found.next, |next| next.header.first);
        let (name, first) = (FileName::Segment(segment.header.id), segment.header.first);
        writeln!(out, "{name}  {}", numbers(first, next))?;
    }
    Ok(())
}

fn numbers(first: u64, next: u64) -> String {
    if next <= first { "no records".to_owned() } else { format!("records {first} to {}", next - 1) }
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::{journal, journal_of, wrap};
    use super::*;
    use std::path::Path;

    /// Some segments full.
    const BATCHES: u32 = 200;

    fn verified(folder: &Path, key: Option<&str>) -> anyhow::Result<(ExitCode, String)> {
        let (folder, key) = (folder.to_owned(), key.map(str::to_owned));
        let args = VerifyArgs { folder, key, money: false };
        let mut out = Vec::new();
        let code = verify(&args, wrap, &mut out)?;
        Ok((code, String::from_utf8(out)?))
    }

    #[test]
    fn verify_finds_what_rotted_with_and_without_the_key() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        journal(folder.path())?;
        let name = FileName::Segment(1).to_string();
        for key in [None, Some("file:key")] {
            let (code, said) = verified(folder.path(), key)?;
            assert_eq!(code, ExitCode::SUCCESS, "{said}");
            assert!(said.contains("records 1 to 300, 0 places damaged"), "{said}");
        }
        let path = folder.path().join(&name);
        let mut bytes = std::fs::read(&path)?;
        bytes[400] ^= 4;
        std::fs::write(&path, bytes)?;
        for key in [None, Some("file:key")] {
            let (code, said) = verified(folder.path(), key)?;
            assert_eq!(code, ExitCode::from(1), "{said}");
            assert!(said.contains(&format!("DAMAGED: {name} byte 256, record 1: ")), "{said}");
        }
        Ok(())
    }

    /// The segments of a journal, oldest first.
    fn segments(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let files = std::fs::read_dir(folder)?.map(|file| Ok(file?.path()));
        let files: Vec<PathBuf> = files.collect::<io::Result<_>>()?;
        let named = |path: &PathBuf| path.extension().is_some_and(|name| name == "segment");
        let mut segments: Vec<_> = files.into_iter().filter(named).collect();
        segments.sort();
        Ok(segments)
    }

    #[test]
    fn verify_names_the_gap_whichever_segments_are_gone() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        journal_of(folder.path(), BATCHES)?;
        let all = segments(folder.path())?;
        let (last, count) = (all.len() - 1, all.len());
        assert!(count > 4, "{count} segments");
        let rows: [(&str, Vec<usize>, &str); 6] = [
            ("the oldest", vec![0], "row M1"),
            ("the oldest half", (0..count / 2).collect(), "row M1"),
            ("one in the middle", vec![count / 2], "row S9"),
            ("the newest", vec![last], "row M3"),
            ("all but the newest", (0..last).collect(), "row M1"),
            ("all", (0..count).collect(), "row M1"),
        ];
        for checkpoint in [true, false] {
            for (what, gone, row) in &rows {
                let folder = tempfile::tempdir()?;
                journal_of(folder.path(), BATCHES)?;
                if !checkpoint {
                    std::fs::remove_file(
                        folder
                            .path()
                            .join(FileName::Checkpoint(u64::from(BATCHES) * 10).to_string()),
                    )?;
                }
                for at in gone {
                    std::fs::remove_file(
                        folder.path().join(all[*at].file_name().unwrap_or_default()),
                    )?;
                }
                // Words that anybody can write beside the segments say nothing.
                let plain =
                    "journal-0000000001.segment byte 0\njournal-0000000002.segment byte 0\n";
                std::fs::write(folder.path().join("accepted-losses.txt"), plain)?;
                for key in [None, Some("file:key")] {
                    let (code, said) = verified(folder.path(), key)?;
                    assert_eq!(code, ExitCode::from(1), "{what}: {said}");
                    let told = said.lines().any(|l| l.starts_with("DAMAGED: ") && l.contains(row));
                    assert!(told, "{what}, {row}: {said}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn verify_names_a_statement_that_is_gone_or_old() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        journal(folder.path())?;
        let path = folder.path().join(FileName::Extent.to_string());
        let whole = std::fs::read(&path)?;
        std::fs::remove_file(&path)?;
        let (code, said) = verified(folder.path(), Some("file:key"))?;
        assert!(code == ExitCode::from(1) && said.contains("row E1"), "{said}");
        let mut altered = whole.clone();
        altered.iter_mut().skip(60).step_by(32 << 10).for_each(|byte| *byte ^= 1);
        std::fs::write(&path, &altered)?;
        let (code, said) = verified(folder.path(), None)?;
        assert!(code == ExitCode::from(1) && said.contains("row E2"), "{said}");
        std::fs::write(&path, &whole)?;
        let (code, said) = verified(folder.path(), Some("file:key"))?;
        assert_eq!(code, ExitCode::SUCCESS, "{said}");
        assert!(said.contains("kept from record 1 (journal-0000000001.segment) to "), "{said}");
        Ok(())
    }
}
