//! What is sent on, where to and how: spans and metrics, by OTLP and Prometheus remote write.
//!
//! Data only: files are read, and URLs resolved, by those who export.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::sections::Report;
use super::types::Config;
use super::value::FieldValue;

/// Headers of one kind of request.
const MOST_HEADERS: usize = 64;
const HEADERS: &str =
    "a table of at most 64 headers, each `env:NAME`, `file:PATH`, or `text:VALUE` for what is no secret";

/// Headers that go with requests, by name: where each value is. The configuration holds no secret itself.
pub type HeaderSources = BTreeMap<String, String>;

/// Where kept traces are sent, and how requests are made; pushed metrics share most of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OtlpConfig {
    /// The collector's URL, to which each signal's path is added; `off` for nowhere.
    pub endpoint: String,
    /// A URL for spans alone, used as it is; `off` for that of the collector.
    pub traces_endpoint: String,
    /// How requests are written.
    pub protocol: OtlpProtocol,
    /// How they are compressed.
    pub compression: OtlpCompression,
    /// For one attempt.
    pub timeout_seconds: f64,
    /// How long a request is tried again.
    pub retry_seconds: f64,
    /// Bytes of encoded spans that may wait.
    pub max_queue_bytes: u64,
    /// Authorities that are trusted, in PEM; `off` for those of the system.
    pub certificate_file: String,
    /// Our certificate for collectors that ask for one, in PEM; `off` for none.
    pub client_certificate_file: String,
    /// Its key, in PEM; `off` for none.
    pub client_key_file: String,
    /// Headers of each request.
    pub headers: HeaderSources,
}

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over gRPC.
    Grpc,
    /// Protobuf over HTTP.
    HttpProtobuf,
    /// JSON over HTTP; spans only.
    HttpJson,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpCompression {
    /// Not.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Whether metrics are pushed, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsPushFormat {
    /// They are not.
    Off,
    /// OTLP.
    Otlp,
    /// Prometheus remote write 1.0.
    RemoteWrite,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        let off = || "off".to_owned();
        Self {
            endpoint: off(),
            traces_endpoint: off(),
            protocol: OtlpProtocol::HttpProtobuf,
            compression: OtlpCompression::None,
            timeout_seconds: 10.0,
            retry_seconds: 60.0,
            max_queue_bytes: 64 << 20,
            certificate_file: off(),
            client_certificate_file: off(),
            client_key_file: off(),
            headers: HeaderSources::new(),
        }
    }
}

impl Config {
    /// Where spans are sent: a URL, and whether it is used as it is. `None`: nowhere.
    #[must_use]
    pub fn traces_target(&self) -> Option<(&str, bool)> {
        target([(&self.otlp.traces_endpoint, true), (&self.otlp.endpoint, false)])
    }

    /// Where metrics are pushed: a URL, and whether it is used as it is. `None`: nowhere.
    #[must_use]
    pub fn metrics_target(&self) -> Option<(&str, bool)> {
        let own = (&self.metrics.push_endpoint, true);
        match self.metrics.push {
            MetricsPushFormat::Off => None,
            MetricsPushFormat::Otlp => target([own, (&self.otlp.endpoint, false)]),
            // A collector's address says nothing of where Prometheus is.
            MetricsPushFormat::RemoteWrite => target([own]),
        }
    }
}

/// The first that is a place.
fn target<const N: usize>(places: [(&String, bool); N]) -> Option<(&str, bool)> {
    places.into_iter().map(|(url, is_exact)| (url.as_str(), is_exact)).find(|(url, _)| *url != "off")
}

/// Entry by entry; `null` makes one as the base has it, or removes it.
pub(super) fn read_headers(
    path: &str,
    value: &Value,
    (into, base): (&mut HeaderSources, &HeaderSources),
    report: &mut Report<'_>,
) {
    let Some(entries) = value.as_object().filter(|entries| entries.len() <= MOST_HEADERS) else {
        // Somebody may have put a secret here: it is not repeated.
        return report.wrong_unseen(path, HEADERS);
    };
    for (name, value) in entries {
        let path = format!("{path}.{name}");
        if !is_header_name(name) {
            report.wrong_unseen(&path, "a name of HTTP: letters, digits and !#$%&'*+-.^_`|~");
        } else if value.is_null() {
            into.remove(name);
            into.extend(base.get(name).map(|source| (name.clone(), source.clone())));
        } else if let Some(source) = value.as_str().filter(|source| is_source(source)) {
            into.insert(name.clone(), source.to_owned());
        } else {
            report.wrong_unseen(&path, "`env:NAME`, `file:PATH`, or `text:VALUE` for what is no secret");
        }
    }
}

fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=256).contains(&name.len()) && name.bytes().all(is_token)
}

fn is_source(source: &str) -> bool {
    let named = |prefix| source.strip_prefix(prefix).is_some_and(|rest: &str| !rest.is_empty());
    let is_visible = |byte: u8| (b' '..=b'~').contains(&byte);
    source.len() <= 8_192
        && (named("env:")
            || named("file:")
            || source.strip_prefix("text:").is_some_and(|text| text.bytes().all(is_visible)))
}

pub(super) fn write_headers(headers: &HeaderSources) -> Value {
    Value::Object(headers.iter().map(|(name, source)| (name.clone(), source.write())).collect::<Map<_, _>>())
}

/// What it accepts, as a JSON Schema.
pub(super) fn headers_schema() -> Value {
    let source = json!({ "type": "string", "pattern": "^(env:.|file:.|text:)", "maxLength": 8_192 });
    let name = json!({ "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$" });
    json!({ "type": "object", "maxProperties": MOST_HEADERS, "propertyNames": name, "additionalProperties": source })
}
