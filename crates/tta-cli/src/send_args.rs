//! The grammar and help of `tta send`.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Args;
use tta::otlp::export::{Compression, Protocol};

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where to: a URL without a path, to which the protocol's is added, or one with a path, which is
    /// used as it is [default: http://localhost:4318, with grpc 4317]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// grpc, http/protobuf or http/json [default: http/protobuf]
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol)]
    pub(crate) protocol: Option<Protocol>,
    /// none or gzip [default: none]
    #[arg(long, value_name = "NAME", value_parser = compression)]
    pub(crate) compression: Option<Compression>,
    /// A header of each request; may be given several times. Others on this machine can see arguments:
    /// secrets are better in OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) headers: Vec<Header>,
    /// Spans a second, at most [default: as fast as the collector takes them]
    #[arg(long, value_name = "SPANS", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,
    /// Spans in a request, at most, 1 to 1000000 [default: 512]
    #[arg(long, value_name = "SPANS", value_parser = batch_size)]
    pub(crate) batch_size: Option<usize>,
    /// Requests under way at the same time, 1 to 32 [default: 4]
    #[arg(long, value_name = "N", value_parser = concurrency)]
    pub(crate) concurrency: Option<usize>,
    /// Seconds for which a request that is not taken is tried again, 0 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) retry_for: u64,
    /// Move all times by the same amount: the last of FILE becomes now, of standard input the first
    #[arg(long)]
    pub(crate) rewrite_times: bool,
}

/// A header, by name and value; `None` for a text that is none. Nothing of it is shown.
#[derive(Clone)]
pub(crate) struct Header(pub(crate) Option<(String, String)>);

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Header(***)")
    }
}

fn protocol(text: &str) -> Result<Protocol, String> {
    Protocol::of(text).ok_or_else(|| "accepted is grpc, http/protobuf or http/json".to_owned())
}

fn compression(text: &str) -> Result<Compression, String> {
    let known = Compression::of(text).filter(|compression| *compression != Compression::Zstd);
    known.ok_or_else(|| "accepted is none or gzip".to_owned())
}

/// Never an error: the parser of arguments would repeat the text.
fn header(text: &str) -> Result<Header, Infallible> {
    let pair = text.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.to_owned()));
    Ok(Header(pair.filter(|(name, _)| !name.is_empty())))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| (0.001..=1e9).contains(rate));
    rate.ok_or_else(|| "accepted is a number from 0.001 to 1000000000".to_owned())
}

fn batch_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=1_000_000).contains(size));
    size.ok_or_else(|| "accepted is a whole number from 1 to 1000000".to_owned())
}

fn concurrency(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=32).contains(number));
    number.ok_or_else(|| "accepted is a whole number from 1 to 32".to_owned())
}
