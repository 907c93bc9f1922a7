//! The variables that OpenTelemetry has for exporters, as settings.
//!
//! Owns their names and forms (OpenTelemetry specification, "OTLP Exporter Configuration" and "Batch Span
//! Processor"). Does not read the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::client::Signal;
use super::problem::{ExportProblem, ExportProblems};
use super::settings::{Compression, Endpoint, ExportSettings, Headers, Protocol};

/// The variables, looked up with those of one signal first.
struct Variables<'v> {
    all: &'v BTreeMap<String, String>,
    signal: &'static str,
    /// Which parts are looked up for all signals as well.
    general: General,
    problems: Vec<ExportProblem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "config"), allow(dead_code))]
pub(super) enum General {
    All,
    /// Of a configuration that has read the others.
    Headers,
    /// Of another place than all signals go to.
    None,
}

impl ExportSettings {
    /// The settings that these variables ask for, by the names that OpenTelemetry gives them:
    /// `OTEL_EXPORTER_OTLP_` and `OTEL_EXPORTER_OTLP_TRACES_` (or `METRICS_`, by signal; it wins) with
    /// `ENDPOINT`, `PROTOCOL`, `HEADERS`, `COMPRESSION`, `TIMEOUT`, `CERTIFICATE`, `CLIENT_CERTIFICATE` and
    /// `CLIENT_KEY`; for traces also `OTEL_BSP_MAX_QUEUE_SIZE` and `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    ///
    /// An empty variable is one that is not set. The signal's own endpoint is used as it is.
    ///
    /// # Errors
    /// All problems, by variable, with what is accepted.
    pub fn from_variables(variables: &BTreeMap<String, String>, signal: Signal) -> Result<Self, ExportProblems> {
        let mut read = Variables { all: variables, signal: signal.variable(), general: General::All, problems: vec![] };
        let protocol = read.protocol().unwrap_or_default();
        let mut settings = Self::to(protocol);
        if let Some((name, url)) = read.find("ENDPOINT") {
            let is_exact = name.contains(read.signal);
            settings.endpoint = if is_exact { Endpoint::Exact(url) } else { Endpoint::Base(url) };
        }
        settings.read(&mut read);
        if signal == Signal::Traces {
            settings.max_queue_size = read.count("OTEL_BSP_MAX_QUEUE_SIZE").unwrap_or(settings.max_queue_size);
            settings.batch_size = read
                .count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
                .unwrap_or(settings.batch_size.min(settings.max_queue_size));
        }
        let mut problems = read.problems;
        if let Err(found) = settings.check() {
            problems.extend(found.0);
        }
        if problems.is_empty() { Ok(settings) } else { Err(ExportProblems(problems)) }
    }

    /// Sets what the variables of one signal say; the endpoint apart.
    #[cfg(feature = "config")]
    pub(super) fn read_own(
        &mut self,
        variables: &BTreeMap<String, String>,
        signal: Signal,
        general: General,
    ) -> Vec<ExportProblem> {
        let mut read = Variables { all: variables, signal: signal.variable(), general, problems: vec![] };
        self.protocol = read.protocol().unwrap_or(self.protocol);
        self.read(&mut read);
        read.problems
    }

    /// Everything that does not depend on the protocol.
    fn read(&mut self, read: &mut Variables<'_>) {
        if let Some(compression) = read.parsed("COMPRESSION", "gzip, zstd or none", Compression::of) {
            self.compression = compression;
        }
        let milliseconds = |text: &str| text.parse().ok().map(Duration::from_millis);
        if let Some(timeout) = read.parsed("TIMEOUT", "a whole number of milliseconds", milliseconds) {
            self.timeout = timeout;
        }
        for (name, value) in read.headers().0 {
            self.headers.0.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            self.headers.0.push((name, value));
        }
        let path = |part| read.find(part).map(|(_, path)| PathBuf::from(path));
        let tls = &mut self.tls;
        tls.authorities = path("CERTIFICATE").or(tls.authorities.take());
        tls.certificate = path("CLIENT_CERTIFICATE").or(tls.certificate.take());
        tls.key = path("CLIENT_KEY").or(tls.key.take());
    }
}

