//! The witness: sees everything the core records and everything that leaves the process, and
//! knows the rules apart from the code that is to keep them.
//!
//! Contract: deliberately naive – maps by name, no reuse of the switch's own tables. What it
//! finds is a [`Violation`] with the invariant of `docs/simulation.md` it breaks. Checks that
//! need the whole story stand in [`super::join`].

use super::coverage::Coverage;
use super::machine::LAG_MAX_MS;
use super::setting;
use super::story::Story;
use super::wire;
use pointsman::canonical::{Canonical, Flow, Kind};
use pointsman::switch::ids::{Name, RecordNo, SendId, SessionId};
use pointsman::switch::input::Input;
use pointsman::switch::library::Catalogue;
use pointsman::switch::output::{Event, Send};
use pointsman::switch::record::{Intent, Outcome, Owed, Queued, Record};
use pointsman::switch::role::Role;
use pointsman::text::Text;
use pointsman::time::{Instant, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The platform's reference: what all ledgers are joined by.
pub type Reference = Text<12>;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// What happened, with the transaction.
    pub what: String,
    /// When.
    pub at: Instant,
}

/// The approval of a request as the journal has it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Number of the outcome.
    pub no: RecordNo,
    /// The outcome.
    pub outcome: Outcome,
    /// How much it grants.
    pub minor: u64,
}

/// What is known from records; rebuilt after every crash from what survived.
#[derive(Debug, Default)]
pub struct Known {
    /// Intents by number.
    pub intents: BTreeMap<RecordNo, Arc<Intent>>,
    /// Outcomes by transaction, in order.
    pub outcomes: BTreeMap<RecordNo, Vec<(RecordNo, Outcome)>>,
    /// Approvals by reference.
    pub grants: BTreeMap<Reference, Grant>,
    /// SAF entries still open.
    pub owed: BTreeMap<RecordNo, Arc<Queued>>,
    /// All SAF entries there ever were.
    pub queued: BTreeMap<RecordNo, Arc<Queued>>,
    /// Acknowledgements: the first record that allows one, by reference and MTI class.
    pub acknowledged: BTreeMap<(Reference, u8), RecordNo>,
    /// Who holds a STAN of a bank.
    pub stans: BTreeMap<(Name, u32), BTreeSet<RecordNo>>,
    /// Items put before an operator.
    pub desk: BTreeSet<RecordNo>,
    /// References that were decided.
    pub settled: BTreeSet<Reference>,
}

/// The witness.
#[derive(Debug)]
pub struct Witness {
    /// The story it tells.
    pub story: Story,
    /// What was met.
    pub coverage: Coverage,
    /// What went wrong.
    pub violations: Vec<Violation>,
    /// Every record with its bytes, from number 1.
    pub records: Vec<(Record, Vec<u8>)>,
    /// What they say.
    pub known: Known,
    /// Records up to this number were called durable.
    pub durable: u64,
    /// Records up to this number are vouched for by something later on disk.
    pub marked: u64,
    pub(super) now: Instant,
    /// First arrival of each request, until it is decided.
    pub(super) pending: BTreeMap<Reference, Instant>,
    /// Arrival of the newest copy of each request that may be the one that was begun.
    pub(super) arrived: BTreeMap<Reference, Instant>,
    pub(super) asked: BTreeMap<(Reference, u8), u32>,
    pub(super) answered: BTreeMap<(Reference, u8), u32>,
    /// Originals that left for each bank.
    pub(super) originals: BTreeMap<(Reference, Name), u32>,
    /// SAF entries that left, as first sent.
    pub(super) forwarded: BTreeMap<RecordNo, Canonical>,
    /// Approvals that left for the platform.
    pub(super) granted: BTreeSet<Reference>,
    /// Reversals of the platform whose acknowledgement left.
    pub(super) reversed: BTreeSet<Reference>,
    /// Reversals of the platform that came in.
    pub(super) reversing: BTreeSet<Reference>,
    /// When approvals left, and when the process ended.
    pub(super) grants_left: BTreeMap<Reference, Instant>,
    pub(super) ends: Vec<Instant>,
    limits: BTreeMap<SendId, (SessionId, Instant)>,
    catalogue: Catalogue,
    entered: usize,
    /// Sessions that their bank signed off.
    off: BTreeSet<SessionId>,
    /// What is owed and about to leave, as it was when the core wanted it sent: it may be over
    /// before a stalled session writes.
    pub(super) carried: BTreeMap<SendId, (RecordNo, Arc<Queued>)>,
}

