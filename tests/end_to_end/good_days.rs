//! When nothing goes wrong: every answer byte for byte, repeats answered from memory, and
//! commands that read the journal afterwards.

use crate::frames::{self, Request};
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::walk::Answer;
use crate::{SOON, Tested, wait_until};
use simulators::clock::{now_ms, stamp};

#[test]
fn every_answer_comes_home_byte_for_byte() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(CALM, "warn")?;
    let requests = frames::requests()?;
    for expected in frames::expected()? {
        let asked = find(&requests, expected.no)?;
        let row = shop.ask(asked)?;
        let moment = shop.row(row).transmission.clone();
        let told = shop.answer_to(row)?;
        let wanted = expected.message.at(&moment);
        assert!(
            told == wanted,
            "request {}: told {:#?}, wanted {:#?}",
            expected.no,
            Answer::walk(&told),
            Answer::walk(&wanted)
        );
        assert_eq!(stage.entries_of(&asked.rrn).len(), 1, "request {}", expected.no);
    }
    assert_eq!(switch.stop()?, Some(0));
    the_journal_can_be_read(&stage)
}

/// `journal verify`, `stat` and `dump` of what a whole day left behind.
fn the_journal_can_be_read(stage: &Stage) -> Tested {
    assert!(stage.ask_journal("verify", &[])?.contains(" 0 places damaged"));
    assert!(!stage.ask_journal("stat", &[])?.is_empty());
    assert!(!stage.ask_journal("dump", &[])?.is_empty());
    let dump = stage.ask_journal("dump", &["--json"])?;
    let records: Vec<serde_json::Value> =
        dump.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    // An intent and an outcome each, at least.
    assert!(records.len() >= 2 * frames::expected()?.len(), "{} records", records.len());
    Ok(())
}

/// A balance may be asked by 0100 or 0200; whoever asks by 0100 listens for 0110.
#[test]
fn an_answer_has_the_mti_of_what_was_asked() -> Tested {
    /// Behind the length, the MTI, the bitmap and a card number of 16 digits.
    const F3: std::ops::Range<usize> = 32..38;
    let (stage, switch, mut shop) = Stage::opened(CALM, "warn")?;
    let requests = frames::requests()?;
    let asked = requests.iter().filter(|r| r.bank == "river" && r.kind == "pre-authorization");
    let moment = stamp(now_ms());
    let cases = [(b"000000", "00"), (b"310000", "00"), (b"310000", "91")];
    for (asked, (processing_code, code)) in asked.zip(cases) {
        if code == "91" {
            stage.river.stop();
            wait_until("river is down", SOON, || {
                Ok(switch.metric("pointsman_link_up", "river")? == 0.0)
            })?;
        }
        let mut frame = asked.message.at(&moment);
        assert_eq!(&frame[F3], b"000000");
        frame[F3].copy_from_slice(processing_code);
        // The first time, told again, and told again to a repeat.
        for bytes in [frame.clone(), frame.clone(), frames::repeated(&frame)] {
            let heard = shop.strays.len() + 1;
            shop.send(&bytes);
            shop.turn_until("an answer", |shop| shop.strays.len() == heard)?;
            let told = shop.strays.last().ok_or("nothing was told")?;
            assert_eq!((told.mti.as_str(), told.code()), ("0110", code), "{told:?}");
        }
    }
    Ok(())
}

#[test]
fn a_repeat_is_answered_alike_and_the_bank_asked_once() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(CALM, "warn")?;
    for asked in &frames::requests()?[..6] {
        let row = shop.ask(asked)?;
        let first = shop.answer_to(row)?;
        for (answers, repeat) in [(2, false), (3, true)] {
            let mut heard = Vec::new();
            shop.ask_again(row, repeat);
            shop.turn_until("the same answer", |shop| {
                heard.clone_from(shop.last_answer(row));
                shop.row(row).answers == answers
            })?;
            assert!(heard == first, "{:#?} {:#?}", Answer::walk(&heard), Answer::walk(&first));
        }
        assert_eq!(stage.entries_of(&asked.rrn).len(), 1, "request {}", asked.no);
    }
    assert_eq!(switch.metric("pointsman_repeats_total", "shop")?, 12.0);
    assert_eq!(switch.stop()?, Some(0));
    // Memory is the journal's, not the process's.
    let switch = stage.start("warn")?;
    shop.call(switch.door)?;
    shop.ask_again(0, true);
    shop.turn_until("the answer of before the restart", |shop| shop.row(0).answers == 4)?;
    assert_eq!(shop.row(0).contradiction, None);
    assert_eq!(stage.entries_of(&shop.row(0).rrn).len(), 1);
    Ok(())
}

#[test]
fn the_same_name_with_another_amount_is_refused() -> Tested {
    let (stage, _switch, mut shop) = Stage::opened(CALM, "warn")?;
    let asked = &frames::requests()?[0];
    let moment = stamp(now_ms());
    shop.send(&asked.message.at(&moment));
    shop.turn_until("the first answer", |shop| shop.strays.len() == 1)?;
    let mut other = asked.message.at(&moment);
    // The last digit of F4 stands right before F7.
    let digit = asked.message.offset_of_f7().ok_or("no F7")? - 1;
    other[digit] ^= 1;
    shop.send(&other);
    shop.turn_until("the second answer", |shop| shop.strays.len() == 2)?;
    let codes: Vec<&str> = shop.strays.iter().map(Answer::code).collect();
    assert_eq!(codes, ["00", "94"]);
    assert_eq!(stage.entries_of(&asked.rrn).len(), 1);
    Ok(())
}

#[test]
fn a_graceful_stop_lets_requests_in_flight_come_home() -> Tested {
    let stage = Stage::new(CALM)?;
    let switch = stage.start("warn")?;
    assert!(switch.page("/live")?.starts_with("HTTP/1.1 200"));
    assert!(switch.page("/ready")?.starts_with("HTTP/1.1 200"));
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    // The bank is slow enough that it is asked to stop before the first answer is there.
    stage.tell("delay 600")?;
    for asked in &frames::requests()?[..10] {
        shop.ask(asked)?;
    }
    wait_until("the banks have them all", SOON, || Ok(stage.entries().len() == 10))?;
    switch.ask_to_stop()?;
    shop.turn_until("every answer", Shop::is_at_rest)?;
    assert!(shop.ledger().iter().all(|request| request.code.as_deref() == Some("00")));
    assert_eq!(switch.wait()?, Some(0));
    Ok(())
}

fn find(requests: &[Request], no: u64) -> Tested<&Request> {
    Ok(requests.iter().find(|r| r.no == no).ok_or_else(|| format!("no request {no}"))?)
}
