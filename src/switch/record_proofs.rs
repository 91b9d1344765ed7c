//! Properties of records as bytes and as JSON.
//!
//! Contract: every record a generator can make comes back whole; no bytes make a panic; a dump
//! shows no card number.

use super::duplicates::Likeness;
use super::ids::RecordNo;
use super::input::DeskVerb;
use super::originals::keys_of;
use super::proof::Knowledge;
use super::record::*;
use super::record_bytes::RecordError;
use super::record_json::describe;
use super::role::{Debited, Role};
use crate::canonical::Carried;
use crate::meaning::{Flow, Kind, NetworkFunction, Reason, ResponseClass, Sent, TransactionType};
use crate::money::{Amount, Currency};
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::{Day, Wall};
use proptest::option::of;
use proptest::prelude::*;
use std::sync::Arc;

fn text<const N: usize>() -> BoxedStrategy<Text<N>> {
    proptest::collection::vec(0x20_u8..0x7F, 0..=N.min(12))
        .prop_map(|bytes| Text::new(&bytes).unwrap_or_default())
        .boxed()
}

fn wall() -> BoxedStrategy<Wall> {
    any::<i64>().prop_map(Wall::from_millis).boxed()
}

fn pan() -> BoxedStrategy<Option<Pan>> {
    of(proptest::collection::vec(b'0'..=b'9', 8..=19))
        .prop_map(|digits| digits.and_then(|digits| Pan::new(&digits).ok()))
        .boxed()
}

fn amount() -> BoxedStrategy<Option<Amount>> {
    of((any::<u64>(), 0_u16..1000))
        .prop_map(|a| a.and_then(|(minor, code)| Some(Amount::new(minor, Currency::new(code)?))))
        .boxed()
}

fn day() -> BoxedStrategy<Day> {
    wall().prop_map(Day::of).boxed()
}

fn no() -> BoxedStrategy<RecordNo> {
    any::<u64>().prop_map(RecordNo).boxed()
}

fn reason() -> BoxedStrategy<Reason> {
    proptest::sample::select(Reason::ALL.to_vec()).boxed()
}

fn kind() -> BoxedStrategy<Kind> {
    prop_oneof![
        proptest::sample::select(TransactionType::ALL.to_vec()).prop_map(Kind::Transaction),
        proptest::sample::select(TransactionType::ALL.to_vec()).prop_map(Kind::Reversal),
        Just(Kind::Reconciliation),
        Just(Kind::BatchUpload),
        Just(Kind::NetworkManagement(NetworkFunction::Cutover)),
    ]
    .boxed()
}

fn origin() -> BoxedStrategy<Origin> {
    let ids = (of(text()), of(text()), of(text()), of(text()), of(text()));
    (text(), of(text()), any::<u32>(), of(text()), of(text()), ids, of(any::<u32>()))
        .prop_map(|(mti, transmission, stan, local_time, local_date, ids, batch)| {
            let (acquirer, forwarder, rrn, terminal, merchant) = ids;
            Origin {
                mti,
                transmission,
                stan,
                local_time,
                local_date,
                acquirer,
                forwarder,
                rrn,
                terminal,
                merchant,
                batch,
            }
        })
        .boxed()
}

fn keys() -> BoxedStrategy<BankKeys> {
    (origin(), of(any::<u32>()))
        .prop_map(|(origin, batch)| BankKeys { batch, ..keys_of(&origin) })
        .prop_flat_map(|keys| (Just(keys), of(kind())))
        .prop_map(|(keys, kind)| {
            let sent = kind.map(|kind| Sent { kind, flow: Flow::Advice });
            BankKeys { sent, ..keys }
        })
        .boxed()
}

fn carried() -> BoxedStrategy<Carried> {
    let field = (1_u8..=192, proptest::collection::vec(any::<u8>(), 0..20));
    proptest::collection::vec(field, 0..4)
        .prop_map(|fields| {
            let mut carried = Carried::default();
            fields.iter().for_each(|(de, value)| carried.push(*de, value));
            carried
        })
        .boxed()
}

fn facts() -> BoxedStrategy<CardFacts> {
    let more = (any::<bool>(), of(carried()));
    (of(text()), of(text()), of(text()), of(text()), of(text()), of(text()), of(text()), more)
        .prop_map(
            |(
                expiry,
                processing_code,
                merchant_type,
                pos_entry_mode,
                card,
                network_id,
                condition,
                (special, money),
            )| {
                CardFacts {
                    expiry,
                    processing_code,
                    merchant_type,
                    pos_entry_mode,
                    card_sequence: card,
                    network_id,
                    pos_condition: condition,
                    special,
                    money: money.map(Box::new),
                }
            },
        )
        .boxed()
}

