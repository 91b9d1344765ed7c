//! `pointsman serve CONFIG`: runs the switch until it is told to stop.
//!
//! Contract: on standard output, one line each, for programs that start it:
//! `listening platform=NAME address=HOST:PORT` per listening line, `admin address=HOST:PORT`,
//! then `ready`. SIGTERM and SIGINT drain (a second one ends at once), SIGHUP reads the
//! configuration again: a bad one is rejected whole and the old one runs on. Exit code 1 when it
//! cannot start (every reason at once) or when its journal failed. Neither standard output nor
//! standard error can stop it or hold it up: what they do not take is lost.

use super::{BUG, OUR_BUG, WRONG_INPUT, check};
use crate::config::settings::Settings;
use crate::server::at_start::{Acceptance, AtStart};
use crate::server::journal_thread::Health;
use crate::server::log_thread::{LogThread, tell_stdout};
use crate::server::process_memory::keep_private;
use crate::server::wiring::{Ready, Remote, StartError, prepare};
use crate::telemetry::Format;
use anyhow::Context;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::fmt::{Display, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// What is logged: error, warn, info, debug, trace, or a filter like `pointsman::link=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// Start although the journal is damaged, without what the damage took. An operator's decision,
    /// after the file could not be restored from a copy: it stays in the journal, with name and
    /// reason.
    #[arg(long, value_name = "NAME: REASON")]
    accept_loss: Option<Acceptance>,
    /// Start although the clock is behind the newest record of the journal: it is right now, and
    /// was ahead then. An operator's decision, said in the log with name and reason.
    #[arg(long, value_name = "NAME: REASON")]
    accept_clock: Option<Acceptance>,
    /// Begin a new journal. In production a folder without one is refused otherwise: a disk that is
    /// not mounted looks the same.
    #[arg(long)]
    first_start: bool,
    /// One JSON object per log line.
    #[arg(long)]
    log_json: bool,
}

/// Runs `serve`.
///
/// # Errors
/// When the operating system refuses what every process has (threads, signals).
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let format = if args.log_json { Format::Json } else { Format::Plain };
    let log = LogThread::start(format, &args.log).context("cannot start the log")?;
    // Said here: where nobody reads standard error, whoever prints there waits for ever.
    Ok(match catch_unwind(AssertUnwindSafe(|| begin(args, &log))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            log.say(&format!("pointsman: {error:#}"));
            ExitCode::from(WRONG_INPUT)
        }
        Err(_) => {
            log.say(BUG);
            ExitCode::from(OUR_BUG)
        }
    })
}

fn begin(args: &Args, log: &LogThread) -> anyhow::Result<ExitCode> {
    keep_private();
    take_small_pages();
    take_descriptors();
    let tell = |error: &dyn Display| {
        log.say(&format!("pointsman: {}: {error}", args.config.display()));
    };
    let settings = match check::load(&args.config) {
        Ok(settings) => settings,
        Err(errors) => {
            errors.iter().for_each(|error| tell(error));
            return Ok(ExitCode::from(WRONG_INPUT));
        }
    };
    // One thread for sessions, driver and gate: handing over to another core costs more than the
    // work (docs/performance.md); the journal has a thread of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let said = AtStart {
        accept_loss: args.accept_loss.clone(),
        accept_clock: args.accept_clock.clone(),
        first_start: args.first_start,
    };
    let ended = runtime.block_on(serve(settings, &args.config, &said))?;
    match ended {
        Ended::Well => Ok(ExitCode::SUCCESS),
        Ended::NotStarted(errors) => {
            errors.iter().for_each(|error| tell(error));
            Ok(ExitCode::from(WRONG_INPUT))
        }
        Ended::JournalFailed(why) => {
            log.say(&format!("pointsman: the journal failed and the switch has ended: {why}"));
            Ok(ExitCode::from(WRONG_INPUT))
        }
    }
}

/// How a switch ended.
enum Ended {
    /// As it was asked to.
    Well,
    /// Every reason why it did not start.
    NotStarted(Vec<StartError>),
    /// Its journal failed.
    JournalFailed(String),
}

/// Has the system give this process pages of 4 KiB only. The allocator asks for pages of 2 MiB,
/// which stay resident for the little that is in them: a third of the memory
/// (docs/performance.md). Threads that start later inherit it.
#[cfg(target_os = "linux")]
fn take_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "pages of 2 MiB stay allowed: this process will look larger");
    }
}

/// Elsewhere there is nothing to be said about pages.
#[cfg(not(target_os = "linux"))]
fn take_small_pages() {}

/// Takes as many descriptors as this process may have: the usual limit is a thousand, sessions and
/// segments may be more.
fn take_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays where it is");
    }
}

async fn serve(settings: Settings, config: &Path, said: &AtStart) -> anyhow::Result<Ended> {
    let ready = match prepare(&settings, check::folder_of(config), said).await {
        Ok(ready) => ready,
        Err(errors) => return Ok(Ended::NotStarted(errors)),
    };
    // Before anybody is told that we are ready: a signal may be the first thing that comes.
    let signals = listen_to_signals(ready.remote.clone(), settings, config.to_owned())?;
    if let Err(error) = tell_stdout(announcement(&ready)) {
        tracing::warn!(%error, "standard output does not take who listens where");
    }
    let health = tokio::select! {
        health = ready.run() => health,
        never = signals => never,
    };
    Ok(match health {
        Health::Good | Health::Full(_) => Ended::Well,
        Health::Failed(why) => Ended::JournalFailed(why),
    })
}

fn announcement(ready: &Ready) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    for (line, address) in &ready.listening {
        let _ = writeln!(out, "listening platform={line} address={address}");
    }
    if let Some(address) = ready.admin {
        let _ = writeln!(out, "admin address={address}");
    }
    out + "ready\n"
}

/// Passes signals on to the switch; never ends.
fn listen_to_signals(
    remote: Remote,
    settings: Settings,
    config: PathBuf,
) -> anyhow::Result<impl Future<Output = Health>> {
    let mut term = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = term.recv() => remote.drain(),
                _ = interrupt.recv() => remote.drain(),
                _ = hangup.recv() => reload(&remote, &settings, &config),
            }
        }
    })
}

/// Only what the core decides by can change while it runs; wires need a restart.
fn reload(remote: &Remote, running: &Settings, config: &Path) {
    let Ok(fresh) = check::load(config).inspect_err(|errors| {
        for error in errors {
            tracing::warn!(%error, "reload rejected");
        }
    }) else {
        return;
    };
    let wires = |settings: &Settings| format!("{:?}", (&settings.lines, &settings.journal));
    if wires(&fresh) != wires(running) {
        tracing::warn!("reload rejected: lines or journal changed, which needs a restart");
        return;
    }
    if let Err(errors) = remote.renew_certificates(check::folder_of(config)) {
        for error in errors {
            tracing::warn!(%error, "reload rejected");
        }
        return;
    }
    tracing::info!("configuration read again, certificates too");
    remote.reload(fresh.policy);
}
