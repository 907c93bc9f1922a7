//! What one server takes at most, and for how long.

use std::time::Duration;

use super::error::ServerError;

const LONGEST: Duration = Duration::from_secs(3_600);

/// What a server takes at most, and for how long.
///
/// ```
/// use tta_server::ServerLimits;
/// let limits = ServerLimits { connections: 8, ..ServerLimits::default() };
/// assert_eq!(limits.write_timeout.as_secs(), 10);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ServerLimits {
    /// Connections at the same time, 1 to 10,000. Default: 64. Further ones wait, and those that
    /// are idle are closed for them.
    pub connections: usize,
    /// Requests at the same time on one connection of HTTP/2, 1 to 1,000. Default: 128.
    pub streams: u32,
    /// Requests at the same time, until their reply is sent, 1 to 100,000. Default: 256. Further
    /// ones get 503.
    pub requests: usize,
    /// Headers of a request, 1 to 1,000. Default: 100. More get 431.
    pub headers: usize,
    /// Bytes of a request's head, 8 KiB to 1 MiB. Default: 32 KiB. More get 431.
    pub head_bytes: usize,
    /// Bytes of a request's body as it is sent, up to 1 GiB. Default: 16 MiB. More get 413; 0
    /// takes no bodies.
    pub body_bytes: usize,
    /// Bytes of a body after decompression, up to 1 GiB. Default: 32 MiB. More get 413. Of gRPC, bytes
    /// of a message, compressed or not; more get RESOURCE_EXHAUSTED.
    pub decompressed_bytes: usize,
    /// Bytes of all bodies that are being received or worked on, at least the two above, up to
    /// 64 GiB. Default: 64 MiB. A request whose body goes beyond gets 503.
    pub held_bytes: usize,
    /// How often each client may ask; `None`: as often as it likes. Default: 2,000 requests a second
    /// with bursts of 4,000.
    pub rate: Option<RateLimit>,
    /// How long the head of a request may take to arrive, and a connection of HTTP/1 may be idle, and
    /// a TLS handshake may take, above 0 to 1 h. Default: 10 s. On a new connection the first byte has
    /// as long again.
    pub header_timeout: Duration,
    /// How long a connection of HTTP/2 may be idle, above 0 to 1 h. Default: 60 s. Idle connections
    /// are closed earlier when others wait.
    pub idle_timeout: Duration,
    /// How long a request's body may take to arrive as a whole, above 0 to 1 h. Default: 30 s. What
    /// takes longer gets 408.
    pub read_timeout: Duration,
    /// How long it may take from a request's head to the head of its reply, above 0 to 1 h. Default:
    /// 60 s. What takes longer is given up, and gets 503.
    pub request_timeout: Duration,
    /// How long a client may take nothing of what is sent to it before it is cut off, above 0 to
    /// 1 h. Default: 10 s. On HTTP/2, where replies are told apart, how long 16 KiB of one may take. On
    /// HTTP/1 also how long the reply may take to begin for a client that has closed its half of the
    /// connection: it may have gone.
    pub write_timeout: Duration,
}

/// How often each client may ask: an address of IPv4, or a network of 64 bits of IPv6, which is what
/// one customer is given.
///
/// A client behind a proxy shares what the proxy's address has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Requests a second in the long run, 0.01 to 1,000,000. Default: 2,000.
    pub per_second: f64,
    /// Requests at once after a pause, 1 to 1,000,000. Default: 4,000.
    pub burst: u32,
    /// Clients that are told apart, 1 to 1,000,000, about 40 bytes each. Default: 10,000. Those that
    /// come while so many are at work share one rate.
    pub clients: usize,
}

/// What `decompressed_bytes` says, to routes that decompress by themselves: an extension of every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageBytes(pub(crate) usize);

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_second: 2_000.0, burst: 4_000, clients: 10_000 }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self {
            connections: 64,
            streams: 128,
            requests: 256,
            headers: 100,
            head_bytes: 32 << 10,
            body_bytes: 16 << 20,
            decompressed_bytes: 32 << 20,
            held_bytes: 64 << 20,
            rate: Some(RateLimit::default()),
            header_timeout: ten,
            idle_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            write_timeout: ten,
        }
    }
}

