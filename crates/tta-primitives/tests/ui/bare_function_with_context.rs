//! A function of two arguments without `with_context(..)` around it.

use tta_primitives::{Context, Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn note(count: usize, cx: Context) -> Result<usize> {
    cx.set("count", count);
    Ok(count)
}

fn main() {
    let _ = step(count) >> note;
}
