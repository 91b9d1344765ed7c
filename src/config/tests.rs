//! The example must load; and everything promised to be refused is refused, all at once.

use super::{ConfigErrors, load};
use crate::iso8583::shipped;
use crate::switch::policy::{BreakerRule, SignOn};

const DEMO: &str = include_str!("../../specs/examples/demo.toml");

fn shipped_text(name: &str) -> Option<String> {
    shipped(name).map(str::to_owned)
}

fn load_demo(
    edit: impl FnOnce(String) -> String,
) -> Result<super::settings::Settings, Vec<String>> {
    load(&edit(DEMO.to_owned()), &shipped_text)
        .map_err(|ConfigErrors(errors)| errors.iter().map(ToString::to_string).collect())
}

fn refusals(edit: impl FnOnce(String) -> String) -> Vec<String> {
    load_demo(edit).map(|_| Vec::new()).unwrap_or_else(|errors| errors)
}

fn line_of(text: &str) -> usize {
    1 + DEMO.lines().position(|line| line.starts_with(text)).unwrap_or_default()
}

#[test]
fn the_example_loads_and_means_what_it_says() -> Result<(), Vec<String>> {
    let settings = load_demo(|text| text)?;
    let policy = &settings.policy;
    assert_eq!(policy.lines.len(), settings.lines.len());
    assert_eq!(policy.banks.len(), 2);
    assert_eq!(policy.routes[0].name.as_str(), "unionpay-cards");
    assert_eq!(policy.banks[usize::from(policy.routes[0].bank.0)].name.as_str(), "mountain");
    assert!(matches!(&policy.banks[1].network.sign_on, SignOn::Terminals(t) if t.len() == 2));
    assert!(policy.banks[1].reversal.same_stan && !policy.banks[0].reversal.same_stan);
    // What their dialects list as `echo`, and the core knows as it was sent.
    use crate::iso8583::rules::Atom::{Acquirer, Batch, LocalDate, LocalTime, Rrn, Transmission};
    let river = [Transmission, LocalTime, LocalDate, Acquirer, Rrn];
    assert_eq!(policy.banks[0].must_echo, river);
    assert_eq!(policy.banks[1].must_echo, [Batch]);
    assert_eq!(settings.lines[2].tpdu, Some([0x60, 0, 3, 0, 4]));
    Ok(())
}

#[test]
fn advices_may_expire_and_operators_may_need_a_token() -> Result<(), Vec<String>> {
    let plain = load_demo(|text| text)?;
    let saf = &plain.policy.banks[0].saf;
    assert_eq!((saf.live_rate_per_s, saf.advice_lifetime, saf.advice_tries), (200, None, None));
    assert!(plain.policy.banks.iter().all(|bank| bank.saf.borrows));
    assert_eq!(plain.admin.map(|admin| admin.token), Some(None));
    let settings = load_demo(|text| {
        text.replace("# advice_lifetime_s", "advice_lifetime_s")
            .replace("# advice_tries", "advice_tries")
            .replace("# dead_codes", "dead_codes")
            .replace("# token", "token")
    })?;
    let saf = &settings.policy.banks[0].saf;
    assert_eq!(saf.advice_lifetime, Some(std::time::Duration::from_secs(86_400)));
    assert_eq!((saf.advice_tries, saf.dead_codes.len()), (Some(100), 1));
    assert!(settings.admin.is_some_and(|admin| admin.token.is_some()));
    let errors =
        refusals(|text| text.replace("# token = \"file:operators.token\"", "token = \"hunter2\""));
    let expected = "admin.token: expected file:PATH or env:NAME; secrets never stand here";
    assert!(errors.iter().any(|error| error.contains(expected)), "{errors:?}");
    assert!(errors.iter().all(|error| !error.contains("hunter2")), "{errors:?}");
    Ok(())
}

#[test]
fn another_text_is_another_policy() -> Result<(), Vec<String>> {
    let hash = |text: String| load_demo(|_| text).map(|s| s.policy.hash);
    let changed = DEMO.replace("budget_ms = 4_000", "budget_ms = 5_000");
    assert_ne!(hash(DEMO.to_owned())?, hash(changed)?);
    Ok(())
}

#[test]
fn every_error_is_reported_at_once_with_its_line() {
    let errors = refusals(|text| {
        text.replace("margin_ms = 500", "margin = 500")
            .replace("dialect = \"unionpay-pos\"", "dialect = \"unionpay-poz\"")
            .replace("bank = \"river\"", "bank = \"lake\"")
    });
    let said = |line: usize, part: &str| {
        let head = format!("line {line}: ");
        assert!(
            errors.iter().any(|e| e.starts_with(&head) && e.contains(part)),
            "nothing about {part} in line {line}: {errors:#?}"
        );
    };
    said(line_of("margin_ms"), "platform.shop.margin: unknown key");
    said(line_of("dialect = \"unionpay-pos\""), "bank.mountain.dialect");
    said(line_of("bank = \"river\""), "no bank \"lake\"");
}

