//! The switch: decides everything, touches nothing.
//!
//! One law: feed one [`input::Input`] with [`Switch::handle`], then drain [`Switch::poll`] to
//! `None`, then sleep until [`Switch::deadline`]. Time never goes back. `handle` is total: it
//! never fails, never blocks and never logs a secret. Records are decided first and change
//! state only through `State::apply`, live and at recovery alike.
//!
//! Beginning: [`Switch::new`], then [`Switch::replay`] for every record of the journal in
//! order, then [`Switch::start`] once; then inputs. Deliberately absent: sockets, clocks,
//! randomness, threads, async.

pub mod anchors;
pub mod audit;
pub mod bank_codes;
pub mod desk;
pub mod duplicates;
pub mod ids;
pub mod input;
pub mod library;
pub mod output;
mod pieces;
pub mod plants;
pub mod policy;
pub mod proof;
pub mod recall;
pub mod record;
pub mod record_bytes;
pub mod record_json;
pub mod role;
pub mod totals;
pub mod txn;

mod advice;
mod advice_reversal;
mod answer;
mod arrival;
mod balance;
mod bank_names;
mod books;
mod breaker;
mod by_number;
mod checkpoint;
mod checkpoint_values;
mod consequences;
mod crowding;
mod cutover;
mod decided;
mod desk_pages;
mod doubt;
mod finding;
#[cfg(test)]
mod finding_tests;
mod following;
mod forwarding;
mod granting;
mod hash;
mod inflight;
mod knowing;
mod launch;
mod leg;
mod lines;
mod meant;
mod memory;
mod narrowing;
mod netmgmt;
pub mod nonsense;
mod operator;
mod ordered_reversal;
mod originals;
mod other_bank;
mod other_line;
mod overtaken;
mod past;
mod periods;
mod places;
mod prints;
mod questions;
mod recalled;
mod reconciliation;
mod record_fields;
mod record_legs;
#[cfg(test)]
mod record_proofs;
mod refusals;
mod repeats;
mod replay;
mod reply;
mod request;
mod restamped;
mod reversal;
mod routing;
mod saf;
mod saf_answer;
mod settling;
mod sign_off;
mod silence;
mod stamps;
mod stand_in;
mod standing;
mod stans;
mod state;
mod stray_approval;
mod taking_back;
mod timers;
mod top_up;
#[cfg(test)]
mod totals_tests;
mod undoing;
mod unreadable;
pub mod unsettled;
mod waiting;
mod window;
#[cfg(test)]
mod wrap_proofs;

pub use checkpoint::Snapshot;
pub use pieces::{OnMore, OnPiece, RestoreError};

use crate::canonical::Canonical;
use crate::text::Text;
use crate::time::{Instant, Now, Wall};
use ids::{BankId, LineId, Name, RecordNo, SendId, SessionId, Ticket};
use inflight::{InFlight, SendOwner};
use input::{Command, Input};
use lines::Lines;
use output::{Event, Output, Send};
use plants::Plant;
use policy::Policy;
use record::Record;
use state::State;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use timers::{Timer, Timers};

/// What is under way with one bank.
#[derive(Debug, Default)]
struct BankLive {
    /// Requests at the bank.
    in_flight: usize,
    /// Requests that wait for room.
    waiting: waiting::Waiting,
    /// Whether it is asked at all.
    breaker: breaker::Breaker,
    /// Store and forward.
    saf: forwarding::Forwarding,
    /// An operator signed it off.
    signed_off: bool,
    /// When a request was last given to it.
    last_request: Option<Instant>,
    /// Codes of its answers that no list has, as seen since the start.
    unlisted: Vec<Text<4>>,
    /// When its business date moved last, on the clock that nobody sets.
    cut_over: Option<Instant>,
}

impl BankLive {
    /// Places of its window that what is owed may use beside its own slots: what live requests
    /// leave of three quarters, and none while somebody waits.
    fn room_for_owed(&self, bank: &policy::Bank) -> usize {
        if !bank.saf.borrows || !self.waiting.is_empty() {
            return 0;
        }
        (bank.window - bank.window.div_ceil(4)).saturating_sub(self.in_flight)
    }

    /// Whether its window has room for one more request.
    fn has_room(&self, bank: &policy::Bank) -> bool {
        self.in_flight + self.saf.borrowed(bank.saf.slots) < bank.window
    }

    /// Whether platforms use this bank now.
    fn is_live(&self, now: Instant) -> bool {
        let lately = |at: Instant| now.since(at) < forwarding::LIVE_FOR;
        self.in_flight > 0 || !self.waiting.is_empty() || self.last_request.is_some_and(lately)
    }
}

