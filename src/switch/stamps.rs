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

    /// Whether an `F7` was written in the minute of `now`.
    pub(super) fn is_of_this_minute(&mut self, f7: &Text<10>, now: Wall) -> bool {
        let ours = self.at(now);
        f7.as_bytes().first_chunk::<8>() == ours.as_bytes().first_chunk::<8>()
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

/// An `F7`, as seconds since 1970, in the year nearest to `near`; `None` where it is no date.
pub(super) fn moment(f7: &[u8], near: Wall) -> Option<i64> {
    seconds(f7, near)
}

/// A local date (MMDD) with its time, or the beginning of that day, as if it were GMT.
pub(super) fn local_moment(date: &Text<4>, time: Option<&Text<6>>, near: Wall) -> Option<i64> {
    let mut both = *b"0000000000";
    both[..4].copy_from_slice(date.as_bytes().get(..4)?);
    if let Some(time) = time {
        both[4..].copy_from_slice(time.as_bytes().get(..6)?);
    }
    seconds(&both, near)
}

/// MMDDhhmmss as seconds since 1970, in the year nearest to `near`.
fn seconds(digits: &[u8], near: Wall) -> Option<i64> {
    let [month, day, hour, minute, second] = pairs(digits.try_into().ok()?)?;
    let of_day = hour * 3_600 + minute * 60 + second;
    let near = near.millis().div_euclid(1_000);
    let at = |year: i64| days(year, month, day) * 86_400 + of_day;
    // Around New Year it may be the neighbour of the year that `near` is in.
    let year = 1970 + near.div_euclid(SECONDS_OF_YEAR);
    let this = at(year);
    // Within half a year no other year can be nearer: nearly always, on every request.
    if (near - this).abs() <= 180 * 86_400 {
        return Some(this);
    }
    (year - 2..=year + 2).map(at).min_by_key(|at| (near - at).abs())
}

/// The length of a year in the Gregorian calendar, on average.
const SECONDS_OF_YEAR: i64 = 146_097 * 86_400 / 400;

/// Ten digits as five numbers of two, the first four of them side by side: this is done several
/// times per request.
fn pairs(digits: &[u8; 10]) -> Option<[i64; 5]> {
    let [eight @ .., tens, ones] = digits;
    let values = u64::from_le_bytes(*eight).wrapping_sub(EACH * 0x30);
    // Above nine, or below zero, which wrapped, the highest bit is set by one or the other.
    let beyond = (values | values.wrapping_add(EACH * 0x76)) & (EACH * 0x80);
    let numbers = values.wrapping_mul(10).wrapping_add(values >> 8);
    let number = |at: u32| i64::from((numbers >> (16 * at)) as u8);
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    let last = i64::from(tens) * 10 + i64::from(ones);
    let digits_only = (beyond == 0) & (tens <= 9) & (ones <= 9);
    digits_only.then_some([number(0), number(1), number(2), number(3), last])
}

/// One in each of eight bytes.
const EACH: u64 = u64::MAX / 0xFF;

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
    fn a_date_means_the_nearest_one_there_is() {
        for day in (-200_000..200_000).step_by(31).chain(10_900..11_400) {
            let meant = Wall::from_millis(day * 86_400_000 + 45_296_000).utc();
            let digits = format!("{:02}{:02}123456", meant.month(), meant.day());
            for days_off in [0, 1, -1, 90, -90, 180, -180] {
                let near = Wall::from_millis((day + days_off) * 86_400_000);
                let found = seconds(digits.as_bytes(), near);
                assert_eq!(found, Some(day * 86_400 + 45_296), "{meant} from {days_off} days off");
            }
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
    fn only_digits_are_pairs() {
        assert_eq!(pairs(b"0199230845"), Some([1, 99, 23, 8, 45]));
        assert_eq!(pairs(b"9999999999"), Some([99; 5]));
        for at in 0..10 {
            for other in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
                let mut digits = *b"0990900909";
                digits[at] = other;
                assert_eq!(pairs(&digits), None, "{other} at {at}");
            }
        }
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
