//! SIGKILL at every named place of the real binary: traffic, crash, restart, and so on from place
//! to place on one journal; then healing, and the three ledgers compared.
//!
//! Contract: the process kills itself at the place (`POINTSMAN_CRASH`); one that does not has not
//! come by, and fails. Places that need the same beginning stand in one group, in the order in
//! which one prepares the next. `one_by_one` judges behind every place instead of every group.

use crate::binary::Switch;
use crate::frames::{self, Request};
use crate::kills::{heal, quiet_day};
use crate::shop::Shop;
use crate::stage::{BRISK, Stage};
use crate::{SOON, Tested, books, wait_until};
use pointsman::server::crash;
use simulators::msg::Msg;
use simulators::speaker::{Seal, Speaker, SpeakerSpec};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How long the platform waits: longer than its budget at the switch.
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Requests of one crash.
const PER_ROUND: usize = 36;
/// How long the first half of them may take to lead to the crash.
const FIRST_HALF: Duration = Duration::from_millis(700);
/// How long the second half may, with all that is owed and forgotten, before it is told to stop.
const SECOND_HALF: Duration = Duration::from_millis(3_500);
/// Until lost lines are known to be down, and how long they stay so.
const LINES_DOWN: Duration = Duration::from_millis(250);
/// What the banks do, so that every kind of record comes up.
const MOOD: [&str; 6] =
    ["heal", "delay exponential 40", "late 650 3", "drop 3", "garbage 1", "duplicate 3"];

/// Each place once, with how often it is passed before.
const GROUPS: [&[&str]; 13] = [
    &["keys-write", "keys-rename", "cutover", "sign-on:2", "start-keys"],
    &["line-up:2", "request:9", "refusal", "intent:12", "hand-over:20", "handed-over:20"],
    &["send-request:20", "released:20", "answer:15", "outcome:12", "flush:60"],
    &["durable:20", "send-reply:12", "start-replayed", "delivered:10", "desk"],
    &["debt:3", "attempt:2", "start-settled", "closing:2", "start-opened"],
    &["garbled", "late:2", "timer:6", "forgotten", "recalled"],
    &["reload", "reloaded", "policy:2", "line-down:2"],
    &["batch-write:30", "batch-torn:30", "batch-written:30", "batch-synced:30", "folder-sync:4"],
    &["spare-zeros", "spare-rename", "rotate-header:2", "rotate-rename:2", "rotate-renamed:2"],
    &["extent-torn:2", "extent-sync:2", "extent-synced:2"],
    &["snapshot", "checkpoint-torn", "checkpoint-sync", "checkpoint-rename"],
    &["checkpoint-renamed:2", "index-torn", "index-sync", "checkpoint-prune"],
    // Segments go once whole rounds have left the duplicate window.
    &["drain", "last-checkpoint", "stopped", "archive-torn", "archive-sync", "retire", "retired"],
];

/// A stage with small segments and a checkpoint every second.
fn set_up() -> Tested<Stage> {
    let stage = Stage::new(BRISK)?;
    let journal = "checkpoint_records = 100\ncheckpoint_s = 1\narchive = \"archive\"";
    stage.edit("segment_bytes = 131_072", &format!("segment_bytes = 16_384\n{journal}"))?;
    stage.edit("[admin]", "[duplicates]\ncount = 100\n\n[admin]")?;
    Ok(stage)
}

/// River says that its business date moves.
fn cutover() -> Tested<Vec<u8>> {
    let speaker = Speaker::new(&SpeakerSpec {
        dialect: "iso8583-1987-bcd".to_owned(),
        framing: "2-byte-be-tpdu".to_owned(),
        mak: None,
    })?;
    let said = Msg::new("0800").with(7, "0101000000").with(11, "000001");
    let mut said = said.with(15, "0102").with(70, "201");
    said.tpdu = Some([0x60, 0, 2, 0, 1]);
    Ok(speaker.write(&said, Seal::None)?)
}

