//! A switch that does not say what becomes of other keys, and one that cannot pass them through.

use tta_primitives::{Result, step, switch};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn half(length: usize) -> Result<usize> {
    Ok(length / 2)
}

fn main() {
    let _ = step(count) >> switch(|length: &usize| length % 2).case(0_usize, half);
    let _ = step(switch(|text: &String| text.is_empty()).case(true, count).or_pass_through());
}
