//! What the kernel saw: nothing leaves before the record it needs is synced.
//!
//! Contract: a live `serve` runs under strace between the simulated banks and a platform. With
//! one request in flight the order of calls is the whole story: read, pwrite, fdatasync, write to
//! the bank, read, pwrite, fdatasync, write to the platform. With 64 in flight every frame that
//! was written is joined by its STAN to the record `journal dump --json` has of it, with segment
//! and offset, and a completed fdatasync after the pwrite that covers it is demanded before the
//! write. The planted bug `reply-before-fsync` must be found. Where strace is missing or may not
//! trace, that is said and nothing is tested; with `POINTSMAN_STRACE=required` it is a failure.
//! `tests/end_to_end/syscall_order/run.sh` runs it alone.

mod join;
mod trace;

use crate::binary::Switch;
use crate::frames::{self, Request};
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, wait_until};
use join::Ledger;
use simulators::clock::{now_ms, stamp};
use std::path::{Path, PathBuf};
use std::process::Command;
use trace::{Event, Peer};

/// In flight at once.
const WINDOW: u32 = 64;
/// How often that many.
const ROUNDS: u32 = 3;

/// Flights in which a planted early reply has to be seen.
#[cfg(feature = "faults")]
const FLIGHTS: usize = 4;

/// What one request is, in calls.
const STORY: [&str; 8] = [
    "read platform",
    "pwrite",
    "fdatasync",
    "write bank",
    "read bank",
    "pwrite",
    "fdatasync",
    "write platform",
];

