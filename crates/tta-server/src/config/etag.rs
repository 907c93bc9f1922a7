//! Which configuration it is: entity tags, and what a change is to depend on (RFC 9110, 8.8.3 and 13.1.1).

use std::fmt::Write;

use ::http::HeaderValue;
use sha2::{Digest, Sha256};
use tta_telemetry::config::Config;

use super::problems::Refusal;
use crate::http::lists::split;

/// Tags of a header that are looked at.
const MOST_TAGS: usize = 32;

/// Secrets are part of the tag, so that a changed one is a change: a key that nobody knows keeps it from
/// telling anything about them. Tags of another process differ.
pub(super) struct EtagKey([u8; 32]);

impl EtagKey {
    /// A random one. Where the system has no randomness to give there is no TLS either, and all that is
    /// lost is that salts could be guessed at.
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        let _ = rustls::crypto::ring::default_provider().secure_random.fill(&mut key);
        Self(key)
    }

    /// The strong tag of a configuration.
    pub(super) fn tag(&self, config: &Config) -> String {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(config.to_json().to_string());
        if let Some(salt) = &config.redaction.hash_salt {
            hash.update([0]);
            hash.update(salt.reveal());
        }
        let mut tag = String::from("\"");
        for byte in hash.finalize().iter().take(16) {
            // Writing to a string does not fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        tag
    }
}

/// What `If-Match` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing, or that there must be one.
    Any,
    /// It must be one of these.
    OneOf(Vec<String>),
}

impl IfMatch {
    pub(crate) fn read<'h>(headers: impl IntoIterator<Item = &'h HeaderValue>) -> Result<Self, Refusal> {
        let mut tags = Vec::new();
        let mut is_there = false;
        let mut stars = 0;
        for header in headers {
            is_there = true;
            let text = header.to_str().map_err(|_| Refusal::IfMatch)?;
            for tag in split(text, ',').map(str::trim).filter(|tag| !tag.is_empty()) {
                if tag == "*" {
                    stars += 1;
                    continue;
                }
                // Weak ones never match, but are well formed.
                let strong = tag.strip_prefix("W/").unwrap_or(tag);
                let inner = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                if inner.is_none_or(|inner| inner.contains('"')) || tags.len() >= MOST_TAGS {
                    return Err(Refusal::IfMatch);
                }
                tags.push(tag.to_owned());
            }
        }
        match (is_there, stars, tags.is_empty()) {
            (false, _, _) | (true, 1, true) => Ok(Self::Any),
            (true, 0, false) => Ok(Self::OneOf(tags)),
            // None, or both: which one was meant is not guessed.
            _ => Err(Refusal::IfMatch),
        }
    }

    pub(crate) fn accepts(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|known| known == tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tta_telemetry::config::{Preset, Secret};

    fn read(values: &[&str]) -> Result<IfMatch, ()> {
        let headers: Vec<_> = values.iter().map(|value| HeaderValue::from_str(value).unwrap()).collect();
        IfMatch::read(&headers).map_err(|_| ())
    }

    #[test]
    fn strong_tags_match_and_weak_ones_do_not() {
        assert_eq!((read(&[]), read(&["*"])), (Ok(IfMatch::Any), Ok(IfMatch::Any)));
        let tags = read(&["\"a\", W/\"b\"", "\"c\""]).unwrap();
        assert_eq!(["\"a\"", "\"b\"", "\"c\"", "\"d\""].map(|tag| tags.accepts(tag)), [true, false, true, false]);
        let comma = read(&["\"a,b\", \"c\""]).unwrap();
        assert_eq!(["\"a,b\"", "\"a\""].map(|tag| comma.accepts(tag)), [true, false]);
        for wrong in ["a", "", "\"a", "\"a\"b\"", ",", "W/a", "*, \"a\"", "*, *"] {
            assert_eq!(read(&[wrong]), Err(()), "{wrong}");
        }
        assert_eq!(read(&[&vec!["\"a\""; MOST_TAGS + 1].join(",")]), Err(()));
    }

    #[test]
    fn a_tag_changes_with_any_field_and_any_secret() {
        let key = EtagKey::new();
        let config = Preset::Production.config();
        let mut other = config.clone();
        other.redaction.hash_salt = Some(Secret::new("0123456789abcdef"));
        let mut third = config.clone();
        third.logging.level = tta_telemetry::config::LogLevel::Trace;
        let tags = [&config, &other, &third].map(|config| key.tag(config));
        assert_eq!(key.tag(&config.clone()), tags[0]);
        assert!(tags[0] != tags[1] && tags[0] != tags[2] && tags[1] != tags[2]);
        assert_ne!(EtagKey::new().tag(&config), tags[0]);
    }
}
