//! A page of metrics, made piece by piece from one reading.

use std::sync::Arc;

use tta_telemetry::MetricFamily;

use super::format::Format;
use super::protobuf::ProtobufWriter;
use super::text::TextWriter;

/// A piece has at least so many bytes, unless it is the last, and one line more at most.
const PIECE_BYTES: usize = 32 * 1024;
/// Room for that line, so that a piece rarely has to grow.
const ROOM_BYTES: usize = PIECE_BYTES + 1024;

/// A page of metrics in pieces of some 32 KiB, for other ways to serve than
/// [`router`](crate::router). Each piece is made when it is asked for.
///
/// ```
/// use tta_server::{Format, Page};
/// use tta_telemetry::{Metric, Telemetry};
/// let telemetry = Telemetry::builder().build()?;
/// let orders = telemetry.counter(Metric::named("orders_total").help("Orders accepted.").labels(&["country"]))?;
/// orders.with(&["pe"])?.add(3);
/// let page: Vec<u8> = Page::new(telemetry.collect_metrics(), Format::Text).flatten().collect();
/// assert!(String::from_utf8(page)?.contains("orders_total{country=\"pe\"} 3\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Page {
    families: Arc<[MetricFamily]>,
    writer: PageWriter,
}

impl Page {
    /// The page of what was read by
    /// [`Telemetry::collect_metrics`](tta_telemetry::Telemetry::collect_metrics).
    #[must_use]
    pub fn new(families: impl Into<Arc<[MetricFamily]>>, format: Format) -> Self {
        Self { families: families.into(), writer: PageWriter::new(format) }
    }
}

impl Iterator for Page {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.writer.next(&self.families)
    }
}

/// Makes the pieces of one page. It is always given the same families.
#[derive(Debug)]
pub(super) struct PageWriter {
    writer: Writer,
    is_done: bool,
}

#[derive(Debug)]
enum Writer {
    Text(TextWriter),
    Protobuf(ProtobufWriter),
}

impl PageWriter {
    pub(super) fn new(format: Format) -> Self {
        let writer = match format {
            Format::Text => Writer::Text(TextWriter::text()),
            Format::OpenMetrics => Writer::Text(TextWriter::open_metrics()),
            Format::Protobuf => Writer::Protobuf(ProtobufWriter::default()),
        };
        Self { writer, is_done: false }
    }

    /// The next piece, which is not empty; none at the end.
    pub(super) fn next(&mut self, families: &[MetricFamily]) -> Option<Vec<u8>> {
        if self.is_done {
            return None;
        }
        let (piece, has_more) = match &mut self.writer {
            Writer::Text(writer) => {
                let mut piece = String::with_capacity(ROOM_BYTES);
                let has_more = writer.fill(families, PIECE_BYTES, &mut piece);
                (piece.into_bytes(), has_more)
            }
            Writer::Protobuf(writer) => {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let has_more = writer.fill(families, PIECE_BYTES, &mut piece);
                (piece, has_more)
            }
        };
        self.is_done = !has_more;
        (!piece.is_empty()).then_some(piece)
    }
}
