//! Secrets that begin in one text of a list and go on in the next: the lines of a private key, an
//! option of a command and its value, a header and what it holds.
//!
//! Owns which texts follow from those before them. What one text holds by itself is up to `values`.

/// What the texts so far say about the next one.
#[derive(Default)]
pub(super) struct Carry {
    in_private_key: bool,
    after_key: bool,
}

impl Carry {
    /// Whether a text is secret because of those before it. To be asked about each, in order.
    pub(super) fn take(&mut self, text: &str, is_secret_key: impl Fn(&str) -> bool) -> bool {
        let is_continued = self.in_private_key || (self.after_key && !text.starts_with('-') && !text.is_empty());
        let begins = text.rfind("-----BEGIN ").filter(|place| {
            let label = text.get(*place..).unwrap_or("");
            label.contains("PRIVATE KEY")
        });
        let ends = text.rfind("-----END ");
        self.in_private_key = match (begins, ends) {
            (Some(begin), end) => end.is_none_or(|end| end < begin),
            (None, Some(_)) => false,
            (None, None) => self.in_private_key,
        };
        self.after_key = names_next(text, is_secret_key);
        is_continued
    }
}

/// `--password`, `password:`, `Authorization:`, `Bearer`: what names the text after it. A word
/// alone does not: lists of the names of fields are ordinary.
fn names_next(text: &str, is_secret_key: impl Fn(&str) -> bool) -> bool {
    let text = text.trim();
    if text.eq_ignore_ascii_case("bearer") {
        return true;
    }
    let option = text.strip_prefix("--").or_else(|| text.strip_suffix([':', '=']));
    option.is_some_and(|key| !key.is_empty() && !key.contains(char::is_whitespace) && is_secret_key(key))
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;

    fn continued(texts: &[&str]) -> Vec<usize> {
        let mut carry = Carry::default();
        let is_continued = |(place, text): (usize, &&str)| carry.take(text, keys::is_secret).then_some(place);
        texts.iter().enumerate().filter_map(is_continued).collect()
    }

    #[test]
    fn what_a_text_begins_the_next_ones_end() {
        let key = ["x", "-----BEGIN RSA PRIVATE KEY-----", "MIIE", "AQAB", "-----END RSA PRIVATE KEY-----", "y"];
        assert_eq!(continued(&key), [2, 3, 4]);
        assert_eq!(continued(&["psql", "--password", "hunter2", "--host", "db"]), [2]);
        assert_eq!(continued(&["curl", "-H", "Authorization:", "Digest x", "url"]), [3]);
        assert_eq!(continued(&["Bearer", "abc"]), [1]);
        assert_eq!(continued(&["--password", "--verbose", "x"]), [0; 0]);
        assert_eq!(continued(&["user", "token", "created", "--tokens", "12"]), [0; 0]);
        assert_eq!(continued(&["-----BEGIN CERTIFICATE-----", "MIIE"]), [0; 0]);
    }
}
