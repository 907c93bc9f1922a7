//! The part of TraceQL that is understood: one pair of braces with conditions on one span, as Grafana's
//! search form makes them.
//!
//! ```text
//! query     = "{" [ any ] "}"
//! any       = all { "||" all }
//! all       = one { "&&" one }
//! one       = "(" any ")" | "true" | field compare value | field ( "=" | "!=" ) "nil"
//! field     = ( "span." | "resource." | "." ) name | "name" | "status" | "statusMessage" | "kind" | "duration"
//!           | "traceDuration" | "rootName" | "rootServiceName", or as "span:name", "trace:rootService" and so on
//! compare   = "=" | "!=" | "=~" | "!~" | ">" | ">=" | "<" | "<="
//! value     = text in quotes or backticks | number | duration | "true" | "false" | a word
//! ```
//!
//! `=~` and `!~` take a regular expression for the whole text; the orders take a number, or a duration of the
//! two fields that are one. What must hold of an attribute does not hold where it is not there, `!=` and
//! `!~` included. Without a scope, the span's own attribute goes before that of its process; `service.name` is
//! the service that recorded it, unless it is asked of the span. `ok` and `unset` are both success.
//! At most 4,096 bytes, 16 parentheses within each other and 16 regular expressions.
//!
//! Anything else of TraceQL is refused, and it is said what and where: an answer to half a question would
//! look like an answer.

mod condition;
mod narrow;

use tta_telemetry::store::{QueryError, TagFilter, TagScope, TraceQuery};

use crate::api::{Problem, time};

pub use condition::{Compare, Condition, Expr, Field, Pattern, Test};
pub(super) use condition::{attribute, is_service};

const MOST_BYTES: usize = 4 * 1024;
/// Parentheses within each other.
const MOST_DEPTH: usize = 16;
/// Attributes that are shown.
const MOST_SHOWN: usize = 16;
/// Regular expressions.
const MOST_PATTERNS: usize = 16;
const ACCEPTED: &str = "{ conditions } joined by && and ||, in parentheses where needed, as .http.method = \"GET\", \
                        resource.service.name =~ \"shop|stock\", span.user != nil, span.size >= 10, name != \"order\", \
                        status = error, kind = server, duration > 100ms, traceDuration >= 1s, rootName = \"order\"";

/// What a query asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// As much of it as a store can find.
    pub(crate) query: TraceQuery,
    /// What must hold of the same span as well.
    pub(super) rest: Vec<Expr>,
    /// Attributes that it asks for: those of what is found are shown.
    pub(super) shown: Vec<TagFilter>,
}

impl Search {
    /// Conditions that a store does not find by itself.
    pub(crate) fn more(&self) -> usize {
        self.rest.len()
    }
}

pub(crate) fn read(text: &str) -> Result<Search, Problem> {
    let expr = parse(text)?;
    let mut search = Search::default();
    expr.each_attribute(&mut |scope, key| {
        if search.shown.len() < MOST_SHOWN && !search.shown.iter().any(|tag| tag.key == key) {
            search.shown.push(TagFilter { scope, ..TagFilter::exists(key) });
        }
    });
    narrow::put(&mut search, expr);
    Ok(search)
}

/// What is between the braces.
pub(crate) fn parse(text: &str) -> Result<Expr, Problem> {
    if text.len() > MOST_BYTES {
        return Err(QueryError::new("q", text, "at most 4096 bytes").into());
    }
    let mut reader = Reader::new(text);
    reader.expect("{")?;
    let expr = match reader.take("}") {
        true => Expr::All(Vec::new()),
        false => {
            let expr = reader.any(0)?;
            reader.expect("}")?;
            expr
        }
    };
    reader.skip_blanks();
    if reader.rest.is_empty() { Ok(expr) } else { Err(reader.wrong()) }
}

/// What the path of values names: `resource.service.name`, `span."a b"`, or `name` without a scope.
pub(super) fn identifier(text: &str) -> Option<(Option<TagScope>, String)> {
    let name = if text.contains('"') {
        let mut reader = Reader::new(text);
        reader.name().ok().filter(|_| reader.rest.is_empty())?
    } else {
        // Whatever characters it has: nothing else is in the text.
        Some(text).filter(|text| !text.is_empty())?.to_owned()
    };
    Some(scoped(&name).map_or((None, name), |(scope, key)| (Some(scope), key)))
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    patterns: usize,
}

impl<'t> Reader<'t> {
    const fn new(text: &'t str) -> Self {
        Self { text, rest: text, patterns: 0 }
    }

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

    fn any(&mut self, depth: usize) -> Result<Expr, Problem> {
        let mut any = vec![self.all(depth)?];
        while self.take("||") {
            any.push(self.all(depth)?);
        }
        Ok(Expr::Any(any))
    }

    fn all(&mut self, depth: usize) -> Result<Expr, Problem> {
        let mut all = vec![self.one(depth)?];
        while self.take("&&") {
            all.push(self.one(depth)?);
        }
        Ok(Expr::All(all))
    }

