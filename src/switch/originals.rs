//! What a reversal, void, completion or refund says of its original.
//!
//! Contract: a platform may leave out what its own message has as well, and name its original by
//! an MTI of its choice; every name it can have meant is given, likeliest first.

use super::record::{BankKeys, Origin};
use crate::canonical::{Canonical, TransactionType};
use crate::text::Text;

/// What the original of a reversal may have been called by its platform, likeliest first.
pub(super) fn original_names(msg: &Canonical, own: &Origin) -> Vec<Origin> {
    let stated = msg.original.clone().unwrap_or_default();
    let mut name = Origin {
        mti: Text::EMPTY,
        transmission: stated.transmission.or(own.transmission),
        stan: stated.stan.unwrap_or(own.stan),
        local_time: stated.time.or(own.local_time),
        local_date: stated.date.or(own.local_date),
        acquirer: stated.acquirer.filter(|a| a.as_bytes().iter().any(|b| *b != b'0')),
        batch: stated.batch.or(own.batch),
        ..own.clone()
    };
    name.acquirer = name.acquirer.or(own.acquirer);
    let mtis = match (stated.mti, msg.kind.transaction()) {
        (Some(mti), _) => vec![mti],
        (None, Some(TransactionType::PreAuthorization)) => texts([b"0100", b"0200"]),
        (None, _) => texts([b"0200", b"0100"]),
    };
    let without_acquirer = Origin { acquirer: None, ..name.clone() };
    let mut names = vec![];
    for base in [name, without_acquirer] {
        names.extend(mtis.iter().map(|mti| Origin { mti: *mti, ..base.clone() }));
    }
    names
}

fn texts(mtis: [&[u8; 4]; 2]) -> Vec<Text<4>> {
    mtis.iter().filter_map(|mti| Text::new(&mti[..]).ok()).collect()
}

/// An original that never was ours, under the names its platform gives it.
pub(super) fn keys_of(origin: &Origin) -> BankKeys {
    BankKeys {
        stan: origin.stan,
        transmission: origin.transmission,
        local_time: origin.local_time,
        local_date: origin.local_date,
        acquirer: origin.acquirer,
        forwarder: origin.forwarder,
        rrn: origin.rrn,
        terminal: origin.terminal,
        merchant: origin.merchant,
        batch: origin.batch,
        sent: None,
    }
}
