//! A step that holds something of its thread over an await.

use std::rc::Rc;

use tta_primitives::{Result, step};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn double(count: usize) -> Result<usize> {
    let shared = Rc::new(count);
    std::future::ready(()).await;
    Ok(*shared * 2)
}

fn main() {
    let _ = step(count) >> double;
}