    fn one(&mut self, depth: usize) -> Result<Expr, Problem> {
        if depth < MOST_DEPTH && self.take("(") {
            let any = self.any(depth + 1)?;
            self.expect(")")?;
            return Ok(any);
        }
        self.skip_blanks();
        let at = self.rest;
        let name = self.name()?;
        if name == "true" {
            return Ok(Expr::All(Vec::new()));
        }
        let Some(field) = field(&name) else {
            self.rest = at;
            return Err(self.wrong());
        };
        let test = self.test(&field)?;
        Ok(Expr::Is(Condition { field, test }))
    }

    fn test(&mut self, field: &Field) -> Result<Test, Problem> {
        const TOKENS: [&str; 8] = ["=~", "!~", "!=", ">=", "<=", "=", ">", "<"];
        self.skip_blanks();
        let at = self.rest;
        let token = TOKENS.into_iter().find(|token| self.take(token)).ok_or_else(|| self.wrong())?;
        let is_length = matches!(field, Field::Duration | Field::TraceDuration);
        let compare = match token {
            "=" if is_length => Compare::Equal,
            "<" => Compare::Less,
            "<=" => Compare::AtMost,
            ">" => Compare::Greater,
            ">=" => Compare::AtLeast,
            _ if is_length => {
                self.rest = at;
                return Err(self.wrong());
            }
            "=~" => return Ok(Test::Matches(self.pattern()?)),
            "!~" => return Ok(Test::DiffersFrom(self.pattern()?)),
            _ => return self.text_test(field, token == "="),
        };
        match is_length {
            true => {
                self.parsed(|text| time::duration(text)?.as_nanos().try_into().ok()).map(|ns| Test::Lasts(compare, ns))
            }
            false => {
                let number = self.parsed(|text| text.parse().ok().filter(|number: &f64| number.is_finite()))?;
                Ok(Test::Compares(compare, number))
            }
        }
    }

    fn text_test(&mut self, field: &Field, is_equal: bool) -> Result<Test, Problem> {
        self.skip_blanks();
        let at = self.rest;
        let is_quoted = self.rest.starts_with(['"', '`']);
        let value = self.value()?;
        let is_status = matches!(value.as_str(), "error" | "ok" | "unset");
        if *field == Field::Status && !is_status {
            self.rest = at;
            return Err(self.wrong());
        }
        Ok(match (is_equal, value.as_str()) {
            (true, "nil") if !is_quoted => Test::Missing,
            (false, "nil") if !is_quoted => Test::Exists,
            (true, _) => Test::Equals(value),
            (false, _) => Test::Differs(value),
        })
    }

    fn pattern(&mut self) -> Result<Pattern, Problem> {
        self.skip_blanks();
        let at = self.rest;
        self.patterns += 1;
        let is_one = self.patterns <= MOST_PATTERNS && self.rest.starts_with(['"', '`']);
        let text = is_one.then(|| self.value()).transpose()?;
        text.and_then(Pattern::new).ok_or_else(|| {
            self.rest = at;
            self.wrong()
        })
    }

