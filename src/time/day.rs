//! A business day with its year: messages name days by month and day alone.
//!
//! Contract: a [`Day`] exists in the calendar, or is [`Day::UNNAMED`], the one of banks that have
//! named none yet. What has no year is read as the nearest there is. Days that old journals hold
//! have no year until [`Day::near`] finds it. Deliberately absent: time zones – a business day is
//! the bank's, whatever a clock says.

use super::Wall;
use crate::text::Text;
use jiff::civil::Date;
use std::fmt;
use std::str::FromStr;

/// A business day, in order of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Day(
    /// As digits, YYYYMMDD; without a year MMDD; 0 where none is named.
    u32,
);

impl Day {
    /// Of banks that have named none yet.
    pub const UNNAMED: Self = Self(0);

    /// The day of a wall stamp in UTC.
    pub fn of(at: Wall) -> Self {
        Self::from_civil(at.utc().date())
    }

    /// The day of these digits (YYYYMMDD, or MMDD where its year is not known, or none), as
    /// [`Day::number`] gives them.
    pub fn from_number(number: u32) -> Option<Self> {
        if number == 0 {
            return Some(Self::UNNAMED);
        }
        let day = Self(number);
        // Where the year is unknown, a leap year has all days that there are.
        let year = if day.has_year() { number / 10_000 } else { 2024 };
        Date::new(i16::try_from(year).ok()?, day.month(), day.day()).ok()?;
        Some(day)
    }

    /// As digits.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The day that these four digits name, in the year nearest to another day; `None` where no
    /// year near it has such a day.
    pub fn stated(digits: &Text<4>, near: Self) -> Option<Self> {
        Self::nearest(month_and_day(digits)?, near)
    }

    /// The same day with the year it lacks, nearest to a wall stamp.
    #[must_use]
    pub fn near(self, at: Wall) -> Self {
        if self.has_year() || self == Self::UNNAMED {
            return self;
        }
        Self::nearest(self.0, Self::of(at)).unwrap_or(self)
    }

    fn nearest(digits: u32, near: Self) -> Option<Self> {
        let near = near.civil()?;
        let (month, day) = (Self(digits).month(), Self(digits).day());
        let years = [near.year() - 1, near.year(), near.year() + 1];
        let all = years.into_iter().filter_map(|year| Date::new(year, month, day).ok());
        all.min_by_key(|date| between(*date, near).abs()).map(Self::from_civil)
    }

    /// The day after it; none is named after none, nor where the year is not known.
    pub fn next(self) -> Option<Self> {
        self.civil()?.tomorrow().ok().map(Self::from_civil)
    }

    /// How many days it lies behind `earlier`; `None` where one of them is no day of a year.
    pub fn days_after(self, earlier: Self) -> Option<i32> {
        Some(between(self.civil()?, earlier.civil()?))
    }

    /// As messages spell it: month and day.
    pub fn digits(self) -> Text<4> {
        let digits = self.0 % 10_000;
        let place = |of: u32| u8::try_from(digits / of % 10).unwrap_or_default() + b'0';
        Text::new(&[place(1_000), place(100), place(10), place(1)]).unwrap_or_default()
    }

    /// Whether a message names this day by these digits, in whatever year.
    pub fn is_called(self, digits: &Text<4>) -> bool {
        self != Self::UNNAMED && month_and_day(digits) == Some(self.0 % 10_000)
    }

    const fn has_year(self) -> bool {
        self.0 > 9_999
    }

    const fn month(self) -> i8 {
        (self.0 / 100 % 100) as i8
    }

    const fn day(self) -> i8 {
        (self.0 % 100) as i8
    }

    fn civil(self) -> Option<Date> {
        let year = i16::try_from(self.0 / 10_000).ok().filter(|_| self.has_year())?;
        Date::new(year, self.month(), self.day()).ok()
    }

    fn from_civil(date: Date) -> Self {
        let year = u32::try_from(date.year()).unwrap_or_default();
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        Self(year * 10_000 + u32::from(month) * 100 + u32::from(day))
    }
}

