//! The framings the field uses, by name: one line of parameters each.
//!
//! Contract: every name of [`NAMES`] validates as it stands. A peer that deviates starts from
//! the nearest name and overrides keys; nothing here is a class of its own.

use super::coding::Coding;
use super::spec::FramingSpec;

/// Every preset name, in the order documentation lists them.
pub const NAMES: [&str; 21] = [
    "2-byte-be",
    "2-byte-be-inclusive",
    "2-byte-le",
    "2-byte-bcd",
    "3-byte-be",
    "4-byte-be",
    "4-byte-be-inclusive",
    "4-ascii",
    "4-ascii-inclusive",
    "4-ascii-hex",
    "2-byte-be-0000",
    "0000-2-byte-be",
    "2-byte-be-tpdu",
    "2-byte-bcd-tpdu",
    "4-ascii-tpdu",
    "2-byte-be-iso",
    "4-ascii-iso",
    "2-byte-be-etx",
    "etx-terminated",
    "stx-etx-lrc",
    "2-byte-be-stx-etx-lrc",
];

/// The TPDU a preset writes where the caller gives none: to and from network 0000.
pub(super) const PLAIN_TPDU: &str = "6000000000";
/// The usual text header: letters, then digits that say source, version and status.
pub(super) const ISO_HEADER: &str = "ISO000000000";

/// The parameters behind a name; `None` for a name not listed.
pub(super) fn find(name: &str) -> Option<FramingSpec> {
    use Coding::{Ascii, AsciiHex, Bcd, BigEndian, LittleEndian};
    let header = |bytes, coding| FramingSpec {
        length_bytes: Some(bytes),
        coding: Some(coding),
        ..FramingSpec::default()
    };
    let text = |value: &str| Some(value.to_owned());
    Some(match name {
        "2-byte-be" => header(2, BigEndian),
        "2-byte-be-inclusive" => inclusive(header(2, BigEndian)),
        "2-byte-le" => header(2, LittleEndian),
        "2-byte-bcd" => header(2, Bcd),
        "3-byte-be" => header(3, BigEndian),
        "4-byte-be" => header(4, BigEndian),
        "4-byte-be-inclusive" => inclusive(header(4, BigEndian)),
        "4-ascii" => header(4, Ascii),
        "4-ascii-inclusive" => inclusive(header(4, Ascii)),
        "4-ascii-hex" => header(4, AsciiHex),
        "2-byte-be-0000" => FramingSpec { skip_after: text("0000"), ..header(2, BigEndian) },
        "0000-2-byte-be" => FramingSpec { skip_before: text("0000"), ..header(2, BigEndian) },
        "2-byte-be-tpdu" => FramingSpec { tpdu: text(PLAIN_TPDU), ..header(2, BigEndian) },
        "2-byte-bcd-tpdu" => FramingSpec { tpdu: text(PLAIN_TPDU), ..header(2, Bcd) },
        "4-ascii-tpdu" => FramingSpec { tpdu: text(PLAIN_TPDU), ..header(4, Ascii) },
        "2-byte-be-iso" => FramingSpec { text_header: text(ISO_HEADER), ..header(2, BigEndian) },
        "4-ascii-iso" => FramingSpec { text_header: text(ISO_HEADER), ..header(4, Ascii) },
        "2-byte-be-etx" => FramingSpec { trailer: text("03"), ..header(2, BigEndian) },
        "etx-terminated" => FramingSpec { terminator: text("03"), ..header(0, BigEndian) },
        "stx-etx-lrc" => stx_etx_lrc(header(0, BigEndian)),
        "2-byte-be-stx-etx-lrc" => stx_etx_lrc(header(2, BigEndian)),
        _ => return None,
    })
}

fn inclusive(spec: FramingSpec) -> FramingSpec {
    FramingSpec { counts_itself: Some(true), ..spec }
}

fn stx_etx_lrc(spec: FramingSpec) -> FramingSpec {
    FramingSpec {
        skip_before: Some("02".to_owned()),
        terminator: Some("03".to_owned()),
        lrc: Some(true),
        ..spec
    }
}
