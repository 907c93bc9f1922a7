//! Where to send, how, how much at a time, and when to give up.
//!
//! Owns the settings, their defaults and their bounds. Does not own the names that the environment has for
//! them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::problem::{ExportProblem, ExportProblems};

/// How requests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Protobuf over gRPC; with the feature `export-grpc`.
    Grpc,
    /// Protobuf over HTTP.
    #[default]
    HttpProtobuf,
    /// JSON over HTTP; for traces.
    HttpJson,
}

impl Protocol {
    /// OpenTelemetry's name: `grpc`, `http/protobuf` or `http/json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::HttpProtobuf => "http/protobuf",
            Protocol::HttpJson => "http/json",
        }
    }

    /// The protocol of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson].into_iter().find(|known| known.as_str() == name)
    }

    /// Where a collector on this machine listens: `http://localhost:4317` for gRPC, else port 4318.
    #[must_use]
    pub const fn default_endpoint(self) -> &'static str {
        match self {
            Protocol::Grpc => "http://localhost:4317",
            Protocol::HttpProtobuf | Protocol::HttpJson => "http://localhost:4318",
        }
    }
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard; with the feature `zstd`.
    Zstd,
}

impl Compression {
    /// The stable name, which is also its `Content-Encoding`: `none`, `gzip` or `zstd`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// The compression of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Compression::None, Compression::Gzip, Compression::Zstd].into_iter().find(|known| known.as_str() == name)
    }
}

/// Where to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A URL to which each signal's path is added (`v1/traces`, `v1/metrics`).
    Base(String),
    /// A URL that is used as it is. gRPC has its own paths, and uses neither's.
    Exact(String),
}

impl Endpoint {
    /// The URL as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Endpoint::Base(url) | Endpoint::Exact(url) => url,
        }
    }
}

/// Headers that go with each request: names, and values that are secret and shown nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (name, "***"))).finish()
    }
}

/// When to try again, and when to give up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait before the second attempt, which doubles with each further one; a random part of it, half
    /// to whole, is waited. Default 1 s.
    pub initial_backoff: Duration,
    /// The longest wait that we choose ourselves. Default 30 s.
    pub max_backoff: Duration,
    /// How long after its first attempt a request is given up; also when the collector asks for a longer
    /// wait. Zero: never try again. Default 60 s.
    pub max_elapsed: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            max_elapsed: Duration::from_secs(60),
        }
    }
}

/// Files for TLS, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities that are trusted. Default: those of the system.
    pub authorities: Option<PathBuf>,
    /// Our certificate, for collectors that ask for one; needs `key`.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// How to export; see [`check`](Self::check) for what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSettings {
    /// Where to. Default: a collector on this machine, [`Protocol::default_endpoint`].
    pub endpoint: Endpoint,
    /// Default: protobuf over HTTP.
    pub protocol: Protocol,
    /// Default: none.
    pub headers: Headers,
    /// Default: none.
    pub compression: Compression,
    /// For one attempt, connection included. Also the longest that a flush takes. Default 10 s; 1 ms to 1 h.
    pub timeout: Duration,
    /// Spans in a request, at most. Default 512; 1 to 1,000,000.
    pub batch_size: usize,
    /// How long spans wait for others, until `batch_size` of them are sent in one request; a flush does not wait.
    /// Default 5 s, as OpenTelemetry's batch span processor; 0 (as soon as a worker is free) to 1 day.
    pub export_interval: Duration,
    /// Spans that wait, at most; beyond it the oldest give way. Default 2,048; at least `batch_size`.
    pub max_queue_size: usize,
    /// Bytes that wait, at most, before compression. Default 64 MiB; 64 KiB or more.
    pub max_queue_bytes: usize,
    /// Requests under way at the same time. Default 4; 1 to 32.
    pub max_export_workers: usize,
    /// Whether a batch is handed over (the default) or waited for until it is sent or given up.
    ///
    /// With `false` the sink's own counters and errors tell of sent batches instead of accepted ones, and
    /// while a batch is retried further ones wait in the engine's queue. Workflows wait for neither.
    pub async_export: bool,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Files for `https` endpoints.
    pub tls: TlsFiles,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self::to(Protocol::default())
    }
}

