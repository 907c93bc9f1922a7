//! What every span carries: three attributes, of which one is text that the recorder must copy.
//! Also the spans that are made with the macros of `tracing`.

/// Attribute names, in the order of the fields of [`Attributes`].
pub const KEYS: [&str; 3] = ["step.attempt", "step.kind", "step.customer"];

/// The attributes of one span.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// An integer.
    pub attempt: i64,
    /// Text known when the program was compiled.
    pub kind: &'static str,
    /// Twenty bytes that live no longer than the call: whoever keeps them must own a copy.
    pub customer: &'a str,
}

/// A span of `tracing` with these attributes: `parent: x,` may stand before its name. The macro
/// behind it wants the names of [`KEYS`] written out.
macro_rules! attributed_span {
    ($attributes:expr, $($parent_and_name:tt)+) => {{
        let attributes = $attributes;
        tracing::info_span!(
            $($parent_and_name)+,
            step.attempt = attributes.attempt,
            step.kind = attributes.kind,
            step.customer = attributes.customer
        )
    }};
}

pub(crate) use attributed_span;

/// A small table from which the spans of a run take their attributes in turn.
pub(crate) struct Workload {
    customers: [String; 16],
}

impl Workload {
    pub(crate) fn new() -> Self {
        Self { customers: std::array::from_fn(|i| format!("tenant-{i:04}-emea-{:03}", i * 5)) }
    }

    #[inline]
    pub(crate) fn attributes(&self, turn: u32) -> Attributes<'_> {
        let customer = self.customers.get((turn % 16) as usize).map_or("", String::as_str);
        std::hint::black_box(Attributes { attempt: i64::from(turn), kind: "retrieval", customer })
    }

    /// Records a trace as a library does it: a span is entered, and in it others, one after the
    /// other. They find their parent on the thread.
    #[inline]
    pub(crate) fn enter_spans(&self, turn: u32, spans: u32) {
        let _root = attributed_span!(self.attributes(turn), "workflow").entered();
        for step in 1..spans {
            drop(attributed_span!(self.attributes(step), "step").entered());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_tracing_have_the_attributes_of_all_others() {
        let _default = tracing::subscriber::set_default(tracing_subscriber::registry());
        let workload = Workload::new();
        let span = attributed_span!(workload.attributes(0), "step");
        let fields = span.metadata().unwrap().fields().iter().map(|field| field.name());
        assert_eq!(fields.collect::<Vec<_>>(), KEYS);
    }

    #[test]
    fn every_customer_has_twenty_bytes() {
        let workload = Workload::new();
        let mut lengths: Vec<_> = (0..16).map(|turn| workload.attributes(turn).customer.len()).collect();
        lengths.dedup();
        assert_eq!(lengths, [20]);
    }
}
