//! Everything built from the settings, in the order in which it can fail.
//!
//! Contract: either the whole switch is ready, or every reason why not is told at once and
//! nothing was changed. Listeners are bound before the journal is replayed, so that peers who come
//! back after a crash wait in the backlog instead of being refused.

use super::admin_thread::{self, AdminThread};
use super::at_start::AtStart;
use super::audit_thread::AuditHandle;
use super::checkpointer::{Cadence, Checkpointer};
use super::clock::Clock;
use super::crash::CrashPoints;
use super::descriptors;
use super::doors::{Line, keep_calling, keep_listening};
use super::driver::{Cap, Driver, Parts};
use super::journal_thread::{Health, JournalHandle};
use super::line_keys::{KeyRing, token};
use super::opening::{self, Opened};
use super::operators::{BankBooks, Operators};
use super::papers::{self, LinePapers};
use super::process_memory::keep_wiping;
use crate::admin::{AdminDoor, Latch, Latches, OperatorDoor, PaceClock, Question};
use crate::config::settings::{AdminSettings, Allow, Endpoint, LineSettings, Settings};
use crate::limits::TURN_INPUTS;
use crate::link::connector::{Backoff, Connector};
use crate::link::tls::LineTls;
use crate::link::translation::Wire;
use crate::link::{self, Arrival, Door, Inbox, Listener, Throttle};
use crate::meaning::{Flow, Kind};
use crate::switch::ids::{LineId, Name};
use crate::switch::input::{Command, Input};
use crate::switch::policy::{Bank, Owner, Policy, SignOn};
use crate::telemetry::{JournalMeters, LineMeters, Recorder, Watch};
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use tokio::sync::mpsc;

/// One reason why the switch does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    /// The key of the configuration it comes from.
    pub key: String,
    /// What is wrong, with the file or address.
    pub why: String,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

/// A switch that is ready to run.
pub struct Ready {
    /// Where each platform's door listens, by the platform's name.
    pub listening: Vec<(Name, SocketAddr)>,
    /// Where health and metrics are.
    pub admin: Option<SocketAddr>,
    /// How to ask for things from outside.
    pub remote: Remote,
    driver: Driver,
    listeners: Vec<(Line, Listener)>,
    callers: Vec<(Line, Connector)>,
    pages: Option<(TcpListener, AdminDoor)>,
}

/// A handle to a running switch.
#[derive(Debug, Clone)]
pub struct Remote {
    inbox: Arc<Inbox>,
    papers: Vec<LinePapers>,
}

impl Remote {
    /// Reads every certificate and key again and uses them from the next handshake on: all of
    /// them, or none where one is wrong.
    ///
    /// # Errors
    /// Every paper that is wrong.
    pub fn renew_certificates(&self, folder: &Path) -> Result<(), Vec<StartError>> {
        papers::renew(&self.papers, folder)
    }

    /// Finish what is in flight, then end. A second time: end now.
    pub fn drain(&self) {
        self.inbox.put(Arrival::Input(Input::Command(Command::Drain)));
    }

    /// Swap the policy, whole.
    pub fn reload(&self, policy: Arc<Policy>) {
        self.inbox.put(Arrival::Input(Input::Command(Command::Reload(policy))));
    }
}

