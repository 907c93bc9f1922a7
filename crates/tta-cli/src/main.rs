//! The `tta` command: arguments in, exit code out. What a command does is in its own module.
#![forbid(unsafe_code)]

mod analysis;
mod args;
mod config_command;
mod demo;
mod health_command;
mod interrupt;
mod output;
mod sampling_command;
mod send_args;
mod send_command;
mod serve;
mod trace_command;
mod wrap;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use output::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Demo(demo) => demo::run(demo),
        Command::Config(arguments) => config_command::run(arguments),
        Command::Sampling(arguments) => sampling_command::run(&arguments),
        Command::Health(arguments) => health_command::run(&arguments),
        Command::Send(arguments) => send_command::run(&arguments),
        Command::Serve(serve) => serve::run(serve),
        Command::Trace(trace) => trace_command::run(&trace),
    };
    match outcome {
        Ok(code) => code,
        // Whoever read our output has seen enough.
        Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(Failure::Message(message)) => {
            output::error(&message);
            ExitCode::from(2)
        }
    }
}
