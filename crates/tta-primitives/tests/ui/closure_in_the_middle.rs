//! A bare closure that swallows the rest of the chain.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn double(count: usize) -> Result<usize> {
    Ok(count * 2)
}

fn main() {
    let _ = step(count) >> |count: usize| async move { Ok::<_, String>(count + 1) } >> step(double);
}
