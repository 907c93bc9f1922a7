//! Something on the right of `>>` that is no step at all.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

struct Summary {
    _words: usize,
}

fn main() {
    let _ = step(count) >> Summary { _words: 1 };
}
