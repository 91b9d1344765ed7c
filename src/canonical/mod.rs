//! The canonical message: what a message means, whatever dialect it came in.
//!
//! Translation goes dialect → canonical → dialect. A session reads its peer's messages into a
//! [`Canonical`] and writes the core's answers from one, in its own task; the core sees nothing
//! else. Contract: typed fields, secrets in secret types, allow-listed leftovers in one arena.
//! Deliberately absent: maps, dialect knowledge, anything a peer sent that no rule named.

mod error;
mod passed_on;
mod quick;
mod read;
mod render;
mod say;
mod settle;
mod take;
#[cfg(test)]
mod tests;
mod write;

pub use crate::meaning::{
    Answer, Balance, Flow, KeyCheck, Kind, MacCheck, NetworkFunction, Reason, Reconciliation,
    ResponseClass, Sum, Totals, TransactionType,
};
pub use error::{ReadError, WriteError};
pub use passed_on::{Carried, Header};

use crate::iso8583::{Dialect, Message};
use crate::money::{Amount, Currency};
use crate::sensitive::{Pan, PinBlock, Track};
use crate::text::Text;
use crate::time::Wall;

/// What identifies an original inside its reversal, void, completion or refund
/// (`F90`; UnionPay `F61`; `F56` from 1993 on).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginalData {
    /// MTI of the original, if stated.
    pub mti: Option<Text<4>>,
    /// STAN of the original, if stated.
    pub stan: Option<u32>,
    /// Transmission date and time of the original (`F7`, MMDDhhmmss), if stated.
    pub transmission: Option<Text<10>>,
    /// Acquirer of the original (`F32`), if stated.
    pub acquirer: Option<Text<11>>,
    /// Forwarder of the original (`F33`), if stated.
    pub forwarder: Option<Text<11>>,
    /// Batch number of the original (UnionPay), if stated.
    pub batch: Option<u32>,
    /// Local date of the original (MMDD), if stated.
    pub date: Option<Text<4>>,
    /// Local time of the original (hhmmss), if stated (`F56`).
    pub time: Option<Text<6>>,
}

/// One message, in meaning. Unset fields were absent, or must not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// What is asked for.
    pub kind: Kind,
    /// Which leg of the conversation this is.
    pub flow: Flow,
    /// Whether the MTI says repeat.
    pub repeat: bool,
    /// The MTI as received; unset on messages that are still to be written.
    pub mti: Option<Text<4>>,
    /// The peer's TPDU and message header as received, for a reply to turn around; bytes 0–4
    /// are the TPDU where the framing has one.
    pub header: Header,
    /// Outcome of the MAC check.
    pub mac: MacCheck,
    /// Outcome of the check of the keys it carried (UnionPay sign-in, `F62`).
    pub keys: KeyCheck,
    /// `F2`, or taken from track 2 where `F2` is absent.
    pub pan: Option<Pan>,
    /// `F3`, six digits.
    pub processing_code: Option<Text<6>>,
    /// `F4` with `F49`.
    pub amount: Option<Amount>,
    /// `F49` where there is no amount, as in a balance inquiry: routes may ask for it.
    pub currency: Option<Currency>,
    /// `F7`, MMDDhhmmss, GMT.
    pub transmission: Option<Text<10>>,
    /// `F11`, 1–999999.
    pub stan: Option<u32>,
    /// `F12`, hhmmss.
    pub local_time: Option<Text<6>>,
    /// `F13`, MMDD.
    pub local_date: Option<Text<4>>,
    /// The year of `local_date` where the dialect states one, 00–99.
    pub local_year: Option<u8>,
    /// `F14`, YYMM.
    pub expiry: Option<Text<4>>,
    /// `F15`, MMDD: the business date a settlement counts on.
    pub settlement_date: Option<Text<4>>,
    /// `F18`, merchant category code.
    pub merchant_type: Option<Text<4>>,
    /// `F22`: three digits (1987), twelve characters (1993).
    pub pos_entry_mode: Option<Text<12>>,
    /// `F23`.
    pub card_sequence: Option<Text<3>>,
    /// `F24`, NII or function code.
    pub network_id: Option<Text<3>>,
    /// `F25`: POS condition (1987) as two digits.
    pub pos_condition: Option<Text<2>>,
    /// `F26`, PIN capture code.
    pub pin_capture: Option<Text<2>>,
    /// `F32`.
    pub acquirer: Option<Text<11>>,
    /// `F33`.
    pub forwarder: Option<Text<11>>,
    /// `F35`.
    pub track2: Option<Track>,
    /// `F37`.
    pub rrn: Option<Text<12>>,
    /// `F38`. Never invented.
    pub auth_id: Option<Text<6>>,
    /// `F39`, by class with the original code kept.
    pub answer: Option<Answer>,
    /// Reason of a reversal or advice as the dialect codes it (`F39` in UnionPay, `F25`/`F60`).
    pub reason: Option<Reason>,
    /// `F41`.
    pub terminal: Option<Text<16>>,
    /// `F42`.
    pub merchant: Option<Text<35>>,
    /// `F52`. A request that carries one is declined where no PIN translation exists.
    pub pin_block: Option<PinBlock>,
    /// Batch number (UnionPay `F60.2`), 1–999999.
    pub batch: Option<u32>,
    /// What a reversal reverses, or what a void, completion or refund refers to (`F90`, `F61`,
    /// `F56`; in UnionPay reversals `F11` and `F60.2`, because the STAN stays the same).
    pub original: Option<OriginalData>,
    /// In a reversal: what the reversed message itself referred to (UnionPay `F61` in the
    /// reversal of a void or completion). Unset elsewhere.
    pub referred: Option<OriginalData>,
    /// `F95` or `F30`: what the amount really was, in a partial reversal or completion.
    pub replacement_amount: Option<Amount>,
    /// In a reconciliation: what is compared.
    pub reconciliation: Option<Box<Reconciliation>>,
    /// The platform says that it takes partial approvals.
    pub accepts_partial: bool,
    /// Allow-listed fields passed on as they are.
    pub carried: Carried,
}

