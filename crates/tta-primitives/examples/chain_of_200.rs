//! A chain of two hundred steps, no two of the same type, in one expression: it compiles in
//! seconds, and runs.
//!
//! `cargo run -p tta-primitives --example chain_of_200`
#![allow(clippy::print_stdout)]

use tta_primitives::testing::TestEngine;
use tta_primitives::{Result, step};

/// The steps alternate between two types, so that every `>>` is checked against what comes.
async fn to_text<const N: u64>(number: u64) -> Result<String, std::fmt::Error> {
    Ok(number.to_string())
}

async fn to_number_plus<const N: u64>(text: String) -> Result<u64, std::num::ParseIntError> {
    Ok(text.parse::<u64>()? + N)
}

/// Ten steps that add five numbers, from `$from` on.
macro_rules! ten {
    ($from:expr) => {
        step(to_text::<{ $from }>)
            >> to_number_plus::<{ $from }>
            >> to_text::<{ $from + 1 }>
            >> to_number_plus::<{ $from + 1 }>
            >> to_text::<{ $from + 2 }>
            >> to_number_plus::<{ $from + 2 }>
            >> to_text::<{ $from + 3 }>
            >> to_number_plus::<{ $from + 3 }>
            >> to_text::<{ $from + 4 }>
            >> to_number_plus::<{ $from + 4 }>
    };
}

/// Fifty steps, from `$from` on. They become the outer chain's own.
macro_rules! fifty {
    ($from:expr) => {
        ten!($from) >> ten!($from + 5) >> ten!($from + 10) >> ten!($from + 15) >> ten!($from + 20)
    };
}

fn main() -> Result<()> {
    let chain = (fifty!(1) >> fifty!(26) >> fifty!(51) >> fifty!(76)).named("two hundred");
    assert_eq!(chain.len(), 200);
    let engine = TestEngine::new();
    let sum = engine.block_on(chain.run(0, &engine.context()))?;
    assert_eq!(sum, (1..=100).sum::<u64>());
    if cfg!(feature = "record") {
        let spans: Vec<_> = engine.traces().iter().map(|trace| trace.spans.len()).collect();
        assert_eq!(spans, [201], "one for each step and one for the run");
    }
    println!("{} steps, the sum is {sum}", chain.len());
    Ok(())
}
