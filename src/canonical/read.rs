//! Wire to meaning: a [`Message`] and its dialect's rules give a [`Canonical`].
//!
//! Contract: allocates nothing once `into` has carried a few messages; every field a rule names
//! is typed or carried, all others are left behind. The card number comes from `F2`, or else from
//! track 2. An unknown code is an unknown class, never an approval. Deliberately absent: MACs
//! (checked by the session, [`crate::iso8583::mac`]) and anything about other messages.

use super::{
    Answer, Balance, Canonical, Flow, Header, Kind, NetworkFunction, OriginalData, ReadError,
    Reconciliation, TransactionType,
};
use crate::iso8583::rules::{
    Atom, Breach, FieldSet, Link, NoMessage, Part, Rules, StanRule, What, Width,
};
use crate::iso8583::{Message, Mti};
use crate::limits::STAN_MAX;
use crate::money::{Amount, Currency};
use crate::sensitive::{Pan, PinBlock, Track};
use crate::text::Text;

/// What fields say before it is known what the message is.
#[derive(Default)]
struct Pending {
    minor: Option<u64>,
    replacement: Option<u64>,
    currency: Option<Currency>,
    exponent: Option<u32>,
    code: Option<Text<4>>,
    reason: Option<Text<4>>,
    original: OriginalData,
    reconciliation: Reconciliation,
}

/// What was expected instead.
type Unfit = &'static str;

pub(super) fn read(
    rules: &Rules,
    message: &Message,
    into: &mut Canonical,
) -> Result<(), ReadError> {
    if !rules.translates() {
        return Err(ReadError::Untranslatable);
    }
    reset(into, message);
    let mut pending = Pending::default();
    let fields = rules.fields();
    let present = FieldSet::from_words(message.present());
    for de in present.and(fields.mapped()).iter() {
        if let (Some(link), Some(value)) = (fields.link(de), message.get(de))
            && !value.is_empty()
        {
            take_link(link, value, into, &mut pending)?;
        }
    }
    identify(rules, message, pending.original.mti, into)?;
    if into.kind == Kind::Reconciliation {
        for link in rules.fields().settlement() {
            if let Some(value) = message.get(link.de).filter(|v| !v.is_empty()) {
                take_link(link, value, into, &mut pending)?;
            }
        }
        settle_totals(rules, &pending, into);
    }
    settle_amounts(rules, &pending, into)?;
    settle_codes(rules, &pending, into);
    settle_original(rules, pending.original, into);
    settle_card(into);
    into.accepts_partial |= fields.accepts_partial() && !into.flow.is_answer();
    for de in present.and(fields.carry(into.flow.is_answer())).iter() {
        let Some(value) = message.get(de) else { continue };
        let lettered = if is_currency(de) { Currency::from_letters(value) } else { None };
        match lettered {
            Some(currency) => into.carried.push(de, &currency.digits()),
            None => into.carried.push(de, value),
        }
    }
    Ok(())
}

/// The currencies that are carried untyped: of settlement and of billing.
pub(super) const fn is_currency(de: u8) -> bool {
    matches!(de, 50 | 51)
}

/// What can still be said of a message that could not be unpacked or read: enough to answer that
/// its format is wrong. `false` where not even that is possible.
pub(super) fn read_partial(rules: &Rules, message: &Message, into: &mut Canonical) -> bool {
    reset(into, message);
    let mti = message.mti();
    if !rules.messages().has(mti) || mti.is_response() {
        return false;
    }
    let mut pending = Pending::default();
    for link in rules.fields().links() {
        let useful = |part: &Part| {
            let What::Atom(atom) = part.what else { return false };
            matches!(
                atom,
                Atom::Stan
                    | Atom::Terminal
                    | Atom::Merchant
                    | Atom::Transmission
                    | Atom::LocalTime
                    | Atom::LocalDate
                    | Atom::ProcessingCode
                    | Atom::Batch
            )
        };
        if link.parts.iter().any(useful)
            && let Some(value) = message.get(link.de).filter(|v| !v.is_empty())
        {
            // Best effort: what is no value is absent.
            let _ = take_link(link, value, into, &mut pending);
        }
    }
    match rules.messages().find(message, None) {
        Ok(found) => (into.kind, into.flow) = (found.kind, found.flow),
        Err(_) => {
            let Some((kind, flow)) = kind_of_class(mti) else { return false };
            (into.kind, into.flow) = (kind, flow);
        }
    }
    into.stan.is_some() && into.flow.answer().is_some()
}

