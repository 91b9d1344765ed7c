//! Properties of every shipped dialect: what is packed unpacks to the same, what is accepted packs
//! to the same bytes, and no bytes panic.
//!
//! Contract: messages are made from a seed by the dialect's own definitions; frames are damaged
//! versions of those, or noise. Deliberately absent: what other implementations think
//! (`tests/foreign_vectors.rs`).

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::inside::{Inside, Shape};
use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

pub(super) static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let compiled = |name| Dialect::compile(name, &|n| shipped(n).map(str::to_owned)).unwrap();
    shipped_names().map(compiled).collect()
});

/// A small generator: one seed, one message (splitmix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick(&mut self, from: &[u8]) -> u8 {
        from[self.below(from.len())]
    }
}

fn character(dice: &mut Dice, field: &Field) -> u8 {
    match field.class() {
        Class::N | Class::Xn => dice.pick(b"0123456789"),
        Class::A => dice.pick(b"ABCXYZabc "),
        Class::An | Class::Anp => dice.pick(b"ABCxyz0189 "),
        Class::As => dice.pick(b"AZ /^[]"),
        Class::Ns => dice.pick(b"019-/."),
        // `=` packs as D and so comes back as D: tested apart.
        Class::Z if field.plan.encoding == Encoding::Bcd => dice.pick(b"0123456789D"),
        Class::Z => dice.pick(b"0123456789=D"),
        Class::Ans => 0x20 + dice.below(0x5F) as u8,
        Class::B | Class::Any => dice.next() as u8,
    }
}

/// A value in normal form that suits the field.
fn value(dice: &mut Dice, field: &Field) -> Vec<u8> {
    if let Some(constant) = &field.constant {
        return constant.clone();
    }
    if let Some(content) = field.inside().and_then(|inside| content(dice, field, inside)) {
        return content;
    }
    let (least, most) = (field.min_len(), field.max_len().min(field.min_len() + 70));
    let mut len = least + dice.below(most - least + 1);
    if field.plan.unit == super::plan::Unit::Bytes
        && field.plan.encoding == Encoding::Bcd
        && !field.is_fixed()
        && field.plan.nibble <= 9
    {
        // Nobody could tell the pad from a digit.
        len &= !1;
    }
    let mut value: Vec<u8> = (0..len).map(|_| character(dice, field)).collect();
    if field.class() == Class::Xn {
        value[0] = dice.pick(b"CD");
    }
    value
}

/// The content of a composite, short enough for its field; `None` where none fits.
pub(super) fn content(dice: &mut Dice, field: &Field, inside: &Inside) -> Option<Vec<u8>> {
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    for part in inside.parts() {
        let positional = inside.shape == Shape::Positional;
        if positional && part.is_optional() && dice.below(3) == 0 {
            break;
        }
        if !positional && dice.below(2) == 0 {
            continue;
        }
        parts.push((part.key().to_owned(), value(dice, part.field())));
    }
    loop {
        let given: Vec<(&str, &[u8])> =
            parts.iter().map(|(k, v)| (k.as_str(), v.as_slice())).collect();
        let mut out = Vec::new();
        inside.compose(&given, &mut out).ok()?;
        if out.len() <= field.max_len() {
            return (out.len() >= field.min_len()).then_some(out);
        }
        parts.pop()?;
    }
}

pub(super) fn message(dice: &mut Dice, dialect: &Dialect) -> Message {
    let mut msg = Message::new();
    let class = dice.pick(b"12345678");
    let version = b'0' + dialect.version().unwrap_or(0);
    let mti = [version, class, dice.pick(b"012345"), dice.pick(b"012345")];
    msg.set_mti(Mti::new(&mti).unwrap());
    if let Some(header) = dialect.header() {
        let own = header_of(dice, header);
        msg.set_header(Some(&own));
    }
    let mut budget = 6_000_usize;
    for (de, field) in dialect.fields().iter() {
        if dice.below(3) > 0 {
            continue;
        }
        let value = value(dice, field);
        budget = budget.saturating_sub(2 * value.len() + 6);
        if budget > 0 {
            msg.set(de, &value).unwrap();
        }
    }
    let needed = msg.fields().last().map_or(1, |de| de.div_ceil(64));
    msg.set_bitmaps(needed.max(dialect.bitmap.least));
    msg
}

fn header_of(dice: &mut Dice, header: &Header) -> Vec<u8> {
    let inside = header.field.inside().unwrap();
    let mut parts = Vec::new();
    for part in inside.parts().iter().filter(|p| !p.is_optional()) {
        parts.push((part.key().to_owned(), value(dice, part.field())));
    }
    if let Some((_, length)) = parts.first_mut().filter(|_| header.length_at.is_some()) {
        *length = vec![22];
    }
    let given: Vec<(&str, &[u8])> = parts.iter().map(|(k, v)| (k.as_str(), v.as_slice())).collect();
    let mut out = Vec::new();
    header.compose(&given, &mut out).unwrap();
    out
}

/// What a dialect accepts it gives back, through the message and through JSON.
fn gives_back(dialect: &Dialect, frame: &[u8]) -> Result<(), TestCaseError> {
    let mut msg = Message::new();
    if unpack(dialect, frame, &mut msg).is_err() {
        return Ok(());
    }
    let mut again = Vec::new();
    let packed = pack(dialect, &msg, &mut again);
    prop_assert!(packed.is_ok(), "{}: {packed:?}", dialect.name());
    prop_assert_eq!(&again, frame, "{}", dialect.name());
    let json = to_json(dialect, &msg, true);
    let back = from_json(dialect, &json);
    prop_assert_eq!(back.as_ref(), Ok(&msg), "{}: {}", dialect.name(), json);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_packed_unpacks_to_the_same(seed in any::<u64>(), which in 0..100_usize) {
        let dialect = &DIALECTS[which % DIALECTS.len()];
        let msg = message(&mut Dice(seed), dialect);
        let mut frame = Vec::new();
        let packed = pack(dialect, &msg, &mut frame);
        prop_assert!(packed.is_ok(), "{}: {packed:?}", dialect.name());
        let mut back = Message::new();
        let done = unpack(dialect, &frame, &mut back);
        prop_assert!(done.is_ok(), "{}: {done:?}", dialect.name());
        prop_assert_eq!(&back, &msg);
        gives_back(dialect, &frame)?;
    }

    #[test]
    fn damaged_frames_are_refused_or_given_back(
        seed in any::<u64>(), which in 0..100_usize, at in any::<usize>(), byte in any::<u8>(),
        cut in any::<usize>(),
    ) {
        let dialect = &DIALECTS[which % DIALECTS.len()];
        let mut frame = Vec::new();
        pack(dialect, &message(&mut Dice(seed), dialect), &mut frame).unwrap();
        let len = frame.len();
        frame[at % len] = byte;
        gives_back(dialect, &frame)?;
        frame.truncate(cut % len);
        gives_back(dialect, &frame)?;
    }

    #[test]
    fn noise_never_panics(
        which in 0..100_usize, noise in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let dialect = &DIALECTS[which % DIALECTS.len()];
        gives_back(dialect, &noise)?;
        let mut msg = Message::new();
        if let Err(error) = unpack(dialect, &noise, &mut msg) {
            let _ = describe_error(dialect, &msg, &noise, &error, false);
        }
        let _ = describe(dialect, &msg, true);
    }
}
