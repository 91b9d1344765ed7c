//! One value to its typed field: characters become texts, numbers, card data.
//!
//! Contract: nothing is cut or guessed; what a typed field cannot hold is refused, with what was
//! expected. A value of zeros is absent where zeros stand for nothing (`F90`). What can be judged
//! only once the kind of message is known waits in [`Pending`]. Deliberately absent: which value
//! stands where ([`super::read`]), and what follows ([`super::settle`]).

use super::{Balance, Canonical, OriginalData, ReadError, Reconciliation};
use crate::iso8583::rules::{Atom, Link, Part, What, Width};
use crate::limits::STAN_MAX;
use crate::money::Currency;
use crate::sensitive::{Pan, PinBlock, Track};
use crate::text::{Short, Text};

/// What fields say before it is known what the message is.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) minor: Option<u64>,
    pub(super) replacement: Option<u64>,
    /// What the original's amount was, and its currency where that is stated.
    pub(super) before: (Option<u64>, Option<Currency>),
    pub(super) currency: Option<Currency>,
    pub(super) exponent: Option<u32>,
    pub(super) code: Option<Text<4>>,
    pub(super) reason: Option<Text<4>>,
    pub(super) original: Option<OriginalData>,
    pub(super) reconciliation: Option<Reconciliation>,
}

/// What was expected instead.
type Unfit = &'static str;

/// Gives a data element to its canonical field.
#[inline(never)]
pub(super) fn take_link(
    link: &Link,
    value: &[u8],
    into: &mut Canonical,
    pending: &mut Pending,
) -> Result<(), ReadError> {
    let Some(atom) = link.whole else { return take_parts(link, value, into, pending) };
    take(atom, value, into, pending).map_err(|expected| unfit(link.de, atom, expected, value))
}

#[cold]
fn unfit(de: u8, atom: Atom, expected: Unfit, value: &[u8]) -> ReadError {
    ReadError::Value { de, name: atom.word(), expected, got: value.len() }
}

/// Gives every part of a data element to its canonical field.
fn take_parts(
    link: &Link,
    value: &[u8],
    into: &mut Canonical,
    pending: &mut Pending,
) -> Result<(), ReadError> {
    let unfit = |part: &Part, expected| ReadError::Value {
        de: link.de,
        name: name_of(part),
        expected,
        got: value.len(),
    };
    let mut rest = value;
    for part in &link.parts {
        if part.optional && rest.is_empty() {
            break;
        }
        let (own, after) = cut(part.width, rest).ok_or_else(|| unfit(part, "more characters"))?;
        rest = after;
        if let What::Atom(atom) = part.what {
            take(atom, own, into, pending).map_err(|expected| unfit(part, expected))?;
        }
    }
    match (rest, link.parts.last()) {
        ([], _) | (_, None) => Ok(()),
        (_, Some(last)) => Err(unfit(last, "the end")),
    }
}

pub(super) fn name_of(part: &Part) -> &'static str {
    match part.what {
        What::Atom(atom) => atom.word(),
        What::Mark => "a part of [messages]",
        What::Fill(_) => "filling",
    }
}

fn cut(width: Width, value: &[u8]) -> Option<(&[u8], &[u8])> {
    match width {
        Width::Whole => Some((value, &[])),
        Width::Fixed(n) => value.split_at_checked(n),
        Width::Rest(most) => (value.len() <= most).then_some((value, &[])),
        Width::Counted(digits, most) => {
            let (count, rest) = value.split_at_checked(digits)?;
            let count = usize::try_from(number(count)?).ok().filter(|n| *n <= most)?;
            rest.split_at_checked(count)
        }
    }
}

/// The number some digits say; nothing is 0.
fn number(digits: &[u8]) -> Option<u64> {
    match Short::of(digits) {
        Some(short) => short.number(),
        None => long_number(digits),
    }
}

/// More digits than two words hold.
#[cold]
fn long_number(digits: &[u8]) -> Option<u64> {
    let (front, back) = digits.split_at_checked(digits.len().checked_sub(Short::MOST)?)?;
    let (front, back) = (Short::of(front)?.number()?, Short::of(back)?.number()?);
    (digits.len() <= 18).then(|| front * 10_000_000_000_000_000 + back)
}

