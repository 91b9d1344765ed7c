//! `pointsman desk` and the pages behind it, against the real binary: what a silent bank leaves
//! in doubt is listed, decided and journaled; what makes no sense is refused; a token is asked
//! for.

use crate::binary::{Switch, run, run_well};
use crate::shop::Shop;
use crate::stage::{HASTY, Stage};
use crate::{SOON, Tested, frames, wait_until};
use serde_json::Value;

/// A purchase at River, and what the platform is told.
fn buy(shop: &mut Shop, which: usize) -> Tested<String> {
    let requests = frames::requests()?;
    let mut purchases = requests.iter().filter(|r| r.kind == "purchase" && r.bank == "river");
    let asked = purchases.nth(which).ok_or("no purchase left")?;
    Ok(shop.ask_and_wait(asked)?.code().to_owned())
}

/// `desk` on this switch; what it printed.
fn desk(switch: &Switch, more: &[&str]) -> Tested<String> {
    run_well(&[&["desk", "--admin", &switch.admin.to_string()], more].concat())
}

/// The same, as a program sees it.
fn desk_json(switch: &Switch, more: &[&str]) -> Tested<Value> {
    Ok(serde_json::from_str(&desk(switch, &[more, &["--json"]].concat())?)?)
}

/// A decision that is refused; why.
fn refused(switch: &Switch, more: &[&str]) -> Tested<String> {
    let output = run(&[&["desk", "--admin", &switch.admin.to_string()], more].concat())?;
    assert_eq!(output.status.code(), Some(1), "{more:?} was not refused");
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn what_is_in_doubt_is_listed_decided_and_journaled() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(HASTY, "warn")?;
    assert_eq!(desk_json(&switch, &[])?["items"], serde_json::json!([]));
    stage.tell("silent on")?;
    assert_eq!(buy(&mut shop, 0)?, "68");
    let seen = desk_json(&switch, &["--bank", "river"])?;
    let item = &seen["items"][0];
    assert_eq!((&seen["banks"][0]["unknown"], &item["bank"]), (&1.into(), &"river".into()));
    let card = item["card"].as_str().ok_or("no card")?;
    assert!(card.contains("******"), "{card} is not masked");
    let no = item["item"].to_string();
    let table = desk(&switch, &[])?;
    assert!(table.contains("river: 1 owed, 1 unknown, 0 dead letters"), "{table}");
    assert!(table.lines().any(|line| line.starts_with(&no) && line.contains(card)), "{table}");

    let said = refused(&switch, &["--bank", "lake"])?;
    assert!(said.contains("no bank has this name; there are: river, mountain"), "{said}");
    let said = refused(&switch, &["--bank", "river", "late"])?;
    assert!(said.contains("--bank and --after choose among the items listed"), "{said}");
    let journal = stage.journal().display().to_string();
    let key = format!("file:{}/journal-key.hex", stage.folder().display());
    let missed = [("dump", "nothing has this bank; there are: river"), ("totals", "a bank")];
    for (command, told) in missed {
        let found = run(&["journal", command, &journal, "--key", &key, "--bank", "lake"])?;
        let said = String::from_utf8(found.stderr)?;
        assert!(said.contains(told), "{command}: {said}");
        assert_eq!((found.status.code(), found.stdout.len()), (Some(0), 0), "nothing was found");
    }

    let by = ["--operator", "anna"];
    let said = refused(&switch, &[&["resend", "99999"][..], &by].concat())?;
    assert!(said.contains("nothing is open") && said.contains("allowed: nothing"), "{said}");
    let said = refused(&switch, &[&["give-up", &no, "--reason", " "][..], &by].concat())?;
    assert!(said.contains("giving up needs a reason") && said.contains("state: "), "{said}");
    let card_like = ["give-up", &no, "--reason", "card 4111 1111 1111 1111"];
    let said = refused(&switch, &[&card_like[..], &by].concat())?;
    assert!(said.contains("looks like a card number"), "{said}");
    desk(&switch, &[&["give-up", &no, "--reason", "booked by hand"][..], &by].concat())?;
    assert_eq!(desk_json(&switch, &[])?["items"], serde_json::json!([]));
    let said = refused(&switch, &[&["resend", &no][..], &by].concat())?;
    assert!(said.contains("nothing is open"), "{said}");
    let journal = stage.ask_journal("dump", &["--where", "operator=anna"])?;
    assert!(journal.contains("booked by hand"), "{journal}");
    assert_eq!(journal.lines().count(), 1, "refused decisions are not journaled: {journal}");

    stage.tell("heal")?;
    stage.tell_one(&stage.river, "late 1200 1")?;
    assert_eq!(buy(&mut shop, 1)?, "68");
    wait_until("the late answer is in the inbox", SOON, || {
        let late = desk_json(&switch, &["late"])?;
        let notes = late["late"].as_array().cloned().unwrap_or_default();
        Ok(notes.iter().any(|note| note["kind"] == "late" && note["bank"] == "river"))
    })?;
    switch.owes_nothing("river")?;
    let violations = switch.metric("pointsman_audit_violations_total", "")?;
    assert_eq!(violations, 0.0, "{}", switch.logged());
    assert_eq!(switch.stop()?, Some(0));
    let money = stage.ask_journal("verify", &["--money"])?;
    assert!(money.contains("0 rules broken") && money.contains("river"), "{money}");
    Ok(())
}

