//! The three ledgers compared: the platform's, the banks', the switch's journal.
//!
//! Contract: what the platform alone can tell is checked here; the invariants of safety.md
//! section 1 are judged by the joiner.

use crate::Tested;
use crate::shop::Shop;
use crate::stage::Stage;
use simulators::bank::ledger::totals;
use std::collections::BTreeMap;

/// No violation, no difference in money.
pub(crate) fn balance(stage: &Stage, shop: &Shop) -> Tested {
    let mut believed: BTreeMap<String, i64> = BTreeMap::new();
    for request in shop.ledger() {
        assert_eq!(request.contradiction, None, "request {}", request.no);
        assert!(request.is_settled(), "request {}: {request:#?}", request.no);
        *believed.entry(request.currency.clone()).or_insert(0) += request.signed();
    }
    assert!(shop.strays.is_empty(), "answers to nothing: {:#?}", shop.strays);
    assert!(believed.values().any(|sum| *sum != 0), "no money moved at all");
    assert_eq!(believed, totals(&stage.entries()), "platform and banks");
    Ok(())
}
