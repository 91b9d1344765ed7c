//! The driver: the one owner of the switch. A visible copy of the core's law, in five steps:
//!
//! 1. sleep until something arrives, a mark moves, or the core's deadline comes;
//! 2. take up to [`TURN_INPUTS`] inputs: `handle` each, then drain `poll` to `None`;
//! 3. hand the journal one batch;
//! 4. wake each session that got something, once – it writes once;
//! 5. look around: who may be read, how the journal is, whether it is time to go.
//!
//! Contract: it never waits for a session, a disk or a peer. Every `Unsent` of a session is fed
//! before its `LineDown`. Deliberately absent: decisions about money; those are the core's.

use super::audit_thread::AuditHandle;
use super::checkpointer::Checkpointer;
use super::clock::Clock;
use super::crash::{CrashPoints, Point};
use super::driver_alarm::DriverAlarm;
use super::gate::Gate;
use super::journal_thread::{Health, JournalHandle, Left};
use super::measuring::{measure, sums};
use super::operators::{self, Operators};
use super::shutdown::{Phase, Sight};
use crate::admin::{DeskPage, Latches, Question};
use crate::limits::{DESK_LOOKS, LAG_MAX, TURN_INPUTS};
use crate::link::{Arrival, Inbox, Throttle};
use crate::switch::Switch;
use crate::switch::ids::{Name, PlatformId, RecordNo};
use crate::switch::input::{Command, Input};
use crate::switch::output::Output;
use crate::switch::record::Record;
use crate::telemetry::{Gauges, Watch};
use crate::time::{Instant, Now};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// Gauges are looked at this often, not every turn.
const GAUGES_EVERY: Duration = Duration::from_millis(500);

/// A platform's cap, and what stops its sessions.
pub struct Cap {
    /// The platform.
    pub platform: PlatformId,
    /// Requests that may be in flight.
    pub max_in_flight: usize,
    /// Shared with its sessions.
    pub throttle: Arc<Throttle>,
}

/// What the driver is built from.
pub struct Parts {
    /// Replayed and started.
    pub switch: Switch,
    /// Ready to take the next record.
    pub journal: JournalHandle,
    /// Looks at every record.
    pub audit: AuditHandle,
    /// Writes checkpoints beside it.
    pub checkpoints: Checkpointer,
    /// Shared with every session.
    pub inbox: Arc<Inbox>,
    /// The clock of the process.
    pub clock: Clock,
    /// One per platform.
    pub caps: Vec<Cap>,
    /// Banks, for the gauges.
    pub banks: Vec<Name>,
    /// What `/ready` says.
    pub latches: Latches,
    /// Where events go.
    pub watch: Watch,
    /// Shared with the loops that make sessions: set when no new ones are wanted.
    pub closing: Arc<AtomicBool>,
    /// What operators ask.
    pub operators: Operators,
    /// Where a test wants a crash.
    pub crash: CrashPoints,
}

/// The driver. [`Driver::run`] is the whole life of a switch.
pub struct Driver {
    parts: Parts,
    gate: Gate,
    /// Taken from the inbox, not yet handled.
    arrivals: VecDeque<Arrival>,
    /// What this turn recorded.
    records: Vec<(RecordNo, Box<Record>)>,
    alarm: DriverAlarm,
    phase: Phase,
    gauges: Gauges,
    gauges_due: Instant,
    /// The core was told that there is no room.
    no_room: bool,
}

impl Driver {
    /// A driver whose gate knows what is durable already.
    pub fn new(parts: Parts) -> Self {
        Self {
            gate: Gate::new(parts.journal.durable()),
            gauges: Gauges::new(&parts.banks),
            arrivals: VecDeque::new(),
            records: Vec::new(),
            alarm: DriverAlarm::default(),
            phase: Phase::Running,
            gauges_due: Instant::default(),
            no_room: false,
            parts,
        }
    }

    /// Runs until it was asked to stop and has, or the journal failed. How the journal ended.
    pub async fn run(mut self) -> Health {
        // What recovery decided comes first.
        let now = self.parts.clock.now();
        self.drain(now);
        loop {
            let now = self.parts.clock.now();
            self.take_in(now);
            self.hand_over();
            self.parts.crash.pass(Some(Point::Flush));
            self.gate.flush();
            self.look_around(now.mono);
            if self.phase == Phase::Over {
                return self.end();
            }
            self.wait().await;
        }
    }

