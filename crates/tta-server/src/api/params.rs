//! Parameters of a request's query, read strictly: what is misspelt, given twice or wrongly encoded
//! is an error, since a search without the condition that was meant would look like an answer.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use tta_telemetry::format::clip;
use tta_telemetry::store::QueryError;

use super::problem::Problem;
use super::time;

/// Bytes of a query.
const MOST_BYTES: usize = 16 * 1024;
const MOST_PAIRS: usize = 64;
/// Characters of what a value says of itself, and of those of what was given.
const MOST_WORDS: usize = 400;
const MOST_QUOTED: usize = 80;

/// Names that a path takes.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    /// At most once each.
    pub(crate) once: &'static [&'static str],
    /// Any number of times.
    pub(crate) often: &'static [&'static str],
    /// Others are passed over: the API is somebody else's, whose clients may send more than we know.
    pub(crate) is_open: bool,
}

impl Known {
    pub(crate) const NONE: Self = Self::once(&[]);

    pub(crate) const fn once(once: &'static [&'static str]) -> Self {
        Self { once, often: &[], is_open: false }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Parameters without a value count as left out: forms send them.
    pub(crate) fn read(query: Option<&str>, known: Known) -> Result<Self, Problem> {
        let query = query.unwrap_or_default();
        if query.len() > MOST_BYTES {
            let detail = format!("the query has {} bytes, accepted are at most {MOST_BYTES}", query.len());
            return Err(Problem::bad_request(detail));
        }
        let mut params = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode("query", name)?;
            if !known.once.contains(&name.as_str()) && !known.often.contains(&name.as_str()) {
                if known.is_open {
                    continue;
                }
                return Err(unknown(&name, known));
            }
            let value = decode(&name, value)?;
            if known.once.contains(&name.as_str()) && params.0.iter().any(|(other, _)| *other == name) {
                return Err(QueryError::new(name, &value, "one value: it is there twice").into());
            }
            if params.0.len() >= MOST_PAIRS {
                return Err(Problem::bad_request(format!("accepted are at most {MOST_PAIRS} parameters")));
            }
            params.0.push((name, value));
        }
        Ok(params)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.all(name).next().map(str::to_owned)
    }

    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        let of = move |(other, value): &'p (String, String)| (other == name).then_some(value.as_str());
        self.0.iter().filter_map(of).filter(|value| !value.is_empty())
    }

    /// A value that reads itself.
    pub(crate) fn parse<T: FromStr>(&self, name: &'static str, accepted: &'static str) -> Result<Option<T>, Problem> {
        let read = |text: String| text.parse().map_err(|_| QueryError::new(name, &text, accepted).into());
        self.text(name).map(read).transpose()
    }

    /// A value whose own error says what is accepted.
    pub(crate) fn word<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<Option<T>, Problem> {
        let read = |text: String| {
            text.parse().map_err(|error: T::Err| {
                // It may quote all of what was given.
                let said = error.to_string().replace(&text, &clip(&text, MOST_QUOTED));
                let detail = format!("`{name}`: {}", clip(&said, MOST_WORDS));
                Problem { parameter: Some(name.to_owned()), ..Problem::bad_request(detail) }
            })
        };
        self.text(name).map(read).transpose()
    }

    pub(crate) fn duration(&self, name: &'static str) -> Result<Option<Duration>, Problem> {
        let accepted = "a duration with its unit, as 250ms, 1.5s or 1h30m";
        let read = |text: String| time::duration(&text).ok_or_else(|| QueryError::new(name, &text, accepted).into());
        self.text(name).map(read).transpose()
    }

    /// A point in time, in nanoseconds since the Unix epoch.
    pub(crate) fn instant(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let accepted = "a time as 2026-01-31T12:00:00Z, or nanoseconds since 1970";
        let read = |text: String| time::instant(&text).ok_or_else(|| QueryError::new(name, &text, accepted).into());
        self.text(name).map(read).transpose()
    }
}

fn unknown(name: &str, known: Known) -> Problem {
    let names = || known.once.iter().chain(known.often).copied();
    let near = names().map(|other| (distance(name, other), other)).min().filter(|(distance, _)| *distance <= 3);
    let accepted = match near {
        Some((_, near)) => format!("{} (did you mean {near}?)", names().collect::<Vec<_>>().join(", ")),
        None if names().next().is_none() => "no parameter at all".to_owned(),
        None => names().collect::<Vec<_>>().join(", "),
    };
    let error = QueryError::new("query", name, accepted);
    Problem { parameter: Some(error.given.clone()), ..Problem::bad_request(format!("there is no parameter: {error}")) }
}

/// By RFC 3986, and `+` as a blank, as forms write it.
pub(crate) fn decode(name: &str, text: &str) -> Result<String, Problem> {
    let wrong = || QueryError::new(name.to_owned(), text, "UTF-8, with %XX for bytes that are not written as they are");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = digit().zip(digit()).ok_or_else(wrong)?;
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong().into())
}

/// Levenshtein's, of the first 40 characters of each.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, character) in one.chars().take(40).enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, known) in row.iter_mut().skip(1).zip(&other) {
            let best = (*cell + 1).min(left + 1).min(diagonal + usize::from(*known != character));
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { once: &["limit", "service"], often: &["tag"], is_open: false };

    fn read(query: &str) -> Result<Params, String> {
        Params::read(Some(query), KNOWN).map_err(|problem| problem.detail)
    }

    #[test]
    fn parameters_are_decoded_and_those_that_repeat_stay_in_order() {
        let params = read("service=a+b%26%C3%A9&tag=x%3D1&tag=y&limit=").unwrap();
        assert_eq!(params.text("service").as_deref(), Some("a b&é"));
        assert_eq!((params.all("tag").collect::<Vec<_>>(), params.text("limit")), (vec!["x=1", "y"], None));
    }

    #[test]
    fn what_is_misspelt_repeated_or_wrongly_encoded_is_an_error_that_says_so() {
        assert_eq!(
            read("servce=a").unwrap_err(),
            "there is no parameter: `query` is `servce`, accepted is limit, service, tag (did you mean service?)"
        );
        assert_eq!(read("limit=1&limit=2").unwrap_err(), "`limit` is `2`, accepted is one value: it is there twice");
        for wrong in ["service=%", "service=%4", "service=%zz", "service=%ff", "%zz=1"] {
            assert!(read(wrong).unwrap_err().contains("accepted is UTF-8, with %XX"), "{wrong}");
        }
        assert!(read(&"tag=x&".repeat(65)).unwrap_err().contains("at most 64 parameters"));
        assert!(read(&format!("service={}", "x".repeat(20_000))).unwrap_err().contains("20008 bytes"));
        let none = Params::read(Some("a=1"), Known::NONE).unwrap_err();
        assert_eq!(
            (none.parameter.as_deref(), none.detail.ends_with("accepted is no parameter at all")),
            (Some("a"), true)
        );
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_read_or_refused_and_what_is_encoded_reads_back(query in ".{0,200}", value in ".{1,40}") {
            let _ = read(&query);
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let params = read(&format!("service={encoded}")).unwrap();
            proptest::prop_assert_eq!(params.text("service"), Some(value));
        }
    }

    #[test]
    fn the_distance_is_that_of_single_changes() {
        assert_eq!([distance("limit", "limit"), distance("limt", "limit"), distance("", "tag")], [0, 1, 3]);
        assert_eq!([distance("kitten", "sitting"), distance("tag", "gat")], [3, 2]);
    }
}
