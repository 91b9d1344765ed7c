//! A start that must fail: exit code 1, and on standard error the file, the key and the reason,
//! everything at once.

use crate::binary::Switch;
use crate::stage::{CALM, Stage};
use crate::{Tested, binary, wait_until};
use std::fs;
use std::net::TcpListener;

/// What `serve` and, where it can know, `check` say about the stage's configuration.
fn refused(stage: &Stage, command: &str) -> Tested<String> {
    let config = stage.config();
    let config = config.to_str().ok_or("a folder without a name")?;
    let output = binary::run(&[command, config])?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{command}: {said}");
    assert!(said.contains("pointsman.toml"), "{command} does not name the file: {said}");
    Ok(said)
}

fn names(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "nothing about {part} in: {said}");
    }
}

#[test]
fn every_error_of_a_configuration_is_said_at_once() -> Tested {
    let stage = Stage::new(CALM)?;
    stage.edit("margin_ms = 300", "margin_ms = 300\ncolour = \"green\"")?;
    stage.edit("\"unionpay-pos\"", "\"unionpay-poz\"")?;
    stage.edit("bank = \"river\"", "bank = \"lake\"")?;
    for command in ["serve", "check"] {
        let said = refused(&stage, command)?;
        names(&said, &["colour", "unionpay-poz", "lake", "line "]);
    }
    Ok(())
}

#[test]
fn a_port_in_use_is_named() -> Tested {
    let stage = Stage::new(CALM)?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    stage.edit("listen = \"127.0.0.1:0\"", &format!("listen = \"{address}\""))?;
    names(&refused(&stage, "serve")?, &["platform.shop.listen", &address]);
    Ok(())
}

#[test]
fn the_admin_port_in_use_is_named() -> Tested {
    let stage = Stage::new(CALM)?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    stage.edit("address = \"127.0.0.1:0\"", &format!("address = \"{address}\""))?;
    names(&refused(&stage, "serve")?, &["admin.address", &address]);
    Ok(())
}

#[test]
fn a_key_that_is_not_there_is_named_without_its_value() -> Tested {
    let stage = Stage::new(CALM)?;
    fs::remove_file(stage.folder().join("mak.hex"))?;
    names(&refused(&stage, "serve")?, &["mountain", "mac_key", "mak.hex"]);
    fs::write(stage.folder().join("mak.hex"), "0123456789ABCDEFFEDCBA98765432zz")?;
    let said = refused(&stage, "serve")?;
    names(&said, &["mountain", "mac_key", "mak.hex"]);
    assert!(!said.contains("0123456789ABCDEF"), "{said}");
    Ok(())
}

#[test]
fn a_journal_that_cannot_be_is_named() -> Tested {
    let stage = Stage::new(CALM)?;
    fs::write(stage.journal(), "a file where the folder should be")?;
    names(&refused(&stage, "serve")?, &["journal: "]);
    Ok(())
}

#[test]
fn a_damaged_journal_is_refused_and_not_touched() -> Tested {
    let stage = Stage::new(CALM)?;
    let mut shops = Vec::new();
    for _ in 0..2 {
        // The second start seals what the first one wrote.
        let (switch, mut shop) = stage.open("warn")?;
        for asked in crate::frames::requests()?.iter().take(10) {
            shop.ask_and_wait(asked)?;
        }
        assert_eq!(switch.stop()?, Some(0));
        shops.push(shop);
    }
    let mut segments = Vec::new();
    for entry in fs::read_dir(stage.journal())? {
        let entry = entry?;
        if entry.metadata()?.len() >= 131_072 {
            segments.push(entry.path());
        }
    }
    segments.sort();
    let oldest = segments.first().ok_or("no segment")?;
    let mut bytes = fs::read(oldest)?;
    // In the middle of what is written.
    let end = bytes.iter().rposition(|byte| *byte != 0).ok_or("an empty segment")?;
    bytes[end / 2] ^= 0x10;
    fs::write(oldest, &bytes)?;
    let file = oldest.file_name().and_then(|name| name.to_str()).ok_or("no name")?;
    let why = [file, "damaged at byte", "(row ", "pointsman serve CONFIG --accept-loss"];
    names(&refused(&stage, "serve")?, &why);
    assert!(fs::read(oldest)? == bytes, "a damaged segment was changed");
    let folder = stage.journal().display().to_string();
    let output = binary::run(&["journal", "verify", &folder])?;
    assert_eq!(output.status.code(), Some(1));
    // An operator decides; the start after that is an ordinary one.
    let accepting = [["--accept-loss=anna: the disk is gone", "--log=warn"], ["--log", "warn"]];
    for (nth, options) in accepting.iter().enumerate() {
        let switch = Switch::start_with(&stage.config(), &format!("accepted-{nth}"), options)?;
        let said_so = switch.logged().contains("records are lost to damage");
        assert_eq!(said_so, nth == 0, "{}", switch.logged());
        let up = || Ok(switch.metric("pointsman_link_up", "river")? > 0.0);
        wait_until("river is up", crate::SOON, up)?;
        let mut shop = crate::shop::Shop::new(crate::SOON);
        shop.call(switch.door)?;
        let requests = crate::frames::requests()?;
        let fresh = requests.iter().skip(20 + 4 * nth).find(|r| r.bank == "river");
        let told = shop.ask_and_wait(fresh.ok_or("no request left")?)?;
        assert_eq!(told.code(), "00", "{}", switch.logged());
        if nth == 1 {
            // What is asked about the lost records is answered, and ends nothing.
            let old = shops.first_mut().ok_or("nobody asked before")?;
            old.call(switch.door)?;
            let rows = old.ledger().len();
            for row in 0..rows {
                old.ask_again(row, true);
            }
            let heard =
                |shop: &crate::shop::Shop| shop.ledger().iter().all(|request| request.answers > 1);
            old.turn_until("an answer to each repeat", heard)?;
        }
        assert_eq!(switch.stop()?, Some(0));
    }
    let output = binary::run(&["journal", "verify", &folder])?;
    let said = String::from_utf8_lossy(&output.stdout);
    for part in ["by anna, ", "accepted, still there: ", " 0 places damaged"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    Ok(())
}
