//! The JSON Schema of the configuration, and its reference in words.

use serde_json::{Map, Value, json};

use super::fields::FIELDS;
use super::presets::Preset;
use super::sections::SECTIONS;
use super::types::Config;
use super::value::Accepts;

/// What a field accepts, as a schema.
pub(super) fn of(accepts: Accepts) -> Value {
    match accepts {
        Accepts::Bool => json!({ "type": "boolean" }),
        Accepts::Integer(least, u64::MAX) => json!({ "type": "integer", "minimum": least }),
        Accepts::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Accepts::Number(least, f64::MAX) => json!({ "type": "number", "minimum": least }),
        Accepts::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Accepts::Above(least, f64::MAX) => json!({ "type": "number", "exclusiveMinimum": least }),
        Accepts::Above(least, most) => json!({ "type": "number", "exclusiveMinimum": least, "maximum": most }),
        Accepts::Words(words) => json!({ "type": "string", "enum": words }),
        Accepts::Action => json!({ "anyOf": [
            { "type": "string", "enum": ["keep", "drop"] },
            { "type": "string", "pattern": r"^[0-9.eE+-]{1,64}$" },
            { "type": "number", "minimum": 0, "maximum": 1 }
        ] }),
        Accepts::Secret(least, most) => {
            json!({ "type": "string", "minLength": least, "maxLength": most, "writeOnly": true })
        }
        Accepts::Url => json!({ "type": "string", "pattern": "^(off|https?://[^@ ]+)$", "maxLength": 2_048 }),
        Accepts::Address { or_off } => {
            let address = r"^\S+:[0-9]{1,5}$";
            let pattern = if or_off { format!("^off$|{address}") } else { address.to_owned() };
            json!({ "type": "string", "pattern": pattern, "maxLength": 200 })
        }
        Accepts::Text(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
    }
}

impl Config {
    /// The JSON Schema (2020-12) of the configuration, as TOML or JSON files have it. What fits
    /// together only in part, as a least rate above the most, is beyond it.
    #[must_use]
    pub fn schema() -> Value {
        let presets = Preset::ALL.map(Preset::config);
        let mut root = table();
        for field in FIELDS {
            let mut schema = of(field.accepts);
            if let Value::Object(schema) = &mut schema {
                schema.insert("description".to_owned(), field.doc.into());
                if !field.accepts.is_secret() {
                    schema.insert("default".to_owned(), (field.write)(&presets[0]));
                }
            }
            put(&mut root, field.path, schema);
        }
        for section in SECTIONS {
            let mut schema = (section.schema)();
            if let Value::Object(schema) = &mut schema {
                schema.insert("description".to_owned(), section.doc.into());
            }
            put(&mut root, section.path, schema);
        }
        root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        root.insert("title".to_owned(), "Configuration of tta".into());
        Value::Object(root)
    }

    /// Every field and section, as the reference has it.
    #[must_use]
    pub fn fields() -> Vec<ConfigField> {
        let presets = Preset::ALL.map(Preset::config);
        let fields = FIELDS.iter().map(|field| {
            let value = |preset: &Config| (field.write)(preset).to_string();
            ConfigField {
                path: field.path,
                accepted: Some(field.accepts.describe()),
                presets: (!field.accepts.is_secret()).then(|| presets.each_ref().map(value)),
                is_live: field.is_live,
                doc: field.doc,
            }
        });
        let sections = SECTIONS.iter().map(|section| ConfigField {
            path: section.path,
            accepted: None,
            presets: None,
            is_live: section.is_live,
            doc: section.doc,
        });
        fields.chain(sections).collect()
    }

    /// The reference as a Markdown table: a row for each field and section.
    #[must_use]
    pub fn reference() -> String {
        let mut text = String::from(
            "| field | accepted | development | staging | production | while it runs | |\n|---|---|---|---|---|---|---|\n",
        );
        for ConfigField { path, accepted, presets, is_live, doc } in Self::fields() {
            let live = if is_live { "yes" } else { "at start" };
            let row = match (accepted, presets.unwrap_or_default()) {
                (Some(accepted), [development, staging, production]) => {
                    format!("{accepted} | {development} | {staging} | {production}")
                }
                (None, _) => "see right | | |".to_owned(),
            };
            text.push_str(&format!("| `{path}` | {row} | {live} | {doc} |\n"));
        }
        text
    }
}

/// A field, or a part whose entries have names of the user's own, as the reference has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigField {
    /// As `tracing.sampling.default_rate`.
    pub path: &'static str,
    /// Its type and range, in words; of a section `doc` says it.
    pub accepted: Option<String>,
    /// What the presets set, as JSON: development, staging, production. Nothing for secrets, and for
    /// sections, which are empty.
    pub presets: Option<[String; 3]>,
    /// Whether a change takes effect in a running engine.
    pub is_live: bool,
    /// What it means.
    pub doc: &'static str,
}

fn table() -> Map<String, Value> {
    let fields =
        [("type", "object".into()), ("properties", Value::Object(Map::new())), ("additionalProperties", false.into())];
    fields.into_iter().map(|(key, value): (&str, Value)| (key.to_owned(), value)).collect()
}

/// Puts a field's schema among the properties of its table.
fn put(table_of: &mut Map<String, Value>, path: &str, schema: Value) {
    let Some(Value::Object(properties)) = table_of.get_mut("properties") else { return };
    match path.split_once('.') {
        None => {
            properties.insert(path.to_owned(), schema);
        }
        Some((first, rest)) => {
            let inner = properties.entry(first).or_insert_with(|| Value::Object(table()));
            if let Value::Object(inner) = inner {
                put(inner, rest, schema);
            }
        }
    }
}
