//! Testing a workflow: paused time, mock steps, and the trace compared as a whole.
#![forbid(unsafe_code)]

use std::time::Duration;

use tta::prelude::*;
use tta::testing::{Mock, TestEngine};

fn main() -> anyhow::Result<()> {
    let engine = TestEngine::new();
    let fetch = Mock::new("fetch").fails(1, "no route to host").delays(Duration::from_secs(2)).returns(20);
    let double = |price: u32| async move { Ok::<_, String>(price * 2) };
    let again = Retry::new().build()?;
    let price = workflow("price", step(fetch.clone()).retry(again)).then_named("double", double);

    // Two waits of two seconds and a backoff pass at once.
    let answer = engine.block_on(price.run("apple", &engine.context()))?;
    anyhow::ensure!(answer == 40 && fetch.calls() == ["apple", "apple"], "one failure, one retry");
    anyhow::ensure!(engine.clock().now_ns() >= 4_000_000_000, "the mock waited twice on the paused clock");

    let expected = "\
price
├─ fetch (mock)
│  ├─ attempt ✗ handled
│  │     app: no route to host
│  ╰─ attempt
╰─ double
";
    anyhow::ensure!(engine.tree() == expected, "the trace differs:\n{}", engine.tree());
    let waited = engine.clock().now_ns() as f64 / 1e9;
    let said = format!("{expected}\nThe answer is {answer}, after {waited:.1} s on the paused clock.\n");
    std::io::Write::write_all(&mut std::io::stdout(), said.as_bytes())?;
    Ok(())
}