impl ExportSettings {
    /// The defaults for a protocol, to a collector on this machine.
    #[must_use]
    pub fn to(protocol: Protocol) -> Self {
        Self {
            endpoint: Endpoint::Base(protocol.default_endpoint().to_owned()),
            protocol,
            headers: Headers::default(),
            compression: Compression::None,
            timeout: Duration::from_secs(10),
            batch_size: 512,
            export_interval: Duration::from_secs(5),
            max_queue_size: 2_048,
            max_queue_bytes: 64 << 20,
            max_export_workers: 4,
            async_export: true,
            retry: RetryPolicy::default(),
            tls: TlsFiles::default(),
        }
    }

    /// Whether these settings can be used.
    ///
    /// # Errors
    /// All problems, with what was given and what is accepted.
    pub fn check(&self) -> Result<(), ExportProblems> {
        let mut found = Vec::new();
        self.check_target(&mut found);
        self.check_bounds(&mut found);
        for (name, value) in &self.headers.0 {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                found.push(ExportProblem::new("headers", format!("a header named `{name}`"), "a name of HTTP"));
            } else if HeaderValue::from_str(value).is_err() {
                let given = format!("a value of `{name}` with other characters");
                found.push(ExportProblem::new("headers", given, "visible ASCII"));
            }
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            let given = if self.tls.key.is_some() { "a key only" } else { "a certificate only" };
            found.push(ExportProblem::new("tls", given, "both certificate and key, or neither"));
        }
        if found.is_empty() { Ok(()) } else { Err(ExportProblems(found)) }
    }

    fn check_target(&self, found: &mut Vec<ExportProblem>) {
        const ACCEPTED: &str = "an http:// or https:// URL with a host, as http://localhost:4318";
        match self.endpoint.url().parse::<Uri>() {
            // What stands before an `@` is a secret: not to be shown.
            _ if self.endpoint.url().contains('@') => {
                let accepted = "a URL without user and password: they go in a header";
                found.push(ExportProblem::new("endpoint", "a URL with an `@`", accepted));
            }
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() => {}
            _ => {
                let given = format!("`{}`", self.endpoint.url());
                found.push(ExportProblem::new("endpoint", given, ACCEPTED));
            }
        }
        if self.protocol == Protocol::Grpc && !cfg!(feature = "export-grpc") {
            let accepted = "http/protobuf or http/json, or grpc with the feature `export-grpc`";
            found.push(ExportProblem::new("protocol", "grpc", accepted));
        }
        if self.compression == Compression::Zstd && !cfg!(feature = "zstd") {
            let accepted = "none or gzip, or zstd with the feature `zstd`";
            found.push(ExportProblem::new("compression", "zstd", accepted));
        }
    }

    fn check_bounds(&self, found: &mut Vec<ExportProblem>) {
        let mut number = |field: &str, value: usize, within: bool, accepted| {
            if !within {
                found.push(ExportProblem::new(field, value.to_string(), accepted));
            }
        };
        let batch = self.batch_size;
        number("batch_size", batch, (1..=1_000_000).contains(&batch), "1 to 1000000 spans");
        number("max_queue_size", self.max_queue_size, self.max_queue_size >= batch, "at least `batch_size`");
        number("max_queue_bytes", self.max_queue_bytes, self.max_queue_bytes >= 64 << 10, "65536 bytes or more");
        let workers = self.max_export_workers;
        number("max_export_workers", workers, (1..=32).contains(&workers), "1 to 32");
        let day = Duration::from_secs(86_400);
        if self.export_interval > day {
            found.push(ExportProblem::new("export_interval", format!("{:?}", self.export_interval), "0 to 1 day"));
        }
        let most = Duration::from_secs(3_600);
        let mut time = |field: &str, value: Duration, least: Duration, accepted| {
            if value < least || value > most {
                found.push(ExportProblem::new(field, format!("{value:?}"), accepted));
            }
        };
        let least = Duration::from_millis(1);
        time("timeout", self.timeout, least, "1 ms to 1 h");
        time("retry.initial_backoff", self.retry.initial_backoff, least, "1 ms to 1 h");
        time("retry.max_backoff", self.retry.max_backoff, self.retry.initial_backoff, "`initial_backoff` to 1 h");
        time("retry.max_elapsed", self.retry.max_elapsed, Duration::ZERO, "0 to 1 h");
    }
}
