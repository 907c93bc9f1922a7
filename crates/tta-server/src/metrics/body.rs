//! The body of a reply: a page, made while it is sent.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame};
use thiserror::Error;
use tokio::time::Instant;

use super::format::Format;
use super::page::PageWriter;
use super::snapshots::Lease;

/// How long sending a page may take, however steadily it is read.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a page is not sent to its end.
#[derive(Debug, Error)]
pub(super) enum CutOff {
    #[error("the page took longer than {} s to send", LONGEST.as_secs())]
    TooSlow,
    #[error("the page took long to send, and others wait for theirs")]
    GivenUp,
    #[error("the page could not be compressed")]
    Compression(#[source] std::io::Error),
}

/// Holds the reading, and no more of the page than one piece.
#[derive(Debug)]
pub(super) struct PageBody {
    lease: Option<Lease>,
    writer: PageWriter,
    gzip: Option<GzEncoder<Vec<u8>>>,
    until: Instant,
}

impl PageBody {
    pub(super) fn new(lease: Lease, format: Format, is_gzip: bool) -> Self {
        let gzip = is_gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        Self { lease: Some(lease), gzip, until: Instant::now() + LONGEST, ..Self::left_out(format) }
    }

    /// Nothing, for a reply without its body; unlike other bodies of nothing it claims no length.
    pub(super) fn left_out(format: Format) -> Self {
        Self { lease: None, writer: PageWriter::new(format), gzip: None, until: Instant::now() }
    }

    /// The next bytes, which are not none; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<u8>>, CutOff> {
        while let Some(lease) = &self.lease {
            if Instant::now() >= self.until {
                return Err(CutOff::TooSlow);
            }
            let families = lease.families().ok_or(CutOff::GivenUp)?;
            let piece = self.writer.next(&families);
            drop(families);
            if piece.is_none() {
                // All is written: the reading is free.
                self.lease = None;
            }
            let bytes = match (&mut self.gzip, piece) {
                (None, piece) => piece.unwrap_or_default(),
                (Some(gzip), Some(piece)) => {
                    gzip.write_all(&piece).map_err(CutOff::Compression)?;
                    std::mem::take(gzip.get_mut())
                }
                (Some(_), None) => match self.gzip.take().map(GzEncoder::finish) {
                    Some(end) => end.map_err(CutOff::Compression)?,
                    None => Vec::new(),
                },
            };
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let this = self.get_mut();
        let next = this.next();
        if next.is_err() {
            this.lease = None;
        }
        Poll::Ready(next.map(|bytes| bytes.map(|bytes| Frame::data(bytes.into()))).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.lease.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tta_telemetry::Telemetry;

    use super::super::snapshots::Snapshots;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_page_that_takes_too_long_is_not_sent_to_its_end() {
        let snapshots = Arc::new(Snapshots::new(Telemetry::builder().build().unwrap()));
        for is_gzip in [false, true] {
            let body = || async { PageBody::new(snapshots.lease().await.unwrap(), Format::OpenMetrics, is_gzip) };
            let (mut quick, mut slow) = (body().await, body().await);
            tokio::time::advance(LONGEST - Duration::from_millis(1)).await;
            while quick.next().unwrap().is_some() {}
            assert!(quick.is_end_stream());
            tokio::time::advance(Duration::from_millis(1)).await;
            let error = slow.next().unwrap_err().to_string();
            assert_eq!(error, "the page took longer than 60 s to send");
        }
    }
}
