//! How complex a text is to answer: the default estimator.
//!
//! Counts words and marks in one pass, without allocating. It knows nothing of meaning; a better
//! judge replaces it (`RouterBuilder::by_score`).

/// Bytes that are looked at: the beginning of a long text stands for the whole.
const LOOKED_AT_BYTES: usize = 16 * 1024;

/// Words that ask for an explanation, a comparison or a plan rather than a fact.
const REASONING_WORDS: [&str; 16] = [
    "analyse", "analyze", "argue", "assess", "compare", "debug", "derive", "design", "evaluate", "explain", "how",
    "optimise", "optimize", "plan", "prove", "why",
];

/// How complex a text is, from 0 (a greeting) to 1 (pages of dense questions, lists and code): the
/// default estimator of [`RouterBuilder::by_complexity`](crate::RouterBuilder::by_complexity).
///
/// A weighted sum of six measures, each from 0 to 1 and growing evenly up to its limit:
///
/// | measure | weight | from 0 at | to 1 at |
/// |---|---|---|---|
/// | words | 0.30 | 0 | 400 |
/// | words per sentence | 0.15 | 5 | 30 |
/// | share of words of at least 8 letters | 0.15 | 0 | 0.4 |
/// | questions: question marks, and words such as "why", "how", "compare", "explain" | 0.20 | 0 | 4 |
/// | structure: lines that are list items, and code fences (four items' worth each) | 0.15 | 0 | 8 |
/// | words with a digit | 0.05 | 0 | 20 |
///
/// Only the first 16 KiB are looked at, so that the work is bounded. Language matters little except
/// to the question words, which are English.
///
/// ```
/// use tta_primitives::complexity;
///
/// assert!(complexity("Hello!") < 0.05);
/// let hard = "Compare these two designs and explain why one scales better:\n- sharded by customer\n- one queue\n";
/// assert!(complexity(hard) > 0.2);
/// ```
#[must_use]
pub fn complexity(text: &str) -> f64 {
    let text = text.get(..text.floor_char_boundary(LOOKED_AT_BYTES)).unwrap_or(text);
    let counts = Counts::of(text);
    let words = counts.words as f64;
    let share = |count: usize| if counts.words == 0 { 0.0 } else { count as f64 / words };
    let per_sentence = words / counts.sentences.max(1) as f64;
    0.30 * grown(words, 0.0, 400.0)
        + 0.15 * grown(per_sentence, 5.0, 30.0)
        + 0.15 * grown(share(counts.long_words), 0.0, 0.4)
        + 0.20 * grown(counts.questions as f64, 0.0, 4.0)
        + 0.15 * grown(counts.structure as f64, 0.0, 8.0)
        + 0.05 * grown(counts.numbers as f64, 0.0, 20.0)
}

/// Where a value is between two limits.
fn grown(value: f64, none: f64, full: f64) -> f64 {
    ((value - none) / (full - none)).clamp(0.0, 1.0)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    words: usize,
    sentences: usize,
    long_words: usize,
    questions: usize,
    structure: usize,
    numbers: usize,
}

impl Counts {
    fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines() {
            counts.add_line(line.trim_start());
        }
        counts
    }

    fn add_line(&mut self, line: &str) {
        if line.starts_with("```") {
            self.structure += 4;
        } else if is_list_item(line) {
            self.structure += 1;
        }
        line.split_whitespace().for_each(|word| self.add_word(word));
    }

    fn add_word(&mut self, word: &str) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        if word.ends_with(['.', '!', '?', '。', '？']) {
            self.sentences += 1;
        }
        self.questions += usize::from(word.contains(['?', '？']));
        if bare.is_empty() {
            return;
        }
        self.words += 1;
        // Eight letters are at least eight bytes: most words are not counted through.
        self.long_words += usize::from(bare.len() >= 8 && bare.chars().nth(7).is_some());
        self.numbers += usize::from(bare.bytes().any(|byte| byte.is_ascii_digit()));
        self.questions += usize::from(REASONING_WORDS.iter().any(|asking| asking.eq_ignore_ascii_case(bare)));
    }
}

/// `- this`, `* this`, `1. this`, `1) this`.
fn is_list_item(line: &str) -> bool {
    let marked = line.strip_prefix(['-', '*', '+', '•']).or_else(|| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < line.len()).then(|| rest.strip_prefix(['.', ')'])).flatten()
    });
    marked.is_some_and(|rest| rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(text: &str, want: f64) {
        let got = complexity(text);
        assert!((got - want).abs() < 1e-9, "{got} for {text:?}");
    }

    #[test]
    fn each_measure_counts_by_its_weight_and_no_more_than_that() {
        near("", 0.0);
        // One word each, in sentences of one word.
        near(&"a. ".repeat(40), 0.03);
        near(&"a. ".repeat(4_000), 0.30);
        // One sentence of 30 words.
        near(&"a ".repeat(30), 0.30 * 30.0 / 400.0 + 0.15);
        near("abcdefgh", 0.30 / 400.0 + 0.15);
        near("abcdefg", 0.30 / 400.0);
        near("why?", 0.30 / 400.0 + 0.10);
        near("HOW", 0.30 / 400.0 + 0.05);
        near("? ? ? ? ? ? ? ?", 0.20);
        near("- ", 0.15 / 8.0);
        near("```\n```", 0.15);
        near("7. ", 0.30 / 400.0 + 0.15 / 8.0 + 0.05 / 20.0);
    }

    #[test]
    fn lists_are_told_from_prose() {
        for item in ["- a", "* a", "+ a", "• a", "1. a", "12) a"] {
            assert!(is_list_item(item), "{item}");
        }
        for prose in ["-a", "1.5 litres", "a - b", "12", "", "1 a", ". a"] {
            assert!(!is_list_item(prose), "{prose}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_text_is_looked_at() {
        let words = "ä. ".repeat(LOOKED_AT_BYTES / 4);
        let more = format!("{words}{}", "why? ```\n- explain 7 things\n".repeat(1_000));
        near(&more, complexity(&words));
        // A cut in the middle of a character.
        let odd = format!("x{}", "ä".repeat(LOOKED_AT_BYTES));
        assert!(complexity(&odd) > 0.1);
    }

    #[test]
    fn harder_questions_score_higher() {
        let texts = [
            "Hi",
            "What is the capital of Peru?",
            "Explain how a compiler allocates registers and why linear scan is faster than graph colouring.",
            "Compare three database designs:\n1. one table\n2. sharded by customer\n3. event sourced\nWhich one \
             survives 10000 writes per second, and why? Prove it for this schema:\n```\ncreate table a (b int);\n```\n",
        ];
        let scores = texts.map(complexity);
        assert!(scores.is_sorted() && scores[0] < 0.01 && scores[3] > 0.4, "{scores:?}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_score_between_0_and_1(text in "\\PC{0,300}") {
            proptest::prop_assert!((0.0..=1.0).contains(&complexity(&text)));
        }
    }
}
