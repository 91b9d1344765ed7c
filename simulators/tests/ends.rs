//! The simulators against each other, without a switch between them: a platform and a bank in
//! one dialect over loopback TCP, with everything that can go wrong on the way. Every outcome
//! is certain, whatever the machine's mood; only the time it takes is not.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use simulators::bank::ledger::{Seen, totals};
use simulators::bank::rules::Rules;
use simulators::bank::{Bank, BankSpec};
use simulators::platform::ledger::Request;
use simulators::platform::{Platform, PlatformSpec};
use simulators::proxy::Proxy;
use simulators::speaker::SpeakerSpec;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);
const DIALECTS: [(&str, &str); 3] = [
    ("iso8583-1987-ascii", "2-byte-be"),
    ("iso8583-1987-ascii-hex", "4-ascii"),
    ("iso8583-1987-bcd", "2-byte-be-tpdu"),
];

fn speaker((dialect, framing): (&str, &str)) -> SpeakerSpec {
    SpeakerSpec { dialect: dialect.to_owned(), framing: framing.to_owned(), mak: None }
}

async fn bank(rules: &str) -> Bank {
    let spec = BankSpec::new("bank", speaker(DIALECTS[0]));
    Bank::start(BankSpec { rules: Rules::parse(rules).unwrap(), ..spec }).await.unwrap()
}

/// 200 requests, 2,000 a second, impatient: gives up after 300 ms.
fn platform(address: SocketAddr) -> PlatformSpec {
    let mut spec = PlatformSpec::new(address, speaker(DIALECTS[0]));
    spec.rate = 2_000.0;
    spec.total = Some(200);
    spec.connections = 2;
    spec.patience.timeout = Duration::from_millis(300);
    spec.patience.reversal_retry = Duration::from_millis(100);
    spec
}

/// What the platform believes to have moved, per currency.
fn believed(requests: &[Request]) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for request in requests {
        *totals.entry(request.currency.clone()).or_insert(0) += request.signed();
    }
    totals
}

/// Lets the platform ask everything and settle it; then both ledgers agree.
async fn settle(platform: &Platform, bank: &Bank) -> Vec<Request> {
    assert!(platform.asked_all(LIMIT).await, "still asking");
    assert!(platform.drain(LIMIT).await, "not settled: {:?}", platform.counts());
    let snapshot = platform.snapshot();
    assert_eq!(believed(&snapshot.requests), totals(&bank.ledger()));
    assert_eq!(snapshot.strays, []);
    snapshot.requests
}

#[tokio::test]
async fn every_shared_dialect_carries_a_business_day() {
    for dialect in DIALECTS {
        let rules = Rules::parse("[[rule]]\namount_ends = 51\nanswer = '51'").unwrap();
        let spec = BankSpec { rules, ..BankSpec::new("bank", speaker(dialect)) };
        let bank = Bank::start(spec).await.unwrap();
        let mut spec = platform(bank.address());
        spec.speaker = speaker(dialect);
        spec.patience.timeout = Duration::from_secs(15);
        let platform = Platform::start(spec).unwrap();
        let requests = settle(&platform, &bank).await;
        let counts = platform.counts();
        assert_eq!(counts.approved + counts.declined, 200, "{counts:?}");
        assert!(requests.iter().all(|r| r.is_declined() == (r.amount % 100 == 51)));
        assert_eq!(platform.snapshot().latency.all().count, 200);
    }
}

#[tokio::test]
async fn silence_is_reversed_and_reversals_are_repeated_until_heard() {
    let bank = bank("").await;
    bank.command(&"silent on".parse().unwrap());
    let platform = Platform::start(platform(bank.address())).unwrap();
    assert!(platform.asked_all(LIMIT).await);
    while platform.counts().timed_out < 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bank.command(&"heal".parse().unwrap());
    let requests = settle(&platform, &bank).await;
    assert!(requests.iter().all(|r| r.is_reversed() && r.signed() == 0));
    assert!(bank.ledger().iter().any(|e| e.mti == "0420" && e.seen == Seen::First));
}

#[tokio::test]
async fn an_original_overtaken_by_its_reversal_is_executed_and_undone_by_the_next() {
    let bank = bank("").await;
    bank.command(&"slow 600 5".parse().unwrap());
    let mut spec = platform(bank.address());
    spec.total = Some(5);
    let platform = Platform::start(spec).unwrap();
    assert!(platform.asked_all(LIMIT).await && platform.drain(LIMIT).await);
    while bank.ledger().iter().filter(|e| e.seen == Seen::First).count() < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The platform believed the 25; the bank executed afterwards: the trap a switch must avoid.
    let codes: Vec<_> = bank.ledger().iter().map(|e| e.code.clone()).collect();
    assert_eq!(codes, ["25", "25", "25", "25", "25", "00", "00", "00", "00", "00"]);
    assert_ne!(totals(&bank.ledger()).values().sum::<i64>(), 0);
}

#[tokio::test]
async fn late_duplicate_lost_and_spoilt_answers_change_no_total() {
    let bank = bank("").await;
    for command in ["drop 5", "late 600 5", "duplicate 5", "garbage 5"] {
        bank.command(&command.parse().unwrap());
    }
    let mut spec = platform(bank.address());
    spec.mix.customer_reversals_per_mille = 0;
    spec.mix.repeats_per_mille = 0;
    let platform = Platform::start(spec).unwrap();
    settle(&platform, &bank).await;
    while platform.counts().late < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (counts, bank_counts) = (platform.counts(), bank.counts());
    assert_eq!((counts.timed_out, counts.late, bank_counts.lost), (15, 5, 5), "{counts:?}");
    assert_eq!((counts.garbled, bank_counts.duplicated), (5, 5), "{counts:?}");
}

#[tokio::test]
async fn a_bad_line_loses_connections_and_no_money() {
    let bank = bank("").await;
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], 0)), bank.address()).await.unwrap();
    proxy.command(&"delay 5".parse().unwrap());
    let mut spec = platform(proxy.address());
    spec.rate = 400.0;
    let platform = Platform::start(spec).unwrap();
    for fault in ["cut", "one-byte 10", "cut", "half-open on", "heal", "cut"] {
        tokio::time::sleep(Duration::from_millis(80)).await;
        proxy.command(&fault.parse().unwrap());
    }
    let requests = settle(&platform, &bank).await;
    assert_eq!(requests.len(), 200);
}

#[tokio::test]
async fn a_schedule_and_a_disconnect_are_survived() {
    let bank = bank("[[at]]\nt = 0.02\ndo = 'silent 0.2'").await;
    let platform = Platform::start(platform(bank.address())).unwrap();
    bank.command(&"disconnect".parse().unwrap());
    platform.disconnect();
    settle(&platform, &bank).await;
}
