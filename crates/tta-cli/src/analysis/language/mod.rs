//! Which natural language a document is in, and how sure that is.
//!
//! Letters of most scripts give the language away (`script`). In Latin letters two kinds of
//! evidence are added: the share of words that are stop words of a language, and character
//! trigrams (`profile`), which speak even where a text is too short for stop words.
//!
//! Fourteen languages are told apart; anything else, source code above all, is to come out as
//! [`Language::Undetermined`] or with a low confidence, not as the nearest neighbour.

mod latin;
mod profile;
mod samples;
mod script;

use super::document::Document;

/// How much of a text is looked at, in evenly spaced windows: more does not change the answer.
const SAMPLE_LIMIT_BYTES: usize = 64 * 1024;

/// The number of windows that a text larger than the sample is seen through.
const WINDOWS: usize = 16;

/// Below this confidence the language counts as undetermined.
const MINIMUM_CONFIDENCE: f64 = 0.2;

/// A language that can be detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    English,
    German,
    French,
    Spanish,
    Italian,
    Portuguese,
    Dutch,
    Russian,
    Ukrainian,
    Greek,
    Japanese,
    Chinese,
    Korean,
    Arabic,
    Hebrew,
    Hindi,
    /// None of the others, or too little to tell.
    Undetermined,
}

impl Language {
    /// The ISO 639-1 code, or `und` as in ISO 639-2.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Italian => "it",
            Self::Portuguese => "pt",
            Self::Dutch => "nl",
            Self::Russian => "ru",
            Self::Ukrainian => "uk",
            Self::Greek => "el",
            Self::Japanese => "ja",
            Self::Chinese => "zh",
            Self::Korean => "ko",
            Self::Arabic => "ar",
            Self::Hebrew => "he",
            Self::Hindi => "hi",
            Self::Undetermined => "und",
        }
    }
}

/// A language and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Detection {
    pub(crate) language: Language,
    /// Between 0 and 1. Next to `Undetermined`, what the best candidate reached.
    pub(crate) confidence: f64,
}

impl Detection {
    fn new(language: Language, confidence: f64) -> Self {
        let confidence = confidence.clamp(0.0, 1.0);
        let language = if confidence < MINIMUM_CONFIDENCE { Language::Undetermined } else { language };
        Self { language, confidence }
    }
}

/// Detects the language of `document` from a sample of at most 64 KiB, so in bounded time.
pub(crate) fn language(document: &Document) -> Detection {
    let mut census = script::Census::default();
    windows(&document.text).for_each(|window| census.add(window));
    census.detect().unwrap_or_else(|| latin::detect(windows(&document.text)))
}

