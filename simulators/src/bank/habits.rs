//! What real hosts do against what a switch would like to believe of them.
//!
//! Contract: pure; a habit strikes so many in a thousand of the messages it can strike, chosen by
//! what the message is known by, so that every try of one message is struck alike. `full` strikes
//! all. Deliberately absent: what is damaged on purpose (`mood`).

use super::ledger::Key;
use crate::seed::Seed;
use std::collections::BTreeMap;

/// One habit.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Habit {
    /// 25 to the reversal of what it approved, and the money stays. Strikes reversals that state
    /// the `F38` it gave: whoever states that knows of the approval.
    NotFound,
    /// Does the first try of a reversal and says nothing, then 25 to every later one. Strikes as
    /// `NotFound` does.
    Forgets,
    /// Approves, and books, under a code that no list has.
    Unlisted,
    /// Approves, and books, more than was asked (10 with a larger `F4`).
    Above,
    /// Answers without `F49`.
    NoCurrency,
    /// Answers without `F41`.
    NoTerminal,
    /// 94 to the first try of a reversal or advice, which it has not done.
    DuplicateFirst,
    /// 25 to a reversal whose `F90` is not the original's MTI, STAN, `F7` and `F32`.
    StrictName,
    /// 64 to a reversal whose `F4` is not what was granted.
    StrictAmount,
}

impl Habit {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::NotFound,
        Self::Forgets,
        Self::Unlisted,
        Self::Above,
        Self::NoCurrency,
        Self::NoTerminal,
        Self::DuplicateFirst,
        Self::StrictName,
        Self::StrictAmount,
    ];

    /// As commands and rule files call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Forgets => "forgets",
            Self::Unlisted => "unlisted",
            Self::Above => "above",
            Self::NoCurrency => "no-currency",
            Self::NoTerminal => "no-terminal",
            Self::DuplicateFirst => "duplicate-first",
            Self::StrictName => "strict-name",
            Self::StrictAmount => "strict-amount",
        }
    }

    /// The habit of this name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|habit| habit.word() == word)
    }
}

/// The code of approvals that no list has.
pub const UNLISTED: &str = "Q7";

/// Which habits a bank has, and how often they have struck.
#[derive(Debug, Clone, Default)]
pub struct Habits {
    per_mille: BTreeMap<Habit, u32>,
    struck: BTreeMap<Habit, u64>,
}

impl Habits {
    /// These, each so often in a thousand.
    pub fn of(per_mille: BTreeMap<Habit, u32>) -> Self {
        Self { per_mille, struck: BTreeMap::new() }
    }

    /// From now on so often in a thousand.
    pub fn set(&mut self, habit: Habit, per_mille: u32) {
        self.per_mille.insert(habit, per_mille);
    }

    /// None from now on; what was counted stays.
    pub fn drop_all(&mut self) {
        self.per_mille.clear();
    }

    /// Whether this habit strikes what is known by `key`.
    pub fn has(&self, habit: Habit, key: &Key) -> bool {
        let Some(per_mille) = self.per_mille.get(&habit).filter(|p| **p > 0) else { return false };
        let parts = [habit.word(), &key.stan, &key.moment, &key.terminal];
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        // Any spread will do: Seed mixes it.
        let mixed = bytes.fold(17_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        Seed::new(mixed).chance(*per_mille)
    }

    /// Counts that it did.
    pub fn struck(&mut self, habit: Habit) {
        *self.struck.entry(habit).or_insert(0) += 1;
    }

    /// How often each habit has struck, those that never did included.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let count = |habit| self.struck.get(&habit).copied().unwrap_or(0);
        Habit::ALL.into_iter().map(|habit| (habit.word(), count(habit))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_habit_strikes_every_try_alike_and_about_as_often_as_it_should() {
        let habits = Habits::of(BTreeMap::from([(Habit::NotFound, 100)]));
        let key = |stan: u32| Key {
            stan: format!("{stan:06}"),
            moment: "0229000000".to_owned(),
            terminal: "T".to_owned(),
        };
        let strikes = (0..10_000).filter(|stan| habits.has(Habit::NotFound, &key(*stan))).count();
        assert!((800..1_200).contains(&strikes), "{strikes}");
        assert_eq!(habits.has(Habit::NotFound, &key(7)), habits.has(Habit::NotFound, &key(7)));
        assert!(!habits.has(Habit::Unlisted, &key(7)));
        assert!(Habit::ALL.into_iter().all(|habit| Habit::named(habit.word()) == Some(habit)));
    }
}
