//! Frames against frames made elsewhere, against any chunking, and against hostile bytes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use proptest::prelude::*;

/// The bodies of a stream, and what was left over.
type Received = (Vec<Vec<u8>>, Vec<u8>);

/// Splits a whole stream that arrives in `chunks`.
fn bodies(framing: &Framing, chunks: &[&[u8]]) -> Result<Received, FrameError> {
    let (mut buf, mut found) = (Vec::new(), Vec::new());
    for chunk in chunks {
        buf.extend_from_slice(chunk);
        loop {
            let taken = match framing.split(&buf)? {
                Split::More { at_least } => {
                    assert!(at_least > buf.len(), "asks for what it has");
                    assert!(at_least <= framing.frame_max(), "asks for more than it may");
                    break;
                }
                Split::KeepAlive { taken } => taken,
                Split::Frame { taken, body, .. } => {
                    found.push(buf[body].to_vec());
                    taken
                }
            };
            buf.drain(..taken);
        }
    }
    Ok((found, buf))
}

fn framed(framing: &Framing, body: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut out = Vec::new();
    let mark = framing.begin(&mut out, None);
    out.extend_from_slice(body);
    framing.finish(&mut out, mark).map(|()| out)
}

fn refused(framing: &Framing, bytes: &[u8]) -> String {
    framing.split(bytes).map_err(|error| error.to_string()).unwrap_err()
}

fn inline(table: &str) -> Result<Framing, String> {
    #[derive(serde::Deserialize)]
    struct Line {
        framing: Framing,
    }
    let line: Result<Line, _> = toml::from_str(table);
    line.map(|line| line.framing).map_err(|error| error.message().to_owned())
}

#[test]
fn frames_made_elsewhere_split_and_are_written_alike() {
    let lines = include_str!("../../specs/vectors/framings.jsonl").lines();
    let mut seen = std::collections::BTreeSet::new();
    for line in lines {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let bytes = |key: &str| line[key].as_str().map(|text| crate::hex::parse(text).unwrap());
        let framing = Framing::named(line["framing"].as_str().unwrap()).unwrap();
        let (body, frame) = (bytes("body").unwrap(), bytes("frame").unwrap());
        let tpdu = bytes("tpdu").map(|tpdu| <[u8; 5]>::try_from(tpdu).unwrap());
        let mut out = b"before".to_vec();
        let mark = framing.begin(&mut out, tpdu);
        out.extend_from_slice(&body);
        framing.finish(&mut out, mark).unwrap();
        assert_eq!(out[6..], frame, "{}", line["framing"]);
        let split = framing.split(&frame).unwrap();
        let whole = match split {
            Split::Frame { taken, tpdu, body } => Some((taken, tpdu, &frame[body])),
            _ => None,
        };
        assert_eq!(whole, Some((frame.len(), tpdu, &body[..])));
        seen.insert(line["framing"].to_string());
    }
    assert_eq!(seen.len(), presets::NAMES.len(), "a preset without frames made elsewhere");
}

#[test]
fn configuration_names_a_preset_starts_from_one_or_spells_it_out() {
    assert_eq!(inline("framing = '4-ascii'").as_ref(), Ok(&Framing::named("4-ascii").unwrap()));
    let small = inline("framing = { preset = '4-ascii', max = 100, read_deadline_ms = 500 }");
    let small = small.unwrap();
    assert_eq!((small.max(), small.frame_max(), small.read_deadline_ms()), (100, 104, 500));
    let spelled = inline("framing = { length_bytes = 2, coding = 'big-endian' }");
    assert_eq!(spelled, Ok(Framing::named("2-byte-be").unwrap()));
}

