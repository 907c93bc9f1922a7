//! A closure behind an operator that calls a method on its argument without saying its type.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

fn main() {
    let _ = step(count) >> |count| async move { Ok::<_, String>(count.pow(2)) };
}
