//! One run of the switch's process: the real core, the real gate and the real journal code, held
//! together by a small copy of the driver and of the journal's thread.
//!
//! Contract: the same five steps as `server::driver` – expire, durable, timer, inputs, batch –
//! in virtual time. A fuse may end the run between any two steps: that is a crash. Deliberately
//! absent: threads, and everything a session does with bytes.

use super::dice::Dice;
use super::pen::Pen;
use super::shelf::OnDisk;
use super::witness::Witness;
use pointsman::journal::{Batch, Class, JournalError, Reader, SimDisk, Writer};
use pointsman::link::{EndWish, Outbound};
use pointsman::server::gate::Gate;
use pointsman::switch::Switch;
use pointsman::switch::ids::{LineId, RecordNo, SessionId, Ticket};
use pointsman::switch::input::{Command, Input, Unsent};
use pointsman::switch::library;
use pointsman::switch::output::{CloseReason, Output, RecallKey, Send};
use pointsman::time::{Instant, Now};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// Frames a session's queue holds.
const QUEUE: usize = 40;
/// Silence after which the mark of what is durable is itself written down.
const IDLE_AFTER: Duration = Duration::from_millis(100);

/// How late the account of a frame may come, in milliseconds: the core has to live with it.
pub const LAG_MAX_MS: u64 = 25_000;

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The fuse burned down.
    Crash,
    /// The journal failed; the process ends by itself.
    Journal(String),
}

/// One connection as the process sees it.
#[derive(Debug)]
struct Session {
    line: LineId,
    outbound: Arc<Outbound>,
    woken: Arc<Bell>,
    /// A `take` is planned.
    planned: bool,
}

/// Rings when the gate put something into the session's queue.
#[derive(Debug, Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the world has to do after a turn.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Sessions that have something to write, or are to end.
    pub take: Vec<SessionId>,
    /// A commit was begun.
    pub commit: bool,
}

/// What a session did with its queue.
#[derive(Debug, Default)]
pub struct Taken {
    /// Frames that left, in order.
    pub sent: Vec<Send>,
    /// The session is to end.
    pub end: bool,
}

/// The process.
pub struct Machine {
    switch: Switch,
    gate: Gate,
    writer: Writer,
    reader: Reader,
    /// Recorded, not yet handed to the writer.
    filling: Batch,
    /// Handed to the writer, waits for its sync.
    committing: bool,
    recalls: VecDeque<(Ticket, RecallKey)>,
    inbox: VecDeque<Input>,
    /// What became of frames, told later than it happened; by when.
    accounts: BTreeMap<(Instant, u64), Input>,
    told: u64,
    /// Whether accounts may come late.
    lazy: bool,
    sessions: BTreeMap<SessionId, Session>,
    /// Queues of sessions the driver has not heard of yet.
    doors: BTreeMap<SessionId, Arc<Outbound>>,
    /// Steps left until the run ends, if it is to end.
    fuse: Option<u32>,
    idle_at: Option<Instant>,
    unmarked: bool,
    /// No space for another segment: the core was told, new requests are refused.
    pub full: bool,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("inbox", &self.inbox.len()).finish_non_exhaustive()
    }
}

type Run<T> = Result<T, Ended>;

impl Machine {
    /// A process over a replayed and started switch.
    pub fn new(switch: Switch, writer: Writer, reader: Reader) -> Self {
        let (next, durable) = (writer.next(), writer.durable());
        Self {
            switch,
            gate: Gate::new(RecordNo(durable)),
            writer,
            reader,
            filling: Batch::new(next),
            committing: false,
            recalls: VecDeque::new(),
            inbox: VecDeque::new(),
            accounts: BTreeMap::new(),
            told: 0,
            lazy: true,
            sessions: BTreeMap::new(),
            doors: BTreeMap::new(),
            fuse: None,
            idle_at: None,
            unmarked: false,
            full: false,
        }
    }

    /// Ends the run after this many more steps.
    pub fn light_fuse(&mut self, steps: u32) {
        self.fuse.get_or_insert(steps);
    }

    /// Whether the run is about to end.
    pub fn has_fuse(&self) -> bool {
        self.fuse.is_some()
    }

    /// One more thing that happened.
    pub fn push(&mut self, input: Input) {
        self.inbox.push_back(input);
    }

