//! Messages that a foreign implementation made (`specs/vectors/make_messages.py`) decode to the
//! values it was given, and encode to the bytes it wrote, through the message and through JSON.
//!
//! Contract: every line of `specs/vectors/messages.jsonl`. Deliberately absent: messages made by
//! ourselves – those are the properties of the room.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use pointsman::iso8583::{Dialect, Message, from_json, pack, parse_hex, shipped, to_json, unpack};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The value as the vectors spell it: text, or hex for bytes.
fn spelled(dialect: &Dialect, msg: &Message, de: u8) -> String {
    let value = msg.get(de).unwrap();
    match dialect.field(de).unwrap().class().is_binary() {
        true => value.iter().map(|b| format!("{b:02X}")).collect(),
        false => String::from_utf8(value.to_vec()).unwrap(),
    }
}

#[test]
fn foreign_messages_decode_as_meant_and_encode_to_the_same_bytes() {
    let mut dialects = BTreeMap::new();
    let lines = include_str!("../specs/vectors/messages.jsonl");
    let (mut count, mut msg, mut headers) = (0, Message::new(), BTreeMap::new());
    for line in lines.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let name = vector["dialect"].as_str().unwrap();
        let dialect = dialects
            .entry(name.to_owned())
            .or_insert_with(|| Dialect::compile(name, &|n| shipped(n).map(str::to_owned)).unwrap());
        let frame = parse_hex(vector["hex"].as_str().unwrap()).unwrap();
        let done = unpack(dialect, &frame, &mut msg);
        assert_eq!(done.map_err(|e| e.to_string()), Ok(()), "{line}");
        assert_eq!(msg.mti().as_str(), vector["mti"].as_str().unwrap());
        let header = vector["header"].as_str().map(|hex| parse_hex(hex).unwrap());
        assert_eq!(msg.header(), header.as_deref(), "{line}");
        *headers.entry(name.to_owned()).or_insert(0) += usize::from(header.is_some());
        let expected = vector["fields"].as_object().unwrap();
        let there: BTreeSet<u8> = msg.fields().collect();
        assert_eq!(there, expected.keys().map(|k| k.parse().unwrap()).collect(), "{line}");
        for (de, value) in expected {
            let got = spelled(dialect, &msg, de.parse().unwrap());
            assert_eq!(got, value.as_str().unwrap(), "{name} F{de}");
        }
        let through_json = from_json(dialect, &to_json(dialect, &msg, true)).unwrap();
        for source in [&msg, &through_json] {
            let mut out = Vec::new();
            pack(dialect, source, &mut out).unwrap();
            assert_eq!(out, frame, "{line}");
        }
        count += 1;
    }
    for name in ["iso8583-1987-base1", "unionpay-interbank"] {
        assert!(headers.get(name).is_some_and(|seen| *seen >= 20), "{name}: {headers:?}");
    }
    assert!(count >= 200 && dialects.len() >= 4, "{count} messages, {} dialects", dialects.len());
}
