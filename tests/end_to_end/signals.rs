//! Signals, as an init system or an operator sends them: SIGTERM and SIGINT finish what is in
//! flight and end with 0, SIGHUP takes a good configuration and leaves a bad one alone.

use crate::binary::{Switch, run};
use crate::frames::{self, Request};
use crate::shop::Shop;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, wait_until};
use std::fs;

#[test]
fn a_stop_by_either_signal_lets_what_is_in_flight_come_home() -> Tested {
    for signal in ["TERM", "INT"] {
        let (stage, switch, mut shop) = Stage::opened(CALM, "warn")?;
        stage.tell("delay 400")?;
        shop.ask(&frames::requests()?[0])?;
        wait_until("the bank has it", SOON, || Ok(stage.entries().len() == 1))?;
        switch.signal(signal)?;
        shop.turn_until("the answer", Shop::is_at_rest)?;
        assert_eq!(shop.row(0).code.as_deref(), Some("00"), "{signal}");
        assert_eq!(switch.wait()?, Some(0), "{signal}");
    }
    Ok(())
}

/// Sends SIGHUP and waits until the log has said `what` so many times.
fn hang_up(switch: &Switch, what: &str, times: usize) -> Tested {
    switch.signal("HUP")?;
    wait_until(what, SOON, || Ok(switch.logged().matches(what).count() >= times))
}

#[test]
fn a_reload_takes_a_good_configuration_and_leaves_a_bad_one_alone() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(CALM, "info")?;
    let requests = frames::requests()?;
    let with = |first: &'static str| {
        requests.iter().filter(move |r: &&Request| r.kind == "purchase" && r.pan.starts_with(first))
    };
    let (mut fours, mut fives) = (with("4"), with("5"));
    let mut told = |shop: &mut Shop| -> Tested<[bool; 2]> {
        let (four, five) = (fours.next().ok_or("no card")?, fives.next().ok_or("no card")?);
        Ok([shop.ask_and_wait(four)?.code() == "00", shop.ask_and_wait(five)?.code() == "00"])
    };
    assert_eq!(told(&mut shop)?, [true, true]);

    stage.edit("name = \"everything-else\"", "name = \"fives\"\npan = [\"5\"]")?;
    hang_up(&switch, "configuration read again", 1)?;
    assert_eq!(told(&mut shop)?, [false, true], "the new routes hold");

    let good = fs::read_to_string(stage.config())?;
    let wires = ("tpdu = \"6000010002\"", "tpdu = \"6000010003\"");
    let bad = [("pan = [\"5\"]", "pan = [\"x\"]"), ("bank = \"river\"", "bank = \"lake\""), wires];
    for (nth, (from, to)) in bad.into_iter().enumerate() {
        stage.edit(from, to)?;
        hang_up(&switch, "reload rejected", nth + 1)?;
        assert_eq!(told(&mut shop)?, [false, true], "{to}: the old one runs on");
        fs::write(stage.config(), &good)?;
    }
    // A bank under another name is a bank that is gone: orders find the one that is served.
    fs::write(stage.config(), good.replace("river", "lake"))?;
    hang_up(&switch, "bank river is missing or not where it was, which needs a restart", 1)?;
    fs::write(stage.config(), &good)?;
    let admin = switch.admin.to_string();
    let cutover = |bank| run(&["books", "--admin", &admin, "cutover", bank, "--operator", "anna"]);
    assert_eq!(cutover("river")?.status.code(), Some(0));
    let said = String::from_utf8(cutover("lake")?.stderr)?;
    assert!(said.contains("no bank has this name; there are: river, mountain"), "{said}");
    assert_eq!(switch.metric("pointsman_impossible_total", "")?, 0.0);

    stage.edit("pan = [\"5\"]", "pan = [\"4-5\"]")?;
    // The second time was that of the other name: it was read, and then refused.
    hang_up(&switch, "configuration read again", 3)?;
    assert_eq!(told(&mut shop)?, [true, true]);
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}
