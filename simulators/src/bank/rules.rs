//! What a bank approves and what it declines: by card, amount and kind, from a rule file.
//!
//! Contract: the first rule that matches decides; without one the default does. The file is
//! TOML, unknown keys are refused:
//! ```toml
//! answer = "00"                # where no rule matches
//! [[rule]]
//! card = "4242"                # first digits
//! kind = "purchase"
//! amount = [1, 500000]         # minor units, inclusive
//! amount_ends = 51             # last two digits
//! answer = "51"
//! partial = 100                # with an approval: approve only so much
//! [[at]]
//! t = 2.5                      # seconds after the start
//! do = "silent 3"              # a command, see `command`
//! [habits]                     # each so often in a thousand, see `habits`
//! not-found = 20
//! ```

use super::book::Verdict;
use super::business::Business;
use super::command::Command;
use super::habits::Habit;
use crate::msg::Msg;
use std::collections::BTreeMap;
use std::time::Duration;

/// The rule file.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// `F39` where no rule matches.
    #[serde(default = "approved")]
    pub answer: String,
    /// In order of precedence.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// What happens when.
    #[serde(default, rename = "at")]
    pub schedule: Vec<Scheduled>,
    /// What it does as real hosts do, each so often in a thousand.
    #[serde(default)]
    pub habits: BTreeMap<Habit, u32>,
}

/// One rule. Every stated condition must hold.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// First digits of the card number.
    pub card: Option<String>,
    /// What is asked.
    pub kind: Option<Business>,
    /// Least and most, in minor units, inclusive.
    pub amount: Option<[u64; 2]>,
    /// The last two digits of the amount.
    pub amount_ends: Option<u64>,
    /// `F39`.
    pub answer: String,
    /// With an approval: approve at most so many minor units.
    pub partial: Option<u64>,
}

/// A command for later.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// Seconds after the start.
    pub t: f64,
    /// The command.
    #[serde(rename = "do", deserialize_with = "command")]
    pub command: Command,
}

fn approved() -> String {
    "00".to_owned()
}

fn command<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Command, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            answer: approved(),
            rules: Vec::new(),
            schedule: Vec::new(),
            habits: BTreeMap::new(),
        }
    }
}

impl Scheduled {
    /// When, after the start; what cannot be a time means at once.
    pub fn after(&self) -> Duration {
        Duration::try_from_secs_f64(self.t).unwrap_or_default()
    }
}

impl Rules {
    /// Reads a rule file.
    ///
    /// # Errors
    /// What is wrong and where, as the TOML reader tells it.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// What the first rule that matches says.
    pub fn verdict(&self, business: Business, msg: &Msg) -> Verdict {
        match self.rules.iter().find(|rule| rule.matches(business, msg)) {
            Some(rule) => Verdict { code: rule.answer.clone(), partial: rule.partial },
            None => Verdict { code: self.answer.clone(), partial: None },
        }
    }
}

impl Rule {
    fn matches(&self, business: Business, msg: &Msg) -> bool {
        let amount = msg.number(4).unwrap_or(0);
        let card = if msg.get(2).is_some() { msg.text(2) } else { msg.text(35) };
        self.card.as_ref().is_none_or(|prefix| card.starts_with(prefix.as_str()))
            && self.kind.is_none_or(|kind| kind == business)
            && self.amount.is_none_or(|[least, most]| (least..=most).contains(&amount))
            && self.amount_ends.is_none_or(|ends| amount % 100 == ends)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    const FILE: &str = r#"
        [[rule]]
        card = "4242"
        amount_ends = 51
        answer = "51"
        [[rule]]
        kind = "refund"
        amount = [500000, 999999]
        answer = "61"
        [[rule]]
        amount = [777, 777]
        answer = "10"
        partial = 500
        [[at]]
        t = 1.5
        do = "silent 2"
        [habits]
        not-found = 20
    "#;

    #[test]
    fn the_first_matching_rule_decides() {
        let rules = Rules::parse(FILE).unwrap();
        let ask = |card: &str, amount: u64, kind| {
            let msg = Msg::new("0200").with(2, card).with(4, format!("{amount:012}"));
            let verdict = rules.verdict(kind, &msg);
            (verdict.code, verdict.partial)
        };
        let said = |code: &str, partial| (code.to_owned(), partial);
        assert_eq!(ask("4242424242424242", 1_051, Business::Purchase), said("51", None));
        assert_eq!(ask("4111111111111111", 1_051, Business::Purchase), said("00", None));
        assert_eq!(ask("4111111111111111", 600_000, Business::Refund), said("61", None));
        assert_eq!(ask("4111111111111111", 777, Business::Purchase), said("10", Some(500)));
        assert_eq!(rules.schedule[0].after(), Duration::from_millis(1_500));
        assert_eq!(rules.habits.get(&Habit::NotFound), Some(&20));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(Rules::parse("anser = '00'").is_err());
        assert!(Rules::parse("[[at]]\nt = 1\ndo = 'explode'").is_err());
        assert!(Rules::parse("[habits]\nhonest = 1").is_err());
    }
}
