//! What must hold for any headers that reach a server, of those that code of our own reads.
//!
//! Owns the invariants, and second, slow readers to compare with. Does not own where the bytes come
//! from: libFuzzer, the corpus, or a property test.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH,
};
use tta_server::{Format, readers};

/// Tags of `If-Match` that are looked at.
const MOST_TAGS: usize = 32;

/// Reads the input as headers and panics when an invariant does not hold.
pub fn check(input: &[u8]) {
    let headers = headers(input);
    check_tokens(&headers);
    check_bodies(&headers);
    check_formats(&headers);
    check_tags(&headers);
    check_host(&headers);
    if let Ok(Some(id)) = readers::last_event_id(&headers) {
        let again = [("last-event-id", id.to_string())];
        let again = again.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().ok()));
        let again: HeaderMap = again.filter_map(|(name, value)| Some((name, value?))).collect();
        assert_eq!(readers::last_event_id(&again), Ok(Some(id)));
    }
}

/// `name: value` on each line; what no server would be handed is left out.
fn headers(input: &[u8]) -> HeaderMap {
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = HeaderName::from_bytes(name.trim_ascii()).ok()?;
        Some((name, HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in input.split(|byte| *byte == b'\n').filter_map(header).take(100) {
        headers.append(name, value);
    }
    headers
}

fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

/// The token is what follows the word and a blank, in the one header there is.
fn check_tokens(headers: &HeaderMap) {
    let slow = match lines(headers, &AUTHORIZATION).as_slice() {
        [line] => line.split_first_chunk::<6>().and_then(|(scheme, rest)| {
            let token = rest.strip_prefix(b" ").filter(|_| scheme.to_ascii_lowercase() == b"bearer")?;
            Some(token.trim_ascii()).filter(|token| !token.is_empty())
        }),
        _ => None,
    };
    assert_eq!(readers::bearer(headers), slow);
}

fn check_bodies(headers: &HeaderMap) {
    let codings: Vec<Vec<u8>> = lines(headers, &CONTENT_ENCODING)
        .join(b",".as_slice())
        .split(|byte| *byte == b',')
        .map(|coding| coding.trim_ascii().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != b"identity")
        .collect();
    let slow = match codings.iter().map(Vec::as_slice).collect::<Vec<_>>().as_slice() {
        [] => Some(false),
        [b"gzip" | b"x-gzip"] => Some(true),
        _ => None,
    };
    let read = readers::is_gzip(headers);
    assert_eq!(read.as_ref().ok(), slow.as_ref());
    let said = read.err().map(|(_, detail)| detail);
    assert!(said.is_none_or(|said| said.contains("Content-Encoding") && said.contains("accepted")));

    let kinds = lines(headers, &CONTENT_TYPE);
    let essence = |line: &[u8]| {
        let text = String::from_utf8_lossy(line).into_owned();
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    };
    let first = kinds.first().map(|line| essence(line)).unwrap_or_default();
    let is_grpc = readers::is_grpc(headers);
    assert!(!is_grpc || first == "application/grpc" || first.starts_with("application/grpc+"), "{first}");
    assert!(is_grpc || kinds.first().is_none_or(|line| *line != b"application/grpc"));
    let is_text = kinds.first().is_some_and(|line| line.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')));
    let slow = match first.as_str() {
        _ if kinds.len() != 1 || !is_text => None,
        "application/x-protobuf" => Some(true),
        "application/json" => Some(false),
        _ => None,
    };
    assert_eq!(readers::otlp_is_protobuf(headers), slow);
    let is_patch = matches!(first.as_str(), "application/json" | "application/merge-patch+json");
    assert_eq!(readers::is_patch(headers), is_patch);
}

/// What is accepted, entry by entry; `None` where a line is no text or has quotes, which the slow readers
/// here do not know.
fn entries(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<(String, Option<f64>)>> {
    let mut entries = Vec::new();
    for line in lines(headers, name) {
        let text = std::str::from_utf8(line).ok().filter(|text| text.is_ascii() && !text.contains(['"', '\u{7f}']))?;
        for entry in text.split(',') {
            let mut parts = entry.split(';').map(|part| part.trim().to_ascii_lowercase());
            let value = parts.next().filter(|value| !value.is_empty());
            let mut quality = Some(1.0);
            for part in parts {
                if let Some((_, number)) = part.split_once('=').filter(|(key, _)| key.trim() == "q") {
                    let number = number.trim().parse().ok().filter(|number| (0.0..=1.0).contains(number));
                    quality = quality.and(number);
                }
            }
            entries.extend(value.map(|value| (value, quality)));
        }
    }
    Some(entries)
}

fn check_formats(headers: &HeaderMap) {
    let format = readers::metrics_format(headers);
    let wants_gzip = readers::wants_gzip(headers);
    // One line says the same as several do.
    for name in [ACCEPT, ACCEPT_ENCODING] {
        if entries(headers, &name).is_some() && headers.contains_key(&name) {
            let mut joined = headers.clone();
            if let Ok(line) = HeaderValue::from_bytes(&lines(headers, &name).join(b",".as_slice())) {
                joined.insert(name, line);
            }
            assert_eq!((readers::metrics_format(&joined), readers::wants_gzip(&joined)), (format, wants_gzip));
        }
    }
    if let Some(entries) = entries(headers, &ACCEPT) {
        let is_named = |names: &[&str]| {
            entries.iter().any(|(value, quality)| names.contains(&value.as_str()) && quality.is_some_and(|q| q > 0.0))
        };
        match format {
            Format::Text => {}
            Format::OpenMetrics => {
                assert!(is_named(&["application/openmetrics-text", "application/*", "*/*"]), "{entries:?}");
            }
            Format::Protobuf => assert!(is_named(&["application/vnd.google.protobuf", "*/*"]), "{entries:?}"),
        }
        assert_eq!(readers::accepts_protobuf(headers), is_named(&["application/x-protobuf"]), "{entries:?}");
    }
    if let Some(entries) = entries(headers, &ACCEPT_ENCODING) {
        let known: Vec<(&str, f64)> = entries.iter().filter_map(|(value, q)| Some((value.as_str(), (*q)?))).collect();
        let first = |names: &[&str]| known.iter().find(|(value, _)| names.contains(value)).map(|(_, q)| *q);
        // Three digits count.
        let rounded = |quality: f64| (quality * 1_000.0).round() as u16;
        let gzip = first(&["gzip", "x-gzip"]).or_else(|| first(&["*"])).map_or(0, rounded);
        let identity = first(&["identity"]).map_or(0, rounded);
        assert_eq!(wants_gzip, gzip > 0 && gzip >= identity, "{entries:?}");
    }
}

/// By the grammar of RFC 9110, sections 8.8.3 and 13.1.1, one character after the other.
fn slow_tags(headers: &HeaderMap) -> Option<Option<Vec<String>>> {
    if !headers.contains_key(IF_MATCH) {
        return Some(None);
    }
    let mut tags = Vec::new();
    for line in lines(headers, &IF_MATCH) {
        let text = std::str::from_utf8(line).ok().filter(|text| text.is_ascii() && !text.contains('\u{7f}'))?;
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(',') {
                rest = after.trim_start();
                continue;
            }
            let open = if rest.starts_with("W/") { 2 } else { 0 };
            let length = match rest.get(open..)?.strip_prefix('"') {
                Some(inner) => open + 1 + inner.find('"')? + 1,
                None => usize::from(rest.starts_with('*')),
            };
            let (tag, after) = rest.split_at_checked(length).filter(|(tag, _)| !tag.is_empty())?;
            tags.push(tag.to_owned());
            rest = after.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }
    let is_any = tags == ["*"];
    let is_well_formed = is_any || ((1..=MOST_TAGS).contains(&tags.len()) && tags.iter().all(|tag| tag != "*"));
    is_well_formed.then_some((!is_any).then_some(tags))
}

fn check_tags(headers: &HeaderMap) {
    let slow = slow_tags(headers);
    let read = readers::if_match(headers, "\"a\"");
    assert_eq!(read.as_ref().ok().map(|(tags, _)| tags), slow.as_ref());
    if let Ok((tags, is_accepted)) = read {
        assert_eq!(is_accepted, tags.is_none_or(|tags| tags.iter().any(|tag| tag == "\"a\"")));
    }
}

/// No name that somebody else could own is this machine's.
fn check_host(headers: &HeaderMap) {
    let uri = http::Uri::from_static("/");
    let is_ours = readers::names_this_machine(&uri, headers);
    let Some(host) = headers.get(HOST) else {
        assert!(is_ours);
        return;
    };
    let text = String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase();
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        _ => (text.as_str(), ""),
    };
    let last = name.trim_end_matches(['.', ']']).rsplit('.').next().unwrap_or_default();
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    assert!(!is_ours || last == "localhost" || is_number || name.contains(':'), "{text}");
    assert!(is_ours || !matches!(name, "localhost" | "127.0.0.1" | "[::1]"), "{text} {port}");
}