#[test]
fn a_wrong_configuration_is_refused_with_its_key() {
    let cases = [
        ("'5-byte'", "key `preset`: no framing `5-byte`; known are 2-byte-be,"),
        ("{ preset = '2-byte-be', maximum = 9 }", "unknown field `maximum`"),
        ("{ coding = 'bcd' }", "key `length_bytes`: missing"),
        ("{ length_bytes = 9 }", "key `length_bytes`: 9, expected 0 to 8"),
        ("{ length_bytes = 0 }", "0 without a `terminator`"),
        ("{ preset = 'etx-terminated', counts_itself = true }", "say nothing"),
        ("{ preset = '2-byte-bcd', max = 10000 }", "the header can express only 9999"),
        ("{ preset = '4-byte-be', max = 10000 }", "key `max`: 10000, expected at most 9999"),
        ("{ length_bytes = 1, max = 256 }", "the header can express only 255"),
        ("{ preset = '4-ascii', min = 0 }", "key `min`: 0, expected 1 to"),
        ("{ preset = '4-ascii', min = 50, max = 40 }", "key `min`: 50, expected 1 to `max` (40)"),
        ("{ preset = '4-ascii', adjust = -2 }", "negative length, or none"),
        ("{ preset = '4-ascii', tpdu = '60000' }", "key `tpdu`: 5 hexadecimal digits"),
        ("{ preset = '4-ascii', tpdu = '0200000000' }", "key `tpdu`: its first byte"),
        ("{ preset = '4-ascii', trailer = 'xx' }", "key `trailer`: character 0"),
        ("{ preset = '4-ascii', text_header = 'é' }", "printable ASCII"),
        ("{ preset = '4-ascii', read_deadline_ms = 0 }", "key `read_deadline_ms`: 0"),
        ("{ preset = 'etx-terminated', trailer = '0003' }", "key `trailer`: it holds"),
        ("{ preset = 'stx-etx-lrc', keep_alive = true }", "key `keep_alive`"),
        ("7", "the name of a framing, or a table"),
    ];
    for (value, expected) in cases {
        let error = inline(&format!("framing = {value}")).unwrap_err();
        assert!(error.contains(expected), "{value}: {error}");
    }
}

#[test]
fn a_length_that_lies_is_refused_before_its_body_arrives() {
    let be = Framing::named("2-byte-be").unwrap();
    assert_eq!(
        refused(&be, &[0xFF, 0xFF]),
        "frame, byte 0: a message of 65535 bytes, expected at most 8192"
    );
    assert!(refused(&be, &[0, 1]).contains("1 bytes, expected at least 2"));
    assert!(refused(&be, &[0, 0]).contains("the length is zero"));
    let inclusive = Framing::named("2-byte-be-inclusive").unwrap();
    assert!(refused(&inclusive, &[0, 1]).contains("the length says 1, less than the header"));
    assert!(refused(&inclusive, &[0, 2]).contains("the length is zero"));
    let ascii = Framing::named("4-ascii").unwrap();
    assert!(refused(&ascii, b"-012").contains("2D in a length header, expected ascii"));
    assert!(refused(&ascii, b"9999").contains("a message of 9999 bytes, expected at most 8192"));
    let tpdu = Framing::named("2-byte-be-tpdu").unwrap();
    assert!(refused(&tpdu, &[0, 4]).contains("a message of -1 bytes, expected at least 2"));
    let wide = inline("framing = { length_bytes = 8, coding = 'bcd' }").unwrap();
    let out_of_step = crate::hex::parse("4111111111111111").unwrap();
    assert!(refused(&wide, &out_of_step).contains("a message of 99999999 bytes"));
}

#[test]
fn what_stands_around_a_body_must_match() {
    let etx = Framing::named("2-byte-be-etx").unwrap();
    assert!(refused(&etx, b"\0\x05abcde").contains("byte 6: 65 in the trailer, expected 03"));
    let lrc = Framing::named("stx-etx-lrc").unwrap();
    assert!(refused(&lrc, b"\x02ab\x03\x55").contains("byte 4: LRC 55, expected 00"));
    let iso = Framing::named("4-ascii-iso").unwrap();
    assert!(iso.split(b"0014ISO01600007702").is_ok());
    assert!(refused(&iso, b"0014IS001600007702").contains("byte 6: 30 in the text header"));
    let tpdu = Framing::named("2-byte-be-tpdu").unwrap();
    let cause = "02 at the beginning of a TPDU, expected 60 to 6F; looks like a message without";
    assert!(refused(&tpdu, &[0, 7, 2, 0, 0x30, 0x20, 5, 0x80, 0x20]).contains(cause));
    let endless = inline("framing = { preset = 'etx-terminated', max = 4 }").unwrap();
    assert!(refused(&endless, b"abcde").contains("no terminator within 5 bytes"));
}

