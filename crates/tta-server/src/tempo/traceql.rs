//! The part of TraceQL that is understood: one pair of braces with conditions that must all hold of
//! one span, as Grafana's search form makes them.
//!
//! ```text
//! query     = "{" [ condition { "&&" condition } ] "}"
//! condition = "true" | field "=" value | field "!=" "nil" | length compare duration
//! field     = ("span." | "resource." | ".") name | "name" | "status" | "kind"
//! length    = "duration" | "traceDuration" | "trace:duration" | "span:duration"
//! compare   = "=" | ">" | ">=" | "<" | "<="
//! value     = text in quotes or backticks | number | "true" | "false" | a word
//! ```
//!
//! Anything else of TraceQL is refused, and it is said what and where: an answer to half a question would
//! look like an answer.

use std::time::Duration;

use tta_telemetry::SpanStatus;
use tta_telemetry::store::{QueryError, TagFilter, TagScope, TraceQuery};

use crate::api::{Problem, time};

const MOST_BYTES: usize = 4 * 1024;
const ACCEPTED: &str = "{ condition && condition ... }, with conditions as .http.method = \"GET\", \
                        resource.service.name = \"shop\", span.user != nil, name = \"order\", status = error, \
                        kind = server, duration > 100ms, traceDuration >= 1s";
const NANOSECOND: Duration = Duration::from_nanos(1);

pub(crate) fn read(text: &str) -> Result<TraceQuery, Problem> {
    if text.len() > MOST_BYTES {
        return Err(QueryError::new("q", text, "at most 4096 bytes").into());
    }
    let mut reader = Reader { text, rest: text };
    let mut query = TraceQuery::default();
    reader.expect("{")?;
    if reader.take("}") {
        return reader.end(query);
    }
    loop {
        reader.condition(&mut query)?;
        if reader.take("}") {
            return reader.end(query);
        }
        reader.expect("&&")?;
    }
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Reader<'_> {
    fn wrong(&self) -> Problem {
        let at = self.text.len() - self.rest.len();
        let found = if self.rest.is_empty() { "its end" } else { self.rest };
        let given = tta_telemetry::format::clip(found, 40);
        let accepted = format!("from TraceQL only {ACCEPTED}; at byte {at} there is `{given}`");
        QueryError::new("q", self.text, accepted).into()
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_blanks();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), Problem> {
        if self.take(token) { Ok(()) } else { Err(self.wrong()) }
    }

    fn end(mut self, query: TraceQuery) -> Result<TraceQuery, Problem> {
        self.skip_blanks();
        if self.rest.is_empty() { Ok(query) } else { Err(self.wrong()) }
    }

    /// A name, as far as it goes; parts of it may be in quotes.
    fn name(&mut self) -> Result<String, Problem> {
        self.skip_blanks();
        let mut name = String::new();
        loop {
            let is_part = |character: char| character.is_alphanumeric() || "._-:/".contains(character);
            let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
            let (part, after) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
            name.push_str(part);
            self.rest = after;
            if !(name.ends_with('.') && self.rest.starts_with('"')) {
                break;
            }
            let (part, after) = quoted(self.rest).ok_or_else(|| self.wrong())?;
            name.push_str(&part);
            self.rest = after;
        }
        if name.is_empty() { Err(self.wrong()) } else { Ok(name) }
    }

    fn value(&mut self) -> Result<String, Problem> {
        self.skip_blanks();
        if let Some(after) = self.rest.strip_prefix('`') {
            let (value, after) = after.split_once('`').ok_or_else(|| self.wrong())?;
            self.rest = after;
            return Ok(value.to_owned());
        }
        if self.rest.starts_with('"') {
            let (value, after) = quoted(self.rest).ok_or_else(|| self.wrong())?;
            self.rest = after;
            return Ok(value);
        }
        self.name()
    }

    fn condition(&mut self, query: &mut TraceQuery) -> Result<(), Problem> {
        self.skip_blanks();
        let at = self.rest;
        let field = self.name()?;
        let known = match field.as_str() {
            "true" => return Ok(()),
            "duration" | "span:duration" => {
                return self.length(&mut query.min_span_duration, &mut query.max_span_duration);
            }
            "traceDuration" | "trace:duration" => return self.length(&mut query.min_duration, &mut query.max_duration),
            _ if self.take("!=") => {
                self.expect("nil")?;
                attribute(&field, None).map(|tag| query.tags.push(tag))
            }
            _ => {
                self.expect("=")?;
                if self.rest.starts_with('~') {
                    return Err(self.wrong());
                }
                let value = self.value()?;
                equals(query, &field, value)
            }
        };
        known.ok_or_else(|| {
            self.rest = at;
            self.wrong()
        })
    }

    fn length(&mut self, min: &mut Option<Duration>, max: &mut Option<Duration>) -> Result<(), Problem> {
        let compare = [">=", "<=", ">", "<", "="].into_iter().find(|compare| self.take(compare));
        let compare = compare.ok_or_else(|| self.wrong())?;
        self.skip_blanks();
        let at = self.rest;
        let length = time::duration(&self.name()?);
        let (least, most) = match (compare, length) {
            (">", Some(length)) => (Some(length.saturating_add(NANOSECOND)), None),
            (">=", Some(length)) => (Some(length), None),
            ("<", Some(length)) if !length.is_zero() => (None, Some(length.saturating_sub(NANOSECOND))),
            ("<=", Some(length)) => (None, Some(length)),
            ("=", Some(length)) => (Some(length), Some(length)),
            _ => {
                self.rest = at;
                return Err(self.wrong());
            }
        };
        *min = (*min).max(least);
        *max = match (*max, most) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Ok(())
    }
}