/// Checks, opens and binds everything. `folder` is the configuration's: paths are relative to it.
/// `said`: an operator's words for this start.
///
/// # Errors
/// Every reason at once.
pub async fn prepare(
    settings: &Settings,
    folder: &Path,
    said: &AtStart,
) -> Result<Ready, Vec<StartError>> {
    let mut errors: Vec<_> = descriptors::check(settings).err().into_iter().collect();
    let clock = Clock::start();
    let recorder = Recorder::of_process();
    let inbox = Inbox::new(TURN_INPUTS);
    let mut bench = Bench::new(settings, folder, clock, &inbox);
    let (mut listeners, mut callers) = (Vec::new(), Vec::new());
    for (at, wire) in settings.lines.iter().enumerate() {
        let line = bench.line(at, wire).map_err(|error| errors.push(error)).ok();
        match &wire.endpoint {
            Endpoint::Listen { address, max_sessions, allow } => {
                let time: link::MonoClock = Arc::new(move || clock.mono());
                let bound = Listener::bind(address, *max_sessions, allowed(allow), time).await;
                let bound = bound.map_err(|error| {
                    errors.push(cannot_listen(key_of(settings, at, "listen"), address, &error))
                });
                listeners.extend(line.zip(bound.ok()));
            }
            Endpoint::Connect { addresses, connect_timeout, first_retry, max_retry } => {
                let backoff = Backoff::new(*first_retry, *max_retry);
                let calls = Connector::new(addresses.clone(), *connect_timeout, backoff);
                callers.extend(line.map(|line| (line, calls)));
            }
        }
    }
    let pages = admin_thread::bind(settings.admin.as_ref(), &mut errors);
    let token = token(settings.admin.as_ref(), folder).map_err(|error| errors.push(error));
    let crash = CrashPoints::of_environment();
    let crash = crash.map_err(|why| errors.push(StartError { key: "environment".to_owned(), why }));
    let crash = crash.unwrap_or_default();
    let opened = opening::open(settings, folder, clock, said, &crash);
    let opened = opened.map_err(|why| errors.extend(why)).ok();
    let Some(opened) = opened.filter(|_| errors.is_empty()) else { return Err(errors) };
    let all = listeners.iter_mut().map(|(line, _)| line);
    for line in all.chain(callers.iter_mut().map(|(line, _)| line)) {
        line.wire.digest_key = Arc::clone(&opened.digest_key);
    }
    let latches = Latches::default();
    let admin = pages.as_ref().and_then(|socket| socket.local_addr().ok());
    let loopback = admin.is_some_and(|address| address.ip().is_loopback());
    let time: PaceClock = Arc::new(move || clock.mono());
    let token = token.ok().flatten();
    let (operators, asked) =
        OperatorDoor::new(Arc::clone(&inbox), token, loopback, Arc::clone(&time));
    let hosts = settings.admin.iter().flat_map(AdminSettings::names).collect();
    let door = AdminDoor::new(latches.clone(), recorder, operators, hosts, time);
    let driver = bench.driver(opened, &latches, asked, crash).map_err(|error| vec![error])?;
    let listening = listeners
        .iter()
        .filter_map(|(line, door)| Some((bench.owner(line), door.local_addr().ok()?)))
        .collect();
    latches.set(Latch::Dialects, true);
    latches.set(Latch::Listeners, true);
    let papers = std::mem::take(&mut bench.papers);
    let remote = Remote { inbox, papers };
    Ok(Ready {
        listening,
        admin,
        remote,
        driver,
        listeners,
        callers,
        pages: pages.map(|socket| (socket, door)),
    })
}

impl Ready {
    /// Runs until it is asked to stop and has, or its journal failed: how the journal ended.
    pub async fn run(self) -> Health {
        let Self { driver, listeners, callers, pages, .. } = self;
        tokio::spawn(keep_wiping());
        for (line, listener) in listeners {
            tokio::spawn(keep_listening(listener, line));
        }
        for (line, connector) in callers {
            tokio::spawn(keep_calling(connector, line));
        }
        let admin = pages.map(|(socket, door)| AdminThread::start(socket, door)).transpose();
        if let Err(error) = &admin {
            tracing::error!(%error, "no thread for the admin listener: nobody is answered there");
        }
        driver.run().await
    }
}

/// Every key that is missing or wrong, without starting anything.
pub fn check_keys(settings: &Settings, folder: &Path) -> Vec<StartError> {
    let inbox = Inbox::new(0);
    let mut bench = Bench::new(settings, folder, Clock::start(), &inbox);
    let lines = settings.lines.iter().enumerate();
    let mut errors: Vec<_> = lines
        .flat_map(|(at, wire)| [bench.keys.of(at, wire).err(), bench.tls(at, wire).err()])
        .flatten()
        .collect();
    errors.extend(opening::check_key(&settings.journal, folder).err());
    errors.extend(token(settings.admin.as_ref(), folder).err());
    errors
}

/// The key of a setting of this line, as the configuration spells it.
pub(super) fn key_of(settings: &Settings, line: usize, key: &str) -> String {
    owner_of(settings, line)
        .map_or_else(|| key.to_owned(), |(section, name)| format!("{section}.{name}.{key}"))
}

/// The section and the name of the platform or bank a line belongs to.
fn owner_of(settings: &Settings, line: usize) -> Option<(&'static str, Name)> {
    let policy = &settings.policy;
    match policy.lines.get(line)?.owner {
        Owner::Platform(id) => Some(("platform", policy.platforms.get(usize::from(id.0))?.name)),
        Owner::Bank(id) => Some(("bank", policy.banks.get(usize::from(id.0))?.name)),
    }
}

pub(super) fn cannot_listen(key: String, address: &str, error: &std::io::Error) -> StartError {
    StartError { key, why: format!("cannot listen on {address}: {error}") }
}

/// What lines and driver are made of.
struct Bench<'s> {
    settings: &'s Settings,
    folder: &'s Path,
    clock: Clock,
    inbox: &'s Arc<Inbox>,
    /// One per platform.
    throttles: Vec<Arc<Throttle>>,
    /// For lines that are never stopped: the banks'.
    never: Arc<Throttle>,
    sessions: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    keys: KeyRing<'s>,
    /// TLS of lines, to be renewed.
    papers: Vec<LinePapers>,
}

impl<'s> Bench<'s> {
    fn new(settings: &'s Settings, folder: &'s Path, clock: Clock, inbox: &'s Arc<Inbox>) -> Self {
        Self {
            settings,
            folder,
            clock,
            inbox,
            throttles: settings.policy.platforms.iter().map(|_| Arc::default()).collect(),
            never: Arc::default(),
            sessions: Arc::default(),
            closing: Arc::default(),
            keys: KeyRing::new(settings, folder, clock),
            papers: Vec::new(),
        }
    }

