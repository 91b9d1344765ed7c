//! The judge of the trial: the ledgers of the platform and the banks, as files, and the desk's
//! list.
//!
//! Contract: pure; by rules of its own, never the switch's tables or records. Every amount of the
//! trial is asked once, so an amount names its transaction at every table. Money that a bank has
//! and the platform does not must be explained by what the bank itself refused to undo or to book,
//! and then stands on the desk, once, as does what a bank undid and then called not found; all else
//! is a difference. A reversal without original data has the original's `F37`, and so excuses
//! nothing; no bank may be asked to undo what its platform holds on to. An item that nothing
//! explains fails the trial like one that is missing.

use crate::totals;
use serde_json::Value;
use simulators::bank::business::Business;
use simulators::bank::ledger::{Entry, Key};
use simulators::bank::settlement::Compared;
use simulators::platform::ledger::{End, Line};
use std::collections::{BTreeMap, HashMap};

/// One transaction, by the amount that was asked for.
#[derive(Debug, Default)]
struct Chain {
    currency: String,
    /// Minor units moved at the bank.
    bank: i64,
    /// Minor units moved as the platform was told.
    platform: i64,
    /// The platform holds on to what it was granted.
    kept: bool,
    /// The bank was asked to undo it.
    undone: bool,
    /// The bank would not undo what it had approved and told.
    refused: bool,
    /// The bank would not book what it was told by advice, or called a first try a duplicate.
    unbooked: bool,
    /// The bank that has it.
    at: Option<String>,
    /// What the bank booked of an advice, in minor units, where that is not what it was told.
    booked: Option<u64>,
    /// Reversals that name it and another card.
    mistaken: usize,
    /// Items of the desk.
    items: usize,
    /// What the items say of themselves.
    said: Vec<String>,
}

/// What the ledgers say together.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Per currency in minor units: at the banks, less at the platform, less what a bank refused.
    pub(crate) difference: BTreeMap<String, i64>,
    /// Per currency in minor units: what a bank refused to undo or to book.
    pub(crate) refused: BTreeMap<String, i64>,
    /// Items that must be there.
    pub(crate) expected: usize,
    /// Items that are there.
    pub(crate) items: usize,
    /// Everything that is wrong, in words.
    pub(crate) wrong: Vec<String>,
}

/// Joins the ledgers; `compared`: what a bank was asked about its totals.
pub(crate) fn judge(
    platform: &[Line],
    banks: &[Entry],
    compared: &[Compared],
    items: &[Value],
) -> Verdict {
    let mut verdict = Verdict { items: items.len(), ..Verdict::default() };
    let (of_totals, items): (Vec<_>, Vec<_>) = items.iter().partition(|item| totals::is_of(item));
    totals::judge(compared, banks, &of_totals, &mut verdict);
    let mut chains: BTreeMap<u64, Chain> = BTreeMap::new();
    of_platform(platform, &mut chains, &mut verdict);
    of_banks(banks, &mut chains);
    of_desk(platform, &items, &mut chains, &mut verdict);
    for (amount, chain) in &chains {
        weigh(*amount, chain, &mut verdict);
    }
    verdict
}

fn of_platform(lines: &[Line], chains: &mut BTreeMap<u64, Chain>, verdict: &mut Verdict) {
    let by_no: HashMap<u64, &Line> = lines.iter().map(|line| (line.request.no, line)).collect();
    for line in lines.iter().filter(|line| line.request.amount > 0) {
        let request = &line.request;
        let chain = chains.entry(request.amount).or_default();
        chain.currency.clone_from(&request.currency);
        let voided = line.extra.void_of.and_then(|no| by_no.get(&no));
        match voided {
            Some(of) if request.is_approved() && !request.is_reversed() => {
                chain.platform -= of.request.signed();
            }
            Some(_) => {}
            None => chain.platform += request.signed(),
        }
        chain.mistaken += usize::from(line.extra.mistaken.is_some());
        chain.kept |= voided.is_none() && request.is_approved() && !request.is_reversed();
        let waiting = |r: &simulators::platform::ledger::Reversal| r.acknowledged.is_none();
        let mistake = line.extra.mistaken.as_ref().is_some_and(waiting);
        if request.end != End::Unsent && (!request.is_settled() || mistake) {
            verdict.wrong.push(format!("request {} was never settled", request.no));
        }
        if let Some(why) = &request.contradiction {
            verdict.wrong.push(format!("request {}: {why}", request.no));
        }
    }
}

