//! Where tokens come from, and which are refused.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use thiserror::Error;

use super::secret::Secret;
use super::tokens::{Scope, Tokens, fingerprint};

/// Bytes of a token.
const LEAST_BYTES: usize = 16;
const MOST_BYTES: usize = 1_024;
/// Tokens of a server: every request is compared with all of them.
const MOST_TOKENS: usize = 100;
/// Bytes of a file of tokens.
const MOST_FILE_BYTES: u64 = 128 << 10;
/// What is written in a token's place once it is too plain.
const LEAST_CHARACTERS: usize = 6;

/// Where a token, or several, are found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TokenSource {
    /// The token itself, as in a configuration file.
    Value(Secret),
    /// A file with one token a line; empty lines and those that begin with `#` are left out. At most
    /// 128 KiB.
    File(PathBuf),
    /// An environment variable that holds one token.
    Variable(String),
}

/// Why a token is not accepted. It never holds the token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the {scope} token {place} {reason}")]
pub struct TokenError {
    /// What the token was to be for.
    pub scope: Scope,
    /// Where it is: `2 of the values`, `in line 3 of FILE`, `of the variable NAME`.
    pub place: String,
    /// What is wrong with it, and what is accepted.
    pub reason: String,
}

/// Reads all tokens; what is wrong with any of them is reported together.
pub(crate) fn load(
    sources: &[(Scope, &TokenSource)],
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Tokens, Vec<TokenError>> {
    let mut found: Vec<Found> = Vec::new();
    let mut errors = Vec::new();
    let mut values = 0;
    for &(scope, source) in sources {
        let refuse = |place: String, reason: String| TokenError { scope, place, reason };
        match source {
            TokenSource::Value(secret) => {
                values += 1;
                found.push(Found { scope, place: format!("{values} of the values"), token: secret.clone() });
            }
            TokenSource::Variable(name) => match variable(name) {
                Some(token) => {
                    let token = Secret::from(token.trim());
                    found.push(Found { scope, place: format!("of the variable {name}"), token });
                }
                None => errors.push(refuse(
                    format!("of the variable {name}"),
                    "is missing: the variable is not set, or not UTF-8".to_owned(),
                )),
            },
            TokenSource::File(path) => {
                let place = format!("in {}", path.display());
                match read(path) {
                    Ok(text) => {
                        let before = found.len();
                        found.extend(lines(scope, path, &text));
                        if found.len() == before {
                            errors.push(refuse(place, "is missing: the file has no line with a token".to_owned()));
                        }
                    }
                    Err(reason) => errors.push(refuse(place, reason)),
                }
            }
        }
    }
    errors.extend(found.iter().enumerate().filter_map(|(at, one)| {
        let before = found.get(..at).unwrap_or_default();
        let reason = one.problem(before)?;
        Some(TokenError { scope: one.scope, place: one.place.clone(), reason })
    }));
    if let Some(Found { scope, place, .. }) = found.get(MOST_TOKENS) {
        let reason = format!("is one too many of {}: accepted are {MOST_TOKENS} in all", found.len());
        errors.push(TokenError { scope: *scope, place: place.clone(), reason });
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Tokens::new(found.iter().map(|one| (fingerprint(one.token.expose().as_bytes()), one.scope)).collect()))
}

struct Found {
    scope: Scope,
    place: String,
    token: Secret,
}

impl Found {
    fn problem(&self, before: &[Self]) -> Option<String> {
        let token = self.token.expose().as_bytes();
        if !(LEAST_BYTES..=MOST_BYTES).contains(&token.len()) {
            return Some(format!("is {} bytes long: accepted are {LEAST_BYTES} to {MOST_BYTES}", token.len()));
        }
        // The characters of RFC 6750, section 2.1, which no header or shell needs to escape.
        let is_accepted = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        if !token.iter().all(is_accepted) {
            return Some("has other characters than letters, digits and - . _ ~ + / =".to_owned());
        }
        if let Some(plain) = plainness(token) {
            return Some(format!("is easily guessed: {plain}; make one by `openssl rand -hex 32`"));
        }
        let same = before.iter().find(|other| other.token.expose().as_bytes() == token)?;
        Some(format!("is the same as the {} token {}: one token has one scope", same.scope, same.place))
    }
}

/// What makes a token easily guessed, whatever its length. What comes out of a generator never is.
fn plainness(token: &[u8]) -> Option<&'static str> {
    let mut bytes = token.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    if bytes.len() < LEAST_CHARACTERS {
        return Some("it has fewer than 6 different characters");
    }
    let repeats = |shift: usize| token.iter().zip(token.iter().skip(shift)).all(|(one, other)| one == other);
    if (1..=token.len().saturating_sub(4)).any(repeats) {
        return Some("it repeats itself");
    }
    let steps = token.iter().zip(token.iter().skip(1)).filter(|(one, other)| one.abs_diff(**other) == 1).count();
    (steps * 2 > token.len()).then_some("its characters follow one another")
}

