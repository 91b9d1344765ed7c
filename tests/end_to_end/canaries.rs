//! Secrets sent through a run, and looked for afterwards in everything it left behind.
//!
//! Contract: the scanner must find every secret where it was planted before its silence about
//! the run means anything. Logs are taken at TRACE; the journal is encrypted, so that what
//! `journal dump` prints is scanned beside its files.

use crate::Tested;
use crate::frames::{self, Canary};
use crate::stage::{CALM, Stage};
use crate::walk::Answer;
use simulators::clock::{now_ms, stamp};
use simulators::world::canary::{Canary as Secret, Scanner};
use std::fs;

/// What each canary is told; `None`: nothing, as nobody can be answered.
pub(crate) fn expected(name: &str) -> Option<&'static str> {
    match name {
        "garbage" => None,
        "pin" => Some("40"),
        "broken icc" => Some("30"),
        _ => Some("00"),
    }
}

/// Sends every canary twice, so that memory and journal are asked for it too.
fn fly(stage: &Stage, canaries: &[Canary]) -> Tested<Vec<String>> {
    let (switch, mut shop) = stage.open("trace")?;
    let moment = stamp(now_ms());
    for canary in canaries {
        for _ in 0..2 {
            let before = shop.strays.len();
            shop.send(&canary.message.at(&moment));
            let Some(code) = expected(&canary.name) else { continue };
            shop.turn_until(&canary.name, |shop| shop.strays.len() > before)?;
            assert_eq!(shop.strays.last().map(Answer::code), Some(code), "{}", canary.name);
        }
    }
    // What is behind the garbage has been answered, so the garbage has been read.
    shop.ask_and_wait(&frames::requests()?[0])?;
    let pages = ["/live", "/ready", "/metrics"].map(|path| switch.page(path));
    let pages = pages.into_iter().collect::<Tested<Vec<_>>>()?;
    assert_eq!(switch.stop()?, Some(0));
    Ok(pages)
}

/// What the commands print about the journal.
fn printed(stage: &Stage) -> Tested<Vec<String>> {
    let commands: [(&str, &[&str]); 4] =
        [("dump", &[]), ("dump", &["--json"]), ("stat", &[]), ("verify", &[])];
    commands.iter().map(|(command, more)| stage.ask_journal(command, more)).collect()
}

/// Every secret that they carry.
pub(crate) fn secrets(canaries: &[Canary]) -> Tested<Vec<Secret>> {
    let mut secrets = Vec::new();
    for (name, value) in canaries.iter().flat_map(|canary| &canary.secrets) {
        secrets.push(match name.as_str() {
            "pin-block" | "garbage" => Secret::bytes(name, &frames::from_hex(value).ok_or("hex")?),
            _ => Secret::text(name, value),
        });
    }
    Ok(secrets)
}

#[test]
fn no_secret_is_left_behind() -> Tested {
    let stage = Stage::new(CALM)?;
    let canaries = frames::canaries()?;
    let scanner = Scanner::new(&secrets(&canaries)?);
    assert!(scanner.proves_itself());
    let pages = fly(&stage, &canaries)?;
    let printed = printed(&stage)?;
    for (what, text) in ["page", "command"].iter().zip([&pages, &printed]) {
        assert!(text.iter().all(|text| !text.is_empty()), "an empty {what}");
        let found: Vec<_> = text.iter().flat_map(|text| scanner.scan(text.as_bytes())).collect();
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    let logged = fs::read_to_string(stage.folder().join("switch-1.err"))?;
    assert!(logged.contains("TRACE"), "nothing was logged at TRACE");
    planted_ones_are_found(&stage, &canaries, &scanner)?;
    let found = scanner.scan_files(&stage.folder())?;
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}

/// The frames themselves, put where the journal is, are found with every secret they carry.
fn planted_ones_are_found(stage: &Stage, canaries: &[Canary], scanner: &Scanner) -> Tested {
    let plant = stage.journal().join("planted");
    for canary in canaries {
        fs::write(&plant, canary.message.frame())?;
        let found = scanner.scan_files(&plant)?;
        for name in canary.secrets.keys() {
            let seen = found.iter().any(|(_, sighting)| sighting.name == *name);
            assert!(seen, "{name} was planted and not found: {found:?}");
        }
    }
    assert!(!scanner.scan_files(&stage.folder())?.is_empty(), "the folder was not looked through");
    Ok(fs::remove_file(plant)?)
}