#[test]
fn likely_causes_are_named() {
    let cases: [(&str, &[u8], Cause); 12] = [
        ("4-ascii", b"\x16\x03\x01\x02\x00\x01\x00", Cause::TlsClientHello),
        ("4-ascii", b"\x15\x03\x01\x00\x02", Cause::TlsAlert),
        ("4-ascii", b"GET / HTTP/1.1\r\n", Cause::Http),
        ("4-byte-be", b"PROXY TCP4 ", Cause::ProxyProtocol),
        ("2-byte-be", b"01970200", Cause::AsciiDigits),
        ("2-byte-be", b"0200B238", Cause::NoLengthHeader),
        ("4-ascii", b"\x00\xC50200", Cause::BinaryLength),
        ("4-ascii", b"\x02\x00\x70\x24", Cause::NoLengthHeader),
        ("2-byte-bcd", b"\x00\xC5", Cause::BinaryLength),
        ("2-byte-be", b"\xC5\x00\x02\x00", Cause::OtherByteOrder),
        ("2-byte-be-inclusive", b"\x00\x02ab", Cause::NotCountingItself),
        ("2-byte-be-etx", b"\x00\x06abc\x03\x00\x06", Cause::CountsItself),
    ];
    for (preset, bytes, cause) in cases {
        let error = Framing::named(preset).unwrap().split(bytes).unwrap_err();
        assert_eq!(error.cause, Some(cause), "{preset} {bytes:?}: {error}");
    }
}

#[test]
fn a_frame_that_never_ends_is_explained_at_its_deadline() {
    let be = Framing::named("2-byte-be").unwrap();
    let counted = framed(&Framing::named("2-byte-be-inclusive").unwrap(), b"0800").unwrap();
    let error = be.stalled(&counted);
    assert_eq!(error.fault, FrameFault::Stalled { have: 6, needs: 8 });
    assert_eq!(error.cause, Some(Cause::CountsItself));
    assert_eq!(be.stalled(b"\0").cause, None);
    // Read as a length, 16 03 is a frame that may yet come.
    let hello = be.stalled(b"\x16\x03\x01\x02\x00\x01\x00");
    assert_eq!(hello.cause, Some(Cause::TlsClientHello));
}

#[test]
fn empty_frames_are_keep_alives_where_configured() {
    for preset in ["2-byte-be", "2-byte-be-inclusive", "4-ascii", "2-byte-be-tpdu"] {
        let table = format!("framing = {{ preset = '{preset}', keep_alive = true }}");
        let framing = inline(&table).unwrap();
        let mut stream = Vec::new();
        assert!(framing.keep_alive(&mut stream), "{preset}");
        let taken = stream.len();
        assert_eq!(framing.split(&stream), Ok(Split::KeepAlive { taken }), "{preset}");
    }
    let mut out = Vec::new();
    assert!(!Framing::named("4-ascii").unwrap().keep_alive(&mut out) && out.is_empty());
}

#[test]
fn a_bare_zero_is_a_keep_alive_even_where_lengths_count_themselves() {
    let table = "framing = { preset = '4-ascii-inclusive', keep_alive = true }";
    let framing = inline(table).unwrap();
    for empty in [b"0000", b"0004"] {
        assert_eq!(framing.split(empty), Ok(Split::KeepAlive { taken: 4 }));
    }
}

