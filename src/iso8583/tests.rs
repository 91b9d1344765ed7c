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
fn line_information_may_stand_between_tpdu_and_header() {
    let dialect = shipped_dialect("unionpay-pos");
    let bare = parse_hex(SAMPLE).unwrap();
    let lri = format!("4C5249001C{}", "31".repeat(28));
    for (tpdu, header) in [("6000030000", "602200000000"), ("", "602200000000"), ("6000030000", "")]
    {
        let before = parse_hex(&format!("{tpdu}{lri}{header}")).unwrap();
        let frame = [before.clone(), bare.clone()].concat();
        let mut msg = Message::new();
        assert_eq!(unpack(&dialect, &frame, &mut msg), Ok(()), "{tpdu} {header}");
        assert_eq!(msg.header(), Some(&before[..]));
        let known = dialect.header().unwrap();
        assert_eq!(known.tpdu_len(&before), tpdu.len() / 2);
        let parts: BTreeMap<_, _> = known.parts(&before).into_iter().collect();
        assert_eq!(parts["lri"].len(), 33, "{parts:?}");
        assert_eq!(parts.contains_key("tpdu"), !tpdu.is_empty());
        assert_eq!(parts.contains_key("software version"), !header.is_empty());
        // Cut within the line information.
        assert!(unpack(&dialect, &frame[..tpdu.len() / 2 + 20], &mut msg).is_err());
    }
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

/// A small dialect for faults: what goes wrong is in the bytes alone.
const FAULTS: &str = r#"
show = [3, 4, 32, 48]
[fields]
2 = { name = "pan", format = "n..19", secret = "pan" }
3 = { name = "code", format = "n6" }
4 = { name = "amount", format = "n12", encoding = "bcd" }
32 = { name = "acquirer", format = "n..11", encoding = "bcd", length = "bcd", pad = "right" }
48 = { name = "data", format = "ans...20" }
[fields.55]
name = "icc"
format = "b...99"
[fields.55.inside]
kind = "ber-tlv"
unknown = "reject"
repeats = false
[fields.55.inside.tags]
9F02 = "n12"
82 = { name = "aip", format = "b16" }
70 = { format = "b..50", inside = { kind = "ber-tlv", tags = { 9F36 = "b16" } } }
"#;

/// What unpacking says: path, offset, expected, got, cause.
fn told(hex: &str) -> String {
    let dialect = from_text(FAULTS).unwrap();
    let mut msg = Message::new();
    let frame = parse_hex(&hex.replace(' ', "")).unwrap();
    unpack(&dialect, &frame, &mut msg).map_or_else(|e| e.to_string(), |()| "accepted".to_owned())
}

#[test]
fn every_fault_says_where_what_and_perhaps_why() {
    let mti = "30323030";
    let cases = [
        ("0200", "MTI at byte 0: expected 4 bytes, got 2, then the end"),
        ("02003020", "(perhaps the MTI looks BCD)"),
        ("30323030 8000000000000000 00", "bitmap at byte 12: expected 8 bytes, got 1"),
        (
            "30323030 2000000000000000 3030",
            "DE 3 (code) at byte 12: expected 6 bytes, got 2, then the end",
        ),
        (
            "30323030 2000000000000000 30303030303A",
            "DE 3 (code) at byte 17: expected a decimal digit, got byte 3A",
        ),
        ("30323030 2000000000000000 000000000000", "(perhaps value looks BCD)"),
        ("30323030 2000000000000000 F0F0F0F0F0F0", "(perhaps value looks EBCDIC)"),
        ("30323030 1000000000000000 303030303030", "accepted"),
        (
            "30323030 1000000000000000 3030303030FA",
            "DE 4 (amount) at byte 17: expected a decimal digit",
        ),
        ("30323030 4000000000000000 1641111111", "(perhaps length looks BCD)"),
        (
            "30323030 4000000000000000 3939",
            "DE 2 (pan) at byte 12: expected at most 19 digits, got 99",
        ),
        ("30323030 4000000000000000 3034 34313141", "(hidden: the field is secret)"),
        (
            "30323030 0000000100000000 03 1231",
            "DE 32 (acquirer) at byte 14: expected pad nibble 0 on the right",
        ),
        ("30323030 0000000100000000 3033 313233", "(perhaps length looks ASCII)"),
        (
            "30323030 0000000000010000 303235",
            "DE 48 (data) at byte 12: expected at most 20 characters, got 25",
        ),
        ("30323030 0000000000000001 00", "DE 64 at byte 12: expected what the dialect defines"),
        (
            "30323030 2000000000000000 303030303030 41",
            "end at byte 18: expected the end, got 1 more",
        ),
        (
            "30323030 0000000000000200 303034 9F020100",
            "DE 55.9F02 at byte 18: expected at least 12",
        ),
        (
            "30323030 0000000000000200 303033 8202AA",
            "DE 55.82 (aip) at byte 17: expected 2 bytes, got 1",
        ),
        (
            "30323030 0000000000000200 303032 8400",
            "DE 55.84 at byte 15: expected what the dialect defines",
        ),
        (
            "30323030 0000000000000200 303038 8202AAAA8202AAAA",
            "DE 55.82 (aip) at byte 19: expected each tag",
        ),
        (
            "30323030 0000000000000200 303036 70049F3601AA",
            "DE 55.70.9F36 at byte 20: expected at least 2",
        ),
    ];
    for (hex, said) in cases {
        let told = told(hex);
        assert!(told.contains(said), "{hex}: {told}\n  does not say: {said}");
    }
    assert_eq!(told(mti).matches("bitmap at byte 4").count(), 1);
}

#[test]
fn a_fault_is_shown_with_what_came_before_it_and_a_caret() {
    let dialect = from_text(FAULTS).unwrap();
    let frame =
        parse_hex("303230306000000000000000313634313131313131313131313131313131303030303041")
            .unwrap();
    let mut msg = Message::new();
    let error = unpack(&dialect, &frame, &mut msg).unwrap_err();
    let shown = describe_error(&dialect, &msg, &frame, &error, false);
    let expected = "\
test.toml
    0                                      MTI  financial                      0200
   12  ********************************…     2  pan                            411111******1111

at 27    ** ** ** 30 30 30 30 30 41 \n                                 ^ DE 3 (code) at byte 35
expected  a decimal digit
got       byte 41
perhaps   a field before has another length
";
    assert_eq!(shown, expected);
    assert!(!shown.contains("34313131"), "the card number stands in hex:\n{shown}");
}

#[test]
fn a_dialect_prints_its_page() {
    let page = page(&shipped_dialect("unionpay-pos"));
    for line in [
        "| 22 | pos entry mode | `n3` | bcd | fixed | 0 right | yes |",
        "| 35 | track 2 | `z..37` | bcd | bcd, 1 byte(s), counts digits | 0 right | track |",
        "| 60.· | batch | `n6` | ascii | fixed |  | yes |",
        "| 55.9F02 | amount, authorised | `n12` | bcd | the rest | 0 left | yes |",
    ] {
        assert!(page.contains(line), "{line}\nis not in\n{page}");
    }
}