impl Witness {
    /// A witness of nothing yet.
    pub fn new(story: Story) -> Self {
        Self {
            story,
            coverage: Coverage::default(),
            violations: vec![],
            records: vec![],
            known: Known::default(),
            durable: 0,
            marked: 0,
            now: Instant::default(),
            pending: BTreeMap::new(),
            arrived: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
            originals: BTreeMap::new(),
            forwarded: BTreeMap::new(),
            granted: BTreeSet::new(),
            reversed: BTreeSet::new(),
            reversing: BTreeSet::new(),
            grants_left: BTreeMap::new(),
            ends: vec![],
            limits: BTreeMap::new(),
            catalogue: Catalogue::default(),
            entered: 0,
            off: BTreeSet::new(),
            carried: BTreeMap::new(),
        }
    }

    /// Notes a broken promise.
    pub fn blame(&mut self, invariant: &'static str, what: String) {
        self.story.tell(self.now, format_args!("VIOLATION {invariant}: {what}"));
        self.violations.push(Violation { invariant, what, at: self.now });
    }

    /// The switch is about to take this in.
    pub fn input(&mut self, now: Instant, input: &Input) {
        self.now = now;
        match input {
            Input::Message { session, msg, .. } => {
                if super::keys::is_sign_on(msg) {
                    // The answer to its sign-on may come after the bank has signed off.
                    self.off.remove(session);
                }
                self.heard(msg);
            }
            Input::Unsent { id, why } | Input::HandedBack { id, why, .. } => {
                self.story.tell(now, format_args!("switch: frame {id} stayed behind ({why:?})"));
            }
            Input::LineDown { line, session } => {
                let name = line_name(usize::from(line.0));
                self.story.tell(now, format_args!("switch: {name} lost session {session}"));
            }
            Input::LineUp { line, session } => {
                let name = line_name(usize::from(line.0));
                self.story.tell(now, format_args!("switch: {name} has session {session}"));
            }
            _ => {}
        }
    }

    fn heard(&mut self, msg: &Canonical) {
        if msg.flow.is_answer() || msg.kind.family() == 8 {
            return;
        }
        let Some(rrn) = msg.rrn else { return };
        *self.asked.entry((rrn, msg.kind.family())).or_default() += 1;
        if msg.kind.family() == 4 {
            self.reversing.insert(rrn);
        } else {
            let first = !self.arrived.contains_key(&rrn);
            if first || !self.was_asked(rrn) {
                self.arrived.insert(rrn, self.now);
            }
            if first && !self.known.settled.contains(&rrn) {
                self.pending.insert(rrn, self.now);
            }
        }
    }

    /// The core decided a record.
    pub fn appended(&mut self, now: Instant, no: RecordNo, record: Record, bytes: Vec<u8>) {
        self.now = now;
        self.story.tell(now, format_args!("switch: record {no}: {}", describe(&record)));
        if no.0 != self.records.len() as u64 + 1 {
            self.blame("I2", format!("record {no} follows record {}", self.records.len()));
        }
        if let Record::Outcome(outcome) = &record {
            let legs = &mut self.coverage.legs;
            *legs.entry(format!("{:?}", outcome.leg)).or_default() += 1;
        }
        self.judge_record(no, &record);
        self.known.learn(no, &record);
        self.records.push((record, bytes));
    }

    /// Rules about records that hold whenever one is written.
    fn judge_record(&mut self, no: RecordNo, record: &Record) {
        match record {
            Record::Intent(intent) => self.judge_stan(no, intent.bank, intent.keys.stan),
            Record::Queued(queued) => {
                let own = queued.keys.stan;
                if own != queued.original.stan {
                    self.judge_stan(no, queued.bank, own);
                }
                self.judge_queued(no, queued);
            }
            Record::Outcome(outcome) => {
                let txn = outcome.txn;
                if self.known.outcomes.get(&txn).is_some_and(|all| !all.is_empty()) {
                    self.blame("I1", format!("transaction {txn} gets a second outcome, {no}"));
                }
                if !self.known.intents.contains_key(&txn) {
                    self.blame("I1", format!("outcome {no} of no transaction ({txn})"));
                }
            }
            _ => {}
        }
    }

