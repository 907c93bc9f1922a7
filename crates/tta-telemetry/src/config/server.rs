//! What `tta serve` is told: where it listens, who may ask, what it holds.
//!
//! Data only: addresses are read, and tokens fetched, by those who serve.

use serde_json::{Value, json};

use super::sections::Report;
use super::types::Config;

/// Tokens of one scope.
const MOST_TOKENS: usize = 32;
const TOKENS: &str = "a list of at most 32 texts, `file:PATH` or `env:NAME` each";

/// Serving over HTTP and gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where health, queries and configuration are served.
    pub address: String,
    /// Where metrics are served; `off` for nowhere.
    pub metrics_address: String,
    /// Where OTLP is taken over gRPC; `off` for nowhere.
    pub otlp_grpc_address: String,
    /// Where OTLP is taken over HTTP; `off` for nowhere.
    pub otlp_http_address: String,
    /// Whether others than programs of this machine may ask without a token.
    pub insecure: bool,
    /// The file of the certificate chain, in PEM; `off` for no TLS.
    pub tls_certificate_file: String,
    /// The file of its key, in PEM; `off` for no TLS.
    pub tls_key_file: String,
    /// Memory of kept traces that can be searched, in bytes.
    pub trace_memory_bytes: u64,
    /// Memory of received traces that are not decided about, in bytes.
    pub received_bytes: u64,
    /// Where the tokens are that one has to show.
    pub tokens: TokensConfig,
}

/// Where tokens are: `file:PATH` or `env:NAME`. The configuration never holds a token itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokensConfig {
    /// For reading.
    pub read: Vec<String>,
    /// For sending spans.
    pub write: Vec<String>,
    /// For everything.
    pub admin: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:8000".to_owned(),
            metrics_address: "127.0.0.1:9464".to_owned(),
            otlp_grpc_address: "127.0.0.1:4317".to_owned(),
            otlp_http_address: "127.0.0.1:4318".to_owned(),
            insecure: false,
            tls_certificate_file: "off".to_owned(),
            tls_key_file: "off".to_owned(),
            trace_memory_bytes: 64 << 20,
            received_bytes: 64 << 20,
            tokens: TokensConfig::default(),
        }
    }
}

/// A list is replaced as a whole; a scope that is not named stays as it is.
pub(super) fn read_tokens(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    const PATH: &str = "server.tokens";
    let Some(scopes) = value.as_object() else { return report.wrong(PATH, value, "a table of read, write and admin") };
    let before = report.problems.len();
    let mut tokens = config.server.tokens.clone();
    for (scope, list) in scopes {
        let into = match scope.as_str() {
            "read" => &mut tokens.read,
            "write" => &mut tokens.write,
            "admin" => &mut tokens.admin,
            _ => {
                report.wrong(&format!("{PATH}.{scope}"), &json!("a list"), "read, write and admin");
                continue;
            }
        };
        let is_place = |text: &str| {
            let place = text.strip_prefix("file:").or_else(|| text.strip_prefix("env:"));
            place.is_some_and(|place| !place.is_empty() && text.len() <= 4_096)
        };
        let texts: Option<Vec<String>> = list.as_array().filter(|list| list.len() <= MOST_TOKENS).and_then(|list| {
            list.iter().map(|text| text.as_str().filter(|text| is_place(text)).map(str::to_owned)).collect()
        });
        match texts {
            Some(texts) => *into = texts,
            // Somebody may have put a token here: it is not repeated.
            None => report.wrong_unseen(&format!("{PATH}.{scope}"), TOKENS),
        }
    }
    if report.problems.len() == before {
        config.server.tokens = tokens;
    }
}

pub(super) fn write_tokens(config: &Config) -> Value {
    let TokensConfig { read, write, admin } = &config.server.tokens;
    json!({ "read": read, "write": write, "admin": admin })
}

/// What it accepts, as a JSON Schema.
pub(super) fn tokens_schema() -> Value {
    let place = json!({ "type": "string", "pattern": "^(file|env):.", "maxLength": 4_096 });
    let list = json!({ "type": "array", "maxItems": MOST_TOKENS, "items": place });
    let scopes = json!({ "read": list, "write": list, "admin": list });
    json!({ "type": "object", "properties": scopes, "additionalProperties": false })
}
