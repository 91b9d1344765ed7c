//! `pointsman dialect import`: a jPOS packager or a moov specification as a dialect.
//!
//! Contract: prints the dialect on standard output and what a person must look at on standard
//! error, one line each; exit code 1, and nothing on standard output, where there is no dialect in
//! the file. Deliberately absent: writing files.

use super::{WRONG_INPUT, tell};
use crate::imports::{Imported, jpos, moov};
use crate::limits::IMPORT_BYTES_MAX;
use anyhow::Context;
use std::io::Read;
use std::process::ExitCode;

/// Arguments of `dialect import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose file it is: jPOS's GenericPackager (XML), or moov-io/iso8583 (JSON).
    #[arg(value_enum, value_name = "jpos|moov", hide_possible_values = true)]
    origin: Origin,
    /// The packager or specification.
    #[arg(value_name = "FILE")]
    file: String,
}

/// Whose message descriptions can be imported.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Origin {
    Jpos,
    Moov,
}

/// Runs `dialect import`.
///
/// # Errors
/// A file that cannot be read; one that makes no dialect is exit code 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = args.file.as_str();
    let bytes = start_of(file).with_context(|| format!("cannot read {file}"))?;
    let done = match args.origin {
        Origin::Jpos => jpos(file, &bytes),
        Origin::Moov => moov(file, &bytes),
    };
    match done {
        Ok(Imported { text, remarks }) => {
            tell(&text)?;
            for remark in remarks {
                complain!("pointsman: check: {remark}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            complain!("pointsman: {error}");
            Ok(ExitCode::from(WRONG_INPUT))
        }
    }
}

/// A file, or one byte more than an import takes: never more than that in memory.
fn start_of(file: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = IMPORT_BYTES_MAX as u64 + 1;
    std::fs::File::open(file)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