fn of_banks(entries: &[Entry], chains: &mut BTreeMap<u64, Chain>) {
    let mut asked: HashMap<(&str, &Key), &Entry> = HashMap::new();
    let originals = entries.iter().filter(|entry| entry.business != Business::Reversal);
    for entry in originals {
        asked.entry((&entry.bank, &entry.key)).or_insert(entry);
    }
    for entry in entries {
        let Some(original) = asked.get(&(entry.bank.as_str(), &entry.key)) else { continue };
        let Some(chain) = chains.get_mut(&original.asked) else { continue };
        chain.bank += entry.signed;
        let advice = entry.mti.as_bytes().get(2) == Some(&b'2');
        match entry.business {
            Business::Reversal => {
                chain.undone |= original.business != Business::Void;
                chain.refused |= entry.code == "25";
                chain.unbooked |= entry.code == "94";
            }
            _ => {
                chain.at = Some(entry.bank.clone());
                chain.unbooked |= advice && entry.code != "00";
                let other = advice && entry.code == "10" && entry.amount != entry.asked;
                chain.booked = chain.booked.or(other.then_some(entry.amount));
            }
        }
    }
}

fn of_desk(
    lines: &[Line],
    items: &[&Value],
    chains: &mut BTreeMap<u64, Chain>,
    verdict: &mut Verdict,
) {
    let by_rrn: HashMap<&str, u64> =
        lines.iter().map(|line| (line.request.rrn.as_str(), line.request.amount)).collect();
    for item in items {
        let rrn = item["rrn"].as_str().and_then(|rrn| by_rrn.get(rrn)).copied();
        let amount = item["amount"]["minor"].as_u64();
        let at = rrn.or(amount).unwrap_or_default();
        let said = format!("{} ({}, {})", item["item"], item["state"], item["why"]);
        match chains.get_mut(&at) {
            Some(chain) => {
                let bank = chain.at.as_deref();
                let booked = item["booked"]["minor"].as_u64();
                if bank.is_some_and(|bank| item["bank"] != bank) || booked != chain.booked {
                    let rather = format!("rather {:?}, booked {:?}", chain.at, chain.booked);
                    verdict.wrong.push(format!("item {said} says {item}, {rather}"));
                }
                chain.items += 1;
                chain.said.push(said);
            }
            None => verdict.wrong.push(format!("item {said} is of nothing that was asked: {item}")),
        }
    }
}

