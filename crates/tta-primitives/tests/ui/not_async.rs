//! A function that is not async, without `sync(..)` around it.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

fn double(count: usize) -> Result<usize> {
    Ok(count * 2)
}

fn main() {
    let _ = step(count) >> double;
}
