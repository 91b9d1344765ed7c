//! Frames joined to their records: which left before the sync that makes the record durable.
//!
//! Contract: the dump names segment and offset of the batch a record stands in. A frame may leave
//! once a `fdatasync` of that segment has come back that was begun after the `pwrite` which
//! covers the offset came back. Requests need their intent, approvals their outcome.

use super::trace::{Event, Peer};
use crate::Tested;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a record's batch stands.
type Place = (String, u64);

/// What the journal says of each request.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Intents by the STAN at the bank.
    intents: BTreeMap<u32, Place>,
    /// Outcomes by the platform's STAN.
    outcomes: BTreeMap<u32, Place>,
}

impl Ledger {
    /// Reads the lines of `journal dump --json`.
    pub(super) fn read(dump: &str) -> Tested<Self> {
        let (mut ledger, mut origins) = (Self::default(), BTreeMap::new());
        for line in dump.lines() {
            let line: Value = serde_json::from_str(line)?;
            let segment = line["segment"].as_str().ok_or("no segment in the dump")?.to_owned();
            let place = (segment, line["offset"].as_u64().ok_or("no offset in the dump")?);
            let record = &line["record"];
            let record = record.get("record").unwrap_or(record);
            let stan = |value: &Value| value.as_u64().and_then(|stan| u32::try_from(stan).ok());
            if let Some(intent) = record.get("intent") {
                origins.insert(line["no"].as_u64(), stan(&intent["origin"]["stan"]));
                let own = stan(&intent["keys"]["stan"]).ok_or("an intent without a STAN")?;
                ledger.intents.insert(own, place);
            } else if let Some(outcome) = record.get("outcome") {
                let origin = origins.get(&outcome["txn"].as_u64()).copied().flatten();
                ledger.outcomes.insert(origin.ok_or("an outcome of no intent")?, place);
            }
        }
        Ok(ledger)
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Found {
    /// How many frames were looked at.
    pub(super) checked: usize,
    /// Those that left too early, with what is missing.
    pub(super) early: Vec<String>,
}

/// Looks at every frame that needs a record.
pub(super) fn unsynced(events: &[Event], ledger: &Ledger) -> Tested<Found> {
    let mut found = Found { checked: 0, early: Vec::new() };
    for event in events {
        let Event::Frames { peer, written: true, begun, stans, approved } = event else { continue };
        for (stan, approved) in stans.iter().zip(approved) {
            let place = match peer {
                Peer::Bank => ledger.intents.get(stan),
                Peer::Platform if *approved => ledger.outcomes.get(stan),
                Peer::Platform => continue,
            };
            let to = if *peer == Peer::Bank { "bank" } else { "platform" };
            let place = place.ok_or_else(|| format!("STAN {stan} to the {to} has no record"))?;
            found.checked += 1;
            if !is_durable(events, place, *begun) {
                let (segment, offset) = place;
                found.early.push(format!(
                    "STAN {stan} left for the {to} at line {begun} of the trace, before a sync of \
                     {segment} byte {offset}"
                ));
            }
        }
    }
    Ok(found)
}

fn is_durable(events: &[Event], (wanted, offset): &Place, before: usize) -> bool {
    let covered = events.iter().filter_map(|event| match event {
        Event::Pwrite { segment, from, upto, ended } => {
            (segment == wanted && (*from..*upto).contains(offset)).then_some(*ended)
        }
        Event::Frames { .. } | Event::Sync { .. } => None,
    });
    // A batch ends in an empty header where the next one begins: the later write is the record's.
    let Some(written) = covered.filter(|ended| *ended < before).max() else { return false };
    events.iter().any(|event| {
        matches!(event, Event::Sync { segment, begun, ended }
            if segment == wanted && *begun > written && *ended < before)
    })
}
