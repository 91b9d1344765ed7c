//! What left the duplicate window: the journal still knows it, so that nothing is sent twice, and
//! what follows an old original reaches the bank with the original's own keys.
//!
//! Contract: the window holds a hundred transactions (the least that is allowed), more than a
//! hundred and twenty follow, and the journal says that the originals were forgotten.

use crate::Tested;
use crate::frames::{self, Request};
use crate::shop::Shop;
use crate::stage::{CALM, JOURNAL_KEY, Stage};
use crate::walk::Answer;
use pointsman::switch::record::{Forgotten, Record};
use simulators::bank::ledger::{Entry, Seen};
use simulators::clock::{now_ms, stamp};
use simulators::world::journal;

/// How many transactions follow: more than the window holds.
const FOLLOWING: usize = 125;
const COMPLETION_STAN: &str = "900001";
const COMPLETION_RRN: &str = "RRCOMPLETE01";

/// A window of a hundred, the originals, and what follows them, all approved.
fn stage() -> Tested<(Stage, Vec<Request>)> {
    let stage = Stage::new(CALM)?;
    stage.edit("[admin]", "[duplicates]\ncount = 100\n\n[admin]")?;
    let requests = frames::requests()?;
    let (mut purchase, mut hold) = (None, None);
    let mut others = Vec::new();
    for request in requests {
        let place = match request.kind.as_str() {
            "purchase" if request.bank == "river" => &mut purchase,
            "pre-authorization" if request.bank == "river" => &mut hold,
            _ => {
                others.push(request);
                continue;
            }
        };
        if place.is_none() { *place = Some(request) } else { others.push(request) }
    }
    let mut asked = vec![purchase.ok_or("no purchase")?, hold.ok_or("no hold")?];
    asked.extend(others.into_iter().take(FOLLOWING));
    Ok((stage, asked))
}

/// The one entry of a bank about something.
fn only(entries: Vec<Entry>, what: &str) -> Tested<Entry> {
    match <[Entry; 1]>::try_from(entries) {
        Ok([entry]) => Ok(entry),
        Err(entries) => Err(format!("{what}: not one entry but {entries:#?}").into()),
    }
}

/// The completion of a hold, made from the hold's reversal, which names it in `F90` already:
/// another MTI and STAN, `F25` = 06, another `F37`, and no `F39`.
fn completion(hold: &Request, hold_moment: &str) -> Tested<Vec<u8>> {
    let reversal = hold.reversal.as_ref().ok_or("a hold without reversal")?;
    let mut frame = reversal.message.at(hold_moment);
    let f7 = reversal.message.offset_of_f7().ok_or("no F7")?;
    frame[2..6].copy_from_slice(b"0200");
    frame[f7..f7 + 10].copy_from_slice(stamp(now_ms()).as_bytes());
    frame[f7 + 10..f7 + 16].copy_from_slice(COMPLETION_STAN.as_bytes());
    let place = |frame: &[u8], part: &[u8]| frame.windows(part.len()).position(|w| w == part);
    let f32 = place(&frame, b"0810000099").ok_or("no F32")?;
    frame[f32 - 2..f32].copy_from_slice(b"06");
    let f37 = place(&frame, hold.rrn.as_bytes()).ok_or("no F37")?;
    frame[f37..f37 + 12].copy_from_slice(COMPLETION_RRN.as_bytes());
    frame.drain(f37 + 12..f37 + 14);
    // Bit 39 is the second lowest of the fifth byte of the bitmap.
    assert_eq!(frame[10] & 0x02, 0x02, "the reversal has no F39");
    frame[10] &= !0x02;
    let len = u16::try_from(frame.len() - 2)?;
    frame[..2].copy_from_slice(&len.to_be_bytes());
    Ok(frame)
}

#[test]
fn what_left_the_window_is_neither_sent_twice_nor_out_of_reach() -> Tested {
    let (stage, asked) = stage()?;
    let (switch, mut shop) = stage.open("warn")?;
    let (purchase, hold) = (shop.ask(&asked[0])?, shop.ask(&asked[1])?);
    let first = shop.answer_to(purchase)?;
    shop.answer_to(hold)?;
    for some in asked[2..].chunks(25) {
        some.iter().try_for_each(|request| shop.ask(request).map(drop))?;
        shop.turn_until("every answer", Shop::is_at_rest)?;
    }
    // A repeat hears the same, and the bank nothing.
    for (answers, repeat) in [(2, false), (3, true)] {
        shop.ask_again(purchase, repeat);
        shop.turn_until("the old answer", |shop| shop.row(purchase).answers == answers)?;
        assert!(*shop.last_answer(purchase) == first, "another answer than before");
    }
    let rrn = |row: usize| asked[row].rrn.as_str();
    let bought = only(stage.entries_of(rrn(0)), "the purchase")?;
    let held = only(stage.entries_of(rrn(1)), "the hold")?;
    // The hold is completed: the bank finds it, and nothing more moves than was held.
    let heard = shop.strays.len();
    shop.send(&completion(&asked[1], &shop.row(hold).transmission.clone())?);
    shop.turn_until("the completion's answer", |shop| shop.strays.len() > heard)?;
    let told = shop.strays.last().map(Answer::code).unwrap_or_default().to_owned();
    assert_eq!(told, "00", "{:?}", shop.strays.last());
    let taken = only(stage.entries_of(COMPLETION_RRN), "the completion")?;
    assert_eq!((taken.code.as_str(), taken.seen, taken.signed), ("00", Seen::First, 0));
    assert!(held.signed > 0, "{held:?}");
    // The purchase is taken back: once, by the keys the bank knows it by.
    shop.take_back(purchase);
    shop.turn_until("the reversal's answer", Shop::is_at_rest)?;
    switch.owes_nothing("river")?;
    let mut undone = stage.entries();
    undone.retain(|entry| entry.key == bought.key && entry.no != bought.no);
    let undone = only(undone, "the reversal")?;
    assert_eq!((undone.code.as_str(), undone.seen), ("00", Seen::First), "{undone:?}");
    assert_eq!(undone.signed, -bought.signed);
    assert_eq!(switch.stop()?, Some(0));
    the_originals_were_forgotten(&stage, &asked[..2])
}

/// Both intents lie before what the journal says was forgotten, and before the last hundred.
fn the_originals_were_forgotten(stage: &Stage, originals: &[Request]) -> Tested {
    let records = journal::read(&stage.journal(), JOURNAL_KEY)?;
    let forgotten = records.iter().filter_map(|(_, record)| match record {
        Record::Forgotten(Forgotten::Window(upto)) => Some(upto.0),
        _ => None,
    });
    let forgotten = forgotten.max().ok_or("nothing was forgotten")?;
    for original in originals {
        let stan: u32 = original.stan.parse()?;
        let intent = records.iter().find(
            |(_, record)| matches!(record, Record::Intent(intent) if intent.origin.stan == stan),
        );
        let (no, _) = intent.ok_or("an original without intent")?;
        assert!(*no <= forgotten, "record {no} is remembered: forgotten up to {forgotten}");
    }
    Ok(())
}
