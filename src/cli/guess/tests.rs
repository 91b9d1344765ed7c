//! Guesses at messages that foreign implementations made, framed in every way.

use super::*;
use crate::framing::FramingSpec;
use crate::iso8583::{parse_hex, shipped, shipped_names};

fn dialects() -> Vec<Dialect> {
    let source = |name: &str| shipped(name).map(str::to_owned);
    shipped_names().filter_map(|name| Dialect::compile(name, &source).ok()).collect()
}

/// Foreign-made messages of one dialect.
fn foreign(dialect: &str) -> Vec<Vec<u8>> {
    let lines = include_str!("../../../specs/vectors/messages.jsonl").lines();
    let hex = lines.filter_map(|line| {
        let json: serde_json::Value = serde_json::from_str(line).ok()?;
        (json["dialect"] == dialect).then(|| json["hex"].as_str().map(str::to_owned))?
    });
    hex.filter_map(|hex| parse_hex(&hex)).take(12).collect()
}

fn stretch(bytes: &[u8]) -> Stretch<'_> {
    Stretch { bytes, in_step: true, marks: &[], missing_before: 0, way: None }
}

#[test]
fn foreign_messages_are_recognized() {
    let dialects = dialects();
    let names =
        ["iso8583-1987-ascii", "iso8583-1987-ascii-hex", "iso8583-1987-ebcdic", "unionpay-pos"];
    for name in names {
        let bare = foreign(name);
        let length = |body: &[u8]| (body.len() as u16).to_be_bytes().to_vec();
        let framed: Vec<Vec<u8>> =
            bare.iter().map(|body| [length(body), body.clone()].concat()).collect();
        for (messages, framing) in [(bare, "none"), (framed, "2-byte-be")] {
            let all: Vec<_> = messages.iter().map(|m| stretch(m)).collect();
            let fits = guess(&all, &dialects);
            let best = fits.first().map(|f| (f.dialect.as_str(), f.framing.as_str(), f.whole));
            assert_eq!(best, Some((name, framing, 12)), "{fits:#?}");
        }
    }
}

/// Framings whose frames differ in name only, for messages of these sizes.
const SAME: [(&str, &str); 1] = [("0000-2-byte-be", "4-byte-be")];

#[test]
fn every_framing_is_recognized_on_a_stream() {
    let dialects = dialects();
    let bodies = foreign("iso8583-1987-ascii");
    for candidate in candidates() {
        let name = candidate.spec.to_string();
        let mut stream = Vec::new();
        for body in &bodies {
            let mark = candidate.framing.begin(&mut stream, None);
            let at = stream.len();
            stream.extend_from_slice(body);
            if candidate.framing.finish(&mut stream, mark).is_err() {
                // Longer than this header can say, or the terminator is in the message.
                stream.truncate(at.saturating_sub(1));
            }
        }
        let fits = guess(&[stretch(&stream)], &dialects);
        let Some(best) = fits.first() else { continue };
        let as_good = fits.iter().take_while(|fit| fit.equals(best));
        let found = as_good.clone().any(|fit| fit.framing == name);
        let framed = best.whole == best.frames && best.whole_bytes == best.bytes;
        let also = SAME.iter().any(|(own, other)| *own == name && *other == best.framing);
        assert!(!framed || found || also, "{name}: {:#?}", as_good.collect::<Vec<_>>());
        assert_eq!(best.dialect, "iso8583-1987-ascii", "{name}");
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    for candidate in candidates() {
        for keep_alive in [false, true] {
            let shown = spelled(&candidate, keep_alive);
            let alive = candidate.spec.clone();
            let alive = FramingSpec { keep_alive: Some(true), ..alive };
            if !keep_alive || alive.validate().is_ok() {
                assert!(crate::cli::input::framing(&shown).is_ok(), "{shown}");
            }
        }
    }
}

#[test]
fn noise_fits_nothing_whole() {
    let fits = guess(&[stretch(&[0xFF; 40])], &dialects());
    assert!(fits.iter().all(|f| f.whole == 0), "{fits:#?}");
    let input = Input::Bytes(vec![b"GET / HTTP/1.1\r\n\r\n".to_vec()]);
    let (text, any) = report(&input, None, &dialects(), "-");
    assert!(!any && text.contains("looks like an HTTP request"), "{text}");
}

/// A capture that foreign tools wrote (`specs/vectors/make_captures.py`), judged.
fn judged(bytes: &[u8]) -> (Vec<(String, String, usize, usize)>, String) {
    let Ok(capture) = crate::capture::read(bytes) else { return Default::default() };
    let input = Input::Capture(capture);
    let dialects = dialects();
    let best = |stretches: Vec<Stretch<'_>>| {
        let fits = guess(&stretches, &dialects);
        fits.first().map(|f| (f.dialect.clone(), f.framing.clone(), f.whole, f.frames))
    };
    let found = services(&input, None).into_values().filter_map(best).collect();
    (found, report(&input, None, &dialects, "FILE").0)
}

fn fit_of(dialect: &str, framing: &str, counts: [usize; 2]) -> (String, String, usize, usize) {
    (dialect.to_owned(), framing.to_owned(), counts[0], counts[1])
}

#[test]
fn a_capture_of_terminals_behind_a_vlan_is_recognized() {
    let (found, text) = judged(include_bytes!("../../../specs/vectors/captures/unionpay.pcap"));
    assert_eq!(found, [fit_of("unionpay-pos", "2-byte-be-tpdu", [48, 48])], "{text}");
    for line in [
        "2 TCP connections; left out: 1 ARP, 2 UDP",
        "48 of 48 messages decode to the last byte",
        "pointsman decode --dialect unionpay-pos --framing 2-byte-be-tpdu --port 7001 FILE",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("missing"), "{text}");
}

#[test]
fn each_service_is_judged_by_itself_and_from_midway() {
    let (found, text) = judged(include_bytes!("../../../specs/vectors/captures/midway.pcapng"));
    let expected = [
        fit_of("iso8583-1987-ascii", "4-ascii-inclusive", [11, 11]),
        fit_of("iso8583-1987-ebcdic", "2-byte-bcd", [11, 11]),
    ];
    assert_eq!(found, expected, "{text}");
    assert!(text.contains("joined midway"), "{text}");
}

#[test]
fn a_capture_of_cut_packets_gives_what_is_whole() {
    let (found, text) = judged(include_bytes!("../../../specs/vectors/captures/snapped.pcap"));
    assert_eq!(found, [fit_of("iso8583-1987-bcd", "4-byte-be", [8, 8])], "{text}");
    assert!(text.contains("packets cut off to it"), "{text}");
}
