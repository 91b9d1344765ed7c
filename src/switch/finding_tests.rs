//! Which transaction is meant, row by row: what contradicts, what narrows, and what it proves that
//! nothing is found. `docs/originals.md` says the same in words.

use super::finding::{Body, Candidate, Found, Standing, Stated, find};
use super::ids::RecordNo;
use super::library::Coverage;
use super::record::{BankKeys, Intent, Origin, Owed, Queued};
use crate::canonical::{Flow, Kind, OriginalData, Reason, TransactionType};
use crate::money::{Amount, Currency};
use crate::sensitive::Pan;
use crate::text::Text;
use crate::time::Wall;
use std::sync::Arc;

/// 22 November 2026, noon.
const NOON_S: i64 = 1_795_348_800;

fn text<const N: usize>(s: &str) -> Text<N> {
    s.parse().unwrap_or_default()
}

fn wall(seconds: i64) -> Wall {
    Wall::from_millis((NOON_S + seconds) * 1_000)
}

fn amount(minor: u64, currency: u16) -> Option<Amount> {
    Currency::new(currency).map(|currency| Amount::new(minor, currency))
}

fn card(number: &str) -> Option<Pan> {
    Pan::new(number.as_bytes()).ok()
}

/// A sale of 1.00 a minute before noon.
fn asked() -> Origin {
    Origin {
        mti: text("0200"),
        transmission: Some(text("1122115900")),
        stan: 17,
        local_time: Some(text("115900")),
        local_date: Some(text("1122")),
        acquirer: Some(text("123456")),
        rrn: Some(text("000000000017")),
        terminal: Some(text("T1")),
        merchant: Some(text("SHOP")),
        batch: Some(1),
        ..Origin::default()
    }
}

fn told(kind: TransactionType) -> Queued {
    let keys = BankKeys::default();
    Queued {
        origin: Some(asked()),
        platform: Some(text("north")),
        pan: card("4111111111111111"),
        amount: amount(100, 978),
        ..Queued::bare(
            wall(-60),
            text("alfa"),
            (Owed::Repeat, Kind::Transaction(kind), Flow::Advice),
            Reason::Accepted,
            keys,
        )
    }
}

fn candidate(no: u64, queued: Queued) -> Candidate {
    Candidate {
        no: RecordNo(no),
        body: Body::Told(Arc::new(queued)),
        granted: None,
        auth_id: Some(text("A1B2C3")),
        rrn: Some(text("632612000123")),
        local_date: None,
        kept: None,
        standing: Standing::Stands,
        at_bank: super::standing::Standing::default(),
    }
}

/// The same with other names.
fn called(no: u64, change: impl FnOnce(&mut Origin)) -> Candidate {
    let mut queued = told(TransactionType::Purchase);
    if let Some(origin) = &mut queued.origin {
        change(origin);
    }
    candidate(no, queued)
}

fn sale() -> Candidate {
    candidate(1, told(TransactionType::Purchase))
}

/// Its reversal, which names it in full.
fn reversal() -> Stated {
    Stated {
        platform: text("north"),
        kind: Kind::Reversal(TransactionType::Purchase),
        own: Origin {
            mti: text("0420"),
            transmission: Some(text("1122120000")),
            stan: 18,
            terminal: Some(text("T1")),
            merchant: Some(text("SHOP")),
            ..Origin::default()
        },
        named: OriginalData {
            mti: Some(text("0200")),
            stan: Some(17),
            transmission: Some(text("1122115900")),
            ..OriginalData::default()
        },
        pan: card("4111111111111111"),
        amount: amount(100, 978),
        auth_id: None,
        now: wall(0),
    }
}

fn stating(change: impl FnOnce(&mut Stated)) -> Stated {
    let mut stated = reversal();
    change(&mut stated);
    stated
}

fn said(found: &Found) -> String {
    match found {
        Found::This(one) => format!("this {}", one.no),
        Found::Contradicted(_, de) => format!("F{de} differs"),
        Found::Several => "several".to_owned(),
        Found::NeverSent => "never sent".to_owned(),
        Found::Unknowable => "cannot know".to_owned(),
        Found::Forgotten => "forgotten".to_owned(),
    }
}

