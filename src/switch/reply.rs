//! How messages are turned: a request into its refusal, a bank's answer into the platform's.
//!
//! Contract: what the platform gets back carries the platform's own keys, never the bank's;
//! secrets of the request (track, PIN block, carried fields) never come back.

use super::record::{BankKeys, CardFacts, Intent, Leg, Origin, Outcome, Queued};
use crate::canonical::{
    Answer, Canonical, Flow, Header, Kind, OriginalData, Reason, ResponseClass,
};
use crate::text::Text;

/// The platform's names of a request.
pub(super) fn origin_of(msg: &Canonical) -> Origin {
    Origin {
        mti: msg.mti.unwrap_or_default(),
        transmission: msg.transmission,
        stan: msg.stan.unwrap_or_default(),
        local_time: msg.local_time,
        local_date: msg.local_date,
        acquirer: msg.acquirer,
        forwarder: msg.forwarder,
        rrn: msg.rrn,
        terminal: msg.terminal,
        merchant: msg.merchant,
        batch: msg.batch,
    }
}

/// What a reversal will repeat of this request.
pub(super) fn facts_of(msg: &Canonical) -> CardFacts {
    let of_track = || Text::new(&msg.track2.as_ref()?.expiry()?).ok();
    CardFacts {
        expiry: msg.expiry.or_else(of_track),
        processing_code: msg.processing_code,
        merchant_type: msg.merchant_type,
        pos_entry_mode: msg.pos_entry_mode,
        card_sequence: msg.card_sequence,
        network_id: msg.network_id,
        pos_condition: msg.pos_condition,
        special: msg.special,
        money: (!msg.money.is_empty()).then(|| Box::new(msg.money.clone())),
    }
}

/// Writes bank keys into a message.
pub(super) fn put_keys(msg: &mut Canonical, keys: &BankKeys) {
    msg.stan = Some(keys.stan);
    msg.transmission = keys.transmission;
    msg.local_time = keys.local_time;
    msg.local_date = keys.local_date;
    msg.acquirer = keys.acquirer;
    msg.forwarder = keys.forwarder;
    msg.rrn = keys.rrn;
    msg.terminal = keys.terminal;
    msg.merchant = keys.merchant;
    msg.batch = keys.batch;
}

/// Writes the platform's own names back into a request.
pub(super) fn put_origin(msg: &mut Canonical, origin: &Origin) {
    msg.mti = Some(origin.mti);
    msg.stan = Some(origin.stan);
    msg.transmission = origin.transmission;
    msg.local_time = origin.local_time;
    msg.local_date = origin.local_date;
    msg.acquirer = origin.acquirer;
    msg.forwarder = origin.forwarder;
    msg.rrn = origin.rrn;
    msg.terminal = origin.terminal;
    msg.merchant = origin.merchant;
    msg.batch = origin.batch;
}

/// Takes out what must not travel from one leg to the next.
fn strip(msg: &mut Canonical) {
    msg.repeat = false;
    msg.mti = None;
    msg.mac = crate::canonical::MacCheck::NotRequired;
    msg.track2 = None;
    msg.pin_block = None;
    msg.accepts_partial = false;
}

/// Turns a platform's request into the message for the bank.
pub(super) fn to_bank(msg: &mut Canonical, keys: &BankKeys) {
    msg.repeat = false;
    msg.mti = None;
    msg.mac = crate::canonical::MacCheck::NotRequired;
    msg.header = Header::EMPTY;
    msg.pin_block = None;
    put_keys(msg, keys);
}

/// Turns a request into our own answer to it.
pub(super) fn own_answer(mut msg: Box<Canonical>, reason: Reason) -> Box<Canonical> {
    // Where the request's kind is unknown, only its MTI tells how an answer to it looks.
    let asked = msg.mti;
    strip(&mut msg);
    msg.mti = asked;
    msg.flow = msg.flow.answer().unwrap_or(msg.flow);
    msg.answer = Some(Answer::Own(reason));
    msg.reason = None;
    msg.original = None;
    // An answer to the reversal of a part says the same of its amount, where its function does.
    msg.replacement_amount =
        msg.replacement_amount.filter(|_| matches!(msg.kind, Kind::Reversal(_)));
    // The asker's totals are not ours.
    msg.reconciliation = None;
    // An answer has the fields that a bank's answer comes home with, so that a stored one is the
    // same again; the expiry date is the request's secret.
    msg.expiry = None;
    msg.merchant_type = None;
    msg.pos_entry_mode = None;
    msg.card_sequence = None;
    msg.carried.clear();
    msg.money.clear();
    (msg.special, msg.unplaced, msg.original_amount) = (false, None, None);
    msg
}

/// Our own answer to a request of which only the intent is left.
pub(super) fn own_answer_to(intent: &Intent, header: Header, reason: Reason) -> Box<Canonical> {
    let mut msg = Box::new(Canonical::new(intent.kind, intent.flow));
    restore(&mut msg, intent, header);
    msg.answer = Some(Answer::Own(reason));
    msg
}

