//! The command line: one file per subcommand, and the one place where a result becomes an exit
//! code: 0 done, 1 the input is wrong (said why), 2 usage, 70 our bug.
//!
//! Contract: people script against it – commands may be added, those listed keep their meaning.
//! Errors go to standard error as one sentence plus where. [`run`] takes its arguments and reads
//! none of the process's own, so that the demo can start itself as the switch.

/// Writes a line to standard error; where that takes none there is nobody to tell.
macro_rules! complain {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        drop(writeln!(std::io::stderr(), $($said)*));
    }};
}

pub mod bank;
pub mod books;
pub mod check;
pub mod decode;
pub mod desk;
pub mod dialect;
pub mod diff;
pub mod encode;
pub mod guess;
pub mod import;
pub mod input;
pub mod journal;
mod journal_filter;
mod journal_folder;
mod journal_verify;
mod money;
mod running;
pub mod serve;
mod totals;

use crate::config::settings::SecretRef;
use crate::server::secrets::resolve;
use crate::switch::ids::RecordNo;
use crate::switch::record::Record;
use crate::switch::record_json::describe;
use crate::telemetry::redact;
use clap::Parser;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// The input is wrong.
const WRONG_INPUT: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// We are wrong.
const OUR_BUG: u8 = 70;
/// And say so.
const BUG: &str = "pointsman: a bug of pointsman; please report what you did";

/// An ISO 8583 bank front-end switch.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the switch.
    Serve(serve::Args),
    /// Validate a configuration: every error at once.
    Check(check::Args),
    /// Show messages field by field, or as JSON.
    Decode(decode::Args),
    /// Show in which fields two messages differ.
    Diff(diff::Args),
    /// Make messages from JSON.
    Encode(encode::Args),
    /// Check and list dialects.
    Dialect(dialect::Args),
    /// Look at a journal.
    Journal(journal::Args),
    /// See what is in doubt in a running switch, and decide.
    Desk(desk::Args),
    /// Sign a bank's lines off, or on again.
    Bank(bank::Args),
    /// Move a bank's business date, or have it asked about its totals.
    Books(books::Args),
}

/// Runs a command line; the first argument is the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(usage) if usage.use_stderr() => {
            complain!("{}", told(&usage, std::io::stderr().is_terminal()).trim_end());
            return ExitCode::from(USAGE);
        }
        Err(asked) => {
            // Where standard output is closed there is nobody to tell.
            let _ = asked.print();
            return ExitCode::SUCCESS;
        }
    };
    match catch_unwind(AssertUnwindSafe(|| dispatch(cli.command))) {
        Ok(Ok(code)) => code,
        // Who reads has enough: `dialect list | head -1`.
        Ok(Err(error)) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain!("pointsman: {error:#}");
            ExitCode::from(WRONG_INPUT)
        }
        Err(_) => {
            complain!("{BUG}");
            ExitCode::from(OUR_BUG)
        }
    }
}

/// A mistake of usage, which repeats what was typed: a card number in it is masked.
fn told(usage: &clap::Error, coloured: bool) -> String {
    let said = usage.render();
    let said = if coloured { said.ansi().to_string() } else { said.to_string() };
    let mut said = said.into_bytes();
    redact(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Writes a result to standard output.
fn tell(text: &str) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Decode(args) => decode::run(args),
        Command::Diff(args) => diff::run(&args),
        Command::Encode(args) => encode::run(args),
        Command::Dialect(args) => dialect::run(args),
        Command::Journal(args) => journal::run(args, described, secret),
        Command::Desk(args) => desk::run(&args, secret),
        Command::Bank(args) => bank::run(&args, secret),
        Command::Books(args) => books::run(&args, secret),
    }
}

/// What may be shown of a record.
fn described(bytes: &[u8]) -> serde_json::Value {
    match Record::decode(bytes) {
        // The dump itself says the number.
        Ok(record) => describe(RecordNo(0), &record)["record"].take(),
        Err(error) => serde_json::json!({ "unreadable": error.to_string() }),
    }
}

/// The secret behind `file:PATH` (relative to where we stand) or `env:NAME`.
fn secret(reference: &str) -> anyhow::Result<Zeroizing<String>> {
    let known = match reference.split_once(':') {
        Some(("file", path)) => SecretRef::File(path.to_owned()),
        Some(("env", name)) => SecretRef::Env(name.to_owned()),
        _ => anyhow::bail!("expected file:PATH or env:NAME"),
    };
    resolve(&known, Path::new(".")).map_err(|error| anyhow::anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(line: &str) -> String {
        format!("{:?}", run(line.split(' ').map(OsString::from)))
    }

    #[test]
    fn a_card_number_that_was_typed_is_not_repeated() {
        let card = "4111111111111111";
        for typed in [
            vec!["serve", "x.toml", "--accept-loss", "anna: 4111111111111111"],
            vec!["serve", "x.toml", "--accept-clock", "4111111111111111"],
            vec!["serve", "x.toml", "--4111111111111111"],
            vec!["4111111111111111"],
        ] {
            let usage = Cli::try_parse_from([&["pointsman"], &typed[..]].concat());
            let Err(usage) = usage else { unreachable!("{typed:?} was taken") };
            for coloured in [true, false] {
                let said = told(&usage, coloured);
                assert!(!said.contains(card) && said.contains("****"), "{said}");
            }
        }
    }

    #[test]
    fn the_command_tree_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn exit_codes_tell_usage_from_wrong_input() {
        let code = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code_of("pointsman frobnicate"), code(USAGE));
        assert_eq!(code_of("pointsman --version"), code(0));
        assert_eq!(code_of("pointsman decode --dialect no-such-dialect 00"), code(WRONG_INPUT));
        let foreign = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/vectors/imports/host");
        assert_eq!(code_of(&format!("pointsman dialect import jpos {foreign}.xml")), code(0));
        assert_eq!(code_of(&format!("pointsman dialect import moov {foreign}.json")), code(0));
        let mixed_up = format!("pointsman dialect import moov {foreign}.xml");
        assert_eq!(code_of(&mixed_up), code(WRONG_INPUT));
        assert_eq!(code_of("pointsman dialect import jpos no-such-file"), code(WRONG_INPUT));
        assert_eq!(code_of("pointsman dialect import j8583 no-such-file"), code(USAGE));
    }

    #[test]
    fn a_configuration_is_checked_and_a_bad_one_or_a_taken_port_prevents_a_start() {
        let code = |code: u8| format!("{:?}", ExitCode::from(code));
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/examples/demo.toml");
        assert_eq!(code_of(&format!("pointsman check {example}")), code(0));
        assert_eq!(code_of("pointsman check no-such-file.toml"), code(WRONG_INPUT));
        let folder = tempfile::tempdir().map(|f| f.keep()).unwrap_or_default();
        let taken =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| Ok((l.local_addr()?, l)));
        let port = taken.as_ref().map(|(address, _)| address.to_string()).unwrap_or_default();
        let text = std::fs::read_to_string(example).unwrap_or_default();
        let text = text.replace("127.0.0.1:7000", &port).replace("127.0.0.1:9183", "127.0.0.1:0");
        let config = folder.join("demo.toml");
        // The key file is missing beside this copy, and the port is taken.
        assert_eq!(std::fs::write(&config, text).ok(), Some(()));
        assert_eq!(code_of(&format!("pointsman check {}", config.display())), code(WRONG_INPUT));
        assert_eq!(code_of(&format!("pointsman serve {}", config.display())), code(WRONG_INPUT));
        let _ = std::fs::remove_dir_all(folder);
    }
}
