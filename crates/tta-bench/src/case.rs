//! The axes of the span comparison. Does not know the implementations.

use std::fmt;

/// What becomes of a trace at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Everything was recorded, and is thrown away.
    Dropped,
    /// Everything was recorded, and reaches a consumer that counts it.
    Kept,
}

/// How the work is spread over calling threads, and how spans find their parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One thread, one trace after the other.
    OneThread,
    /// Two threads, each with traces of its own.
    TwoThreads,
    /// Two threads, each recording one branch of the same trace.
    TwoBranches,
    /// One thread, on which the spans of `tracing`'s macros are entered and find their parent.
    Tracing,
}

/// One cell of the comparison, for any implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanCase {
    /// How the work is spread over threads.
    pub shape: Shape,
    /// What becomes of the traces.
    pub fate: Fate,
    /// The root included.
    pub spans_per_trace: u32,
}

impl Shape {
    /// All shapes, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::OneThread, Self::TwoThreads, Self::TwoBranches, Self::Tracing];

    /// Those where a span is given its parent.
    pub const WITH_EXPLICIT_PARENTS: &'static [Self] = &[Self::OneThread, Self::TwoThreads, Self::TwoBranches];

    /// Number of calling threads.
    #[must_use]
    pub fn threads(self) -> u32 {
        match self {
            Self::OneThread | Self::Tracing => 1,
            Self::TwoThreads | Self::TwoBranches => 2,
        }
    }

    /// Sizes of traces, in spans; a trace of one span has no branches.
    #[must_use]
    pub fn trace_sizes(self) -> &'static [u32] {
        match self {
            Self::OneThread | Self::TwoThreads | Self::Tracing => &[1, 10, 100],
            Self::TwoBranches => &[10, 100],
        }
    }

    /// The heading of the shape's tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::OneThread => "One thread",
            Self::TwoThreads => "Two threads, different traces",
            Self::TwoBranches => "Two threads, two branches of one trace",
            Self::Tracing => "Through `tracing`, one thread",
        }
    }
}

impl Fate {
    /// Both fates, in the order of the tables.
    pub const ALL: [Self; 2] = [Self::Dropped, Self::Kept];
}

impl SpanCase {
    /// Every cell of the comparison, in the order of the tables.
    pub fn all() -> impl Iterator<Item = Self> {
        Shape::ALL.into_iter().flat_map(|shape| {
            Fate::ALL.into_iter().flat_map(move |fate| {
                let sizes = shape.trace_sizes().iter();
                sizes.map(move |&spans_per_trace| Self { shape, fate, spans_per_trace })
            })
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneThread => "one-thread",
            Self::TwoThreads => "two-threads",
            Self::TwoBranches => "two-branches",
            Self::Tracing => "tracing",
        })
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "dropped",
            Self::Kept => "kept",
        })
    }
}

impl fmt::Display for SpanCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.shape, self.fate, self.spans_per_trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_are_named_by_shape_fate_and_size() {
        let names: Vec<_> = SpanCase::all().map(|case| case.to_string()).collect();
        assert_eq!(names.len(), 22);
        assert_eq!(names.first().unwrap(), "one-thread/dropped/1");
        assert_eq!(names.last().unwrap(), "tracing/kept/100");
    }
}
