//! A fan over an input that cannot be cloned.

use tta_primitives::{Result, step};

struct Document(String);

async fn words(document: Document) -> Result<usize> {
    Ok(document.0.split(' ').count())
}

async fn letters(document: Document) -> Result<usize> {
    Ok(document.0.len())
}

fn main() {
    let _ = step(words) | letters;
}
