//! `pointsman journal verify | dump | stat | totals`: looking at a journal, beside a running
//! switch or after it, without changing a byte.
//!
//! Contract: `dump` prints one record per line, masked as `describe` masks it. `stat` reads headers
//! only. Deliberately absent: judging what is there (`journal_verify`), and repairing: the
//! journal heals by a start of the switch, or by an operator's `--accept-loss`.

use super::journal_filter::{Filter, Missed};
use super::journal_folder::{open, open_key};
use super::journal_verify::{VerifyArgs, is_damage, verify};
use crate::journal::file::backend::{Backend, FileName, read_all};
use crate::journal::file::segment::{SEGMENT_HEADER_LEN, SegmentHeader};
use crate::journal::{Replayed, walk_all};
use crate::time::Wall;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Turns a record into what may be shown of it.
pub type Describe = fn(&[u8]) -> Value;

/// Reads the secret a `file:` or `env:` reference stands for.
pub type Resolve = fn(&str) -> anyhow::Result<Zeroizing<String>>;

/// Arguments of `journal`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check that every durable record is there and unaltered.
    Verify(VerifyArgs),
    /// Print records, masked, one per line.
    Dump(Box<DumpArgs>),
    /// Say what is there: segments, records, checkpoints, sizes.
    Stat(StatArgs),
    /// Print totals by bank, business date and currency.
    Totals(super::totals::Args),
}

