//! What real platforms do against the platform contract, or at its edge.
//!
//! Contract: pure; a habit strikes so many in a thousand of what it can strike. What a habit did to
//! a request is written in the ledger beside it. Deliberately absent: how messages are spelled
//! (`mix`), when they leave (`desk`).

use crate::msg::Msg;
use crate::seed::Seed;
use std::collections::BTreeMap;
use std::str::FromStr;

/// One habit.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Habit {
    /// Repeats carry the time of the repeat in `F7`.
    Restamp,
    /// Reversals come from another terminal of the merchant.
    OtherTerminal,
    /// Reversals come without a terminal.
    NoTerminal,
    /// Reversals carry an `F90` of zeros; `F37` names the original.
    ZeroName,
    /// Purchases are decided by the platform and told by advice (0220).
    Advice,
    /// What was told by advice is voided once it is acknowledged.
    VoidAdvice,
    /// An approved purchase is reversed under its right name with another card: a mistake, the
    /// purchase stands.
    WrongCard,
}

impl Habit {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Restamp,
        Self::OtherTerminal,
        Self::NoTerminal,
        Self::ZeroName,
        Self::Advice,
        Self::VoidAdvice,
        Self::WrongCard,
    ];

    /// As the command line calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Restamp => "restamp",
            Self::OtherTerminal => "other-terminal",
            Self::NoTerminal => "no-terminal",
            Self::ZeroName => "zero-name",
            Self::Advice => "advice",
            Self::VoidAdvice => "void-advice",
            Self::WrongCard => "wrong-card",
        }
    }
}

/// A habit, and how often in a thousand: `restamp=500`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Often(pub Habit, pub u32);

impl FromStr for Often {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (word, per_mille) = text.split_once('=').unwrap_or((text, ""));
        let habit = Habit::ALL.into_iter().find(|habit| habit.word() == word);
        let known = || Habit::ALL.map(Habit::word).join(", ");
        let habit = habit.ok_or_else(|| format!("no habit {word:?}; there are: {}", known()))?;
        let per_mille = per_mille.parse().ok().filter(|p| *p <= 1_000);
        Ok(Self(habit, per_mille.ok_or("expected NAME=PER-MILLE, at most 1000")?))
    }
}

/// Which habits a platform has.
#[derive(Debug, Clone)]
pub struct Habits {
    per_mille: BTreeMap<Habit, u32>,
    seed: Seed,
}

impl Habits {
    /// These; none where the list is empty.
    pub fn of(often: &[Often], seed: u64) -> Self {
        let per_mille = often.iter().map(|Often(habit, per_mille)| (*habit, *per_mille)).collect();
        Self { per_mille, seed: Seed::new(seed ^ 0x4AB1_7500) }
    }

    /// Whether this habit strikes now.
    pub fn strikes(&mut self, habit: Habit) -> bool {
        match self.per_mille.get(&habit) {
            None | Some(0) => false,
            Some(per_mille) => self.seed.chance(*per_mille),
        }
    }

    /// Bends a reversal; which habits did.
    pub fn bend(&mut self, reversal: &mut Msg, other_terminal: Option<String>) -> Vec<Habit> {
        let mut done = Vec::new();
        if self.strikes(Habit::OtherTerminal)
            && let Some(terminal) = other_terminal
        {
            reversal.set(41, format!("{terminal:8}"));
            done.push(Habit::OtherTerminal);
        } else if self.strikes(Habit::NoTerminal) {
            reversal.remove(41);
            done.push(Habit::NoTerminal);
        }
        if self.strikes(Habit::ZeroName) {
            reversal.set(90, "0".repeat(42));
            done.push(Habit::ZeroName);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_named_and_bend_reversals() {
        assert_eq!("restamp=500".parse(), Ok(Often(Habit::Restamp, 500)));
        for wrong in ["restamp", "restamp=x", "restamp=1001", "honest=1"] {
            assert!(wrong.parse::<Often>().is_err(), "{wrong}");
        }
        let often = [Often(Habit::OtherTerminal, 1_000), Often(Habit::ZeroName, 1_000)];
        let mut habits = Habits::of(&often, 1);
        let mut msg = Msg::new("0420").with(41, "TERM0001").with(90, "0200");
        let done = habits.bend(&mut msg, Some("TERM0002".to_owned()));
        assert_eq!(done, [Habit::OtherTerminal, Habit::ZeroName]);
        assert_eq!((msg.text(41), msg.text(90)), ("TERM0002", "0".repeat(42).as_str()));
        assert!(!habits.strikes(Habit::Advice));
    }
}
