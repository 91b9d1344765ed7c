//! The canonical message: what a message means, whatever dialect it came in.
//!
//! Translation goes dialect → canonical → dialect. A session reads its peer's messages into a
//! [`Canonical`] and writes the core's answers from one, in its own task; the core sees nothing
//! else. Contract: typed fields, secrets in secret types, allow-listed leftovers in one arena.
//! Deliberately absent: maps, dialect knowledge, anything a peer sent that no rule named.

mod error;
mod passed_on;
mod places;
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
    ResponseClass, Sent, Sum, Totals, TransactionType,
};
pub use error::{ReadError, WriteError};
pub use passed_on::{Carried, Header};
pub use places::without_place;

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
    /// What was sent to the receiver, where we sent it: its MTI is the one the receiver's dialect
    /// has for that, whatever MTI the asker used. Never read.
    pub sent: Option<Sent>,
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
    /// `F4` of an answer that names no currency: minor units in the currency of what it answers
    /// ([`Canonical::in_currency_of`]).
    pub bare_amount: Option<u64>,
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
    /// The year of `settlement_date` where the dialect states one, 00–99.
    pub settlement_year: Option<u8>,
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
    /// What of the original stands, in the reversal of a part (`F95`; from 1993 on `F4`).
    pub replacement_amount: Option<Amount>,
    /// What its original was for, in a completion (1993 `F30`).
    pub original_amount: Option<Amount>,
    /// In a reconciliation: what is compared.
    pub reconciliation: Option<Box<Reconciliation>>,
    /// The platform says that it takes partial approvals.
    pub accepts_partial: bool,
    /// Its processing code says more than its kind does (cash, cash back): never to be written
    /// as another.
    pub special: bool,
    /// Money besides the amount (fees, cash back) in a request or advice, as it is: said to the
    /// bank, or the message is not.
    pub money: Carried,
    /// The first data element with money that the sender's dialect does not pass on.
    pub unplaced: Option<u8>,
    /// What a bank's answer says for its follow-ups to repeat (network data).
    pub kept: Carried,
    /// Allow-listed fields passed on as they are.
    pub carried: Carried,
}

/// Names every field that may be absent to a macro: a new message has none of them, and one that
/// is read into again forgets them. One that is missing here does not compile.
macro_rules! each_optional {
    ($then:ident) => {
        $then! {
            mti pan processing_code amount bare_amount currency transmission stan local_time
            local_date local_year expiry settlement_date settlement_year merchant_type
            pos_entry_mode card_sequence network_id pos_condition pin_capture acquirer forwarder
            track2 rrn auth_id answer reason terminal merchant pin_block batch original referred
            replacement_amount original_amount reconciliation unplaced
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
                    special: false,
                    money: Carried::default(),
                    kept: Carried::default(),
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
        (self.repeat, self.accepts_partial, self.special) = (false, false, false);
        (self.mac, self.keys) = (MacCheck::NotRequired, KeyCheck::NotCarried);
        self.header = Header::EMPTY;
        self.carried.clear();
        self.money.clear();
        self.kept.clear();
    }

    /// Gives the local date and the settlement date the year nearest to `now`, where they have
    /// none: dialects from 1993 on state one, the older ones do not (domain.md section 6).
    pub fn complete_year(&mut self, now: Wall) {
        let dates = [
            (&mut self.local_year, &self.local_date),
            (&mut self.settlement_year, &self.settlement_date),
        ];
        for (year, date) in dates {
            if year.is_none()
                && let Some(date) = date
            {
                *year = nearest_year(*date, now);
            }
        }
    }

    /// Gives an answer's amount the currency of what it answers, where it names none itself.
    #[inline]
    pub fn in_currency_of(&mut self, asked: Option<Amount>) {
        let bare = self.bare_amount.filter(|_| self.amount.is_none());
        if let (Some(minor), Some(asked)) = (bare, asked) {
            self.amount = Some(Amount::new(minor, asked.currency));
        }
    }
}

/// The year, 00–99, in which a date (MMDD) is nearest to `now`; `None` where it is none.
fn nearest_year(date: Text<4>, now: Wall) -> Option<u8> {
    let digits = date.as_bytes();
    let number = |range| std::str::from_utf8(digits.get::<std::ops::Range<usize>>(range)?).ok();
    let month = number(0..2).and_then(|n| n.parse::<i8>().ok())?;
    let day = number(2..4).and_then(|n| n.parse::<i8>().ok())?;
    let today = now.utc().date();
    let dates = [0, -1, 1].into_iter().filter_map(|years| {
        jiff::civil::Date::new(today.year().checked_add(years)?, month, day).ok()
    });
    let nearest = dates.min_by_key(|date| date.duration_since(today).unsigned_abs());
    nearest.and_then(|d| u8::try_from(d.year().rem_euclid(100)).ok())
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
/// a format error, or to find what it answers: kind, flow, STAN, terminal, times. `false` where
/// that is not there. It never has an amount or a code: an answer read so says nothing.
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