/// Names every field that may be absent to a macro: a new message has none of them, and one that
/// is read into again forgets them. One that is missing here does not compile.
macro_rules! each_optional {
    ($then:ident) => {
        $then! {
            mti pan processing_code amount currency transmission stan local_time local_date
            local_year expiry settlement_date merchant_type pos_entry_mode card_sequence
            network_id pos_condition pin_capture acquirer forwarder track2 rrn auth_id answer
            reason terminal merchant pin_block batch original referred replacement_amount
            reconciliation
        }
    };
}

impl Canonical {
    /// An otherwise empty message of this kind and flow.
    #[inline]
    pub fn new(kind: Kind, flow: Flow) -> Self {
        macro_rules! blank {
            ($($field:ident)*) => {
                Self {
                    kind,
                    flow,
                    repeat: false,
                    header: Header::EMPTY,
                    mac: MacCheck::NotRequired,
                    keys: KeyCheck::NotCarried,
                    accepts_partial: false,
                    carried: Carried::default(),
                    $($field: None,)*
                }
            };
        }
        each_optional!(blank)
    }

    /// Back to an empty message, of whatever kind; keeps the memory. What it held of the card is
    /// wiped, of all else only forgotten.
    fn forget(&mut self) {
        macro_rules! leave {
            ($($field:ident)*) => {
                $(self.$field = None;)*
            };
        }
        each_optional!(leave);
        (self.repeat, self.accepts_partial) = (false, false);
        (self.mac, self.keys) = (MacCheck::NotRequired, KeyCheck::NotCarried);
        self.header = Header::EMPTY;
        self.carried.clear();
    }

    /// Gives the local date the year nearest to `now`, where it has none: dialects from 1993 on
    /// state one, the older ones do not (domain.md section 6).
    pub fn complete_year(&mut self, now: Wall) {
        if self.local_year.is_some() {
            return;
        }
        let Some(digits) = self.local_date.as_ref().map(Text::as_bytes) else { return };
        let number = |range| std::str::from_utf8(digits.get::<std::ops::Range<usize>>(range)?).ok();
        let month = number(0..2).and_then(|n| n.parse::<i8>().ok()).unwrap_or_default();
        let day = number(2..4).and_then(|n| n.parse::<i8>().ok()).unwrap_or_default();
        let today = now.utc().date();
        let dates = [0, -1, 1].into_iter().filter_map(|years| {
            jiff::civil::Date::new(today.year().checked_add(years)?, month, day).ok()
        });
        let nearest = dates.min_by_key(|date| date.duration_since(today).unsigned_abs());
        self.local_year = nearest.and_then(|d| u8::try_from(d.year().rem_euclid(100)).ok());
    }
}

/// Reads a message into meaning. Everything `into` held is forgotten; its memory is kept.
/// The MAC is the session's to check: set [`Canonical::mac`] afterwards.
///
/// # Errors
/// [`ReadError`]; what `into` holds then means nothing.
pub fn read(dialect: &Dialect, message: &Message, into: &mut Canonical) -> Result<(), ReadError> {
    into.forget();
    read::read::<true>(dialect.rules(), message, into)
}

/// Reads a message into a new meaning; otherwise as [`read()`].
///
/// # Errors
/// [`ReadError`].
pub fn read_new(dialect: &Dialect, message: &Message) -> Result<Box<Canonical>, ReadError> {
    let kind = Kind::Transaction(TransactionType::Unstated);
    let mut into = Box::new(Canonical::new(kind, Flow::Request));
    read::read::<true>(dialect.rules(), message, &mut into)?;
    Ok(into)
}

/// Reads what suffices to answer a message that cannot be read, or not wholly be unpacked, with
/// a format error: kind, flow, STAN, terminal, times. `false` where that is not there, or where
/// the message is an answer itself.
pub fn read_partial(dialect: &Dialect, message: &Message, into: &mut Canonical) -> bool {
    read::read_partial(dialect.rules(), message, into)
}

/// Writes a meaning as a message. Everything `message` held is forgotten; its memory is kept.
/// An answer gets the header of its request turned around ([`Canonical::header`]); the header of
/// a request is the line's to set. An answer with [`Canonical::mti`] set to a request's MTI
/// answers that MTI; otherwise the MTI follows from kind and flow. A place is left for the MAC.
///
/// # Errors
/// [`WriteError`]; the message is then not to be sent.
pub fn write(dialect: &Dialect, from: &Canonical, message: &mut Message) -> Result<(), WriteError> {
    write::write::<true>(dialect.rules(), from, message)?;
    let asked = from.header.as_bytes();
    if let Some(header) = dialect.header().filter(|_| from.flow.is_answer() && !asked.is_empty()) {
        let mut turned = from.header;
        turned.turn(header.tpdu_len(asked));
        message.set_header(Some(turned.as_bytes()));
    }
    Ok(())
}
