//! `docs/metrics.md`: what it tells operators to write works.

use crate::support::{Prometheus, eventually, promtool};

const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");

/// The text of every block of this kind.
fn blocks(kind: &str) -> Vec<String> {
    let (mut blocks, mut inside) = (Vec::new(), None);
    for line in DOCUMENT.lines() {
        match (line.strip_prefix("```"), inside.as_mut()) {
            (Some(given), None) => inside = Some((given, String::new())),
            (Some(_), Some(_)) => {
                blocks.extend(inside.take().filter(|(given, _)| *given == kind).map(|(_, text)| text))
            }
            (None, Some((_, text))) => *text = format!("{text}{line}\n"),
            (None, None) => {}
        }
    }
    assert!(!blocks.is_empty(), "there is no {kind}");
    blocks
}

/// Every query of this kind gives a series: each is a paragraph.
pub(crate) async fn queries_are_answered(prometheus: &Prometheus, kind: &str) {
    for query in blocks(kind).iter().flat_map(|block| block.split("\n\n")) {
        // A rate takes two scrapes.
        eventually(query, async || (!prometheus.query(query).await.is_empty()).then_some(())).await;
    }
}

#[test]
fn the_configuration_that_is_shown_is_accepted_by_promtool() {
    let directory = tempfile::TempDir::new().unwrap();
    for (check, kind) in [("config", "yaml"), ("rules", "yaml rules")] {
        for text in blocks(kind) {
            let path = directory.path().join("shown.yml");
            std::fs::write(&path, text).unwrap();
            let Some(said) = promtool(&["check", check, path.to_str().unwrap()], b"") else { return };
            let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
            assert!(said.status.success() && words.contains("SUCCESS"), "{words}");
        }
    }
}
