//! Restarts from checkpoints: taken while it runs and at an orderly end, found again after
//! kill -9, shown by `journal stat`.

use crate::frames;
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, wait_until};

/// A number the log gives in the line about the replay.
fn replay_said(log: &str, name: &str) -> Tested<u64> {
    let line = log.lines().find(|line| line.contains("journal replayed")).ok_or("no replay")?;
    let said = line.split(&format!("{name}=")).nth(1).ok_or(name.to_owned())?;
    let digits: String = said.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

fn checkpoints(stage: &Stage) -> Tested<usize> {
    let said = stage.ask_journal("stat", &[])?;
    Ok(said.lines().filter(|line| line.contains(".checkpoint  covers records to ")).count())
}

#[test]
fn a_restart_begins_at_the_newest_checkpoint() -> Tested {
    let stage = Stage::new(CALM)?;
    stage.edit("segment_bytes", "checkpoint_records = 100\nsegment_bytes")?;
    let switch = stage.start("info")?;
    assert_eq!(replay_said(&switch.logged(), "checkpoint")?, 0);
    let mut shop = Shop::new(SOON);
    shop.call(switch.door)?;
    let requests = frames::requests()?;
    let (first, later) = requests.split_at(requests.len() / 2);
    for (nth, asked) in first.iter().enumerate() {
        shop.ask_and_wait(asked)?;
        // Enough for two, and each in its turn.
        if nth == first.len() / 2 {
            wait_until("a checkpoint", SOON, || Ok(checkpoints(&stage)? >= 1))?;
        }
    }
    wait_until("another", SOON, || Ok(checkpoints(&stage)? == 2))?;
    // The file is there a moment before it is counted.
    let written = || switch.metric("pointsman_checkpoint_seconds_count", "");
    wait_until("both are counted", SOON, || Ok(written()? >= 2.0))?;
    let written = written()?;
    assert_eq!(switch.metric("pointsman_checkpoint_pause_seconds_count", "")?, written);
    switch.kill()?;

    let switch = stage.start("info")?;
    let (from, records) =
        (replay_said(&switch.logged(), "checkpoint")?, replay_said(&switch.logged(), "records")?);
    assert!(from >= 200 && records < from, "from {from}, {records} records");
    shop.call(switch.door)?;
    // What was approved before the checkpoint is known behind it: repeats hear the same.
    shop.ask_again(0, true);
    let heard = shop.row(0).answers + 1;
    shop.turn_until("the same answer", |shop| shop.row(0).answers == heard)?;
    assert_eq!(shop.row(0).contradiction, None);
    for asked in later.iter().take(5) {
        shop.ask_and_wait(asked)?;
    }
    assert_eq!(switch.stop()?, Some(0));

    let switch = stage.start("info")?;
    assert!(replay_said(&switch.logged(), "checkpoint")? > from + records);
    assert_eq!(replay_said(&switch.logged(), "records")?, 0, "an orderly end leaves nothing");
    shop.hang_up();
    assert_eq!(switch.stop()?, Some(0));
    assert!(stage.ask_journal("verify", &[])?.contains(" 0 places damaged"));
    Ok(())
}
