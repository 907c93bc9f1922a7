//! A chain whose first operand is not wrapped.

use tta_primitives::Result;

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn double(count: usize) -> Result<usize> {
    Ok(count * 2)
}

fn main() {
    let _ = count >> double;
}
