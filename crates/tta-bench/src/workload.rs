//! What every span carries: three attributes, of which one is text that the recorder must copy.

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_customer_has_twenty_bytes() {
        let workload = Workload::new();
        let mut lengths: Vec<_> = (0..16).map(|turn| workload.attributes(turn).customer.len()).collect();
        lengths.dedup();
        assert_eq!(lengths, [20]);
    }
}
