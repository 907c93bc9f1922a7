//! Which format and which coding a reply has, by what the request accepts: of metrics, and the reading of
//! `Accept` for others.
//!
//! As RFC 9110, section 12.5, with what the makers of scrapers expect: nothing, nonsense and a list
//! without any of our formats get the text format, not a refusal.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use super::format::Format;
use crate::http::lists::split;

/// One entry of such a header: `text/plain; version=0.0.4; q=0.5`.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    value: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// In thousandths.
    quality: u16,
}

/// The format for a request.
pub(crate) fn format(headers: &HeaderMap) -> Format {
    let mut best = (0, 0, Format::Text);
    let accepted = list(headers, &ACCEPT);
    let mut entries: Vec<Entry<'_>> = accepted.iter().filter_map(|entry| Entry::parse(entry)).collect();
    // What was named first wins among equals, so it is looked at first.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.quality));
    for entry in &entries {
        for format in Format::ALL {
            let Some(exactness) = entry.matches(format) else { continue };
            // A more exact entry says how much a format is wanted, whatever `*/*` says.
            let is_said_elsewhere =
                entries.iter().any(|other| other.matches(format).is_some_and(|exactly| exactly > exactness));
            if !is_said_elsewhere && entry.quality > 0 && (entry.quality, exactness) > (best.0, best.1) {
                best = (entry.quality, exactness, format);
            }
        }
    }
    best.2
}

/// The entries of a request's `Accept` that are some; none where it does not say.
pub(crate) fn accepted(headers: &HeaderMap) -> Vec<Entry<'_>> {
    let entries = list(headers, &ACCEPT).into_iter().filter_map(Entry::parse);
    entries.filter(|entry| entry.value.contains('/')).collect()
}

/// How much a media type is wanted; more is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    /// In thousandths; above 0.
    quality: u16,
    /// 3 where it is named, 2 where its kind is, 1 where anything is.
    exactness: u8,
    /// What was named first wins among equals.
    place: std::cmp::Reverse<usize>,
}

impl Wanted {
    /// By the entry that means the type `kind/part` most exactly; `None` when it is not wanted.
    pub(crate) fn of(entries: &[Entry<'_>], kind: &str, part: &str) -> Option<Self> {
        let meant = |entry: &Entry<'_>| match entry.value.split_once('/')? {
            ("*", "*") => Some(1),
            (asked, "*") => asked.eq_ignore_ascii_case(kind).then_some(2),
            (asked, given) => (asked.eq_ignore_ascii_case(kind) && given.eq_ignore_ascii_case(part)).then_some(3),
        };
        let all = entries.iter().enumerate();
        let exactly = all.filter_map(|(place, entry)| {
            let place = std::cmp::Reverse(place);
            Some((meant(entry)?, place, entry.quality))
        });
        let (exactness, place, quality) = exactly.max()?;
        (quality > 0).then_some(Self { quality, exactness, place })
    }
}

/// Whether a request wants its reply compressed by gzip.
pub(crate) fn wants_gzip(headers: &HeaderMap) -> bool {
    let accepted = list(headers, &ACCEPT_ENCODING);
    let entries: Vec<Entry<'_>> = accepted.iter().filter_map(|entry| Entry::parse(entry)).collect();
    let quality = |names: &[&str]| {
        let named = |entry: &&Entry<'_>| names.iter().any(|name| entry.value.eq_ignore_ascii_case(name));
        entries.iter().find(named).map(|entry| entry.quality)
    };
    let gzip = quality(&["gzip", "x-gzip"]).or_else(|| quality(&["*"])).unwrap_or(0);
    gzip > 0 && gzip >= quality(&["identity"]).unwrap_or(0)
}

/// The entries of a header, which may be there several times. What is no text is left out.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| split(line, ',')).collect()
}

