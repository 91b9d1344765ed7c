//! Captures built byte by byte here, and one that foreign tools wrote.

use super::*;
use std::net::IpAddr;

/// Builds packets of one connection: `A` is 10.0.0.1:40000, `B` is 10.0.0.2:7000.
#[derive(Clone, Copy)]
enum Side {
    A,
    B,
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PUSH: u8 = 0x18;

fn tcp(side: Side, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (from, to) = match side {
        Side::A => (40_000_u16, 7_000_u16),
        Side::B => (7_000, 40_000),
    };
    let mut out = [from.to_be_bytes(), to.to_be_bytes()].concat();
    out.extend(sequence.to_be_bytes());
    out.extend([0, 0, 0, 0, 5 << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    out.extend_from_slice(payload);
    out
}

fn ipv4(side: Side, inner: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + inner.len()).unwrap_or(0).to_be_bytes();
    let (from, to) = match side {
        Side::A => (1, 2),
        Side::B => (2, 1),
    };
    let mut out = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 6, 0, 0];
    out.extend([10, 0, 0, from, 10, 0, 0, to]);
    out.extend_from_slice(inner);
    out
}

fn ipv6(side: Side, next: u8, inner: &[u8]) -> Vec<u8> {
    let size = u16::try_from(inner.len()).unwrap_or(0).to_be_bytes();
    let mut out = vec![0x60, 0, 0, 0, size[0], size[1], next, 64];
    let (from, to) = if matches!(side, Side::A) { (1, 2) } else { (2, 1) };
    for last in [from, to] {
        out.extend([0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    out.extend_from_slice(inner);
    out
}

fn ethernet(kind: &[u8], inner: &[u8]) -> Vec<u8> {
    [&[2; 12], kind, inner].concat()
}

fn plain(side: Side, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(&[8, 0], &ipv4(side, &tcp(side, sequence, flags, payload)))
}

/// A classic capture; each packet may be longer than what was captured of it.
fn pcap(magic: u32, link: u32, big: bool, packets: &[(Vec<u8>, usize)]) -> Vec<u8> {
    let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let version = if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let mut out = [word(magic), version, [0; 4], [0; 4], word(65_535), word(link)].concat();
    for (packet, captured) in packets {
        let captured = packet.get(..*captured).unwrap_or(packet);
        let (kept, sent) = (captured.len() as u32, packet.len() as u32);
        out.extend([word(1_700_000_000), word(5), word(kept), word(sent)].concat());
        out.extend_from_slice(captured);
    }
    out
}

fn whole(packets: Vec<Vec<u8>>) -> Vec<(Vec<u8>, usize)> {
    packets.into_iter().map(|packet| (packet, usize::MAX)).collect()
}

fn ether(packets: Vec<Vec<u8>>) -> Capture {
    parsed(&pcap(0xA1B2_C3D4, 1, false, &whole(packets)))
}

fn parsed(bytes: &[u8]) -> Capture {
    match read(bytes) {
        Ok(capture) => capture,
        Err(error) => Capture {
            format: "refused",
            packets: 0,
            connections: Vec::new(),
            left_out: BTreeMap::new(),
            broken: Some(error),
        },
    }
}

fn texts(stream: &Stream) -> Vec<String> {
    stream.runs.iter().map(|run| String::from_utf8_lossy(&run.bytes).into_owned()).collect()
}

/// The bytes of the only stream from A to B.
fn sent(capture: &Capture) -> Vec<String> {
    capture.connections.iter().flat_map(|c| texts(&c.sent)).collect()
}

#[test]
fn both_byte_orders_and_nanoseconds_are_read() {
    for (magic, big) in
        [(0xA1B2_C3D4, true), (0xA1B2_C3D4, false), (0xA1B2_3C4D, true), (0xA1B2_3C4D, false)]
    {
        let packet = plain(Side::A, 100, PUSH, b"hello");
        let capture = parsed(&pcap(magic, 1, big, &whole(vec![packet])));
        assert_eq!((capture.format, capture.packets, capture.broken), ("pcap", 1, None));
        assert_eq!(sent(&capture), ["hello"], "{magic:X} {big}");
    }
}

#[test]
fn every_link_layer_leads_to_the_same_payload() {
    let segment = tcp(Side::A, 7, PUSH, b"0800");
    let (four, six) = (ipv4(Side::A, &segment), ipv6(Side::A, 6, &segment));
    let vlan = [&[0x81, 0, 0, 5, 8, 0][..], &four].concat();
    let twice = [&[0x88, 0xA8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xDD][..], &six].concat();
    let cooked = [&[0; 14][..], &[8, 0], &four].concat();
    let cooked2 = [&[0x86, 0xDD][..], &[0; 18], &six].concat();
    let extended =
        ipv6(Side::A, 0, &[&[60, 0, 1, 4, 0, 0, 0, 0][..], &[6; 1], &[0; 7], &segment].concat());
    let options = [&[0x46, 0, 0, 48], &four[4..20], &[1; 4], &segment].concat();
    let cases: [(u32, Vec<u8>); 15] = [
        (1, ethernet(&[8, 0], &four)),
        (1, [ethernet(&[8, 0], &four), vec![0; 12]].concat()),
        (1, [&[2; 12][..], &vlan].concat()),
        (1, [&[2; 12][..], &twice].concat()),
        (113, cooked),
        (276, cooked2),
        (101, four.clone()),
        (12, six.clone()),
        (101, extended),
        (228, options),
        (229, six.clone()),
        (0, [&[2, 0, 0, 0][..], &four].concat()),
        (0, [&[0, 0, 0, 30][..], &six].concat()),
        (108, [&[0, 0, 0, 2][..], &four].concat()),
        // The upper half of the word states a check sum.
        (0x1400_0001, ethernet(&[8, 0], &four)),
    ];
    for (link, packet) in cases {
        let shown = format!("link {link}: {packet:02X?}");
        let capture = parsed(&pcap(0xA1B2_C3D4, link, false, &whole(vec![packet])));
        assert_eq!(sent(&capture), ["0800"], "{shown} {:?}", capture.left_out);
    }
}

#[test]
fn segments_come_out_in_sequence_order_once() {
    let at = u32::MAX - 5;
    let capture = ether(vec![
        plain(Side::A, at.wrapping_sub(1), SYN, b""),
        plain(Side::B, 500, SYN | ACK, b""),
        plain(Side::A, at, ACK, b""),
        plain(Side::A, at.wrapping_add(8), PUSH, b"ijkl"),
        plain(Side::A, at, PUSH, b"abcd"),
        plain(Side::A, at, PUSH, b"abcd"),
        plain(Side::B, 501, PUSH, b"answer"),
        // Overlaps what is there on both sides.
        plain(Side::A, at.wrapping_add(2), PUSH, b"cdefghij"),
        // A keep-alive: the last byte again, as something else.
        plain(Side::A, at.wrapping_add(11), ACK, b"\0"),
    ]);
    let [connection] = capture.connections.as_slice() else { unreachable!("{capture:?}") };
    assert_eq!((connection.service.port, connection.client.port), (7_000, 40_000));
    assert_eq!(texts(&connection.sent), ["abcdefghijkl"]);
    assert_eq!(texts(&connection.answered), ["answer"]);
    let Stream { segments, repeated, reordered, missing, differing, .. } = connection.sent;
    assert_eq!((segments, repeated, reordered, missing, differing), (5, 4, 1, 0, 0));
    assert!(connection.sent.runs.iter().all(|run| run.from_opening));
    let run = connection.sent.runs.first();
    assert_eq!(run.map(|r| (r.packet_of(0), r.packet_of(4), r.packet_of(11))), Some((5, 8, 4)));
}

#[test]
fn what_the_capture_does_not_hold_ends_a_run() {
    let long = plain(Side::A, 10, PUSH, b"0123456789");
    let cut_at = long.len() - 6;
    let packets = vec![
        (long, cut_at),
        (plain(Side::A, 20, PUSH, b"next"), usize::MAX),
        (plain(Side::A, 30, PUSH, b"late"), usize::MAX),
        (plain(Side::A, 34, ACK, b""), usize::MAX),
        (plain(Side::A, 40, ACK, b""), usize::MAX),
    ];
    let capture = parsed(&pcap(0xA1B2_C3D4, 1, true, &packets));
    assert_eq!(sent(&capture), ["0123", "next", "late"]);
    let stream = capture.connections.first().map(|c| &c.sent);
    assert_eq!(stream.map(|s| (s.cut, s.missing)), Some((1, 6 + 6 + 6)));
    let before = |s: &Stream| s.runs.iter().map(|r| r.missing_before).collect::<Vec<_>>();
    assert_eq!(stream.map(before), Some(vec![0, 6, 6]));
    assert!(stream.is_some_and(|s| s.runs.iter().all(|run| !run.from_opening)));
}

#[test]
fn a_port_used_again_is_another_connection() {
    let capture = ether(vec![
        plain(Side::A, 10, SYN, b""),
        plain(Side::A, 10, SYN, b""),
        plain(Side::A, 11, PUSH, b"first"),
        plain(Side::A, 9_000, SYN, b""),
        plain(Side::A, 9_001, PUSH, b"second"),
    ]);
    assert_eq!(sent(&capture), ["first", "second"]);
    assert_eq!(capture.connections.len(), 2);
}

#[test]
fn what_is_no_stream_is_counted_by_its_reason() {
    let segment = tcp(Side::A, 7, PUSH, b"x");
    let mut fragment = ipv4(Side::A, &segment);
    fragment[6] = 0x20;
    let mut udp = ipv4(Side::A, &segment);
    udp[9] = 17;
    let mut short = ipv4(Side::A, &segment);
    short[0] = 0x44;
    let mut offset = ipv4(Side::A, &segment);
    offset[32] = 0xF0;
    let capture = ether(vec![
        ethernet(&[8, 6], &[0; 28]),
        ethernet(&[8, 0], &fragment),
        ethernet(&[8, 0], &udp),
        ethernet(&[8, 0], &short),
        ethernet(&[8, 0], &offset),
        ethernet(&[8, 0], &ipv4(Side::A, &segment[..12])),
        vec![1, 2, 3],
    ]);
    let expected = BTreeMap::from([
        (LeftOut::NotIp(0x0806), 1),
        (LeftOut::NotTcp(17), 1),
        (LeftOut::Fragment, 1),
        (LeftOut::Cut, 2),
        (LeftOut::Malformed, 2),
    ]);
    assert_eq!((capture.left_out, capture.packets), (expected, 7));
    let wireless = parsed(&pcap(0xA1B2_C3D4, 105, false, &whole(vec![vec![0; 60]])));
    assert_eq!(wireless.left_out, BTreeMap::from([(LeftOut::Link(105), 1)]));
}

#[test]
fn a_file_that_breaks_off_gives_what_stands_before() {
    let packets = vec![plain(Side::A, 1, PUSH, b"ab"), plain(Side::A, 3, PUSH, b"cd")];
    let bytes = pcap(0xA1B2_C3D4, 1, false, &whole(packets));
    let capture = parsed(&bytes[..bytes.len() - 3]);
    assert_eq!(sent(&capture), ["ab"]);
    let why = CaptureFault::Short { need: 3 };
    assert_eq!(capture.broken, Some(CaptureError { at: bytes.len() - 3, why }));
    assert_eq!(
        read(b"0800").map(|c| c.packets),
        Err(CaptureError { at: 0, why: CaptureFault::Magic })
    );
    assert!(!is_capture(b"0800") && is_capture(&bytes));
}

/// One block of pcapng.
fn block(kind: u32, big: bool, body: &[u8]) -> Vec<u8> {
    let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let padded = [body, &[0; 3][..(4 - body.len() % 4) % 4]].concat();
    let size = word(12 + padded.len() as u32);
    [&word(kind)[..], &size, &padded, &size].concat()
}

#[test]
fn sections_interfaces_and_every_packet_block_of_pcapng_are_read() {
    let mut bytes = Vec::new();
    for big in [true, false] {
        let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let half = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let section = [&word(0x1A2B_3C4D)[..], &half(1), &half(0), &[0xFF; 8]].concat();
        bytes.extend(block(0x0A0D_0D0A, big, &section));
        for (link, snap) in [(1_u16, 60_u32), (101, 0)] {
            bytes.extend(block(1, big, &[&half(link)[..], &half(0), &word(snap)].concat()));
        }
        let base = if big { 0 } else { 8 };
        let raw = ipv4(Side::A, &tcp(Side::A, 1 + base, PUSH, b"on"));
        let size = word(raw.len() as u32);
        let enhanced = [&word(1)[..], &[0; 8], &size, &size, &raw].concat();
        bytes.extend(block(6, big, &enhanced));
        // Cut to the snap length of the first interface: six bytes of payload.
        let simple = plain(Side::A, 3 + base, PUSH, b"e two th");
        bytes.extend(block(3, big, &[&word(simple.len() as u32)[..], &simple[..60]].concat()));
        let old = plain(Side::B, 3 + base, PUSH, b"old");
        let size = word(old.len() as u32);
        let stated = [&half(0)[..], &half(0), &[0; 8], &size, &size, &old].concat();
        bytes.extend(block(2, big, &stated));
        bytes.extend(block(5, big, &[0; 20]));
    }
    let capture = parsed(&bytes);
    assert_eq!((capture.format, capture.packets, capture.broken), ("pcapng", 6, None));
    assert_eq!(sent(&capture), ["one two one two "]);
    let answers: Vec<String> =
        capture.connections.iter().flat_map(|c| texts(&c.answered)).collect();
    assert_eq!(answers, ["old", "old"]);
}

#[test]
fn a_block_that_contradicts_itself_ends_the_file() {
    let section = [0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let head = block(0x0A0D_0D0A, false, &section);
    let refused = |more: &[u8]| {
        let whole = [head.as_slice(), more].concat();
        read(&whole).map(|capture| capture.broken.map(|b| (b.at, b.why)))
    };
    let enhanced = block(6, false, &[0; 20]);
    let no_interface = CaptureFault::Interface { got: 0, known: 0 };
    assert_eq!(refused(&enhanced), Ok(Some((28, no_interface))));
    let odd = [6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(refused(&odd), Ok(Some((28, CaptureFault::Block { got: 13, least: 12 }))));
    let mut end = block(5, false, &[0; 4]);
    end[12] = 20;
    assert_eq!(refused(&end), Ok(Some((28, CaptureFault::BlockEnd { got: 20, began: 16 }))));
    let mut long = [block(1, false, &[1, 0, 0, 0, 0, 0, 0, 0]), enhanced].concat();
    long[20 + 20] = 9;
    let packet = CaptureFault::Packet { got: 9, room: 0 };
    assert_eq!(refused(&long), Ok(Some((48, packet))));
    assert_eq!(read(&head[..20]).map(|_| ()).map_err(|e| e.at), Err(20));
}

#[test]
fn no_bytes_make_it_panic() {
    use proptest::prelude::*;
    let six = plain(Side::A, 1, PUSH, b"0800");
    let good = pcap(0xA1B2_C3D4, 1, false, &whole(vec![six.clone(), six]));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (any::<usize>(), any::<u8>(), any::<usize>());
    let done = runner.run(&strategy, |(at, byte, cut)| {
        let mut bytes = good.clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read(&bytes);
        bytes.truncate(cut % bytes.len());
        let _ = read(&bytes);
        Ok(())
    });
    assert_eq!(done, Ok(()));
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let done = runner.run(&noise, |noise| {
        for head in [&[0xD4, 0xC3, 0xB2, 0xA1][..], &[0x0A, 0x0D, 0x0D, 0x0A]] {
            let _ = read(&[head, &noise].concat());
        }
        Ok(())
    });
    assert_eq!(done, Ok(()));
}

#[test]
fn ends_are_told_by_their_address() {
    let end = Endpoint { address: IpAddr::from([10, 0, 0, 1]), port: 80 };
    assert_eq!(end.to_string(), "10.0.0.1:80");
}
