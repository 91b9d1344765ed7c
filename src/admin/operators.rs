//! Who may ask about money, and how a question reaches the core and its answer comes back.
//!
//! Contract: with a token configured it is needed, whoever asks; without one only a loopback
//! listener answers at all, and no browser: anything with an `Origin` is turned away, so that a
//! page an operator happens to visit cannot decide for them. Questions wait in a bounded queue;
//! a full one answers at once that it is full. Deliberately absent: names and passwords – who
//! decides is recorded as stated.

use super::pace::{Pace, PaceClock};
use crate::limits::{ANSWER_LIMIT, QUESTIONS_AT_ONCE, QUESTIONS_PER_S, QUESTIONS_WAITING_MAX};
use crate::link::Inbox;
use crate::switch::desk::{DeskItem, LateItem, Listing, Refusal};
use crate::switch::ids::{Name, RecordNo};
use crate::switch::input::{DeskAction, DeskSweep};
use crate::switch::totals::TerminalBatch;
use crate::switch::unsettled::{Asked, Unsettled};
use crate::text::Text;
use crate::time::{Day, Now};
use axum::http::{HeaderMap, StatusCode, header};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

/// What operators ask; the answer goes back through the channel inside.
#[derive(Debug)]
pub enum Question {
    /// A page of the desk.
    Desk(Listing, oneshot::Sender<DeskPage>),
    /// The newest late answers, at most so many.
    Late(usize, oneshot::Sender<Vec<LateItem>>),
    /// A decision; its answer comes once the decision is durable.
    Decide(DeskAction, oneshot::Sender<Result<Decided, Refusal>>),
    /// One step of a decision about many items; its answer comes once all its records are durable.
    /// An unknown bank is told with those there are.
    Sweep(DeskSweep, oneshot::Sender<Result<Swept, Vec<Name>>>),
    /// A page of a bank's unsettled periods. An unknown bank is told with those there are.
    Unsettled(Asked, oneshot::Sender<Result<Vec<Unsettled>, Vec<Name>>>),
    /// An order about a bank's books or lines; its answer comes once what it records is durable.
    Order(BankOrder, oneshot::Sender<Result<Ordered, OrderRefused>>),
}

/// What an operator orders about a bank's books or lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankOrder {
    /// The bank.
    pub bank: Name,
    /// Who orders it.
    pub operator: Name,
    /// What is to be done.
    pub verb: BankVerb,
    /// MMDD: the business date to move to, or to ask about. Unset: the day after the present one,
    /// or the present one.
    pub date: Option<Text<4>>,
    /// The batch to ask about, instead of a date.
    pub batch: Option<TerminalBatch>,
}

/// What may be ordered about a bank's books or lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BankVerb {
    /// Its business date moves.
    Cutover,
    /// It is asked about its totals.
    Reconcile,
    /// All its lines are signed off, for this reason.
    SignOff(Text<64>),
    /// And on again.
    SignOn,
}

impl BankVerb {
    /// As operators spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cutover => "cutover",
            Self::Reconcile => "reconcile",
            Self::SignOff(_) => "sign-off",
            Self::SignOn => "sign-on",
        }
    }
}

/// An order that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The new business date, where it moved.
    pub date: Option<Day>,
    /// The questions that go to the bank, as the desk numbers them.
    pub questions: Vec<RecordNo>,
    /// How many periods wait for what is in flight or owed before their bank is asked.
    pub waiting: usize,
    /// The last record of it.
    pub no: RecordNo,
}

/// Why an order is not carried out; nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderRefused {
    /// No bank has this name; these are those there are.
    UnknownBank(Vec<Name>),
    /// The bank is known, and the order makes no sense for it.
    Senseless(Senseless),
}

/// Why an order about a known bank makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Senseless {
    /// The bank's dialect has no message that asks about totals.
    NoQuestion,
    /// A date for a bank that is asked about the batches of its terminals.
    SettlesBatches,
    /// A batch for a bank whose terminals settle none.
    HasNoBatches,
    /// Nothing counted on that date, or its questions are open already.
    NothingToAsk,
    /// It is signed off, or on, already.
    AlreadySo,
    /// No year near has that day.
    NoSuchDay,
}

impl Senseless {
    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoQuestion => "its dialect has no message that asks about totals",
            Self::SettlesBatches => "its terminals settle batches: leave the date out",
            Self::HasNoBatches => "its terminals settle no batches: leave terminal and batch out",
            Self::NoSuchDay => "no year near has that day",
            Self::NothingToAsk => {
                "nothing to ask: no totals stand under this date or batch, or they are asked about \
                 already"
            }
            Self::AlreadySo => "it is so already",
        }
    }
}