    /// Whether there is anything to handle.
    pub fn has_work(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The core.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Whether a session is up.
    pub fn has(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// The next instant at which a turn is due whatever happens outside.
    pub fn deadline(&self) -> Option<Instant> {
        // The gate drops what is past its limit: not at it.
        let gate = self.gate.deadline().map(|at| at.after(Duration::from_nanos(1)));
        let account = self.accounts.first_key_value().map(|((at, _), _)| *at);
        [self.switch.deadline(), gate, self.idle_at, account].into_iter().flatten().min()
    }

    /// One turn of the driver.
    pub fn turn(&mut self, now: Now, dice: &mut Dice, witness: &mut Witness) -> Run<Wishes> {
        self.gate.expire(now.mono);
        self.tell_accounts(Some(now.mono));
        if self.switch.deadline().is_some_and(|deadline| deadline <= now.mono) {
            self.feed(now, Input::Timer, witness)?;
        }
        loop {
            if let Some(account) = self.gate.next_handed_back() {
                match self.lag(dice, 500, LAG_MAX_MS) {
                    Some(lag) => self.tell_later(now.mono.after(lag), account),
                    None => self.feed(now, account, witness)?,
                }
            } else if let Some(input) = self.inbox.pop_front() {
                self.arrive(now, input, witness)?;
            } else {
                break;
            }
        }
        if self.idle_at.is_some_and(|at| at <= now.mono) {
            self.idle_at = None;
            self.idle(now)?;
        }
        // The journal's thread may look at its work before the turn's records are there.
        if !self.committing && dice.chance(300) {
            self.answer_recalls(witness)?;
        }
        let commit = self.begin_commit(now)?;
        self.gate.flush();
        Ok(Wishes { take: self.rung(), commit })
    }

    /// A connection is there: a session begins.
    pub fn connect(&mut self, line: LineId, session: SessionId) {
        let outbound = Outbound::new(QUEUE);
        let woken = Arc::new(Bell::default());
        // Registers the bell.
        let waker = Waker::from(Arc::clone(&woken));
        outbound.take(&Context::from_waker(&waker), &mut VecDeque::new(), 0);
        self.doors.insert(session, Arc::clone(&outbound));
        self.sessions.insert(session, Session { line, outbound, woken, planned: false });
        self.push(Input::LineUp { line, session });
    }

    fn arrive(&mut self, now: Now, input: Input, witness: &mut Witness) -> Run<()> {
        match input {
            Input::LineUp { session, .. } => {
                if let Some(outbound) = self.doors.remove(&session) {
                    self.gate.open(session, outbound);
                }
            }
            Input::LineDown { session, .. } => {
                self.gate.close(session);
                // All frames of a session are accounted for before its end is told.
                while let Some((_, account)) = self.accounts.pop_first() {
                    self.feed(now, account, witness)?;
                }
                while let Some(account) = self.gate.next_handed_back() {
                    self.feed(now, account, witness)?;
                }
            }
            _ => {}
        }
        self.feed(now, input, witness)
    }

    fn feed(&mut self, now: Now, input: Input, witness: &mut Witness) -> Run<()> {
        self.burn()?;
        witness.input(now.mono, &input);
        self.switch.handle(now, input);
        self.drain(now, witness)
    }

    /// Carries out what the core wants.
    pub fn drain(&mut self, now: Now, witness: &mut Witness) -> Run<()> {
        while let Some(output) = self.switch.poll() {
            // Sessions of this world have no budget of nonsense, and a note to one does nothing
            // outside: a crash beside it is the same crash.
            if !matches!(output, Output::Nonsense { .. }) {
                self.burn()?;
            }
            match output {
                Output::Append(no, record) => {
                    let mut bytes = vec![];
                    record.encode(&mut bytes);
                    self.filling.push(&bytes);
                    witness.appended(now.mono, no, *record, bytes);
                }
                Output::Send(send) => {
                    witness.wanted(&send);
                    self.gate.admit(now.mono, send);
                }
                Output::Cancel { id } => self.gate.cancel(id),
                Output::Recall { ticket, key } => self.recalls.push_back((ticket, key)),
                Output::Close { session, why } => self.gate.end(session, why),
                Output::Nonsense { .. } => {}
                Output::Event(event) => witness.event(now.mono, &event),
            }
        }
        Ok(())
    }

    fn burn(&mut self) -> Run<()> {
        match &mut self.fuse {
            Some(0) => Err(Ended::Crash),
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn begin_commit(&mut self, now: Now) -> Run<bool> {
        if self.committing || self.filling.is_empty() {
            return Ok(false);
        }
        self.burn()?;
        match self.writer.append(&mut self.filling, Class::Ordinary, now.wall) {
            Err(JournalError::DiskFull) => {
                self.tell_full(true);
                match self.writer.append(&mut self.filling, Class::Essential, now.wall) {
                    Err(JournalError::DiskFull) => {
                        self.idle_at = Some(now.mono.after(IDLE_AFTER));
                        return Ok(false);
                    }
                    other => other.map_err(failed)?,
                };
            }
            other => {
                other.map_err(failed)?;
                self.tell_full(false);
            }
        }
        self.committing = true;
        self.burn()?;
        Ok(true)
    }

    /// The sync of the running commit ends. True if there was one.
    pub fn end_commit(&mut self, now: Now, witness: &mut Witness) -> Run<bool> {
        if !self.committing {
            return Ok(false);
        }
        let durable = self.writer.sync().map_err(failed)?;
        self.committing = false;
        witness.durable(durable);
        self.burn()?;
        self.gate.durable(now.mono, RecordNo(durable));
        self.push(Input::Durable { upto: RecordNo(durable) });
        self.unmarked = true;
        self.idle_at = Some(now.mono.after(IDLE_AFTER));
        self.answer_recalls(witness)?;
        Ok(true)
    }

    fn idle(&mut self, now: Now) -> Run<()> {
        if self.unmarked && !self.committing && self.filling.is_empty() {
            self.writer.idle(now.wall).map_err(failed)?;
            self.unmarked = false;
        }
        self.tell_full(self.full && self.writer.shelf().fill().is_err());
        if self.full {
            self.idle_at = Some(now.mono.after(IDLE_AFTER));
        }
        Ok(())
    }

    fn tell_full(&mut self, full: bool) {
        if self.full != full {
            self.full = full;
            self.push(Input::Command(Command::NoRoom(full)));
        }
    }

    fn answer_recalls(&mut self, witness: &mut Witness) -> Run<()> {
        while let Some((ticket, key)) = self.recalls.pop_front() {
            let mut disk = OnDisk { catalogue: witness.catalogue(), reader: &mut self.reader };
            let found = library::answer(&key, &mut disk).map_err(failed)?;
            self.push(Input::Recalled { ticket, found });
        }
        Ok(())
    }

    /// How late an account comes, if it is late.
    fn lag(&self, dice: &mut Dice, per_mille: u64, most_ms: u64) -> Option<Duration> {
        (self.lazy && dice.chance(per_mille)).then(|| dice.millis(0, most_ms))
    }

    fn tell_later(&mut self, at: Instant, account: Input) {
        self.told += 1;
        self.accounts.insert((at, self.told), account);
    }

    /// Moves accounts that are due into the inbox.
    fn tell_accounts(&mut self, upto: Option<Instant>) {
        while let Some(entry) = self.accounts.first_entry() {
            if upto.is_some_and(|upto| entry.key().0 > upto) {
                return;
            }
            let account = entry.remove();
            self.push(account);
        }
    }

    /// From here on every account comes at once.
    pub fn be_prompt(&mut self) {
        self.lazy = false;
        self.tell_accounts(None);
    }

    /// Sessions whose bell rang and that have no `take` planned yet.
    fn rung(&mut self) -> Vec<SessionId> {
        let mut rung = vec![];
        for (id, session) in &mut self.sessions {
            if session.woken.0.swap(false, Ordering::Relaxed) && !session.planned {
                session.planned = true;
                rung.push(*id);
            }
        }
        rung
    }

    /// A session writes what is in its queue.
    /// What has a pen is written with it.
    pub fn take(
        &mut self,
        now: Now,
        session: SessionId,
        dice: &mut Dice,
        mut pen: Option<&mut Pen>,
    ) -> Run<Taken> {
        let mut taken = Taken::default();
        let Some(from) = self.sessions.get_mut(&session) else { return Ok(taken) };
        from.planned = false;
        let waker = Waker::from(Arc::clone(&from.woken));
        let mut queue = VecDeque::new();
        let wish = from.outbound.take(&Context::from_waker(&waker), &mut queue, usize::MAX);
        taken.end = wish.is_some();
        let written = matches!(wish, None | Some(EndWish::Core(CloseReason::Shutdown)));
        for mut send in queue {
            let late = send.not_after.is_some_and(|limit| now.mono > limit);
            if late || !written {
                let why = if late { Unsent::TooLate } else { Unsent::NoSession };
                self.push(Input::HandedBack { id: send.id, why, msg: send.msg });
                continue;
            }
            if let Some(Err(what)) = pen.as_mut().map(|pen| pen.write(&mut send.msg)) {
                self.push(Input::Unsent { id: send.id, why: Unsent::Unpackable(what) });
                continue;
            }
            self.burn()?;
            let account = Input::Released { id: send.id };
            // Nothing answers an answer, so its account may come at any time.
            let most = if send.msg.flow.is_answer() { LAG_MAX_MS } else { 1 };
            match self.lag(dice, 200, most) {
                Some(lag) => self.tell_later(now.mono.after(lag), account),
                None => self.push(account),
            }
            taken.sent.push(send);
        }
        Ok(taken)
    }

    /// A session ends: what it still had did not leave.
    pub fn end(&mut self, session: SessionId) {
        let Some(from) = self.sessions.remove(&session) else { return };
        let mut left = VecDeque::new();
        from.outbound.shut(&mut left);
        for Send { id, msg, .. } in left {
            self.push(Input::HandedBack { id, why: Unsent::NoSession, msg });
        }
        self.push(Input::LineDown { line: from.line, session });
    }

    /// Whether records wait for the disk.
    pub fn is_writing(&self) -> bool {
        self.committing || !self.filling.is_empty()
    }

    /// Whether platforms are to be read.
    pub fn reads_platforms(&self) -> bool {
        !(self.full && self.writer.is_near_end())
    }
}

fn failed(error: JournalError) -> Ended {
    Ended::Journal(error.to_string())
}

/// The disk all runs of a world share.
pub type Disk = SimDisk;
