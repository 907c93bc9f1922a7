//! What carries the headers of a call, readable and writable by both libraries.

use opentelemetry::propagation::{Extractor, Injector};
use std::collections::HashMap;
use tta_telemetry::propagation::{BAGGAGE, HeaderSink, HeaderSource, TRACEPARENT, TRACESTATE};

/// The headers of the measured call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headers {
    /// Whether there is a `baggage` among them.
    pub(super) baggage: bool,
}

/// A kind of carrier.
pub(super) trait Carrier {
    /// The headers of the incoming call.
    type Source: HeaderSource + Extractor;
    /// Those of the outgoing one.
    type Sink: HeaderSource + HeaderSink + Injector + Default;

    fn source(headers: &Headers) -> Self::Source;
}

/// Three slots.
pub(super) struct Fixed;

/// A map with the other headers of a request as well.
pub(super) struct Map;

/// A list of pairs with the other headers of a request as well.
pub(super) struct Pairs;

/// The three headers and no others; an empty one is not there. Both libraries find a header in the
/// same way, and neither waits for the carrier to allocate: values that are lent are copied into
/// the room of the last ones, owned ones take their place.
#[derive(Default)]
pub(super) struct Slots {
    traceparent: String,
    tracestate: String,
    baggage: String,
}

/// Headers in the order in which they came.
pub(super) struct List(Vec<(&'static str, &'static str)>);

/// What a request has besides.
const OTHERS: [(&str, &str); 5] = [
    ("host", "orders.example.com"),
    ("user-agent", "tta-bench/0.1"),
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("content-length", "348"),
];

impl Headers {
    fn pairs(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let baggage = (BAGGAGE, "userId=alice,serverNode=DF%2028,isProduction=false");
        let trace = [
            (TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            (TRACESTATE, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ];
        trace.into_iter().chain(self.baggage.then_some(baggage))
    }

    fn with_others(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        OTHERS.into_iter().chain(self.pairs())
    }

    /// What an outgoing call must carry: see [`written`].
    pub(super) fn sorted(self) -> Vec<Vec<String>> {
        written(&List(self.pairs().collect()))
    }
}

/// The members of each of the three headers; those of `baggage` in order of the alphabet, because
/// their own has no meaning.
pub(super) fn written(carrier: &impl HeaderSource) -> Vec<Vec<String>> {
    let headers = [TRACEPARENT, TRACESTATE, BAGGAGE].into_iter();
    let mut lists: Vec<Vec<String>> = headers
        .map(|name| {
            let values = carrier.values(name).map(|value| String::from_utf8_lossy(value).into_owned());
            values.flat_map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
        })
        .collect();
    if let Some(baggage) = lists.last_mut() {
        baggage.sort();
    }
    lists
}

impl Carrier for Fixed {
    type Source = Slots;
    type Sink = Slots;

    fn source(headers: &Headers) -> Slots {
        let mut slots = Slots::default();
        headers.pairs().for_each(|(name, value)| HeaderSink::set(&mut slots, name, value));
        slots
    }
}

impl Carrier for Map {
    type Source = HashMap<String, String>;
    type Sink = HashMap<String, String>;

    fn source(headers: &Headers) -> HashMap<String, String> {
        headers.with_others().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Carrier for Pairs {
    type Source = List;
    type Sink = Slots;

    fn source(headers: &Headers) -> List {
        List(headers.with_others().collect())
    }
}

impl Slots {
    #[inline]
    fn slot(&self, name: &str) -> Option<&str> {
        let value = match name {
            TRACEPARENT => &self.traceparent,
            TRACESTATE => &self.tracestate,
            BAGGAGE => &self.baggage,
            _ => return None,
        };
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    #[inline]
    fn slot_mut(&mut self, name: &str) -> Option<&mut String> {
        match name {
            TRACEPARENT => Some(&mut self.traceparent),
            TRACESTATE => Some(&mut self.tracestate),
            BAGGAGE => Some(&mut self.baggage),
            _ => None,
        }
    }
}

impl HeaderSource for Slots {
    #[inline]
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.slot(name).map(str::as_bytes).into_iter()
    }
}

impl HeaderSink for Slots {
    #[inline]
    fn set(&mut self, name: &'static str, value: &str) {
        if let Some(slot) = self.slot_mut(name) {
            slot.clear();
            slot.push_str(value);
        }
    }

    #[inline]
    fn remove(&mut self, name: &'static str) {
        if let Some(slot) = self.slot_mut(name) {
            slot.clear();
        }
    }
}

impl Extractor for Slots {
    #[inline]
    fn get(&self, key: &str) -> Option<&str> {
        self.slot(key)
    }

    fn keys(&self) -> Vec<&str> {
        let names = [TRACEPARENT, TRACESTATE, BAGGAGE].into_iter();
        names.filter(|name| self.slot(name).is_some()).collect()
    }
}

impl Injector for Slots {
    #[inline]
    fn set(&mut self, key: &str, value: String) {
        if let Some(slot) = self.slot_mut(key) {
            *slot = value;
        }
    }
}

impl HeaderSource for List {
    #[inline]
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.values(name)
    }
}

impl Extractor for List {
    #[inline]
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|&(_, value)| value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|&(name, _)| name).collect()
    }
}
