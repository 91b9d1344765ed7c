//! The desk's pages with a driver of paper: who is let in, what is asked, how answers look.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::operators::{
    BankSum, BankVerb, Decided, DeskPage, OperatorDoor, OrderRefused, Ordered, Question, Senseless,
    Swept,
};
use crate::link::Inbox;
use crate::meaning::{Reason, Totals};
use crate::money::{Amount, Currency};
use crate::switch::desk::{Allowed, DeskItem, ItemState, LateItem, LateKind, Refusal, Why};
use crate::switch::ids::{Name, RecordNo};
use crate::switch::input::DeskVerb;
use crate::switch::record::{Cause, Late, Leg, Owed};
use crate::switch::totals::{Bucket, Kept, Period, Standing, TerminalBatch};
use crate::switch::unsettled::{Asked, Doing, Unsettled};
use crate::time::{Instant, Now, Wall};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

const TOKEN: &str = "correct-horse-battery";

fn now() -> Now {
    Now { mono: Instant::from_nanos(0), wall: Wall::from_millis(60_000) }
}

/// Serves the pages; who answers is left to the test.
async fn pages(token: bool, loopback: bool) -> (SocketAddr, mpsc::Receiver<Question>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let token = token.then(|| Zeroizing::new(TOKEN.to_owned()));
    let (door, asked) =
        OperatorDoor::new(Inbox::new(1), token, loopback, Arc::new(Instant::default));
    tokio::task::spawn(async move { axum::serve(socket, super::for_operators(door)).await });
    (address, asked)
}

