//! The driver's end of the operators' door: questions are answered between turns.
//!
//! Contract: one per turn, each bounded by its page; a decision is answered when its record is
//! durable, because an operator acts on it. What still waits when the driver ends is dropped,
//! which the door tells as an answer of its own.

use crate::admin::{
    BankOrder, BankVerb, Decided, OrderRefused, Ordered, Question, Senseless, Swept,
};
use crate::meaning::Kind;
use crate::switch::desk::Refusal;
use crate::switch::ids::{Name, RecordNo};
use crate::switch::input::{BankSignOff, Command, DeskSweep, Which};
use crate::switch::output::Event;
use crate::switch::record::{Record, Weighing};
use std::collections::{BTreeSet, VecDeque};
use tokio::sync::{mpsc, oneshot};

/// Questions of one turn.
pub(super) const PER_TURN: usize = 1;

type Answer = oneshot::Sender<Result<Decided, Refusal>>;
type SweepAnswer = oneshot::Sender<Result<Swept, Vec<Name>>>;
type OrderAnswer = oneshot::Sender<Result<Ordered, OrderRefused>>;

/// What of a bank decides whether an order makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankBooks {
    /// The bank.
    pub bank: Name,
    /// Whether its dialect can ask about totals.
    pub asks: bool,
    /// Whether it is asked about batches of terminals instead of business dates.
    pub batches: bool,
}

/// What is recorded and not yet durable.
#[derive(Debug)]
enum Recorded {
    Decision(Decided, Answer),
    Sweep(Swept, SweepAnswer),
    Order(Ordered, OrderAnswer),
}

impl Recorded {
    fn no(&self) -> RecordNo {
        match self {
            Self::Decision(decided, _) => decided.no,
            Self::Sweep(swept, _) => swept.no,
            Self::Order(ordered, _) => ordered.no,
        }
    }

    /// It is durable now. Whoever asked may have gone.
    fn tell(self) {
        match self {
            Self::Decision(decided, answer) => drop(answer.send(Ok(decided))),
            Self::Sweep(swept, answer) => drop(answer.send(Ok(swept))),
            Self::Order(ordered, answer) => drop(answer.send(Ok(ordered))),
        }
    }
}

/// What operators wait for.
#[derive(Debug)]
pub struct Operators {
    asked: mpsc::Receiver<Question>,
    banks: Vec<BankBooks>,
    /// In the order of their records.
    recorded: VecDeque<Recorded>,
    /// What the core said of the decision it was just given.
    said: Option<Result<Decided, Refusal>>,
    /// The same of a decision about many.
    swept: Option<Swept>,
    /// Decisions for which the core asks the journal first, by the item they name.
    sought: Vec<(RecordNo, Answer)>,
}

impl Operators {
    /// Of the other end of a door; `banks` are those of the switch.
    pub fn new(asked: mpsc::Receiver<Question>, banks: Vec<BankBooks>) -> Self {
        Self { asked, banks, recorded: VecDeque::new(), said: None, swept: None, sought: vec![] }
    }

    /// The next question, if one waits.
    pub(super) fn next(&mut self) -> Option<Question> {
        self.asked.try_recv().ok()
    }

