//! Reconciliation against a ledger that is not ours: the bank sums its own entries.
//!
//! Contract: a date is over when the bank says so, and the switch asks about it by itself. What
//! `journal totals` prints is compared with the bank's ledger, summed by the bank's own rules; an
//! entry the switch knows nothing of is found, alarms and stands on the desk. Operators have a bank
//! asked, and move its date, over the admin listener.

use crate::binary::{Switch, run, run_well};
use crate::frames;
use crate::shop::Shop;
use crate::stage::{CALM, JOURNAL_KEY, Stage};
use crate::{SOON, Tested, wait_until};
use pointsman::switch::record::{Record, Weighing};
use serde_json::Value;
use simulators::bank::settlement::Sums;
use simulators::clock::{now_ms, stamp};
use simulators::world::journal;
use std::sync::LazyLock;

/// River's dates of today, tomorrow and the day after, the same for a whole run: a midnight may
/// fall into it.
static DATES: LazyLock<[String; 3]> = LazyLock::new(|| {
    let now = now_ms();
    [0, 1, 2].map(|days| stamp(now + days * 86_400_000)[..4].to_owned())
});
const CURRENCIES: [&str; 2] = ["840", "978"];

/// River has told its date, and a good part of a day is over: purchases, refunds, holds, and two
/// purchases taken back.
fn traffic(stage: &Stage, shop: &mut Shop, switch: &Switch) -> Tested {
    stage.tell_one(&stage.river, &format!("cutover {}", DATES[0]))?;
    shop.call(switch.door)?;
    for asked in frames::requests()?.iter().take(40) {
        shop.ask(asked)?;
    }
    shop.turn_until("every answer", Shop::is_at_rest)?;
    // The first and the third are purchases at River.
    shop.take_back(0);
    shop.take_back(2);
    shop.turn_until("both reversals", Shop::is_at_rest)?;
    switch.owes_nothing("river")
}

/// Questions of this result so far.
fn reconciled(switch: &Switch, result: &str) -> Tested<f64> {
    switch.metric("pointsman_reconciliations_total", &format!("result=\"{result}\""))
}

/// What the journal holds about comparisons with River: the currency, and how it came out.
fn weighed(stage: &Stage) -> Tested<Vec<(String, Weighing)>> {
    let mut weighed = Vec::new();
    for (_, record) in journal::read(&stage.journal(), JOURNAL_KEY)? {
        if let Record::Reconciled(seen) = record
            && !matches!(seen.weighing, Weighing::Asked | Weighing::Ordered)
        {
            assert_eq!(seen.bank.as_str(), "river");
            weighed.push((format!("{:03}", seen.currency), seen.weighing));
        }
    }
    weighed.sort();
    Ok(weighed)
}

fn stage() -> Tested<Stage> {
    let stage = Stage::new(CALM)?;
    let first = "default_terminal = \"RIV00001\"\n";
    stage.edit(first, &format!("{first}reconcile_at_cutover = true\n"))?;
    Ok(stage)
}

#[test]
fn a_date_that_is_over_agrees_with_the_banks_own_ledger() -> Tested {
    let stage = stage()?;
    let switch = stage.start("warn")?;
    let mut shop = Shop::new(SOON);
    traffic(&stage, &mut shop, &switch)?;
    stage.tell_one(&stage.river, &format!("cutover {}", DATES[1]))?;
    wait_until("both currencies are compared", SOON, || {
        Ok(reconciled(&switch, "in_balance")? + reconciled(&switch, "out_of_balance")? == 2.0)
    })?;
    assert_eq!(reconciled(&switch, "in_balance")?, 2.0, "{}", switch.logged());
    assert_eq!(switch.stop()?, Some(0));
    let balanced = CURRENCIES.map(|code| (code.to_owned(), Weighing::InBalance));
    assert_eq!(weighed(&stage)?, balanced);

    let only = ["--bank", "river", "--date", &DATES[0]];
    let told = stage.ask_journal("totals", &[&only[..], &["--json"]].concat())?;
    let ledger = stage.river.ledger();
    for code in CURRENCIES {
        let theirs = Sums::of(&ledger, &DATES[0], code);
        let mut lines = told.lines().map(serde_json::from_str::<Value>);
        let ours = lines.find(|line| line.as_ref().is_ok_and(|line| line["currency"] == code));
        let ours = ours.ok_or_else(|| format!("no totals in {code}: {told}"))??;
        let sums = ["credits", "credits_reversed", "debits", "debits_reversed"];
        let counts = sums.map(|sum| ours[sum]["count"].as_u64().unwrap_or(u64::MAX));
        let amounts = sums.map(|sum| ours[sum]["minor"].as_u64().unwrap_or(u64::MAX));
        assert_eq!((counts, amounts), (theirs.counts, theirs.amounts), "{code}: {told}");
        assert!(counts[0] > 0 && counts[2] > 2, "{code}: too little happened: {told}");
    }
    // For people: the same numbers, a line per currency.
    let printed = stage.ask_journal("totals", &only)?;
    let theirs = Sums::of(&ledger, &DATES[0], "840");
    assert_eq!(theirs.counts[3], 2, "{theirs:?}");
    let expected = format!(
        "debits {} / {}  debits reversed 2 / {}  credits {} / {}  credits reversed 0 / 0",
        theirs.counts[2], theirs.amounts[2], theirs.amounts[3], theirs.counts[0], theirs.amounts[0]
    );
    let begin = format!("river  date {}  currency 840  ", DATES[0]);
    let line = printed.lines().find(|line| line.starts_with(&begin)).unwrap_or_default();
    assert!(line.contains(&expected), "{printed}\nexpected {expected}");
    Ok(())
}

