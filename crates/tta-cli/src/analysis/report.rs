//! What all analyses of one document found, together.

use std::path::PathBuf;

use super::keywords::Keyword;
use super::language::Detection;
use super::readability::Readability;
use super::statistics::Statistics;
use super::summary::Summary;

/// The results for one document.
///
/// The parts are independent of each other, so that they can be computed in any order or at once;
/// this only holds them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) path: PathBuf,
    pub(crate) statistics: Statistics,
    /// Best first.
    pub(crate) keywords: Vec<Keyword>,
    pub(crate) readability: Readability,
    pub(crate) language: Detection,
    pub(crate) summary: Summary,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::analysis::document::validate;
    use crate::analysis::testing::random_texts;
    use crate::analysis::{keywords, language, readability, statistics, summary};

    fn report(text: &str) -> Report {
        let document = validate(Path::new("guide.md"), text.into(), 10_000_000).unwrap();
        Report {
            path: document.path.clone(),
            statistics: statistics(&document),
            keywords: keywords(&document, 3),
            readability: readability(&document),
            language: language(&document),
            summary: summary::long(&document, 2),
        }
    }

    #[test]
    fn a_report_holds_every_part() {
        let found = report(
            "# Retry\n\nA failed call is made again after a pause. A failed call is not made again if the budget is spent.\n",
        );
        assert_eq!(found.path, Path::new("guide.md"));
        assert_eq!((found.statistics.words, found.statistics.sentences), (22, 3));
        assert_eq!(found.language.language.code(), "en");
        assert_eq!(found.keywords.first().map(|k| (k.phrase.as_str(), k.count)), Some(("failed call", 2)));
        assert_eq!(found.readability.reason(), "scored");
        assert_eq!(found.summary.sentences.len(), 2);
    }

    #[test]
    fn a_report_is_the_same_on_every_run_and_can_cross_threads() {
        fn assert_task_value<T: Clone + Send + Sync + std::fmt::Debug + 'static>(_: &T) {}
        for text in random_texts(100).filter(|text| !text.trim().is_empty() && !text.contains('\0')) {
            let found = report(&text);
            assert_task_value(&found);
            assert_eq!(found, report(&text), "{text:?}");
        }
    }

    #[test]
    fn a_huge_single_line_is_analysed_like_any_text() {
        for unit in ["a", "a b ", "x=1;", "{\"k\":[1,2]},", "e.g. ", "! ", ".", " ", "数", "word-"] {
            let text = format!("s{}", unit.repeat(300_000 / unit.len()));
            let found = report(&text);
            assert_eq!(found.statistics.bytes, text.len(), "{unit:?}");
            assert!(found.keywords.len() <= 3, "{unit:?}");
        }
    }
}
