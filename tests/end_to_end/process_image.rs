//! The memory of the running process, read as root: once nothing is open, no card number, track,
//! PIN block or verification value that went through it is left there.
//!
//! Contract: a card number that the switch was given as an environment variable must be found, or
//! the silence about the others means nothing. Where the image cannot be read the test says so and
//! proves nothing. Deliberately absent: keys, which a running switch has to hold (docs/limits.md).

use crate::binary::Switch;
use crate::canaries::{expected, secrets};
use crate::certificates;
use crate::frames::{self, Canary, Request};
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, wait_until};
use simulators::clock::{now_ms, stamp};
use simulators::world::canary::{Canary as Secret, Scanner};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process::Command;

/// A card number of a published range that no message carries.
const PLANTED: &str = "30569309025904";

/// How often each secret was seen.
type Seen = BTreeMap<String, usize>;

const PAGE: u64 = 4_096;
/// Bits of an entry of `pagemap`: in memory, or swapped out.
const PRESENT: u64 = 3 << 62;

/// Everything this process may write to and that is really there, page after page of each region;
/// `None` where nobody may read it. An allocator reserves far more than it touches.
fn image(pid: u32, scanner: &Scanner) -> Tested<Option<Seen>> {
    let open = |file: &str| File::open(format!("/proc/{pid}/{file}"));
    let (Ok(memory), Ok(pages)) = (open("mem"), open("pagemap")) else { return Ok(None) };
    let mut seen = Seen::new();
    let mut read = 0;
    for region in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut words = region.split_whitespace();
        let range = words.next().and_then(|range| range.split_once('-'));
        let ((from, to), rights) = range.zip(words.next()).ok_or("not a region")?;
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let bytes = resident(&memory, &pages, from / PAGE..to / PAGE)?;
        read += bytes.len();
        for (name, places) in scanner.count(&bytes) {
            let place = words.nth(3).unwrap_or("memory");
            *seen.entry(format!("{name} in {place}")).or_default() += places;
        }
    }
    Ok((read > 1 << 20).then_some(seen))
}

fn resident(memory: &File, pagemap: &File, pages: Range<u64>) -> Tested<Vec<u8>> {
    let mut entries = vec![0; usize::try_from(8 * (pages.end - pages.start))?];
    pagemap.read_exact_at(&mut entries, 8 * pages.start)?;
    let mut bytes = Vec::new();
    for (page, entry) in pages.zip(entries.chunks_exact(8)) {
        if u64::from_ne_bytes(entry.try_into()?) & PRESENT != 0 {
            let mut content = [0; PAGE as usize];
            // Given back since.
            if memory.read_exact_at(&mut content, page * PAGE).is_ok() {
                bytes.extend(content);
            }
        }
    }
    Ok(bytes)
}

/// Every secret that is sent, and the one that stays.
fn everything_sent(canaries: &[Canary], requests: &[Request]) -> Tested<Scanner> {
    let mut all = secrets(canaries)?;
    // One of many zeros looks like any number does.
    let mut cards = BTreeSet::new();
    for asked in requests {
        // Behind the length, the MTI and one bitmap: two digits of length and the card number.
        let text = String::from_utf8_lossy(asked.message.frame().get(14..).ok_or("too short")?);
        let len: usize = text.get(..2).ok_or("no card number")?.parse()?;
        cards.insert(text.get(2..2 + len).ok_or("a short card number")?.to_owned());
    }
    cards.retain(|card| !card.contains("0000"));
    assert!(!cards.is_empty());
    all.extend(cards.iter().map(|card| Secret::text("card", card)));
    all.push(Secret::text("planted", PLANTED));
    let scanner = Scanner::new(&all);
    assert!(scanner.proves_itself());
    Ok(scanner)
}

/// What a platform sends, and whether it is answered: purchases, and then every canary twice;
/// nothing comes after them that would take their places.
fn sent(canaries: &[Canary], requests: &[Request]) -> Vec<(Vec<u8>, bool)> {
    let moment = stamp(now_ms());
    let requests = requests.iter().map(|asked| (&asked.message, true));
    let canaries = canaries.iter().map(|c| (&c.message, expected(&c.name).is_some()));
    let canaries = canaries.flat_map(|canary| [canary; 2]);
    requests.chain(canaries).map(|(message, answered)| (message.at(&moment), answered)).collect()
}

/// Requests that are refused: the switch keeps the newest refusals, card number included, to know
/// them again before their record is on disk (`UNWRITTEN_MAX`).
fn refusals(canaries: &[Canary]) -> usize {
    let refused = canaries.iter().filter(|c| expected(&c.name).is_some_and(|code| code != "00"));
    2 * refused.count()
}

/// Waits until the image holds the planted one, no more card numbers than there were refusals, and
/// no other secret; `false` where it cannot be read.
fn only_the_planted_one_is_left(
    switch: &Switch,
    scanner: &Scanner,
    refusals: usize,
) -> Tested<bool> {
    switch.owes_nothing("")?;
    let Some(mut seen) = image(switch.pid(), scanner)? else {
        eprintln!("SKIPPED, nothing is proved: this process may not read another's memory");
        return Ok(false);
    };
    wait_until("nothing is left but what was planted", SOON, || {
        seen = image(switch.pid(), scanner)?.ok_or("the image is gone")?;
        let cards = seen.get("card in memory").copied().unwrap_or(0);
        let may_be_there = |name: &String| name.starts_with("planted") || name == "card in memory";
        Ok(!seen.is_empty() && cards <= refusals && seen.keys().all(may_be_there))
    })
    .map_err(|error| format!("{error}: {seen:#?}"))?;
    Ok(true)
}

fn planting() -> Command {
    let mut planting = Command::new("env");
    planting.arg(format!("PLANTED={PLANTED}"));
    planting
}

/// The purchases that are sent.
fn purchases() -> Tested<Vec<Request>> {
    Ok(frames::requests()?.into_iter().filter(|r| r.kind == "purchase").take(100).collect())
}

#[test]
fn a_process_that_has_nothing_open_holds_no_secret_that_went_through_it() -> Tested {
    let (canaries, requests) = (frames::canaries()?, purchases()?);
    let scanner = everything_sent(&canaries, &requests)?;
    let stage = Stage::new(CALM)?;
    let switch = stage.start_under(planting())?;
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    for (frame, answered) in sent(&canaries, &requests) {
        let before = shop.strays.len();
        shop.send(&frame);
        if answered {
            shop.turn_until("it is answered", |shop| shop.strays.len() > before)?;
        }
    }
    only_the_planted_one_is_left(&switch, &scanner, refusals(&canaries))?;
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

#[test]
fn nor_does_one_whose_door_has_tls() -> Tested {
    let (canaries, requests) = (frames::canaries()?, purchases()?);
    let scanner = everything_sent(&canaries, &requests)?;
    let stage = Stage::new(CALM)?;
    let authority = certificates::furnished(&stage)?;
    let switch = stage.start_under(planting())?;
    let mut line = certificates::call(switch.door, &authority, "shop.test")?;
    for (frame, answered) in sent(&canaries, &requests) {
        line.write_all(&frame)?;
        if answered {
            certificates::answer(&mut line)?;
        }
    }
    only_the_planted_one_is_left(&switch, &scanner, refusals(&canaries))?;
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}
