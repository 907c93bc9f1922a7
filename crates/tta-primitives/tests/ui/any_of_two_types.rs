//! A fan whose branches return different types, joined by their first success.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

fn main() {
    let _ = (step(count) | count | shout).any();
}
