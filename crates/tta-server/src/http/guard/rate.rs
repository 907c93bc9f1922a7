//! How often each client may ask: the generic cell rate algorithm, in its virtual scheduling form.
//!
//! Source: ATM Forum, *Traffic Management Specification 4.0* (af-tm-0056.000, 1996), section 4.4.2. One number
//! is kept of a client, the theoretical arrival time (TAT): when the next request would arrive if all
//! came evenly spaced. With the interval `T` between two and the tolerance `tau = (burst - 1) * T`, a
//! request at `now` is refused when `now < TAT - tau`; otherwise `TAT = max(TAT, now) + T`.
//!
//! A client whose TAT has passed is as one that never came, and makes room for others. While none does,
//! new ones share one number: who is known keeps its own, so that nobody is let in again by a flood of
//! addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::http::limits::RateLimit;

/// The rates of all clients.
#[derive(Debug)]
pub(super) struct Rates {
    interval_ns: u64,
    tolerance_ns: u64,
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// The TAT of each client, by its address as a number.
    clients: HashMap<u128, u64>,
    /// That of all others together.
    others_ns: u64,
    /// When it is worth looking for clients that have gone.
    sweep_ns: u64,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// `None`: admitted. Otherwise when it would be.
    pub(super) wait: Option<Duration>,
    /// Whether the client shares its number with others.
    pub(super) is_shared: bool,
}

impl Rates {
    pub(super) fn new(limit: RateLimit) -> Self {
        // Limits are checked before: neither is 0, and a conversion saturates.
        let interval_ns = (1e9 / limit.per_second).ceil() as u64;
        let tolerance_ns = interval_ns.saturating_mul(u64::from(limit.burst.saturating_sub(1)));
        Self { interval_ns, tolerance_ns, most: limit.clients, table: Mutex::default() }
    }

    /// A request at this moment, in nanoseconds from any fixed one.
    pub(super) fn take(&self, client: IpAddr, now_ns: u64) -> Taken {
        let key = key(client);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        if let Some(tat_ns) = table.clients.get_mut(&key) {
            return Taken { wait: self.step(tat_ns, now_ns), is_shared: false };
        }
        if table.clients.len() >= self.most && now_ns >= table.sweep_ns {
            table.clients.retain(|_, tat_ns| *tat_ns > now_ns);
            // Looking at all of them costs most when it finds none: not at every request.
            table.sweep_ns = now_ns.saturating_add(self.interval_ns.max(100_000_000));
        }
        if table.clients.len() >= self.most {
            return Taken { wait: self.step(&mut table.others_ns, now_ns), is_shared: true };
        }
        let mut tat_ns = 0;
        let wait = self.step(&mut tat_ns, now_ns);
        table.clients.insert(key, tat_ns);
        Taken { wait, is_shared: false }
    }

    fn step(&self, tat_ns: &mut u64, now_ns: u64) -> Option<Duration> {
        let wait_ns = tat_ns.saturating_sub(self.tolerance_ns).saturating_sub(now_ns);
        if wait_ns > 0 {
            return Some(Duration::from_nanos(wait_ns));
        }
        *tat_ns = (*tat_ns).max(now_ns).saturating_add(self.interval_ns);
        None
    }
}

/// IPv4 in itself or as IPv6 is the same; of IPv6 the first 64 bits count.
fn key(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        // No network of IPv6 is all zeros in its upper half and a client's.
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rates(clients: usize) -> Rates {
        Rates::new(RateLimit { per_second: 1.0, burst: 2, clients })
    }

    fn wait(rates: &Rates, client: &str, second: u64) -> Option<u64> {
        rates.take(client.parse().unwrap(), second * SECOND).wait.map(|wait| wait.as_secs())
    }

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let rates = rates(10);
        let at = [10, 10, 10, 11, 11, 100, 100, 100].map(|second| wait(&rates, "192.0.2.1", second));
        assert_eq!(at, [None, None, Some(1), None, Some(1), None, None, Some(1)]);
    }

    #[test]
    fn clients_are_told_apart_by_address_and_by_network_of_ipv6() {
        let rates = rates(10);
        for client in ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"] {
            assert_eq!([10, 10].map(|second| wait(&rates, client, second)), [None, None], "{client}");
        }
        for same in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:0:1:ffff::9"] {
            assert_eq!(wait(&rates, same, 10), Some(1), "{same}");
        }
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_room_and_frees_nobody() {
        let rates = rates(2);
        assert_eq!(["192.0.2.1"; 3].map(|client| wait(&rates, client, 10)), [None, None, Some(1)]);
        assert_eq!(wait(&rates, "192.0.2.2", 10), None);
        let flood = |second: u64| {
            let of = |number: u32| rates.take(IpAddr::from((number + 1_000_000).to_be_bytes()), second * SECOND);
            (0..1_000).map(of).filter(|taken| taken.is_shared && taken.wait.is_none()).count()
        };
        assert_eq!(flood(10), 2);
        assert_eq!(rates.table.lock().unwrap().clients.len(), 2);
        assert_eq!(wait(&rates, "192.0.2.1", 10), Some(1));
        // Those that have gone make room.
        assert!(!rates.take("198.51.100.1".parse().unwrap(), 20 * SECOND).is_shared);
    }
}