#[test]
fn a_length_counts_what_it_is_told_to() {
    let cases: [(&str, &[u8]); 4] = [
        ("{ preset = '2-byte-be-0000', counts_header = true }", b"\0\x06\0\x000800"),
        ("{ preset = '0000-2-byte-be', counts_header = true }", b"\0\0\0\x060800"),
        ("{ preset = '2-byte-be', counts_itself = true, adjust = 1 }", b"\0\x070800"),
        ("{ preset = '2-byte-be', adjust = -1 }", b"\0\x030800"),
    ];
    for (table, frame) in cases {
        let framing = inline(&format!("framing = {table}")).unwrap();
        assert_eq!(framed(&framing, b"0800").as_deref(), Ok(frame), "{table}");
        assert_eq!(bodies(&framing, &[frame]), Ok((vec![b"0800".to_vec()], vec![])), "{table}");
    }
}

#[test]
fn what_cannot_be_framed_leaves_nothing_behind() {
    let etx = Framing::named("etx-terminated").unwrap();
    assert_eq!(framed(&etx, b"a\x03b").map_err(|e| e.fault), Err(FrameFault::HoldsTerminator));
    let small = inline("framing = { preset = '4-ascii', max = 4 }").unwrap();
    let mut out = b"kept".to_vec();
    let mark = small.begin(&mut out, None);
    out.extend_from_slice(b"12345");
    let fault = small.finish(&mut out, mark).map_err(|error| error.fault);
    assert_eq!(fault, Err(FrameFault::TooLong { body: 5, most: 4 }));
    assert_eq!(out, b"kept");
    let mark = small.begin(&mut out, None);
    let other = &mut Vec::new();
    assert_eq!(small.finish(other, mark).map_err(|e| e.fault), Err(FrameFault::MarkLost));
}

#[test]
fn the_reply_tpdu_swaps_destination_and_source() {
    assert_eq!(swap_tpdu([0x60, 0, 3, 0, 1]), [0x60, 0, 1, 0, 3]);
    let tpdu = Framing::named("2-byte-be-tpdu").unwrap();
    let split = tpdu.split(&[0, 7, 0x60, 0, 3, 0, 1, 8, 0]).unwrap();
    let expected = Split::Frame { taken: 9, tpdu: Some([0x60, 0, 3, 0, 1]), body: 7..9 };
    assert_eq!(split, expected);
}

/// Any preset, sometimes with overrides that stay valid.
fn any_preset() -> impl Strategy<Value = Framing> {
    let overrides = (any::<bool>(), any::<bool>(), 0i16..20, any::<bool>(), any::<bool>());
    (0..presets::NAMES.len(), overrides).prop_map(|(i, (itself, around, adjust, lrc, tpdu))| {
        let mut spec = FramingSpec::named(presets::NAMES[i]);
        if Framing::named(presets::NAMES[i]).unwrap().length_bytes > 0 {
            spec.counts_itself = itself.then_some(true);
            spec.counts_header = around.then_some(true);
            spec.adjust = Some(adjust);
        }
        spec.lrc = lrc.then_some(true);
        spec.tpdu = tpdu.then(|| "6812340300".to_owned());
        spec.max = Some(700);
        spec.validate().unwrap()
    })
}

