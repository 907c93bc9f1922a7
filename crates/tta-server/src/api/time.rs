//! Times and durations as text, both ways.

use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 86_400;

/// A time by RFC 3339, in UTC, to the nanosecond: `2026-01-31T12:00:00.000000001Z`.
pub(crate) fn iso(unix_ns: u64) -> String {
    let (seconds, ns) = (unix_ns / SECOND, unix_ns % SECOND);
    let (year, month, day) = civil(seconds / DAY_SECONDS);
    let of_day = seconds % DAY_SECONDS;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

/// Nanoseconds since the Unix epoch, from such a number or a time by RFC 3339.
pub(crate) fn instant(text: &str) -> Option<u64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (digits(date.next()?, 4)?, digits(date.next()?, 2)?, digits(date.next()?, 2)?);
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at_checked(zone)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.splitn(3, ':');
    let (hour, minute, second) = (digits(time.next()?, 2)?, digits(time.next()?, 2)?, digits(time.next()?, 2)?);
    let is_one = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    if !is_one || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ns: u64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds = i128::from(days(year, month, day)?) * 86_400 + i128::from(hour * 3_600 + minute * 60 + second);
    let unix_ns = (seconds - i128::from(offset_seconds(zone)?)) * i128::from(SECOND) + i128::from(ns);
    u64::try_from(unix_ns).ok()
}

/// A duration as Go writes it: numbers with units, `1h30m`, `1.2ms`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() || text.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let unit_end = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end)?;
        let unit_ns: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => u128::from(SECOND),
            "m" => 60 * u128::from(SECOND),
            "h" => 3_600 * u128::from(SECOND),
            "d" => u128::from(DAY_SECONDS) * u128::from(SECOND),
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || fraction.len() > 18 {
            return None;
        }
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.into() };
        let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        total += whole * unit_ns + part * unit_ns / 10_u128.pow(fraction.len() as u32);
        rest = after;
    }
    u64::try_from(total).ok().map(Duration::from_nanos)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn offset_seconds(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' | 'z' => return (zone.len() == 1).then_some(0),
        '-' => -1,
        _ => 1,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then(|| sign * (hours * 3_600 + minutes * 60) as i64)
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

/// The other way round; `None` of a day that its month does not have.
fn days(year: u64, month: u64, day: u64) -> Option<i64> {
    let shifted = year.checked_sub(u64::from(month <= 2))?;
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let all = (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year) as i64 - 719_468;
    let known = u64::try_from(all).map_or((year, month, day), civil);
    (known == (year, month, day)).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_as_they_were_written() {
        for (unix_ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_767_225_599_999_999_999, "2025-12-31T23:59:59.999999999Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!((iso(unix_ns).as_str(), instant(text)), (text, Some(unix_ns)));
            assert_eq!(instant(&unix_ns.to_string()), Some(unix_ns));
        }
        assert_eq!(instant("1970-01-01T01:00:00.5+00:59"), Some(60_500_000_000));
    }

    proptest::proptest! {
        #[test]
        fn every_time_reads_back_and_no_text_is_a_panic(unix_ns: u64, text in ".{0,40}", near in "[0-9TZ:.+-]{0,32}") {
            proptest::prop_assert_eq!(instant(&iso(unix_ns)), Some(unix_ns));
            let _ = (instant(&text), instant(&near), duration(&text), duration(&near));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let wrong = [
            "",
            "-1",
            "2026-01",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "1969-12-31T23:59:59Z",
            "99999999999999999999",
            "2026-01-01T24:00:00Z",
            "é",
        ];
        for text in wrong {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_as_go_writes_them() {
        let ns = |text| duration(text).map(|duration| duration.as_nanos());
        assert_eq!([ns("1.2ms"), ns("1h30m"), ns("100µs")], [Some(1_200_000), Some(5_400_000_000_000), Some(100_000)]);
        assert_eq!([ns("2d"), ns(".5s"), ns("0s")], [Some(172_800_000_000_000), Some(500_000_000), Some(0)]);
        for text in ["", "1", "ms", "-1s", "1.1.1s", "1 s", "1x", ".s", "99999999999h", "99999999999999999999999s"] {
            assert_eq!(ns(text), None, "{text}");
        }
    }
}