fn debited() -> BoxedStrategy<Arc<Debited>> {
    let names = (text(), text(), of(text()));
    (no(), names, kind(), keys(), pan(), amount(), facts(), amount())
        .prop_map(|(txn, (bank, line, auth_id), kind, keys, pan, amount, facts, left)| {
            let owes = Debt::Desk;
            Arc::new(Debited {
                txn,
                bank,
                line,
                kind,
                keys,
                owes,
                pan,
                amount,
                facts,
                auth_id,
                left,
            })
        })
        .boxed()
}

fn role() -> BoxedStrategy<Role> {
    prop_oneof![
        Just(Role::Whole),
        Just(Role::Debit),
        Just(Role::StandIn),
        debited().prop_map(Role::Credit),
    ]
    .boxed()
}

fn intent() -> BoxedStrategy<Record> {
    let names = (text(), text(), text(), text());
    let debts = proptest::sample::select(vec![Debt::Reversal, Debt::Repeat, Debt::Desk]);
    let last = (any::<u64>(), role(), of(day()));
    let rest = (pan(), amount(), facts(), any::<bool>(), debts, of(no()), last);
    (wall(), names, kind(), origin(), keys(), rest)
        .prop_map(|(at, (platform, bank, line, rule), kind, origin, keys, rest)| {
            let (pan, amount, facts, accepts_partial, owes, original, last) = rest;
            let (policy, role, date) = last;
            let code = facts.processing_code.as_ref();
            let likeness = Likeness::of(&platform, &origin, pan.as_ref(), code, amount);
            Record::Intent(Arc::new(Intent {
                at,
                platform,
                bank,
                line,
                rule,
                kind,
                flow: Flow::Request,
                origin,
                keys,
                pan,
                amount,
                facts,
                accepts_partial,
                owes,
                original,
                referred: original.map(|_| Box::new(BankKeys::default())),
                policy,
                role,
                date,
                likeness,
            }))
        })
        .boxed()
}

fn queued() -> BoxedStrategy<Record> {
    let names = (text(), of(text()), of(text()), of(text()), of(text()));
    let money = (pan(), amount(), amount());
    let knows = proptest::sample::select(Knowledge::ALL.to_vec());
    let later = (of(debited()), of(no()), knows, of(carried()), amount());
    let rest = (of(no()), facts(), of(origin()), wall(), later);
    (wall(), names, kind(), reason(), (keys(), keys()), money, rest)
        .prop_map(
            |(at, names, kind, reason, (keys, original), (pan, amount, replacement), rest)| {
                let (bank, line, platform, original_mti, auth_id) = names;
                let (txn, facts, origin, not_found_final_after, later) = rest;
                let (debit, of, knows, kept, original_amount) = later;
                Record::Queued(Arc::new(Queued {
                    at,
                    txn,
                    bank,
                    line,
                    owed: Owed::PlatformReversal,
                    kind,
                    flow: Flow::Advice,
                    reason,
                    origin,
                    platform,
                    keys,
                    referred: txn.map(|_| Box::new(original.clone())),
                    original,
                    original_mti,
                    pan,
                    amount,
                    replacement,
                    facts,
                    auth_id,
                    not_found_final_after,
                    debit,
                    of,
                    knows,
                    kept: kept.map(Box::new),
                    original_amount,
                    told: txn.map(|_| Told {
                        class: ResponseClass::Declined,
                        code: Text::new(b"51").unwrap_or_default(),
                    }),
                    stated: replacement,
                    stood: amount,
                    asked: txn.map(|txn| txn.0 as u32),
                    about: txn.map(|txn| About {
                        platform: bank,
                        stan: txn.0 as u32,
                        bank_rrn: Text::new(b"632612000123").ok(),
                    }),
                }))
            },
        )
        .boxed()
}