    fn line(&mut self, at: usize, settings: &LineSettings) -> Result<Line, StartError> {
        let keys = self.keys.of(at, settings)?;
        let tls = self.tls(at, settings)?;
        let policy = &self.settings.policy;
        let (name, owner) = policy
            .lines
            .get(at)
            .map_or_else(|| (Name::default(), None), |line| (line.name, Some(line.owner)));
        let throttle = match owner {
            Some(Owner::Platform(platform)) => self.throttles.get(usize::from(platform.0)),
            _ => None,
        };
        let clock = self.clock;
        Ok(Line {
            name,
            door: Door {
                line: LineId(u16::try_from(at).unwrap_or(u16::MAX)),
                framing: settings.framing.clone(),
                outbound_queue: settings.outbound_queue,
                inbox: Arc::clone(self.inbox),
                throttle: Arc::clone(throttle.unwrap_or(&self.never)),
                clock: Arc::new(move || clock.mono()),
            },
            wire: Wire {
                dialect: Arc::clone(&settings.dialect),
                framing: settings.framing.clone(),
                keys,
                tpdu: settings.tpdu,
                header: settings.header.as_deref().map(Arc::from),
                // The journal's: see `prepare`.
                digest_key: Arc::default(),
            },
            tls,
            speaks_first: matches!(owner, Some(Owner::Bank(_))),
            meters: LineMeters::new(name),
            sessions: Arc::clone(&self.sessions),
            closing: Arc::clone(&self.closing),
        })
    }

    /// The platform or bank a line belongs to.
    fn owner(&self, line: &Line) -> Name {
        let owner = owner_of(self.settings, usize::from(line.door.line.0));
        owner.map_or(line.name, |(_, name)| name)
    }

    /// TLS of a line, where it is configured.
    fn tls(
        &mut self,
        line: usize,
        settings: &LineSettings,
    ) -> Result<Option<Arc<LineTls>>, StartError> {
        let Some(tls) = &settings.tls else { return Ok(None) };
        let calls = matches!(settings.endpoint, Endpoint::Connect { .. });
        let key = key_of(self.settings, line, "tls");
        let papers = LinePapers::open(key, tls.clone(), calls, (self.folder, self.clock))?;
        let line = papers.line();
        self.papers.push(papers);
        Ok(Some(line))
    }

    /// What operators may order of each bank.
    fn books(&self) -> Vec<BankBooks> {
        let asks = |line: &LineId| {
            let line = self.settings.lines.get(usize::from(line.0));
            line.is_some_and(|line| {
                line.dialect.rules().messages().can_write(Kind::Reconciliation, Flow::Request)
            })
        };
        let books = |bank: &Bank| BankBooks {
            bank: bank.name,
            asks: bank.lines.iter().any(asks),
            batches: matches!(bank.network.sign_on, SignOn::Terminals(_)),
        };
        self.settings.policy.banks.iter().map(books).collect()
    }

    fn driver(
        &self,
        opened: Opened,
        latches: &Latches,
        asked: mpsc::Receiver<Question>,
        crash: CrashPoints,
    ) -> Result<Driver, StartError> {
        let told = |error: std::io::Error| StartError {
            key: "journal".to_owned(),
            why: error.to_string(),
        };
        let wanted = &self.settings.journal;
        let cadence =
            Cadence { records: wanted.checkpoint_records, every: wanted.checkpoint_every };
        let checkpoints = Checkpointer::start(opened.holdings, cadence, opened.covered, self.clock)
            .map_err(told)?;
        let audit = AuditHandle::start(opened.auditor).map_err(told)?;
        let meters = JournalMeters::default();
        let journal = JournalHandle::start(
            opened.writer,
            opened.library,
            opened.batch_bytes_max,
            self.clock,
            Arc::clone(self.inbox),
            Box::new(move |took, records| meters.commit(took, records)),
        )
        .map_err(told)?;
        let policy = &self.settings.policy;
        let caps = policy.platforms.iter().zip(&self.throttles).zip(0..);
        Ok(Driver::new(Parts {
            switch: opened.switch,
            journal,
            audit,
            checkpoints,
            inbox: Arc::clone(self.inbox),
            clock: self.clock,
            caps: caps
                .map(|((platform, throttle), id)| Cap {
                    platform: crate::switch::ids::PlatformId(id),
                    max_in_flight: platform.max_in_flight,
                    throttle: Arc::clone(throttle),
                })
                .collect(),
            banks: policy.banks.iter().map(|bank| bank.name).collect(),
            latches: latches.clone(),
            watch: Watch::default(),
            closing: Arc::clone(&self.closing),
            operators: Operators::new(asked, self.books()),
            crash,
        }))
    }
}

/// Who may connect to a door.
fn allowed(allow: &[Allow]) -> link::Allow {
    let allow = allow.to_vec();
    Arc::new(move |peer| allow.is_empty() || allow.iter().any(|net| net.lets_in(peer)))
}
