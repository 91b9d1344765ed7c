//! Disks that are full, descriptors that run out, spares that somebody removed: new requests are
//! declined at worst, nothing else stops, and all is well again without a restart.
//!
//! The small disk is a tmpfs in a mount namespace of the switch's own; what is in it is reached by
//! way of `/proc`. Where that, or `prlimit`, is not to be had the test says so and proves nothing.

use crate::frames;
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, wait_until};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Within so long all must be well again once there is space.
const WELL_WITHIN: Duration = Duration::from_secs(5);
const FULL: &str = "the journal's disk is full";
const SCARCE: &str = "no spare segment can be made; new requests";
const WELL: &str = "spare segments can be made again";

/// Mounts a small disk where `$JOURNAL` says and becomes the switch.
const ON_SMALL_DISK: &str =
    "mount -t tmpfs -o size=2m,mode=0700 tmpfs \"$JOURNAL\" && exec \"$0\" \"$@\"";

fn in_namespace(journal: &Path, script: &str) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    unshare.env("JOURNAL", journal);
    unshare
}

fn skipped(why: &str) -> Tested {
    eprintln!("SKIPPED, nothing is proved: {why}");
    Ok(())
}

/// A round of purchases under load: eight are always in flight. What each was told. A name counts
/// once a second, so that the next round begins in another one.
fn round(shop: &mut Shop) -> Tested<Vec<String>> {
    let begun = Instant::now();
    let purchases = frames::requests()?.into_iter().filter(|r| r.kind == "purchase");
    let mut told = Vec::new();
    for eight in purchases.take(80).collect::<Vec<_>>().chunks(8) {
        let rows = eight.iter().map(|asked| shop.ask(asked)).collect::<Tested<Vec<_>>>()?;
        for row in rows {
            shop.answer_to(row)?;
            told.push(shop.row(row).code.clone().unwrap_or_default());
        }
    }
    std::thread::sleep(Duration::from_millis(1_010).saturating_sub(begun.elapsed()));
    Ok(told)
}

fn all_granted(told: &[String]) -> bool {
    told.iter().all(|code| code == "00")
}

/// Rounds until `is_so`; each request hears an answer.
fn rounds_until(what: &str, shop: &mut Shop, is_so: impl Fn(&[String]) -> bool) -> Tested {
    wait_until(what, SOON, || {
        let told = round(shop)?;
        assert!(told.iter().all(|code| ["00", "91", "96"].contains(&code.as_str())), "{told:?}");
        Ok(is_so(&told))
    })
}

fn segments(journal: &Path) -> Tested<Vec<PathBuf>> {
    let files = fs::read_dir(journal)?.map(|file| Ok(file?.path())).collect::<Tested<Vec<_>>>()?;
    Ok(files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "segment")).collect())
}