/// Any combination of parameters at all, as long as it validates.
fn any_parameters() -> impl Strategy<Value = Framing> {
    use Coding::{Ascii, AsciiHex, Bcd, BigEndian, LittleEndian};
    let coding = prop::sample::select(vec![BigEndian, LittleEndian, Bcd, Ascii, AsciiHex]);
    let header = (0u8..=8, coding, any::<bool>(), any::<bool>(), -6i16..6, any::<bool>());
    let around = || prop::sample::select(vec!["", "", "02", "0000", "0300FF"]);
    let text = prop::sample::select(vec!["", "ISO000000000"]);
    let rest = (around(), around(), around(), around(), text, any::<bool>(), any::<bool>());
    (header, rest).prop_filter_map("refused by validation", |(header, rest)| {
        let (bytes, coding, counts_itself, counts_header, adjust, keep_alive) = header;
        let (before, after, trailer, terminator, text, lrc, tpdu) = rest;
        let counted = bytes > 0;
        let spec = FramingSpec {
            preset: None,
            length_bytes: Some(bytes),
            coding: Some(coding),
            counts_itself: Some(counts_itself && counted),
            counts_header: Some(counts_header && counted),
            adjust: counted.then_some(adjust),
            skip_before: Some(before.to_owned()),
            skip_after: Some(after.to_owned()),
            tpdu: tpdu.then(|| "6000030000".to_owned()),
            text_header: Some(text.to_owned()),
            trailer: Some(trailer.to_owned()),
            terminator: Some(if counted { terminator } else { "03" }.to_owned()),
            lrc: Some(lrc),
            keep_alive: Some(keep_alive && counted && terminator.is_empty() && !lrc),
            min: Some(2),
            max: None,
            read_deadline_ms: None,
        };
        spec.validate().ok()
    })
}

fn any_framing() -> impl Strategy<Value = Framing> {
    prop_oneof![any_preset(), any_parameters()]
}

/// Whether a text shows thirteen digits or more in a row: it could be a card number.
fn shows_a_card_number(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit()).any(|run| run.len() >= 13)
}

/// Bodies every framing can carry: none of the bytes is a terminator.
fn any_bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = any::<u8>().prop_map(|b| if b == 3 { 4 } else { b });
    prop::collection::vec(prop::collection::vec(byte, 2..60), 0..5)
}

proptest! {
    #[test]
    fn any_chunks_give_the_same_frames(
        framing in any_framing(),
        sent in any_bodies(),
        cuts in prop::collection::vec(0usize..4000, 0..12),
        lost in 0usize..4,
    ) {
        let mut stream: Vec<u8> = Vec::new();
        let sent: Vec<_> = sent.into_iter().filter(|b| b.len() <= framing.max()).collect();
        for body in &sent {
            stream.extend(framed(&framing, body).unwrap());
        }
        let part = framed(&framing, b"ab").unwrap();
        let part = &part[..part.len().saturating_sub(lost + 1)];
        stream.extend_from_slice(part);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
        prop_assert_eq!(bodies(&framing, &chunks), Ok((sent, part.to_vec())));
    }

    #[test]
    fn hostile_bytes_never_panic(
        framing in any_framing(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(split) = framing.split(&bytes) {
            match split {
                Split::More { at_least } => {
                    prop_assert!(at_least > bytes.len() && at_least <= framing.frame_max());
                }
                Split::KeepAlive { taken } => prop_assert!(taken <= bytes.len() && taken > 0),
                Split::Frame { taken, body, .. } => {
                    prop_assert!(taken <= bytes.len() && body.end <= taken);
                    prop_assert!((2..=framing.max()).contains(&body.len()));
                }
            }
        }
        let stalled = framing.stalled(&bytes).to_string();
        prop_assert!(!shows_a_card_number(&stalled), "{}", stalled);
    }

    #[test]
    fn a_stream_out_of_step_shows_no_card_number(
        framing in any_framing(),
        packed in any::<bool>(),
        at in 0usize..16,
    ) {
        let pan: &[u8] = if packed { &[0x41, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11] }
            else { b"4111111111111111" };
        let bytes = pan.repeat(4);
        if let Err(error) = framing.split(&bytes[at..]) {
            prop_assert!(!shows_a_card_number(&error.to_string()), "{}", error);
            prop_assert!(!shows_a_card_number(&format!("{error:?}")), "{:?}", error);
        }
    }

    #[test]
    fn a_damaged_header_never_panics(
        framing in any_framing(),
        sent in any_bodies(),
        at in 0usize..16,
        value in any::<u8>(),
    ) {
        for body in &sent {
            let Ok(mut frame) = framed(&framing, body) else { continue };
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
            let _ = bodies(&framing, &[&frame]);
        }
    }
}
