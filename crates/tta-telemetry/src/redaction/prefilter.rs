//! One pass over the bytes of a key or a text that tells which detectors could find something.
//!
//! Most attributes are ordinary: for them this pass is all that redaction costs. It looks for
//! pairs (in keys: triples) of bytes without which a secret cannot be: no JWT without `yJ`, no
//! secret key without `key`, `oke`, ... Each table maps a byte to the places it may have in them:
//! 16 bits for the first byte, 16 for the second, 16 for the third, a bit for each pair.
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

/// Pairs of bytes, with what they are for. The order is that of the constants of [`Hints`].
const VALUE_SEQUENCES: &[Sequence] = &[
    &[b"yY", b"JA"],                            // JWT: `eyJ`, `eyA` is `{"`, `{ ` in base64
    &[b"-", b"-"],                              // PEM
    &[b"rRcC", b" \t"],                         // bearer, basic
    &[b"adehklnorstyADEHKLNORSTY\"']", b":=%"], // password=, "token":, ...
    &[b"k", b"-_"],                             // sk-, sk_live_
    &[b"KS", b"I"],                             // AKIA, ASIA
    &[b"g", b"h"],                              // ghp_, github_pat_
    &[b"x", b"o"],                              // xoxb-
    &[b"A", b"I"],                              // AIza
    &[b"tp", b"-"],                             // glpat-, xapp-
    &[b"fmt", b"_"],                            // hf_, npm_
    &[b"G", b"."],                              // SG.
    &[b"a", b"2"],                              // ya29.
    &[b" ", b"="],                              // password = ...
];
const HINT_AT: u64 = 1 << 16;
const HINT_DIGITS: u64 = 1 << 17;

const AT: u64 = 1 << 32;
const DIGIT: u64 = 1 << 48;
/// Fewer digits are no card.
const CARD_DIGITS: u64 = 13;

static VALUES: [u64; 256] = value_table();

/// Above the pairs: one bit for `@`, and digits counted from bit 48.
#[allow(clippy::indexing_slicing)]
const fn value_table() -> [u64; 256] {
    let mut table = table(VALUE_SEQUENCES);
    table[b'@' as usize] |= AT;
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
        let (mut found, mut before, mut digits, mut any) = (0, 0_u64, 0_u64, 0_u64);
        for byte in text.bytes() {
            let this = VALUES.get(usize::from(byte)).copied().unwrap_or(0);
            found |= before & (this >> 16);
            any |= this;
            digits += this >> 48;
            before = this;
        }
        let at = if any & AT == 0 { 0 } else { HINT_AT };
        let digits = if digits < CARD_DIGITS { 0 } else { HINT_DIGITS };
        Self((found & 0x3fff) | at | digits)
    }

    #[inline]
    pub(super) fn nothing(self) -> bool {
        self.0 == 0
    }

    pub(super) fn jwt(self) -> bool {
        self.0 & 1 != 0
    }

    pub(super) fn pem(self) -> bool {
        self.0 & 1 << 1 != 0
    }

    pub(super) fn credentials(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    pub(super) fn pairs(self) -> bool {
        self.0 & (1 << 3 | 1 << 13) != 0
    }

    pub(super) fn api_key(self) -> bool {
        self.0 & 0x1ff0 != 0
    }

    pub(super) fn at(self) -> bool {
        self.0 & HINT_AT != 0
    }

    pub(super) fn card(self) -> bool {
        self.0 & HINT_DIGITS != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_texts_and_keys_end_at_the_pass() {
        for text in ["GET", "200", "/api/v1/items", "172.25.0.20:8080", "checkout", "python-requests/2.31.0", "-", ""] {
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