#[test]
fn a_full_disk_declines_what_is_new_and_is_well_again_once_there_is_space() -> Tested {
    let stage = Stage::new(CALM)?;
    let journal = stage.journal();
    fs::create_dir(&journal)?;
    let probe = in_namespace(&journal, ON_SMALL_DISK).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("no small disk can be mounted here");
    }
    let switch = stage.start_under(in_namespace(&journal, ON_SMALL_DISK))?;
    let inside = PathBuf::from(format!("/proc/{}/root{}", switch.pid(), journal.display()));
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    assert!(all_granted(&round(&mut shop)?));
    // One that no round asks for again.
    let purchases = frames::requests()?.into_iter().filter(|r| r.kind == "purchase");
    let asked = purchases.skip(80).find(|r| r.reversal.is_some()).ok_or("none to take back")?;
    let granted = shop.ask(&asked)?;
    shop.answer_to(granted)?;

    let ballast = inside.join("ballast");
    let mut fills = File::create(&ballast)?;
    while fills.write_all(&[b'.'; 4_096]).is_ok() {}
    rounds_until("requests are declined", &mut shop, |told| told.iter().any(|c| c == "96"))?;
    let executed = stage.entries().len();
    let ready = switch.page("/ready")?;
    assert!(ready.contains(" 503 ") && ready.contains("journal not ready: no space"), "{ready}");
    wait_until("the gauge", SOON, || Ok(switch.metric("pointsman_journal_full", "")? == 1.0))?;
    assert_eq!(shop.ask_and_wait(&frames::requests()?[0])?.code(), "96");
    assert_eq!(stage.entries().len(), executed, "nothing new reached a bank");
    // How things end that have begun still fits.
    shop.take_back(granted);
    shop.turn_until("the reversal is acknowledged", |shop| {
        shop.row(granted).reversal.as_ref().is_some_and(|r| r.acknowledged.is_some())
    })?;
    assert_eq!(switch.logged().matches(FULL).count(), 1, "{}", switch.logged());

    fs::remove_file(&ballast)?;
    drop(fills);
    let freed = Instant::now();
    wait_until("ready again", WELL_WITHIN, || Ok(switch.page("/ready")?.contains(" 200 ")))?;
    println!("ready again {:?} after there was space", freed.elapsed());
    for _ in 0..2 {
        assert!(all_granted(&round(&mut shop)?));
    }
    let log = switch.logged();
    assert_eq!((log.matches(FULL).count(), log.matches(WELL).count()), (1, 1), "{log}");
    switch.owes_nothing("")?;
    // The namespace ends with the switch: what is in it is judged as a copy.
    for file in fs::read_dir(&inside)? {
        let file = file?.path();
        fs::copy(&file, journal.join(file.file_name().unwrap_or_default()))?;
    }
    stage.ask_journal("verify", &["--money"])?;
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

#[test]
fn without_descriptors_for_a_spare_the_switch_goes_on() -> Tested {
    let (_stage, switch, mut shop) = Stage::opened(CALM, "info")?;
    assert!(all_granted(&round(&mut shop)?));
    let limit = |most: &str| {
        let (pid, nofile) = (switch.pid().to_string(), format!("--nofile={most}:1024"));
        Command::new("prlimit").args(["--pid", &pid, &nofile]).status().is_ok_and(|s| s.success())
    };
    // Fewer than are open: not one more is given.
    if !limit("1") {
        return skipped("no prlimit here");
    }
    rounds_until("a spare is due", &mut shop, |_| switch.logged().contains(SCARCE))?;
    rounds_until("there is none left", &mut shop, |told| told.iter().any(|code| code == "96"))?;
    assert!(limit("1024"));
    wait_until("well again", WELL_WITHIN, || Ok(switch.logged().contains(WELL)))?;
    assert!(all_granted(&round(&mut shop)?));
    assert_eq!(switch.logged().matches(SCARCE).count(), 1);
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}

#[test]
fn removed_spares_are_made_again_and_every_file_is_its_owners() -> Tested {
    let stage = Stage::new(CALM)?;
    let mut open_to_all = Command::new("sh");
    open_to_all.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
    let switch = stage.start_under(open_to_all)?;
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    let journal = stage.journal();
    for file in fs::read_dir(&journal)? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "spare") {
            fs::remove_file(file)?;
        }
    }
    let before = segments(&journal)?.len();
    rounds_until("some segments more", &mut shop, |told| {
        assert!(all_granted(told), "{told:?}");
        segments(&journal).is_ok_and(|now| now.len() >= before + 2)
    })?;
    for segment in segments(&journal)? {
        assert_eq!(segment.metadata()?.len(), 131_072, "{}", segment.display());
    }
    let mode = |path: &Path| Tested::Ok(path.metadata()?.permissions().mode() & 0o777);
    assert_eq!(mode(&journal)?, 0o700);
    for file in fs::read_dir(&journal)? {
        let file = file?.path();
        assert_eq!(mode(&file)?, 0o600, "{}", file.display());
    }
    assert_eq!(switch.stop()?, Some(0));
    stage.ask_journal("verify", &["--money"])?;
    assert_eq!(stage.start("warn")?.stop()?, Some(0));
    Ok(())
}