fn kind_of_class(mti: Mti) -> Option<(Kind, Flow)> {
    let kind = match mti.class() {
        1 | 2 => Kind::Transaction(TransactionType::Unstated),
        3 => Kind::BatchUpload,
        4 => Kind::Reversal(TransactionType::Unstated),
        5 => Kind::Reconciliation,
        8 => Kind::NetworkManagement(NetworkFunction::Unstated),
        _ => return None,
    };
    let flow = match mti.function() {
        0 => Flow::Request,
        2 => Flow::Advice,
        _ => return None,
    };
    Some((kind, flow))
}

fn reset(into: &mut Canonical, message: &Message) {
    let mut carried = std::mem::take(&mut into.carried);
    carried.clear();
    let unknown = Kind::Transaction(TransactionType::Unstated);
    *into = Canonical { carried, ..Canonical::new(unknown, Flow::Request) };
    let _ = text(&mut into.mti, message.mti().as_bytes());
    into.repeat = message.mti().is_repeat();
    into.header = message.header().and_then(Header::new).unwrap_or(Header::EMPTY);
}

fn identify(
    rules: &Rules,
    message: &Message,
    original_mti: Option<Text<4>>,
    into: &mut Canonical,
) -> Result<(), ReadError> {
    let mti = into.mti.unwrap_or_default();
    let found = rules.messages().find(message, original_mti).map_err(|why| match why {
        NoMessage::Mti => ReadError::UnknownMti { mti },
        NoMessage::Values => ReadError::UnknownMessage {
            mti,
            processing_code: into.processing_code.unwrap_or_default(),
        },
    })?;
    (into.kind, into.flow) = (found.kind, found.flow);
    let answer = found.flow.is_answer();
    let need = match found.entry {
        Some(entry) => rules.presence().of(entry, answer),
        None => rules.presence().of_kind(found.kind, answer),
    };
    need.check(FieldSet::from_words(message.present())).map_err(|breach| match breach {
        Breach::Missing(de) => ReadError::Missing { mti, de },
        Breach::Forbidden(de) => ReadError::Forbidden { mti, de },
    })
}