#[test]
fn a_weight_is_bounded_and_usually_one() -> Result<(), Vec<String>> {
    let usual = load_demo(|text| text.replace("weight = 1 ", "# weight = 1 "))?;
    assert_eq!(usual.policy.platforms[0].weight, 1);
    assert_eq!(usual.policy.banks[1].waiting_max, 16_384);
    for (line, expected) in [
        ("weight = 0 ", "platform.shop.weight: expected 1 to 100, got 0"),
        ("weight = 101 ", "platform.shop.weight: expected 1 to 100, got 101"),
        ("weight = \"heavy\" ", "platform.shop.weight: expected a whole number"),
    ] {
        let errors = refusals(|text| text.replace("weight = 1 ", line));
        assert!(errors.iter().any(|error| error.contains(expected)), "{errors:#?}");
    }
    let errors = refusals(|text| text.replace("waiting_max = 16_384", "waiting_max = 0"));
    let expected = "bank.river.waiting_max: expected 1 to 262144, got 0";
    assert!(errors.iter().any(|error| error.contains(expected)), "{errors:#?}");
    Ok(())
}

#[test]
fn a_breaker_is_usual_and_may_be_switched_off() -> Result<(), Vec<String>> {
    let plain = load_demo(|text| text)?;
    let rules = plain.policy.banks.iter().map(|bank| bank.breaker);
    let usual = BreakerRule { unanswered: 10, retry: std::time::Duration::from_secs(5) };
    assert!(rules.eq([Some(usual); 2]), "said or not");
    let off = load_demo(|text| text.replace("unanswered = 10", "unanswered = 0"))?;
    assert_eq!(off.policy.banks[0].breaker, None);
    let errors = refusals(|text| text.replace("retry_ms = 5_000 ", "retry_ms = 1 "));
    let expected = "bank.river.breaker.retry_ms: expected 10 to 600000, got 1";
    assert!(errors.iter().any(|error| error.contains(expected)), "{errors:#?}");
    Ok(())
}

#[test]
fn a_platform_must_outlast_its_banks() {
    let errors = refusals(|text| text.replace("budget_ms = 4_000", "budget_ms = 2_100"));
    assert!(errors.iter().any(|e| e.contains("budget_ms to at least 2500")), "{errors:#?}");
}

const TOP_UP: &str = "[[route]]\nname = \"top-up\"\nbank = \"river\"\n";

/// The example with a route for top-ups that credits at this bank, and this budget.
fn with_top_up(credit: &str, budget: &str) -> Result<super::settings::Settings, Vec<String>> {
    load_demo(|text| {
        let route = format!("{TOP_UP}credit_bank = \"{credit}\"\n\n[[route]]");
        text.replacen("[[route]]", &route, 1).replace("budget_ms = 4_000", budget)
    })
}

#[test]
fn a_top_up_needs_two_banks_that_can_take_it_back_and_time_for_both() -> Result<(), Vec<String>> {
    let settings = with_top_up("river", "budget_ms = 4_500")?;
    assert_eq!(settings.policy.routes[0].credit, Some(settings.policy.routes[0].bank));
    assert_eq!(settings.policy.routes[1].credit, None);
    for (credit, budget, part) in [
        ("river", "budget_ms = 4_499", "budget_ms to at least 4500"),
        ("lake", "budget_ms = 4_500", "credit_bank: no bank \"lake\""),
        ("mountain", "budget_ms = 4_500", "mountain has no top-up to send"),
    ] {
        let errors = with_top_up(credit, budget).map(|_| vec![]).unwrap_or_else(|errors| errors);
        assert!(errors.iter().any(|e| e.contains(part)), "{credit} {budget}: {errors:#?}");
    }
    Ok(())
}