/// The whole of a small `text`, or evenly spaced windows on a large one.
fn windows(text: &str) -> impl Iterator<Item = &str> {
    let (count, width) =
        if text.len() <= SAMPLE_LIMIT_BYTES { (1, text.len()) } else { (WINDOWS, SAMPLE_LIMIT_BYTES / WINDOWS) };
    let stride = text.len() / count;
    (0..count).filter_map(move |window| {
        let start = text.floor_char_boundary(window.saturating_mul(stride));
        let end = text.floor_char_boundary(start.saturating_add(width));
        text.get(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{document, random_texts};

    fn detect(text: &str) -> Detection {
        language(&document(text))
    }

    const PROSE: &[(&str, Language)] = &[
        (
            "The committee has not yet decided whether the bridge should be repaired or replaced, \
             because both plans would cost more than the city can afford this year.",
            Language::English,
        ),
        (
            "Der Ausschuss hat noch nicht entschieden, ob die Brücke repariert oder ersetzt werden \
             soll, weil beide Pläne mehr kosten würden, als die Stadt sich leisten kann.",
            Language::German,
        ),
        (
            "Le comité n'a pas encore décidé si le pont doit être réparé ou remplacé, car les deux \
             projets coûteraient plus cher que ce que la ville peut payer cette année.",
            Language::French,
        ),
        (
            "El comité todavía no ha decidido si el puente debe repararse o sustituirse, porque los \
             dos planes costarían más de lo que la ciudad puede pagar este año.",
            Language::Spanish,
        ),
        (
            "Il comitato non ha ancora deciso se il ponte debba essere riparato o sostituito, perché \
             entrambi i progetti costerebbero più di quanto la città possa spendere quest'anno.",
            Language::Italian,
        ),
        (
            "O comitê ainda não decidiu se a ponte deve ser consertada ou substituída, porque os dois \
             planos custariam mais do que a cidade pode pagar este ano.",
            Language::Portuguese,
        ),
        (
            "De commissie heeft nog niet besloten of de brug moet worden hersteld of vervangen, omdat \
             beide plannen meer zouden kosten dan de stad dit jaar kan betalen.",
            Language::Dutch,
        ),
        (
            "Комиссия ещё не решила, нужно ли мост чинить или заменить, потому что оба плана стоят \
             дороже, чем город может себе позволить в этом году.",
            Language::Russian,
        ),
        (
            "Комісія ще не вирішила, чи слід міст лагодити або замінити, бо обидва плани коштують \
             більше, ніж місто може собі дозволити цього року.",
            Language::Ukrainian,
        ),
    ];

    #[test]
    fn prose_is_detected_with_high_confidence() {
        for (text, language) in PROSE {
            let found = detect(text);
            assert_eq!(found.language, *language, "{text}");
            assert!(found.confidence > 0.7, "{found:?} for {text}");
        }
    }

    #[test]
    fn a_handful_of_words_is_detected_with_less_confidence() {
        for (text, language) in [
            ("Where is the station?", Language::English),
            ("Wo ist der Bahnhof?", Language::German),
            ("Où est la gare ?", Language::French),
            ("¿Dónde está la estación?", Language::Spanish),
            ("Dov'è la stazione?", Language::Italian),
            ("Onde é a estação?", Language::Portuguese),
            ("Waar is het station?", Language::Dutch),
        ] {
            let found = detect(text);
            assert_eq!(found.language, language, "{found:?} for {text}");
            assert!(found.confidence < 0.7, "{found:?} for {text}");
        }
    }

    #[test]
    fn markdown_with_code_in_it_is_still_in_its_language() {
        let text = "# Installation\n\nTo install the tool, run:\n\n```sh\ncargo install --path .\n```\n\n\
                    Then add the `bin` directory to your `PATH`. If that is not possible, see\n\
                    [the manual](https://example.com/manual) for other ways.\n";
        let found = detect(text);
        assert_eq!(found.language, Language::English);
        assert!((0.2..0.9).contains(&found.confidence), "{found:?}");
    }

    #[test]
    fn source_code_is_undetermined() {
        for code in [
            "fn main() {\n    let mut total = 0;\n    for item in list.iter() {\n        total += item.size();\n    }\n}\n",
            "function f(a,b){for(var i=0;i<a.length;i++){if(a[i]===b)return i}return-1}",
            "{\"name\": \"demo\", \"version\": \"1.0.0\", \"scripts\": {\"test\": \"node run.js\"}}",
            ".button { color: #fff; margin: 0 auto; } .in { display: none }",
            "int main(void) { int i, a[10]; while (i < 10) a[i++] = 0; return a[0]; }",
        ] {
            let found = detect(code);
            assert_eq!(found.language, Language::Undetermined, "{found:?} for {code}");
        }
    }

    #[test]
    fn languages_that_are_not_known_are_not_claimed_with_confidence() {
        for text in [
            "Komisja jeszcze nie zdecydowała, czy most należy naprawić, czy wymienić na nowy.",
            "Valiokunta ei ole vielä päättänyt, pitäisikö silta korjata vai korvata uudella.",
            "Komite, köprünün onarılmasına mı yoksa değiştirilmesine mi henüz karar vermedi.",
            "Utskottet har ännu inte beslutat om bron ska repareras eller ersättas med en ny.",
            "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed eiusmod tempor.",
        ] {
            let found = detect(text);
            assert!(found.language == Language::Undetermined || found.confidence < 0.35, "{found:?} for {text}");
        }
    }

    #[test]
    fn a_text_without_letters_is_undetermined_without_confidence() {
        let nothing = Detection { language: Language::Undetermined, confidence: 0.0 };
        assert_eq!(detect("1, 2, 3 -- 4!"), nothing);
        assert_eq!(detect(""), nothing);
    }

    #[test]
    fn a_low_confidence_makes_the_language_undetermined() {
        assert_eq!(Detection::new(Language::Greek, 0.19).language, Language::Undetermined);
        assert_eq!(Detection::new(Language::Greek, 0.2).language, Language::Greek);
    }

    #[test]
    fn windows_are_evenly_spaced_and_whole_for_small_texts() {
        assert_eq!(windows("small").collect::<Vec<_>>(), ["small"]);
        let large = "é".repeat(SAMPLE_LIMIT_BYTES);
        let seen: Vec<_> = windows(&large).collect();
        assert_eq!(seen.len(), WINDOWS);
        assert_eq!(seen.iter().map(|w| w.len()).sum::<usize>(), SAMPLE_LIMIT_BYTES);
    }

    #[test]
    fn the_main_part_of_a_large_text_decides() {
        let mut text = "Ceci est une petite phrase en français. ".repeat(20);
        text.push_str(&"This is the rest of the book, and it is in English. ".repeat(5_000));
        assert_eq!(detect(&text).language, Language::English);
    }

    #[test]
    fn any_text_has_a_confidence_between_zero_and_one() {
        for text in random_texts(300) {
            let found = detect(&text);
            assert!((0.0..=1.0).contains(&found.confidence), "{found:?} for {text:?}");
        }
    }
}
