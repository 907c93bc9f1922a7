//! A type of the user's, and a workflow, that take another input than what comes.

use tta_primitives::{Context, Primitive, Result, step, workflow};

async fn count(text: String) -> Result<usize> {
    Ok(text.len())
}

struct Shout;

impl Primitive<String> for Shout {
    type Out = String;

    async fn run(&self, text: String, _cx: &Context) -> Result<String> {
        Ok(text.to_uppercase())
    }
}

fn main() {
    let _ = step(count) >> Shout;
    let _ = step(count) >> workflow("shouts", Shout);
}
