//! Whether a dialect has a place for every piece of money that a message states.
//!
//! Contract: asked before a request is sent and before an advice is taken over, so that the one
//! is declined and the other put before an operator; the writer refuses the same. Deliberately
//! absent: the amount itself, which every dialect can say, and the reversal of a part, which
//! [`Rules::says_part`](crate::iso8583::rules::Rules::says_part) tells once for all.

use super::render::check_carried;
use super::{Canonical, Flow, Kind};
use crate::iso8583::Dialect;
use crate::iso8583::rules::FieldSet;

/// The first data element with money in it that this dialect cannot say in this message; `None`
/// where it can say all. In an advice also what it must have and no journal keeps (`F55`).
#[inline]
pub fn without_place(dialect: &Dialect, msg: &Canonical) -> Option<u8> {
    if !matches!(msg.kind, Kind::Transaction(_)) {
        return None;
    }
    let plain = msg.unplaced.is_none() && !msg.special && msg.money.is_empty();
    if plain && msg.flow == Flow::Request { None } else { look(dialect, msg) }
}

#[cold]
fn look(dialect: &Dialect, msg: &Canonical) -> Option<u8> {
    if msg.unplaced.is_some() {
        return msg.unplaced;
    }
    let rules = dialect.rules();
    let (index, entry) = rules.messages().written(msg.kind, msg.flow)?;
    let code = msg.processing_code.as_ref().filter(|_| msg.special);
    if code.is_some_and(|code| !entry.takes_code(code.as_bytes())) {
        return Some(3);
    }
    let (fields, need) = (rules.fields(), rules.presence().of(index, false));
    let allowed = fields.money().and(fields.carry(false)).without(need.never);
    let unfit = |(de, value): &(u8, &[u8])| {
        !allowed.contains(*de) || check_carried(*de, value, fields.carried_shape(*de)).is_err()
    };
    let lost = || {
        let said = msg.money.iter().map(|(de, _)| de).collect::<FieldSet>();
        let only_carried = need.must.and(fields.carry(false)).without(said);
        only_carried.iter().find(|de| fields.default_of(*de, None).is_none())
    };
    let unfit = msg.money.iter().find(unfit).map(|(de, _)| de);
    unfit.or_else(|| lost().filter(|_| msg.flow == Flow::Advice))
}
