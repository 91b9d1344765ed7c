//! What must hold for any bytes: one function per fuzz target.
//!
//! Contract: each takes arbitrary bytes and panics where a promise of the library is broken – by
//! itself or by an assertion here. The fuzz targets call them, and `tests/corpora.rs` replays the
//! committed corpora through the same functions. Deliberately absent: state; the dialects are
//! compiled once and never change.

use pointsman::capture;
use pointsman::framing::{Framing, Split, presets};
use pointsman::imports;
use pointsman::iso8583::{
    self, Dialect, Message, from_json, pack, page, shipped, shipped_names, to_json,
};
use pointsman::limits::FRAME_MAX;
use std::sync::LazyLock;

/// Every kind of composite, nested, as text and as bytes.
const COMPOSITES: &str = include_str!("composites.toml");

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let of = |name: &str| compile(name, None).ok();
    let mut all: Vec<Dialect> = shipped_names().filter_map(of).collect();
    all.extend(compile("composites", Some(COMPOSITES)).ok());
    assert_eq!(all.len(), shipped_names().count() + 1, "a dialect does not compile");
    all
});

static FRAMINGS: LazyLock<Vec<Framing>> =
    LazyLock::new(|| presets::NAMES.iter().filter_map(|name| Framing::named(name).ok()).collect());

fn compile(name: &str, text: Option<&str>) -> Result<Dialect, Vec<iso8583::DialectError>> {
    Dialect::compile(name, &|wanted| match text {
        Some(text) if wanted == name => Some(text.to_owned()),
        _ => shipped(wanted).map(str::to_owned),
    })
}

/// The frame of an input of [`unpack`], its dialect, and a message to unpack it into.
pub(crate) fn frame_of(data: &[u8]) -> Option<(&'static Dialect, &[u8], Message)> {
    chosen(data).map(|(dialect, frame)| (dialect, frame, Message::new()))
}

/// The stream of an input of [`frame_split`], and its framing.
pub(crate) fn stream_of(data: &[u8]) -> Option<(&'static Framing, &[u8])> {
    let (first, stream) = data.split_first()?;
    Some((FRAMINGS.get(usize::from(*first) % FRAMINGS.len())?, stream))
}

/// The dialect that the first byte chooses, and the rest.
fn chosen(data: &[u8]) -> Option<(&'static Dialect, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((DIALECTS.get(usize::from(*first) % DIALECTS.len())?, rest))
}

