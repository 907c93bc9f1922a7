//! A step whose error is no error.

use tta_primitives::{Result, step};

struct Sorry;

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn double(count: usize) -> Result<usize, Sorry> {
    count.checked_mul(2).ok_or(Sorry)
}

fn main() {
    let _ = step(count) >> double;
}