impl<'a> Entry<'a> {
    /// `None` when it is nonsense.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';').map(str::trim);
        let value = parts.next().filter(|value| !value.is_empty())?;
        let mut entry = Self { value, parameters: Vec::new(), quality: 1_000 };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            if key.eq_ignore_ascii_case("q") {
                let quality = value.parse().ok().filter(|quality: &f64| (0.0..=1.0).contains(quality))?;
                entry.quality = (quality * 1_000.0).round() as u16;
            } else {
                entry.parameters.push((key, value));
            }
        }
        Some(entry)
    }

    /// How exactly this means a format, if it does.
    fn matches(&self, format: Format) -> Option<u8> {
        let (kind, part, required): (_, _, &[(&str, &str)]) = match format {
            Format::Text => ("text", "plain", &[("version", "0.0.4")]),
            Format::OpenMetrics => ("application", "openmetrics-text", &[("version", "1.0.0")]),
            Format::Protobuf => (
                "application",
                "vnd.google.protobuf",
                &[("proto", "io.prometheus.client.MetricFamily"), ("encoding", "delimited")],
            ),
        };
        let (asked_kind, asked_part) = self.value.split_once('/')?;
        let is_exact = asked_kind.eq_ignore_ascii_case(kind) && asked_part.eq_ignore_ascii_case(part);
        match (asked_kind, asked_part) {
            ("*", "*") => Some(1),
            // Only to whom knows that they are there are other formats of use.
            (asked, "*") => (asked.eq_ignore_ascii_case(kind) && format != Format::Protobuf).then_some(2),
            _ if is_exact => {
                let given = |key: &str| self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
                let fits = |(key, value): &(&str, &str)| match given(key) {
                    Some((_, given)) => given == value,
                    // There are other messages than ours, but one version of a text is as good as another.
                    None => format != Format::Protobuf,
                };
                required.iter().all(fits).then_some(3)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect()
    }

    #[test]
    fn the_format_is_the_one_that_is_wanted_most() {
        use Format::{OpenMetrics, Protobuf, Text};
        let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        for (accept, want) in [
            // Prometheus 2.42, without and with native histograms.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
              text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                &format!(
                    "{protobuf},application/openmetrics-text;version=1.0.0;q=0.8,\
              application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
                ),
                Protobuf,
            ),
            // Prometheus 3.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
              application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
              text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
            (
                &format!(
                    "{protobuf};escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=1.0.0;\
              escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
                ),
                Protobuf,
            ),
            ("", Text),
            ("*/*", Text),
            ("text/*", Text),
            ("application/*", OpenMetrics),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Text),
            ("text/plain;version=1.0.0", Text),
            ("application/json", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("APPLICATION/OpenMetrics-Text; Version=\"1.0.0\"; Q=1", OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", Text),
            ("application/openmetrics-text; version=2.0.0, text/plain;q=0.1", Text),
            ("application/openmetrics-text;q=0, */*", Text),
            ("text/plain;q=0, */*", OpenMetrics),
            ("text/plain;q=0.5, */*;q=0.9", OpenMetrics),
            ("text/plain, application/openmetrics-text", Text),
            ("application/openmetrics-text, text/plain", OpenMetrics),
            ("application/vnd.google.protobuf", Text),
            ("application/vnd.google.protobuf;proto=other.Message;encoding=delimited", Text),
            (",;,=;q,/,q=1", Text),
            ("application/openmetrics-text;q=NaN", Text),
            ("application/openmetrics-text;q=7", Text),
            ("*/*;q=0, application/openmetrics-text;q=0.000", Text),
            ("a;b=\"c,application/openmetrics-text\"", Text),
        ] {
            assert_eq!(format(&headers(ACCEPT, &[accept])), want, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Text);
        assert_eq!(format(&headers(ACCEPT, &["text/plain;q=0.3", "application/openmetrics-text;q=0.4"])), OpenMetrics);
        let mut bytes = HeaderMap::new();
        bytes.insert(ACCEPT, http::HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(format(&bytes), Text);
    }

    #[test]
    fn the_type_that_is_wanted_more_is_named_with_more_weight_more_exactly_or_earlier() {
        for (accept, json, protobuf, is_json_first) in [
            ("application/json", true, false, true),
            ("application/protobuf", false, true, false),
            ("application/protobuf, application/json", true, true, false),
            ("application/protobuf;q=0.5, application/json;q=0.6", true, true, true),
            ("*/*, application/protobuf", true, true, false),
            ("*/*, application/protobuf;q=0.9", true, true, true),
            ("application/*, */*;q=0.1", true, true, false),
            ("application/json;q=0, */*", false, true, false),
            ("text/html, text/*", false, false, false),
            ("nonsense, ;q=1", false, false, false),
        ] {
            let headers = headers(ACCEPT, &[accept]);
            let entries = accepted(&headers);
            let of = |part| Wanted::of(&entries, "application", part);
            assert_eq!((of("JSON").is_some(), of("protobuf").is_some()), (json, protobuf), "{accept}");
            assert_eq!(of("json") > of("protobuf"), is_json_first, "{accept}");
        }
        assert!(accepted(&headers(ACCEPT, &["nonsense"])).is_empty() && accepted(&HeaderMap::new()).is_empty());
    }

    #[test]
    fn a_page_is_compressed_for_whom_wants_that_most() {
        for (accept, want) in [
            ("", false),
            ("gzip", true),
            ("x-gzip", true),
            ("deflate, br", false),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0.0, *", false),
            ("*", true),
            ("*;q=0", false),
            ("identity", false),
            ("identity, gzip;q=0.5", false),
            ("identity;q=0.5, gzip", true),
            ("identity;q=0, *", true),
            ("gzip;q=oops", false),
        ] {
            assert_eq!(wants_gzip(&headers(ACCEPT_ENCODING, &[accept])), want, "{accept}");
        }
        assert!(!wants_gzip(&HeaderMap::new()));
    }
}
