//! Which keys look like those of secrets.
//!
//! A key is cut into words where its punctuation is and where its case changes, so that
//! `http.request.header.authorization`, `dbPassword` and `X-API-Key` are found, and `author`,
//! `tokens` and `monkey` are not. A word that says the value is only about a secret, not one
//! itself (`token_count`, `password.policy`), makes the key ordinary.

use super::prefilter;

/// Words looked at; the last ones, which say what it is.
const MOST_WORDS: usize = 12;

/// A secret as a word of its own.
const SECRET: &[&str] = &[
    "authorization",
    "authorisation",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "creds",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "token",
];
/// A secret also where it ends a longer word: `dbpassword`, `xapikey`, `phpsessid`.
const SECRET_ENDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "apikeys",
    "privatekey",
    "accesskey",
    "secretkey",
    "accesstoken",
    "authtoken",
    "apitoken",
    "csrftoken",
    "xsrftoken",
    "idtoken",
    "refreshtoken",
    "sessiontoken",
    "bearertoken",
    "usertoken",
    "sessid",
    "sessionid",
    "setcookie",
];
/// What makes a `key` one that opens something.
const BEFORE_KEY: &[&str] = &[
    "access",
    "account",
    "api",
    "auth",
    "encryption",
    "hmac",
    "master",
    "private",
    "secret",
    "session",
    "shared",
    "signing",
    "ssh",
    "storage",
];
/// What makes a `signature` one that lets whoever has it in, as those of URLs that storage services
/// sign do.
const BEFORE_SIGNATURE: &[&str] = &["amz", "goog"];
/// What a `session` is followed by when its value lets somebody in.
const AFTER_SESSION: &[&str] = &["cookie", "data", "id", "ids", "key", "token", "uuid", "value"];
/// Tokens of language models, pages and cancellation are no secrets.
const BEFORE_HARMLESS_TOKEN: &[&str] = &[
    "bos",
    "cached",
    "cancel",
    "cancellation",
    "completion",
    "continuation",
    "eos",
    "first",
    "input",
    "last",
    "next",
    "output",
    "pad",
    "page",
    "per",
    "prompt",
    "reasoning",
    "stop",
    "sync",
    "unexpected",
    "unk",
];
/// Where `pwd` is the working directory.
const BEFORE_DIRECTORY: &[&str] = &["env", "environ", "environment", "old", "process", "shell"];
/// Ids by which runs are found again, of this engine and of OpenTelemetry's conventions; what lets
/// somebody in is called `session_id`, a cookie or a token.
const CORRELATION: &[&str] = &["session.id", "session.previous_id"];
/// As the last word: the value is about the secret.
const ABOUT: &[&str] = &[
    "age",
    "algorithm",
    "bucket",
    "budget",
    "bytes",
    "cost",
    "count",
    "counts",
    "created",
    "domain",
    "duration",
    "enabled",
    "encoding",
    "endpoint",
    "error",
    "errors",
    "expired",
    "expires",
    "expiration",
    "expiry",
    "format",
    "is",
    "issuer",
    "kind",
    "length",
    "limit",
    "limits",
    "max",
    "min",
    "missing",
    "name",
    "names",
    "policy",
    "present",
    "price",
    "provider",
    "rate",
    "refreshed",
    "remaining",
    "required",
    "rotated",
    "samesite",
    "scope",
    "scopes",
    "size",
    "status",
    "strength",
    "timeout",
    "total",
    "ttl",
    "type",
    "types",
    "updated",
    "uri",
    "url",
    "usage",
    "used",
    "valid",
    "version",
];

/// Whether the value under this key is a secret by its name.
#[inline]
pub(super) fn is_secret(key: &str) -> bool {
    prefilter::could_be_secret(key) && look(key) && !CORRELATION.contains(&key)
}

#[inline(never)]
fn look(key: &str) -> bool {
    let mut words = [""; MOST_WORDS];
    let count = split(key, &mut words);
    let words = words.get(..count).unwrap_or_default();
    let is_secret = words.iter().enumerate().any(|(place, word)| {
        let before = place.checked_sub(1).and_then(|place| words.get(place)).copied().unwrap_or("");
        let rest = words.get(place + 1..).unwrap_or_default();
        // Every word of the lists has its sequence in itself.
        prefilter::could_be_secret(word) && is_secret_word(before, word, rest)
    });
    is_secret && !words.last().is_some_and(|last| is_one_of(last, ABOUT))
}

