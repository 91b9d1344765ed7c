//! Tests of the room as a whole: shipped dialects, the published sample, round trips.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use std::collections::BTreeMap;

/// A shipped dialect.
fn shipped_dialect(name: &str) -> Dialect {
    Dialect::compile(name, &|n| shipped(n).map(str::to_owned)).unwrap()
}

/// A dialect from one text, extending the shipped ones.
fn from_text(text: &str) -> Result<Dialect, Vec<DialectError>> {
    Dialect::compile("test.toml", &|n| match n {
        "test.toml" => Some(text.to_owned()),
        n => shipped(n).map(str::to_owned),
    })
}

/// The MAC sample of a UnionPay terminal, completed with its field 64.
const SAMPLE: &str = "\
    08300000000002C0001530303637303034363432383937333330313739333233303032001100000001372002\
    77319F0605A0000003339F220103DF050832303234313233319F0605A0000003339F220104DF050832303234\
    313233319F0605A0000003339F220102DF050832303231313233319F0605A0000000039F220107DF05083230\
    3137313233319F0605A0000000039F220108DF050832303233313233319F0605A0000000039F220109DF0508\
    32303233313233319F0605A0000000659F220110DF050832303232313233319F0605A0000000659F220112DF\
    050832303232313233319F0605A0000000659F220114DF050832303232313233319F0605A0000000049F2201\
    04DF050832303137313233319F0605A0000000049F220105DF050832303231313233319F0605A0000000049F\
    220106DF050832303231313233313546453035384442";

#[test]
fn every_shipped_dialect_compiles() {
    for name in shipped_names() {
        let compiled = Dialect::compile(name, &|n| shipped(n).map(str::to_owned));
        let errors = compiled
            .map(|_| ())
            .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        assert_eq!(errors, Ok(()), "{name}");
    }
}

#[test]
fn the_published_sample_decodes_and_encodes_back() {
    let dialect = shipped_dialect("unionpay-pos");
    let frame = parse_hex(SAMPLE).unwrap();
    let mut msg = Message::new();
    unpack(&dialect, &frame, &mut msg).map_err(|e| e.to_string()).unwrap();
    assert_eq!(msg.mti().to_string(), "0830");
    assert_eq!(msg.get(64), Some(&b"5FE058DB"[..]));
    assert_eq!(msg.header(), None);
    assert_eq!(dialect.subfield(&msg, 60, "network").as_deref(), Some(&b"372"[..]));
    let json = to_json(&dialect, &msg, true);
    assert_eq!(json["header"], serde_json::Value::Null);
    assert_eq!(json["fields"]["64"], "3546453035384442");
    let again = from_json(&dialect, &json).unwrap();
    let mut out = Vec::new();
    let packed = pack(&dialect, &again, &mut out).unwrap();
    assert_eq!(out, frame);
    assert_eq!((packed.last, packed.last_start), (64, frame.len() - 8));
}

#[test]
fn tpdu_and_header_may_stand_before_a_unionpay_message() {
    let dialect = shipped_dialect("unionpay-pos");
    let bare = parse_hex(SAMPLE).unwrap();
    for before in ["600003000060220000000000", "602200000000", "6000030000602200000000"] {
        let before = parse_hex(before).unwrap();
        let mut frame = before.clone();
        frame.extend_from_slice(&bare);
        let mut msg = Message::new();
        let done = unpack(&dialect, &frame, &mut msg);
        if before.len() == 12 {
            assert!(done.is_err(), "a header of the wrong length was accepted");
            continue;
        }
        assert_eq!(done, Ok(()));
        assert_eq!(msg.header(), Some(&before[..]));
        let parts: BTreeMap<_, _> = dialect.header().unwrap().parts(&before).into_iter().collect();
        assert_eq!(parts["software version"], b"22");
        assert_eq!(parts.contains_key("tpdu"), before.len() == 11);
    }
}

#[test]
fn unionpay_odd_digits_stand_where_the_terminal_expects_them() {
    let dialect = shipped_dialect("unionpay-pos");
    let mut msg = Message::new();
    msg.set_mti("0200".parse().unwrap());
    msg.set(22, b"021").unwrap();
    msg.set(23, b"001").unwrap();
    msg.set(35, b"6250946000000016=30122").unwrap();
    msg.set(60, b"22000001").unwrap();
    let mut out = Vec::new();
    pack(&dialect, &msg, &mut out).unwrap();
    let expected = "02000000060020000010\
        0210\
        0001\
        22 6250946000000016D30122\
        0008 22000001";
    assert_eq!(out, parse_hex(&expected.replace(' ', "")).unwrap());
    msg.set(35, b"6250946000000016D3012201").unwrap();
    msg.set(32, b"123").unwrap();
    out.clear();
    pack(&dialect, &msg, &mut out).unwrap();
    let text = out.iter().map(|b| format!("{b:02X}")).collect::<String>();
    assert!(text.contains("03123024"), "trailing zero nibble, length in digits: {text}");
}

#[test]
fn a_bad_dialect_tells_every_error_with_file_line_and_key() {
    let text = "extends = \"iso8583-1987-bcd\"\nversoin = 1\n[fields]\n4 = { format = \"q12\" }\n\
        35 = { format = \"z.137\" }\n[fields.48]\npad = \"middle\"\n";
    let errors = from_text(text).map(|_| ()).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    for start in [
        "test.toml:4: fields.4.format:",
        "test.toml:5: fields.35.format:",
        "test.toml:7: fields.48.pad:",
        "test.toml:2: versoin: unknown key",
    ] {
        assert!(told.iter().any(|t| t.starts_with(start)), "{start} is not in {told:#?}");
    }
}

#[test]
fn extending_in_a_circle_or_from_nowhere_is_refused() {
    let told = from_text("extends = \"test.toml\"").map(|_| ()).unwrap_err();
    assert!(told[0].reason.contains("extends itself"), "{told:?}");
    let told = from_text("extends = \"nowhere\"").map(|_| ()).unwrap_err();
    assert!(told[0].reason.contains("no dialect named `nowhere`"), "{told:?}");
}
