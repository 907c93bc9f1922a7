//! A step after a fan that expects fewer results than there are branches.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn sum((a, b): (usize, usize)) -> Result<usize> {
    Ok(a + b)
}

fn main() {
    let _ = (step(count) | count | count) >> sum;
}
