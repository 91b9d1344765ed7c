//! Wire to meaning: a [`Message`] and its dialect's rules give a [`Canonical`].
//!
//! Contract: allocates nothing once `into` has carried a few messages; every field a rule names
//! is typed or carried, all others are left behind. An unknown message is refused, and so is one
//! that breaks the rules of presence. Deliberately absent: single values ([`super::take`]), what
//! they mean together ([`super::settle`]), MACs (checked by the session,
//! [`crate::iso8583::mac`]) and anything about other messages.

use super::quick;
use super::settle::{
    settle_amounts, settle_card, settle_codes, settle_original, settle_part, settle_totals,
};
use super::take::{Pending, take_link};
use super::{Canonical, Flow, Header, Kind, NetworkFunction, ReadError, TransactionType};
use crate::iso8583::rules::{Atom, Breach, Entry, FieldSet, NoMessage, Part, Rules, What};
use crate::iso8583::{Message, Mti};
use crate::money::Currency;
use crate::text::Text;

/// Reads into a meaning that holds nothing. Without `SHORT` every field goes the general way.
pub(super) fn read<const SHORT: bool>(
    rules: &Rules,
    message: &Message,
    into: &mut Canonical,
) -> Result<(), ReadError> {
    if !rules.translates() {
        return Err(ReadError::Untranslatable);
    }
    begin(into, message);
    let mut pending = Pending::default();
    let fields = rules.fields();
    let present = FieldSet::from_words(message.present());
    for link in fields.links_of(present) {
        let done = SHORT
            && link
                .whole
                .is_some_and(|atom| quick::take(atom, link.de, message, into, &mut pending));
        if done {
            continue;
        }
        let value = message.value(link.de);
        if !value.is_empty() {
            take_link(link, value, into, &mut pending)?;
        }
    }
    let original_mti = pending.original.as_ref().and_then(|original| original.mti);
    let entry = identify(rules, message, original_mti, into)?;
    if into.kind == Kind::Reconciliation {
        for link in rules.fields().settlement() {
            if let Some(value) = message.get(link.de).filter(|v| !v.is_empty()) {
                take_link(link, value, into, &mut pending)?;
            }
        }
        settle_totals(rules, &pending, into);
    }
    settle_amounts(rules, &pending, into)?;
    if let Some(entry) = entry {
        settle_part(entry.is_partial(message), into);
        let code = into.processing_code.as_ref();
        into.special = code.is_some_and(|code| entry.is_special(code.as_bytes()));
    }
    settle_codes(rules, &pending, into);
    settle_original(rules, pending.original, into);
    settle_card(into);
    let answer = into.flow.is_answer();
    into.accepts_partial |= fields.accepts_partial() && !answer;
    if !answer && matches!(into.kind, Kind::Transaction(_)) {
        take_money(rules, message, present, into);
    }
    for de in present.and(fields.keep()).iter().filter(|_| answer) {
        into.kept.push(de, message.value(de));
    }
    let carried =
        if answer { fields.carry(true) } else { fields.carry(false).without(fields.money()) };
    for de in present.and(carried).iter() {
        let value = message.value(de);
        let lettered = if is_currency(de) { Currency::from_letters(value) } else { None };
        match lettered {
            Some(currency) => into.carried.push(de, &currency.digits()),
            None => into.carried.push(de, value),
        }
    }
    Ok(())
}

/// What a request or advice says of money besides its amount: passed on, or known to be missing.
fn take_money(rules: &Rules, message: &Message, present: FieldSet, into: &mut Canonical) {
    let fields = rules.fields();
    let money = present.and(fields.money());
    if money.is_empty() {
        return;
    }
    for de in money.iter() {
        // Zeros are no money.
        if message.value(de).iter().all(|c| matches!(c, b'0' | b' ' | b'C' | b'D')) {
            continue;
        }
        if fields.carry(false).contains(de) {
            into.money.push(de, message.value(de));
        } else if fields.link(de).is_none() {
            into.unplaced = into.unplaced.or(Some(de));
        }
    }
}

/// The currencies that are carried untyped: of settlement and of billing.
pub(super) const fn is_currency(de: u8) -> bool {
    matches!(de, 50 | 51)
}

/// What can still be said of a message that could not be unpacked or read: enough to answer that
/// its format is wrong, or of an answer to know what it answers. `false` where not even that is
/// possible.
pub(super) fn read_partial(rules: &Rules, message: &Message, into: &mut Canonical) -> bool {
    into.forget();
    begin(into, message);
    let mti = message.mti();
    if !rules.messages().has(mti) {
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
                    | Atom::Rrn
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
    into.stan.is_some() && (into.flow.answer().is_some() || into.flow.is_answer())
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
        1 => Flow::Response,
        2 => Flow::Advice,
        3 => Flow::AdviceResponse,
        _ => return None,
    };
    Some((kind, flow))
}

/// What the message says before its fields do.
fn begin(into: &mut Canonical, message: &Message) {
    (into.kind, into.flow) = (Kind::Transaction(TransactionType::Unstated), Flow::Request);
    into.mti = Text::new(message.mti().as_bytes()).ok();
    into.repeat = message.mti().is_repeat();
    if let Some(header) = message.header() {
        into.header = Header::new(header).unwrap_or(Header::EMPTY);
    }
}

fn identify<'a>(
    rules: &'a Rules,
    message: &Message,
    original_mti: Option<Text<4>>,
    into: &mut Canonical,
) -> Result<Option<&'a Entry>, ReadError> {
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
    })?;
    Ok(rules.messages().entry(found.entry))
}