#[test]
fn an_entry_we_know_nothing_of_is_out_of_balance_and_on_the_desk() -> Tested {
    let stage = stage()?;
    let switch = stage.start("warn")?;
    let mut shop = Shop::new(SOON);
    traffic(&stage, &mut shop, &switch)?;
    stage.tell_one(&stage.river, "misbook 840 7")?;
    stage.tell_one(&stage.river, &format!("cutover {}", DATES[1]))?;
    wait_until("both currencies are compared", SOON, || {
        Ok(reconciled(&switch, "in_balance")? + reconciled(&switch, "out_of_balance")? == 2.0)
    })?;
    assert_eq!(reconciled(&switch, "out_of_balance")?, 1.0);
    let admin = switch.admin.to_string();
    let desk = run_well(&["desk", "--admin", &admin, "--bank", "river", "--json"])?;
    let desk: Value = serde_json::from_str(&desk)?;
    assert_eq!(desk["items"].as_array().map(Vec::len), Some(1), "{desk}");
    assert_eq!(switch.stop()?, Some(0));
    let expected =
        [("840".to_owned(), Weighing::OutOfBalance), ("978".to_owned(), Weighing::InBalance)];
    assert_eq!(weighed(&stage)?, expected);
    Ok(())
}

#[test]
fn operators_have_a_bank_asked_and_move_its_date() -> Tested {
    let stage = Stage::new(CALM)?;
    let switch = stage.start("info")?;
    let mut shop = Shop::new(SOON);
    traffic(&stage, &mut shop, &switch)?;
    let admin = switch.admin.to_string();
    let orders = ["books", "--admin", admin.as_str()];
    let by = ["--operator", "anna"];
    let books = |more: &[&str]| run_well(&[&orders[..], more, &by].concat());
    let refused = |more: &[&str], why: &str| -> Tested {
        let output = run(&[&orders[..], more, &by].concat())?;
        let said = String::from_utf8(output.stderr)?;
        assert!(output.status.code() == Some(1) && said.contains(why), "{more:?}: {said}");
        Ok(())
    };
    refused(&["reconcile", "brook"], "no bank has this name")?;
    refused(&["cutover", "brook"], "no bank has this name")?;
    refused(&["cutover", "river", "--date", "0230"], "date: expected MMDD")?;
    refused(&["reconcile", "river", "--date", &DATES[1]], "nothing to ask")?;
    refused(&["cutover", "river/../north"], "expected a bank's name")?;

    // Of the date in force.
    let told = books(&["reconcile", "river"])?;
    assert!(told.starts_with("river: asked about its totals, items "), "{told}");
    wait_until("both currencies are compared", SOON, || {
        Ok(reconciled(&switch, "in_balance")? + reconciled(&switch, "out_of_balance")? == 2.0)
    })?;
    assert_eq!(reconciled(&switch, "in_balance")?, 2.0, "{}", switch.logged());
    switch.owes_nothing("river")?;

    let told = books(&["cutover", "river"])?;
    assert_eq!(told, format!("river: business date {}\n", DATES[1]), "the day after");
    let told = books(&["cutover", "river", "--date", &DATES[2], "--json"])?;
    let told: Value = serde_json::from_str(&told)?;
    assert_eq!((&told["decided"], &told["date"]), (&"cutover".into(), &DATES[2].as_str().into()));
    assert!(switch.logged().contains("anna"), "nobody knows who: {}", switch.logged());
    // Durable when it was told.
    switch.kill()?;
    let moved = stage.ask_journal("dump", &["--where", &format!("date={}", DATES[2])])?;
    assert_eq!(moved.lines().filter(|line| line.contains("cutover")).count(), 1, "{moved}");
    let ordered = stage.ask_journal("dump", &["--where", "operator=anna"])?;
    let count = |what| ordered.lines().filter(|line| line.contains(what)).count();
    assert_eq!((count("  cutover"), count("  reconciled")), (2, 2), "{ordered}");
    Ok(())
}