#[test]
fn a_route_may_name_a_second_bank() -> Result<(), Vec<String>> {
    let load = |banks: &str| {
        load_demo(|text| text.replace("\nbank = \"river\"\n", &format!("\n{banks}\n")))
    };
    let settings = load("banks = [\"river\", \"mountain\"]")?;
    let route = settings.policy.routes.last().ok_or(vec![])?;
    assert_eq!(route.second.map(|id| id.0), Some(1));
    for (banks, part) in [
        ("banks = [\"river\"]", "expected two different banks"),
        ("banks = [\"river\", \"river\"]", "expected two different banks"),
        ("banks = [\"river\", \"lake\"]", "banks: no bank \"lake\""),
        ("bank = \"river\"\nbanks = [\"river\", \"mountain\"]", "give one of them"),
    ] {
        let errors = load(banks).map(|_| vec![]).unwrap_or_else(|errors| errors);
        assert!(errors.iter().any(|e| e.contains(part)), "{banks}: {errors:#?}");
    }
    Ok(())
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let errors = refusals(|text| text.replace("file:demo-mak.hex", "0123456789ABCDEF"));
    assert!(errors.iter().any(|e| e.contains("bank.mountain.mac_key")), "{errors:#?}");
    assert!(!errors.concat().contains("0123456789ABCDEF"));
}

#[test]
fn how_far_the_clock_may_be_behind_is_an_hour_or_as_written() -> Result<(), Vec<String>> {
    let bound = |text: &str| {
        let text = text.to_owned();
        let with = |demo: String| demo.replace("[journal]", &format!("[journal]\n{text}"));
        load_demo(with).map(|settings| settings.journal.clock_bound.as_secs())
    };
    assert_eq!(bound("")?, 3_600);
    assert_eq!(bound("clock_bound_s = 60")?, 60);
    assert!(bound("clock_bound_s = 59").is_err());
    Ok(())
}

#[test]
fn production_refuses_a_self_made_journal_key_and_a_desk_without_a_token() {
    let errors = refusals(|text| text.replace("production = false", "production = true"));
    for key in ["journal.key", "admin.token"] {
        assert!(errors.iter().any(|e| e.contains(key)), "{key}: {errors:#?}");
    }
}

#[test]
fn originals_are_recalled_for_long_enough() {
    const WINDOW: &str = "window_s = 86_400 ";
    let with = |recall: &'static str, window: &'static str, production: bool| {
        let errors = load_demo(|text| {
            let text = text.replacen("keep_days = 400 ", &format!("keep_days = 0\n{recall} "), 1);
            let text = text.replace("production = false", &format!("production = {production}"));
            text.replacen(WINDOW, window, 1)
        });
        errors.map(|settings| settings.journal.recall.as_secs())
    };
    assert_eq!(with("", WINDOW, false), Ok(32 * 86_400));
    assert_eq!(with("recall_s = 60", "window_s = 60 ", false), Ok(60));
    for (recall, window, production, part) in [
        ("recall_s = 59", "window_s = 60 ", false, "expected 60 to 2764800, got 59"),
        ("recall_s = 2_764_801", WINDOW, false, "expected 60 to 2764800"),
        ("recall_s = 86_399", WINDOW, false, "at least duplicates.window_s (86400)"),
        ("recall_s = 604_799", WINDOW, true, "expects at least 604800, got 604799"),
        ("recall_s = 700_000", "window_s = 691_200 ", true, "expects at least 777600"),
    ] {
        let errors = with(recall, window, production).err().unwrap_or_default();
        let found = errors.iter().any(|e| e.contains("journal.recall_s") && e.contains(part));
        assert!(found, "{recall} {window}: {errors:#?}");
    }
    let long = with("recall_s = 604_800", WINDOW, true).err().unwrap_or_default();
    assert!(!long.concat().contains("recall_s"), "{long:#?}");
}

#[test]
fn a_bank_may_grant_more_and_its_dialect_may_have_no_code_in_advices() -> Result<(), Vec<String>> {
    let plain = load_demo(|text| text)?;
    let of = |at: usize| &plain.policy.banks[at];
    let more = of(0).grants_more.iter().map(|mcc| mcc.as_str().to_owned());
    assert_eq!(more.collect::<Vec<_>>(), ["5542"]);
    assert!(of(1).grants_more.is_empty() && of(0).coded_advices);
    assert!(!of(1).coded_advices, "UnionPay terminals");
    let none = load_demo(|text| text.replacen("partial_above_request = [\"5542\"]", "", 1))?;
    assert!(none.policy.banks[0].grants_more.is_empty());
    for wrong in ["\"5542\"", "[5542]", "[\"55421\"]"] {
        let wrong = format!("partial_above_request = {wrong}");
        let edit = |text: String| text.replacen("partial_above_request = [\"5542\"]", &wrong, 1);
        let errors = refusals(edit);
        let named = |error: &String| error.contains("bank.river.partial_above_request");
        assert!(errors.iter().any(named), "{wrong}: {errors:#?}");
    }
    // An advice that may not have F39 is one of no code, whatever the dialect says elsewhere.
    let mute =
        "extends = 'iso8583-1987-bcd'\n[presence.purchase-advice]\nrequest = { never = [39] }\n";
    let source = |name: &str| match name {
        "mute" => Some(mute.to_owned()),
        name => shipped_text(name),
    };
    let text = DEMO.replacen("dialect = \"iso8583-1987-bcd\"", "dialect = \"mute\"", 1);
    let settings = load(&text, &source).map_err(|ConfigErrors(errors)| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    })?;
    assert!(!settings.policy.banks[0].coded_advices);
    Ok(())
}

