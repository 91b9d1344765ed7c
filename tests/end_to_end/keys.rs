//! Working keys: every sign-in of a terminal brings new ones, and the bank takes no message
//! without a right MAC.

use crate::frames;
use crate::stage::{CALM, Stage};
use crate::{SOON, Tested, wait_until};

#[test]
fn sign_ins_bring_the_keys_and_wrong_ones_stop_the_traffic() -> Tested {
    let stage = Stage::with_sign_in_keys(CALM)?;
    let (switch, mut shop) = stage.open("warn")?;
    let requests = frames::requests()?;
    let mut asked = requests.iter().filter(|r| r.bank == "mountain" && r.kind == "purchase");
    let mut next = || asked.next().ok_or("too few requests");
    assert_eq!(shop.ask_and_wait(next()?)?.code(), "00");

    // Twice a wrong check value: no traffic until the third sign-in brings right keys.
    stage.mountain.command(&"wrong-keys 2".parse()?);
    stage.mountain.command(&"disconnect".parse()?);
    let refused = || switch.metric("pointsman_keys_refused_total", "mountain-1");
    wait_until("wrong keys are noticed", SOON, || Ok(refused()? >= 2.0))?;
    wait_until("the line is up again", SOON, || {
        Ok(switch.metric("pointsman_link_up", "mountain-1")? == 1.0)
    })?;
    assert_eq!(shop.ask_and_wait(next()?)?.code(), "00");
    assert_eq!(stage.mountain.counts().wrong_macs, 0);
    Ok(())
}

#[test]
fn an_answer_under_the_old_key_is_believed_after_new_keys_came() -> Tested {
    let stage = Stage::with_sign_in_keys(CALM)?;
    let (_switch, mut shop) = stage.open("warn")?;
    let requests = frames::requests()?;
    let asked = requests.iter().find(|r| r.bank == "mountain" && r.kind == "purchase");
    let asked = asked.ok_or("no request")?;
    stage.mountain.command(&"late 1500 1".parse()?);
    let row = shop.ask(asked)?;
    wait_until("the bank has it", SOON, || Ok(stage.entries_of(&asked.rrn).len() == 1))?;
    let before = stage.mountain.counts().sign_ons;
    stage.mountain.command(&"disconnect".parse()?);
    wait_until("new keys", SOON, || Ok(stage.mountain.counts().sign_ons > before))?;
    shop.answer_to(row)?;
    assert_eq!(shop.row(row).code.as_deref(), Some("00"));
    assert_eq!(stage.entries_of(&asked.rrn).len(), 1, "nothing was taken back");
    Ok(())
}
