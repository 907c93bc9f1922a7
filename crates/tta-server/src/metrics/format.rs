//! The formats that metrics are served in.

/// A format that metrics are written in for whoever scrapes them.
///
/// ```
/// use tta_server::Format;
/// assert!(Format::OpenMetrics.content_type().starts_with("application/openmetrics-text; version=1.0.0"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4: what everything that scrapes understands.
    Text,
    /// [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) 1.0.0: with units and
    /// exemplars.
    OpenMetrics,
    /// `io.prometheus.client.MetricFamily` as Protocol Buffers, each after its length: with
    /// exemplars, and with native histograms beside the classic buckets.
    Protobuf,
}

impl Format {
    /// All of them, the first being the one for whoever has no preference.
    pub const ALL: [Format; 3] = [Format::Text, Format::OpenMetrics, Format::Protobuf];

    /// What the header `Content-Type` says.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}