/// What is found among these, where the records are complete.
fn among(stated: &Stated, candidates: Vec<Candidate>) -> String {
    said(&find(stated, candidates, false, Coverage::default()))
}

type Change = fn(&mut Stated);

/// What is said of a sale that was asked for once, and what is found.
#[test]
fn each_element_that_contradicts() {
    let rows: [(&str, Change, &str); 24] = [
        ("nothing differs", |_| {}, "this 1"),
        ("F2", |s| s.pan = card("5555555555554444"), "F2 differs"),
        (
            "F2 of another terminal",
            |s| (s.pan, s.own.terminal) = (card("5555555555554444"), Some(text("T2"))),
            "never sent",
        ),
        ("F49", |s| s.amount = amount(100, 840), "F49 differs"),
        ("F4", |s| s.amount = amount(90, 978), "F4 differs"),
        ("no F4", |s| s.amount = None, "this 1"),
        ("F42", |s| s.own.merchant = Some(text("OTHER")), "F42 differs"),
        ("no F42", |s| s.own.merchant = None, "this 1"),
        ("another platform of the shop", |s| s.platform = text("south"), "this 1"),
        (
            "another platform, no shop",
            |s| (s.platform, s.own.merchant) = (text("south"), None),
            "never sent",
        ),
        ("F41 alone", |s| s.own.terminal = Some(text("T2")), "this 1"),
        ("F32", |s| s.named.acquirer = Some(text("999999")), "F32 differs"),
        ("F32 with zeros", |s| s.named.acquirer = Some(text("00000123456")), "this 1"),
        ("F32 of zeros", |s| s.named.acquirer = Some(text("00000000000")), "this 1"),
        ("batch", |s| s.named.batch = Some(2), "F60 differs"),
        ("F37 at the exact time", |s| s.own.rrn = Some(text("000000000018")), "this 1"),
        ("F38 at the exact time", |s| s.auth_id = Some(text("ZZZZZZ")), "this 1"),
        (
            "F37 a minute off",
            |s| {
                s.named.transmission = Some(text("1122115800"));
                s.own.rrn = Some(text("000000000018"));
            },
            "F37 differs",
        ),
        (
            "F38 a minute off",
            |s| {
                s.named.transmission = Some(text("1122115800"));
                s.auth_id = Some(text("ZZZZZZ"));
            },
            "F38 differs",
        ),
        ("a minute off", |s| s.named.transmission = Some(text("1122115800")), "this 1"),
        ("an hour off", |s| s.named.transmission = Some(text("1122105900")), "F7 differs"),
        (
            "an hour off, the same F37",
            |s| {
                s.named.transmission = Some(text("1122105900"));
                s.own.rrn = Some(text("000000000017"));
            },
            "this 1",
        ),
        (
            "an hour off, and F4",
            |s| {
                s.named.transmission = Some(text("1122105900"));
                s.amount = amount(90, 978);
            },
            "never sent",
        ),
        ("another trace number", |s| s.named.stan = Some(16), "never sent"),
    ];
    for (what, change, expected) in rows {
        assert_eq!(among(&stating(change), vec![sale()]), expected, "{what}");
    }
}

#[test]
fn a_day_contradicts_where_no_time_is_stated() {
    let on =
        |day: &str| stating(|s| (s.named.transmission, s.named.date) = (None, Some(text(day))));
    assert_eq!(among(&on("1122"), vec![sale()]), "this 1");
    assert_eq!(among(&on("1120"), vec![sale()]), "F13 differs");
}

#[test]
fn what_was_granted_is_as_good_as_what_was_asked() {
    let granted = || Candidate { granted: amount(60, 978), ..sale() };
    for (minor, expected) in [(100, "this 1"), (60, "this 1"), (70, "F4 differs")] {
        let stated = stating(|s| s.amount = amount(minor, 978));
        assert_eq!(among(&stated, vec![granted()]), expected, "{minor}");
    }
}

