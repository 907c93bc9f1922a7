//! What must hold for any query that is asked of kept traces.
//!
//! Owns the invariants, a printer of queries to read them back, and second, slow readers of times and
//! durations to compare with. Does not own where the bytes come from: libFuzzer, the corpus, or a
//! property test.

use std::time::Duration;

use tta_server::readers::{self, Jaeger, Refused};
use tta_telemetry::TraceClass;
use tta_telemetry::store::{TagFilter, TraceQuery};

/// Bytes of a query.
pub(crate) const MOST_BYTES: usize = 16 * 1024;
/// 2026-01-31, for what counts back from now.
const NOW_UNIX_NS: u64 = 1_769_860_800_000_000_000;

/// Reads the input as the parameters of every search, and as a time, and panics when an invariant does
/// not hold.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    check_api(&text);
    check_jaeger(&text);
    check_tempo(&text);
    for part in text.split(['&', '=', '\n']).take(16) {
        check_times(part);
    }
}

fn check_api(text: &str) {
    let query = match readers::api_search(text) {
        Ok(query) => query,
        Err(refused) => {
            assert!(readers::api_search(&reversed(text)).is_err(), "{}", refused.1);
            return check_refused(&refused);
        }
    };
    check_bounds(&query);
    assert_eq!(readers::api_search(&reversed(text)).map(sorted), Ok(sorted(query.clone())));
    let shown = written(&query);
    if shown.len() <= MOST_BYTES {
        assert_eq!(readers::api_search(&shown), Ok(query), "{shown}");
    }
}

fn check_jaeger(text: &str) {
    if let Ok(query) = readers::jaeger_dependencies(text, NOW_UNIX_NS) {
        check_bounds(&query);
        assert!(query.start_unix_ns < query.end_unix_ns);
    }
    let other = readers::jaeger_search(&reversed(text), NOW_UNIX_NS);
    match readers::jaeger_search(text, NOW_UNIX_NS) {
        Ok(Jaeger::Ids(mut ids)) => {
            assert!((1..=50).contains(&ids.len()));
            ids.reverse();
            assert_eq!(other, Ok(Jaeger::Ids(ids)));
        }
        Ok(Jaeger::Search(query)) => {
            check_bounds(&query);
            assert!(query.service.is_some() && query.text.is_none() && query.cursor.is_none());
            let Ok(Jaeger::Search(other)) = other else { unreachable!("{other:?}") };
            assert_eq!(sorted(*other), sorted(*query));
        }
        Err(refused) => {
            assert!(other.is_err(), "{}", refused.1);
            check_refused(&refused);
        }
    }
}

fn check_tempo(text: &str) {
    let other = readers::tempo_search(&reversed(text));
    match readers::tempo_search(text) {
        Ok((query, spans)) => {
            check_bounds(&query);
            assert!(spans <= 100);
            assert_eq!(other, Ok((query, spans)));
        }
        Err(refused) => {
            assert!(other.is_err(), "{}", refused.1);
            check_refused(&refused);
        }
    }
}

pub(crate) fn check_bounds(query: &TraceQuery) {
    assert_eq!(query.check(), Ok(()));
    assert!((1..=TraceQuery::MOST_TRACES).contains(&query.limit) && query.tags.len() <= 16);
}

/// It names the parameter and says what is accepted, on one line, however long what was given is.
pub(crate) fn check_refused((parameter, detail): &Refused) {
    assert!(detail.chars().count() <= 1_000, "{detail}");
    assert!(!detail.chars().any(char::is_control), "{detail:?}");
    let says = ["accepted", "expected", "is required"].iter().any(|word| detail.contains(word));
    assert!(says, "{detail}");
    assert!(parameter.as_ref().is_none_or(|name| detail.contains(name.as_str())), "{parameter:?}: {detail}");
}

/// The same parameters in another order, which must not matter.
fn reversed(text: &str) -> String {
    text.split('&').rev().collect::<Vec<_>>().join("&")
}

fn sorted(mut query: TraceQuery) -> TraceQuery {
    let key = |tag: &TagFilter| (tag.key.clone(), tag.value.clone());
    query.tags.sort_by_key(key);
    query
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { hex(byte) }).collect()
}

fn hex(byte: u8) -> String {
    format!("%{byte:02X}")
}

fn ns(duration: Duration) -> String {
    format!("{}ns", duration.as_nanos())
}