    fn judge_stan(&mut self, no: RecordNo, bank: Name, stan: u32) {
        let holders = self.known.stans.get(&(bank, stan)).filter(|h| !h.is_empty());
        if let Some(holders) = holders {
            let what = format!("record {no} takes STAN {stan} of {bank}, held by {holders:?}");
            self.blame("I8", what);
        }
    }

    fn judge_queued(&mut self, no: RecordNo, queued: &Queued) {
        let Some(txn) = queued.txn else { return };
        let chained = self.known.owed.values().any(|q| q.txn == Some(txn));
        if chained && queued.owed != Owed::Repeat {
            self.blame("I4", format!("transaction {txn} gets a second reversal chain, {no}"));
        }
        let Some(rrn) = self.known.intents.get(&txn).and_then(|i| i.origin.rrn) else { return };
        if queued.owed == Owed::OwnReversal
            && self.granted.contains(&rrn)
            && !self.reversing.contains(&rrn)
        {
            self.blame("I5", format!("transaction {txn} (ref {rrn}) was granted and is reversed"));
        }
        let advice = self.known.intents.get(&txn).is_some_and(|i| i.flow != Flow::Request);
        if advice && queued.owed == Owed::OwnReversal {
            self.blame("I5", format!("advice {txn} (ref {rrn}) is reversed"));
        }
    }

    /// The core wants this sent.
    pub fn wanted(&mut self, send: &Send) {
        self.judge_sign_off(send);
        if let Some(owed) = self.owed_like(send) {
            self.carried.insert(send.id, owed);
        }
        if let Some(limit) = send.not_after {
            self.limits.insert(send.id, (send.session, limit));
        }
    }

    /// What is owed to a bank and said by this message.
    fn owed_like(&self, send: &Send) -> Option<(RecordNo, Arc<Queued>)> {
        let bank = setting::BANK_LINES.get(usize::from(send.line.0))?;
        let bank: Name = wire::text(setting::BANKS.get(*bank).copied().unwrap_or("?"));
        let same = |queued: &Queued| {
            let stan = Some(queued.keys.stan) == send.msg.stan;
            queued.bank == bank && stan && queued.kind == send.msg.kind
        };
        let found = self.known.owed.iter().rev().find(|(_, queued)| same(queued));
        found.map(|(no, queued)| (*no, Arc::clone(queued)))
    }

    /// What is sent after a sign-off was acknowledged is a sign-on, or goes elsewhere.
    fn judge_sign_off(&mut self, send: &Send) {
        use pointsman::canonical::NetworkFunction as Function;
        match (send.msg.kind, send.msg.flow) {
            (Kind::NetworkManagement(Function::SignOff), Flow::Response)
                if wire::class(send.msg.answer).is_approval() =>
            {
                self.off.insert(send.session);
            }
            (Kind::NetworkManagement(Function::SignOn), Flow::Request | Flow::Response) => {
                self.off.remove(&send.session);
            }
            (Kind::Transaction(_) | Kind::Reversal(_), Flow::Request | Flow::Advice)
                if self.off.contains(&send.session) =>
            {
                let what = format!("sent to a bank that signed off: {}", wire::brief(&send.msg));
                self.blame("sign-off", what);
            }
            _ => {}
        }
    }

    /// When this frame may leave at the latest.
    pub(super) fn limit(&mut self, id: SendId) -> Option<Instant> {
        self.limits.remove(&id).map(|(_, limit)| limit)
    }

    /// The earliest limit of what this session still has to send.
    pub fn next_limit(&self, session: SessionId) -> Option<Instant> {
        let theirs = self.limits.values().filter(|(owner, _)| *owner == session);
        theirs.map(|(_, limit)| *limit).filter(|limit| *limit > self.now).min()
    }

    /// The core says that something happened.
    pub fn event(&mut self, now: Instant, event: &Event) {
        self.now = now;
        match event {
            Event::Impossible { what } => {
                self.blame("impossible", (*what).to_owned());
            }
            Event::BreakerOpened { .. } => self.coverage.breakers[0] += 1,
            Event::BreakerClosed { .. } => self.coverage.breakers[1] += 1,
            Event::LineReady { line } => {
                self.story.tell(now, format_args!("switch: {line} is ready"));
            }
            Event::OnDesk { bank, txn, .. } => {
                self.story.tell(now, format_args!("switch: {txn} of {bank} is on the desk"));
            }
            _ => {}
        }
    }

    /// Everything up to this record was called durable.
    pub fn durable(&mut self, upto: u64) {
        // The batch that is durable now says what was durable before it.
        self.marked = self.marked.max(self.durable);
        self.durable = self.durable.max(upto);
    }

