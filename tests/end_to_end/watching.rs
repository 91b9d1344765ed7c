//! What `/metrics` says of a run: every name and label that people build alarms on, and that what
//! is unknown is known to be so, also by the next process.

use crate::binary::Switch;
use crate::shop::Shop;
use crate::stage::{HASTY, Stage};
use crate::{SOON, Tested, frames, wait_until};

/// Names and their labels; a distribution by its count.
const PAGE: &[(&str, &[&str])] = &[
    ("pointsman_requests_total", &["platform", "bank", "class", "outcome"]),
    ("pointsman_response_seconds_count", &["bank"]),
    ("pointsman_own_seconds_count", &[]),
    ("pointsman_inflight", &["bank"]),
    ("pointsman_link_up", &["line"]),
    ("pointsman_journal_sync_seconds_count", &[]),
    ("pointsman_journal_lag_records", &[]),
    ("pointsman_saf_depth", &["bank"]),
    ("pointsman_saf_oldest_seconds", &["bank"]),
    ("pointsman_unknown_outcomes", &["bank"]),
    ("pointsman_late_responses_total", &["bank", "meaning"]),
];

/// The labels of each series of this name.
fn labels_of<'p>(page: &'p str, name: &str) -> Vec<Vec<&'p str>> {
    let rests = page.lines().filter_map(|line| line.strip_prefix(name));
    let labels = rests.filter_map(|rest| match rest.chars().next()? {
        ' ' => Some(Vec::new()),
        '{' => Some(rest[1..].split_once('}')?.0.split("\",").collect()),
        _ => None,
    });
    labels
        .map(|labels| labels.iter().filter_map(|label| label.split('=').next()).collect())
        .collect()
}

fn unknown(switch: &Switch) -> Tested<[f64; 2]> {
    let at = |bank| switch.metric("pointsman_unknown_outcomes", bank);
    Ok([at("river")?, at("mountain")?])
}

#[test]
fn metrics_have_their_names_and_labels_and_unknown_is_what_is_unknown_now() -> Tested {
    let stage = Stage::new(HASTY)?;
    let requests = frames::requests()?;
    let mut purchases = requests.iter().filter(|r| r.kind == "purchase" && r.bank == "river");
    let mut shop = Shop::new(SOON);
    let mut ask = |shop: &mut Shop| -> Tested<String> {
        let asked = purchases.next().ok_or("no purchase left")?;
        Ok(shop.ask_and_wait(asked)?.code().to_owned())
    };
    let switch = stage.start("warn")?;
    shop.call(switch.door)?;
    assert_eq!((ask(&mut shop)?.as_str(), unknown(&switch)?), ("00", [0.0, 0.0]));
    stage.tell("silent on")?;
    assert_eq!(ask(&mut shop)?, "68");
    wait_until("one outcome is unknown", SOON, || Ok(unknown(&switch)? == [1.0, 0.0]))?;
    assert_eq!(switch.metric("pointsman_saf_depth", "river")?, 1.0);
    let oldest = |switch: &Switch| switch.metric("pointsman_saf_oldest_seconds", "river");
    wait_until("what is owed grows old", SOON, || Ok(oldest(&switch)? > 0.0))?;
    let before = oldest(&switch)?;
    switch.kill()?;

    let switch = stage.start_alone("warn")?;
    assert_eq!(unknown(&switch)?, [1.0, 0.0], "right after recovery");
    let after = oldest(&switch)?;
    assert!(after > before, "a restart makes nothing younger: {before} s, then {after} s");
    stage.tell("heal")?;
    wait_until("nothing is unknown", SOON, || Ok(unknown(&switch)? == [0.0, 0.0]))?;
    shop.call(switch.door)?;
    assert_eq!(ask(&mut shop)?, "00");
    stage.tell_one(&stage.river, "late 1200 1")?;
    assert_eq!(ask(&mut shop)?, "68");
    switch.owes_nothing("river")?;
    let page = switch.page("/metrics")?;
    for (name, labels) in PAGE {
        let series = labels_of(&page, name);
        assert!(!series.is_empty(), "no {name} in:\n{page}");
        assert!(series.iter().all(|l| l == labels), "{name} has {series:?}, not {labels:?}");
    }
    assert_eq!((unknown(&switch)?, oldest(&switch)?), ([0.0, 0.0], 0.0));
    Ok(())
}
