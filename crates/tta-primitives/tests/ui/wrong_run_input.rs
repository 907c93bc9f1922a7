//! A run with an input of another type.

use tta_primitives::{Context, Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

fn main() {
    let _ = step(count).run(5, &Context::new());
}