/// A short printable text.
#[inline]
fn text<const N: usize>(value: Option<Short>) -> Result<Option<Text<N>>, Unfit> {
    match value.and_then(Short::printable).and_then(Text::of_short) {
        Some(text) => Ok(Some(text)),
        None => Err(UNPRINTABLE),
    }
}

const UNPRINTABLE: Unfit = "fewer, printable characters";

/// The same without spaces behind; absent where nothing else is there.
fn trimmed<const N: usize>(value: &[u8]) -> Result<Option<Text<N>>, Unfit> {
    let value = value.trim_ascii_end();
    if value.is_empty() {
        return Ok(None);
    }
    match Short::of(value) {
        Some(short) => text(Some(short)),
        None => Text::new(value).map(Some).map_err(|_| UNPRINTABLE),
    }
}

/// A text that is absent when it is nothing but zeros (parts of `F90`).
fn filled<const N: usize>(value: &[u8]) -> Result<Option<Text<N>>, Unfit> {
    if value.iter().all(|c| *c == b'0') { Ok(None) } else { text(Short::of(value)) }
}

/// The same, without the zeros it is filled up with in front.
fn right_justified<const N: usize>(value: &[u8]) -> Result<Option<Text<N>>, Unfit> {
    let zeros = value.iter().take_while(|c| **c == b'0').count();
    filled(value.get(zeros..).unwrap_or_default())
}

/// A number 1–999999; 0 is absent.
fn counted(value: &[u8]) -> Result<Option<u32>, Unfit> {
    let number = number(value).and_then(|n| u32::try_from(n).ok());
    // Fields of twelve digits (2003) have room for more; a STAN beyond this is the peer's error,
    // for no other dialect could say it and nobody may cut it.
    let number = number.filter(|n| *n <= STAN_MAX).ok_or("a number up to 999999")?;
    Ok((number > 0).then_some(number))
}

fn take(
    atom: Atom,
    value: &[u8],
    into: &mut Canonical,
    pending: &mut Pending,
) -> Result<(), Unfit> {
    let short = Short::of(value);
    match atom {
        Atom::Pan => into.pan = Some(Pan::new(value).map_err(|e| e.why)?),
        Atom::ProcessingCode => into.processing_code = text(short)?,
        Atom::Transmission => into.transmission = text(short)?,
        Atom::Stan => into.stan = Some(counted(value)?.ok_or("a number from 1")?),
        Atom::LocalTime => into.local_time = text(short)?,
        Atom::LocalDate => into.local_date = text(short)?,
        Atom::LocalYear => into.local_year = Some(year(value)?),
        Atom::Expiry => into.expiry = text(short)?,
        Atom::SettlementDate => into.settlement_date = filled(value)?,
        Atom::SettlementYear => into.settlement_year = Some(year(value)?),
        Atom::MerchantType => into.merchant_type = text(short)?,
        Atom::PosEntryMode => into.pos_entry_mode = text(short)?,
        Atom::CardSequence => into.card_sequence = text(short)?,
        Atom::NetworkId => into.network_id = text(short)?,
        Atom::PosCondition => into.pos_condition = text(short)?,
        Atom::PinCapture => into.pin_capture = text(short)?,
        Atom::Acquirer => into.acquirer = text(short)?,
        Atom::Forwarder => into.forwarder = text(short)?,
        Atom::Track2 => into.track2 = Some(Track::new(value).map_err(|e| e.why)?),
        Atom::Rrn => into.rrn = text(short)?,
        Atom::AuthId => into.auth_id = text(short)?,
        Atom::Terminal => into.terminal = trimmed(value)?,
        Atom::Merchant => into.merchant = trimmed(value)?,
        Atom::PinBlock => into.pin_block = Some(PinBlock::new(value).map_err(|e| e.why)?),
        Atom::Batch => into.batch = counted(value)?,
        Atom::AcceptsPartial => into.accepts_partial = value == b"1",
        _ => return take_pending(atom, value, pending),
    }
    Ok(())
}

