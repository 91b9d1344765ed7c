//! What a bank can be told to do wrong: one line of words each, the same on standard input, on
//! the control port, in a rule file's schedule and from tests.
//!
//! ```text
//! approve | decline CODE      answer everything so, whatever the rules say; `rules`: by the rules
//! delay MS | delay exponential MS | delay off       executed at once, answered later
//! late MS COUNT               the next originals are executed at once, answered after MS
//! slow MS COUNT               the next originals are executed only after MS, then answered
//! drop COUNT                  the next originals are lost: not executed, not answered
//! silent SECONDS | on | off   everything is executed, nothing is answered
//! duplicate COUNT             the next answers are sent twice
//! wrong-mac COUNT             the next answers carry a wrong MAC
//! wrong-amount COUNT          the next answers carry another amount
//! garbage COUNT               the next answers are replaced by well-framed nonsense
//! refuse-sign-on on | off     sign-ons are declined
//! wrong-keys COUNT            the next sign-ins are given keys with a wrong check value
//! cutover MMDD                what follows counts on this date, and the switch is told (0800, 201)
//! cutover-again [bare]        the notice of the date in force once more; bare: without F15
//! own-day MMDD                what follows counts on this date; only F15 of answers tells
//! sign-off                    the switch is told (0800, 002), the sessions stay; nothing is
//!                             executed or answered till a sign-on
//! sign-on                     the bank signs on itself (0800, 001)
//! habit NAME PER-MILLE        does as real hosts do, see `habits`
//! misbook CURRENCY MINOR      the ledger gets a purchase that nobody asked for
//! disconnect                  every session is closed now
//! heal                        all of the above is forgotten
//! ```

use super::habits::Habit;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Answer every original with this code; `None`: by the rules.
    Answer(Option<String>),
    /// Answer everything later.
    Delay(Delay),
    /// Execute the next originals now, answer them later.
    Late(Duration, u32),
    /// Execute and answer the next originals later.
    Slow(Duration, u32),
    /// Lose the next originals.
    Drop(u32),
    /// Answer nothing for so long; `Duration::MAX`: until healed; zero: speak again.
    Silent(Duration),
    /// Send the next answers twice.
    Duplicate(u32),
    /// Spoil the MAC of the next answers.
    WrongMac(u32),
    /// Spoil the amount of the next answers.
    WrongAmount(u32),
    /// Send nonsense instead of the next answers.
    Garbage(u32),
    /// Decline sign-ons.
    RefuseSignOn(bool),
    /// Hand out keys with a wrong check value at the next sign-ins.
    WrongKeys(u32),
    /// A new business date, MMDD.
    Cutover(String),
    /// Tell the date in force once more; `true`: without `F15`.
    CutoverAgain(bool),
    /// A new business date that only answers tell, MMDD.
    OwnDay(String),
    /// Sign off, and keep the sessions.
    SignOff,
    /// Sign on after a sign-off.
    SignOn,
    /// A habit, and how often in a thousand.
    Habit(Habit, u32),
    /// Book what nobody asked for: currency, and minor units.
    Misbook(String, u32),
    /// Close every session.
    Disconnect,
    /// Be well.
    Heal,
}

/// How long answers are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delay {
    /// Not at all.
    #[default]
    None,
    /// Always so long.
    Fixed(Duration),
    /// Exponentially distributed with this mean.
    Exponential(Duration),
}

/// The line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError(String);

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not a command: `{}`", self.0)
    }
}

impl std::error::Error for CommandError {}

impl FromStr for Command {
    type Err = CommandError;
    fn from_str(line: &str) -> Result<Self, CommandError> {
        let mut words = line.split_whitespace();
        let command = words.next().and_then(|verb| parse(verb, &mut words));
        command.filter(|_| words.next().is_none()).ok_or_else(|| CommandError(line.to_owned()))
    }
}

