//! Requests made of lines, paced, and kept under way side by side.
//!
//! Owns how many are under way, the pace, and what is told meanwhile.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressStyle};
use tta::otlp::export::{Delivery, ExportSettings, OtlpClient, count_spans, shift_times, split_request, times_of};
use tta::telemetry::{Clock, Ticks};

use super::lines::{Input, Line};
use crate::interrupt::Interrupt;
use crate::output;
use crate::send_args::Send;

/// Complaints of one kind that are told; the rest are counted.
const MOST_TOLD: u64 = 10;
/// How long requests that are under way are waited for after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two lines about progress, where there is no terminal.
const PROGRESS: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) taken: u64,
    pub(super) rejected: u64,
    pub(super) failed: u64,
    pub(super) bad_lines: u64,
    pub(super) took: Duration,
    pub(super) interrupted: bool,
    /// Nobody ever answered.
    pub(super) unreachable: bool,
    /// The file could not be read to its end.
    pub(super) cut: bool,
    answered: bool,
    complaints: u64,
}

/// How to send.
pub(super) struct Plan {
    clock: Clock,
    rate: Option<f64>,
    batch: u64,
    workers: usize,
    rewrite: Rewrite,
}

/// By how much times move.
enum Rewrite {
    No,
    /// Known when the first request is there.
    ByFirst,
    By(i64),
}

impl Plan {
    pub(super) fn new(arguments: &Send, settings: &ExportSettings, clock: Clock, last: Option<u64>) -> Self {
        let now = clock.unix_ns(clock.ticks());
        let rewrite = match last {
            Some(last) => Rewrite::By(difference(now, last)),
            None if arguments.rewrite_times => Rewrite::ByFirst,
            None => Rewrite::No,
        };
        // Ten requests a second at least, or the pace would be felt in bursts.
        let paced = arguments.rate.map_or(u64::MAX, |rate| (rate / 10.0).ceil() as u64);
        let batch = (settings.batch_size as u64).min(paced).max(1);
        Self { clock, rate: arguments.rate, batch, workers: settings.max_export_workers, rewrite }
    }

    fn rewrite(&mut self, body: &mut [u8]) {
        if let (Rewrite::ByFirst, Some((first, _))) = (&self.rewrite, times_of(body)) {
            self.rewrite = Rewrite::By(difference(self.clock.unix_ns(self.clock.ticks()), first));
        }
        if let Rewrite::By(by_ns) = self.rewrite {
            shift_times(body, by_ns);
        }
    }

    /// How long to wait before so many spans have been sent in time.
    fn wait(&self, start: Ticks, spans: u64) -> Duration {
        let due = self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64((spans as f64 / rate).min(1e9)));
        due.saturating_sub(self.clock.elapsed(start))
    }
}

fn difference(later: u64, earlier: u64) -> i64 {
    i64::try_from(i128::from(later) - i128::from(earlier)).unwrap_or(0)
}

/// Sends all lines. Ends when the first answer does not come, or somebody interrupts.
pub(super) async fn send(client: &OtlpClient, mut plan: Plan, input: Input, stop: &mut Interrupt) -> Sent {
    let mut sent = Sent::default();
    let mut lines = Requests::new(input, plan.clock.clone());
    let start = plan.clock.ticks();
    let mut under_way = FuturesUnordered::new();
    let mut offered = 0;
    loop {
        let is_ending = lines.is_over() || sent.interrupted || sent.unreachable;
        if is_ending && under_way.is_empty() {
            break;
        }
        let takes = !is_ending && under_way.len() < plan.workers;
        let (wait, batch) = (plan.wait(start, offered), plan.batch);
        let next = async {
            if !wait.is_zero() {
                pause(wait).await;
            }
            lines.next(batch).await
        };
        tokio::select! {
            () = stop.first(), if !sent.interrupted => sent.interrupted = true,
            Some(delivery) = under_way.next(), if !under_way.is_empty() => {
                sent.count(&delivery);
                lines.progress.told(&sent);
            }
            request = next, if takes => if let Some((mut body, spans)) = request {
                plan.rewrite(&mut body);
                offered += spans;
                under_way.push(client.deliver(body, spans));
            },
            // Nothing more is sent: what is under way is given its time.
            () = pause(PATIENCE), if sent.interrupted || sent.unreachable => break,
        }
    }
    lines.progress.bar.finish_and_clear();
    // What was under way and is dropped now may have been taken: nobody knows.
    sent.failed = offered - sent.taken - sent.rejected;
    Sent { bad_lines: lines.bad, cut: lines.cut, took: plan.clock.elapsed(start), ..sent }
}