/// `None` of a field that is not understood, or a second value for one that has a single value.
fn equals(query: &mut TraceQuery, field: &str, value: String) -> Option<()> {
    let set = |slot: &mut Option<String>, value: String| {
        let is_free = slot.as_ref().is_none_or(|known| *known == value);
        *slot = Some(value);
        is_free.then_some(())
    };
    match field {
        "resource.service.name" | ".service.name" => set(&mut query.service, value),
        "name" | "span:name" => set(&mut query.operation, value),
        "kind" | "span:kind" => set(&mut query.kind, value),
        "status" | "span:status" => {
            let status = match value.as_str() {
                "error" => SpanStatus::Error,
                "ok" | "unset" => SpanStatus::Ok,
                _ => return None,
            };
            let is_free = query.status.is_none_or(|known| known == status);
            query.status = Some(status);
            is_free.then_some(())
        }
        _ => attribute(field, Some(value)).map(|tag| query.tags.push(tag)),
    }
}

fn attribute(field: &str, value: Option<String>) -> Option<TagFilter> {
    let scopes = [("span.", TagScope::Span), ("resource.", TagScope::Resource), (".", TagScope::Any)];
    let (scope, key) = scopes.into_iter().find_map(|(prefix, scope)| Some((scope, field.strip_prefix(prefix)?)))?;
    (!key.is_empty()).then(|| TagFilter { scope, key: key.to_owned(), value })
}

/// A text in quotes, with what is escaped in it, and what follows.
pub(super) fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.char_indices();
    while let Some((at, character)) = characters.next() {
        value.push(match character {
            '"' => return Some((value, text.get(at + 2..)?)),
            '\\' => match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            },
            other => other,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> TraceQuery {
        read(text).unwrap()
    }

    fn said(text: &str) -> String {
        read(text).unwrap_err().detail
    }

    #[test]
    fn what_grafanas_form_makes_is_understood() {
        assert_eq!(query("{}"), TraceQuery::default());
        assert_eq!(query(" { true } "), TraceQuery::default());
        let made = query("{resource.service.name=\"a \\\"b\\\"\" && name=`GET /` && status=error && span.code=200}");
        let want = TraceQuery {
            service: Some("a \"b\"".into()),
            operation: Some("GET /".into()),
            status: Some(SpanStatus::Error),
            tags: vec![TagFilter { scope: TagScope::Span, ..TagFilter::equals("code", "200") }],
            ..TraceQuery::default()
        };
        assert_eq!(made, want);
        let made = query("{ .attr = \"x\" && duration > 1s && duration <= 2s && traceDuration >= 1.5s && .y != nil }");
        assert_eq!(made.min_span_duration, Some(Duration::from_nanos(1_000_000_001)));
        assert_eq!(
            (made.max_span_duration, made.min_duration),
            (Some(Duration::from_secs(2)), Some(Duration::from_millis(1_500)))
        );
        assert_eq!(made.tags, [TagFilter::equals("attr", "x"), TagFilter::exists("y")]);
        assert_eq!(query("{ .\"a b\" = 1 }").tags, [TagFilter::equals("a b", "1")]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_query_or_an_error_and_never_a_panic(
            text in ".{0,80}",
            near in "[{][ .a-z=<>&|\"`\\\\0-9é]{0,60}[}]?",
        ) {
            for text in [text, near] {
                if let Ok(query) = read(&text) {
                    // What is understood has braces around it.
                    proptest::prop_assert!(text.trim().starts_with('{') && text.trim().ends_with('}'), "{text} {query:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_beyond_the_subset_is_refused_with_the_place_of_it() {
        for (text, at, found) in [
            ("", 0, "its end"),
            ("{", 1, "its end"),
            ("{ .a = \"x\" || .b = 1 }", 11, "|| .b = 1 }"),
            ("{ .a =~ \"x.*\" }", 6, "~ \"x.*\" }"),
            ("{ .a } | count() > 2", 5, "} | count() > 2"),
            ("{ name = \"a\" } | rate()", 15, "| rate()"),
            ("{ nestedSetParent < 0 }", 18, "< 0 }"),
            ("{ rootName = \"a\" }", 2, "rootName = \"a\" }"),
            ("{ .a != 1 }", 8, "1 }"),
            ("{ .a > 1 }", 5, "> 1 }"),
            ("{ duration > 5 }", 13, "5 }"),
            ("{ duration < 0s }", 13, "0s }"),
            ("{ status = bad }", 2, "status = bad }"),
            ("{ name = \"a\" && name = \"b\" }", 16, "name = \"b\" }"),
            ("{ .a = \"open }", 7, "\"open }"),
        ] {
            let (said, end) = (said(text), format!("at byte {at} there is `{found}`"));
            assert!(
                said.ends_with(&end) && said.contains("accepted is from TraceQL only { condition"),
                "{text}: {said}"
            );
        }
        assert!(said(&format!("{{ .a = \"{}\" }}", "x".repeat(5_000))).ends_with("at most 4096 bytes"));
    }
}
