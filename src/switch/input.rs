//! What the shell tells the core. One [`Input`] is one step.
//!
//! Contract: for every [`super::output::Send`] exactly one of [`Input::Released`],
//! [`Input::Unsent`] or [`Input::HandedBack`] comes back, fed before that session's
//! [`Input::LineDown`], and before any message that could answer it. Nothing else proves "not
//! sent".

use super::ids::{LineId, RecordNo, SendId, SessionId, Ticket};
use super::library::Recalled;
use super::policy::Policy;
use super::record::Cause;
use super::totals::TerminalBatch;
use crate::canonical::Canonical;
use crate::text::Text;
use crate::time::Instant;
use std::sync::Arc;

/// One thing that happened outside.
#[derive(Debug)]
pub enum Input {
    /// A peer's message, unpacked, its MAC checked and read into meaning by the session.
    Message {
        /// Where it came in.
        session: SessionId,
        /// When its last byte came in; queueing spends the same budget.
        received: Instant,
        /// The message.
        msg: Box<Canonical>,
    },
    /// A well-framed message that could not be understood.
    Garbled {
        /// Where it came in.
        session: SessionId,
        /// When its last byte came in.
        received: Instant,
        /// What is known of it.
        garbled: Box<Garbled>,
    },
    /// The first byte is about to be passed to the stream: from now on sent-unknown.
    Released {
        /// Which frame.
        id: SendId,
    },
    /// Proof that no byte left.
    Unsent {
        /// Which frame.
        id: SendId,
        /// Why it stayed.
        why: Unsent,
    },
    /// The same, with the message: it may go another way.
    HandedBack {
        /// Which frame.
        id: SendId,
        /// Why it stayed.
        why: Unsent,
        /// What it was to say.
        msg: Box<Canonical>,
    },
    /// A session of this line is connected.
    LineUp {
        /// The line (a platform's door may have many sessions at once).
        line: LineId,
        /// The new session.
        session: SessionId,
    },
    /// A session ended; its sends have all been accounted for.
    LineDown {
        /// The line.
        line: LineId,
        /// The session that ended.
        session: SessionId,
    },
    /// Every record up to this number survives a crash.
    Durable {
        /// The mark.
        upto: RecordNo,
    },
    /// The answer to [`super::output::Output::Recall`].
    Recalled {
        /// Which question.
        ticket: Ticket,
        /// What the journal has.
        found: Recalled,
    },
    /// The deadline the core named has come.
    Timer,
    /// An operator's or the shell's wish.
    Command(Command),
}

/// Why a frame did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unsent {
    /// The core cancelled it in time.
    Cancelled,
    /// `not_after` had passed while it was held.
    TooLate,
    /// The session was gone, or ended before the first byte.
    NoSession,
    /// The session's outbound queue was full; the session is closed.
    QueueFull,
    /// It could not be packed in the peer's dialect; the text names the field.
    Unpackable(Text<64>),
    /// The journal failed; nothing leaves any more.
    JournalFailed,
}

/// What may be kept of a message that could not be understood: never its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbled {
    /// Field path from the outside in, like `55.9F02`.
    pub path: Text<32>,
    /// Byte offset of the error in the message.
    pub offset: u32,
    /// Length of the message in bytes.
    pub len: u32,
    /// Keyed hash of the message, to recognize it again.
    pub digest: [u8; 16],
    /// What could be read of it, where that suffices to answer with a format error, or to find
    /// what it answers: at least kind, flow and STAN.
    pub readable: Option<Box<Canonical>>,
}

/// What an operator or the shell may ask for.
#[derive(Debug)]
pub enum Command {
    /// Swap the policy, whole. In-flight transactions keep the old one.
    Reload(Arc<Policy>),
    /// Accept no new originals, finish what is in flight, sign off.
    Drain,
    /// Decline new requests while there is no room to write down what follows from them; take
    /// them again when there is.
    NoRoom(bool),
    /// Sign a bank's lines off, or on again.
    SignOff(BankSignOff),
    /// Compare totals with a bank.
    Reconcile {
        /// The bank, by name.
        bank: super::ids::Name,
        /// Of which period.
        which: Which,
        /// Who wants it.
        operator: super::ids::Name,
    },
    /// Move a bank's business date: to this one, or to the day after.
    Cutover {
        /// The bank, by name.
        bank: super::ids::Name,
        /// MMDD.
        date: Option<Text<4>>,
        /// Who wants it.
        operator: super::ids::Name,
    },
    /// An operator's decision about an in-doubt item.
    Desk(DeskAction),
    /// The same decision about many items of one bank that wait for one cause.
    DeskAll(DeskSweep),
}

/// An operator's word about all lines of a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankSignOff {
    /// The bank, by name.
    pub bank: super::ids::Name,
    /// Who wants it.
    pub operator: super::ids::Name,
    /// Off, for this reason; unset: on again.
    pub off: Option<Text<64>>,
}

/// Which totals are to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those of the business date in force; where terminals settle batches, of each one's.
    Present,
    /// Those of a business date, MMDD.
    Date(Text<4>),
    /// Those of a batch of a terminal, old or new.
    Batch(TerminalBatch),
}

/// An operator's decision about one item of the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskAction {
    /// The transaction, the SAF entry or the dead letter.
    pub item: RecordNo,
    /// Who decides.
    pub operator: super::ids::Name,
    /// What is to be done.
    pub verb: DeskVerb,
}

/// An operator's decision about many items: of one bank, for one cause, a bounded number in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskSweep {
    /// The bank.
    pub bank: super::ids::Name,
    /// Only those of this platform.
    pub platform: Option<super::ids::Name>,
    /// Why they wait; of what it holds besides nothing is compared.
    pub cause: Cause,
    /// Only items after this one.
    pub after: RecordNo,
    /// Who decides.
    pub operator: super::ids::Name,
    /// What is to be done.
    pub verb: DeskVerb,
}

/// What an operator may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeskVerb {
    /// Try the obligation again, now.
    Resend,
    /// Close it by hand, for this reason; the money is settled outside.
    GiveUp(Text<64>),
    /// Reverse what was approved, for this reason: its platform does not have it.
    Reverse(Text<64>),
    /// The bank did it, as it told the operator: it counts as if it had said so itself.
    Did(Text<64>),
    /// The bank did not, as it told the operator.
    DidNot(Text<64>),
}

impl DeskVerb {
    /// As operators spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::GiveUp(_) => "give-up",
            Self::Reverse(_) => "reverse",
            Self::Did(_) => "did",
            Self::DidNot(_) => "did-not",
        }
    }

    /// Why, where it takes a reason.
    pub const fn reason(self) -> Option<Text<64>> {
        match self {
            Self::Resend => None,
            Self::GiveUp(why) | Self::Reverse(why) | Self::Did(why) | Self::DidNot(why) => {
                Some(why)
            }
        }
    }
}