#[test]
fn a_configured_token_is_asked_for_and_browsers_are_turned_away() -> Tested {
    let stage = Stage::new(HASTY)?;
    let address = "address = \"127.0.0.1:0\"";
    stage.edit(address, &format!("{address}\ntoken = \"file:operators.token\""))?;
    let token = stage.folder().join("operators.token");
    std::fs::write(&token, "short\n")?;
    let config = stage.config().display().to_string();
    let said = run(&["check", &config])?;
    let said = String::from_utf8(said.stderr)?;
    assert!(said.contains("admin.token: file:operators.token: expected at least 16"), "{said}");
    std::fs::write(&token, "correct-horse-battery\n")?;
    let switch = stage.start_alone("warn")?;
    assert!(switch.page("/ready")?.starts_with("HTTP/1.1 200"));
    assert!(switch.page("/desk")?.starts_with("HTTP/1.1 401"));
    assert!(refused(&switch, &[])?.contains("Authorization: Bearer"));
    let admin = switch.admin.to_string();
    let seen = run_well(&["desk", &config, "--admin", &admin, "--json"])?;
    assert!(seen.contains("\"items\""), "{seen}");
    let asked = run(&["desk", &config])?;
    let said = String::from_utf8(asked.stderr)?;
    assert!(said.contains("give --admin HOST:PORT"), "{said}");
    Ok(())
}

#[test]
fn a_bank_is_signed_off_over_a_restart_and_on_again() -> Tested {
    let (stage, switch, mut shop) = Stage::opened(HASTY, "warn")?;
    let bank = |switch: &Switch, more: &[&str]| {
        run(&[&["bank", "--admin", &switch.admin.to_string()], more].concat())
    };
    let off = ["sign-off", "river", "--operator", "anna", "--reason", "works on the line"];
    assert!(bank(&switch, &off)?.status.success());
    assert_eq!(buy(&mut shop, 0)?, "91");
    let said = String::from_utf8(bank(&switch, &off)?.stderr)?;
    assert!(said.contains("it is so already"), "{said}");

    shop.hang_up();
    assert_eq!(switch.stop()?, Some(0));
    // It waits for both banks otherwise, and one stays signed off.
    let switch = stage.start_alone("warn")?;
    shop.call(switch.door)?;
    assert_eq!(buy(&mut shop, 1)?, "91");
    let on = ["sign-on", "river", "--operator", "anna"];
    assert!(bank(&switch, &on)?.status.success());
    let mut which = 2;
    wait_until("river is asked again", SOON, || {
        which += 1;
        Ok(buy(&mut shop, which)? == "00")
    })?;
    let journal = stage.ask_journal("dump", &["--where", "operator=anna"])?;
    assert!(journal.contains("works on the line"), "{journal}");
    assert_eq!(switch.stop()?, Some(0));
    Ok(())
}
