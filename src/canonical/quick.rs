//! The short way of a field: what nearly every field of nearly every message needs, both ways.
//!
//! Contract: does a subset of what [`super::take`] and [`super::say`] do, with the same result;
//! whatever it does not know or does not like it leaves to them, which then do it or say what is
//! wrong. Nothing here builds an error. Deliberately absent: composites, card tracks, PIN blocks,
//! originals, totals, and anything longer than a [`Short`].

use super::take::Pending;
use super::write::Writer;
use super::{Canonical, Flow, Kind};
use crate::iso8583::rules::{Atom, Link};
use crate::iso8583::{Class, Message};
use crate::limits::STAN_MAX;
use crate::money::Currency;
use crate::text::{Printable, Short, Text};

/// Gives a data element to its typed field; whether that is done.
#[inline]
pub(super) fn take(
    atom: Atom,
    de: u8,
    message: &Message,
    into: &mut Canonical,
    pending: &mut Pending,
) -> bool {
    match atom {
        Atom::Pan | Atom::Track2 | Atom::PinBlock => false,
        Atom::Stan | Atom::Amount | Atom::Currency => {
            take_number(atom, message, de, into, pending).is_some()
        }
        Atom::Terminal | Atom::Merchant => take_padded(atom, message, de, into).is_some(),
        _ => take_text(atom, message, de, into, pending).is_some(),
    }
}

/// Not inlined, like its siblings: what one kind of field needs in registers the others would
/// have to save.
#[inline(never)]
fn take_text(
    atom: Atom,
    message: &Message,
    de: u8,
    into: &mut Canonical,
    pending: &mut Pending,
) -> Option<()> {
    let text = message.short(de)?.printable().filter(|text| !text.is_empty())?;
    match atom {
        Atom::ProcessingCode => keep(&mut into.processing_code, text),
        Atom::Transmission => keep(&mut into.transmission, text),
        Atom::LocalTime => keep(&mut into.local_time, text),
        Atom::LocalDate => keep(&mut into.local_date, text),
        Atom::Expiry => keep(&mut into.expiry, text),
        Atom::MerchantType => keep(&mut into.merchant_type, text),
        Atom::PosEntryMode => keep(&mut into.pos_entry_mode, text),
        Atom::CardSequence => keep(&mut into.card_sequence, text),
        Atom::NetworkId => keep(&mut into.network_id, text),
        Atom::PosCondition => keep(&mut into.pos_condition, text),
        Atom::PinCapture => keep(&mut into.pin_capture, text),
        Atom::Acquirer => keep(&mut into.acquirer, text),
        Atom::Forwarder => keep(&mut into.forwarder, text),
        Atom::Rrn => keep(&mut into.rrn, text),
        Atom::AuthId => keep(&mut into.auth_id, text),
        Atom::Answer => keep(&mut pending.code, text),
        _ => None,
    }
}

/// A text that others fill up with spaces; nothing but spaces is not for us.
#[inline(never)]
fn take_padded(atom: Atom, message: &Message, de: u8, into: &mut Canonical) -> Option<()> {
    let text = message.short(de)?.printable()?.trimmed();
    let text = Some(text).filter(|text| !text.is_empty())?;
    match atom {
        Atom::Terminal => keep(&mut into.terminal, text),
        Atom::Merchant => keep(&mut into.merchant, text),
        _ => None,
    }
}

#[inline(never)]
fn take_number(
    atom: Atom,
    message: &Message,
    de: u8,
    into: &mut Canonical,
    pending: &mut Pending,
) -> Option<()> {
    let value = message.short(de).filter(|value| value.len() > 0)?;
    let number = value.number()?;
    match atom {
        Atom::Stan => {
            let stan = u32::try_from(number).ok().filter(|stan| (1..=STAN_MAX).contains(stan));
            into.stan = Some(stan?);
        }
        Atom::Amount => pending.minor = Some(number),
        Atom::Currency => {
            let code = u16::try_from(number).ok().and_then(Currency::new);
            pending.currency = Some(code?);
        }
        _ => return None,
    }
    Some(())
}

#[inline]
fn keep<const N: usize>(place: &mut Option<Text<N>>, text: Printable) -> Option<()> {
    *place = Some(Text::of_short(text)?);
    Some(())
}

/// What is to be done about a field.
pub(super) enum Said {
    /// It is absent.
    Nothing,
    /// Its whole value.
    Whole(Short),
    /// It is for [`super::say`].
    Slowly,
}

/// What a meaning says in a data element that is one typed field.
#[inline]
pub(super) fn said(writer: &Writer<'_>, atom: Atom, link: &Link) -> Said {
    let from = writer.from;
    match atom {
        Atom::ProcessingCode => text(&from.processing_code, link),
        Atom::Transmission => text(&from.transmission, link),
        Atom::LocalTime => text(&from.local_time, link),
        Atom::LocalDate => text(&from.local_date, link),
        Atom::Expiry => text(&from.expiry, link),
        Atom::SettlementDate => text(&from.settlement_date, link),
        Atom::MerchantType => text(&from.merchant_type, link),
        Atom::CardSequence => text(&from.card_sequence, link),
        Atom::NetworkId => text(&from.network_id, link),
        Atom::PosCondition => text(&from.pos_condition, link),
        Atom::PinCapture => text(&from.pin_capture, link),
        Atom::Acquirer => text(&from.acquirer, link),
        Atom::Forwarder => text(&from.forwarder, link),
        Atom::Rrn => text(&from.rrn, link),
        Atom::AuthId => text(&from.auth_id, link),
        Atom::Terminal => text(&from.terminal, link),
        Atom::Merchant => text(&from.merchant, link),
        Atom::PosEntryMode if link.shape.fixed => text(&from.pos_entry_mode, link),
        Atom::Pan => match writer.card() {
            Some(digits) => Short::of(digits).map_or(Said::Slowly, |short| fitting(short, link)),
            None => Said::Nothing,
        },
        Atom::Stan => number(from.stan.map(u64::from), link),
        Atom::Amount => number(writer.amount(), link),
        Atom::Currency if link.shape.class != Class::A => {
            let amount = from.amount.or(from.replacement_amount);
            let currency = amount.map(|a| a.currency).or(from.currency);
            number(currency.map(|c| c.code().into()), link)
        }
        Atom::ReplacementAmount => number(from.replacement_amount.map(|a| a.minor), link),
        Atom::Track2 if from.track2.is_none() => Said::Nothing,
        Atom::PinBlock if from.pin_block.is_none() => Said::Nothing,
        Atom::Answer | Atom::Reason
            if from.flow == Flow::Request && !matches!(from.kind, Kind::Reversal(_)) =>
        {
            Said::Nothing
        }
        _ => Said::Slowly,
    }
}

#[inline]
fn text<const N: usize>(text: &Option<Text<N>>, link: &Link) -> Said {
    let Some(text) = text else { return Said::Nothing };
    text.short().map_or(Said::Slowly, |short| fitting(short, link))
}

#[inline]
fn number(number: Option<u64>, link: &Link) -> Said {
    let Some(number) = number else { return Said::Nothing };
    Short::of_number(number, link.shape.max).map_or(Said::Slowly, Said::Whole)
}

/// A value as wide as its field, or narrower where that may be.
#[inline]
fn fitting(short: Short, link: &Link) -> Said {
    let (len, most) = (short.len(), link.shape.max);
    if len == most || (!link.shape.fixed && len < most) { Said::Whole(short) } else { Said::Slowly }
}