/// A page of the desk.
#[derive(Debug)]
pub struct DeskPage {
    /// When it was taken.
    pub now: Now,
    /// The items, by number.
    pub items: Vec<DeskItem>,
    /// The last item looked at, where there are more.
    pub more: Option<RecordNo>,
    /// What each bank owes and is owed, in all.
    pub banks: Vec<BankSum>,
}

/// One bank in numbers.
#[derive(Debug, Clone, Copy)]
pub struct BankSum {
    /// The bank.
    pub bank: Name,
    /// Messages owed to it.
    pub owed: usize,
    /// Transactions nobody knows the end of.
    pub unknown: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// Whether it is asked nothing, because it answers nothing, or one trial at a time.
    pub breaker_open: bool,
}

/// A decision that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What it was about.
    pub item: RecordNo,
    /// Its record.
    pub no: RecordNo,
}

/// One step of a decision about many items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// How many were decided.
    pub decided: u32,
    /// About how many it makes no sense now.
    pub refused: u32,
    /// There may be more, after this item.
    pub next_after: Option<RecordNo>,
    /// Its last record.
    pub no: RecordNo,
}

/// The operators' way to the core.
#[derive(Debug, Clone)]
pub struct OperatorDoor {
    questions: mpsc::Sender<Question>,
    inbox: Arc<Inbox>,
    token: Option<Arc<Zeroizing<String>>>,
    loopback: bool,
    pace: Arc<Pace>,
}

/// Why somebody is turned away, or gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) status: StatusCode,
    /// For metrics and logs: a word of a closed set.
    pub(super) reason: &'static str,
    pub(super) why: &'static str,
}

pub(super) const fn denied(status: StatusCode, reason: &'static str, why: &'static str) -> Denied {
    Denied { status, reason, why }
}

impl OperatorDoor {
    /// A door for a listener on loopback or not, and where its questions come out. `inbox` is
    /// only knocked on; `clock` paces the questions.
    pub fn new(
        inbox: Arc<Inbox>,
        token: Option<Zeroizing<String>>,
        loopback: bool,
        clock: PaceClock,
    ) -> (Self, mpsc::Receiver<Question>) {
        let (questions, asked) = mpsc::channel(QUESTIONS_WAITING_MAX);
        let pace = Arc::new(Pace::new(clock, QUESTIONS_PER_S, QUESTIONS_AT_ONCE));
        (Self { questions, inbox, token: token.map(Arc::new), loopback, pace }, asked)
    }

    /// Whether whoever sent these headers may ask.
    pub(super) fn admits(&self, headers: &HeaderMap) -> Result<(), Denied> {
        if headers.contains_key(header::ORIGIN) {
            return Err(denied(
                StatusCode::FORBIDDEN,
                "origin",
                "not for browsers: a request with an Origin",
            ));
        }
        let Some(token) = &self.token else {
            let why =
                "set admin.token, or listen on a loopback address: this one is open to others";
            let open = denied(StatusCode::FORBIDDEN, "no_token", why);
            return if self.loopback { Ok(()) } else { Err(open) };
        };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let same: bool = given.as_bytes().ct_eq(token.as_bytes()).into();
        let why = "expected the header Authorization: Bearer with the token of admin.token";
        if same { Ok(()) } else { Err(denied(StatusCode::UNAUTHORIZED, "token", why)) }
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, Denied> {
        let (answer, answered) = oneshot::channel();
        let busy = denied(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "too many questions at once: ask again",
        );
        self.pace.turn().await.map_err(|_| busy)?;
        let ending = "the switch is ending; look at the desk after its restart";
        self.questions.try_send(question(answer)).map_err(|error| match error {
            TrySendError::Full(_) => busy,
            TrySendError::Closed(_) => denied(StatusCode::SERVICE_UNAVAILABLE, "ending", ending),
        })?;
        self.inbox.knock();
        let slow = "no answer in time; a decision may have been recorded: look at the desk";
        match tokio::time::timeout(ANSWER_LIMIT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(denied(StatusCode::SERVICE_UNAVAILABLE, "ending", ending)),
            Err(_) => Err(denied(StatusCode::GATEWAY_TIMEOUT, "slow", slow)),
        }
    }
}