impl Variables<'_> {
    /// The name of the variable that counts, and its value.
    fn find(&self, part: &str) -> Option<(String, String)> {
        let is_general = self.general == General::All || (self.general == General::Headers && part == "HEADERS");
        let general = is_general.then(|| format!("OTEL_EXPORTER_OTLP_{part}"));
        let names = [format!("OTEL_EXPORTER_OTLP_{}_{part}", self.signal)].into_iter().chain(general);
        names.into_iter().find_map(|name| self.value(&name).map(|value| (name, value)))
    }

    fn protocol(&mut self) -> Option<Protocol> {
        self.parsed("PROTOCOL", "grpc, http/protobuf or http/json", Protocol::of)
    }

    fn value(&self, name: &str) -> Option<String> {
        self.all.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn parsed<T>(&mut self, part: &str, accepted: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let (name, value) = self.find(part)?;
        let parsed = read(&value);
        if parsed.is_none() {
            self.problems.push(ExportProblem::new(name, format!("`{value}`"), accepted));
        }
        parsed
    }

    fn count(&mut self, name: &str) -> Option<usize> {
        let value = self.value(name)?;
        let count = value.parse().ok();
        if count.is_none() {
            self.problems.push(ExportProblem::new(name, format!("`{value}`"), "a whole number"));
        }
        count
    }

    /// `name=value` pairs between commas, values with percent codes, as W3C baggage has them.
    fn headers(&mut self) -> Headers {
        let Some((name, list)) = self.find("HEADERS") else { return Headers::default() };
        let mut headers = Vec::new();
        for (index, pair) in list.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty()) {
            let pair = pair.split_once('=').map(|(key, value)| (key.trim(), percent_decoded(value.trim())));
            match pair {
                Some((key, Some(value))) if !key.is_empty() => headers.push((key.to_owned(), value)),
                _ => {
                    // Not shown: it may be a secret.
                    let given = format!("wrong in its pair {}", index + 1);
                    let accepted = "name=value,name=value with percent codes in UTF-8";
                    self.problems.push(ExportProblem::new(name.clone(), given, accepted));
                }
            }
        }
        Headers(headers)
    }
}

/// Text with its percent codes replaced; what is no code stays.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            bytes.push((high * 16 + low) as u8);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], signal: Signal) -> Result<ExportSettings, String> {
        let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ExportSettings::from_variables(&variables, signal).map_err(|problems| problems.to_string())
    }

    #[test]
    fn nothing_set_is_the_defaults() {
        assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], Signal::Traces), Ok(ExportSettings::default()));
    }

    #[test]
    fn a_signals_own_variable_wins_and_its_endpoint_is_exact() {
        let pairs = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc, tenant=a%3Db"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ];
        let traces = read(&pairs, Signal::Traces).unwrap();
        assert_eq!(traces.endpoint, Endpoint::Exact("https://traces.example/in".to_owned()));
        assert_eq!((traces.timeout, traces.compression), (Duration::from_millis(2_500), Compression::None));
        assert_eq!((traces.max_queue_size, traces.batch_size), (100, 100));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(traces.headers.0, [pair("authorization", "Bearer abc"), pair("tenant", "a=b")]);
        let metrics = read(&pairs, Signal::Metrics).unwrap();
        assert_eq!(metrics.endpoint, Endpoint::Base("http://collector:4318".to_owned()));
        assert_eq!((metrics.compression, metrics.max_queue_size), (Compression::Gzip, 2_048));
    }

    #[test]
    fn all_problems_are_told_and_no_secret() {
        let error = read(
            &[
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "udp"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
                ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem"),
            ],
            Signal::Traces,
        )
        .unwrap_err();
        assert_eq!(
            error,
            "`OTEL_EXPORTER_OTLP_PROTOCOL` is `udp`, accepted is grpc, http/protobuf or http/json; \
             `OTEL_EXPORTER_OTLP_TIMEOUT` is `soon`, accepted is a whole number of milliseconds; \
             `OTEL_EXPORTER_OTLP_HEADERS` is wrong in its pair 1, accepted is name=value,name=value with percent \
             codes in UTF-8; `endpoint` is `collector:4317`, accepted is an http:// or https:// URL with a host, as \
             http://localhost:4318; `tls` is a key only, accepted is both certificate and key, or neither"
        );
    }

    #[test]
    fn values_of_headers_are_not_shown() {
        let headers = Headers(vec![("authorization".to_owned(), "Bearer abc".to_owned())]);
        let settings = ExportSettings { headers, ..ExportSettings::default() };
        let shown = format!("{settings:?}");
        assert!(shown.contains("authorization") && !shown.contains("abc"), "{shown}");
    }
}