#[test]
fn odd_values_are_refused_by_name() {
    for (from, to, part) in [
        ("window = 1_024", "window = 0", "expected 1 to 65536"),
        ("window = 1_024", "window = \"many\"", "expected a whole number"),
        ("match_scope = \"bank\"", "match_scope = \"net\"", "expected one of line, bank"),
        ("pan = [\"62\"]", "pan = [\"62x\"]", "digits"),
        ("pan = [\"62\"]", "pan = [\"63-62\"]", "LOW-HIGH"),
        ("currency = [\"156\"]", "currency = [\"CNY\"]", "three digits"),
        ("tpdu = \"6000030004\"", "tpdu = \"60000300\"", "10 hex digits"),
        ("listen = \"127.0.0.1:7000\"", "listen = \"localhost\"", "expected host:port"),
        ("default_terminal = \"RIV00001\"", "", "go together"),
        ("sign_on = \"terminals\"", "sign_on = \"line\"", "means nothing without"),
        ("[admin]", "[admin", "syntax"),
        ("framing = \"2-byte-be\"", "framing = \"2-byte\"", "platform.shop.framing"),
    ] {
        let errors = refusals(|text| text.replacen(from, to, 1));
        assert!(errors.iter().any(|e| e.contains(part)), "{from} -> {to}: {errors:#?}");
    }
}

#[test]
fn an_empty_file_says_what_is_missing() {
    let errors = refusals(|_| String::new());
    for key in ["platform:", "bank:", "route:", "journal:"] {
        assert!(errors.iter().any(|e| e.contains(key)), "{key} {errors:#?}");
    }
}

/// The example with its stand-in section, which stands there as a comment, made valid and edited.
fn with_stand_in(from: &str, to: &str) -> Result<super::settings::Settings, Vec<String>> {
    load_demo(|text| {
        let mut inside = false;
        let lines = text.lines().map(|line| {
            inside = (inside || line.starts_with("# [bank.river.stand_in]")) && !line.is_empty();
            if inside { line.trim_start_matches("# ") } else { line }
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        text.replacen(from, to, 1)
    })
}

#[test]
fn stand_in_needs_every_limit_and_a_bank_that_can_be_told() -> Result<(), Vec<String>> {
    assert!(load_demo(|text| text)?.policy.banks[0].stand_in.is_none());
    let settings = with_stand_in("", "")?;
    let stand_in = settings.policy.banks[0].stand_in.as_ref().ok_or(vec![])?;
    assert_eq!((stand_in.count, stand_in.window.as_secs()), (3, 3_600));
    assert_eq!((stand_in.kinds.len(), stand_in.never.len()), (1, 1));
    let limit = stand_in.limits[0];
    assert_eq!((limit.currency, limit.floor, limit.total), (156, 5_000, 10_000));
    for (from, to, part) in [
        ("count = 3 ", "", "stand_in.count: is missing"),
        ("window_s = 3_600", "window_s = 86_401", "expected 1 to 86400"),
        ("floor = 5_000", "floor = 10_001", "limit[0].total: is smaller than floor"),
        ("floor = 5_000", "", "limit[0].floor: is missing"),
        ("currency = \"156\"\nfloor", "currency = \"CNY\"\nfloor", "three digits"),
        ("[\"purchase\"]", "[\"refund\"]", "expected any of purchase, pre-authorization"),
        ("[\"purchase\"]", "[]", "expected at least one of purchase"),
        ("never = [\"411111\"]", "never = [\"4111111111111111\"]", "expected 1 to 8 digits"),
        (
            "[bank.river.stand_in]",
            "[bank.mountain.stand_in]\nkinds = [\"pre-authorization\"]\n[bank.river.stand_in]",
            "no advice of a pre-authorization to send",
        ),
        ("[[bank.river.stand_in.limit]]", "[[bank.river.stand_in.limits]]", "limit: is missing"),
    ] {
        let errors = with_stand_in(from, to).map(|_| vec![]).unwrap_or_else(|errors| errors);
        assert!(errors.iter().any(|e| e.contains(part)), "{from} -> {to}: {errors:#?}");
    }
    Ok(())
}