/// Gives a data element to its canonical field.
#[inline]
fn take_link(
    link: &Link,
    value: &[u8],
    into: &mut Canonical,
    pending: &mut Pending,
) -> Result<(), ReadError> {
    let Some(atom) = link.whole else { return take_parts(link, value, into, pending) };
    let (de, name, got) = (link.de, atom.word(), value.len());
    take(atom, value, into, pending).map_err(|expected| ReadError::Value {
        de,
        name,
        expected,
        got,
    })
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

fn number(digits: &[u8]) -> Option<u64> {
    let (mut number, mut good) = (0_u64, digits.len() <= 18);
    for digit in digits.iter().map(|c| c.wrapping_sub(b'0')) {
        good &= digit <= 9;
        number = number.wrapping_mul(10).wrapping_add(digit.into());
    }
    good.then_some(number)
}

fn text<const N: usize>(place: &mut Option<Text<N>>, value: &[u8]) -> Result<(), Unfit> {
    if place.insert(Text::EMPTY).set(value).is_err() {
        *place = None;
        return Err("fewer, printable characters");
    }
    Ok(())
}

/// A text that is absent when it is nothing but zeros (parts of `F90`).
fn filled<const N: usize>(place: &mut Option<Text<N>>, value: &[u8]) -> Result<(), Unfit> {
    *place = None;
    if value.iter().all(|c| *c == b'0') { Ok(()) } else { text(place, value) }
}

/// The same, without the zeros it is filled up with in front.
fn right_justified<const N: usize>(place: &mut Option<Text<N>>, value: &[u8]) -> Result<(), Unfit> {
    let zeros = value.iter().take_while(|c| **c == b'0').count();
    filled(place, value.get(zeros..).unwrap_or_default())
}

/// A number 1–999999; 0 is absent.
fn counted(value: &[u8]) -> Result<Option<u32>, Unfit> {
    let number = number(value).and_then(|n| u32::try_from(n).ok());
    // Fields of twelve digits (2003) have room for more; a STAN beyond this is the peer's error,
    // for no other dialect could say it and nobody may cut it.
    let number = number.filter(|n| *n <= STAN_MAX).ok_or("a number up to 999999")?;
    Ok((number > 0).then_some(number))
}

fn trimmed<const N: usize>(place: &mut Option<Text<N>>, value: &[u8]) -> Result<(), Unfit> {
    *place = None;
    let value = value.trim_ascii_end();
    if value.is_empty() { Ok(()) } else { text(place, value) }
}

fn take(
    atom: Atom,
    value: &[u8],
    into: &mut Canonical,
    pending: &mut Pending,
) -> Result<(), Unfit> {
    match atom {
        Atom::Pan => into.pan = Some(Pan::new(value).map_err(|e| e.why)?),
        Atom::ProcessingCode => text(&mut into.processing_code, value)?,
        Atom::Transmission => text(&mut into.transmission, value)?,
        Atom::Stan => into.stan = Some(counted(value)?.ok_or("a number from 1")?),
        Atom::LocalTime => text(&mut into.local_time, value)?,
        Atom::LocalDate => text(&mut into.local_date, value)?,
        Atom::LocalYear => into.local_year = Some(year(value)?),
        Atom::Expiry => text(&mut into.expiry, value)?,
        Atom::SettlementDate => text(&mut into.settlement_date, value)?,
        Atom::MerchantType => text(&mut into.merchant_type, value)?,
        Atom::PosEntryMode => text(&mut into.pos_entry_mode, value)?,
        Atom::CardSequence => text(&mut into.card_sequence, value)?,
        Atom::NetworkId => text(&mut into.network_id, value)?,
        Atom::PosCondition => text(&mut into.pos_condition, value)?,
        Atom::PinCapture => text(&mut into.pin_capture, value)?,
        Atom::Acquirer => text(&mut into.acquirer, value)?,
        Atom::Forwarder => text(&mut into.forwarder, value)?,
        Atom::Track2 => into.track2 = Some(Track::new(value).map_err(|e| e.why)?),
        Atom::Rrn => text(&mut into.rrn, value)?,
        Atom::AuthId => text(&mut into.auth_id, value)?,
        Atom::Terminal => trimmed(&mut into.terminal, value)?,
        Atom::Merchant => trimmed(&mut into.merchant, value)?,
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
        Atom::Exponent => {
            let exponent = number(value).and_then(|n| u32::try_from(n).ok());
            pending.exponent = Some(exponent.ok_or("one digit")?);
        }
        Atom::Answer => text(&mut pending.code, value)?,
        Atom::Reason => text(&mut pending.reason, value)?,
        _ if atom.is_settlement() => return take_total(atom, value, &mut pending.reconciliation),
        _ => return take_original(atom, value, &mut pending.original),
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

/// Currency and verdict may stand elsewhere.
fn settle_totals(rules: &Rules, pending: &Pending, into: &mut Canonical) {
    let mut stated = pending.reconciliation;
    stated.currency = stated.currency.or(pending.currency).or(rules.fields().currency());
    let code = pending.code.filter(|_| into.flow.is_answer());
    let coded = code.and_then(|code| rules.fields().balance_of(code.as_bytes()));
    stated.balance = stated.balance.or(coded);
    into.reconciliation = Some(Box::new(stated));
}

fn take_original(atom: Atom, value: &[u8], original: &mut OriginalData) -> Result<(), Unfit> {
    match atom {
        Atom::OriginalMti => filled(&mut original.mti, value)?,
        Atom::OriginalStan => original.stan = counted(value)?,
        Atom::OriginalTransmission => filled(&mut original.transmission, value)?,
        Atom::OriginalAcquirer => right_justified(&mut original.acquirer, value)?,
        Atom::OriginalForwarder => right_justified(&mut original.forwarder, value)?,
        Atom::OriginalBatch => original.batch = counted(value)?,
        Atom::OriginalDate => filled(&mut original.date, value)?,
        Atom::OriginalTime => text(&mut original.time, value)?,
        // Every other word is matched by the callers.
        _ => {}
    }
    Ok(())
}

fn year(value: &[u8]) -> Result<u8, Unfit> {
    let year = number(value).and_then(|n| u8::try_from(n).ok()).filter(|y| *y <= 99);
    year.ok_or("a two-digit year")
}

fn settle_amounts(rules: &Rules, pending: &Pending, into: &mut Canonical) -> Result<(), ReadError> {
    if pending.minor.is_none() && pending.replacement.is_none() {
        into.currency = pending.currency;
        return Ok(());
    }
    let de = rules.fields().element_of(Atom::Amount).unwrap_or(4);
    let currency = pending.currency.or(rules.fields().currency());
    let currency = currency.ok_or(ReadError::NoCurrency { de })?;
    if pending.exponent.is_some_and(|e| e != currency.exponent()) {
        let expected = "the minor digits of its currency";
        return Err(ReadError::Value { de, name: "exponent", expected, got: 1 });
    }
    into.amount = pending.minor.map(|minor| Amount::new(minor, currency));
    into.replacement_amount = pending.replacement.map(|minor| Amount::new(minor, currency));
    Ok(())
}

/// `F39` is an answer, or in a reversal perhaps the reason.
fn settle_codes(rules: &Rules, pending: &Pending, into: &mut Canonical) {
    let asks = !into.flow.is_answer();
    let mut reason = pending.reason;
    let in_answer = rules.reversal().is_some_and(|r| r.reason_in_answer());
    if asks && matches!(into.kind, Kind::Reversal(_)) && in_answer {
        reason = reason.or(pending.code);
    } else if into.flow != Flow::Request {
        into.answer = pending.code.map(|code| {
            let class = rules.responses().class_of(code.as_bytes());
            Answer::Given { class, code }
        });
    }
    into.reason = reason.and_then(|code| rules.reasons().reversal_of(code.as_bytes()));
}

/// A reversal with the STAN of its original refers to it by that; what stands in the original
/// data is what the reversed message itself referred to.
fn settle_original(rules: &Rules, original: OriginalData, into: &mut Canonical) {
    let stated = (original != OriginalData::default()).then_some(original);
    let same_stan = rules.reversal().is_some_and(|r| r.stan == StanRule::Same);
    let reverses = matches!(into.kind, Kind::Reversal(_)) && !into.flow.is_answer();
    if same_stan && reverses {
        into.referred = stated;
        into.original =
            Some(OriginalData { stan: into.stan, batch: into.batch, ..OriginalData::default() });
    } else {
        into.original = stated;
    }
}

fn settle_card(into: &mut Canonical) {
    let Some(track) = &into.track2 else { return };
    if into.pan.is_none() {
        into.pan = track.pan();
    }
    if into.expiry.is_none() {
        into.expiry = track.expiry().and_then(|e| Text::new(&e).ok());
    }
}
