//! A bank's business date moves: on its own word or an operator's.
//!
//! Contract: one cutover moves the date once, however often the bank says so: a date that is
//! named decides, and where none is, a word that repeats the last one, or follows it within
//! [`APART`], is the same cutover. A date that is past, or far from any date there is, moves
//! nothing and alarms: believed, it would make every true one that follows a past one. What an
//! operator says is carried out. Deliberately absent: what counts on which date
//! ([`super::books`]).

use super::Switch;
use super::books::LastCutover;
use super::ids::{BankId, Name, RecordNo};
use super::output::Event;
use super::record::{Cutover, Record};
use crate::canonical::Canonical;
use crate::text::Text;
use crate::time::{Day, Wall};
use std::time::Duration;

/// No bank ends two business days within this time: a second word without a date is a repeat.
const APART: Duration = Duration::from_secs(6 * 3_600);

/// How many days a named date may lie from the bank's present one, or from the clock's. Holidays
/// are shorter.
const FAR_DAYS: i32 = 15;

/// What a bank's word about its date amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The date moves to this one.
    Moves(Day),
    /// The date is that one already.
    Known,
    /// Past, or too far away to be meant.
    Strange(Option<Day>),
}

impl Switch {
    /// A bank says that its business date moves; the record that its answer waits for.
    pub(super) fn bank_cuts_over(&mut self, bank: BankId, msg: &Canonical) -> RecordNo {
        let name = self.bank_name(bank);
        let known = self.state.bank(&name);
        let current = known.and_then(|b| b.business_date);
        let last = known.and_then(|b| b.cutover).map(|last| (last, self.since_cutover(bank, last)));
        match judged(current, last, msg, self.now.wall) {
            Word::Moves(date) => {
                let (stan, transmission) = (msg.stan, msg.transmission);
                let at = self.now.wall;
                let operator = None;
                let moved = Cutover { bank: name, at, date, operator, stan, transmission };
                self.cut_over(bank, moved)
            }
            Word::Known => self.state.last,
            Word::Strange(stated) => {
                let current = current.unwrap_or_default();
                self.event(Event::DateIgnored { bank: name, stated, current });
                self.state.last
            }
        }
    }

    /// How long ago a bank's date moved. Before the start only the wall clock tells, which may have
    /// been set since.
    fn since_cutover(&self, bank: BankId, last: LastCutover) -> Duration {
        let live = self.banks.get(usize::from(bank.0)).and_then(|live| live.cut_over);
        let millis = self.now.wall.millis().saturating_sub(last.at.millis());
        let by_wall = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        live.map_or(by_wall, |at| self.now.mono.since(at))
    }

    /// The operator moves a bank's business date: to the one that is named, or to the day after.
    pub(super) fn move_date(&mut self, name: &Name, stated: Option<Text<4>>, operator: Name) {
        let Some(bank) = self.bank_id(name) else {
            return self.impossible("a cutover of an unknown bank");
        };
        let at = self.now.wall;
        let current = self.state.bank(name).and_then(|b| b.business_date);
        let date = match stated {
            Some(stated) => Day::stated(&stated, named(current).unwrap_or(Day::of(at))),
            None => Some(named(current).and_then(Day::next).unwrap_or_else(|| Day::of(at))),
        };
        // What is no day of the years around is refused by whoever asked for it.
        let Some(date) = date else { return };
        let operator = Some(operator);
        let (stan, transmission) = (None, None);
        self.cut_over(bank, Cutover { bank: *name, at, date, operator, stan, transmission });
    }

    /// The date moves. What is over is asked about where the bank wants that: said before the
    /// date moves, so that no crash comes between.
    fn cut_over(&mut self, bank: BankId, moved: Cutover) -> RecordNo {
        let name = moved.bank;
        let current = self.state.business_date(&name);
        // Before the first date there may be nothing.
        let counted = || self.state.books.dates_of(name).any(|(b, _)| b.currency.code() != 0);
        let over = current < moved.date && (current != Day::UNNAMED || counted());
        let asks =
            self.policy.banks.get(usize::from(bank.0)).is_some_and(|b| b.reconcile_at_cutover);
        if over && asks {
            for period in self.periods(bank, Some(current)) {
                self.order(name, period, None);
            }
        }
        if let Some(live) = self.banks.get_mut(usize::from(bank.0)) {
            live.cut_over = Some(self.now.mono);
        }
        let no = self.record(Record::Cutover(moved));
        self.let_go_dates(name);
        no
    }
}

/// Judges a word of a bank. `last`: its date's last move, and how long ago that was.
fn judged(
    current: Option<Day>,
    last: Option<(LastCutover, Duration)>,
    msg: &Canonical,
    now: Wall,
) -> Word {
    // Hosts that know none fill the field with zeros.
    let stated = msg.settlement_date.filter(|d| d.as_bytes().iter().any(|b| *b != b'0'));
    let current = named(current);
    let Some(stated) = stated else {
        return match current {
            Some(_) if last.is_some_and(|(last, ago)| is_same(&last, msg, ago)) => Word::Known,
            Some(current) => current.next().map_or(Word::Strange(None), Word::Moves),
            None => Word::Moves(Day::of(now)),
        };
    };
    let today = Day::of(now);
    let Some(day) = Day::stated(&stated, current.unwrap_or(today)) else {
        return Word::Strange(None);
    };
    let is_near = |other: Day| {
        day.days_after(other).is_some_and(|days| days.unsigned_abs() <= FAR_DAYS.unsigned_abs())
    };
    match current {
        // With nothing to compare it with, the bank is believed.
        None => Word::Moves(day),
        Some(current) if current == day => Word::Known,
        Some(current) if day > current && (is_near(current) || is_near(today)) => Word::Moves(day),
        Some(_) => Word::Strange(Some(day)),
    }
}

/// The date that a bank has named, if it has.
fn named(date: Option<Day>) -> Option<Day> {
    date.filter(|date| *date != Day::UNNAMED)
}

/// Whether a word that names no date is the last one again.
fn is_same(last: &LastCutover, msg: &Canonical, ago: Duration) -> bool {
    let stan = last.stan.is_some() && last.stan == msg.stan;
    let stamp = last.transmission.is_some() && last.transmission == msg.transmission;
    ago < APART || stan && (stamp || msg.repeat)
}