    /// The journal stops; if all is well a last checkpoint makes the next start an instant one.
    fn end(self) -> Health {
        let Parts { switch, journal, checkpoints, crash, .. } = self.parts;
        let health = journal.stop();
        crash.pass(Some(Point::LastCheckpoint));
        if health == Health::Good {
            checkpoints.finish(switch.snapshot());
        }
        crash.pass(Some(Point::Stopped));
        health
    }

    /// Step 1.
    async fn wait(&mut self) {
        if !self.arrivals.is_empty() {
            // Let sessions have their turn before the rest of a long queue.
            return tokio::task::yield_now().await;
        }
        let deadline = self.deadline();
        let (inbox, clock) = (&self.parts.inbox, self.parts.clock);
        let alarm = &mut self.alarm;
        // What was taken out leaves its memory to what is taken in: nothing is copied.
        let mut taken = Vec::from(std::mem::take(&mut self.arrivals));
        poll_fn(|cx| match inbox.poll_take(cx, &mut taken) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => alarm.poll(cx, deadline, clock),
        })
        .await;
        self.arrivals = taken.into();
    }

    fn deadline(&self) -> Option<Instant> {
        let known = [self.parts.switch.deadline(), self.gate.deadline(), self.phase.deadline()];
        let gauges = self.gauges_due;
        Some(known.into_iter().flatten().fold(gauges, Instant::min))
    }

    /// Step 2.
    fn take_in(&mut self, now: Now) {
        self.gate.expire(now.mono);
        let full = matches!(self.parts.journal.health(), Health::Full(_));
        if full != self.no_room {
            self.no_room = full;
            self.feed(now, Input::Command(Command::NoRoom(full)));
        }
        let durable = self.parts.journal.durable();
        if durable > self.gate.mark() {
            self.parts.crash.pass(Some(Point::Durable));
            self.gate.durable(now.mono, durable);
            self.parts.operators.durable(durable);
            self.feed(now, Input::Durable { upto: durable });
        }
        if self.parts.switch.deadline().is_some_and(|deadline| deadline <= now.mono) {
            self.feed(now, Input::Timer);
        }
        for _ in 0..TURN_INPUTS {
            // What stayed behind comes first: it is older than what waits.
            if let Some(back) = self.gate.next_handed_back() {
                self.feed(now, back);
            } else if let Some(arrival) = self.arrivals.pop_front() {
                self.arrive(now, arrival);
            } else {
                break;
            }
        }
        self.answer_operators(now);
    }

    fn answer_operators(&mut self, now: Now) {
        for _ in 0..operators::PER_TURN {
            // Whoever asked may have gone: their answer is dropped.
            match self.parts.operators.next() {
                None => return,
                Some(Question::Desk(listing, answer)) => {
                    let (items, more) = self.parts.switch.desk_step(&listing, DESK_LOOKS);
                    drop(answer.send(DeskPage { now, items, more, banks: sums(&self.parts) }));
                }
                Some(Question::Late(limit, answer)) => {
                    drop(answer.send(self.parts.switch.late(limit)));
                }
                Some(Question::Unsettled(asked, answer)) => {
                    let known = self.parts.operators.knows(asked.bank);
                    let page = known.map(|()| self.parts.switch.unsettled(&asked));
                    drop(answer.send(page));
                }
                Some(Question::Decide(action, answer)) => {
                    let item = action.item;
                    self.feed(now, Input::Command(Command::Desk(action)));
                    self.parts.operators.decided(item, answer);
                }
                Some(Question::Sweep(sweep, answer)) => {
                    match self.parts.operators.sweep_of(sweep) {
                        Err(known) => drop(answer.send(Err(known))),
                        Ok(command) => {
                            self.feed(now, Input::Command(command));
                            self.parts.operators.swept(answer);
                        }
                    }
                }
                Some(Question::Order(order, answer)) => {
                    match self.parts.operators.command_of(&order) {
                        Err(refused) => drop(answer.send(Err(refused))),
                        Ok(command) => {
                            let before = self.records.len();
                            self.feed(now, Input::Command(command));
                            let made = self.records.get(before..).unwrap_or_default();
                            self.parts.operators.ordered(order.verb, made, answer);
                        }
                    }
                }
            }
        }
        if self.parts.operators.more() {
            self.parts.inbox.knock();
        }
    }

    fn arrive(&mut self, now: Now, arrival: Arrival) {
        match arrival {
            Arrival::Up { line, session, outbound } => {
                self.gate.open(session, outbound);
                self.feed(now, Input::LineUp { line, session });
            }
            Arrival::Input(Input::LineDown { line, session }) => {
                self.gate.close(session);
                // Bounded: each concerns a frame that was held when the session ended.
                for _ in 0..self.gate.unsent_waiting() {
                    if let Some(back) = self.gate.next_handed_back() {
                        self.feed(now, back);
                    }
                }
                self.feed(now, Input::LineDown { line, session });
            }
            Arrival::Input(input) => {
                if matches!(input, Input::Command(Command::Drain)) {
                    self.phase = self.phase.asked(now.mono);
                }
                self.feed(now, input);
            }
        }
    }

    /// One step of the core: `handle`, then `poll` to `None`.
    fn feed(&mut self, now: Now, input: Input) {
        self.parts.crash.pass(Point::of_input(&input));
        let reloads = matches!(input, Input::Command(Command::Reload(_)));
        self.parts.switch.handle(now, input);
        self.parts.crash.pass(reloads.then_some(Point::Reloaded));
        self.drain(now);
    }

    /// Step 3: the journal writes the records and the auditor reads them; nobody keeps them, so
    /// that their memory serves the next turn.
    fn hand_over(&mut self) {
        let some = !self.records.is_empty();
        self.parts.crash.pass(some.then_some(Point::HandOver));
        self.parts.journal.hand_over(&self.records);
        self.parts.crash.pass(some.then_some(Point::HandedOver));
        self.parts.audit.take_in(&self.records);
        self.records.clear();
    }

    fn drain(&mut self, now: Now) {
        while let Some(output) = self.parts.switch.poll() {
            match output {
                Output::Append(no, record) => {
                    self.parts.crash.pass(Point::of_record(&record));
                    self.records.push((no, record));
                }
                Output::Send(send) => {
                    let reply = send.msg.flow.is_answer();
                    let point = if reply { Point::SendReply } else { Point::SendRequest };
                    self.parts.crash.pass(Some(point));
                    self.gate.admit(now.mono, send);
                }
                Output::Cancel { id } => self.gate.cancel(id),
                Output::Recall { ticket, key } => {
                    // It may be a record of this very turn that is asked for.
                    self.hand_over();
                    self.parts.journal.recall(ticket, key);
                }
                Output::Close { session, why } => self.gate.end(session, why),
                Output::Nonsense { session, kind } => self.gate.nonsense(session, kind),
                Output::Event(event) => {
                    self.parts.operators.hear(&event);
                    self.parts.watch.event(&event);
                }
            }
        }
    }

    /// Step 5.
    fn look_around(&mut self, now: Instant) {
        let health = self.parts.journal.health();
        let takes_all = health == Health::Good && !self.no_room;
        self.parts.latches.set_journal(takes_all, self.no_room);
        let failed = matches!(health, Health::Failed(_));
        if let Health::Failed(why) = &health
            && !self.gate.has_failed()
        {
            tracing::error!(%why, "the journal failed; what needs it leaves no more; restart");
            self.gate.fail();
        }
        // A full disk still takes refusals, until what is left is needed for how things end.
        let takes = matches!(health, Health::Good | Health::Full(Left::Enough));
        let stuck = !takes || self.parts.journal.lag() > LAG_MAX;
        for cap in &self.parts.caps {
            let in_flight = self.parts.switch.in_flight(cap.platform);
            cap.throttle.set(stuck || in_flight >= cap.max_in_flight);
        }
        let sight = Sight { busy: self.is_busy(), sessions: self.gate.sessions(), failed };
        let next = self.phase.step(now, sight);
        if matches!(next, Phase::Ending(_)) && next != self.phase {
            self.parts.closing.store(true, Ordering::Release);
            self.gate.end_all();
        }
        self.phase = next;
        if now >= self.gauges_due {
            self.gauges_due = now.after(GAUGES_EVERY);
            measure(&self.parts, &self.gauges, &self.gate);
            self.checkpoint(now);
        }
    }

    /// A checkpoint if it is time: the switch stands still only while the snapshot is taken.
    fn checkpoint(&mut self, now: Instant) {
        let Parts { switch, checkpoints, clock, crash, .. } = &mut self.parts;
        if checkpoints.is_due(now, switch.last()) {
            let began = clock.mono();
            let snapshot = switch.snapshot();
            crash.pass(Some(Point::Snapshot));
            checkpoints.take(now, snapshot, clock.mono().since(began));
        }
    }

    fn is_busy(&self) -> bool {
        let in_flight = |cap: &Cap| self.parts.switch.in_flight(cap.platform) > 0;
        let unwritten = self.parts.journal.lag() > 0;
        unwritten || !self.gate.is_empty() || self.parts.caps.iter().any(in_flight)
    }
}
