//! One pass over the bytes of a key or a text that tells which detectors could find something.
//!
//! Most attributes are ordinary: for them this pass is all that redaction costs. It looks for
//! sequences of two or three bytes without which a secret cannot be: no JWT without `yJ`, no
//! secret key without `key`, `oke`, ... Each table maps a byte to the places it may have in them:
//! 16 bits for the first byte, 16 for the second, 16 for the third, a bit for each sequence.
//!
//! Owns the tables. Does not own what is a secret: `keys` and `values` look again.

/// Bytes that belong together, with the alternatives of each place.
type Sequence = &'static [&'static [u8]];

// Evaluated when compiled, where an index out of bounds is an error of the build.
#[allow(clippy::indexing_slicing)]
const fn table(sequences: &[Sequence]) -> [u64; 256] {
    let mut table = [0; 256];
    let mut bit = 0;
    while bit < sequences.len() {
        let mut place = 0;
        while place < sequences[bit].len() {
            let mut choice = 0;
            while choice < sequences[bit][place].len() {
                table[sequences[bit][place][choice] as usize] |= 1 << (place * 16 + bit);
                choice += 1;
            }
            place += 1;
        }
        bit += 1;
    }
    table
}

/// Three letters of every word that makes a key secret, in either case.
const KEY_SEQUENCES: &[Sequence] = &[
    &[b"uU", b"tT", b"hH"], // authorization
    &[b"oO", b"kK", b"iI"], // cookie
    &[b"sS", b"sS", b"wW"], // password, passwd
    &[b"sS", b"sS", b"pP"], // passphrase
    &[b"pP", b"wW", b"dD"], // pwd
    &[b"cC", b"rR", b"eE"], // secret, credential
    &[b"oO", b"kK", b"eE"], // token
    &[b"kK", b"eE", b"yY"], // api_key, private_key, ...
    &[b"sS", b"eE", b"sS"], // session, phpsessid
    &[b"sS", b"iI", b"gG"], // signature, sig
];

static KEYS: [u64; 256] = table(KEY_SEQUENCES);

/// Whether a key could be secret.
#[inline]
pub(super) fn could_be_secret(key: &str) -> bool {
    let (mut found, mut before, mut before_that) = (0, 0_u64, 0_u64);
    for byte in key.bytes() {
        // A byte has an entry for each of its 256 values.
        let this = KEYS.get(usize::from(byte)).copied().unwrap_or(0);
        found |= before_that & (before >> 16) & (this >> 32);
        (before_that, before) = (before, this);
    }
    found & 0xffff != 0
}

/// What could be in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hints(u64);

/// Any byte.
const ANY: &[u8] = &[];

/// Sequences of bytes, with what they are for. The order is that of the constants below.
const VALUE_SEQUENCES: &[Sequence] = &[
    &[ANY, b"yY", b"JA"],             // JWT: `eyJ`, `eyA` is `{"`, `{ ` in base64
    &[ANY, b"-", b"-"],               // PEM
    &[ANY, b"rRcC", b" \t%"],         // bearer, basic
    &[b"rRwWiI", b"dDgG", b":=%>"],   // password=, passwd=, session_id=, sig=
    &[b"eE", b"tTnNyY", b":=%>"],     // secret=, token=, api_key=
    &[b"oO", b"nN", b":=%>"],         // authorization=, session=
    &[b"iIaAsSrR", b"eElL", b":=%>"], // cookie=, credential=, passphrase=, signature=
    &[b"eElLtTyYdD", b"sS", b":=%>"], // cookies=, credentials=, secrets=
    &[ANY, b"\"']", b":=%,"],         // "password": ..., user[password]=..., ("password", ...)
    &[ANY, b" ", b":="],              // password = ...
    &[ANY, b"fkmpt", b"-_"],          // sk-, sk_live_, glpat-, xapp-, hf_, npm_
    &[ANY, b"AKS", b"I"],             // AKIA, ASIA, AIza
    &[ANY, b"g", b"h"],               // ghp_, github_pat_ and the like
    &[ANY, b"x", b"o"],               // xoxb-
    &[ANY, b"G", b"."],               // SG.
    &[ANY, b"a", b"2"],               // ya29.
];
const JWT: u64 = 1;
const PEM: u64 = 1 << 1;
const CREDENTIALS: u64 = 1 << 2;
const PAIRS: u64 = 0x7f << 3;
const API_KEY: u64 = 0x3f << 10;
/// Above the sequences, as in the table: a byte is one of these, or it is not.
const AT: u64 = 1 << 48;
const DIGIT: u64 = 1 << 49;
const PERCENT: u64 = 1 << 50;
/// Fewer digits are no card.
const CARD_DIGITS: usize = 13;

static VALUES: [u64; 256] = value_table();

