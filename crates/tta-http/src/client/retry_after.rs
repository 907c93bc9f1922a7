//! How long a server asks to wait: the header `Retry-After` (RFC 9110, section 10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The longest wait that is understood; what asks for more asks for this. A longer one would
/// overflow deadlines that are computed from it.
const MAXIMUM: Duration = Duration::from_secs(u32::MAX as u64);

/// The wait, from seconds or a date. A date counts from the server's own `Date`, so that the two
/// clocks need not agree, or else from `now_unix_ns`; one that is past means now. `None` when
/// there is no header, or none that can be read.
pub(super) fn read(headers: &HeaderMap, now_unix_ns: impl FnOnce() -> u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only a number that is too long fails to parse.
        return Some(text.parse().map_or(MAXIMUM, Duration::from_secs).min(MAXIMUM));
    }
    let until = date(headers, RETRY_AFTER)?;
    let now = date(headers, DATE).unwrap_or_else(|| UNIX_EPOCH + Duration::from_nanos(now_unix_ns()));
    Some(until.duration_since(now).unwrap_or_default().min(MAXIMUM))
}

/// A date in any of the three forms of RFC 9110, section 5.6.7.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &[u8], date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, http::HeaderValue::from_bytes(value).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        // 1994-11-06 08:49:37 UTC.
        read(&headers, || 784_111_777_000_000_000)
    }

    const SECONDS: fn(u64) -> Option<Duration> = |seconds| Some(Duration::from_secs(seconds));

    #[test]
    fn seconds_are_read_and_bounded() {
        assert_eq!(wait(b"120", None), SECONDS(120));
        assert_eq!(wait(b" 0 ", None), SECONDS(0));
        assert_eq!(wait(b"4294967296", None), Some(MAXIMUM));
        assert_eq!(wait("9".repeat(400).as_bytes(), None), Some(MAXIMUM));
        assert_eq!(read(&HeaderMap::new(), || 0), None);
    }

    #[test]
    fn a_date_counts_from_the_servers_clock_or_else_from_ours() {
        let later = "Sun, 06 Nov 1994 08:50:37 GMT";
        assert_eq!(wait(later.as_bytes(), None), SECONDS(60));
        assert_eq!(wait(later.as_bytes(), Some("Sun, 06 Nov 1994 08:50:30 GMT")), SECONDS(7));
        assert_eq!(wait(later.as_bytes(), Some("no date")), SECONDS(60));
        assert_eq!(wait(b"Sun Nov  6 08:50:37 1994", None), SECONDS(60));
        assert_eq!(wait(b"Sunday, 06-Nov-94 08:50:37 GMT", None), SECONDS(60));
        assert_eq!(wait(b"Sun, 06 Nov 1994 08:49:36 GMT", None), SECONDS(0));
        assert_eq!(wait(b"Fri, 31 Dec 9999 23:59:59 GMT", None), Some(MAXIMUM));
    }

    #[test]
    fn what_is_neither_is_as_if_it_had_not_come() {
        for malformed in [&b""[..], b"-1", b"1.5", b"soon", b"+5", b"\xff", b"Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(wait(malformed, None), None, "{malformed:?}");
        }
    }
}