/// The first byte chooses a framing; the rest is a stream. What is found does not depend on how
/// the bytes arrive, and nothing longer than the framing's limit is ever asked for.
pub(crate) fn frame_split(data: &[u8]) {
    let Some((framing, stream)) = stream_of(data) else { return };
    let whole = framing.split(stream);
    match &whole {
        Ok(Split::More { at_least }) => {
            assert!(*at_least > stream.len() && *at_least <= framing.frame_max(), "{at_least}");
        }
        Ok(Split::KeepAlive { taken }) => assert!(*taken > 0 && *taken <= stream.len()),
        Ok(Split::Frame { taken, body, .. }) => {
            assert!(*taken <= stream.len() && *taken <= framing.frame_max());
            assert!(body.start <= body.end && body.end <= *taken);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // As a session reads: as many bytes as were asked for, no more.
    let (mut have, mut chunked) = (0, framing.split(&[]));
    while let Ok(Split::More { at_least }) = chunked {
        if at_least > stream.len() {
            break;
        }
        assert!(at_least > have);
        have = at_least;
        chunked = framing.split(&stream[..have]);
    }
    match (&whole, &chunked) {
        (Err(_), Err(_)) => {}
        // A fault may show before everything is there that was asked for.
        (Ok(Split::More { .. }), Err(_)) | (Err(_), Ok(Split::More { .. })) => {}
        _ => assert_eq!(whole.ok(), chunked.ok()),
    }
}

/// The first byte chooses a dialect; the rest is a frame. Whatever it is, it can be described.
pub(crate) fn unpack(data: &[u8]) {
    let Some((dialect, frame)) = chosen(data) else { return };
    let mut msg = Message::new();
    match iso8583::unpack(dialect, frame, &mut msg) {
        Ok(()) => {
            let _ = iso8583::describe(dialect, &msg, false);
            let _ = iso8583::describe(dialect, &msg, true);
            let _ = to_json(dialect, &msg, false);
        }
        Err(error) => {
            assert!(error.offset <= frame.len(), "byte {} of {}", error.offset, frame.len());
            let _ = iso8583::describe_error(dialect, &msg, frame, &error, false);
        }
    }
}

/// What unpacks, packs back to the same bytes: the message itself, and through JSON.
pub(crate) fn pack_unpack_pack(data: &[u8]) {
    let Some((dialect, frame)) = chosen(data) else { return };
    let mut msg = Message::new();
    if iso8583::unpack(dialect, frame, &mut msg).is_err() {
        return;
    }
    let mut packed = Vec::new();
    let done = pack(dialect, &msg, &mut packed);
    assert!(done.is_ok(), "{}: {:?}", dialect.name(), done.err());
    assert_eq!(packed, frame, "{}", dialect.name());
    let through = from_json(dialect, &to_json(dialect, &msg, true));
    let through = through.map_err(|error| error.to_string());
    assert!(through.is_ok(), "{}: {:?}", dialect.name(), through.err());
    packed.clear();
    let done = through.map(|msg| pack(dialect, &msg, &mut packed).is_ok());
    assert_eq!((done, packed.as_slice()), (Ok(true), frame), "{}", dialect.name());
}

/// The first byte chooses a dialect, the second one of its composites; the rest is its content.
/// Every part can be asked for, and what is accepted comes back unchanged.
pub(crate) fn tlv(data: &[u8]) {
    let Some((dialect, rest)) = chosen(data) else { return };
    let Some((which, content)) = rest.split_first() else { return };
    let composites: Vec<u8> =
        dialect.fields().iter().filter(|(_, f)| f.inside().is_some()).map(|(de, _)| de).collect();
    let Some(de) = composites.get(usize::from(*which) % composites.len().max(1)) else { return };
    let mut msg = Message::new();
    let version = dialect.version().unwrap_or(0);
    let Ok(mti) = format!("{version}200").parse() else { return };
    msg.set_mti(mti);
    if content.len() > FRAME_MAX || msg.set(*de, content).is_err() {
        return;
    }
    let inside = dialect.field(*de).and_then(|field| field.inside());
    let keys: Vec<&str> = inside.into_iter().flat_map(|i| i.parts()).map(|p| p.key()).collect();
    for key in keys.iter().chain(&["9F02", "E1.95", "99", "1", ""]) {
        let _ = dialect.subfield(&msg, *de, key);
        let _ = dialect.subfield(&msg, *de, &format!("{key}.{key}"));
    }
    let _ = iso8583::describe(dialect, &msg, true);
    let mut packed = Vec::new();
    if pack(dialect, &msg, &mut packed).is_err() {
        assert!(packed.is_empty());
        return;
    }
    let mut again = Message::new();
    if iso8583::unpack(dialect, &packed, &mut again).is_ok() {
        let mut twice = Vec::new();
        assert!(pack(dialect, &again, &mut twice).is_ok());
        assert_eq!(packed, twice);
    }
}

/// Any text as a dialect file: refused, or usable.
pub(crate) fn dialect_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match compile("fuzzed", Some(text)) {
        Ok(dialect) => {
            let _ = page(&dialect);
            let mut msg = Message::new();
            let _ = iso8583::unpack(
                &dialect,
                b"0200\xB2\x20\x00\x00\x80\x00\x00\x00160000000000",
                &mut msg,
            );
        }
        Err(errors) => assert!(errors.iter().all(|e| !e.to_string().is_empty())),
    }
}

/// The first byte says whose file it is. What is imported compiles.
pub(crate) fn importers(data: &[u8]) {
    let Some((first, file)) = data.split_first() else { return };
    let done = match first % 2 {
        0 => imports::jpos("fuzzed.xml", file),
        _ => imports::moov("fuzzed.json", file),
    };
    match done {
        Ok(imported) => {
            let compiled = compile("imported", Some(&imported.text));
            assert!(compiled.is_ok(), "{:?}\n{}", compiled.err(), imported.text);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Any bytes as a capture. Nothing comes out that did not go in.
pub(crate) fn pcap(data: &[u8]) {
    match capture::read(data) {
        Ok(capture) => {
            let bytes: usize =
                capture.connections.iter().map(|c| c.sent.bytes() + c.answered.bytes()).sum();
            assert!(bytes <= data.len(), "{bytes} bytes of a file of {}", data.len());
        }
        Err(error) => assert!(error.at <= data.len() && !error.to_string().is_empty()),
    }
}