fn is_secret_word(before: &str, word: &str, rest: &[&str]) -> bool {
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    if is("token") {
        return !is_one_of(before, BEFORE_HARMLESS_TOKEN);
    }
    if is("pwd") {
        let is_alone = before.is_empty() && rest.is_empty();
        return !is_alone && !is_one_of(before, BEFORE_DIRECTORY);
    }
    if is("key") || is("keys") {
        return is_one_of(before, BEFORE_KEY);
    }
    if is("signature") || is("sig") {
        return is_one_of(before, BEFORE_SIGNATURE) || (is("sig") && before.is_empty() && rest.is_empty());
    }
    if is("session") || is("sess") {
        return rest.last().is_none_or(|last| is_one_of(last, AFTER_SESSION));
    }
    is_one_of(word, SECRET) || SECRET_ENDS.iter().any(|end| ends_with(word, end))
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn ends_with(word: &str, end: &str) -> bool {
    let start = word.len().wrapping_sub(end.len());
    word.get(start..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// The last words of a key, without the digits at their ends (`password2`).
fn split<'k>(key: &'k str, words: &mut [&'k str; MOST_WORDS]) -> usize {
    let bytes = key.as_bytes();
    let at = |place: usize| bytes.get(place).copied().unwrap_or(0);
    let mut count = 0;
    let mut end = bytes.len();
    let mut place = bytes.len();
    // From the end, so that a long key loses its beginning.
    while place > 0 && count < MOST_WORDS {
        place -= 1;
        let (before, this, after) = (if place == 0 { 0 } else { at(place - 1) }, at(place), at(place + 1));
        if !this.is_ascii_alphanumeric() && this < 0x80 {
            end = place;
            continue;
        }
        let case_changes = this.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || after.is_ascii_lowercase() && place + 1 < end);
        let starts = place == 0 || case_changes || !before.is_ascii_alphanumeric() && before < 0x80;
        if !starts {
            continue;
        }
        let word = key.get(place..end).unwrap_or("").trim_end_matches(|c: char| c.is_ascii_digit());
        end = place;
        if let Some(slot) = words.get_mut(count).filter(|_| !word.is_empty()) {
            *slot = word;
            count += 1;
        }
    }
    if let Some(found) = words.get_mut(..count) {
        found.reverse();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: &[&str] = &[
        "authorization",
        "Authorization",
        "http.request.header.authorization",
        "proxy-authorization",
        "x_authorisation",
        "cookie",
        "Set-Cookie",
        "http.response.header.set-cookie",
        "setcookie",
        "cookies",
        "password",
        "passwd",
        "db.password",
        "dbPassword",
        "DBPassword",
        "DB_PASSWORD",
        "password2",
        "passwords",
        "userpassword",
        "user.passphrase",
        "passwordHash",
        "db.pwd",
        "pwd.old",
        "secret",
        "clientSecret",
        "client_secret",
        "client-secret",
        "clientsecret",
        "app.secrets",
        "aws_secret_access_key",
        "token",
        "Token",
        "access_token",
        "accessToken",
        "x-auth-token",
        "authtoken",
        "refresh_token",
        "csrf.token",
        "token.value",
        "idtoken",
        "api_key",
        "apikey",
        "api-key",
        "apiKey",
        "API_KEY",
        "APIKey",
        "X-API-Key",
        "xapikey",
        "api.keys",
        "openai.api_key",
        "private_key",
        "privateKey",
        "ssh.private-key",
        "access_key",
        "accesskey",
        "accessKeyId",
        "signing_key",
        "encryptionKey",
        "storage.account_key",
        "session",
        "session_id",
        "sessionId",
        "JSESSIONID",
        "PHPSESSID",
        "user.session",
        "session_token",
        "credential",
        "credentials",
        "aws.credentials",
        "creds",
        "größe.password",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.password",
        "oauth2.token",
        "X-Amz-Signature",
        "x-goog-signature",
        "sig",
        "password[0]",
    ];
    const ORDINARY: &[&str] = &[
        "",
        "session.id",
        "session.previous_id",
        "tokens",
        "token_count",
        "tokenCount",
        "token.count",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.request.max_tokens",
        "max_tokens",
        "gen_ai.token.type",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
        "tokenizer",
        "tokenization",
        "next_page_token",
        "cancellation_token",
        "author",
        "authority",
        "authorized",
        "http.authority",
        "book.author",
        "key",
        "cache.key",
        "feature_flag.key",
        "partition_key",
        "messaging.kafka.message.key",
        "monkey",
        "keyboard",
        "app.ads.contextKeys",
        "secretary",
        "secret.name",
        "secret_version",
        "cookie.domain",
        "cookieless",
        "password_policy",
        "password.length",
        "password_required",
        "token_url",
        "token.expires",
        "token_ttl",
        "session.duration",
        "session_count",
        "session.timeout",
        "session.state",
        "sessions",
        "mission",
        "obsession",
        "passed",
        "passenger",
        "compass",
        "bypass",
        "pwd",
        "env.PWD",
        "process.pwd",
        "http.status_code",
        "error.message",
        "credit",
        "created",
        "increment.creator",
        "credential.type",
        "credentials.provider",
        "api.key.count",
        "public_key",
        "key.access",
        "signature",
        "signal",
        "design",
        "method.sig",
        "accessibility",
        "okey",
        "broken",
        "spoken",
        "stoken_",
    ];

    #[test]
    fn keys_of_secrets_are_known_by_their_words() {
        let missed: Vec<_> = SECRETS.iter().filter(|key| !is_secret(key)).collect();
        assert_eq!(missed, [&""; 0]);
    }

    #[test]
    fn keys_that_only_look_similar_are_ordinary() {
        let taken: Vec<_> = ORDINARY.iter().filter(|key| is_secret(key)).collect();
        assert_eq!(taken, [&""; 0]);
    }

    #[test]
    fn the_first_pass_lets_through_every_key_that_is_secret() {
        for key in SECRETS {
            assert!(prefilter::could_be_secret(key) && look(key), "{key}");
        }
    }
}