/// One life of the switch, which ends by itself at this place.
fn strike(stage: &Stage, shop: &mut Shop, asked: &[Request], point: &str) -> Tested {
    stage.tell("heal")?;
    let Some(switch) = stage.start_to_crash(point)? else { return Ok(()) };
    let switch = RefCell::new(switch);
    let crashed = || switch.borrow_mut().has_crashed();
    let door = switch.borrow().door;
    if let Err(refused) = shop.call(door) {
        // It may end before anybody calls; for no other reason is nobody there.
        wait_until(&format!("a crash, after {refused}"), SOON, &crashed)?;
        return Ok(());
    }
    let up = |bank| switch.borrow().metric("pointsman_link_up", bank).is_ok_and(|up| up > 0.0);
    wait_until("both banks are up", SOON, || Ok(crashed()? || (up("river") && up("mountain"))))?;
    MOOD.iter().try_for_each(|command| stage.tell(command))?;
    let (first, rest) = asked.split_at(asked.len() / 2);
    let (second, refused) = rest.split_at(rest.len() - 3);
    let begin = shop.ledger().len();
    ask(shop, first, &crashed, FIRST_HALF)?;
    if crashed()? {
        return Ok(());
    }
    // A repeat of what was answered; a configuration read again; a new business date; connections
    // lost.
    let answered = (begin..shop.ledger().len()).find(|row| shop.row(*row).answers > 0);
    answered.into_iter().for_each(|row| shop.ask_again(row, true));
    switch.borrow().signal("HUP")?;
    stage.river.send_raw(&cutover()?);
    ask(shop, second, &crashed, FIRST_HALF)?;
    stage.tell("refuse-sign-on on")?;
    stage.tell("disconnect")?;
    ask(shop, &[], &crashed, LINES_DOWN)?;
    ask(shop, refused, &crashed, LINES_DOWN)?;
    stage.tell("refuse-sign-on off")?;
    ask(shop, &[], &crashed, SECOND_HALF)?;
    if !crashed()? {
        switch.borrow().ask_to_stop()?;
    }
    let limit = Instant::now() + SOON;
    while !crashed()? {
        shop.turn()?;
        assert!(Instant::now() < limit, "{point}: neither crashed nor stopped");
    }
    Ok(())
}

/// Asks, and turns until the crash or the limit.
fn ask(
    shop: &mut Shop,
    asked: &[Request],
    crashed: &impl Fn() -> Tested<bool>,
    limit: Duration,
) -> Tested {
    for request in asked {
        shop.ask(request)?;
    }
    let limit = Instant::now() + limit;
    while Instant::now() < limit && !crashed()? {
        shop.turn()?;
    }
    Ok(())
}

/// Everything drains, money moves as if nothing had been, and the ledgers agree.
fn settle(stage: &Stage, shop: &mut Shop, quiet: &[Request]) -> Tested {
    let switch: Switch = stage.start("info")?;
    shop.call(switch.door)?;
    heal(stage, shop, &switch)?;
    quiet_day(shop, quiet)?;
    switch.owes_nothing("")?;
    assert_eq!(switch.metric("pointsman_impossible_total", "")?, 0.0);
    shop.hang_up();
    assert_eq!(switch.stop()?, Some(0));
    books::judge(stage, shop).map(drop)
}

/// Crashes at each of these places in turn; then everything is settled and judged.
fn sweep(points: &[&str]) -> Tested {
    let (stage, mut shop, requests) = (set_up()?, Shop::new(PATIENCE), frames::requests()?);
    let (quiet, busy) = requests.split_at(requests.len() - points.len() * PER_ROUND);
    for (point, asked) in points.iter().zip(busy.chunks(PER_ROUND)) {
        strike(&stage, &mut shop, asked, point)
            .map_err(|error| format!("{point} of {points:?}: {error}"))?;
    }
    let quiet = &quiet[..quiet.len().min(6)];
    settle(&stage, &mut shop, quiet).map_err(|error| format!("behind {points:?}: {error}").into())
}

/// The name of a place without the count.
fn name(point: &str) -> &str {
    point.split(':').next().unwrap_or(point)
}

#[test]
fn every_place_has_its_turn() {
    let mut swept: Vec<&str> = GROUPS.iter().copied().flatten().map(|point| name(point)).collect();
    swept.sort_unstable();
    swept.dedup();
    let mut known: Vec<&str> = crash::ALL.iter().map(|(_, name, _)| *name).collect();
    known.sort_unstable();
    assert!(known.len() >= 30, "{} places", known.len());
    assert_eq!(swept, known);
}

#[test]
fn no_crash_at_any_place_of_odd_groups_costs_money() -> Tested {
    GROUPS.iter().step_by(2).try_for_each(|group| sweep(group))
}

#[test]
fn no_crash_at_any_place_of_even_groups_costs_money() -> Tested {
    GROUPS.iter().skip(1).step_by(2).try_for_each(|group| sweep(group))
}

#[test]
#[ignore = "minutes: every place is judged apart, behind those that prepare it"]
fn crash_sweep_one_by_one() -> Tested {
    for group in GROUPS {
        for many in 1..=group.len() {
            sweep(&group[..many])?;
        }
    }
    Ok(())
}
