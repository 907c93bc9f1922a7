//! Policies that were not built, or are none.

use std::time::Duration;

use tta_primitives::{Result, Retry, Timeout, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

fn main() {
    let _ = step(count).retry(Retry::new().max_retries(5));
    let _ = step(count).retry(3);
    let _ = step(count).timeout(Timeout::after(Duration::from_secs(1)));
    let _ = step(count).timeout(Duration::from_secs(1));
}