fn weigh(amount: u64, chain: &Chain, verdict: &mut Verdict) {
    let gap = chain.bank - chain.platform;
    let explained = chain.refused || chain.unbooked;
    let at = if explained { &mut verdict.refused } else { &mut verdict.difference };
    *at.entry(chain.currency.clone()).or_insert(0) += gap;
    // What a bank calls not found may be undone already: its word is all there is, so it is asked.
    let expected = usize::from((gap != 0 && explained) || chain.refused) + chain.mistaken;
    verdict.expected += expected;
    let what = || {
        format!(
            "amount {amount}: {} at the bank, {} at the platform; {} items, expected {expected}: \
             {:?}",
            chain.bank, chain.platform, chain.items, chain.said
        )
    };
    if chain.kept && chain.undone {
        verdict.wrong.push(format!("a bank was asked to undo what nobody took back; {}", what()));
    } else if gap != 0 && !explained {
        verdict.wrong.push(format!("money is missing; {}", what()));
    } else if chain.items != expected {
        verdict.wrong.push(what());
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use serde_json::json;

    fn line(no: u64, more: &Value) -> Line {
        let mut line = json!({
            "no": no, "business": "purchase", "mti": "0200", "stan": format!("{no:06}"),
            "transmission": "0229000000", "rrn": format!("{no:012}"), "terminal": "T", "pan": "",
            "amount": 1_000 + no, "currency": "840", "intended_ms": 0, "end": "answered",
            "code": "00", "auth_id": "A", "answered_amount": null, "answers": 1, "late_answers": 0,
            "contradiction": null, "repeats": 0, "reversal": null, "advice": false,
            "void_of": null, "mistaken": null, "habits": [],
        });
        for (name, value) in more.as_object().unwrap() {
            line[name] = value.clone();
        }
        serde_json::from_value(line).unwrap()
    }

    fn entry(no: u64, business: &str, code: &str, signed: i64) -> Entry {
        let mti = if business == "reversal" { "0420" } else { "0200" };
        serde_json::from_value(json!({
            "no": no, "at_ms": 0, "bank": "river", "business": business, "seen": "first",
            "mti": mti,
            "key": { "stan": format!("{no:06}"), "moment": "", "terminal": "" },
            "stan": "", "rrn": "", "pan": null, "amount": 1_000 + no, "asked": 1_000 + no,
            "currency": "840", "settlement_date": "0229", "code": code, "auth_id": null,
            "signed": signed,
        }))
        .unwrap()
    }

    fn item(minor: u64) -> Value {
        json!({ "item": 9, "rrn": null, "amount": { "minor": minor }, "state": "dead", "why": "?",
                "bank": "river" })
    }

    fn reversal() -> Value {
        json!({ "why": "customer", "stan": "1", "transmission": "", "tries": 1,
                "acknowledged": "00" })
    }

    #[test]
    fn what_agrees_needs_no_item_and_an_item_too_many_fails() {
        let (lines, banks) = ([line(1, &json!({}))], [entry(1, "purchase", "00", 1_001)]);
        let verdict = judge(&lines, &banks, &[], &[]);
        assert_eq!((verdict.wrong.len(), verdict.expected), (0, 0), "{:?}", verdict.wrong);
        assert_eq!(judge(&lines, &banks, &[], &[item(1_001)]).wrong.len(), 1);
        assert_eq!(judge(&lines, &banks, &[], &[item(7)]).wrong.len(), 1);
    }

    #[test]
    fn what_a_bank_would_not_undo_is_one_item() {
        let lines = [line(1, &json!({ "reversal": reversal() }))];
        let banks = [entry(1, "purchase", "00", 1_001), entry(1, "reversal", "25", 0)];
        let verdict = judge(&lines, &banks, &[], &[item(1_001)]);
        assert!(verdict.wrong.is_empty(), "{:?}", verdict.wrong);
        assert_eq!(verdict.difference.values().sum::<i64>(), 0);
        assert_eq!(verdict.refused.get("840"), Some(&1_001));
        assert_eq!(judge(&lines, &banks, &[], &[]).wrong.len(), 1);
        assert_eq!(judge(&lines, &banks, &[], &[item(1_001), item(1_001)]).wrong.len(), 1);
    }

    #[test]
    fn what_a_bank_undid_and_forgot_is_one_item() {
        let lines = [line(1, &json!({ "reversal": reversal() }))];
        let undone = entry(1, "reversal", "00", -1_001);
        let banks = [entry(1, "purchase", "00", 1_001), undone, entry(1, "reversal", "25", 0)];
        assert!(judge(&lines, &banks, &[], &[item(1_001)]).wrong.is_empty());
        assert_eq!(judge(&lines, &banks, &[], &[]).wrong.len(), 1);
    }

    #[test]
    fn money_that_nothing_explains_is_missing_whatever_the_desk_says() {
        let lines = [line(1, &json!({ "reversal": reversal() }))];
        let banks = [entry(1, "purchase", "00", 1_001)];
        let verdict = judge(&lines, &banks, &[], &[item(1_001)]);
        assert_eq!(verdict.difference.get("840"), Some(&1_001));
        assert_eq!(verdict.wrong.len(), 1);
    }

    #[test]
    fn an_item_names_the_bank_and_what_it_booked_in_part() {
        let mut part = entry(1, "purchase", "10", 500);
        (part.mti, part.amount) = ("0220".to_owned(), 500);
        let wrong = |item: Value| {
            let lines = [line(1, &json!({ "advice": true }))];
            judge(&lines, std::slice::from_ref(&part), &[], &[item]).wrong.len()
        };
        let mut said = item(1_001);
        assert_eq!(wrong(said.clone()), 1, "not what was booked");
        said["booked"] = json!({ "minor": 500 });
        assert_eq!(wrong(said.clone()), 0);
        said["bank"] = "mountain".into();
        assert_eq!(wrong(said), 1, "another bank");
    }

    #[test]
    fn what_the_platform_holds_on_to_is_not_undone_even_in_vain() {
        let banks = [entry(1, "purchase", "00", 1_001), entry(1, "reversal", "25", 0)];
        let verdict = judge(&[line(1, &json!({}))], &banks, &[], &[item(1_001)]);
        assert_eq!(verdict.wrong.len(), 1, "{:?}", verdict.wrong);
        let taken_back = json!({ "reversal": reversal(), "habits": ["zero-name"] });
        let verdict = judge(&[line(1, &taken_back)], &banks[..1], &[], &[item(1_001)]);
        assert_eq!(verdict.difference.get("840"), Some(&1_001), "it has the F37");
    }

    #[test]
    fn a_void_takes_its_advice_back_and_a_mistake_takes_nothing() {
        let void = json!({ "business": "void", "void_of": 1, "amount": 1_001 });
        let advice = json!({ "advice": true });
        let lines = [line(1, &advice), line(2, &void)];
        let mut voided = entry(2, "void", "00", -1_001);
        voided.asked = 1_001;
        let banks = [entry(1, "purchase", "00", 1_001), voided];
        assert!(judge(&lines, &banks, &[], &[]).wrong.is_empty());
        let lines = [line(1, &json!({ "mistaken": reversal() }))];
        let banks = [entry(1, "purchase", "00", 1_001)];
        assert!(judge(&lines, &banks, &[], &[item(1_001)]).wrong.is_empty());
        assert_eq!(judge(&lines, &banks, &[], &[]).wrong.len(), 1);
    }
}
