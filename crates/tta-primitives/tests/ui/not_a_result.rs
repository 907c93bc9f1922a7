//! An async function that returns no `Result`.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn double(count: usize) -> usize {
    count * 2
}

fn main() {
    let _ = step(count) >> double;
}
