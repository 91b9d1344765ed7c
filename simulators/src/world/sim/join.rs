//! The joiner of a simulated world: three ledgers side by side once everything is at rest.
//!
//! Contract: the platforms' books, the banks' books and the journal as read back from disk must
//! tell one story; what differs must stand on the desk for a cause that the books show
//! ([`super::expected`]). Each finding names its invariant.

use super::bank::{Bank, Deal};
use super::expected::Case;
use super::habits::Named;
use super::platform::{Ask, Standing};
use super::setting;
use super::witness::Reference;
use super::world::World;
use crate::world::rules;
use pointsman::canonical::{Flow, TransactionType};
use pointsman::switch::audit::Auditor;
use pointsman::switch::ids::RecordNo;
use pointsman::switch::record::Record;
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// Joins the ledgers.
    pub(super) fn join(&mut self) {
        let mut asks: BTreeMap<Reference, Ask> = BTreeMap::new();
        for platform in &self.platforms {
            asks.extend(platform.asks.iter().map(|(rrn, ask)| (*rrn, ask.clone())));
        }
        let banks = std::mem::take(&mut self.banks);
        let at_banks = deals_of(&banks);
        let followed: BTreeSet<Reference> = asks.values().filter_map(|ask| ask.refers).collect();
        for (rrn, ask) in &asks {
            let followed = followed.contains(rrn);
            let deals = at_banks.get(rrn).map_or(&[][..], Vec::as_slice);
            let refused = banks.iter().any(|bank| bank.refused.contains(rrn)) || ask.has_no_place();
            let (cut_off, arrived) = (self.witness.was_cut_off(*rrn), self.witness.knows(*rrn));
            self.join_one(*rrn, &Case { ask, deals, refused, cut_off, arrived, followed });
        }
        for rrn in at_banks.keys().filter(|rrn| !asks.contains_key(*rrn)) {
            self.witness.blame("I9", format!("ref {rrn} stands at a bank, nobody asked"));
        }
        self.join_follow_ups(&asks, &at_banks);
        self.join_balances(&asks, &at_banks);
        self.join_dates(&banks);
        self.join_outcomes();
        self.audit();
    }

    /// A business date moves once for each that its bank announced, and to that.
    fn join_dates(&mut self, banks: &[Bank]) {
        for (name, bank) in setting::BANKS.iter().zip(banks) {
            let mut announced = bank.announced.clone();
            let cutovers: Vec<_> = self
                .witness
                .records
                .iter()
                .filter_map(|(record, _)| {
                    let Record::Cutover(cutover) = record else { return None };
                    (cutover.bank.as_str() == *name).then_some(cutover.date.digits())
                })
                .collect();
            for date in cutovers {
                match announced.iter().position(|day| *day == date) {
                    Some(at) => _ = announced.remove(at),
                    None => {
                        let what =
                            format!("{name} is on {date}, which it did not announce, or once");
                        self.witness.blame("day", what);
                    }
                }
            }
        }
    }

    /// What followed on something that did not stand must not have been done.
    fn join_follow_ups(
        &mut self,
        asks: &BTreeMap<Reference, Ask>,
        at_banks: &BTreeMap<Reference, Vec<(usize, &Deal)>>,
    ) {
        for (rrn, ask) in asks.iter().filter(|(_, ask)| ask.to_the_dead) {
            let done = |deals: &Vec<(usize, &Deal)>| deals.iter().any(|(_, d)| d.effect != 0);
            if ask.effect() != 0 || at_banks.get(rrn).is_some_and(done) {
                let of = ask.refers.unwrap_or_default();
                let wrongly = asks.get(&of).is_some_and(|of| of.named == Named::Wrongly);
                if wrongly || !self.witness.knows(of) {
                    // It stands, whatever its platform believes, or nothing of it ever arrived.
                    continue;
                }
                self.witness.blame("I9", format!("ref {rrn} gives back {of}, which is over"));
            }
        }
    }

    /// By the banks' books no more was given back of anything than stands of it, and no more
    /// completed of a hold than its bank tolerates.
    fn join_balances(
        &mut self,
        asks: &BTreeMap<Reference, Ask>,
        at_banks: &BTreeMap<Reference, Vec<(usize, &Deal)>>,
    ) {
        let of = |rrn: &Reference| at_banks.get(rrn).into_iter().flatten().map(|(_, deal)| deal);
        let done = |rrn: &Reference| of(rrn).map(|deal| deal.effect.unsigned_abs()).sum::<u64>();
        let of_another = |ask: &Ask| ask.refers.filter(|_| !ask.to_the_dead);
        let is_completion = |ask: &Ask| ask.kind() == TransactionType::Completion;
        let mut sums: BTreeMap<Reference, (u64, u64)> = BTreeMap::new();
        for (rrn, ask) in asks.iter().filter(|(_, ask)| !is_completion(ask)) {
            let Some(original) = of_another(ask) else { continue };
            sums.entry(original).or_default().0 += done(rrn);
        }
        for (rrn, ask) in asks.iter().filter(|(_, ask)| is_completion(ask)) {
            let Some(original) = of_another(ask) else { continue };
            // What was voided may be completed once more.
            let voided = sums.get(rrn).map_or(0, |(back, _)| *back);
            sums.entry(original).or_default().1 += done(rrn).saturating_sub(voided);
        }
        for (original, (back, completed)) in sums {
            let granted: u64 = of(&original).map(|deal| deal.approved).max().unwrap_or_default();
            let stands: u64 = of(&original).map(|deal| deal.effect.unsigned_abs()).sum();
            if back > stands {
                let what = format!("of ref {original} stand {stands}, and {back} were given back");
                self.witness.blame("balance", what);
            }
            if completed * 100 > granted * setting::COMPLETION_PERCENT {
                let what = format!("ref {original} held {granted}, {completed} were completed");
                self.witness.blame("balance", what);
            }
        }
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

    fn join_one(&mut self, rrn: Reference, case: &Case<'_>) {
        let ask = case.ask;
        let effect: i64 = case.deals.iter().map(|(_, deal)| deal.effect).sum();
        let told = ask.effect();
        let executed = |bank| {
            let of_bank = case.deals.iter().filter(|(at, _)| *at == bank);
            of_bank.filter(|(_, deal)| deal.class.is_approval()).count()
        };
        let executed = (0..setting::BANKS.len()).map(executed).max().unwrap_or_default();
        if executed > 1 {
            self.witness.blame("I6", format!("ref {rrn} was executed {executed} times"));
        }
        for (_, deal) in case.deals.iter().filter(|(at, _)| *at == setting::SPELLED_BANK) {
            if let Some(otherwise) = ask.posted_as(deal.code.as_str()) {
                self.witness.blame("I9", format!("ref {rrn} {otherwise}"));
            }
        }
        if let Standing::Granted(minor) = ask.standing
            && ask.msg.flow == Flow::Request
        {
            self.join_grant(rrn, minor, ask);
            self.join_day(rrn, case);
        }
        let item = self.desk.contains(&rrn);
        let top_up = ask.kind() == TransactionType::TopUp && ask.msg.flow == Flow::Request;
        let differ = if top_up { differs(told, case.deals) } else { effect != told };
        match (differ, case.cause()) {
            (true, Some(_)) if item => {}
            (true, Some(cause)) => {
                let what = format!("ref {rrn} is missing on the desk: {cause:?}");
                self.witness.blame("I9", what);
            }
            (true, None) => self.blame_difference(rrn, case, (effect, told), executed > 0),
            (false, _) if item && !case.may_stand() => {
                let what = format!("ref {rrn} is on the desk for nothing: {:?}", case.deals);
                self.witness.blame("I9", what);
            }
            (false, _) => {}
        }
    }

    fn blame_difference(
        &mut self,
        rrn: Reference,
        case: &Case<'_>,
        (effect, told): (i64, i64),
        executed: bool,
    ) {
        let kind = case.ask.kind();
        let what = format!(
            "ref {rrn} {kind:?}: the bank has {effect}, the platform ({:?}) has {told}",
            case.ask.standing
        );
        let granted = matches!(case.ask.standing, Standing::Granted(_));
        let invariant = match (granted, effect) {
            _ if kind == TransactionType::TopUp => "I9",
            (true, 0) if executed => "I5",
            (true, 0) => "I2",
            (false, _) => "I4",
            _ => "I9",
        };
        self.witness.blame(invariant, what);
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

    /// What was granted stands in the journal under the day that its bank posted it to.
    fn join_day(&mut self, rrn: Reference, case: &Case<'_>) {
        let (Some(grant), [(_, deal)]) = (self.witness.known.grants.get(&rrn), case.deals) else {
            return;
        };
        let stated = grant.outcome.settlement_date;
        if deal.day.is_some() && stated != deal.day {
            let what = format!("ref {rrn} stands under {stated:?}, at its bank {:?}", deal.day);
            self.witness.blame("day", what);
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

/// What the banks have, by reference.
fn deals_of(banks: &[Bank]) -> BTreeMap<Reference, Vec<(usize, &Deal)>> {
    let mut all: BTreeMap<Reference, Vec<(usize, &Deal)>> = BTreeMap::new();
    for (at, bank) in banks.iter().enumerate() {
        for deal in bank.deals() {
            all.entry(deal.rrn).or_default().push((at, deal));
        }
    }
    all
}

/// Both legs of a top-up stand or neither: `told` is the credit's effect.
fn differs(told: i64, deals: &[(usize, &Deal)]) -> bool {
    let mut expected = [0; setting::BANKS.len()];
    expected[0] = -told;
    expected[setting::CREDIT_BANK] = told;
    let mut stands = [0; setting::BANKS.len()];
    for (at, deal) in deals {
        stands[*at] += deal.effect;
    }
    stands != expected
}
