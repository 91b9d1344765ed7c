//! Imported packagers and specifications become dialects that read and write the messages that a
//! foreign implementation made of the same descriptions (`specs/vectors/imports`).
//!
//! Contract: every file there imports, compiles and names what it could not express; every message
//! decodes to the values it was made of, parts included, and encodes to the same bytes.
//! Deliberately absent: the scheme of class names – that is the room's own test.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use pointsman::imports::{Imported, jpos, moov};
use pointsman::iso8583::{Dialect, Message, from_json, pack, parse_hex, shipped, to_json, unpack};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn import(name: &str) -> Imported {
    let path = format!("{}/specs/vectors/imports/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap();
    let done = if name.ends_with(".xml") { jpos(name, &bytes) } else { moov(name, &bytes) };
    done.map_err(|e| e.to_string()).unwrap()
}

fn compiled(name: &str) -> Dialect {
    let text = import(name).text;
    let source = |wanted: &str| match wanted == name {
        true => Some(text.clone()),
        false => shipped(wanted).map(str::to_owned),
    };
    let dialect = Dialect::compile(name, &source);
    dialect.map_err(|errors| format!("{text}\n{errors:?}")).unwrap()
}

fn spelled(binary: bool, value: &[u8]) -> String {
    match binary {
        true => value.iter().map(|b| format!("{b:02X}")).collect(),
        false => String::from_utf8(value.to_vec()).unwrap(),
    }
}

/// A part as the vectors spell it: hex where the part is bytes, else text.
fn part(dialect: &Dialect, msg: &Message, path: &str, like: &str) -> String {
    let (de, inner) = path.split_once('.').unwrap();
    let value = dialect.subfield(msg, de.parse().unwrap(), inner);
    assert!(value.is_some(), "{path} is not there");
    let value = value.unwrap();
    let as_text = spelled(std::str::from_utf8(&value).is_err(), &value);
    if as_text == like { as_text } else { spelled(true, &value) }
}

#[test]
fn foreign_messages_go_through_imported_dialects_unchanged() {
    let mut dialects = BTreeMap::new();
    let lines = include_str!("../specs/vectors/imports/messages.jsonl");
    let mut msg = Message::new();
    for line in lines.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let name = vector["file"].as_str().unwrap();
        let dialect = dialects.entry(name.to_owned()).or_insert_with(|| compiled(name));
        let frame = parse_hex(vector["hex"].as_str().unwrap()).unwrap();
        let done = unpack(dialect, &frame, &mut msg);
        assert_eq!(done.map_err(|e| e.to_string()), Ok(()), "{line}");
        assert_eq!(msg.mti().as_str(), vector["mti"].as_str().unwrap());
        let expected = vector["fields"].as_object().unwrap();
        let there: BTreeSet<u8> = msg.fields().collect();
        assert_eq!(there, expected.keys().map(|k| k.parse().unwrap()).collect(), "{line}");
        for (de, value) in expected {
            let de = de.parse().unwrap();
            let binary = dialect.field(de).unwrap().class().is_binary();
            assert_eq!(
                spelled(binary, msg.get(de).unwrap()),
                value.as_str().unwrap(),
                "{name} F{de}"
            );
        }
        for (path, value) in vector["parts"].as_object().unwrap() {
            let like = value.as_str().unwrap();
            assert_eq!(part(dialect, &msg, path, like), like, "{name} {path}");
        }
        let through_json = from_json(dialect, &to_json(dialect, &msg, true)).unwrap();
        for source in [&msg, &through_json] {
            let mut out = Vec::new();
            pack(dialect, source, &mut out).unwrap();
            assert_eq!(spelled(true, &out), spelled(true, &frame), "{line}");
        }
    }
    assert_eq!(dialects.len(), 6);
}

#[test]
fn what_cannot_be_expressed_is_said_with_its_place() {
    let said = |name: &str| -> Vec<String> {
        import(name).remarks.iter().map(ToString::to_string).collect()
    };
    let has = |all: &[String], start: &str, word: &str| {
        assert!(all.iter().any(|r| r.starts_with(start) && r.contains(word)), "{start}: {all:#?}");
    };
    let acquirer = said("acquirer.xml");
    has(&acquirer, "acquirer.xml:38: field 60: (IFA_FLLCHAR)", "always 20 bytes");
    has(&acquirer, "acquirer.xml:39: field 61: class IF_TBASE", "left out");
    let host = said("host.json");
    has(&host, "host.json:59: field 63: ", "Klingon");
    let mainframe = said("mainframe.xml");
    has(&mainframe, "mainframe.xml: has not the fields that [messages] and", "no line can use it");
    // What is said is also a comment in the text, above the line it is about.
    let text = import("acquirer.xml").text;
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|l| l.starts_with("# check: line 38: 60 ")).unwrap();
    assert!(lines[at + 1].starts_with("60 = { name = \"Filled\""), "{}", lines[at + 1]);
}

#[test]
fn imported_dialects_carry_payments_where_their_fields_allow() {
    for (name, usable) in [
        ("acquirer.xml", true),
        ("host.xml", true),
        ("acquirer.json", true),
        ("host.json", true),
        ("mainframe.xml", false),
        // It has no original data: a reversal would not say what it reverses.
        ("mainframe.json", false),
    ] {
        let dialect = compiled(name);
        assert_eq!(dialect.rules().translates(), usable, "{name}");
        assert_eq!(dialect.rules().reversal().is_some(), usable, "{name}");
    }
}