#[allow(clippy::indexing_slicing)]
const fn value_table() -> [u64; 256] {
    let mut table = table(VALUE_SEQUENCES);
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < VALUE_SEQUENCES.len() {
            if VALUE_SEQUENCES[bit][0].is_empty() {
                table[byte] |= 1 << bit;
            }
            bit += 1;
        }
        byte += 1;
    }
    table[b'@' as usize] |= AT;
    table[b'%' as usize] |= PERCENT;
    let mut digit = b'0';
    while digit <= b'9' {
        table[digit as usize] |= DIGIT;
        digit += 1;
    }
    table
}

impl Hints {
    /// Looks at every byte once.
    #[inline]
    pub(super) fn of(text: &str) -> Self {
        let entry = |byte: u8| VALUES.get(usize::from(byte)).copied().unwrap_or(0);
        // What is before the text is a byte that is in no sequence, except as any byte.
        let (mut found, mut any, mut before, mut before_that) = (0, 0, entry(0), entry(0));
        for byte in text.bytes() {
            let this = entry(byte);
            found |= before_that & (before >> 16) & (this >> 32);
            any |= this;
            (before_that, before) = (before, this);
        }
        let mut hints = (found & 0xffff) | (any & AT);
        // Counted by itself, for few texts are so long and have digits.
        if any & DIGIT != 0 && text.len() >= CARD_DIGITS {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            hints |= if digits >= CARD_DIGITS { DIGIT } else { 0 };
        }
        if any & PERCENT != 0 {
            hints |= if text.contains("%40") { PERCENT } else { 0 };
        }
        Self(hints)
    }

    #[inline]
    pub(super) fn nothing(self) -> bool {
        self.0 == 0
    }

    pub(super) fn jwt(self) -> bool {
        self.0 & JWT != 0
    }

    pub(super) fn pem(self) -> bool {
        self.0 & PEM != 0
    }

    pub(super) fn credentials(self) -> bool {
        self.0 & CREDENTIALS != 0
    }

    pub(super) fn pairs(self) -> bool {
        self.0 & PAIRS != 0
    }

    pub(super) fn api_key(self) -> bool {
        self.0 & API_KEY != 0
    }

    pub(super) fn at(self) -> bool {
        self.0 & AT != 0
    }

    pub(super) fn encoded_at(self) -> bool {
        self.0 & PERCENT != 0
    }

    pub(super) fn card(self) -> bool {
        self.0 & DIGIT != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_texts_and_keys_end_at_the_pass() {
        for text in [
            "GET",
            "200",
            "/api/v1/items",
            "172.25.0.20:8080",
            "checkout",
            "python-requests/2.31.0",
            "-",
            "",
            "frontend-proxy:8080",
            "https://shop/x",
            "redis:6379",
        ] {
            assert!(Hints::of(text).nothing(), "{text}: {:?}", Hints::of(text));
        }
        for key in ["http.status_code", "error.message", "net.peer.port", "app.product.id", "rpc.system", ""] {
            assert!(!could_be_secret(key), "{key}");
        }
    }

    #[test]
    fn each_kind_of_secret_leaves_its_hint() {
        assert!(Hints::of("a@b").at() && Hints::of("4111-1111-1111-1").card());
        assert!(Hints::of("eyJh").jwt() && Hints::of("-----BEGIN").pem());
        assert!(Hints::of("BEARER x").credentials() && Hints::of("Basic\tx").credentials());
        for word in [
            "password",
            "PASSWD",
            "pwd",
            "secret",
            "Token",
            "api_key",
            "authorization",
            "session",
            "cookie",
            "credential",
            "passphrase",
            "cookies",
            "credentials",
            "secrets",
            "api_keys",
            "creds",
            "passwords",
            "sessionId",
        ] {
            for separator in ["=", ":", "%3D", "\":", "']=", " = "] {
                assert!(Hints::of(&format!("{word}{separator}")).pairs(), "{word}{separator}");
            }
        }
        assert!(Hints::of("password=x").pairs() && Hints::of("\"token\":1").pairs());
        for text in
            ["sk-a", "sk_live_", "AKIA", "ASIA", "ghp_", "xoxb-", "AIza", "glpat-", "hf_", "npm_", "SG.", "ya29."]
        {
            assert!(Hints::of(text).api_key(), "{text}");
        }
        for key in ["Authorization", "COOKIE", "passwd", "passphrase", "pwd", "secret", "credential", "token", "KEY"] {
            assert!(could_be_secret(key), "{key}");
        }
        assert!(could_be_secret("session") && could_be_secret("PHPSESSID"));
    }

    #[test]
    fn counting_many_digits_does_not_overflow() {
        assert!(Hints::of(&"7".repeat(70_000)).card());
        assert!(!Hints::of(&"a".repeat(70_000)).card());
    }
}