fn take_pending(atom: Atom, value: &[u8], pending: &mut Pending) -> Result<(), Unfit> {
    match atom {
        Atom::Amount => pending.minor = Some(number(value).ok_or("digits")?),
        Atom::ReplacementAmount => {
            pending.replacement = number(value).ok_or("digits").map(|n| (n > 0).then_some(n))?;
        }
        Atom::Currency => {
            let code = number(value).and_then(|n| u16::try_from(n).ok()).and_then(Currency::new);
            // Some hosts spell it in letters; the meaning is the number.
            let code = code.or_else(|| Currency::from_letters(value));
            pending.currency = Some(code.ok_or("a currency code of ISO 4217")?);
        }
        Atom::OriginalAmount => {
            pending.before.0 = number(value).ok_or("digits").map(|n| (n > 0).then_some(n))?;
        }
        Atom::OriginalCurrency => {
            let code = number(value).and_then(|n| u16::try_from(n).ok()).and_then(Currency::new);
            pending.before.1 = code;
        }
        Atom::OriginalExponent => {}
        Atom::Exponent => {
            let exponent = number(value).and_then(|n| u32::try_from(n).ok());
            pending.exponent = Some(exponent.ok_or("one digit")?);
        }
        Atom::Answer => pending.code = text(Short::of(value))?,
        Atom::Reason => pending.reason = text(Short::of(value))?,
        _ if atom.is_settlement() => {
            return take_total(atom, value, pending.reconciliation.get_or_insert_default());
        }
        _ => return take_original(atom, value, pending.original.get_or_insert_default()),
    }
    Ok(())
}

fn take_total(atom: Atom, value: &[u8], into: &mut Reconciliation) -> Result<(), Unfit> {
    match atom {
        Atom::NetAmount => {
            let (sign, digits) = value.split_first().ok_or("C or D and digits")?;
            let net = number(digits).and_then(|n| i64::try_from(n).ok()).ok_or("digits")?;
            into.net = Some(match sign {
                b'C' => net,
                b'D' => -net,
                _ => return Err("C or D first"),
            });
            return Ok(());
        }
        Atom::SettlementCurrency => {
            let code = number(value).and_then(|n| u16::try_from(n).ok()).and_then(Currency::new);
            into.currency = Some(code.ok_or("a numeric currency code")?);
            return Ok(());
        }
        Atom::SettlementCode => {
            into.balance = Balance::of_digit(number(value).ok_or("one digit")?);
            return Ok(());
        }
        _ => {}
    }
    let stated = number(value).ok_or("digits")?;
    let totals = into.totals.get_or_insert_default();
    let place = match atom {
        Atom::CreditsNumber | Atom::StandingCreditsNumber => &mut totals.credits.count,
        Atom::CreditsReversalNumber => &mut totals.credits_reversed.count,
        Atom::DebitsNumber | Atom::StandingDebitsNumber => &mut totals.debits.count,
        Atom::DebitsReversalNumber => &mut totals.debits_reversed.count,
        Atom::InquiriesNumber => &mut totals.inquiries,
        Atom::AuthorizationsNumber => &mut totals.authorizations,
        Atom::CreditsAmount | Atom::StandingCreditsAmount => &mut totals.credits.minor,
        Atom::CreditsReversalAmount => &mut totals.credits_reversed.minor,
        Atom::DebitsAmount | Atom::StandingDebitsAmount => &mut totals.debits.minor,
        Atom::DebitsReversalAmount => &mut totals.debits_reversed.minor,
        _ => return Ok(()),
    };
    *place = stated;
    into.standing |= matches!(
        atom,
        Atom::StandingCreditsNumber
            | Atom::StandingDebitsNumber
            | Atom::StandingCreditsAmount
            | Atom::StandingDebitsAmount
    );
    Ok(())
}

fn take_original(atom: Atom, value: &[u8], original: &mut OriginalData) -> Result<(), Unfit> {
    match atom {
        Atom::OriginalMti => original.mti = filled(value)?,
        Atom::OriginalStan => original.stan = counted(value)?,
        Atom::OriginalTransmission => original.transmission = filled(value)?,
        Atom::OriginalAcquirer => original.acquirer = right_justified(value)?,
        Atom::OriginalForwarder => original.forwarder = right_justified(value)?,
        Atom::OriginalBatch => original.batch = counted(value)?,
        Atom::OriginalDate => original.date = filled(value)?,
        Atom::OriginalTime => original.time = text(Short::of(value))?,
        // Every other word is matched by the callers.
        _ => {}
    }
    Ok(())
}

fn year(value: &[u8]) -> Result<u8, Unfit> {
    let year = number(value).and_then(|n| u8::try_from(n).ok()).filter(|y| *y <= 99);
    year.ok_or("a two-digit year")
}