#[derive(Debug, clap::Args)]
struct DumpArgs {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The key-encryption key, 64 hex digits in a file or variable.
    #[arg(long, value_name = "file:PATH|env:NAME")]
    key: String,
    /// One JSON object per line, with segment, offset and number.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, clap::Args)]
struct StatArgs {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs `journal`.
///
/// # Errors
/// A folder that is no journal, a wrong key, a newer format, what the disk says. Damage is no
/// error here: `verify` tells it and exits 1.
pub fn run(args: Args, describe: Describe, resolve: Resolve) -> anyhow::Result<ExitCode> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let code = match args.command {
        Command::Verify(args) => verify(&args, resolve, &mut out)?,
        Command::Dump(args) => dump(&args, describe, resolve, &mut out)?,
        Command::Stat(args) => stat(&args, &mut out)?,
        Command::Totals(args) => super::totals::run(&args, resolve, &mut out)?,
    };
    out.flush()?;
    Ok(code)
}

fn dump(
    args: &DumpArgs,
    describe: Describe,
    resolve: Resolve,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let backend = open(&args.folder)?;
    let key = open_key(&backend, &args.key, resolve)?;
    let (mut printed, mut missed) = (Ok(()), Some(Missed::default()));
    let walked = walk_all(&backend, Some(&key), &mut |file, offset, replayed| {
        let Replayed::Record { no, bytes } = replayed else { return Ok(()) };
        if !args.filter.takes_number(no) {
            return Ok(());
        }
        let record = describe(bytes);
        if args.filter.takes(&record) {
            missed = None;
            printed = print_record(args.json, file, offset, no, &record, out);
        } else if let Some(missed) = &mut missed {
            missed.see(&args.filter, &record);
        }
        // A closed pipe ends the walk.
        printed.as_ref().map_err(ToString::to_string).copied()
    });
    if let Err(error) = printed {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        return if closed { Ok(ExitCode::SUCCESS) } else { Err(error.into()) };
    }
    let findings = walked?.findings;
    for told in missed.iter().flat_map(|missed| missed.told(&args.filter)) {
        complain!("pointsman: {told}");
    }
    for finding in &findings {
        complain!("pointsman: {finding}");
    }
    Ok(ExitCode::from(u8::from(findings.iter().any(is_damage))))
}

fn print_record(
    as_json: bool,
    file: FileName,
    offset: u64,
    no: u64,
    record: &Value,
    out: &mut impl Write,
) -> io::Result<()> {
    if as_json {
        let segment = file.to_string();
        let line = json!({ "no": no, "segment": segment, "offset": offset, "record": record });
        return writeln!(out, "{line}");
    }
    let mut line = format!("{no:>10}");
    flatten(record, &mut line);
    writeln!(out, "{line}")
}

/// Names and values in one line: `  intent  at=2026-11-22T10:00:00Z  bank=north`.
fn flatten(value: &Value, line: &mut String) {
    let Value::Object(fields) = value else {
        line.push_str(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
        return;
    };
    for (name, held) in fields {
        line.push_str("  ");
        line.push_str(name);
        if !held.is_object() {
            line.push('=');
        }
        flatten(held, line);
    }
}

fn stat(args: &StatArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let backend = open(&args.folder)?;
    let (mut bytes, mut segments, mut spares, mut checkpoints) = (0, Vec::new(), 0, Vec::new());
    for (name, len) in backend.list()? {
        bytes += len;
        match name {
            FileName::Segment(_) => {
                let head = read_all(&backend, name, SEGMENT_HEADER_LEN as u64)?;
                segments.push((name, SegmentHeader::parse(&head)));
            }
            FileName::Spare(_) => spares += 1,
            FileName::Checkpoint(upto) => checkpoints.push((upto, len)),
            FileName::Blank(_)
            | FileName::Unfinished(_)
            | FileName::Keys
            | FileName::Extent
            | FileName::DayIndex(_) => {}
        }
    }
    for (name, header) in &segments {
        match header {
            Some(header) => {
                let opened = Wall::from_millis(header.created_ms);
                let (first, len) = (header.first, header.file_len);
                writeln!(out, "{name}  from record {first}  opened {opened}  {len} bytes")?;
            }
            None => writeln!(out, "{name}  no readable header (see: journal verify)")?,
        }
    }
    for (upto, len) in &checkpoints {
        writeln!(out, "{}  covers records to {upto}  {len} bytes", FileName::Checkpoint(*upto))?;
    }
    let covered = checkpoints.last().map_or_else(String::new, |(upto, _)| format!(" (to {upto})"));
    writeln!(
        out,
        "segments: {}, spares: {spares}, checkpoints: {}{covered}, bytes in all: {bytes}",
        segments.len(),
        checkpoints.len()
    )?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::journal::{
        Batch, Class, DiskBackend, KeyEncryptionKey, Options, Writer, open_keys, os_entropy,
        recover, write_checkpoint,
    };
    use std::path::Path;
    use std::sync::Arc;

    const WRAP: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    pub(in crate::cli) fn wrap(_: &str) -> anyhow::Result<Zeroizing<String>> {
        Ok(Zeroizing::new(WRAP.to_owned()))
    }

    fn describe(record: &[u8]) -> Value {
        let text = String::from_utf8_lossy(record);
        json!({ "note": { "text": text, "stan": record.len() } })
    }

    /// A journal of 300 records and a checkpoint on the real disk.
    pub(in crate::cli) fn journal(folder: &Path) -> anyhow::Result<()> {
        journal_of(folder, 30)
    }

    /// The same of so many batches of ten records.
    pub(in crate::cli) fn journal_of(folder: &Path, batches: u32) -> anyhow::Result<()> {
        let backend: Arc<dyn Backend> = Arc::new(DiskBackend::open(folder)?);
        let wrap = KeyEncryptionKey::from_hex(WRAP)?;
        let key = open_keys(backend.as_ref(), &wrap, &mut os_entropy())?;
        let options = Options { segment_bytes: 8192, ..Options::default() };
        let recovered = recover(backend.as_ref(), &key, &options, &mut |_| Ok(()))?;
        let (held, now) = (Arc::clone(&backend), Wall::from_millis(0));
        let mut writer = Writer::start(held, key.clone(), options, &recovered, os_entropy(), now)?;
        let mut batch = Batch::new(writer.next());
        for _ in 0..batches {
            for _ in 0..10 {
                batch.push(format!("record {}", batch.next()).as_bytes());
            }
            writer.append(&mut batch, Class::Ordinary, now)?;
        }
        let upto = writer.sync()?;
        let map = writer.map();
        write_checkpoint(backend.as_ref(), &key, &map, &mut os_entropy(), upto, b"state")?;
        Ok(writer.idle(now)?)
    }

    #[test]
    fn dump_says_where_each_record_stands_and_stat_what_there_is() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        journal(folder.path())?;
        let filter = Filter { from: Some(99), upto: Some(102), ..Filter::default() };
        let filter = Filter { stan: Some("010".to_owned()), ..filter };
        let held = folder.path().to_owned();
        let args = DumpArgs { folder: held.clone(), key: "env:KEY".to_owned(), json: true, filter };
        let mut out = Vec::new();
        assert_eq!(dump(&args, describe, wrap, &mut out)?, ExitCode::SUCCESS);
        let said = String::from_utf8(out)?;
        let lines: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let numbers: Vec<_> = lines.iter().map(|line| line["no"].as_u64()).collect();
        assert_eq!(numbers, [Some(100), Some(101), Some(102)]);
        assert_eq!(lines[0]["record"]["note"]["text"], "record 100");
        assert!(lines[0]["offset"].is_u64() && lines[0]["segment"].is_string());

        let mut out = Vec::new();
        dump(&DumpArgs { json: false, ..args }, describe, wrap, &mut out)?;
        let said = String::from_utf8(out)?;
        assert_eq!(said.lines().next(), Some("       100  note  text=record 100  stan=10"));

        let mut out = Vec::new();
        stat(&StatArgs { folder: held }, &mut out)?;
        let said = String::from_utf8(out)?;
        assert!(said.contains("checkpoints: 1 (to 300)"), "{said}");
        let line = "state-00000000000000000300.checkpoint  covers records to 300  117 bytes";
        assert!(said.lines().any(|said| said == line), "{said}");
        Ok(())
    }
}