fn parse(verb: &str, words: &mut SplitWhitespace<'_>) -> Option<Command> {
    Some(match verb {
        "approve" => Command::Answer(Some("00".to_owned())),
        "decline" => Command::Answer(Some(code(words)?)),
        "rules" => Command::Answer(None),
        "delay" => Command::Delay(delay(words)?),
        "late" => Command::Late(millis(words)?, count(words)?),
        "slow" => Command::Slow(millis(words)?, count(words)?),
        "drop" => Command::Drop(count(words)?),
        "silent" => Command::Silent(silence(words.next()?)?),
        "duplicate" => Command::Duplicate(count(words)?),
        "wrong-mac" => Command::WrongMac(count(words)?),
        "wrong-amount" => Command::WrongAmount(count(words)?),
        "garbage" => Command::Garbage(count(words)?),
        "refuse-sign-on" => Command::RefuseSignOn(match words.next()? {
            "on" => true,
            "off" => false,
            _ => return None,
        }),
        "wrong-keys" => Command::WrongKeys(count(words)?),
        "cutover" => Command::Cutover(date(words.next()?)?),
        "cutover-again" => Command::CutoverAgain(match words.next() {
            None => false,
            Some("bare") => true,
            Some(_) => return None,
        }),
        "own-day" => Command::OwnDay(date(words.next()?)?),
        "sign-off" => Command::SignOff,
        "sign-on" => Command::SignOn,
        "habit" => Command::Habit(Habit::named(words.next()?)?, count(words)?),
        "misbook" => Command::Misbook(currency(words.next()?)?, count(words)?),
        "disconnect" => Command::Disconnect,
        "heal" => Command::Heal,
        _ => return None,
    })
}

fn code(words: &mut SplitWhitespace<'_>) -> Option<String> {
    let code = words.next()?;
    let fits = code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| code.to_owned())
}

fn date(word: &str) -> Option<String> {
    (word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit())).then(|| word.to_owned())
}

fn currency(word: &str) -> Option<String> {
    (word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit())).then(|| word.to_owned())
}

fn millis(words: &mut SplitWhitespace<'_>) -> Option<Duration> {
    words.next()?.parse().ok().map(Duration::from_millis)
}

fn count(words: &mut SplitWhitespace<'_>) -> Option<u32> {
    words.next()?.parse().ok()
}

fn delay(words: &mut SplitWhitespace<'_>) -> Option<Delay> {
    match words.next()? {
        "off" => Some(Delay::None),
        "exponential" => millis(words).map(Delay::Exponential),
        word => word.parse().ok().map(Duration::from_millis).map(Delay::Fixed),
    }
}

fn silence(word: &str) -> Option<Duration> {
    match word {
        "on" => Some(Duration::MAX),
        "off" => Some(Duration::ZERO),
        seconds => Duration::try_from_secs_f64(seconds.parse().ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_understood() {
        let parse = |line: &str| line.parse::<Command>();
        let ms = Duration::from_millis;
        assert_eq!(parse("decline 51"), Ok(Command::Answer(Some("51".to_owned()))));
        assert_eq!(parse("delay exponential 5"), Ok(Command::Delay(Delay::Exponential(ms(5)))));
        assert_eq!(parse("delay 5"), Ok(Command::Delay(Delay::Fixed(ms(5)))));
        assert_eq!(parse("late 2500 20"), Ok(Command::Late(ms(2_500), 20)));
        assert_eq!(parse("silent 1.5"), Ok(Command::Silent(ms(1_500))));
        assert_eq!(parse("silent on"), Ok(Command::Silent(Duration::MAX)));
        assert_eq!(parse("cutover 0101"), Ok(Command::Cutover("0101".to_owned())));
        assert_eq!(parse("misbook 840 5"), Ok(Command::Misbook("840".to_owned(), 5)));
        assert_eq!(parse("cutover-again bare"), Ok(Command::CutoverAgain(true)));
        assert_eq!(parse("habit not-found 5"), Ok(Command::Habit(Habit::NotFound, 5)));
        for line in ["cutover-again", "own-day 0229", "sign-off", "sign-on", "habit above 1000"] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in ["approve", "rules", "delay off", "slow 1 1", "drop 3", "duplicate 1"] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in ["wrong-mac 1", "garbage 1", "refuse-sign-on on", "wrong-keys 1", "heal"] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in [
            "",
            "explode",
            "drop",
            "drop x",
            "silent -1",
            "heal now",
            "decline 512",
            "misbook 84 5",
            "habit honest 1",
            "cutover-again dressed",
        ] {
            assert!(line.parse::<Command>().is_err(), "{line}");
        }
    }
}