fn outcome() -> BoxedStrategy<Record> {
    let texts = (of(text()), of(text()), of(text()), of(text()));
    let later = (of(text()), of(carried()));
    let classes = proptest::sample::select(vec![ResponseClass::Approved, ResponseClass::Unknown]);
    (no(), wall(), of(classes), of(reason()), texts, amount(), later)
        .prop_map(|(txn, at, class, reason, texts, amount, (local_date, kept))| {
            let (bank_code, auth_id, rrn, settlement_date) = texts;
            Record::Outcome(Outcome {
                txn,
                at,
                leg: Leg::PartiallyApproved,
                class,
                bank_code,
                reason,
                auth_id,
                rrn,
                amount,
                settlement_date,
                local_date,
                kept: kept.map(Box::new),
            })
        })
        .boxed()
}

fn cause() -> BoxedStrategy<Cause> {
    prop_oneof![
        Just(Cause::NotFoundThoughDone),
        Just(Cause::SeveralOriginals),
        any::<u8>().prop_map(Cause::Contradicted),
        any::<u8>().prop_map(Cause::NoPlace),
        Just(Cause::UnmatchedApproval),
        Just(Cause::NoReversal),
        Just(Cause::NothingStands),
        Just(Cause::MoreThanLeft),
        Just(Cause::BookedOtherwise),
        Just(Cause::RepeatDiffers),
        Just(Cause::OriginalOnDesk),
        Just(Cause::NoLiability),
        Just(Cause::NoBank),
    ]
    .boxed()
}

fn closed() -> BoxedStrategy<Record> {
    (no(), wall(), of(text()), of(text()), of(cause()), amount())
        .prop_map(|(entry, at, bank_code, settlement_date, cause, booked)| {
            let ending = Ending::Dead;
            Record::Closed(Closed { entry, at, ending, bank_code, settlement_date, cause, booked })
        })
        .boxed()
}

fn small() -> BoxedStrategy<Record> {
    let verb = of(prop_oneof![
        Just(DeskVerb::Resend),
        text().prop_map(DeskVerb::GiveUp),
        text().prop_map(DeskVerb::Reverse),
        text().prop_map(DeskVerb::Did),
        text().prop_map(DeskVerb::DidNot),
    ]);
    prop_oneof![
        (no(), wall(), any::<u32>(), of(day()), of(any::<u32>())).prop_map(
            |(entry, at, count, date, batch)| {
                Record::Attempt(Attempt { entry, at, count, date, batch })
            }
        ),
        (no(), wall(), of(text()), verb, of(cause())).prop_map(
            |(item, at, operator, verb, cause)| {
                Record::Desk(Desk { operator, verb, ..Desk::put(item, at, cause) })
            }
        ),
        (text(), of(text()), wall(), any::<bool>(), of(any::<u32>()), of(text()), of(text()))
            .prop_map(|(line, terminal, at, signed_on, batch, operator, reason)| {
                let function = NetworkFunction::SignOff;
                Record::LineState(LineState {
                    line,
                    terminal,
                    at,
                    function,
                    signed_on,
                    batch,
                    operator,
                    reason,
                })
            }),
        (text(), wall(), day(), of(text()), of(any::<u32>()), of(text())).prop_map(
            |(bank, at, date, operator, stan, transmission)| {
                Record::Cutover(Cutover { bank, at, date, operator, stan, transmission })
            }
        ),
        (no(), wall(), text(), any::<u32>(), of(text()), amount()).prop_map(
            |(txn, at, bank, stan, settlement_date, amount)| {
                Record::Late(Late {
                    txn: Some(txn),
                    at,
                    bank,
                    stan,
                    leg: Leg::LateApproved,
                    bank_code: None,
                    auth_id: None,
                    amount,
                    class: None,
                    kind: None,
                    rrn: None,
                    terminal: None,
                    merchant: None,
                    batch: None,
                    settlement_date,
                    granted: amount,
                })
            }
        ),
        (wall(), any::<u64>(), any::<bool>())
            .prop_map(|(at, hash, start)| Record::Policy(PolicyStamp { at, hash, start })),
        (text(), wall(), text(), any::<[u8; 16]>()).prop_map(|(line, at, path, digest)| {
            Record::Garbled(GarbledNote { line, at, path, offset: 7, len: 90, digest })
        }),
        no().prop_map(Record::Answered),
        no().prop_map(|no| Record::Forgotten(Forgotten::Window(no))),
    ]
    .boxed()
}

pub(super) fn record() -> BoxedStrategy<Record> {
    prop_oneof![intent(), queued(), outcome(), closed(), small()].boxed()
}

