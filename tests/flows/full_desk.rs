//! A desk with a hundred thousand items: a page of it and a decision about all of them are made in
//! steps, and payments wait for one step at most.

use crate::setting::{Options, policy, text};
use pointsman::canonical::{Flow, Kind, Reason, TransactionType};
use pointsman::switch::Switch;
use pointsman::switch::desk::Listing;
use pointsman::switch::ids::RecordNo;
use pointsman::switch::input::{Command, DeskSweep, DeskVerb, Input};
use pointsman::switch::output::{Event, Output};
use pointsman::switch::record::{Cause, Closed, Ending, Owed, Queued, Record};
use pointsman::time::{Instant, Now, Wall};
use std::sync::Arc;
use std::time::Duration;

const ITEMS: u64 = 100_000;
/// As the admin listener asks.
const LOOKS: usize = 64;
/// Payments wait no longer for one step: a hundred times what it takes, for a busy machine.
const MOST: Duration = Duration::from_millis(100);

/// A switch on whose desk stand so many reversals of what nobody knows.
fn full_desk() -> Switch {
    let at = Wall::from_millis(1_795_305_600_000);
    let mut switch = Switch::new(Arc::new(policy(&Options(""))), 1);
    let kind = Kind::Reversal(TransactionType::Purchase);
    let what = (Owed::PlatformReversal, kind, Flow::Advice);
    for nth in 0..ITEMS {
        let (entry, closed) = (RecordNo(2 * nth + 1), RecordNo(2 * nth + 2));
        let bare = Queued::bare(at, text("alfa"), what, Reason::CustomerCancel, Default::default());
        let queued = Queued { platform: Some(text("pos")), ..bare };
        switch.replay(entry, &Record::Queued(Arc::new(queued)));
        let cause = Some(Cause::Forgotten);
        let end = Closed { cause, ..Closed::bare(entry, at, Ending::Dead) };
        switch.replay(closed, &Record::Closed(end));
    }
    switch.start(Now { mono: Instant::default(), wall: at });
    while switch.poll().is_some() {}
    switch
}

/// How long the longest of some steps took.
fn longest(mut step: impl FnMut() -> bool) -> Duration {
    let mut longest = Duration::ZERO;
    loop {
        let began = std::time::Instant::now();
        let more = step();
        longest = longest.max(began.elapsed());
        if !more {
            return longest;
        }
    }
}

#[test]
fn a_page_and_a_decision_about_a_full_desk_hold_nobody_up() {
    let mut switch = full_desk();
    let nobody = Some(text("union"));
    for (bank, expected) in [(None, ITEMS as usize), (nobody, 0)] {
        let (mut listing, mut found) = (Listing { bank, ..Listing::all(LOOKS) }, 0);
        let took = longest(|| {
            let (items, last) = switch.desk_step(&listing, LOOKS);
            assert!(items.len() <= LOOKS);
            found += items.len();
            listing.after = last.unwrap_or_default();
            last.is_some()
        });
        println!("the longest step of a page took {took:?}, {found} items");
        assert_eq!(found, expected);
        assert!(took < MOST, "{took:?}");
    }
    let (mut after, mut done) = (RecordNo(0), 0);
    let took = longest(|| {
        let sweep = DeskSweep {
            bank: text("alfa"),
            platform: Some(text("pos")),
            cause: Cause::Forgotten,
            after,
            operator: text("anna"),
            verb: DeskVerb::DidNot(text("not ours")),
        };
        let now = Now { mono: Instant::default(), wall: Wall::from_millis(1_795_305_600_000) };
        switch.handle(now, Input::Command(Command::DeskAll(sweep)));
        let mut more = false;
        while let Some(output) = switch.poll() {
            if let Output::Event(Event::DeskSwept { decided, next_after, .. }) = output {
                (done, more) = (done + decided, next_after.is_some());
                after = next_after.unwrap_or_default();
            }
        }
        more
    });
    println!("the longest step of a decision took {took:?}");
    assert_eq!(u64::from(done), ITEMS);
    assert!(took < MOST, "{took:?}");
    assert!(switch.desk(&Listing::all(1)).is_empty());
}
