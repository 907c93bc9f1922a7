//! OTLP requests in protobuf, written byte by byte: nothing of ours, so that both could not be wrong together.

/// A span of a request.
pub(crate) struct Span {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    /// 0 for a root.
    pub(crate) parent: u64,
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn field(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    varint(number << 3 | 2, out);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn attribute(key: &str, text: &str) -> Vec<u8> {
    let (mut value, mut pair) = (Vec::new(), Vec::new());
    field(1, text.as_bytes(), &mut value);
    field(1, key.as_bytes(), &mut pair);
    field(2, &value, &mut pair);
    pair
}

fn span(of: &Span) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    field(1, &of.trace_id.to_be_bytes(), &mut out);
    field(2, &of.span_id.to_be_bytes(), &mut out);
    if of.parent != 0 {
        field(4, &of.parent.to_be_bytes(), &mut out);
    }
    field(5, b"work", &mut out);
    // A server; start and end as fixed64.
    out.extend_from_slice(&[6 << 3, 2]);
    for (number, unix_ns) in [(7_u8, 1_700_000_000_000_000_000_u64), (8, 1_700_000_000_000_001_000)] {
        out.push(number << 3 | 1);
        out.extend_from_slice(&unix_ns.to_le_bytes());
    }
    field(9, &attribute("some.key", "a value of some length, as they are"), &mut out);
    out
}

/// A request of these spans, all of one service and library.
pub(crate) fn request(service: &str, spans: &[Span]) -> Vec<u8> {
    let (mut resource, mut scope, mut of_scope, mut of_resource) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    field(1, &attribute("service.name", service), &mut resource);
    field(1, b"library", &mut scope);
    field(1, &scope, &mut of_scope);
    for one in spans {
        field(2, &span(one), &mut of_scope);
    }
    field(1, &resource, &mut of_resource);
    field(2, &of_scope, &mut of_resource);
    let mut out = Vec::new();
    field(1, &of_resource, &mut out);
    out
}