proptest! {
    #[test]
    fn a_record_comes_back_whole_and_its_beginnings_are_errors(record in record()) {
        let mut bytes = vec![];
        record.encode(&mut bytes);
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
        for cut in 0..bytes.len() {
            prop_assert!(Record::decode(&bytes[..cut]).is_err());
        }
        bytes.push(0);
        let left = RecordError::Trailing { at: bytes.len() - 1, left: 1 };
        prop_assert_eq!(Record::decode(&bytes), Err(left));
    }

    #[test]
    fn any_bytes_decode_to_a_record_or_an_error(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        tag in 0_u8..18,
    ) {
        if let [version, first, ..] = &mut bytes[..] {
            *version = 1 + (tag & 1);
            *first = tag;
        }
        if let Ok(record) = Record::decode(&bytes) {
            let mut again = vec![];
            record.encode(&mut again);
            prop_assert_eq!(Record::decode(&again), Ok(record));
        }
    }

    #[test]
    fn a_dump_shows_no_card_number(record in record()) {
        let shown = describe(RecordNo(7), &record).to_string();
        let pan = match &record {
            Record::Intent(intent) => intent.pan.as_ref(),
            Record::Queued(queued) => queued.pan.as_ref(),
            _ => None,
        };
        if let Some(pan) = pan {
            let clear = String::from_utf8_lossy(pan.expose()).into_owned();
            prop_assert!(!shown.contains(&clear));
        }
    }
}

#[test]
fn what_a_newer_build_wrote_is_refused_by_name() {
    assert_eq!(Record::decode(&[99, 1]), Err(RecordError::Version { got: 99 }));
    assert_eq!(Record::decode(&[1, 99]), Err(RecordError::Value { what: "Record", at: 1 }));
}

#[test]
fn an_intent_of_the_first_version_is_one_whole_request() {
    let bank = ("alfa".parse().unwrap_or_default(), BankKeys::default());
    let bare = Intent::bare(Wall::from_millis(1_000), Default::default(), bank, (None, None));
    let kind = Kind::Transaction(TransactionType::TopUp);
    let intent = Intent { kind, line: Text::EMPTY, policy: 7, ..bare };
    let mut later = intent.clone();
    later.keys.sent = Some(Sent { kind: intent.kind, flow: Flow::Request });
    let written = |intent: Intent| {
        let mut bytes = vec![];
        Record::Intent(Arc::new(intent)).encode(&mut bytes);
        bytes
    };
    let (mut bytes, later) = (written(intent.clone()), written(later));
    let record = Record::Intent(Arc::new(intent));
    // What it was sent as, the last two of the facts, and role and date, which are the last two
    // bytes, were not there.
    let sent = bytes.iter().zip(&later).position(|(one, other)| one != other);
    bytes[0] = 1;
    bytes.remove(sent.unwrap_or_default());
    let behind = bytes.split_off(bytes.len() - 7);
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(&behind[..5]);
    assert_eq!(Record::decode(&bytes), Ok(record));
}

#[test]
fn bytes_on_disk_stay_what_they_are() {
    // A journal written by an older build is read by the newer one.
    let moved = |operator: Option<&str>, date: u32| {
        Record::Cutover(Cutover {
            bank: "alfa".parse().unwrap_or_default(),
            at: Wall::from_millis(1_000),
            date: Day::from_number(date).unwrap_or_default(),
            operator: operator.and_then(|name| name.parse().ok()),
            stan: None,
            transmission: None,
        })
    };
    let written = |record: &Record| {
        let mut bytes = vec![];
        record.encode(&mut bytes);
        bytes
    };
    let day = b"\x04\x09\x05alfa\xD0\x0F\x83\xD2\xD4\x09";
    let with_year = |operator| moved(operator, 20_261_123);
    assert_eq!(written(&with_year(Some("anna"))), [&day[..], b"\x05anna\0\0"].concat());
    assert_eq!(written(&with_year(None)), [&day[..], b"\0\0\0"].concat());
    // Days had no year, and nobody had named who moved them.
    let date = b"\x09\x05alfa\xD0\x0F\x051123";
    for older in [b"\x01", b"\x02"] {
        assert_eq!(Record::decode(&[older, &date[..]].concat()), Ok(moved(None, 1123)));
    }
    let third = [b"\x03", &date[..], b"\x05anna"].concat();
    assert_eq!(Record::decode(&third), Ok(moved(Some("anna"), 1123)));
}
