//! `pointsman dialect`: lint dialect files, import other people's, guess a dialect, print its page.
//! And how the command line finds a dialect.
//!
//! Contract: a dialect argument is a shipped name or the path of a file, which may extend shipped
//! dialects and files beside it (`NAME.toml`). `lint` compiles each file and prints every error
//! with file, line and key; exit code 1 if there is one. Deliberately absent: editing
//! files.

use super::{WRONG_INPUT, guess, import, input, tell};
use crate::iso8583::{Dialect, DialectError, page, remarks, shipped, shipped_names};
use std::path::Path;
use std::process::ExitCode;

/// Arguments of `dialect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check dialect files: every error at once.
    Lint {
        /// Dialect files, or names of shipped dialects.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// List the shipped dialects.
    List,
    /// Print a dialect as a page of Markdown.
    Doc {
        /// A shipped dialect, or a dialect file.
        #[arg(value_name = "NAME|FILE")]
        name: String,
    },
    /// Print a dialect made of a jPOS packager (XML) or a moov specification (JSON).
    Import(import::Args),
    /// Say which framing and dialect fit best, and why.
    Guess {
        /// Dialect files to judge besides the shipped dialects.
        #[arg(long = "dialect", value_name = "FILE")]
        dialects: Vec<String>,
        /// Of a capture: only connections to this port.
        #[arg(long)]
        port: Option<u16>,
        /// Hex, `-` for standard input, or a file: hex lines, raw bytes, pcap or pcapng.
        #[arg(value_name = "HEX | - | FILE")]
        input: Option<String>,
    },
}

/// Runs `dialect`.
///
/// # Errors
/// What cannot be read or written; a bad dialect is exit code 1.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Lint { files } => lint(&files),
        Command::List => {
            for name in shipped_names() {
                let title = load(name).map(|d| d.title().to_owned()).unwrap_or_default();
                tell(&format!("{name:<26} {title}\n"))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Doc { name } => {
            let Some(dialect) = load_or_tell(&name) else { return Ok(ExitCode::from(WRONG_INPUT)) };
            tell(&page(&dialect))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Import(args) => import::run(&args),
        Command::Guess { dialects, port, input } => guess_it(dialects, port, input.as_deref()),
    }
}

fn guess_it(own: Vec<String>, port: Option<u16>, given: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut dialects = Vec::new();
    for name in shipped_names().map(str::to_owned).chain(own) {
        let Some(dialect) = load_or_tell(&name) else { return Ok(ExitCode::from(WRONG_INPUT)) };
        dialects.push(dialect);
    }
    let input = input::read(given)?;
    let (text, any) = guess::report(&input, port, &dialects, given.unwrap_or("-"));
    tell(&text)?;
    Ok(if any { ExitCode::SUCCESS } else { ExitCode::from(WRONG_INPUT) })
}

fn lint(files: &[String]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match load_or_tell(file) {
            Some(dialect) => {
                let count = dialect.fields().iter().count();
                tell(&format!("{file}: ok, {count} data elements\n"))?;
                for remark in remarks(&dialect) {
                    tell(&format!("{file}: remark: {remark}\n"))?;
                }
            }
            None => code = ExitCode::from(WRONG_INPUT),
        }
    }
    Ok(code)
}

/// Compiles a dialect and prints its errors on standard error.
pub(super) fn load_or_tell(name: &str) -> Option<Dialect> {
    match load(name) {
        Ok(dialect) => Some(dialect),
        Err(errors) => {
            for error in errors {
                complain!("pointsman: {error}");
            }
            None
        }
    }
}

/// Compiles a shipped dialect by name, or a dialect file by path.
///
/// # Errors
/// Every reason why it cannot be used.
pub fn load(name: &str) -> Result<Dialect, Vec<DialectError>> {
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    Dialect::compile(name, &|wanted| {
        let text = shipped(wanted).map(str::to_owned);
        if wanted == name {
            return text.or_else(|| std::fs::read_to_string(wanted).ok());
        }
        let beside = || std::fs::read_to_string(folder.join(format!("{wanted}.toml"))).ok();
        text.or_else(beside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_is_found_by_name_or_by_file() {
        assert_eq!(load("unionpay-pos").map(|d| d.last_de()).ok(), Some(64));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/dialects/iso8583-1987-bcd.toml");
        assert_eq!(load(path).map(|d| d.last_de()).ok(), Some(128));
        let told = load("no-such-dialect").map(|_| ()).map_err(|e| e[0].to_string());
        let said = "no-such-dialect: extends: no dialect named `no-such-dialect`";
        assert_eq!(told, Err(said.to_owned()));
    }
}
