//! Plays a story on the stage, and starts anew from every beginning of its journal.

use crate::setting::{BANKS, LINES, Options};
use crate::stage::{Fallible, Stage};
use pointsman::switch::audit::Auditor;
use pointsman::switch::desk::Listing;
use pointsman::switch::ids::{BankId, RecordNo};
use pointsman::switch::input::DeskVerb;
use pointsman::switch::record::Record;
use pointsman::time::Instant;
use std::fmt::Write;
use std::time::Duration;

/// The story's `# policy:` line.
fn options_of(script: &str) -> Options<'_> {
    let header = script.lines().take_while(|l| l.starts_with('#'));
    Options(header.filter_map(|l| l.strip_prefix("# policy:")).next().unwrap_or_default())
}

/// Every beginning of the story's journal is a journal somebody may start with: what a start
/// makes of it, with banks that say yes to everything, must be in order and leave nothing owed.
pub(crate) fn recover_every_beginning(script: &str) -> Fallible<usize> {
    let (_, journal) = act(script)?;
    for end in 0..=journal.len() {
        let mut stage = Stage::new(&options_of(script));
        stage.journal = journal[..end].to_vec();
        stage.durable = end;
        (stage.honest, stage.unpackable, stage.slow_journal) = (true, false, false);
        stage.now = Instant::from_nanos(1_000_000_000_000);
        stage.crash();
        (1..LINES.len() as u16).for_each(|line| stage.session_up(line));
        // Whom an operator had signed off is signed on again.
        BANKS.into_iter().for_each(|bank| stage.sign_off(bank, None));
        stage.advance(stage.now.after(Duration::from_secs(900)));
        let owed: usize = (0..3).map(|bank| stage.switch.owed(BankId(bank))).sum();
        let mut auditor = Auditor::new();
        stage.journal.iter().for_each(|(no, record)| {
            auditor.see(*no, record);
        });
        let report = auditor.finish();
        // What an operator has to settle may differ.
        let given_up = |(_, record): &(RecordNo, Record)| {
            let Record::Desk(desk) = record else { return false };
            matches!(desk.verb, Some(verb) if verb != DeskVerb::Resend)
        };
        let asked = stage.switch.desk(&Listing::all(100)).into_iter().filter(|i| i.attention);
        let asked = asked.count();
        let excused = asked > 0 || stage.journal.iter().any(given_up);
        let owed = owed.saturating_sub(asked);
        let unsettled = report.totals.values().map(|t| t.difference()).any(|d| d != 0);
        let unsettled = unsettled && !excused;
        if owed > 0 || !report.violations.is_empty() || unsettled {
            let (said, broken, sums) = (&stage.said, &report.violations, &report.totals);
            return Err(format!(
                "after record {end}: {owed} owed, {broken:?}, {sums:?}, open {:?}\n{said}",
                report.open
            ));
        }
    }
    Ok(journal.len())
}

/// Plays a script and returns the transcript in the same form.
pub(crate) fn play(script: &str) -> Fallible<String> {
    act(script).map(|(said, _)| said)
}

/// Plays a script: what was said, and what was journaled.
fn act(script: &str) -> Fallible<(String, Vec<(RecordNo, Record)>)> {
    let header: Vec<&str> = script.lines().take_while(|l| l.starts_with('#')).collect();
    let options = options_of(script);
    let mut stage = Stage::new(&options);
    stage.switch.start(stage.wall());
    stage.settle();
    stage.said.clear();
    for line in &header {
        let _ = writeln!(stage.said, "{line}");
    }
    if !options.has("all_down") {
        stage.session_up(0);
        stage.session_up(1);
    }
    for line in script.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
        let (time, what) = line.split_once(' ').ok_or("expected `t=SECONDS what`")?;
        if !is_input(what) {
            continue;
        }
        let seconds = time.strip_prefix("t=").map(|t| t.trim_end_matches('s'));
        let seconds: f64 = seconds.and_then(|t| t.parse().ok()).ok_or("bad time")?;
        stage.advance(Instant::from_nanos((seconds * 1e9).round() as u64));
        stage.directive(what)?;
    }
    let mut auditor = Auditor::new();
    stage.journal.iter().for_each(|(no, record)| {
        auditor.see(*no, record);
    });
    for violation in auditor.finish().violations {
        stage.say(&format!("VIOLATION {violation}"));
    }
    Ok((stage.said, stage.journal))
}

/// Whether a line makes something happen rather than telling what did.
fn is_input(what: &str) -> bool {
    let words: Vec<&str> = what.split_whitespace().collect();
    matches!(
        words[..],
        [_, ">", ..]
            | [
                "gate"
                    | "disk"
                    | "desk"
                    | "crash"
                    | "clock"
                    | "lose"
                    | "retire"
                    | "end"
                    | "drain"
                    | "no-room"
                    | "room"
                    | "signoff"
                    | "signon"
                    | "recall"
                    | "reconcile"
                    | "cutover"
                    | "books"
                    | "without"
                    | "reload",
                ..
            ]
            | [_, "up" | "down"]
    )
}
