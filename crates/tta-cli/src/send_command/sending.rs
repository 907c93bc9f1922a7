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
/// Bytes of lines that are put together; a longer line goes alone. Receivers of gRPC take 4 MiB by default.
const MOST_BYTES: usize = 4 << 20;
/// What is late by more than this, as after a collector that hung, is not made up for: the rate is a most.
const SLACK: Duration = Duration::from_millis(250);
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
    /// Somebody is there, whose certificate is not accepted.
    pub(super) untrusted: bool,
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
    start: Ticks,
    /// When the next request may be sent, from `start` on.
    due: Duration,
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
        let start = clock.ticks();
        let workers = settings.max_export_workers;
        Self { clock, rate: arguments.rate, batch, workers, rewrite, start, due: Duration::ZERO }
    }

    fn rewrite(&mut self, body: &mut [u8]) {
        if let (Rewrite::ByFirst, Some((first, _))) = (&self.rewrite, times_of(body)) {
            self.rewrite = Rewrite::By(difference(self.clock.unix_ns(self.clock.ticks()), first));
        }
        if let Rewrite::By(by_ns) = self.rewrite {
            shift_times(body, by_ns);
        }
    }

    /// How long to wait before the next request.
    fn wait(&self) -> Duration {
        self.due.saturating_sub(self.clock.elapsed(self.start))
    }

    /// So many spans are on their way.
    fn sent(&mut self, spans: u64) {
        let Some(rate) = self.rate else { return };
        let earliest = self.clock.elapsed(self.start).saturating_sub(SLACK);
        let takes = Duration::from_secs_f64((spans as f64 / rate).min(1e9));
        self.due = self.due.max(earliest).saturating_add(takes);
    }
}

fn difference(later: u64, earlier: u64) -> i64 {
    i64::try_from(i128::from(later) - i128::from(earlier)).unwrap_or(0)
}

/// Sends all lines. Ends when the first answer does not come, or somebody interrupts.
pub(super) async fn send(client: &OtlpClient, mut plan: Plan, input: Input, stop: &mut Interrupt) -> Sent {
    let mut sent = Sent::default();
    let mut lines = Requests::new(input, plan.clock.clone());
    plan.start = plan.clock.ticks();
    let mut under_way = FuturesUnordered::new();
    let mut offered = 0;
    loop {
        let is_ending = lines.is_over() || sent.interrupted || sent.unreachable;
        if is_ending && under_way.is_empty() {
            break;
        }
        let takes = !is_ending && under_way.len() < plan.workers;
        let (wait, batch) = (plan.wait(), plan.batch);
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
                plan.sent(spans);
                under_way.push(client.deliver(body, spans));
            },
            // Nothing more is sent: what is under way is given its time.
            () = pause(PATIENCE), if sent.interrupted || sent.unreachable => break,
        }
    }
    lines.progress.bar.finish_and_clear();
    // What was under way and is dropped now may have been taken: nobody knows.
    sent.failed = offered - sent.taken - sent.rejected;
    Sent { bad_lines: lines.bad, cut: lines.cut, took: plan.clock.elapsed(plan.start), ..sent }
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
            self.untrusted |= message.contains("invalid peer certificate");
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
        // It would be held until spans come.
        if spans == 0 {
            return;
        }
        let is_full = self.open.1 + spans > most || self.open.0.len() + body.len() > MOST_BYTES;
        if is_full && self.open.1 > 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        let (_, lines) = tokio::sync::mpsc::channel(1);
        Requests::new(Input { lines, bytes: None }, Clock::system())
    }

    #[test]
    fn what_is_late_is_made_up_for_only_a_little() {
        let (clock, hand) = Clock::manual();
        let (start, due) = (clock.ticks(), Duration::ZERO);
        let rewrite = Rewrite::No;
        let mut plan = Plan { clock, rate: Some(100.0), batch: 10, workers: 4, rewrite, start, due };
        let mut at_once = || {
            let mut count = 0;
            while plan.wait().is_zero() {
                plan.sent(10);
                count += 1;
            }
            (count, plan.wait())
        };
        assert_eq!(at_once(), (1, Duration::from_millis(100)));
        hand.advance(Duration::from_millis(210));
        assert_eq!(at_once(), (2, Duration::from_millis(90)));
        // A collector that hung for a minute is not sent a minute's spans at once.
        hand.advance(Duration::from_secs(60));
        assert_eq!(at_once(), (3, Duration::from_millis(50)));
    }

    #[test]
    fn lines_are_put_together_within_a_bound_of_bytes_and_those_without_spans_are_not_held() {
        let mut requests = requests();
        let line = |bytes: usize, spans| Line::Request { body: vec![0; bytes], spans, bytes: 1 };
        requests.add(line(1 << 20, 0), 512);
        assert_eq!((requests.open.0.len(), requests.ready.len()), (0, 0));
        for _ in 0..3 {
            requests.add(line(3 << 20, 1), 512);
        }
        requests.add(line(1 << 20, 1), 512);
        let ready: Vec<_> = requests.ready.iter().map(|(body, spans)| (body.len(), *spans)).collect();
        assert_eq!((ready, requests.open.0.len(), requests.open.1), (vec![(3 << 20, 1); 2], 4 << 20, 2));
    }
}
