//! A request as an SDK sends it: encoded once, given fresh trace ids each time.
//!
//! Owns its own few lines of protobuf: what is measured must not write its own exam.

use std::net::SocketAddr;

/// Spans of a request: what SDKs send at most by default.
pub(super) const SPANS: usize = 512;
/// Spans of a trace; the last one of a request has what is left.
pub(super) const TRACE_SPANS: usize = 10;
/// Attributes of a span.
pub(super) const ATTRIBUTES: usize = 10;

/// As a service has them.
const OPERATIONS: [&str; 8] =
    ["GET /cart", "POST /cart", "GET /products/{id}", "charge", "quote", "ship", "convert", "SELECT shop.items"];
/// Where a trace id will be: its field's key and length, and what no id begins with.
const MARK: [u8; 10] = [0x0a, 16, 0xa5, 0x5a, 0xa5, 0x5a, 0xa5, 0x5a, 0xa5, 0x5a];
/// Its key and length stay.
const MARK_KEY_BYTES: usize = 2;
/// A day in 2026; what matters is that spans end after they start.
const START_UNIX_NS: u64 = 1_790_000_000_000_000_000;

/// An HTTP request with its body.
pub(super) struct Request {
    bytes: Vec<u8>,
    /// Where trace ids are, and of which trace of the request.
    ids: Vec<(usize, u64)>,
    traces: Traces,
}

/// Trace ids that look random and are different for each seed.
pub(crate) struct Traces(u64);

impl Request {
    /// One of the service of this number, to this address. Senders with different seeds send different traces.
    pub(super) fn new(to: SocketAddr, service: usize, seed: u64) -> Self {
        let body = body(service);
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&body);
        let marks = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
        let ids: Vec<_> =
            marks.enumerate().map(|(span, (at, _))| (at + MARK_KEY_BYTES, (span / TRACE_SPANS) as u64)).collect();
        Self { bytes, ids, traces: Traces::new(seed) }
    }

    /// The same spans, of traces that nobody has sent before.
    pub(super) fn next(&mut self) -> &[u8] {
        let mut trace = u64::MAX;
        let mut id = [0_u8; 16];
        for &(at, of) in &self.ids {
            if of != trace {
                trace = of;
                id = self.traces.next();
            }
            if let Some(place) = self.bytes.get_mut(at..at + id.len()) {
                place.copy_from_slice(&id);
            }
        }
        &self.bytes
    }
}

impl Traces {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> [u8; 16] {
        (u128::from(self.number()) << 64 | u128::from(self.number())).to_be_bytes()
    }

    /// SplitMix64.
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// An `ExportTraceServiceRequest` of one resource and one scope.
fn body(service: usize) -> Vec<u8> {
    let mut scope_spans = message(1, &[text(1, "shop.instrumentation"), text(2, "1.4.0")].concat());
    for index in 0..SPANS {
        scope_spans.extend(message(2, &span(index)));
    }
    let resource = [
        attribute("service.name", &text(1, &format!("shop-{service}"))),
        attribute("service.version", &text(1, "2.3.1")),
        attribute("service.instance.id", &text(1, "627cc493-f310-47de-96bd-71410b7dec09")),
        attribute("telemetry.sdk.language", &text(1, "rust")),
        attribute("host.name", &text(1, "node-17.example.internal")),
    ];
    let resource: Vec<u8> = resource.iter().flat_map(|attribute| message(1, attribute)).collect();
    message(1, &[message(1, &resource), message(2, &scope_spans)].concat())
}

/// Children first, as they end: the root is the last of its trace.
fn span(index: usize) -> Vec<u8> {
    let place = index % TRACE_SPANS;
    let is_root = place == TRACE_SPANS - 1 || index == SPANS - 1;
    let id = |place: usize| (place as u64 + 1).to_be_bytes();
    let start = START_UNIX_NS + index as u64 * 1_000;
    let mut span = MARK.to_vec();
    span.extend([0; 8]);
    span.extend(bytes(2, &id(if is_root { TRACE_SPANS } else { place })));
    if !is_root {
        span.extend(bytes(4, &id(TRACE_SPANS)));
    }
    span.extend(text(5, OPERATIONS.get(index % OPERATIONS.len()).copied().unwrap_or_default()));
    span.extend(number(6, if is_root { 2 } else { 3 }));
    span.extend(fixed64(7, start));
    span.extend(fixed64(8, start + 150_000 + place as u64 * 30_000));
    for attribute in attributes(index) {
        span.extend(message(9, &attribute));
    }
    span
}

/// Of a call by HTTP, as the semantic conventions have it.
fn attributes(index: usize) -> [Vec<u8>; ATTRIBUTES] {
    [
        attribute("http.request.method", &text(1, "GET")),
        attribute("url.scheme", &text(1, "https")),
        attribute("url.path", &text(1, &format!("/products/{}", 10_000 + index))),
        attribute("http.response.status_code", &number(3, 200)),
        attribute("server.address", &text(1, "products.example.com")),
        attribute("server.port", &number(3, 8_443)),
        attribute("user_agent.original", &text(1, "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0")),
        attribute("network.protocol.version", &text(1, "1.1")),
        attribute("app.customer.tier", &text(1, "gold")),
        attribute("app.cart.total", &fixed64(4, (index as f64 * 1.25).to_bits())),
    ]
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [text(1, key), message(2, value)].concat()
}

fn text(field: u8, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

fn message(field: u8, body: &[u8]) -> Vec<u8> {
    bytes(field, body)
}

fn bytes(field: u8, bytes: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2], &*varint(bytes.len() as u64), bytes].concat()
}

fn number(field: u8, value: u64) -> Vec<u8> {
    [&[field << 3], &*varint(value)].concat()
}

fn fixed64(field: u8, value: u64) -> Vec<u8> {
    [&[field << 3 | 1], &value.to_le_bytes()[..]].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn ids(request: &Request) -> Vec<[u8; 16]> {
        request.ids.iter().map(|&(at, _)| request.bytes[at..at + 16].try_into().unwrap()).collect()
    }

    #[test]
    fn each_request_has_traces_of_ten_spans_that_no_other_one_has() {
        let to = SocketAddr::from(([127, 0, 0, 1], 4318));
        let (mut first, mut second) = (Request::new(to, 0, 1), Request::new(to, 1, 2));
        let mut seen: HashMap<[u8; 16], usize> = HashMap::new();
        for request in [&mut first, &mut second] {
            for _ in 0..3 {
                let _ = request.next();
                let ids = ids(request);
                assert_eq!(ids.len(), SPANS);
                ids.into_iter().for_each(|id| *seen.entry(id).or_default() += 1);
            }
        }
        let whole = seen.values().filter(|spans| **spans == TRACE_SPANS).count();
        assert_eq!((whole, seen.len()), (6 * 51, 6 * 52), "the last trace has the two that are left");
    }
}
