//! Senders that wait for their answers, and what they and the server take meanwhile.

use super::Reading;
use super::process::{Probed, Server};
use super::request::{Request, SPANS};
use super::wire::{self, Connection};
use crate::clock::{Stopwatch, process_cpu_ns};
use crate::measurement::Plan;
use crate::quantile;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Connections at a time, each of a service of its own.
const CONNECTIONS: usize = 4;
/// Until memory is full of traces that wait, and each further span is paid for by a decision.
const WARM_UP: Duration = Duration::from_secs(3);
/// A burst is a 15th of a second.
const BURSTS_PER_SECOND: u32 = 15;
const BETWEEN_PROBES: Duration = Duration::from_millis(50);

/// What senders have been told so far.
#[derive(Default)]
struct Told {
    accepted: AtomicU64,
    refused: AtomicU64,
    is_over: AtomicBool,
}

/// Sends from all connections, as fast as the server answers or so many spans a second.
pub(super) fn measure(server: Server, plan: &Plan, per_second: Option<u64>) -> anyhow::Result<Reading> {
    let told = Told::default();
    let to = server.otlp;
    let mut reading = std::thread::scope(|scope| {
        let told = &told;
        let senders: Vec<_> =
            (0..CONNECTIONS).map(|number| scope.spawn(move || send(to, number, per_second, told))).collect();
        let reading = watch(&server, plan, told);
        told.is_over.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().map_err(|_| anyhow::anyhow!("a sender has panicked"))??;
        }
        reading
    })?;
    reading.peak_mib = server.peak_bytes()? as f64 / f64::from(1 << 20);
    let has_report = server.probed.is_some();
    let is_complete = server.end()?;
    // Others end as they like.
    anyhow::ensure!(is_complete || !has_report, "the server did not end in order");
    Ok(reading)
}

fn send(to: SocketAddr, number: usize, per_second: Option<u64>, told: &Told) -> anyhow::Result<()> {
    let mut connection = Connection::open(to)?;
    let mut request = Request::new(to, number, 1 + number as u64);
    let watch = Stopwatch::start();
    let interval_ns = per_second.map_or(0, |spans| 1_000_000_000 * (SPANS * CONNECTIONS) as u64 / spans);
    // Connections take turns.
    let mut due_ns = interval_ns / CONNECTIONS as u64 * number as u64;
    while !told.is_over.load(Ordering::Relaxed) {
        if let Some(early) = due_ns.checked_sub(watch.elapsed_ns()).filter(|_| interval_ns > 0) {
            std::thread::park_timeout(Duration::from_nanos(early));
            continue;
        }
        due_ns += interval_ns;
        let reply = connection.ask(request.next())?;
        // A body would name spans that were refused.
        let counter = if reply.status == 200 && reply.body.is_empty() { &told.accepted } else { &told.refused };
        counter.fetch_add(SPANS as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn watch(server: &Server, plan: &Plan, told: &Told) -> anyhow::Result<Reading> {
    std::thread::park_timeout(WARM_UP);
    let before = (told.accepted.load(Ordering::Relaxed), told.refused.load(Ordering::Relaxed));
    let (server_ns, own_ns) = (server.cpu_ns()?, process_cpu_ns());
    let watch = Stopwatch::start();
    let measured = Duration::from_secs(1) * plan.bursts.div_ceil(BURSTS_PER_SECOND);
    let mut probes = Probes::default();
    while u128::from(watch.elapsed_ns()) < measured.as_nanos() {
        std::thread::park_timeout(BETWEEN_PROBES);
        if let Some(probed) = server.probed {
            probes.take(probed)?;
        }
    }
    let elapsed_ns = watch.elapsed_ns();
    let (server_ns, own_ns) = (server.cpu_ns()? - server_ns, process_cpu_ns() - own_ns);
    let accepted = told.accepted.load(Ordering::Relaxed) - before.0;
    let refused = told.refused.load(Ordering::Relaxed) - before.1;
    anyhow::ensure!(accepted > 0, "the server took nothing of {refused} spans");
    Ok(Reading {
        per_second: accepted as f64 * 1e9 / elapsed_ns as f64,
        server_cpu: server_ns as f64 / 1e3 / accepted as f64,
        sender_cpu: own_ns as f64 / 1e3 / (accepted + refused) as f64,
        peak_mib: 0.0,
        refused_percent: 100.0 * refused as f64 / (accepted + refused) as f64,
        health_p99_ms: p99_ms(probes.health_ns),
        metrics_p99_ms: p99_ms(probes.metrics_ns),
        sampling_p99_ms: p99_ms(probes.sampling_ns),
    })
}

#[derive(Default)]
struct Probes {
    health_ns: Vec<u64>,
    metrics_ns: Vec<u64>,
    sampling_ns: Vec<u64>,
}

impl Probes {
    fn take(&mut self, probed: Probed) -> anyhow::Result<()> {
        let (health, health_ns) = wire::get(probed.main, "/health")?;
        let (metrics, metrics_ns) = wire::get(probed.metrics, "/metrics")?;
        let (sampling, sampling_ns) = wire::get(probed.main, "/api/v1/sampling")?;
        // A server that has too much to do may say so.
        anyhow::ensure!(matches!(health.status, 200 | 503) && !health.body.is_empty(), "health: {}", health.status);
        anyhow::ensure!(metrics.status == 200 && !metrics.body.is_empty(), "metrics: {}", metrics.status);
        anyhow::ensure!(sampling.status == 200 && !sampling.body.is_empty(), "sampling: {}", sampling.status);
        self.health_ns.push(health_ns);
        self.metrics_ns.push(metrics_ns);
        self.sampling_ns.push(sampling_ns);
        Ok(())
    }
}

fn p99_ms(mut ns: Vec<u64>) -> Option<f64> {
    quantile::at(&mut ns, 990).map(|ns| ns as f64 / 1e6)
}
