//! What travels between the switch and its peers in the simulated world, and how peers spell it.
//!
//! Contract: messages travel in meaning, not in bytes; the codec has tests of its own. MTIs and
//! codes are spelled here a second time, apart from the switch's dialects.

use pointsman::canonical::{Answer, Canonical, Flow, Kind, Reason, ResponseClass, TransactionType};
use pointsman::text::Text;
use pointsman::time::Wall;

/// One frame.
#[derive(Debug, Clone)]
pub enum Frame {
    /// A message that can be read, and what a key did to it.
    Say(Box<Canonical>, Sealed),
    /// Well framed, but nothing that could be read; with what could be, if anything.
    Garbage(Option<Box<Canonical>>),
}

/// The keys of a frame, by number; a wrong key is a number that was never given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sealed {
    /// The key of its MAC, where it has one.
    pub with: Option<u32>,
    /// The key it brings, in the answer to a sign-on.
    pub brings: Option<u32>,
}

/// The MTI of a message.
pub fn mti(kind: Kind, flow: Flow, repeat: bool) -> Text<4> {
    let class = match kind {
        Kind::Transaction(
            TransactionType::PreAuthorization | TransactionType::PreAuthorizationVoid,
        ) => '1',
        Kind::Transaction(_) => '2',
        Kind::BatchUpload => '3',
        Kind::Reversal(_) => '4',
        Kind::Reconciliation => '5',
        Kind::NetworkManagement(_) => '8',
    };
    let function = match flow {
        Flow::Request => '0',
        Flow::Response => '1',
        Flow::Advice => '2',
        Flow::AdviceResponse => '3',
        Flow::Notification => '4',
        Flow::NotificationResponse => '5',
    };
    let origin = if repeat { '1' } else { '0' };
    text(&format!("0{class}{function}{origin}"))
}

/// Short text that is known to fit.
pub fn text<const N: usize>(value: &str) -> Text<N> {
    Text::new(value.as_bytes()).unwrap_or_default()
}

/// `F7` of a moment.
pub fn f7(at: Wall) -> Text<10> {
    let at = at.utc();
    let (date, time) = (at.date(), at.time());
    text(&format!(
        "{:02}{:02}{:02}{:02}{:02}",
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    ))
}

/// What the receiver of an answer takes it for.
pub fn class(answer: Option<Answer>) -> ResponseClass {
    match answer {
        Some(Answer::Given { class, .. }) => class,
        Some(Answer::Own(reason)) => own_class(reason),
        None => ResponseClass::Unknown,
    }
}

fn own_class(reason: Reason) -> ResponseClass {
    match reason {
        Reason::Accepted => ResponseClass::Approved,
        Reason::FormatError => ResponseClass::Format,
        Reason::MacFailed => ResponseClass::Mac,
        Reason::Duplicate => ResponseClass::Duplicate,
        Reason::OriginalNotFound => ResponseClass::NotFound,
        Reason::BankDown | Reason::Timeout | Reason::SystemError => ResponseClass::Retry,
        _ => ResponseClass::Declined,
    }
}

/// How banks here spell a class.
pub fn code(class: ResponseClass) -> Text<4> {
    text(match class {
        ResponseClass::Approved => "00",
        ResponseClass::Partial => "10",
        ResponseClass::Refer => "01",
        ResponseClass::Declined => "51",
        ResponseClass::PickUp => "04",
        ResponseClass::Retry => "91",
        ResponseClass::Security => "55",
        ResponseClass::Duplicate => "94",
        ResponseClass::Format => "30",
        ResponseClass::Mac => "A0",
        ResponseClass::SignOn => "77",
        ResponseClass::NotFound => "25",
        ResponseClass::AlreadyReversed => "79",
        ResponseClass::NoOutcome => "09",
        ResponseClass::Acknowledged => "40",
        ResponseClass::NoLiability => "41",
        ResponseClass::Unknown => "ZZ",
    })
}

/// A short description for the story: MTI, STAN, reference, amount and answer; no card number.
pub fn brief(msg: &Canonical) -> String {
    let mut out = mti(msg.kind, msg.flow, msg.repeat).to_string();
    match msg.kind {
        Kind::Transaction(kind) | Kind::Reversal(kind) => out.push_str(&format!(" {kind:?}")),
        Kind::NetworkManagement(function) => out.push_str(&format!(" {function:?}")),
        Kind::Reconciliation | Kind::BatchUpload => {}
    }
    if let Some(stan) = msg.stan {
        out.push_str(&format!(" stan={stan}"));
    }
    if let Some(rrn) = msg.rrn {
        out.push_str(&format!(" ref={rrn}"));
    }
    if let Some(amount) = msg.amount {
        out.push_str(&format!(" amount={amount}"));
    }
    if let Some(f7) = msg.transmission {
        out.push_str(&format!(" at={f7}"));
    }
    if let Some(of) = &msg.original {
        let (stan, at) = (of.stan.unwrap_or_default(), of.transmission.unwrap_or_default());
        out.push_str(&format!(" of={stan}/{at}"));
    }
    match msg.answer {
        Some(Answer::Given { class, code }) => out.push_str(&format!(" says {code} ({class:?})")),
        Some(Answer::Own(reason)) => out.push_str(&format!(" says {reason:?}")),
        None => {}
    }
    out
}

/// +1 where the kind debits or holds, −1 where it gives back or credits, 0 where no money moves.
pub fn sign(kind: TransactionType) -> i64 {
    match kind {
        TransactionType::Purchase
        | TransactionType::PreAuthorization
        | TransactionType::Completion => 1,
        TransactionType::PreAuthorizationVoid
        | TransactionType::CompletionVoid
        | TransactionType::Void
        | TransactionType::TopUp
        | TransactionType::Refund => -1,
        TransactionType::Balance | TransactionType::Unstated => 0,
    }
}

/// Minor units as a signed number.
pub fn signed(minor: u64) -> i64 {
    i64::try_from(minor).unwrap_or(i64::MAX)
}
