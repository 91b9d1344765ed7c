//! The stamps that platforms write into requests (`F7`, or `F13` and `F12`), and our own `F7`.
//!
//! Contract: a stamp has no year, the one nearest to a given moment is meant; what is no date
//! has no meaning and proves nothing. Stamps of one platform are compared with each other, so a
//! clock that is ahead or behind does no harm as long as it is one clock.

use super::record::Origin;
use crate::text::Text;
use crate::time::Wall;
use std::time::Duration;

/// `F7` of now, written once per second.
#[derive(Debug, Default)]
pub(super) struct GmtStamp {
    second: i64,
    text: Text<10>,
}

impl GmtStamp {
    /// MMDDhhmmss in GMT.
    pub(super) fn at(&mut self, now: Wall) -> Text<10> {
        let second = now.millis().div_euclid(1_000);
        if self.text.is_empty() || second != self.second {
            let utc = now.utc();
            let text = format!(
                "{:02}{:02}{:02}{:02}{:02}",
                utc.month(),
                utc.day(),
                utc.hour(),
                utc.minute(),
                utc.second()
            );
            self.second = second;
            self.text = Text::new(text.as_bytes()).unwrap_or_default();
        }
        self.text
    }
}

/// How long before `now` an `F7` was written; `None` where it is no date, or in the future.
pub(super) fn age_of(f7: &Text<10>, now: Wall) -> Option<Duration> {
    let age = now.millis().div_euclid(1_000) - seconds(f7.as_bytes(), now)?;
    u64::try_from(age).ok().map(Duration::from_secs)
}

/// When a platform wrote a request, by its own clock, in seconds since 1970; `None` where it
/// does not say, or before 1970. The stamp is the one that names the request
/// ([`super::duplicates::fingerprint`]).
pub(super) fn own_stamp(origin: &Origin, near: Wall) -> Option<u32> {
    let local = || {
        let (date, time) = origin.local_date.zip(origin.local_time)?;
        let mut both = [0; 10];
        both[..4].copy_from_slice(date.as_bytes().get(..4)?);
        both[4..].copy_from_slice(time.as_bytes().get(..6)?);
        Some(both)
    };
    let by_f7 = origin.is_named_by_f7();
    let f7 = || <[u8; 10]>::try_from(origin.transmission?.as_bytes()).ok();
    let digits = if by_f7 { f7().or_else(local) } else { local().or_else(f7) };
    u32::try_from(seconds(&digits?, near)?).ok()
}

/// MMDDhhmmss as seconds since 1970, in the year nearest to `near`.
fn seconds(digits: &[u8], near: Wall) -> Option<i64> {
    if digits.len() != 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |at: usize| i64::from(digits[at] - b'0') * 10 + i64::from(digits[at + 1] - b'0');
    let of_day = two(4) * 3_600 + two(6) * 60 + two(8);
    let near = near.millis().div_euclid(1_000);
    let at = |year: i64| days(year, two(0), two(2)) * 86_400 + of_day;
    let year = year_of(near.div_euclid(86_400));
    let this = at(year);
    // Within half a year no other year can be nearer: nearly always, on every request.
    if (near - this).abs() <= 180 * 86_400 {
        return Some(this);
    }
    [at(year - 1), this, at(year + 1)].into_iter().min_by_key(|at| (near - at).abs())
}

/// The year of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn year_of(day: i64) -> i64 {
    // Eras of 400 years that begin in March.
    let since = day + 719_468;
    let of_era = since.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let january_or_february = of_year >= 306;
    year_of_era + since.div_euclid(146_097) * 400 + i64::from(january_or_february)
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * m + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_of_a_day_is_that_of_the_calendar() {
        for day in (-200_000..200_000).step_by(31).chain(10_900..11_400) {
            let wall = Wall::from_millis(day * 86_400_000);
            assert_eq!(year_of(day), i64::from(wall.utc().year()), "day {day}");
        }
    }

    #[test]
    fn f7_means_the_year_nearest_to_now() {
        let new_year = Wall::from_millis(1_735_689_660_000); // 2025-01-01T00:01:00Z
        let age = |f7: &str| f7.parse().ok().and_then(|f7| age_of(&f7, new_year));
        assert_eq!(age("1231235900"), Some(Duration::from_secs(120)));
        assert_eq!(age("0101000200"), None); // a minute ahead
        assert_eq!(age("01010002xx"), None);
        let leap = Wall::from_millis(1_709_251_200_000); // 2024-03-01T00:00:00Z
        let age = |f7: &str| f7.parse().ok().and_then(|f7| age_of(&f7, leap));
        assert_eq!(age("0229235959"), Some(Duration::from_secs(1)));
    }

    #[test]
    fn the_gmt_stamp_is_f7() {
        let mut stamp = GmtStamp::default();
        let f7 = stamp.at(Wall::from_millis(1_709_164_800_123));
        assert_eq!(f7.as_str(), "0229000000");
    }

    #[test]
    fn a_request_is_stamped_by_what_names_it() {
        let now = Wall::from_millis(1_735_689_660_000); // 2025-01-01T00:01:00Z
        let mut origin = Origin {
            mti: "0200".parse().unwrap_or_default(),
            transmission: "0101000030".parse().ok(),
            local_date: "1231".parse().ok(),
            local_time: "235900".parse().ok(),
            ..Origin::default()
        };
        assert_eq!(own_stamp(&origin, now), Some(1_735_689_630));
        origin.mti = "1200".parse().unwrap_or_default();
        assert_eq!(own_stamp(&origin, now), Some(1_735_689_540), "last year, by F13 and F12");
        origin.local_time = None;
        assert_eq!(own_stamp(&origin, now), Some(1_735_689_630), "F7 is all there is");
        origin.transmission = None;
        assert_eq!(own_stamp(&origin, now), None);
    }
}