    fn parsed<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T, Problem> {
        self.skip_blanks();
        let at = self.rest;
        let text = self.name()?;
        parse(&text).ok_or_else(|| {
            self.rest = at;
            self.wrong()
        })
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
}

fn field(name: &str) -> Option<Field> {
    Some(match name {
        "name" | "span:name" => Field::Name,
        "kind" | "span:kind" => Field::Kind,
        "status" | "span:status" => Field::Status,
        "statusMessage" | "span:statusMessage" => Field::StatusMessage,
        "duration" | "span:duration" => Field::Duration,
        "traceDuration" | "trace:duration" => Field::TraceDuration,
        "rootName" | "trace:rootName" => Field::RootName,
        "rootServiceName" | "trace:rootService" => Field::RootService,
        _ => {
            let (scope, key) = scoped(name)?;
            Field::Attribute(scope, key)
        }
    })
}

fn scoped(name: &str) -> Option<(TagScope, String)> {
    let scopes = [("span.", TagScope::Span), ("resource.", TagScope::Resource), (".", TagScope::Any)];
    let (scope, key) = scopes.into_iter().find_map(|(prefix, scope)| Some((scope, name.strip_prefix(prefix)?)))?;
    (!key.is_empty()).then(|| (scope, key.to_owned()))
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
    use std::time::Duration;

    use tta_telemetry::SpanStatus;

    use super::*;

    fn query(text: &str) -> TraceQuery {
        let search = read(text).unwrap();
        assert!(search.rest.is_empty(), "{text}: {:?}", search.rest);
        search.query
    }

    fn said(text: &str) -> String {
        read(text).unwrap_err().detail
    }

    #[test]
    fn what_a_store_can_find_becomes_its_query() {
        assert_eq!(query("{}"), TraceQuery::default());
        assert_eq!(query(" { true } "), TraceQuery::default());
        let made = query("{resource.service.name=\"a \\\"b\\\"\" && (name=`GET /`) && status=error && span.code=200}");
        let want = TraceQuery {
            service: Some("a \"b\"".into()),
            operation: Some("GET /".into()),
            status: Some(SpanStatus::Error),
            tags: vec![TagFilter { scope: TagScope::Span, ..TagFilter::equals("code", "200") }],
            ..TraceQuery::default()
        };
        assert_eq!(made, want);
        let made =
            query("{ resource.attr = \"x\" && duration > 1s && duration <= 2s && traceDuration >= 1.5s && .y != nil }");
        assert_eq!(made.min_span_duration, Some(Duration::from_nanos(1_000_000_001)));
        assert_eq!(
            (made.max_span_duration, made.min_duration),
            (Some(Duration::from_secs(2)), Some(Duration::from_millis(1_500)))
        );
        let of_process = TagFilter { scope: TagScope::Resource, ..TagFilter::equals("attr", "x") };
        assert_eq!(made.tags, [of_process, TagFilter::exists("y")]);
        // A store would take those of the process as well where the span has its own.
        let search = read("{ .\"a b\" = 1 }").unwrap();
        assert_eq!((search.query.tags, search.rest.len()), (vec![TagFilter::equals("a b", "1")], 1));
        assert_eq!(query("{ .service.name != nil && .service.name = \"x\" }").service.as_deref(), Some("x"));
    }

    #[test]
    fn what_it_cannot_find_is_left_to_be_looked_at_and_attributes_of_both_are_shown() {
        let search =
            read("{ span.a = 1 && (span.b = 2 || resource.c =~ \"x\") && .a != 3 && name = \"n\" && name = \"m\" }")
                .unwrap();
        assert_eq!((search.query.tags.len(), search.query.operation.as_deref(), search.rest.len()), (1, Some("n"), 3));
        let shown: Vec<&str> = search.shown.iter().map(|tag| tag.key.as_str()).collect();
        assert_eq!(shown, ["a", "b", "c"]);
        // No store takes a range in which nothing is.
        let search = read("{ duration > 2s && duration < 1s && duration < 0s }").unwrap();
        assert_eq!(
            (search.query.min_span_duration.is_some(), search.query.max_span_duration, search.rest.len()),
            (true, None, 2)
        );
        // Nor an empty name, or a long key.
        let search = read(&format!("{{ name = \"\" && span.{} = 1 }}", "k".repeat(300))).unwrap();
        assert_eq!((search.query, search.rest.len()), (TraceQuery::default(), 2));
        let many: Vec<String> = (0..20).map(|number| format!("span.a{number} = 1")).collect();
        let search = read(&format!("{{ {} }}", many.join(" && "))).unwrap();
        assert_eq!((search.query.tags.len(), search.rest.len(), search.shown.len()), (16, 4, 16));
    }

    #[test]
    fn identifiers_have_a_scope_or_are_intrinsic() {
        let of = |text| identifier(text).unwrap();
        assert_eq!(of("resource.service.name"), (Some(TagScope::Resource), "service.name".to_owned()));
        assert_eq!(of("span.\"a b\""), (Some(TagScope::Span), "a b".to_owned()));
        assert_eq!((of(".x").0, of("status")), (Some(TagScope::Any), (None, "status".to_owned())));
        assert_eq!(of("span.a+b").1, "a+b");
        assert_eq!((identifier(""), identifier("span.\"open"), identifier("span.\"a\" b")), (None, None, None));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_query_or_an_error_and_never_a_panic(
            text in ".{0,80}",
            near in "[{][ .a-z=<>&|!~()\"`\\\\0-9é]{0,60}[}]?",
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
            ("{ .a =~ x }", 8, "x }"),
            ("{ .a =~ \"(\" }", 8, "\"(\" }"),
            ("{ .a =~ \"(((a{100}){100}){100}){100}\" }", 8, "\"(((a{100}){100}){100}){100}\" }"),
            ("{ .a } | count() > 2", 5, "} | count() > 2"),
            ("{ name = \"a\" } | rate()", 15, "| rate()"),
            ("{ name = \"a\" } && { name = \"b\" }", 15, "&& { name = \"b\" }"),
            ("{ nestedSetParent < 0 }", 2, "nestedSetParent < 0 }"),
            ("{ event.name = \"a\" }", 2, "event.name = \"a\" }"),
            ("{ .a =~ \"a)|(b\" }", 8, "\"a)|(b\" }"),
            ("{ .a > x }", 7, "x }"),
            ("{ .a > nan }", 7, "nan }"),
            ("{ duration > 5 }", 13, "5 }"),
            ("{ duration != 5s }", 11, "!= 5s }"),
            ("{ status = bad }", 11, "bad }"),
            ("{ (.a = 1 }", 10, "}"),
            ("{ .a = 1 || }", 12, "}"),
            ("{ .a = \"open }", 7, "\"open }"),
        ] {
            let (said, end) = (said(text), format!("at byte {at} there is `{found}`"));
            assert!(
                said.ends_with(&end) && said.contains("accepted is from TraceQL only { conditions }"),
                "{text}: {said}"
            );
        }
        assert!(said(&format!("{{ .a = \"{}\" }}", "x".repeat(5_000))).ends_with("at most 4096 bytes"));
        let deep = format!("{{ {}.a = 1{} }}", "(".repeat(2_000), ")".repeat(2_000));
        assert!(said(&deep).contains("at byte 18 there is"), "{}", said(&deep));
    }
}