    /// Nothing that was waited for will come: the process is gone.
    pub fn crashed(&mut self) {
        self.ends.push(self.now);
        self.pending.clear();
        self.arrived.clear();
        self.limits.clear();
        self.off.clear();
        self.carried.clear();
    }

    /// The index of the durable records: every question to the journal is looked up in it.
    pub fn catalogue(&mut self) -> &Catalogue {
        let durable = usize::try_from(self.durable).unwrap_or(usize::MAX).min(self.records.len());
        for at in self.entered..durable {
            if let Some((record, _)) = self.records.get(at) {
                self.catalogue.add(RecordNo(at as u64 + 1), record);
            }
        }
        self.entered = self.entered.max(durable);
        &self.catalogue
    }

    /// Compares what recovery replayed with what was written; goes on from what survived.
    pub fn recovered(&mut self, replayed: &[Vec<u8>]) {
        let count = replayed.len() as u64;
        if count < self.durable {
            let what =
                format!("records {}..={} were durable and are gone", count + 1, self.durable);
            self.blame("I2", what);
        }
        let altered = replayed.iter().zip(&self.records).position(|(new, (_, old))| new != old);
        if let Some(at) = altered {
            self.blame("I2", format!("record {} is not what was written", at + 1));
        }
        if replayed.len() > self.records.len() {
            self.blame("I2", format!("{count} records where {} were written", self.records.len()));
        }
        self.records.truncate(replayed.len());
        self.durable = self.durable.max(count);
        self.known = Known::default();
        for at in 0..self.records.len() {
            let Some((record, _)) = self.records.get(at) else { continue };
            self.known.learn(RecordNo(at as u64 + 1), record);
        }
    }

    /// Requests that should have been decided by now.
    pub fn judge_overdue(&mut self, now: Instant) {
        self.now = now;
        let late = |since: &Instant| now > since.after(setting::BUDGET).after(GRACE);
        let overdue: Vec<_> =
            self.pending.iter().filter(|(_, since)| late(since)).map(|(rrn, _)| *rrn).collect();
        for rrn in overdue {
            self.pending.remove(&rrn);
            if self.known.settled.contains(&rrn) {
                continue;
            }
            self.blame("I14", format!("ref {rrn} was not decided within the platform's budget"));
        }
    }
}

/// What a decision may come late: it may hang on the account of a frame.
const GRACE: std::time::Duration = std::time::Duration::from_millis(LAG_MAX_MS + 1_000);

impl Known {
    fn hold(&mut self, bank: Name, stan: u32, holder: RecordNo) {
        self.stans.entry((bank, stan)).or_default().insert(holder);
    }

    fn let_go(&mut self, bank: Name, stan: u32, holder: RecordNo) {
        if let Some(holders) = self.stans.get_mut(&(bank, stan)) {
            holders.remove(&holder);
        }
    }

    fn learn(&mut self, no: RecordNo, record: &Record) {
        match record {
            Record::Intent(intent) => {
                self.hold(intent.bank, intent.keys.stan, no);
                self.intents.insert(no, Arc::clone(intent));
            }
            Record::Outcome(outcome) => self.learn_outcome(no, outcome),
            Record::Refused(refused) => {
                let rrn = refused.origin.rrn.unwrap_or_default();
                self.settled.insert(rrn);
                if refused.reason == pointsman::canonical::Reason::Accepted {
                    self.acknowledged.entry((rrn, refused.kind.family())).or_insert(no);
                }
            }
            Record::Queued(queued) => {
                self.hold(queued.bank, queued.keys.stan, no);
                if queued.txn.is_some() {
                    self.hold(queued.bank, queued.original.stan, no);
                }
                if let Some(origin) = &queued.origin {
                    let rrn = origin.rrn.unwrap_or_default();
                    self.settled.insert(rrn);
                    self.acknowledged.entry((rrn, queued.kind.family())).or_insert(no);
                }
                // A debit taken back decides its top-up.
                if let Some(intent) = queued.txn.and_then(|txn| self.intents.get(&txn)) {
                    self.settled.insert(intent.origin.rrn.unwrap_or_default());
                }
                self.owed.insert(no, Arc::clone(queued));
                self.queued.insert(no, Arc::clone(queued));
            }
            Record::Closed(closed) => {
                if let Some(queued) = self.owed.remove(&closed.entry) {
                    self.let_go(queued.bank, queued.keys.stan, closed.entry);
                    self.let_go(queued.bank, queued.original.stan, closed.entry);
                }
            }
            Record::Desk(desk) => {
                self.desk.insert(desk.item);
            }
            Record::Forgotten(pointsman::switch::record::Forgotten::Original(txn)) => {
                if let Some(intent) = self.intents.get(txn).cloned() {
                    self.let_go(intent.bank, intent.keys.stan, *txn);
                }
            }
            _ => {}
        }
    }

