//! Times as replies have them.

const SECOND: u64 = 1_000_000_000;

/// A time by RFC 3339, in UTC, to the nanosecond: `2026-01-31T12:00:00.000000001Z`.
pub(crate) fn iso(unix_ns: u64) -> String {
    let (seconds, ns) = (unix_ns / SECOND, unix_ns % SECOND);
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

/// Year, month and day of a day since the Unix epoch, by the algorithm of Howard Hinnant
/// ("chrono-compatible low-level date algorithms"): years begin in March, so that the leap day is last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_with_leap_days_and_nanoseconds() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(iso(951_782_400_000_000_001), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(iso(1_767_225_599_999_999_999), "2025-12-31T23:59:59.999999999Z");
        assert_eq!(iso(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }
}
