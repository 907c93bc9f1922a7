//! `tta config`: what the configuration is, whether a file is one, what could be said in it.

use std::io::IsTerminal;
use std::process::ExitCode;

use tta::host::{ConfigLoadError, ConfigSource};
use tta::telemetry::config::{Config, Preset};

use crate::args::{ConfigArguments, ConfigCommand, ConfigForm, ReferenceForm};
use crate::output::{self, Failure};
use crate::serve;
use crate::wrap::wrap;

/// Columns of a terminal.
const WIDTH: usize = 80;

pub(crate) fn run(arguments: ConfigArguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        ConfigCommand::Show { preset, config, format } => {
            let mut source = ConfigSource::of_process();
            if let Some(path) = config {
                source = source.file(path);
            }
            let shown = match preset {
                Some(preset) => preset.config(),
                None => match source.load() {
                    Ok(config) => config,
                    Err(error) => return refuse(&error),
                },
            };
            output::print(&write(&shown, format))?;
        }
        ConfigCommand::Check { file } => {
            let config = match ConfigSource::of_process().file(&file).load() {
                Ok(config) => config,
                Err(error) => return refuse(&error),
            };
            output::print(&format!("{}: ok\n", file.display()))?;
            // Files and variables may be there where it is to run, and not here.
            if let Some(why) = serve::refusal(&config) {
                output::note(&format!("warning: here `tta serve` would not start with it: {why}"));
            }
        }
        ConfigCommand::Schema => output::print(&json(&Config::schema()))?,
        ConfigCommand::Presets => output::print(&presets())?,
        ConfigCommand::Reference { format } => {
            // A table is for documents: its rows are wider than any terminal.
            let is_terminal = std::io::stdout().is_terminal();
            let usual = if is_terminal { ReferenceForm::List } else { ReferenceForm::Markdown };
            output::print(&match format.unwrap_or(usual) {
                ReferenceForm::List => reference(),
                ReferenceForm::Markdown => Config::reference(),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong in a configuration is its writer's business, exit code 1; a file that cannot be
/// read is ours to report.
pub(crate) fn refuse(error: &ConfigLoadError) -> Result<ExitCode, Failure> {
    match error {
        ConfigLoadError::Config(problems) => {
            output::error(&problems.to_string());
            Ok(ExitCode::from(1))
        }
        other => {
            let cause = std::error::Error::source(other).map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(Failure::new(format!("{other}{cause}")))
        }
    }
}

fn write(config: &Config, format: ConfigForm) -> String {
    match format {
        ConfigForm::Toml => config.to_toml(),
        ConfigForm::Json => json(&config.to_json()),
    }
}

fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// Every field, with what there is to say about it below it.
fn reference() -> String {
    let mut text = String::new();
    for field in Config::fields() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n", field.path));
        let mut say = |said: &str| text.push_str(&wrap(&format!("  {said}"), 2, WIDTH));
        say(field.doc);
        if let Some(accepted) = &field.accepted {
            say(&format!("Accepted: {accepted}."));
        }
        match &field.presets {
            Some([development, staging, production]) if development == staging && staging == production => {
                say(&format!("Default: {development}."));
            }
            Some([development, staging, production]) => {
                say(&format!("Default: development {development}, staging {staging}, production {production}."));
            }
            None => say("Default: none."),
        }
        say(if field.is_live { "Takes effect while it runs." } else { "Takes effect at start." });
    }
    text
}

/// The fields in which the presets differ, side by side.
fn presets() -> String {
    let columns = Preset::ALL.map(|preset| (preset.as_str(), flat(&preset.config())));
    let differing: Vec<&String> =
        columns[0].1.iter().map(|(path, _)| path).filter(|path| differs(&columns, path)).collect();
    let widest = differing.iter().map(|path| path.len()).max().unwrap_or(0);
    let mut text = format!("{:widest$}  {:>11}  {:>7}  {:>10}\n", "", columns[0].0, columns[1].0, columns[2].0);
    for path in differing {
        let [a, b, c] = columns.each_ref().map(|(_, fields)| value_of(fields, path));
        text.push_str(&format!("{path:widest$}  {a:>11}  {b:>7}  {c:>10}\n"));
    }
    text
}

type Flat = Vec<(String, String)>;

fn value_of<'f>(fields: &'f Flat, path: &str) -> &'f str {
    fields.iter().find(|(known, _)| known == path).map_or("", |(_, value)| value)
}

fn differs(columns: &[(&str, Flat)], path: &str) -> bool {
    let mut values = columns.iter().map(|(_, fields)| value_of(fields, path));
    let first = values.next();
    path != "environment" && values.any(|value| Some(value) != first)
}

fn flat(config: &Config) -> Flat {
    fn walk(path: &str, value: &serde_json::Value, found: &mut Flat) {
        match value {
            serde_json::Value::Object(table) => {
                for (key, value) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(&path, value, found);
                }
            }
            serde_json::Value::String(text) => found.push((path.to_owned(), text.clone())),
            other => found.push((path.to_owned(), other.to_string())),
        }
    }
    let mut found = Vec::new();
    walk("", &config.to_json(), &mut found);
    found
}
