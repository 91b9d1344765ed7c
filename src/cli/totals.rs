//! `pointsman journal totals DIR`: what banks owe and are owed, by bank, business date and
//! currency, from the journal alone.
//!
//! Contract: the same bookkeeping as the running switch, over the same records; nothing is
//! changed. One line per bank, period and currency, with the first and last record that counted,
//! or with `--json` one object per line. A journal whose oldest segments are gone is told on
//! standard error: what stood there does not count. Deliberately absent: settled periods that
//! newer ones have replaced.

use super::journal::Resolve;
use super::journal_filter::no_such;
use super::journal_folder::{open, open_key};
use super::journal_verify::is_damage;
use crate::journal::{Replayed, walk_all};
use crate::switch::ids::RecordNo;
use crate::switch::record::Record;
use crate::switch::totals::{Bookkeeper, Bucket, Kept, Period};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `journal totals`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The key-encryption key, 64 hex digits in a file or variable.
    #[arg(long, value_name = "file:PATH|env:NAME")]
    key: String,
    /// Of this business date alone.
    #[arg(long, value_name = "MMDD")]
    date: Option<String>,
    /// Of this bank alone.
    #[arg(long)]
    bank: Option<String>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

/// Runs `journal totals`.
pub(super) fn run(args: &Args, resolve: Resolve, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    if let Some(date) = &args.date {
        let fits = date.len() == 4 && date.bytes().all(|digit| digit.is_ascii_digit());
        anyhow::ensure!(fits, "--date: expected MMDD, got {date}");
    }
    let backend = open(&args.folder)?;
    let key = open_key(&backend, &args.key, resolve)?;
    let (mut keeper, mut first) = (Bookkeeper::default(), None);
    let walked = walk_all(&backend, Some(&key), &mut |_, _, replayed| {
        let Replayed::Record { no, bytes } = replayed else { return Ok(()) };
        first.get_or_insert(no);
        let record = Record::decode(bytes).map_err(|error| error.to_string())?;
        keeper.learn(RecordNo(no), &record);
        Ok(())
    })?;
    if let Some(first) = first.filter(|no| *no > 1) {
        complain!("pointsman: the journal begins with record {first}; what stood before is not in");
    }
    if !keeper.books().all().any(|(bucket, _)| wanted(args, bucket)) {
        tell_missed(args, &keeper);
    }
    for (bucket, kept) in keeper.books().all().filter(|(bucket, _)| wanted(args, bucket)) {
        if args.json {
            writeln!(out, "{}", as_json(bucket, kept))?;
        } else {
            print(bucket, kept, out)?;
        }
    }
    for finding in &walked.findings {
        complain!("pointsman: {finding}");
    }
    Ok(ExitCode::from(u8::from(walked.findings.iter().any(is_damage))))
}

/// Which bank or date nothing is counted of.
fn tell_missed(args: &Args, keeper: &Bookkeeper) {
    let banks = keeper.books().all().map(|(bucket, _)| bucket.bank.to_string()).collect();
    let dates = keeper.books().all().filter_map(|(bucket, _)| date_of(bucket)).collect();
    for (name, value, there) in [("bank", &args.bank, banks), ("date", &args.date, dates)] {
        let missed = value.as_ref().and_then(|value| no_such(name, value, &there));
        missed.iter().for_each(|missed| complain!("pointsman: {missed}"));
    }
}

fn wanted(args: &Args, bucket: &Bucket) -> bool {
    args.bank.as_deref().is_none_or(|bank| bucket.bank.as_str() == bank)
        && args.date.as_ref().is_none_or(|date| date_of(bucket).as_ref() == Some(date))
}

fn date_of(bucket: &Bucket) -> Option<String> {
    match &bucket.period {
        Period::Date(date) => Some(date.digits().to_string()),
        Period::Batch(_) => None,
    }
}

fn period(bucket: &Bucket) -> String {
    match &bucket.period {
        Period::Date(date) => format!("date {}", date.digits()),
        Period::Batch(of) => format!("terminal {} batch {:06}", of.terminal, of.batch),
    }
}

fn print(bucket: &Bucket, kept: &Kept, out: &mut impl Write) -> std::io::Result<()> {
    let totals = &kept.totals;
    let sums = [
        ("debits", totals.debits),
        ("debits reversed", totals.debits_reversed),
        ("credits", totals.credits),
        ("credits reversed", totals.credits_reversed),
    ];
    write!(out, "{}  {}  currency {}", bucket.bank, period(bucket), bucket.currency)?;
    for (name, sum) in sums {
        write!(out, "  {name} {} / {}", sum.count, sum.minor)?;
    }
    write!(out, "  net {}", totals.net())?;
    write!(out, "  inquiries {}  authorizations {}", totals.inquiries, totals.authorizations)?;
    writeln!(out, "  records {} to {}", kept.first, kept.last)
}

fn as_json(bucket: &Bucket, kept: &Kept) -> Value {
    let totals = &kept.totals;
    let sum = |sum: crate::canonical::Sum| json!({ "count": sum.count, "minor": sum.minor });
    let (day, terminal, batch) = match &bucket.period {
        Period::Date(day) => (Some(*day), None, None),
        Period::Batch(of) => (None, Some(of.terminal.as_str()), Some(of.batch)),
    };
    json!({
        "bank": bucket.bank.as_str(),
        "date": day.map(|day| day.digits().to_string()),
        "day": day.map(|day| day.to_string()),
        "terminal": terminal,
        "batch": batch,
        "currency": bucket.currency.to_string(),
        "debits": sum(totals.debits),
        "debits_reversed": sum(totals.debits_reversed),
        "credits": sum(totals.credits),
        "credits_reversed": sum(totals.credits_reversed),
        "net_minor": totals.net(),
        "inquiries": totals.inquiries,
        "authorizations": totals.authorizations,
        "first_record": kept.first.0,
        "last_record": kept.last.0,
    })
}