/// The pure core. See the module for the order of calls.
#[derive(Debug)]
pub struct Switch {
    policy: Arc<Policy>,
    seed: u64,
    now: Now,
    /// Wall and monotonic time of the start: ages are counted from here on one clock.
    started: Now,
    /// Records of an earlier run stand behind this one.
    former_run: bool,
    state: State,
    out: VecDeque<Output>,
    timers: Timers,
    lines: Lines,
    air: InFlight,
    banks: Vec<BankLive>,
    /// Requests of each platform in flight or waiting.
    platform_load: Vec<usize>,
    recalls: BTreeMap<Ticket, questions::Recalling>,
    /// Items of the desk that platforms made alone.
    crowd: crowding::Crowd,
    /// What was refused of late.
    refusals: refusals::Refusals,
    /// When which record was the last: how old a record is, on the monotonic clock.
    marks: VecDeque<(Instant, RecordNo)>,
    /// Every request since then is in the memory of requests; unset while all there ever were
    /// are.
    remembered_since: Option<Instant>,
    /// Requests up to this record are leaving the duplicate window, a few at a time.
    forgetting: RecordNo,
    last_send: u64,
    last_ticket: u64,
    draining: bool,
    no_room: bool,
    /// What is to be settled, and who waits for that.
    settling: settling::Settling,
    newest: balance::Newest,
    /// Settling what the last run left.
    recovering: bool,
    planted: plants::Planted,
    /// Which rows of the table of `txn` were met.
    met: txn::Met,
    stamp: stamps::GmtStamp,
}

impl Switch {
    /// A switch that remembers nothing yet. `seed` feeds the jitter of pauses.
    pub fn new(policy: Arc<Policy>, seed: u64) -> Self {
        let mut switch = Self {
            seed,
            now: Now::default(),
            started: Now::default(),
            former_run: false,
            state: State::default(),
            out: VecDeque::new(),
            timers: Timers::default(),
            lines: Lines::default(),
            air: InFlight::default(),
            banks: vec![],
            platform_load: vec![],
            recalls: BTreeMap::new(),
            crowd: crowding::Crowd::default(),
            refusals: refusals::Refusals::default(),
            marks: VecDeque::new(),
            remembered_since: None,
            forgetting: RecordNo(0),
            last_send: 0,
            last_ticket: 0,
            draining: false,
            no_room: false,
            settling: settling::Settling::default(),
            newest: balance::Newest::default(),
            recovering: false,
            planted: plants::Planted::default(),
            met: txn::Met::default(),
            stamp: stamps::GmtStamp::default(),
            policy,
        };
        switch.make_room();
        switch
    }

    fn make_room(&mut self) {
        self.banks.resize_with(self.policy.banks.len(), BankLive::default);
        self.platform_load.resize(self.policy.platforms.len(), 0);
        self.lines.resize(self.policy.lines.len());
    }

    /// Takes in one input. Drain [`Switch::poll`] afterwards.
    pub fn handle(&mut self, now: Now, input: Input) {
        // Time never goes back, whatever the shell says.
        let mono = if self.planted.has(Plant::TimerOnWallClock) {
            self.wall_as_mono(now.wall)
        } else {
            now.mono
        };
        self.now = Now { mono: mono.max(self.now.mono), wall: now.wall };
        match input {
            Input::Message { session, received, msg } => self.message(session, received, msg),
            Input::Garbled { session, received, garbled } => {
                self.garbled(session, received, *garbled);
            }
            Input::Released { id } => self.released(id),
            Input::Unsent { id, why } => self.unsent(id, why),
            Input::HandedBack { id, why, msg } => self.handed_back(id, why, msg),
            Input::LineUp { line, session } => self.line_up(line, session),
            Input::LineDown { line: _, session } => self.line_down(session),
            // The gate holds what waits for the disk; nothing here depends on the mark.
            Input::Durable { upto: _ } => {}
            Input::Recalled { ticket, found } => self.recalled(ticket, found),
            Input::Timer => {}
            Input::Command(command) => self.command(command),
        }
        self.expire();
        if !self.state.debits.is_empty() {
            self.settle_debits();
        }
        if self.settling.is_called() {
            self.settle_due();
        }
        if self.keeps_too_much() {
            self.let_go_oldest();
        }
    }

    /// Rows of the table of [`txn`] met so far.
    pub fn met(&self) -> impl Iterator<Item = (txn::Phase, txn::Happening)> {
        self.met.pairs()
    }

    /// The next thing to do outside, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// The earliest instant at which [`Input::Timer`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How many requests of a platform are in flight or wait for a bank.
    pub fn in_flight(&self, platform: ids::PlatformId) -> usize {
        self.platform_load.get(usize::from(platform.0)).copied().unwrap_or_default()
    }

