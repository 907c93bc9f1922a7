//! What a trace contains, in 64 bytes: most traces that do not match are passed over without a look
//! at them.
//!
//! A Bloom filter (B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors",
//! 1970) of 512 bits with three for each term. A trace of five spans with 40 different terms
//! sets about a fifth of the bits, so that one in a hundred others looks as if it had the term
//! that is asked for; those are looked at and turn out not to. Large traces set all bits, and there
//! are few of them in a store that is bounded by bytes.

use std::fmt::Write;
use std::sync::Arc;

use super::super::matching::{OWN_KIND, SERVICE_NAME, for_each_text};
use super::super::query::TraceQuery;
use super::super::stored::service_of;
use crate::model::{Attribute, Name, Trace};

/// Bytes of a text that count.
const TEXT_BYTES: usize = 64;

/// The terms of a trace, or those that a query asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature([u64; 8]);

/// What a term is of.
#[derive(Clone, Copy)]
enum Of {
    Service = 1,
    Name,
    Kind,
    Status,
    Key,
    Pair,
}

impl Signature {
    pub(super) fn of_trace(trace: &Trace, own_service: &Name) -> Self {
        let mut signature = Self::default();
        let mut last = std::ptr::null();
        for span in &trace.spans {
            signature.add(Of::Service, service_of(span, own_service).as_str());
            signature.add(Of::Name, span.name.as_str());
            signature.add(Of::Kind, span.kind.as_str());
            signature.add(Of::Status, span.status.as_str());
            signature.add_attributes(&span.attributes);
            if span.received.is_none() {
                signature.add(Of::Kind, OWN_KIND);
                signature.add(Of::Key, SERVICE_NAME);
                signature.add_hash(pair(SERVICE_NAME, own_service.as_str()));
            }
            let source = span.received.as_deref().map(|received| &received.source);
            // Spans that arrive together share it.
            if let Some(source) = source.filter(|source| Arc::as_ptr(source) != last) {
                signature.add_attributes(&source.resource.attributes);
                last = Arc::as_ptr(source);
            }
        }
        signature
    }

    pub(super) fn of_query(query: &TraceQuery) -> Self {
        let mut signature = Self::default();
        let names = [(Of::Service, &query.service), (Of::Name, &query.operation), (Of::Kind, &query.kind)];
        for (of, name) in names {
            name.iter().for_each(|name| signature.add(of, name));
        }
        query.status.iter().for_each(|status| signature.add(Of::Status, status.as_str()));
        for tag in &query.tags {
            signature.add(Of::Key, &tag.key);
            if let Some(value) = &tag.value {
                signature.add_hash(pair(&tag.key, value));
            }
        }
        signature
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(bits, other)| *bits |= other);
    }

    pub(super) fn may_contain(&self, wanted: &Self) -> bool {
        self.0.iter().zip(wanted.0).all(|(bits, wanted)| bits & wanted == wanted)
    }

    fn add_attributes(&mut self, attributes: &[Attribute]) {
        for attribute in attributes {
            let key = attribute.key.as_str();
            self.add(Of::Key, key);
            for_each_text(&attribute.value, &mut |text| self.add_hash(pair(key, text)));
        }
    }

    fn add(&mut self, of: Of, text: &str) {
        self.add_hash(Hash::new(of).text(text).finish());
    }

    fn add_hash(&mut self, hash: u64) {
        for part in [hash, hash >> 9, hash >> 18] {
            let bit = part & 511;
            if let Some(bits) = self.0.get_mut((bit >> 6) as usize) {
                *bits |= 1 << (bit & 63);
            }
        }
    }
}

fn pair(key: &str, value: impl std::fmt::Display) -> u64 {
    Hash::new(Of::Pair).text(key).text(value).finish()
}

/// FNV-1a, which does not care in how many pieces a text is written.
struct Hash {
    state: u64,
    left: usize,
}

impl Hash {
    fn new(of: Of) -> Self {
        Self { state: 0xcbf2_9ce4_8422_2325 ^ of as u64, left: 0 }
    }

    fn text(mut self, text: impl std::fmt::Display) -> Self {
        self.left = TEXT_BYTES;
        // Full after so many bytes, which is no failure.
        let _ = write!(self, "{text}");
        self.left = 1;
        self.bytes(&[0xff]);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(self.left) {
            self.state = (self.state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.left = self.left.saturating_sub(bytes.len());
    }

    /// Spreads all bits to the lowest, as SplitMix64 does.
    fn finish(self) -> u64 {
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Write for Hash {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        self.bytes(piece.as_bytes());
        if self.left == 0 { Err(std::fmt::Error) } else { Ok(()) }
    }
}
