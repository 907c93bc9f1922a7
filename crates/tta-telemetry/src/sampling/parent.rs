//! What a caller in another process has decided.

use super::otel_state::OtelState;
use super::threshold::{Randomness, Threshold};
use crate::id::TraceId;
use crate::propagation::TraceContext;

/// What the caller in another process decided about the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemoteParent {
    /// There is no caller: the trace begins here.
    #[default]
    None,
    /// It is not kept there.
    NotSampled,
    /// It is kept there, with this threshold; without one nobody knows the probability.
    Sampled(Option<Threshold>),
}

/// What a received context says about sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteSampling {
    /// What the caller decided.
    pub parent: RemoteParent,
    /// The trace's randomness: `rv` where the root has put it in, else that of the trace id.
    pub randomness: Randomness,
    /// The `random` flag was missing and there is no `rv`: that the trace id is random is a guess.
    pub presumed_random: bool,
}

impl RemoteSampling {
    /// Reads a received context. A threshold that contradicts the `sampled` flag is not believed:
    /// the trace is kept as the flag says, with an unknown weight.
    ///
    /// ```
    /// use tta_telemetry::propagation::extract;
    /// use tta_telemetry::sampling::{RemoteParent, RemoteSampling};
    ///
    /// let received = extract(&[
    ///     ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
    ///     ("tracestate", "ot=th:c"),
    /// ]);
    /// let sampling = RemoteSampling::read(&received.trace.expect("well-formed"));
    /// assert_eq!(sampling.parent, RemoteParent::Sampled("c".parse().ok()));
    /// ```
    #[must_use]
    pub fn read(context: &TraceContext) -> Self {
        let state = OtelState::read(&context.trace_state);
        let randomness = state.randomness().unwrap_or_else(|| Randomness::of(context.trace_id));
        let parent = if context.flags.is_sampled() {
            RemoteParent::Sampled(state.threshold().filter(|threshold| threshold.keeps(randomness)))
        } else {
            RemoteParent::NotSampled
        };
        let presumed_random = state.randomness().is_none() && !context.flags.is_random();
        Self { parent, randomness, presumed_random }
    }

    /// A trace that begins here: our ids are random.
    #[must_use]
    pub fn root(trace_id: TraceId) -> Self {
        Self { parent: RemoteParent::None, randomness: Randomness::of(trace_id), presumed_random: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::extract;

    fn read(flags: &str, state: &str) -> RemoteSampling {
        let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let received = extract(&[("traceparent", parent.as_str()), ("tracestate", state)]);
        RemoteSampling::read(&received.trace.unwrap())
    }

    #[test]
    fn a_sampled_flag_is_believed_and_a_threshold_only_when_it_agrees() {
        // The trace id's randomness is ce929d0e0e4736.
        for (state, expected) in [
            ("", None),
            ("ot=th:0", Some("0")),
            ("ot=th:ce929d0e0e4736", Some("ce929d0e0e4736")),
            ("ot=th:ce929d0e0e4737", None),
            ("ot=th:c;rv:bfffffffffffff", None),
            ("ot=th:f;rv:ffffffffffffff", Some("f")),
            ("ot=th:C", None),
            ("ot=th:c;", None),
            ("th=c", None),
        ] {
            let expected = RemoteParent::Sampled(expected.map(|th| th.parse().unwrap()));
            assert_eq!(read("01", state).parent, expected, "{state}");
            assert_eq!(read("00", state).parent, RemoteParent::NotSampled, "{state}");
        }
    }

    #[test]
    fn randomness_comes_from_rv_before_the_trace_id_and_is_presumed_without_flag_and_rv() {
        assert_eq!(read("01", "").randomness.to_string(), "ce929d0e0e4736");
        assert_eq!(read("01", "ot=rv:00000000000001").randomness.to_string(), "00000000000001");
        assert_eq!(read("01", "ot=rv:1").randomness.to_string(), "ce929d0e0e4736");
        assert_eq!(["00", "01", "02", "03"].map(|flags| read(flags, "").presumed_random), [true, true, false, false]);
        assert!(!read("00", "ot=rv:00000000000001").presumed_random);
    }

    #[test]
    fn a_trace_that_begins_here_has_no_parent_and_a_random_id() {
        let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
        let root = RemoteSampling::root(id);
        assert_eq!((root.parent, root.presumed_random), (RemoteParent::None, false));
        assert_eq!(root.randomness, Randomness::of(id));
    }
}
