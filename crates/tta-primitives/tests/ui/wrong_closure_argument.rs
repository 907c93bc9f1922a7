//! A closure whose argument has another type than what comes.

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

fn main() {
    let _ = step(count) >> |text: String| async move { Ok::<_, String>(text.len()) };
}
