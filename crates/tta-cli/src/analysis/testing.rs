//! What the unit tests of the analyses share: documents and pseudo-random texts.

use std::path::PathBuf;
use std::sync::Arc;

use super::document::Document;

/// A document of `text`, unchecked, so that tests can go beyond what `validate` admits.
pub(crate) fn document(text: &str) -> Document {
    Document { path: PathBuf::from("test.txt"), text: Arc::from(text) }
}

/// Pieces that meet the special cases of the analyses far more often than random characters do.
const PIECES: &[&str] = &[
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    ".",
    ". ",
    "! ",
    "? ",
    "...",
    "…",
    "。",
    "॥",
    ",",
    "'",
    "\u{2019}",
    "-",
    "_",
    "(",
    ")",
    "\"",
    "#",
    "//! ",
    "* ",
    "`",
    "{",
    "};",
    "=",
    "e.g.",
    "etc.",
    "Dr.",
    "3.14",
    "1",
    "x",
    "the",
    "and",
    "Der",
    "l'",
    "qu'",
    "'s",
    "don't",
    "word",
    "Häuser",
    "été",
    "数",
    "据",
    "の",
    "データ",
    "한국",
    "हिन्",
    "\u{301}",
    "\u{200D}",
    "\u{FEFF}",
    "\u{0}",
    "\u{AD}",
    "שלום",
    "مرحبا",
    "Привет",
    "ї",
    "ß",
    "İ",
    "ﬃ",
    "😀",
    "👨‍👩‍👧",
    "\u{10FFFF}",
    "\u{E000}",
    "e",
    "le",
];

/// `count` texts of up to 120 pieces, the same ones on every run.
pub(crate) fn random_texts(count: usize) -> impl Iterator<Item = String> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    // Steele, Lea and Flood's SplitMix64 (2014).
    let mut next = move |bound: usize| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    };
    (0..count).map(move |_| {
        let length = next(120);
        let mut text = String::new();
        for _ in 0..length {
            if next(4) == 0 {
                text.extend(char::from_u32(next(0x11_0000) as u32));
            } else {
                text.push_str(PIECES[next(PIECES.len())]);
            }
        }
        text
    })
}