/// Status and body of one request.
async fn ask(to: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let len = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len}\r\n\
         {headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn item() -> DeskItem {
    DeskItem {
        item: RecordNo(3),
        txn: Some(RecordNo(2)),
        bank: "river".parse().unwrap(),
        amount: Currency::new(978).map(|currency| Amount::new(1_250, currency)),
        booked: None,
        left: None,
        since: Wall::from_millis(0),
        tries: 2,
        next_try: None,
        attention: true,
        state: ItemState::Pausing,
        allowed: ItemState::Pausing.allowed(),
        cause: Some(Cause::NotFoundThoughDone),
        why: Why::Owed(Owed::OwnReversal, Reason::Timeout),
        stan: Some(17),
        original_stan: Some(16),
        rrn: "000000000001".parse().ok(),
        bank_rrn: "632612000123".parse().ok(),
        auth_id: "A1B2C3".parse().ok(),
        terminal: "TERM0001".parse().ok(),
        merchant: "SHOP".parse().ok(),
        platform_stan: Some(4_711),
        platform: None,
        card: Some("411111******1111".to_owned()),
    }
}

fn late() -> LateItem {
    let late = Late {
        txn: Some(RecordNo(2)),
        at: Wall::from_millis(0),
        bank: "river".parse().unwrap(),
        stan: 16,
        leg: Leg::LateApproved,
        bank_code: "00".parse().ok(),
        auth_id: None,
        amount: None,
        class: None,
        kind: None,
        rrn: None,
        terminal: None,
        merchant: None,
        batch: None,
        settlement_date: None,
        granted: None,
    };
    LateItem { no: RecordNo(9), kind: LateKind::Late, late, became: "its reversal is owed" }
}

/// Two batches of a terminal of river, a page at a time.
fn batches(asked: &Asked) -> Result<Vec<Unsettled>, Vec<Name>> {
    let (bank, currency): (Name, _) = ("river".parse().unwrap(), Currency::new(978).unwrap());
    if asked.bank != bank {
        return Err(vec![bank]);
    }
    let terminal = "TERM0001".parse().unwrap();
    let mut totals = Totals::default();
    totals.debits.add(1_250);
    let kept =
        Kept { totals, first: RecordNo(3), last: RecordNo(5), standing: Standing::Unsettled };
    let batch = |batch, doing| Unsettled {
        bucket: Bucket { bank, period: Period::Batch(TerminalBatch { terminal, batch }), currency },
        kept,
        doing,
    };
    let all = [batch(12, Doing::Waits), batch(13, Doing::Nothing)];
    let rest = all.into_iter().filter(|one| asked.after.is_none_or(|after| one.bucket > after));
    Ok(rest.take(asked.limit).collect())
}

/// A driver that knows item 3 and refuses everything about any other.
async fn drive(mut asked: mpsc::Receiver<Question>) {
    while let Some(question) = asked.recv().await {
        match question {
            Question::Desk(listing, answer) => {
                let bank = "river".parse().unwrap();
                let wanted = listing.bank.is_none_or(|wanted| wanted == bank);
                let items = vec![item(); listing.limit.min(usize::from(wanted))];
                let (dead_letters, breaker_open) = (0, true);
                let sum = BankSum { bank, owed: 1, unknown: 1, dead_letters, breaker_open };
                let banks = vec![sum];
                answer.send(DeskPage { now: now(), items, more: None, banks }).unwrap();
            }
            Question::Late(_, answer) => answer.send(vec![late()]).unwrap(),
            Question::Unsettled(asked, answer) => answer.send(batches(&asked)).unwrap(),
            Question::Decide(action, answer) => {
                let (item, verb) = (action.item, action.verb);
                let refused = |state: ItemState, allowed, why| {
                    Err(Refusal { item, state, verb, allowed, why })
                };
                let give_up = Allowed { give_up: true, ..Allowed::NOTHING };
                let said = match (item.0, verb) {
                    (3, DeskVerb::Resend) => {
                        refused(ItemState::AtBank, give_up, "it is being sent already")
                    }
                    (3, DeskVerb::GiveUp(_) | DeskVerb::Did(_)) => {
                        Ok(Decided { item, no: RecordNo(40) })
                    }
                    _ => {
                        let why = "nothing is open under this number";
                        refused(ItemState::Nothing, Allowed::NOTHING, why)
                    }
                };
                answer.send(said).unwrap();
            }
            Question::Sweep(sweep, answer) => {
                let (decided, refused, no) = (64, 1, RecordNo(sweep.after.0 + 200));
                let next_after = (sweep.after.0 == 0).then_some(RecordNo(99));
                let known = sweep.bank.as_str() == "river";
                let swept = Swept { decided, refused, next_after, no };
                let said = known.then_some(swept).ok_or(vec!["river".parse().unwrap()]);
                answer.send(said).unwrap();
            }
            Question::Order(order, answer) => {
                let said = match (order.bank.as_str(), order.verb) {
                    ("river", BankVerb::Cutover) => {
                        let digits = order.date.and_then(|date| date.as_str().parse().ok());
                        let date = digits.and_then(crate::time::Day::from_number);
                        Ok(Ordered { date, questions: vec![], waiting: 0, no: RecordNo(41) })
                    }
                    ("river", BankVerb::SignOff(reason)) => {
                        assert_eq!(reason.as_str(), "works on the line");
                        Ok(Ordered { date: None, questions: vec![], waiting: 0, no: RecordNo(42) })
                    }
                    ("river", BankVerb::SignOn) => {
                        Err(OrderRefused::Senseless(Senseless::AlreadySo))
                    }
                    ("river", BankVerb::Reconcile) => {
                        Err(OrderRefused::Senseless(Senseless::NothingToAsk))
                    }
                    _ => Err(OrderRefused::UnknownBank(vec!["river".parse().unwrap()])),
                };
                answer.send(said).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn only_operators_are_let_in() {
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let wrong = "Authorization: Bearer correct-horse-batterz\r\n";
    let cases: [(bool, bool, &str, u16); 8] = [
        (false, true, "", 200),
        (false, true, "Origin: http://localhost\r\n", 403),
        (false, false, "", 403),
        (true, true, "", 401),
        (true, true, wrong, 401),
        (true, true, &bearer, 200),
        (true, false, &bearer, 200),
        (true, false, "", 401),
    ];
    for (token, loopback, headers, expected) in cases {
        let (to, asked) = pages(token, loopback).await;
        tokio::task::spawn(drive(asked));
        for line in ["GET /desk", "GET /late"] {
            let (status, body) = ask(to, line, headers, "").await;
            assert_eq!(status, expected, "{line} {token} {loopback} {headers}");
            assert_eq!(body["error"].is_string(), expected != 200, "{body}");
        }
        let decision = r#"{"operator":"anna","reason":"booked"}"#;
        let (status, _) = ask(to, "POST /desk/3/give-up", headers, decision).await;
        assert_eq!(status, expected, "{token} {loopback} {headers}");
        let order = r#"{"operator":"anna","date":"0229"}"#;
        let (status, _) = ask(to, "POST /books/river/cutover", headers, order).await;
        assert_eq!(status, expected, "{token} {loopback} {headers}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_asks_nobody() {
    let (to, mut asked) = pages(false, true).await;
    let cases = [
        ("GET /desk?colour=red", "", "known here: after, limit, attention, bank"),
        ("GET /late?bank=river", "", "bank: known here: limit"),
        (
            "POST /desk/3/resend",
            "{\n\"operator\":\n\n",
            "EOF while parsing a value) at line 2 column 11",
        ),
        ("GET /desk?limit=many", "", "limit: expected a number, got \"many\""),
        ("POST /desk/x/resend", r#"{"operator":"anna"}"#, "item: expected a number"),
        ("POST /desk/3/resend", "", "body: expected"),
        ("POST /desk/3/resend", r#"{"operator":"anna","force":true}"#, "unknown field `force`"),
        ("POST /desk/3/resend", r#"{"operator":" "}"#, "operator: is empty"),
        ("POST /desk/3/resend", r#"{"operator":"anna","reason":"why"}"#, "takes no reason"),
        (
            "POST /desk/3/give-up",
            r#"{"operator":"anna","reason":"card 4111 1111 1111 1111"}"#,
            "reason: characters 6 to 24 are what looks like a card number",
        ),
        (
            "POST /desk/3/resend",
            r#"{"operator":"4111-1111-1111-1111"}"#,
            "operator: characters 1 to 19 are what looks like a card number",
        ),
        ("GET /desk?limit=4111111111111111x", "", "limit: expected a number, got \"****"),
        ("POST /desk/4111-1111-1111-1111/resend", r#"{"operator":"anna"}"#, "item: expected"),
        ("POST /books/river/cutover", r#"{"operator":"a","date":"0230"}"#, "date: expected MMDD"),
        ("POST /books/river/cutover", r#"{"operator":"a","date":"+1+1"}"#, "date: expected MMDD"),
        ("POST /books/river/reconcile", r#"{"operator":""}"#, "operator: is empty"),
        ("POST /books/river/reconcile", r#"{"operator":"a","reason":""}"#, "unknown field"),
        ("POST /banks/river/sign-off", r#"{"operator":"anna"}"#, "reason: is empty"),
        ("POST /banks/river/sign-on", r#"{"operator":"a","reason":"x"}"#, "takes no reason"),
        ("POST /desk/3/resend", r#"{"4111111111111111":1}"#, "unknown field `****"),
        ("POST /desk/3/resend", r#"{"operator":4111111111111111}"#, "invalid type"),
        (
            "POST /desk/3/give-up",
            r#"{"operator":"anna","reason":"caf\u00e9"}"#,
            "reason: character 3 is not printable ASCII",
        ),
    ];
    for (line, body, expected) in cases {
        let (status, said) = ask(to, line, "", body).await;
        let error = said["error"].as_str().unwrap_or_default();
        assert!(status == 400 && error.contains(expected), "{line} {body}: {status} {said}");
        assert!(!error.contains("1111"), "a card number is repeated: {error}");
    }
    let nested = "[".repeat(4_000);
    let (status, said) = ask(to, "POST /desk/3/resend", "", &nested).await;
    let error = said["error"].as_str().unwrap_or_default();
    assert!(status == 400 && error.contains("line 1 column"), "{status} {said}");
    let (status, _) = ask(to, "POST /desk/3/resend", "", &"[".repeat(5_000)).await;
    assert_eq!(status, 413);
    assert!(asked.try_recv().is_err(), "somebody was asked");
}

#[tokio::test]
async fn numbers_that_are_no_cards_may_stand_in_a_reason() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    for reason in ["RRN 632612000123, STAN 000123", "call +86 138 0013 8000"] {
        let decision = json!({ "operator": "anna", "reason": reason }).to_string();
        let (status, said) = ask(to, "POST /desk/3/give-up", "", &decision).await;
        assert_eq!(status, 200, "{reason}: {said}");
    }
}

#[tokio::test]
async fn a_refused_decision_says_where_things_stand() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    let (status, said) = ask(to, "POST /desk/3/resend", "", r#"{"operator":"anna"}"#).await;
    assert_eq!(
        (status, &said["state"], &said["allowed"]),
        (409, &json!("at_bank"), &json!(["give-up"]))
    );
    let (status, said) = ask(to, "POST /desk/8/resend", "", r#"{"operator":"anna"}"#).await;
    assert_eq!(
        (status, &said["state"], &said["allowed"]),
        (404, &json!("nothing_open"), &json!([]))
    );
    let decision = r#"{"operator":"anna","reason":"booked"}"#;
    let (status, said) = ask(to, "POST /desk/3/give-up", "", decision).await;
    assert_eq!((status, said), (200, json!({ "item": 3, "decided": "give-up", "record": 40 })));
}

#[tokio::test]
async fn many_items_of_one_bank_and_cause_are_decided_in_steps() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    let said = |bank: &str, cause: &str, after: u64| {
        let (operator, reason) = ("anna", "list of 12 March");
        json!({
            "operator": operator, "reason": reason, "bank": bank, "cause": cause, "after": after,
        })
        .to_string()
    };
    let cause = "not-found-though-done";
    let (status, step) = ask(to, "POST /desk/all/did", "", &said("river", cause, 0)).await;
    assert_eq!((status, &step["decided"], &step["next_after"]), (200, &json!(64), &json!(99)));
    let (status, step) = ask(to, "POST /desk/all/did", "", &said("river", cause, 99)).await;
    assert_eq!((status, &step["refused"], &step["next_after"]), (200, &json!(1), &Value::Null));
    let (status, step) = ask(to, "POST /desk/all/did", "", &said("brook", cause, 0)).await;
    assert_eq!((status, step), (404, unknown()));
    let (status, step) = ask(to, "POST /desk/all/did", "", &said("river", "bad-luck", 0)).await;
    let error = step["error"].as_str().unwrap();
    assert!(status == 400 && error.contains("not_found_though_done"), "{error}");
    let one = r#"{"operator":"anna","reason":"by telephone"}"#;
    let (status, step) = ask(to, "POST /desk/3/did", "", one).await;
    assert_eq!((status, &step["decided"]), (200, &json!("did")));
    assert_eq!(ask(to, "POST /desk/3/undo", "", one).await.0, 400);
}

#[tokio::test]
async fn pages_are_complete_and_masked() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    let (_, said) = ask(to, "GET /desk?limit=1&attention=true", "", "").await;
    assert_eq!(said["next_after"], json!(3));
    assert_eq!(said["banks"][0]["unknown"], json!(1));
    let item = &said["items"][0];
    assert_eq!(item["amount"], json!({ "minor": 1250, "currency": "978", "decimal": "12.50" }));
    assert_eq!((&item["age_s"], &item["stan"]), (&json!(60), &json!("000017")));
    assert_eq!((&item["card"], &item["txn"]), (&json!("411111******1111"), &json!(2)));
    assert_eq!(
        (&item["why"], &item["allowed"]),
        (&json!("our reversal: Timeout"), &json!(["resend", "did", "did-not", "give-up"]))
    );
    let asked_for = ["cause", "auth_id", "bank_rrn", "terminal", "merchant", "platform_stan"];
    assert_eq!(
        asked_for.map(|key| item[key].as_str().unwrap_or_default()),
        ["not_found_though_done", "A1B2C3", "632612000123", "TERM0001", "SHOP", "004711"]
    );
    let (_, said) = ask(to, "GET /late", "", "").await;
    let note = &said["late"][0];
    assert_eq!(
        (&note["kind"], &note["meaning"], &note["code"]),
        (&json!("late"), &json!("approved"), &json!("00"))
    );
}

#[tokio::test]
async fn a_switch_that_is_ending_says_so() {
    let (to, asked) = pages(false, true).await;
    drop(asked);
    assert_eq!(ask(to, "GET /desk", "", "").await.0, 503);
}

#[tokio::test]
async fn orders_about_books_are_answered_with_what_was_recorded() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    let order = r#"{"operator":"anna","date":"1231"}"#;
    let (status, said) = ask(to, "POST /books/river/cutover", "", order).await;
    let expected = json!({
        "bank": "river", "decided": "cutover", "record": 41, "date": "1231",
        "day": "1231", "asked": [], "waiting": 0,
    });
    assert_eq!((status, said), (200, expected));
    let (status, said) = ask(to, "POST /books/river/reconcile", "", order).await;
    let error = said["error"].as_str().unwrap();
    assert!(status == 409 && error.starts_with("nothing to ask"), "{status} {said}");
    let (status, said) = ask(to, "POST /books/brook/reconcile", "", order).await;
    assert_eq!((status, said), (404, unknown()));
}

#[tokio::test]
async fn unsettled_periods_are_listed_page_by_page() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    let (status, said) = ask(to, "GET /books/river/unsettled?limit=1", "", "").await;
    let sum = |count: u64, minor: u64| json!({ "count": count, "minor": minor });
    let period = json!({
        "date": null, "day": null, "terminal": "TERM0001", "batch": 12, "currency": "978",
        "state": "waits", "debits": sum(1, 1_250), "debits_reversed": sum(0, 0),
        "credits": sum(0, 0), "credits_reversed": sum(0, 0), "net_minor": -1_250,
        "first_record": 3, "last_record": 5,
    });
    assert_eq!((status, &said["periods"]), (200, &json!([period])));
    let next = said["next_after"].as_str().unwrap();
    let page = format!("GET /books/river/unsettled?limit=5&after={next}");
    let (status, said) = ask(to, &page, "", "").await;
    let states: Vec<&Value> = said["periods"].as_array().unwrap().iter().collect();
    assert_eq!((status, states.len(), &states[0]["batch"]), (200, 1, &json!(13)));
    assert_eq!((&states[0]["state"], &said["next_after"]), (&json!("unsettled"), &Value::Null));
    assert_eq!(ask(to, "GET /books/brook/unsettled", "", "").await, (404, unknown()));
    for wrong in ["after=x", "limit=0", "bank=river"] {
        let page = format!("GET /books/river/unsettled?{wrong}");
        assert_eq!(ask(to, &page, "", "").await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_bank_is_signed_off_and_on_by_an_operator() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    let order = r#"{"operator":"anna","reason":"works on the line"}"#;
    let (status, said) = ask(to, "POST /banks/river/sign-off", "", order).await;
    let expected = json!({
        "bank": "river", "decided": "sign-off", "record": 42, "date": null, "day": null,
        "asked": [], "waiting": 0,
    });
    assert_eq!((status, said), (200, expected));
    let order = r#"{"operator":"anna"}"#;
    let (status, said) = ask(to, "POST /banks/river/sign-on", "", order).await;
    assert!(status == 409 && said["error"] == "it is so already", "{status} {said}");
    assert_eq!(ask(to, "POST /banks/brook/sign-on", "", order).await, (404, unknown()));
}

/// What somebody is told who asks about the bank `brook`.
fn unknown() -> Value {
    let error = "no bank has this name; there are: river";
    json!({ "error": error, "bank": "brook", "banks": ["river"] })
}

#[tokio::test]
async fn a_desk_of_an_unknown_bank_is_refused_and_no_empty_page() {
    let (to, asked) = pages(false, true).await;
    tokio::task::spawn(drive(asked));
    assert_eq!(ask(to, "GET /desk?bank=brook", "", "").await, (404, unknown()));
    let (status, said) = ask(to, "GET /desk?bank=river&limit=0", "", "").await;
    assert_eq!((status, &said["items"]), (200, &json!([])));
}