#[test]
fn each_kind_follows_what_it_can_follow() {
    use TransactionType::{
        Balance, Completion, CompletionVoid, PreAuthorization as Hold,
        PreAuthorizationVoid as HoldVoid, Purchase, Refund, Void,
    };
    let rows: [(TransactionType, &[TransactionType], &[TransactionType]); 5] = [
        (Completion, &[Hold], &[Purchase, Completion, Refund, Balance]),
        (HoldVoid, &[Hold], &[Purchase, Completion, Refund, Balance]),
        (CompletionVoid, &[Completion], &[Purchase, Hold, Refund, Balance]),
        (Refund, &[Purchase, Completion], &[Hold, Refund, Balance]),
        (Void, &[Purchase, Refund, Hold, Completion], &[Balance]),
    ];
    for (kind, fits, not) in rows {
        let stated = stating(|s| s.kind = Kind::Transaction(kind));
        let found = |of: &TransactionType| among(&stated, vec![candidate(1, told(*of))]);
        for of in fits {
            assert_eq!(found(of), "this 1", "{kind:?} of {of:?}");
        }
        for of in not {
            assert_eq!(found(of), "F3 differs", "{kind:?} of {of:?}");
        }
    }
    let balance = vec![candidate(1, told(Balance))];
    assert_eq!(among(&reversal(), balance), "this 1", "a reversal reverses anything");
}

/// Two that fit, and what tells which one is meant.
#[test]
fn each_element_that_narrows() {
    let same = |no| called(no, |_| {});
    let other_mti = |no| called(no, |o| o.mti = text("0100"));
    let other_desk = |no| called(no, |o| o.terminal = Some(text("T2")));
    let near = |no| called(no, |o| o.transmission = Some(text("1122115930")));
    let other_time = |no| called(no, |o| o.local_time = Some(text("115930")));
    let other_rrn =
        |no| Candidate { rrn: None, ..called(no, |o| o.rrn = Some(text("000000000099"))) };
    let other_code = |no| Candidate { auth_id: Some(text("ZZZZZZ")), ..same(no) };
    let gone = |no, standing| Candidate { standing, ..same(no) };
    let elsewhere = |no| {
        let queued = told(TransactionType::Purchase);
        candidate(no, Queued { platform: Some(text("south")), ..queued })
    };
    let rrn = stating(|s| s.own.rrn = Some(text("000000000017")));
    let code = stating(|s| s.auth_id = Some(text("A1B2C3")));
    let time = stating(|s| s.own.local_time = Some(text("115900")));
    let rows = [
        ("nothing", reversal(), [same(1), same(2)], "several"),
        ("the exact time", reversal(), [same(1), near(2)], "this 1"),
        ("F37", rrn, [same(1), other_rrn(2)], "this 1"),
        ("F12", time, [same(1), other_time(2)], "this 1"),
        ("F38", code, [same(1), other_code(2)], "this 1"),
        ("taken back", reversal(), [same(1), gone(2, Standing::TakenBack)], "this 1"),
        ("not granted", reversal(), [same(1), gone(2, Standing::Denied)], "this 1"),
        ("its end unknown", reversal(), [same(1), gone(2, Standing::Unknown)], "several"),
        ("the platform", reversal(), [same(1), elsewhere(2)], "this 1"),
        ("F41", reversal(), [same(1), other_desk(2)], "this 1"),
        ("the MTI", reversal(), [same(1), other_mti(2)], "this 1"),
        ("time before F41", reversal(), [other_desk(1), near(2)], "this 1"),
        (
            "what stands before F41",
            reversal(),
            [other_desk(1), gone(2, Standing::TakenBack)],
            "this 1",
        ),
    ];
    for (what, stated, candidates, expected) in rows {
        assert_eq!(among(&stated, candidates.to_vec()), expected, "{what}");
        // In whatever order they come.
        let [one, two] = candidates;
        assert_eq!(among(&stated, vec![two, one]), expected, "{what}");
    }
    let both = [Standing::TakenBack, Standing::Denied].map(|standing| gone(2, standing));
    assert_eq!(among(&reversal(), both.to_vec()), "several", "none of both stands");
}

