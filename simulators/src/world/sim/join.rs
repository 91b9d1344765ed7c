//! The joiner of a simulated world: three ledgers side by side once everything is at rest.
//!
//! Contract: the platforms' books, the banks' books and the journal as read back from disk must
//! tell one story; what differs must stand on the desk. Each finding names its invariant.

use super::platform::{Ask, Standing};
use super::setting;
use super::witness::Reference;
use super::world::World;
use crate::world::rules;
use pointsman::canonical::{Flow, TransactionType};
use pointsman::switch::audit::Auditor;
use pointsman::switch::ids::RecordNo;
use pointsman::switch::record::{Ending, Intent, Record};
use std::collections::{BTreeMap, BTreeSet};

/// What the banks did for one reference.
#[derive(Debug, Default)]
struct AtBanks {
    /// The sum of what the money did at each bank.
    effects: [i64; setting::BANKS.len()],
    /// How often each executed it.
    executed: [u32; setting::BANKS.len()],
}

impl AtBanks {
    fn effect(&self) -> i64 {
        self.effects.iter().sum()
    }
}

impl World {
    /// Joins the ledgers.
    pub(super) fn join(&mut self) {
        let at_banks = self.at_banks();
        let open = self.on_desk();
        let mut asks: BTreeMap<Reference, Ask> = BTreeMap::new();
        for platform in &self.platforms {
            asks.extend(platform.asks.iter().map(|(rrn, ask)| (*rrn, ask.clone())));
        }
        for (rrn, ask) in &asks {
            self.join_one(*rrn, ask, at_banks.get(rrn), open.contains(rrn));
        }
        for (rrn, bank) in &at_banks {
            if !asks.contains_key(rrn) {
                let what = format!("ref {rrn} stands at a bank ({}), nobody asked", bank.effect());
                self.witness.blame("I9", what);
            }
        }
        self.join_outcomes();
        self.audit();
    }

    /// The rules the journal alone can show, by the switch's own auditor.
    fn audit(&mut self) {
        let mut auditor = Auditor::new();
        for (no, (record, _)) in (1..).zip(&self.witness.records) {
            auditor.see(RecordNo(no), record);
        }
        for broken in auditor.finish().violations {
            self.witness.blame(rules::invariant_of(&broken).0, broken.to_string());
        }
    }

    fn at_banks(&self) -> BTreeMap<Reference, AtBanks> {
        let mut at_banks: BTreeMap<Reference, AtBanks> = BTreeMap::new();
        for (at, bank) in self.banks.iter().enumerate() {
            for deal in bank.deals() {
                let entry = at_banks.entry(deal.rrn).or_default();
                entry.effects[at] += deal.effect;
                entry.executed[at] += u32::from(deal.class.is_approval());
            }
        }
        at_banks
    }

    /// References whose money an operator has to look at.
    fn on_desk(&self) -> BTreeSet<Reference> {
        let known = &self.witness.known;
        let of_txn = |no| known.intents.get(no).and_then(|i: &std::sync::Arc<Intent>| i.origin.rrn);
        let of_entry = |no| known.queued.get(no).and_then(|q| q.keys.rrn);
        let mut open: BTreeSet<Reference> =
            known.desk.iter().filter_map(|no| of_txn(no).or_else(|| of_entry(no))).collect();
        for (record, _) in &self.witness.records {
            if let Record::Closed(closed) = record
                && closed.ending == Ending::Dead
                && let Some(rrn) = of_entry(&closed.entry)
            {
                open.insert(rrn);
            }
        }
        open
    }

    fn join_one(&mut self, rrn: Reference, ask: &Ask, bank: Option<&AtBanks>, on_desk: bool) {
        let effect = bank.map_or(0, AtBanks::effect);
        let told = ask.effect();
        let executed = bank.map_or(0, |b| b.executed.into_iter().max().unwrap_or_default());
        if executed > 1 {
            self.witness.blame("I6", format!("ref {rrn} was executed {executed} times"));
        }
        if let Standing::Granted(minor) = ask.standing
            && ask.msg.flow == Flow::Request
        {
            self.join_grant(rrn, minor, ask);
        }
        let kind = ask.kind();
        // What an operator has to settle may differ.
        if on_desk {
            return;
        }
        if kind == TransactionType::TopUp && ask.msg.flow == Flow::Request {
            return self.join_top_up(rrn, told, bank);
        }
        if effect == told {
            return;
        }
        let what = format!(
            "ref {rrn} {kind:?}: the bank has {effect}, the platform ({:?}) has {told}",
            ask.standing
        );
        let granted = matches!(ask.standing, Standing::Granted(_));
        let invariant = match (granted, effect) {
            (true, 0) if executed > 0 => "I5",
            (true, 0) => "I2",
            (false, _) => "I4",
            _ => "I9",
        };
        self.witness.blame(invariant, what);
    }

    /// Both legs stand or neither: `told` is the credit's effect.
    fn join_top_up(&mut self, rrn: Reference, told: i64, bank: Option<&AtBanks>) {
        let mut expected = [0; setting::BANKS.len()];
        expected[0] = -told;
        expected[setting::CREDIT_BANK] = told;
        let stands = bank.map_or([0; setting::BANKS.len()], |bank| bank.effects);
        if stands != expected {
            let what = format!("top-up {rrn}: the banks have {stands:?}, expected {expected:?}");
            self.witness.blame("I9", what);
        }
    }

    fn join_grant(&mut self, rrn: Reference, minor: u64, ask: &Ask) {
        let Some(grant) = self.witness.known.grants.get(&rrn) else {
            let what = format!("ref {rrn} was granted, the journal read back does not say so");
            return self.witness.blame("I2", what);
        };
        if grant.minor != minor || grant.outcome.auth_id != ask.auth_id {
            let what = format!("ref {rrn} was granted {minor}, the journal says {}", grant.minor);
            self.witness.blame("I2", what);
        }
    }

    /// Every transaction has exactly one outcome.
    fn join_outcomes(&mut self) {
        let known = &self.witness.known;
        let mut wrong = vec![];
        for (no, intent) in &known.intents {
            let count = known.outcomes.get(no).map_or(0, Vec::len);
            if count != 1 {
                let rrn = intent.origin.rrn.unwrap_or_default();
                wrong.push(format!("transaction {no} (ref {rrn}) has {count} outcomes"));
            }
        }
        for what in wrong {
            self.witness.blame("I1", what);
        }
    }
}