    /// How many requests are at a bank or wait for it.
    pub fn at_bank(&self, bank: BankId) -> usize {
        let live = self.banks.get(usize::from(bank.0));
        live.map_or(0, |live| live.in_flight + live.waiting.len())
    }

    /// Of how many transactions nobody knows now whether their bank did them: their reversal is
    /// not acknowledged yet, or an operator has to find out. One number per bank, in the order of
    /// the policy.
    pub fn unknown(&self) -> Vec<usize> {
        self.policy.banks.iter().map(|bank| self.state.doubts(&bank.name)).collect()
    }

    /// How many messages are owed to a bank.
    pub fn owed(&self, bank: BankId) -> usize {
        self.banks.get(usize::from(bank.0)).map_or(0, |live| live.saf.len())
    }

    /// When the oldest message owed to a bank became owed; `None` where nothing is.
    pub fn oldest_owed(&self, bank: BankId) -> Option<Wall> {
        let (entry, _) = self.banks.get(usize::from(bank.0))?.saf.work.first_key_value()?;
        self.state.saf.get(entry).map(|entry| entry.queued.at)
    }

    /// How many messages to a bank are given up until an operator decides.
    pub fn dead_letters(&self, bank: BankId) -> usize {
        self.state.dead_letters(&self.bank_name(bank))
    }

    /// Banks this policy does not have, and how much is owed to each or open there: asked before
    /// [`Switch::start`], which could only forget it.
    pub fn owed_to_nobody(&self) -> BTreeMap<Name, usize> {
        self.owed_under(&self.policy)
    }

    fn expire(&mut self) {
        while let Some(timer) = self.timers.expired(self.now.mono) {
            match timer {
                Timer::Flight(slot) => self.flight_timer(slot),
                Timer::Waiting(ticket) => self.waited_too_long(ticket),
                Timer::Saf(entry) => self.saf_timer(entry),
                Timer::SafLifetime(entry) => self.saf_too_old(entry),
                Timer::SafPace(bank) => self.saf_pump(bank),
                Timer::SignOn(session) => self.sign_on_timer(session),
                Timer::Echo(session) => self.echo_timer(session),
                Timer::Idle(session) => self.idle_timer(session),
                Timer::Lifetime(txn) => self.lifetime_over(txn),
                Timer::Window => self.window_timer(),
                Timer::Breaker(bank) => self.breaker_timer(bank),
            }
        }
    }

    /// Decides a record: applies it and hands it to the journal.
    fn record(&mut self, record: Record) -> RecordNo {
        let no = RecordNo(self.state.last.0 + 1);
        let left = crowding::Crowd::leaving(&self.state, &record);
        self.state.apply(no, &record);
        self.crowd.note(&self.state, &record, left);
        self.newest.note(no, &record);
        if self.settling.waits() {
            self.settling.note(&record);
        }
        self.out.push_back(Output::Append(no, Box::new(record)));
        no
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn impossible(&mut self, what: &'static str) {
        self.event(Event::Impossible { what });
    }

    fn send(
        &mut self,
        to: (LineId, SessionId),
        mut msg: Box<Canonical>,
        after: Option<RecordNo>,
        not_after: Option<Instant>,
        owner: SendOwner,
    ) -> SendId {
        if self.policy.lines.get(usize::from(to.0.0)).is_some_and(|line| line.years) {
            msg.complete_year(self.now.wall);
        }
        let after = after.filter(|_| !self.leaves_early(owner, &msg));
        let not_after = not_after.filter(|_| !self.planted.has(Plant::FrameLeavesAfterDeadline));
        self.last_send += 1;
        let id = SendId(self.last_send);
        let (line, session) = to;
        self.air.sends.insert(id.0, (owner, line));
        self.out.push_back(Output::Send(Send { id, session, line, msg, after, not_after }));
        id
    }

    fn bank_name(&self, bank: BankId) -> Name {
        self.policy.banks.get(usize::from(bank.0)).map(|b| b.name).unwrap_or_default()
    }

    fn line_name(&self, line: LineId) -> Name {
        self.policy.lines.get(usize::from(line.0)).map(|l| l.name).unwrap_or_default()
    }

    fn bank_id(&self, name: &Name) -> Option<BankId> {
        let at = self.policy.banks.iter().position(|b| b.name == *name)?;
        Some(BankId(u16::try_from(at).ok()?))
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Reload(policy) => self.reload(policy),
            Command::Drain => self.drain(),
            Command::NoRoom(so) => self.no_room = so,
            Command::SignOff(order) => self.sign_off(&order),
            Command::Reconcile { bank, which, operator } => self.reconcile(&bank, which, operator),
            Command::Cutover { bank, date, operator } => self.move_date(&bank, date, operator),
            Command::Desk(action) => self.desk_action(&action),
            Command::DeskAll(sweep) => self.desk_sweep(&sweep),
        }
    }
}