fn lines<'a>(scope: Scope, path: &'a std::path::Path, text: &'a Secret) -> impl Iterator<Item = Found> + 'a {
    let tokens = text.expose().lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let tokens = tokens.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    tokens.map(move |(number, line)| Found {
        scope,
        place: format!("in line {number} of {}", path.display()),
        token: Secret::from(line),
    })
}

fn read(path: &std::path::Path) -> Result<Secret, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| format!("is not readable: {error}"))?;
    let length = file.take(MOST_FILE_BYTES + 1).read_to_end(&mut text);
    length.map_err(|error| format!("is not readable: {error}"))?;
    if text.len() as u64 > MOST_FILE_BYTES {
        return Err(format!("is not readable: the file has more than {MOST_FILE_BYTES} bytes, which are accepted"));
    }
    // The error of the conversion would hold the bytes.
    String::from_utf8(text).map(Secret::from).map_err(|_| "is not readable: the file is not UTF-8".to_owned())
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("scope", &self.scope).field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "Qm9sdGVkLWRvb3Jz+/=1";

    fn errors(sources: &[(Scope, TokenSource)]) -> Vec<String> {
        let sources: Vec<_> = sources.iter().map(|(scope, source)| (*scope, source)).collect();
        let variable = |name: &str| (name == "SET").then(|| format!(" {GOOD}\n"));
        load(&sources, variable).map_or_else(|errors| errors.iter().map(ToString::to_string).collect(), |_| Vec::new())
    }

    fn value(text: &str) -> TokenSource {
        TokenSource::Value(text.into())
    }

    #[test]
    fn weak_tokens_are_refused_by_place_and_reason() {
        use Scope::{Admin, Read, Write};
        let variable = |name: &str| TokenSource::Variable(name.to_owned());
        assert_eq!(errors(&[(Read, value(GOOD)), (Write, value("2f1d4c3b9a8e7f60"))]), [""; 0]);
        let said = errors(&[
            (Read, value(GOOD)),
            (Read, value("fifteen-bytes-x")),
            (Admin, variable("SET")),
            (Write, variable("UNSET")),
            (Write, value("with a space, oh dear")),
            (Admin, value("aaaaaaaaaaaaaaaaaaaa")),
            (Admin, value("changemechangeme")),
            (Admin, value("abcdefghijklmnop")),
            (Admin, TokenSource::File("no/such/file".into())),
        ]);
        let more = "make one by `openssl rand -hex 32`";
        assert_eq!(
            said,
            [
                "the write token of the variable UNSET is missing: the variable is not set, or not UTF-8".to_owned(),
                "the admin token in no/such/file is not readable: No such file or directory (os error 2)".to_owned(),
                "the read token 2 of the values is 15 bytes long: accepted are 16 to 1024".to_owned(),
                "the admin token of the variable SET is the same as the read token 1 of the values: one token has one \
                 scope"
                    .to_owned(),
                "the write token 3 of the values has other characters than letters, digits and - . _ ~ + / ="
                    .to_owned(),
                format!(
                    "the admin token 4 of the values is easily guessed: it has fewer than 6 different characters; {more}"
                ),
                format!("the admin token 5 of the values is easily guessed: it repeats itself; {more}"),
                format!("the admin token 6 of the values is easily guessed: its characters follow one another; {more}"),
            ]
        );
    }

    #[test]
    fn tokens_without_number_are_refused() {
        let many: Vec<_> = (0..101_u64)
            .map(|number| (Scope::Read, value(&format!("{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))))
            .collect();
        let want = "the read token 101 of the values is one too many of 101: accepted are 100 in all";
        assert_eq!(errors(&many), [want]);
        assert_eq!(errors(&many[1..]), [""; 0]);
    }

    proptest! {
        #[test]
        fn what_comes_out_of_a_generator_is_accepted(token in any::<[u8; 16]>()) {
            let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
            // One in 2^16 begins as it ends.
            prop_assume!(token[..4] != token[28..]);
            prop_assert_eq!(plainness(token.as_bytes()), None);
        }
    }
}