    fn learn_outcome(&mut self, no: RecordNo, outcome: &Outcome) {
        self.outcomes.entry(outcome.txn).or_default().push((no, outcome.clone()));
        let Some(intent) = self.intents.get(&outcome.txn).cloned() else { return };
        let rrn = intent.origin.rrn.unwrap_or_default();
        // The debit of a top-up decides only where it is not approved.
        if intent.role == Role::Debit && outcome.leg.grants() {
            self.let_go(intent.bank, intent.keys.stan, outcome.txn);
            return;
        }
        self.settled.insert(rrn);
        if outcome.leg.grants() {
            let minor = outcome.amount.or(intent.amount).map_or(0, |a| a.minor);
            self.grants.insert(rrn, Grant { no, outcome: outcome.clone(), minor });
        }
        use pointsman::switch::record::Leg;
        if !matches!(outcome.leg, Leg::SentUnknown | Leg::InvalidAnswer) {
            self.let_go(intent.bank, intent.keys.stan, outcome.txn);
        }
    }
}

fn line_name(at: usize) -> &'static str {
    setting::LINES.get(at).copied().unwrap_or("?")
}

/// A record in words; no card number.
fn describe(record: &Record) -> String {
    match record {
        Record::Intent(i) => format!(
            "intent of {} to {}: {:?} stan={} ref={} amount={}",
            i.platform,
            i.bank,
            i.kind,
            i.keys.stan,
            i.origin.rrn.unwrap_or_default(),
            i.amount.map(|a| a.to_string()).unwrap_or_default(),
        ),
        Record::Outcome(o) => format!("outcome of {}: {:?} {:?}", o.txn, o.leg, o.reason),
        Record::Refused(r) => {
            format!("refused ref={}: {:?}", r.origin.rrn.unwrap_or_default(), r.reason)
        }
        Record::Queued(q) => format!(
            "owed to {}: {:?} of {:?} stan={} ref={} because {:?}",
            q.bank,
            q.owed,
            q.txn.map(|t| t.0),
            q.keys.stan,
            q.keys.rrn.unwrap_or_default(),
            q.reason,
        ),
        Record::Attempt(a) => format!("try {} of {}", a.count, a.entry),
        Record::Closed(c) => match c.cause {
            Some(cause) => format!("closed {}: {:?}, {cause}", c.entry, c.ending),
            None => format!("closed {}: {:?}", c.entry, c.ending),
        },
        Record::Late(l) => format!("late answer to {:?}: {:?}", l.txn.map(|t| t.0), l.leg),
        Record::Desk(d) => format!("{} on the desk, {:?}", d.item, d.verb),
        Record::LineState(l) => format!("line {} signed on: {}", l.line, l.signed_on),
        Record::Cutover(c) => format!("cutover of {} to {}", c.bank, c.date),
        Record::Policy(p) => format!("policy {} start={}", p.hash, p.start),
        Record::Garbled(g) => format!("garbage on {}", g.line),
        Record::Released(t) => format!("{t} left"),
        Record::Answered(t) => format!("approval of {t} left"),
        Record::Reconciled(r) => format!("totals {:?} {:?}", r.period, r.weighing),
        Record::Moved(m) => format!("{} goes over {}", m.txn, m.line),
        Record::Forgotten(f) => format!("forgotten: {f:?}"),
    }
}

/// True time as the switch sees it.
pub fn skewed(base: Wall, now: Instant, skew_ms: i64) -> Wall {
    let since = i64::try_from(now.nanos() / 1_000_000).unwrap_or(i64::MAX);
    Wall::from_millis(base.millis().saturating_add(since).saturating_add(skew_ms))
}

/// Whether a message can grant money or goods.
pub(super) fn is_grant(msg: &Canonical) -> bool {
    let request = matches!(msg.kind, Kind::Transaction(_)) && msg.flow == Flow::Response;
    request && wire::class(msg.answer).is_approval()
}
