//! When a bank is away, late or odd: what the platform is told, and what the bank hears later.

use crate::frames::{self, Request};
use crate::shop::Shop;
use crate::stage::{CALM, HASTY, Stage};
use crate::walk::Answer;
use crate::{SOON, Tested, wait_until};
use simulators::bank::business::Business;
use simulators::bank::ledger::{Entry, totals};
use simulators::clock::{now_ms, stamp};

fn purchases_of<'r>(requests: &'r [Request], bank: &str) -> Vec<&'r Request> {
    requests.iter().filter(|r| r.kind == "purchase" && r.bank == bank).collect()
}

fn reversals(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| entry.business == Business::Reversal).count()
}

#[test]
fn a_bank_that_is_away_is_said_to_be() -> Tested {
    let stage = Stage::new(CALM)?;
    stage.river.stop();
    let switch = stage.start_alone("warn")?;
    wait_until("mountain is up", SOON, || {
        Ok(switch.metric("pointsman_link_up", "mountain")? > 0.0)
    })?;
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    let requests = frames::requests()?;
    let away = shop.ask_and_wait(purchases_of(&requests, "river")[0])?;
    assert_eq!((away.mti.as_str(), away.code(), away.get(38)), ("0210", "91", ""));
    let there = shop.ask_and_wait(purchases_of(&requests, "mountain")[0])?;
    assert_eq!(there.code(), "00", "the other bank goes on");
    // Proof that nothing was sent: nothing is owed.
    switch.owes_nothing("river")?;
    assert!(stage.river.ledger().is_empty());
    Ok(())
}

#[test]
fn a_silent_bank_is_timed_out_and_its_approval_taken_back() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(HASTY, "warn")?;
    let requests = frames::requests()?;
    stage.tell("silent on")?;
    for bank in ["river", "mountain"] {
        let asked = purchases_of(&requests, bank)[0];
        assert_eq!(shop.ask_and_wait(asked)?.code(), "68", "{bank}");
        wait_until("the bank hears of the reversal", SOON, || {
            Ok(reversals(&stage.entries_of(&asked.rrn)) > 0)
        })?;
        // Executed, not answered: the platform is told no, the bank has to undo.
        let seen = stage.entries_of(&asked.rrn);
        assert_eq!((seen[0].business, seen[0].code.as_str()), (Business::Purchase, "00"));
    }
    stage.tell("heal")?;
    switch.owes_nothing("")?;
    assert!(totals(&stage.entries()).values().all(|sum| *sum == 0), "{:#?}", stage.entries());
    Ok(())
}

#[test]
fn a_late_approval_is_caught_and_never_handed_on() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(HASTY, "warn")?;
    let requests = frames::requests()?;
    let asked = purchases_of(&requests, "river")[0];
    stage.tell_one(&stage.river, "late 1200 1")?;
    assert_eq!(shop.ask_and_wait(asked)?.code(), "68");
    wait_until("the late answer is counted", SOON, || {
        Ok(switch.metric("pointsman_late_responses_total", "river")? > 0.0)
    })?;
    switch.owes_nothing("river")?;
    // A second request proves that the answer before it has arrived, were there one.
    shop.ask_and_wait(purchases_of(&requests, "river")[1])?;
    assert_eq!((shop.row(0).answers, shop.strays.len()), (1, 0));
    assert_eq!(stage.entries_of(&asked.rrn).iter().map(|e| e.signed).sum::<i64>(), 0);
    Ok(())
}

#[test]
fn an_answer_that_cannot_be_trusted_is_declined_and_taken_back() -> Tested {
    let (stage, _switch, mut shop) = Stage::opened(HASTY, "warn")?;
    let requests = frames::requests()?;
    let cases =
        [("mountain", "wrong-mac 1"), ("mountain", "wrong-amount 1"), ("river", "wrong-amount 1")];
    for (nth, (bank, command)) in cases.into_iter().enumerate() {
        let asked = purchases_of(&requests, bank)[nth];
        stage.tell_one(stage.bank(bank), command)?;
        assert_eq!(shop.ask_and_wait(asked)?.code(), "96", "{bank} {command}");
        wait_until("the reversal is acknowledged", SOON, || {
            let entries = stage.entries_of(&asked.rrn);
            Ok(reversals(&entries) > 0 && entries.iter().map(|e| e.signed).sum::<i64>() == 0)
        })?;
    }
    Ok(())
}

#[test]
fn what_a_platform_takes_back_reaches_its_bank() -> Tested {
    let (stage, _switch, mut shop) = Stage::opened(CALM, "warn")?;
    let requests = frames::requests()?;
    for bank in ["river", "mountain"] {
        let asked = purchases_of(&requests, bank)[0];
        let row = shop.ask(asked)?;
        assert_eq!(Answer::walk(&shop.answer_to(row)?)?.code(), "00", "{bank}");
        // A bank that is away does not stop the platform from taking back.
        stage.tell_one(stage.bank(bank), "disconnect")?;
        shop.take_back(row);
        shop.turn_until("the acknowledgement", |shop| shop.row(row).is_reversed())?;
        wait_until("the bank undoes it", SOON, || {
            Ok(stage.entries_of(&asked.rrn).iter().map(|e| e.signed).sum::<i64>() == 0)
        })?;
        // What was taken back is never approved again.
        shop.ask_again(row, true);
        shop.turn_until("a decline", |shop| shop.row(row).answers == 2)?;
        assert_ne!(Answer::walk(shop.last_answer(row))?.code(), "00", "{bank}");
        let entries = stage.entries_of(&asked.rrn);
        assert_eq!(entries.len() - reversals(&entries), 1, "{bank}: {entries:#?}");
    }
    Ok(())
}

#[test]
fn the_reversal_of_an_unknown_original_is_never_forwarded_and_declines_it() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(HASTY, "warn")?;
    let requests = frames::requests()?;
    for bank in ["river", "mountain"] {
        let asked = purchases_of(&requests, bank)[0];
        let moment = stamp(now_ms());
        let reversal = asked.reversal.as_ref().ok_or("a purchase has a reversal")?;
        shop.send(&reversal.message.at(&moment));
        let heard = shop.strays.len() + 1;
        shop.turn_until("the acknowledgement", |shop| shop.strays.len() == heard)?;
        let told = shop.strays.last().ok_or("nothing was told")?;
        assert_eq!((told.mti.as_str(), told.code()), ("0430", "00"), "{bank}");
        // The platform's STAN is not the bank's: forwarded, it could undo somebody else's.
        switch.owes_nothing(bank)?;
        assert!(stage.entries_of(&asked.rrn).is_empty(), "{bank}");
        shop.send(&asked.message.at(&moment));
        shop.turn_until("a decline", |shop| shop.strays.len() == heard + 1)?;
        assert_ne!(shop.strays.last().map(Answer::code), Some("00"), "{bank}");
        assert!(stage.entries_of(&asked.rrn).is_empty(), "{bank}");
    }
    Ok(())
}
