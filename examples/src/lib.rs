//! Examples of tta. Each program under `src/bin` ends by itself, checks itself and runs in
//! `cargo xtask test`; run one with `cargo run -p tta-examples --bin NAME`.
#![forbid(unsafe_code)]

pub mod propagation;
