//! A retry of steps whose input cannot be cloned.

use tta_primitives::{PolicyError, Result, Retry, step};

struct Document(String);

async fn words(document: Document) -> Result<usize> {
    Ok(document.0.split(' ').count())
}

fn main() -> Result<(), PolicyError> {
    let _ = step(words).retry(Retry::new().build()?);
    Ok(())
}
