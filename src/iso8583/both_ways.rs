//! The short way and the general way agree, for every shipped dialect and for any bytes: what is
//! accepted, what it means, what is refused, and with which words.
//!
//! Contract: the general way is the same dialect without its table of short ways. That the short
//! look at a composite accepts only what the full one does is shown apart, on contents.
//! Deliberately absent: whether either is right ([`super::round_trips`]).

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::inside::Inside;
use super::round_trips::{DIALECTS, Dice, content, message};
use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

/// The dialects again, everything by plan.
static BY_PLAN: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let by_plan = |name| {
        let text = |n: &str| shipped(n).map(str::to_owned);
        let mut dialect = Dialect::compile(name, &text).unwrap();
        dialect.quick = quick::table(&[]);
        dialect
    };
    shipped_names().map(by_plan).collect()
});

/// Every composite of every dialect, with its field.
static COMPOSITES: LazyLock<Vec<(&'static Field, &'static Inside)>> = LazyLock::new(|| {
    let fields = DIALECTS.iter().flat_map(|dialect| dialect.fields().iter());
    fields.filter_map(|(_, field)| Some((field, field.inside()?))).collect()
});

fn unpacked_alike(which: usize, frame: &[u8]) -> Result<(), TestCaseError> {
    let (mut quick, mut slow) = (Message::new(), Message::new());
    // Memory that was used before must not show.
    let _ = unpack(&DIALECTS[which], &[0x11; 700], &mut quick);
    let short = unpack(&DIALECTS[which], frame, &mut quick);
    let general = unpack(&BY_PLAN[which], frame, &mut slow);
    prop_assert_eq!(&short, &general, "{}", DIALECTS[which].name());
    prop_assert_eq!(&quick, &slow);
    for de in slow.fields() {
        prop_assert_eq!(quick.raw_span(de), slow.raw_span(de));
    }
    indexed_alike(which, frame, &general, &quick)?;
    packed_alike(which, &quick)
}

/// The index refuses less, finds the same places, and each value read alone is the same.
fn indexed_alike(
    which: usize,
    frame: &[u8],
    unpacked: &Result<(), UnpackError>,
    msg: &Message,
) -> Result<(), TestCaseError> {
    let dialect = &DIALECTS[which];
    let mut places = Index::new();
    match (index(dialect, frame, &mut places), unpacked) {
        (Err(refused), Err(unpacked)) if refused == *unpacked => Ok(()),
        (Err(refused), Err(unpacked)) => {
            // The value of a field before was wrong, too.
            prop_assert!(unpacked.offset <= refused.offset, "{refused} {unpacked}");
            Ok(())
        }
        (Err(refused), Ok(())) => {
            prop_assert!(false, "{}: {refused}", dialect.name());
            Ok(())
        }
        (Ok(()), Err(_)) => Ok(()),
        (Ok(()), Ok(())) => {
            prop_assert_eq!(places.mti(), msg.mti());
            prop_assert!(places.fields().eq(msg.fields()));
            for de in msg.fields() {
                prop_assert_eq!(places.span(de), msg.raw_span(de));
                let value = places.value(dialect, frame, de);
                prop_assert_eq!(value, Ok(msg.get(de)), "{}: F{}", dialect.name(), de);
            }
            Ok(())
        }
    }
}

fn packed_alike(which: usize, msg: &Message) -> Result<(), TestCaseError> {
    let (mut quick, mut slow) = (b"before".to_vec(), b"before".to_vec());
    let short = pack(&DIALECTS[which], msg, &mut quick);
    let general = pack(&BY_PLAN[which], msg, &mut slow);
    prop_assert_eq!(short, general, "{}", DIALECTS[which].name());
    prop_assert_eq!(quick, slow);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_are_read_alike(
        seed in any::<u64>(), which in 0..100_usize, at in any::<usize>(), byte in any::<u8>(),
        cut in any::<usize>(),
    ) {
        let which = which % DIALECTS.len();
        let mut frame = Vec::new();
        pack(&DIALECTS[which], &message(&mut Dice(seed), &DIALECTS[which]), &mut frame).unwrap();
        unpacked_alike(which, &frame)?;
        let len = frame.len();
        frame[at % len] = byte;
        unpacked_alike(which, &frame)?;
        frame.truncate(cut % len);
        unpacked_alike(which, &frame)?;
    }

    #[test]
    fn noise_is_read_alike(
        which in 0..100_usize, noise in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        unpacked_alike(which % DIALECTS.len(), &noise)?;
    }

    #[test]
    fn values_of_any_kind_are_written_alike(
        seed in any::<u64>(), which in 0..100_usize, de in 2..=192_u8,
        value in prop::collection::vec(any::<u8>(), 0..60), digits in "[0-9]{0,45}",
    ) {
        let which = which % DIALECTS.len();
        let mut msg = message(&mut Dice(seed), &DIALECTS[which]);
        for other in [&value[..], digits.as_bytes()] {
            msg.set(de, other).unwrap();
            packed_alike(which, &msg)?;
        }
    }

    #[test]
    fn the_short_look_at_a_composite_accepts_nothing_more(
        seed in any::<u64>(), which in any::<usize>(), at in any::<usize>(), byte in any::<u8>(),
        cut in any::<usize>(),
    ) {
        let (field, inside) = COMPOSITES[which % COMPOSITES.len()];
        let Some(mut value) = content(&mut Dice(seed), field, inside) else { return Ok(()) };
        let agrees = |value: &[u8]| !inside.holds(value, 0) || inside.check(value, 0).is_ok();
        prop_assert!(agrees(&value), "{}", field.name());
        if !value.is_empty() {
            let len = value.len();
            value[at % len] = byte;
            prop_assert!(agrees(&value), "{}", field.name());
            value.truncate(cut % len);
            prop_assert!(agrees(&value), "{}", field.name());
        }
    }
}
