//! Two ways that do not lead to the same type.

use tta_primitives::{Result, either, step, when};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

fn main() {
    let _ = step(when(|text: &String| text.is_empty(), count));
    let _ = step(either(|text: &String| text.is_empty(), count, shout));
}
