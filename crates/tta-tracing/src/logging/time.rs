//! Points in time as text (RFC 3339, UTC, microseconds).
//!
//! Owns the calendar. What time it is comes from the caller.

/// `2026-01-31T12:00:00.000000Z`.
pub(super) type Timestamp = [u8; 27];

const SECONDS_PER_DAY: u64 = 86_400;

/// A time in nanoseconds since the Unix epoch, cut to whole microseconds.
pub(super) fn rfc3339(unix_ns: u64) -> Timestamp {
    let (seconds, micros) = (unix_ns / 1_000_000_000, unix_ns % 1_000_000_000 / 1_000);
    let (year, month, day) = civil(seconds / SECONDS_PER_DAY);
    let second = seconds % SECONDS_PER_DAY;
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    put(&mut text, 0..4, year);
    put(&mut text, 5..7, month);
    put(&mut text, 8..10, day);
    put(&mut text, 11..13, second / 3_600);
    put(&mut text, 14..16, second / 60 % 60);
    put(&mut text, 17..19, second % 60);
    put(&mut text, 20..26, micros);
    text
}

fn put(text: &mut Timestamp, digits: std::ops::Range<usize>, mut value: u64) {
    for digit in text.get_mut(digits).unwrap_or_default().iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar (Howard Hinnant,
/// "chrono-compatible low-level date algorithms", `civil_from_days`): years begin in March, so that
/// the leap day is their last, and repeat every 400 years, an era.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(unix_ns: u64) -> String {
        String::from_utf8(rfc3339(unix_ns).to_vec()).unwrap()
    }

    #[test]
    fn known_times_are_written_as_the_calendar_says() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(951_827_696_123_456_789), "2000-02-29T12:34:56.123456Z");
        assert_eq!(text(951_868_799_999_999_999), "2000-02-29T23:59:59.999999Z");
        assert_eq!(text(951_868_800_000_000_000), "2000-03-01T00:00:00.000000Z");
        assert_eq!(text(1_769_860_800_000_000_000), "2026-01-31T12:00:00.000000Z");
        assert_eq!(text(4_107_542_399_000_000_000), "2100-02-28T23:59:59.000000Z");
        assert_eq!(text(4_107_542_400_000_000_000), "2100-03-01T00:00:00.000000Z");
        assert_eq!(text(u64::MAX), "2554-07-21T23:34:33.709551Z");
    }

    /// The calendar by counting, one day after the other.
    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..73_049 {
            assert_eq!(civil(days), (year, month, day));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2170, 1, 1));
    }
}
