//! The short way of fields against the general one: the same meaning, the same message, the same
//! error, whatever stands in the fields and whichever dialect they go to.

use super::*;
use crate::iso8583::shipped_names;
use crate::meaning::Answer;
use proptest::prelude::*;
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> =
    LazyLock::new(|| shipped_names().map(dialect).filter(|d| d.rules().translates()).collect());

/// Reads the general way and the short one.
fn read_both(dialect: &Dialect, message: &Message) -> Option<Canonical> {
    let (mut short, mut general) = (empty(), empty());
    let shortly = read::read::<true>(dialect.rules(), message, &mut short);
    let generally = read::read::<false>(dialect.rules(), message, &mut general);
    assert_eq!(shortly, generally, "{} {message:?}", dialect.name());
    shortly.ok()?;
    assert_eq!(short, general, "{} {message:?}", dialect.name());
    Some(short)
}

/// Writes the general way and the short one.
fn write_both(dialect: &Dialect, from: &Canonical) -> Option<Message> {
    let (mut short, mut general) = (Message::new(), Message::new());
    // Room, as a session has it: without room nothing is written shortly.
    short.set(48, &[b'0'; 900]).unwrap();
    let shortly = write::write::<true>(dialect.rules(), from, &mut short);
    let generally = write::write::<false>(dialect.rules(), from, &mut general);
    assert_eq!(shortly, generally, "{} {from:?}", dialect.name());
    shortly.ok()?;
    assert_eq!(short, general, "{} {from:?}", dialect.name());
    for de in short.fields() {
        assert_eq!(short.get(de), general.get(de), "F{de} in {} {from:?}", dialect.name());
    }
    Some(short)
}

/// A transaction, its reversal, whole or in part, or an answer, with what dialects differ in.
fn meanings() -> impl Iterator<Item = Canonical> {
    let kinds = TransactionType::ALL.into_iter();
    let legs = [Flow::Request, Flow::Advice, Flow::Response, Flow::AdviceResponse];
    kinds.flat_map(move |kind| legs.map(|flow| (kind, flow))).flat_map(|(kind, flow)| {
        let mut plain = transaction(kind, flow);
        plain.rrn = text("000000000001");
        plain.acquirer = text("123456");
        if flow.is_answer() {
            plain.answer = Some(Answer::Own(Reason::Accepted));
            plain.auth_id = text("A12345");
        }
        let mut reversal = Canonical { kind: Kind::Reversal(kind), ..plain.clone() };
        reversal.reason = Some(Reason::Timeout);
        let stan = Some(42);
        reversal.original = Some(OriginalData { stan, ..OriginalData::default() });
        let mut partial = reversal.clone();
        partial.replacement_amount = partial.amount.map(|a| Amount { minor: a.minor / 2, ..a });
        [plain, reversal, partial]
    })
}

#[test]
fn what_is_said_is_the_same_in_every_dialect() {
    let mut written = 0;
    for from in meanings() {
        for there in &*DIALECTS {
            let Some(message) = write_both(there, &from) else { continue };
            written += 1;
            read_both(there, &message);
        }
    }
    assert!(written > 100, "{written}");
}

/// A value for a field: digits, letters, spaces behind, now and then what is none of them.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let short = "[0-9]{1,19}|0{1,12}|[A-Z0-9]{1,16} {0,20}| {1,15}|[ -~]{0,40}|[0-9A-Z\n ]{2,12}";
    prop_oneof![
        9 => short.prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn whatever_stands_in_fields_is_read_and_passed_on_the_same(
        pick in any::<proptest::sample::Index>(),
        through in any::<proptest::sample::Index>(),
        fields in proptest::collection::vec((any::<proptest::sample::Index>(), value()), 1..4),
    ) {
        let from = pick.get(&meanings().collect::<Vec<_>>()).clone();
        let here = through.get(&DIALECTS);
        let Some(mut message) = write_both(here, &from) else { return Ok(()) };
        for (which, value) in &fields {
            let link = which.get(here.rules().fields().links());
            message.set(link.de, value).unwrap();
        }
        if let Some(meaning) = read_both(here, &message) {
            for there in &*DIALECTS {
                write_both(there, &meaning);
            }
        }
    }

    #[test]
    fn whatever_is_meant_is_written_the_same(
        terminal in "[ -~]{1,16}",
        merchant in "[ -~]{1,35}",
        mode in "[0-9A-Z]{1,12}",
        acquirer in "[0-9]{1,11}",
        minor in any::<u64>(),
        digits in 0_u32..19,
        pan in "[0-9]{8,19}",
    ) {
        for mut from in meanings().step_by(7) {
            (from.terminal, from.merchant) = (text(&terminal), text(&merchant));
            (from.pos_entry_mode, from.acquirer) = (text(&mode), text(&acquirer));
            from.amount = from.amount.map(|a| Amount { minor: minor % 10_u64.pow(digits), ..a });
            from.pan = Pan::new(pan.as_bytes()).ok();
            for there in &*DIALECTS {
                write_both(there, &from);
            }
        }
    }
}