/// Without original data its own trace number, `F37`, `F38` or its time may say which one.
#[test]
fn what_names_an_original_without_original_data() {
    let at = |f7: &str, seconds| {
        stating(|s| {
            s.named = OriginalData::default();
            (s.own.transmission, s.now) = (Some(text(f7)), wall(seconds));
        })
    };
    let later = || at("1122123000", 1_800);
    let with = |change: fn(&mut Stated)| {
        let mut stated = later();
        change(&mut stated);
        stated
    };
    let refund = |change: fn(&mut Stated)| {
        let mut stated = with(change);
        stated.kind = Kind::Transaction(TransactionType::Refund);
        stated
    };
    let rows = [
        ("just asked for", at("1122120500", 300), "this 1"),
        ("half an hour ago", later(), "F90 differs"),
        ("its own trace number", with(|s| s.own.stan = 17), "this 1"),
        ("the platform's F37", with(|s| s.own.rrn = Some(text("000000000017"))), "this 1"),
        ("the bank's F37", with(|s| s.own.rrn = Some(text("632612000123"))), "this 1"),
        ("another F37", with(|s| s.own.rrn = Some(text("000000000099"))), "never sent"),
        ("F38", with(|s| s.auth_id = Some(text("A1B2C3"))), "this 1"),
        ("another card", with(|s| s.pan = card("5555555555554444")), "never sent"),
        ("a refund by F38", refund(|s| s.auth_id = Some(text("A1B2C3"))), "this 1"),
        ("a refund by another F38", refund(|s| s.auth_id = Some(text("ZZZZZZ"))), "never sent"),
        ("a refund by its card alone", refund(|_| {}), "never sent"),
    ];
    for (what, stated, expected) in rows {
        assert_eq!(among(&stated, vec![sale()]), expected, "{what}");
    }
    let several = vec![sale(), called(2, |o| o.stan = 19)];
    assert_eq!(among(&at("1122120500", 300), several), "several", "two of a card at once");
}

/// Nothing fits: what that proves, by how far the records reach.
#[test]
fn none_is_a_proof_only_where_the_records_reach() {
    let since = |seconds| Coverage { since: Some(wall(seconds)) };
    let by_card = stating(|s| s.named.transmission = None);
    let nameless = stating(|s| (s.named.transmission, s.pan) = (None, None));
    let ahead = stating(|s| s.named.transmission = Some(text("1122140000")));
    let rows = [
        ("all there ever was", reversal(), Coverage::default(), "never sent"),
        ("two hours", reversal(), since(-7_200), "never sent"),
        ("not an hour before it: clocks", reversal(), since(-1_800), "cannot know"),
        ("later than it", reversal(), since(0), "forgotten"),
        ("no time", by_card.clone(), since(-7_200), "cannot know"),
        ("no time, all records", by_card, Coverage::default(), "never sent"),
        ("neither card nor time", nameless, Coverage::default(), "cannot know"),
        ("two hours from now", ahead, since(-7_200), "cannot know"),
    ];
    for (what, stated, coverage, expected) in rows {
        assert_eq!(said(&find(&stated, vec![], false, coverage)), expected, "{what}");
    }
    let full = |stated: &Stated| said(&find(stated, vec![], true, Coverage::default()));
    assert_eq!(full(&reversal()), "cannot know", "there were more than can be looked at");
    let refund = stating(|s| s.kind = Kind::Transaction(TransactionType::Refund));
    assert_eq!(full(&refund), "several", "there were more than can be looked at");
}

#[test]
fn what_moved_no_money_contradicts_nothing() {
    for (standing, expected) in [
        (Standing::Stands, "F4 differs"),
        (Standing::Open, "F4 differs"),
        (Standing::Owed, "F4 differs"),
        (Standing::Partly, "F4 differs"),
        (Standing::Unknown, "F4 differs"),
        (Standing::TakenBack, "never sent"),
        (Standing::Denied, "never sent"),
    ] {
        let stated = stating(|s| s.amount = amount(90, 978));
        let one = Candidate { standing, ..sale() };
        assert_eq!(among(&stated, vec![one]), expected, "{standing:?}");
    }
}

/// The debit and the credit of a top-up, or two banks that were tried: one request.
#[test]
fn the_last_leg_of_a_request_tells_of_it() {
    let (pan, amount) = (card("4111111111111111"), amount(100, 978));
    let leg = |no: u64, bank: &str| Candidate {
        body: Body::Asked(Arc::new(Intent::bare(
            wall(-60),
            (text("north"), asked()),
            (text(bank), BankKeys::default()),
            (pan.clone(), amount),
        ))),
        ..candidate(no, told(TransactionType::Purchase))
    };
    assert_eq!(among(&reversal(), vec![leg(1, "alfa"), leg(2, "brook")]), "this 2");
}
