//! How a field's value is written, and what is accepted of it.

use std::net::SocketAddr;

use serde_json::Value;

use super::export::{MetricsPushFormat, OtlpCompression, OtlpProtocol};
use super::presets::Preset;
use super::types::{LogFormat, LogLevel, Secret};
use crate::cost::BudgetPolicy;
use crate::redaction::RedactionMode;
use crate::sampling::SamplingHash;

/// What a sampling rule may do.
pub(super) const ACTION: &str = "keep, drop or a rate from 0 to 1";

/// Bytes of a URL.
const MOST_URL: usize = 2_048;

/// What a field accepts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Accepts {
    Bool,
    Integer(u64, u64),
    /// Both ends included.
    Number(f64, f64),
    /// The lower end not included.
    Above(f64, f64),
    Words(&'static [&'static str]),
    Text(usize),
    /// A URL with a host, or `off`.
    Url,
    /// An IP address with a port, or `off` where that is accepted.
    Address {
        or_off: bool,
    },
    /// What a sampling rule does: a text, which is read with the rest of the rule, or a rate.
    Action,
    /// Never shown. Bytes from, to.
    Secret(usize, usize),
}

impl Accepts {
    /// In words.
    pub(super) fn describe(self) -> String {
        match self {
            Accepts::Bool => "true or false".to_owned(),
            Accepts::Integer(least, u64::MAX) => format!("a whole number of at least {least}"),
            Accepts::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Accepts::Number(least, f64::MAX) => format!("a number of at least {least}"),
            Accepts::Number(least, most) => format!("a number from {least} to {most}"),
            Accepts::Above(least, f64::MAX) => format!("a number above {least}"),
            Accepts::Above(least, most) => format!("a number above {least} and at most {most}"),
            Accepts::Words(words) => words.join(" or "),
            Accepts::Text(most) => format!("a text of 1 to {most} bytes"),
            Accepts::Url => {
                "an http:// or https:// URL, without user and password (they go in a header), or off".to_owned()
            }
            Accepts::Address { or_off } => {
                let address = "an address with a port, as 127.0.0.1:8000";
                if or_off { format!("{address}, or off") } else { address.to_owned() }
            }
            Accepts::Action => ACTION.to_owned(),
            Accepts::Secret(least, most) => format!("a secret text of {least} to {most} bytes"),
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Accepts::Number(..) | Accepts::Above(..))
    }

    pub(super) fn accepts(self, value: &Value) -> bool {
        match self {
            Accepts::Bool => value.is_boolean(),
            Accepts::Integer(least, most) => value.as_u64().is_some_and(|value| (least..=most).contains(&value)),
            Accepts::Number(least, most) => value.as_f64().is_some_and(|value| (least..=most).contains(&value)),
            Accepts::Above(least, most) => value.as_f64().is_some_and(|value| value > least && value <= most),
            Accepts::Words(words) => value.as_str().is_some_and(|value| words.contains(&value)),
            Accepts::Text(most) => value.as_str().is_some_and(|value| (1..=most).contains(&value.len())),
            Accepts::Url => value.as_str().is_some_and(is_url),
            Accepts::Address { or_off } => {
                let is_address = |text: &str| text.parse::<SocketAddr>().is_ok() || (or_off && text == "off");
                value.as_str().is_some_and(is_address)
            }
            Accepts::Action => Accepts::Text(64).accepts(value) || Accepts::Number(0.0, 1.0).accepts(value),
            Accepts::Secret(least, most) => {
                value.is_null() || value.as_str().is_some_and(|value| (least..=most).contains(&value.len()))
            }
        }
    }

    pub(super) fn is_secret(self) -> bool {
        matches!(self, Accepts::Secret(..))
    }

    /// A value in words, for those who may not see secrets.
    pub(super) fn show(self, value: &Value) -> String {
        match value {
            Value::String(text) if self.is_secret() => format!("a text of {} bytes", text.len()),
            _ if self.is_secret() => "no text".to_owned(),
            // What stands before an `@` is a password.
            Value::String(text) if matches!(self, Accepts::Url) && text.contains('@') => "a URL with an `@`".to_owned(),
            other => other.to_string(),
        }
    }

    /// As an environment variable has it: text, which is a value of the field's kind if it reads
    /// as one.
    pub(super) fn read(self, text: &str) -> Value {
        let as_text = || Value::String(text.to_owned());
        match self {
            Accepts::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Value::Bool(true),
                "false" | "0" => Value::Bool(false),
                _ => as_text(),
            },
            Accepts::Integer(..) => text.parse::<u64>().map_or_else(|_| as_text(), Value::from),
            Accepts::Number(..) | Accepts::Above(..) => text.parse::<f64>().ok().map_or_else(as_text, Value::from),
            Accepts::Words(_)
            | Accepts::Text(_)
            | Accepts::Url
            | Accepts::Address { .. }
            | Accepts::Action
            | Accepts::Secret(..) => as_text(),
        }
    }
}

/// Whether this is `off`, or a URL of HTTP as requests are sent to.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_visible = text.len() <= MOST_URL && text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    text == "off" || (is_visible && !text.contains('@') && !host.is_empty() && !host.starts_with(':'))
}

/// A type that fields have. Reading is asked for only when the value is accepted.
pub(super) trait FieldValue: Sized {
    fn read(value: &Value) -> Option<Self>;
    fn write(&self) -> Value;
}

impl FieldValue for bool {
    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }

    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl FieldValue for u64 {
    fn read(value: &Value) -> Option<Self> {
        value.as_u64()
    }

    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl FieldValue for f64 {
    fn read(value: &Value) -> Option<Self> {
        value.as_f64()
    }

    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl FieldValue for String {
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
}

/// Nothing, where there is none. Whoever shows it asks [`Accepts::is_secret`] first.
impl FieldValue for Option<Secret> {
    fn read(value: &Value) -> Option<Self> {
        Some(value.as_str().map(Secret::new))
    }

    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, |secret| Value::from(secret.reveal()))
    }
}

macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),+ $(,)? })+) => {$(
        impl FieldValue for $type {
            fn read(value: &Value) -> Option<Self> {
                match value.as_str()? {
                    $($word => Some($type::$variant),)+
                    _ => None,
                }
            }

            fn write(&self) -> Value {
                Value::from(match self { $($type::$variant => $word),+ })
            }
        }
    )+};
}

words! {
    Preset { Development = "development", Staging = "staging", Production = "production" }
    SamplingHash { Otel = "otel", Md5 = "md5" }
    LogLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
    RedactionMode { Mask = "mask", Hash = "hash", Drop = "drop" }
    BudgetPolicy { Warn = "warn", Degrade = "degrade", Reject = "reject" }
    OtlpProtocol { Grpc = "grpc", HttpProtobuf = "http/protobuf", HttpJson = "http/json" }
    OtlpCompression { None = "none", Gzip = "gzip", Zstd = "zstd" }
    MetricsPushFormat { Off = "off", Otlp = "otlp", RemoteWrite = "remote_write" }
    LogFormat { Text = "text", Json = "json" }
}
