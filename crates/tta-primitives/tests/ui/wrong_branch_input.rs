//! A branch that takes another input than its sibling.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn double(count: usize) -> Result<usize> {
    Ok(count * 2)
}

fn main() {
    let _ = step(count) | double;
}