impl ServerLimits {
    /// The first problem, if any.
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// All that is wrong.
    pub(crate) fn problems(&self) -> Vec<ServerError> {
        let mut problems = Vec::new();
        let mut refuse = |setting, given: String, accepted| {
            problems.push(ServerError::Limit { setting, given, accepted });
        };
        let counts: [(_, _, usize, usize, _); 7] = [
            ("connections", self.connections, 1, 10_000, "1 to 10000"),
            ("streams", self.streams as usize, 1, 1_000, "1 to 1000"),
            ("requests", self.requests, 1, 100_000, "1 to 100000"),
            ("headers", self.headers, 1, 1_000, "1 to 1000"),
            ("head_bytes", self.head_bytes, 8 << 10, 1 << 20, "8192 (8 KiB) to 1048576 (1 MiB)"),
            ("body_bytes", self.body_bytes, 0, 1 << 30, "0 to 1073741824 (1 GiB)"),
            ("decompressed_bytes", self.decompressed_bytes, 0, 1 << 30, "0 to 1073741824 (1 GiB)"),
        ];
        for (setting, given, least, most, accepted) in counts {
            if !(least..=most).contains(&given) {
                refuse(setting, given.to_string(), accepted);
            }
        }
        if self.held_bytes < self.body_bytes.max(self.decompressed_bytes) || self.held_bytes as u64 > 64 << 30 {
            let accepted = "at least `body_bytes` and `decompressed_bytes`, up to 68719476736 (64 GiB)";
            refuse("held_bytes", self.held_bytes.to_string(), accepted);
        }
        let times = [
            ("header_timeout", self.header_timeout),
            ("idle_timeout", self.idle_timeout),
            ("read_timeout", self.read_timeout),
            ("request_timeout", self.request_timeout),
            ("write_timeout", self.write_timeout),
        ];
        for (setting, given) in times {
            if given.is_zero() || given > LONGEST {
                refuse(setting, format!("{given:?}"), "above 0 s, up to 3600 s");
            }
        }
        if let Some(rate) = self.rate {
            if !(0.01..=1e6).contains(&rate.per_second) {
                refuse("rate.per_second", rate.per_second.to_string(), "0.01 to 1000000");
            }
            if !(1..=1_000_000).contains(&rate.burst) {
                refuse("rate.burst", rate.burst.to_string(), "1 to 1000000");
            }
            if !(1..=1_000_000).contains(&rate.clients) {
                refuse("rate.clients", rate.clients.to_string(), "1 to 1000000");
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let said = |limits: ServerLimits| limits.check().unwrap_err().to_string();
        let default = ServerLimits::default;
        assert_eq!(default().check(), Ok(()));
        assert_eq!(said(ServerLimits { connections: 0, ..default() }), "`connections` is 0, accepted is 1 to 10000");
        assert_eq!(
            said(ServerLimits { write_timeout: Duration::ZERO, ..default() }),
            "`write_timeout` is 0ns, accepted is above 0 s, up to 3600 s"
        );
        assert!(said(ServerLimits { header_timeout: Duration::MAX, ..default() }).starts_with("`header_timeout` is "));
    }

    #[test]
    fn all_that_is_out_of_range_is_reported_at_once() {
        let wrong = ServerLimits {
            connections: 10_001,
            streams: 0,
            requests: 0,
            headers: 1_001,
            head_bytes: 8_191,
            body_bytes: (1 << 30) + 1,
            decompressed_bytes: usize::MAX,
            held_bytes: 1,
            rate: Some(RateLimit { per_second: f64::NAN, burst: 0, clients: 0 }),
            header_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            read_timeout: Duration::from_secs(3_601),
            request_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
        };
        let said: Vec<String> = wrong.problems().iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 16, "{said:#?}");
        assert!(said.iter().any(|said| said.starts_with("`held_bytes` is 1, accepted is at least `body_bytes`")));
        assert!(said.iter().any(|said| said == "`rate.per_second` is NaN, accepted is 0.01 to 1000000"));
    }
}
