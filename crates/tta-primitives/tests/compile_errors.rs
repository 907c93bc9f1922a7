//! What the compiler says to those who compose steps that do not fit. A message here is one that a
//! person can act on; the texts hold for one compiler.
#![allow(clippy::unwrap_used)]

/// The compiler whose words are in `tests/ui/*.stderr`.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn steps_that_do_not_fit_are_refused_where_they_are_composed() {
    let output = std::process::Command::new("rustc").arg("--version").output().unwrap();
    let compiler = String::from_utf8_lossy(&output.stdout);
    if !compiler.starts_with(COMPILER) {
        println!("not compared: the messages are those of {COMPILER}x, this is {}", compiler.trim());
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