    /// Whether more questions wait than one turn answers.
    pub(super) fn more(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The core says something; what concerns a decision is kept for its answer.
    pub(super) fn hear(&mut self, event: &Event) {
        let (item, said) = match event {
            Event::DeskDecided { item, no, .. } => (*item, Ok(Decided { item: *item, no: *no })),
            Event::DeskRefused(refusal) => (refusal.item, Err(*refusal)),
            Event::DeskSwept { decided, refused, next_after, no } => {
                let (decided, refused, next_after, no) = (*decided, *refused, *next_after, *no);
                self.swept = Some(Swept { decided, refused, next_after, no });
                return;
            }
            _ => return,
        };
        match self.sought.iter().position(|(sought, _)| *sought == item) {
            Some(at) => {
                let (_, answer) = self.sought.swap_remove(at);
                self.settle(said, answer);
            }
            None => self.said = Some(said),
        }
    }

    /// The core has taken in a decision about this item: a refusal is told now, a record once it is
    /// durable, and what the journal is asked for when it has said so.
    pub(super) fn decided(&mut self, item: RecordNo, answer: Answer) {
        match self.said.take() {
            Some(said) => self.settle(said, answer),
            None => self.sought.push((item, answer)),
        }
    }

    fn settle(&mut self, said: Result<Decided, Refusal>, answer: Answer) {
        match said {
            Ok(decided) => self.recorded.push_back(Recorded::Decision(decided, answer)),
            // Whoever asked may have gone.
            Err(refusal) => drop(answer.send(Err(refusal))),
        }
    }

    /// Whether the bank is one of ours; else those there are.
    pub(super) fn knows(&self, bank: Name) -> Result<(), Vec<Name>> {
        let known = self.banks.iter().any(|known| known.bank == bank);
        if known { Ok(()) } else { Err(self.banks.iter().map(|known| known.bank).collect()) }
    }

    /// What the core is to do about many items, where the bank is one of ours.
    pub(super) fn sweep_of(&self, sweep: DeskSweep) -> Result<Command, Vec<Name>> {
        if self.banks.iter().any(|known| known.bank == sweep.bank) {
            let (bank, operator) = (sweep.bank, sweep.operator);
            let (verb, cause) = (sweep.verb.word(), sweep.cause.word());
            tracing::info!(%bank, %operator, verb, cause, "desk: many at once");
            Ok(Command::DeskAll(sweep))
        } else {
            Err(self.banks.iter().map(|known| known.bank).collect())
        }
    }

    /// The core has taken in a step of a decision about many items.
    pub(super) fn swept(&mut self, answer: SweepAnswer) {
        self.said = None;
        if let Some(swept) = self.swept.take() {
            self.recorded.push_back(Recorded::Sweep(swept, answer));
        }
    }

    /// What the core is to do for an order, or why not.
    pub(super) fn command_of(&self, order: &BankOrder) -> Result<Command, OrderRefused> {
        let BankOrder { bank, date, batch, verb, operator } = *order;
        let known = self.banks.iter().find(|known| known.bank == bank);
        let known = known.ok_or_else(|| {
            OrderRefused::UnknownBank(self.banks.iter().map(|known| known.bank).collect())
        })?;
        let command = match verb {
            BankVerb::Cutover => Command::Cutover { bank, date, operator },
            BankVerb::Reconcile if !known.asks => {
                return Err(OrderRefused::Senseless(Senseless::NoQuestion));
            }
            BankVerb::Reconcile if known.batches && date.is_some() => {
                return Err(OrderRefused::Senseless(Senseless::SettlesBatches));
            }
            BankVerb::Reconcile if batch.is_some() && !known.batches => {
                return Err(OrderRefused::Senseless(Senseless::HasNoBatches));
            }
            BankVerb::Reconcile => {
                let of_date = date.map_or(Which::Present, Which::Date);
                let which = batch.map_or(of_date, Which::Batch);
                Command::Reconcile { bank, which, operator }
            }
            BankVerb::SignOff(reason) => {
                Command::SignOff(BankSignOff { bank, operator, off: Some(reason) })
            }
            BankVerb::SignOn => Command::SignOff(BankSignOff { bank, operator, off: None }),
        };
        let date = date.as_ref().map(|date| date.as_str());
        let terminal = batch.as_ref().map(|of| of.terminal.as_str());
        let (verb, batch) = (verb.word(), batch.map(|of| of.batch));
        tracing::info!(%bank, %operator, verb, date, terminal, batch, "bank: ordered");
        Ok(command)
    }

    /// The core has carried out an order: what it recorded for it.
    pub(super) fn ordered(
        &mut self,
        verb: BankVerb,
        made: &[(RecordNo, Box<Record>)],
        answer: OrderAnswer,
    ) {
        let mut done = Ordered { date: None, questions: vec![], waiting: 0, no: RecordNo(0) };
        let (mut waiting, mut signed) = (BTreeSet::new(), false);
        for (no, record) in made {
            done.no = *no;
            match record.as_ref() {
                Record::Cutover(cutover) => done.date = Some(cutover.date),
                Record::Queued(queued) if queued.kind == Kind::Reconciliation => {
                    done.questions.push(*no);
                }
                Record::Reconciled(totals) if totals.weighing == Weighing::Ordered => {
                    waiting.insert(totals.period);
                }
                Record::Reconciled(totals) => drop(waiting.remove(&totals.period)),
                Record::LineState(line) => signed |= line.operator.is_some(),
                _ => {}
            }
        }
        done.waiting = waiting.len();
        let asks = !done.questions.is_empty() || !waiting.is_empty();
        let (done_so, why) = match verb {
            BankVerb::Cutover => (done.date.is_some(), Senseless::NoSuchDay),
            BankVerb::Reconcile => (asks, Senseless::NothingToAsk),
            BankVerb::SignOff(_) | BankVerb::SignOn => (signed, Senseless::AlreadySo),
        };
        if !done_so {
            // Whoever asked may have gone.
            return drop(answer.send(Err(OrderRefused::Senseless(why))));
        }
        self.recorded.push_back(Recorded::Order(done, answer));
    }

    /// Records up to this one are durable.
    pub(super) fn durable(&mut self, upto: RecordNo) {
        while self.recorded.front().is_some_and(|recorded| recorded.no() <= upto) {
            self.recorded.pop_front().into_iter().for_each(Recorded::tell);
        }
    }
}