/// Whether strace works here; says so where it does not.
fn can_trace() -> Tested<bool> {
    let probe = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let why = match probe {
        Ok(output) if output.status.success() => return Ok(true),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let said = format!("NOT TESTED: the order of system calls; strace does not work: {why}");
    if std::env::var_os("POINTSMAN_STRACE").is_some_and(|word| word == "required") {
        return Err(said.into());
    }
    eprintln!("\n{said}\n");
    Ok(false)
}

/// A stage whose switch is traced.
struct Traced {
    stage: Stage,
    switch: Switch,
    log: PathBuf,
    shop: Shop,
}

impl Traced {
    /// With this bug planted, where one is named.
    fn start(plant: Option<&str>) -> Tested<Self> {
        let stage = Stage::new(CALM)?;
        // One segment holds it all, so that offsets of the dump are offsets of the trace.
        stage.edit("segment_bytes = 131_072", "segment_bytes = 4_194_304")?;
        let log = stage.folder().join("strace.log");
        let mut tracer = Command::new("strace");
        // -D: the tracer stands aside, and the process that was started is the switch.
        tracer.args(["-D", "-f", "-yy", "-xx", "-s", "1000000", "-e"]);
        tracer.arg("trace=read,recvfrom,write,writev,sendto,sendmsg,pwrite64,fdatasync,fsync");
        tracer.arg("-o").arg(&log);
        if let Some(plant) = plant {
            tracer.env("POINTSMAN_PLANT", plant);
        }
        let switch = Switch::start_under(tracer, &stage.config(), "traced")?;
        wait_until("the bank is up", SOON, || {
            Ok(switch.metric("pointsman_link_up", "river")? > 0.0)
        })?;
        let mut shop = Shop::new(SOON);
        shop.call(switch.door)?;
        Ok(Self { stage, switch, log, shop })
    }

    /// Sends so many requests at once and waits until each has been approved.
    fn fly(&mut self, asked: &Request, stans: std::ops::Range<u32>) -> Tested {
        let moment = stamp(now_ms());
        let at = asked.message.offset_of_f7().ok_or("no F7")? + moment.len();
        let before = self.shop.strays.len();
        for stan in stans.clone() {
            let mut frame = asked.message.at(&moment);
            frame[at..at + 6].copy_from_slice(format!("{stan:06}").as_bytes());
            self.shop.send(&frame);
        }
        self.shop
            .turn_until("all are answered", |shop| shop.strays.len() == before + stans.len())?;
        let refused = self.shop.strays[before..].iter().find(|answer| answer.code() != "00");
        assert!(refused.is_none(), "not approved: {refused:?}");
        Ok(())
    }

    /// Stops the switch; what was traced, and what the journal says.
    fn end(self) -> Tested<(Vec<Event>, Ledger)> {
        let peers = (self.switch.door.port(), self.stage.river.address().port());
        assert_eq!(self.switch.stop()?, Some(0));
        let events = trace::read(&whole_log(&self.log)?, peers)?;
        Ok((events, Ledger::read(&self.stage.ask_journal("dump", &["--json"])?)?))
    }
}

/// The tracer writes on for a moment after the switch is gone.
fn whole_log(path: &Path) -> Tested<String> {
    wait_until("the trace is whole", SOON, || {
        let log = std::fs::read_to_string(path)?;
        let first = log.split_whitespace().next().unwrap_or_default().to_owned();
        Ok(log.lines().rev().take(20).any(|l| l.starts_with(&first) && l.contains("+++")))
    })?;
    Ok(std::fs::read_to_string(path)?)
}

fn a_purchase() -> Tested<Request> {
    let mut requests = frames::requests()?.into_iter();
    let found = requests.find(|r| r.bank == "river" && r.kind == "purchase");
    Ok(found.ok_or("no purchase at river")?)
}

#[test]
fn one_request_is_eight_calls_in_this_order() -> Tested {
    if !can_trace()? {
        return Ok(());
    }
    let mut traced = Traced::start(None)?;
    let asked = a_purchase()?;
    for stan in 700_000..700_005 {
        traced.fly(&asked, stan..stan + 1)?;
        // The hint that the approval left, and the mark of silence, belong to this one.
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    let (events, _) = traced.end()?;
    let stories: Vec<Vec<&str>> = (700_000..700_005).map(|stan| story(&events, stan)).collect();
    for told in &stories {
        let mut left = told.iter();
        let in_order = STORY.iter().all(|step| left.any(|did| did == step));
        assert!(in_order, "out of order: {told:?}");
    }
    // Now and then housekeeping writes in between; not five times out of five.
    assert!(stories.iter().any(|told| *told == STORY), "never just these: {stories:?}");
    Ok(())
}

/// What happened from the platform's request with this STAN to its answer.
fn story(events: &[Event], stan: u32) -> Vec<&'static str> {
    let names = |event: &&Event, verb: &str| {
        matches!(event, Event::Frames { peer: Peer::Platform, written, stans, .. }
            if *written == (verb == "write") && stans.contains(&stan))
    };
    let from = events.iter().position(|event| names(&event, "read")).unwrap_or(events.len());
    let upto = events.iter().rposition(|event| names(&event, "write")).unwrap_or(events.len() - 1);
    let told = events.get(from..=upto).unwrap_or_default().iter();
    told.filter_map(Event::word).collect()
}

#[test]
fn every_frame_leaves_after_the_sync_of_its_record() -> Tested {
    if !can_trace()? {
        return Ok(());
    }
    let (events, ledger) = flown(None)?;
    let found = join::unsynced(&events, &ledger)?;
    assert_eq!(found.checked, 2 * (ROUNDS * WINDOW) as usize, "frames of requests and approvals");
    assert!(found.early.is_empty(), "{} early, first {:?}", found.early.len(), found.early[0]);
    Ok(())
}

#[cfg(feature = "faults")]
#[test]
fn a_reply_before_its_fsync_is_found() -> Tested {
    if !can_trace()? {
        return Ok(());
    }
    // On a quick disk no reply need be early in one flight.
    let mut found = join::Found { checked: 0, early: vec![] };
    for _ in 0..FLIGHTS {
        let (events, ledger) = flown(Some("reply-before-fsync"))?;
        found = join::unsynced(&events, &ledger)?;
        if !found.early.is_empty() {
            break;
        }
    }
    assert!(!found.early.is_empty(), "{} frames, and none was early", found.checked);
    let at_bank = found.early.iter().find(|said| !said.contains("platform"));
    assert!(at_bank.is_none(), "the bug concerns replies: {at_bank:?}");
    Ok(())
}

fn flown(plant: Option<&str>) -> Tested<(Vec<Event>, Ledger)> {
    let mut traced = Traced::start(plant)?;
    let asked = a_purchase()?;
    for round in 0..ROUNDS {
        let first = 800_000 + round * WINDOW;
        traced.fly(&asked, first..first + WINDOW)?;
    }
    traced.end()
}