/// A query as parameters of `/api/v1/traces`.
fn written(query: &TraceQuery) -> String {
    let class = |class: TraceClass| match class {
        TraceClass::Failed => "failed",
        TraceClass::Cancelled => "cancelled",
        TraceClass::Normal => "normal",
    };
    let mut pairs = vec![
        ("service", query.service.clone()),
        ("operation", query.operation.clone()),
        ("kind", query.kind.clone()),
        ("status", query.status.map(|status| status.to_string())),
        ("text", query.text.clone()),
        ("min_span_duration", query.min_span_duration.map(ns)),
        ("max_span_duration", query.max_span_duration.map(ns)),
        ("class", query.class.map(|known| class(known).to_owned())),
        ("min_duration", query.min_duration.map(ns)),
        ("max_duration", query.max_duration.map(ns)),
        ("start", query.start_unix_ns.map(readers::iso)),
        ("end", query.end_unix_ns.map(|end| end.to_string())),
        ("reason", query.reason.as_ref().map(ToString::to_string)),
        ("limit", Some(query.limit.to_string())),
        ("cursor", query.cursor.clone()),
    ];
    pairs.extend(query.tags.iter().map(|tag| match &tag.value {
        Some(value) => ("tag", Some(format!("{}={value}", tag.key))),
        None => ("tag", Some(tag.key.clone())),
    }));
    let pairs = pairs.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))));
    pairs.collect::<Vec<_>>().join("&")
}

fn check_times(text: &str) {
    let instant = readers::instant(text);
    assert_eq!(instant, slow_instant(text), "{text:?}");
    if let Some(unix_ns) = instant {
        assert_eq!(readers::instant(&readers::iso(unix_ns)), Some(unix_ns));
    }
    let duration = readers::duration(text);
    assert_eq!(duration, slow_duration(text), "{text:?}");
    if let Some(duration) = duration {
        assert_eq!(readers::duration(&ns(duration)), Some(duration));
    }
}

/// Every field at its place, and days counted one year after the other.
fn slow_instant(text: &str) -> Option<u64> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(text) {
        return text.parse().ok();
    }
    let number = |from: usize, to: usize| text.get(from..to).filter(|text| is_number(text))?.parse::<i128>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let marks = [4, 7, 10, 13, 16].map(|at| text.as_bytes().get(at).copied().unwrap_or(0));
    if !matches!(marks, [b'-', b'-', b'T' | b't' | b' ', b':', b':']) {
        return None;
    }
    let rest = text.get(19..)?;
    let zone = rest.find(|character: char| character != '.' && !character.is_ascii_digit())?;
    let (fraction, zone) = rest.split_at_checked(zone)?;
    let fraction =
        if fraction.is_empty() { "0" } else { fraction.strip_prefix('.').filter(|digits| is_number(digits))? };
    let nanos: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let (hours, minutes) = (zone.get(1..3)?, zone.get(4..)?);
            if !(is_number(hours) && is_number(minutes) && minutes.len() == 2 && zone.get(3..4) == Some(":")) {
                return None;
            }
            let (hours, minutes): (i128, i128) = (hours.parse().ok()?, minutes.parse().ok()?);
            let minutes = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
            match zone.get(..1) {
                Some("+") => minutes * 60,
                Some("-") => -minutes * 60,
                _ => return None,
            }
        }
    };
    let is_leap = |year: i128| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    if !(1..=*lengths.get(month)?).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let years: i128 = if year >= 1970 {
        (1970..year).map(|year| 365 + i128::from(is_leap(year))).sum()
    } else {
        -(year..1970).map(|year| 365 + i128::from(is_leap(year))).sum::<i128>()
    };
    let days = years + lengths.iter().take(month).sum::<i128>() + day - 1;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    u64::try_from(seconds * 1_000_000_000 + nanos).ok()
}

/// One character after the other.
fn slow_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u128); 9] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let mut total: u128 = 0;
    let mut characters = text.chars().peekable();
    characters.peek()?;
    while characters.peek().is_some() {
        let (mut digits, mut fraction, mut is_fraction) = (String::new(), String::new(), false);
        while let Some(character) = characters.next_if(|next| next.is_ascii_digit() || *next == '.') {
            match (character, is_fraction) {
                ('.', true) => return None,
                ('.', false) => is_fraction = true,
                (digit, true) => fraction.push(digit),
                (digit, false) => digits.push(digit),
            }
        }
        let mut unit = String::new();
        while let Some(character) = characters.next_if(|next| !next.is_ascii_digit()) {
            unit.push(character);
        }
        let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        if (digits.is_empty() && fraction.is_empty()) || fraction.len() > 18 {
            return None;
        }
        let whole: u64 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        total += u128::from(whole) * unit + part * unit / 10_u128.pow(fraction.len() as u32);
    }
    u64::try_from(total).ok().map(Duration::from_nanos)
}
