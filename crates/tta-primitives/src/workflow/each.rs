//! One workflow over many inputs.

use futures_util::stream::{Stream, StreamExt};

use super::Workflow;
use crate::context::Context;
use crate::error::Result;

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// Runs the workflow for every input of a stream, at most `concurrency` at a time (0 counts as
    /// 1), each as a run of its own, with its own state. Results come as they finish, each with
    /// the index of its input; a failed run is an item like any other and stops nothing. Inside a
    /// run (`cx` is a step's) they are all parts of that run.
    ///
    /// The runs share one task; spawn or use [`blocking`](crate::blocking) steps for work that
    /// keeps a processor busy. Inputs are pulled only as runs finish, so an endless stream is
    /// fine.
    ///
    /// # Cancel safety
    /// Dropping the stream cancels the runs in flight.
    pub fn for_each<'a, S>(
        &'a self,
        inputs: S,
        concurrency: usize,
        cx: &'a Context,
    ) -> impl Stream<Item = (usize, Result<Out>)> + Send + 'a
    where
        S: Stream<Item = In> + Send + 'a,
    {
        inputs
            .enumerate()
            .map(move |(index, input)| async move { (index, self.run(input, &cx.one_of_many()).await) })
            .buffer_unordered(concurrency.max(1))
    }
}