async fn pause(wait: Duration) {
    // A timer of the process: there is no run whose clock it could be.
    drop(tokio::time::timeout(wait, std::future::pending::<()>()).await);
}

impl Sent {
    fn count(&mut self, delivery: &Delivery) {
        self.taken += delivery.sent;
        self.rejected += delivery.rejected;
        self.failed += delivery.dropped.total();
        self.answered |= delivery.answered;
        self.unreachable |= !self.answered;
        if let Some(message) = &delivery.message {
            self.complaints += 1;
            if self.complaints <= MOST_TOLD {
                let lost = delivery.rejected + delivery.dropped.total();
                output::error(&format!("{lost} spans were not taken: {message}"));
            }
        }
    }
}

/// Requests of the right size, made of lines.
struct Requests {
    input: Input,
    ready: VecDeque<(Vec<u8>, u64)>,
    /// Requests one after the other are one request.
    open: (Vec<u8>, u64),
    is_read: bool,
    bad: u64,
    cut: bool,
    progress: Progress,
}

impl Requests {
    fn new(input: Input, clock: Clock) -> Self {
        let progress = Progress::new(input.bytes, clock);
        Self { input, ready: VecDeque::new(), open: (Vec::new(), 0), is_read: false, bad: 0, cut: false, progress }
    }

    fn is_over(&self) -> bool {
        self.is_read && self.ready.is_empty() && self.open.1 == 0
    }

    /// The next request, of at most so many spans; `None` at the end. What waits is not waited for to fill up.
    ///
    /// # Cancel safety
    /// Nothing is lost by a call that is dropped.
    async fn next(&mut self, most: u64) -> Option<(Vec<u8>, u64)> {
        loop {
            if let Some(request) = self.ready.pop_front() {
                return Some(request);
            }
            let line = match self.input.lines.try_recv() {
                Ok(line) => Some(line),
                Err(_) if self.open.1 > 0 => return Some(std::mem::take(&mut self.open)),
                Err(_) => self.input.lines.recv().await,
            };
            match line {
                None => {
                    self.is_read = true;
                    return None;
                }
                Some(line) => self.add(line, most),
            }
        }
    }

    fn add(&mut self, line: Line, most: u64) {
        let (body, spans) = match line {
            Line::Request { body, spans, bytes } => {
                self.progress.bar.inc(bytes);
                (body, spans)
            }
            Line::Bad { number, message } => {
                self.bad += 1;
                if self.bad <= MOST_TOLD {
                    output::error(&format!("line {number} is left out: {message}"));
                }
                return;
            }
            Line::Cut(message) => {
                self.cut = true;
                output::error(&format!("reading ends here: {message}"));
                return;
            }
        };
        if self.open.1 + spans > most && self.open.1 > 0 {
            self.ready.push_back(std::mem::take(&mut self.open));
        }
        if spans <= most {
            self.open.0.extend_from_slice(&body);
            self.open.1 += spans;
            return;
        }
        // It was counted, so that it can be divided.
        for part in split_request(&body, most).unwrap_or_default() {
            let spans = count_spans(&part).unwrap_or_default();
            self.ready.push_back((part, spans));
        }
    }
}

/// A bar on a terminal; elsewhere a line now and then.
struct Progress {
    bar: ProgressBar,
    clock: Clock,
    last: Ticks,
}

impl Progress {
    fn new(bytes: Option<u64>, clock: Clock) -> Self {
        let bar = match bytes {
            _ if !std::io::stderr().is_terminal() => ProgressBar::hidden(),
            Some(bytes) => ProgressBar::new(bytes).with_style(style("{bytes}/{total_bytes} {wide_bar} {msg} {eta}")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {bytes} {msg}")),
        };
        bar.tick();
        Self { bar, last: clock.ticks(), clock }
    }

    fn told(&mut self, sent: &Sent) {
        self.bar.set_message(format!("{} spans", sent.taken));
        if self.bar.is_hidden() && self.clock.elapsed(self.last) >= PROGRESS {
            self.last = self.clock.ticks();
            output::note(&format!("sent {} spans so far", sent.taken));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
