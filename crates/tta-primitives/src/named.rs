//! A name of the user's choice for one step.

use std::future::Future;

use tta_telemetry::Name;

use crate::context::Context;
use crate::error::Result;
use crate::graph::Graph;
use crate::primitive::Primitive;

/// A primitive under another name: in traces, statistics and graphs. Functions and types name
/// themselves; this is for closures, and for several steps of one type.
///
/// [`Workflow::named`](crate::Workflow::named) is another thing: it makes steps a workflow, with a
/// span around theirs.
///
/// ```
/// use tta_primitives::{named, step};
/// # async fn fetch(url: String) -> Result<String, String> { Ok(url) }
///
/// let both = step(named("paris", fetch)) | named("tokyo", fetch);
/// # let graph = (both >> |_: (String, String)| async { Ok::<_, String>(()) }).graph().to_text();
/// # assert!(graph.contains("├─ paris") && graph.contains("╰─ tokyo"), "{graph}");
/// ```
pub fn named<P>(name: impl Into<Name>, primitive: P) -> Named<P> {
    Named { name: name.into(), primitive }
}

/// See [`named`].
#[derive(Clone, Debug)]
pub struct Named<P> {
    name: Name,
    primitive: P,
}

impl<In: Send + 'static, P: Primitive<In>> Primitive<In> for Named<P> {
    type Out = P::Out;

    #[inline]
    fn run(&self, input: In, cx: &Context) -> impl Future<Output = Result<P::Out>> + Send {
        self.primitive.run(input, cx)
    }

    fn name(&self) -> Name {
        self.name.clone()
    }

    fn kind(&self) -> &'static str {
        self.primitive.kind()
    }

    fn graph(&self) -> Graph {
        self.primitive.graph()
    }
}