/// Four digits as a number.
fn month_and_day(digits: &Text<4>) -> Option<u32> {
    let bytes = digits.as_bytes();
    let digit = |all: u32, byte: &u8| {
        byte.is_ascii_digit().then(|| all * 10 + u32::from(byte.wrapping_sub(b'0')))
    };
    (bytes.len() == 4).then(|| bytes.iter().try_fold(0, digit))?
}

fn between(later: Date, earlier: Date) -> i32 {
    later.since(earlier).map_or(0, |span| span.get_days())
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100);
        if self.has_year() {
            write!(f, "{year:04}-{month:02}-{day:02}")
        } else {
            write!(f, "{month:02}{day:02}")
        }
    }
}

/// No day is spelled so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a day as YYYY-MM-DD")]
pub struct NoDay;

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        text.parse::<Date>().map(Self::from_civil).map_err(|_| NoDay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Wall {
        let stamp: Option<jiff::Timestamp> = text.parse().ok();
        Wall::from_millis(stamp.map_or(0, jiff::Timestamp::as_millisecond))
    }

    fn stated(digits: &str, near: &str) -> String {
        let digits = digits.parse().unwrap_or_default();
        Day::stated(&digits, Day::of(at(near))).map_or("none".to_owned(), |day| day.to_string())
    }

    #[test]
    fn four_digits_mean_the_day_of_the_nearest_year() {
        let evening = "2026-12-31T23:00:00Z";
        assert_eq!(stated("0101", evening), "2027-01-01");
        assert_eq!(stated("1231", "2027-01-01T01:00:00Z"), "2026-12-31");
        assert_eq!(stated("1130", evening), "2026-11-30");
        assert_eq!(stated("0229", "2028-03-01T00:00:00Z"), "2028-02-29");
        assert_eq!(stated("0229", "2028-02-28T00:00:00Z"), "2028-02-29");
    }

    #[test]
    fn what_no_year_near_has_is_no_day() {
        for digits in ["0229", "0000", "1301", "0431", "02 9", "229", ""] {
            assert_eq!(stated(digits, "2026-02-28T23:00:00Z"), "none", "{digits:?}");
        }
    }

    #[test]
    fn days_follow_each_other_as_in_the_calendar() {
        let next = |day: &str| day.parse().ok().and_then(Day::next).map(|day| day.to_string());
        for (day, after) in [
            ("2026-02-28", "2026-03-01"),
            ("2028-02-28", "2028-02-29"),
            ("2028-02-29", "2028-03-01"),
            ("2100-02-28", "2100-03-01"),
            ("2026-12-31", "2027-01-01"),
            ("2026-04-30", "2026-05-01"),
        ] {
            assert_eq!(next(day).as_deref(), Some(after));
        }
        assert_eq!(Day::UNNAMED.next(), None);
    }

    #[test]
    fn a_day_is_its_digits_and_its_name() {
        let day: Day = "2028-02-29".parse().unwrap_or_default();
        assert_eq!(Day::from_number(day.number()), Some(day));
        assert_eq!(day.digits().as_str(), "0229");
        assert!(day.is_called(&day.digits()) && !day.is_called(&Text::EMPTY));
        assert_eq!(Day::UNNAMED.digits().as_str(), "0000");
        assert!(!Day::UNNAMED.is_called(&Day::UNNAMED.digits()));
        let after: Day = "2028-03-01".parse().unwrap_or_default();
        assert_eq!(after.days_after(day), Some(1));
        assert_eq!(day.days_after("2027-12-31".parse().unwrap_or_default()), Some(60));
        assert!("2027-02-29".parse::<Day>().is_err());
    }

    #[test]
    fn a_day_of_an_old_journal_finds_its_year() {
        let bare = Day::from_number(1122).unwrap_or_default();
        assert_eq!(bare.to_string(), "1122");
        assert_eq!(bare.near(at("2026-11-20T00:00:00Z")).to_string(), "2026-11-22");
        assert_eq!(Day::UNNAMED.near(at("2026-11-20T00:00:00Z")), Day::UNNAMED);
        assert_eq!(Day::from_number(20_270_229), None);
        assert_eq!(Day::from_number(1301), None);
    }
}