/// Turns a bank's answer, or an empty message, into the answer to the platform's request.
pub(super) fn restore(msg: &mut Canonical, intent: &Intent, header: Header) {
    let origin = &intent.origin;
    strip(msg);
    // One kind may be asked by more than one MTI: the answer is the asked one's.
    msg.mti = Some(origin.mti);
    msg.kind = intent.role.asked(intent.kind);
    msg.flow = intent.flow.answer().unwrap_or(Flow::Response);
    msg.header = header;
    msg.pan = intent.pan.clone();
    msg.processing_code = intent.facts.processing_code;
    msg.transmission = origin.transmission;
    msg.stan = Some(origin.stan);
    msg.local_time = origin.local_time.or(msg.local_time);
    msg.local_date = origin.local_date.or(msg.local_date);
    msg.acquirer = origin.acquirer;
    msg.forwarder = origin.forwarder;
    msg.rrn = origin.rrn.or(msg.rrn);
    msg.terminal = origin.terminal;
    msg.merchant = origin.merchant;
    msg.batch = origin.batch;
    msg.pos_condition = intent.facts.pos_condition;
    msg.network_id = intent.facts.network_id;
    msg.original = None;
    msg.reason = None;
    msg.amount = intent.amount;
}

/// Turns a repeated request into the stored answer.
pub(super) fn stored_answer(msg: Box<Canonical>, outcome: &Outcome) -> Box<Canonical> {
    let own = outcome.reason.unwrap_or(Reason::SystemError);
    let mut msg = own_answer(msg, own);
    let open = Some(ResponseClass::Unknown);
    let open = outcome.class == open || outcome.class == Some(ResponseClass::NoOutcome);
    let banks_own = outcome.reason.is_none() || open;
    if let (Some(class), Some(code), true) = (outcome.class, outcome.bank_code, banks_own) {
        msg.answer = Some(Answer::Given { class, code });
    }
    msg.auth_id = outcome.auth_id.filter(|_| outcome.leg != Leg::InvalidAnswer);
    msg.rrn = msg.rrn.or(outcome.rrn);
    msg.settlement_date = outcome.settlement_date;
    msg.amount = outcome.amount.or(msg.amount);
    msg
}

/// The message of a SAF entry. From the second try on it may say that it is a repeat.
pub(super) fn owed_message(queued: &Queued, repeat: bool) -> Box<Canonical> {
    let mut msg = Box::new(Canonical::new(queued.kind, queued.flow));
    put_keys(&mut msg, &queued.keys);
    let facts = &queued.facts;
    msg.repeat = repeat;
    msg.pan = queued.pan.clone();
    msg.amount = queued.stated.or(queued.amount);
    msg.answer = told_by(queued);
    msg.replacement_amount = queued.replacement;
    msg.original_amount = queued.original_amount;
    msg.processing_code = facts.processing_code;
    msg.expiry = facts.expiry;
    msg.merchant_type = facts.merchant_type;
    msg.pos_entry_mode = facts.pos_entry_mode;
    msg.card_sequence = facts.card_sequence;
    msg.network_id = facts.network_id;
    msg.pos_condition = facts.pos_condition;
    msg.special = facts.special;
    if let Some(money) = &facts.money {
        msg.money = (**money).clone();
    }
    if let Some(kept) = &queued.kept {
        msg.kept = (**kept).clone();
    }
    msg.auth_id = queued.auth_id;
    let says_why = matches!(queued.kind, Kind::Reversal(_)) || queued.stands_in_for().is_some();
    msg.reason = says_why.then_some(queued.reason);
    if queued.original.stan != 0 {
        msg.original = Some(reference(&queued.original, queued.original_mti));
    }
    msg.referred = queued.referred.as_ref().map(|keys| reference(keys, None));
    msg
}

/// What an advice says was decided: as its platform said it, or that we approved. Whether it has
/// a place for that its dialect knows.
fn told_by(queued: &Queued) -> Option<Answer> {
    if queued.stands_in_for().is_some() {
        return Some(Answer::Own(Reason::Accepted));
    }
    // What no list has, an operator who has it sent all the same takes for an approval.
    let told = queued.told.filter(|told| told.class != ResponseClass::Unknown);
    told.map(|told| Answer::Given { class: told.class, code: told.code })
}

/// Keys as another message refers to them.
pub(super) fn reference(keys: &BankKeys, mti: Option<Text<4>>) -> OriginalData {
    OriginalData {
        mti,
        stan: Some(keys.stan),
        transmission: keys.transmission,
        acquirer: keys.acquirer,
        forwarder: keys.forwarder,
        batch: keys.batch,
        date: keys.local_date,
        time: keys.local_time,
        sent: keys.sent,
    }
}
