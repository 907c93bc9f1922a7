//! Fans that outlive a failed branch: `any`, `quorum` and `settle`.

use std::num::NonZeroUsize;

use tta_telemetry::{Name, ValueRef};

use super::fan_out::take;
use super::join::{Rule, Tally};
use super::{Fan, FanOut, JoinError, Parallel, UniformFanOut, fan_settings, run};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::policy::PolicyError;
use crate::primitive::Primitive;

/// Branches that run side by side and need not all succeed; made by [`Parallel::any`],
/// [`Parallel::quorum`] and [`Parallel::settle`].
///
/// As soon as the outcome is certain the branches that still run are told to stop, given
/// `cancel_grace`, and dropped; those that wait their turn never start. What a branch does after
/// that, an error and a panic included, is on its span and changes nothing else.
///
/// Each branch is a part of the run of its own: those that lost are told to stop, those that won
/// are not, so what a winner handed out goes on.
///
/// Dropping ends a branch on a task of its own ([`Joined::spawned`]) only where it waits. One in
/// the middle of a computation goes on to its next `.await`; the fan waits for that at most 10 ms.
///
/// With `|` it becomes a branch of another fan, and is not widened by more branches of its own.
pub struct Joined<In, Out> {
    fan: Fan,
    rule: Rule,
    /// Puts the results together; by now the rule is satisfied.
    assemble: fn(Tally) -> Result<Out>,
    types: std::marker::PhantomData<fn(In) -> Out>,
}

impl<In, Out> Parallel<In, Out> {
    /// Returns the first success, in time; branches that are ready at once are tried in their
    /// order. All branches return the same type.
    ///
    /// Recorded on the step's span: `parallel.join` = `any`, and the index and name of the branch
    /// that won, `parallel.winner` and `parallel.winner_name`. The errors of the others are marked
    /// as handled.
    ///
    /// # Errors
    /// When all branches failed: a [`JoinError`] with all of their errors, whose kind and retry
    /// hint are the first branch's. Without branches: of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput). When the run is told to stop and a branch stops
    /// because of it: that branch's error.
    ///
    /// ```
    /// # use tta_primitives::{Context, Result, step};
    /// # async fn cache(_: u32) -> Result<String, String> { Err("not there".to_owned()) }
    /// # async fn server(id: u32) -> Result<String, String> { Ok(format!("page {id}")) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let fetch = step((step(cache) | server).any());
    /// assert_eq!(fetch.run(7, &Context::new()).await?, "page 7");
    /// # Result::<()>::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn any<T: 'static>(self) -> Joined<In, T>
    where
        Out: UniformFanOut<Item = T>,
    {
        self.joined(Rule::Any, |tally| take(tally.successes().next()))
    }

    /// Returns as soon as `n` branches have succeeded: exactly their outputs, in the order of the
    /// branches. All branches return the same type.
    ///
    /// Recorded on the step's span: `parallel.join` = `quorum`, `parallel.quorum` = `n`, and how
    /// many branches had `parallel.succeeded` and `parallel.failed` when the outcome was certain.
    /// The errors of the others are marked as handled.
    ///
    /// # Errors
    /// When `n` is greater than the number of branches.
    ///
    /// The step fails as soon as too few branches are left for `n` successes, with a [`JoinError`]
    /// that carries the errors so far and has the kind and retry hint of the first of them, in the
    /// order of the branches; and with a branch's own error when it stopped because the run was
    /// told to.
    ///
    /// ```
    /// # use std::num::NonZeroUsize;
    /// # use tta_primitives::{Context, Result, parallel, step};
    /// # async fn replica(id: u32) -> Result<u32, String> { Ok(id) }
    /// # async fn offline(_: u32) -> Result<u32, String> { Err("offline".to_owned()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let two = NonZeroUsize::new(2).unwrap();
    /// let read = step((step(offline) | replica | replica).quorum(two)?);
    /// assert_eq!(read.run(7, &Context::new()).await?, [7, 7]);
    ///
    /// let refused = parallel(vec![step(replica)]).quorum(two).err().unwrap();
    /// assert_eq!(refused.to_string(), "quorum: `n` is 2, accepted is 1 to 1, the number of branches");
    /// # anyhow::Ok(()) }).unwrap();
    /// ```
    pub fn quorum<T: 'static>(self, n: NonZeroUsize) -> Result<Joined<In, Vec<T>>, PolicyError>
    where
        Out: UniformFanOut<Item = T>,
    {
        let accepted = match self.fan.branches.len() {
            0 => "none, as there are no branches".to_owned(),
            total => format!("1 to {total}, the number of branches"),
        };
        PolicyError::check("quorum", "n", n, accepted, n.get() <= self.fan.branches.len())?;
        Ok(self.joined(Rule::Quorum(n), |tally| tally.successes().map(|output| take(Some(output))).collect()))
    }

    /// Waits for every branch and returns what came of each, in their order: a tuple or `Vec` of
    /// `Result`s. No branch is stopped because of another.
    ///
    /// Recorded on the step's span: `parallel.join` = `settle`. The errors of the branches are
    /// marked as handled.
    ///
    /// # Errors
    /// No branch's, except when the run is told to stop and a branch stops because of it.
    ///
    /// ```
    /// # use tta_primitives::{Context, Result, step};
    /// # async fn count(text: String) -> Result<usize, String> { Ok(text.len()) }
    /// # async fn translate(_: String) -> Result<String, String> { Err("offline".to_owned()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let analyse = step((step(count) | translate).settle());
    /// let (length, translation) = analyse.run("to be".to_owned(), &Context::new()).await?;
    /// assert_eq!(length?, 5);
    /// assert_eq!(translation.unwrap_err().to_string(), "offline");
    /// # Result::<()>::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn settle(self) -> Joined<In, Out::Settled>
    where
        Out: FanOut,
    {
        self.joined(Rule::Settle, |tally| Out::assemble_settled(tally.results()))
    }

    fn joined<Joint>(self, rule: Rule, assemble: fn(Tally) -> Result<Joint>) -> Joined<In, Joint> {
        Joined { fan: self.fan, rule, assemble, types: std::marker::PhantomData }
    }
}

fan_settings!(Joined);

impl<In, Out> Clone for Joined<In, Out> {
    fn clone(&self) -> Self {
        Self { fan: self.fan.clone(), rule: self.rule, assemble: self.assemble, types: std::marker::PhantomData }
    }
}

impl<In, Out> Joined<In, Out> {
    /// Says on the step's span what is under way.
    fn record_start(&self, cx: &Context) {
        let join = ("parallel.join", ValueRef::literal(self.rule.as_str()));
        match self.rule {
            Rule::Quorum(n) => cx.annotate(&[join, ("parallel.quorum", ValueRef::from(n.get()))]),
            Rule::Any | Rule::Settle => cx.annotate(&[join]),
        }
    }

    /// Says on the step's span what came of it, and on those of the branches that failed, unless
    /// the step fails by them, that this is as far as their errors go.
    fn record_end(&self, tally: &Tally, cx: &Context) {
        match self.rule {
            Rule::Any => {
                let winner = tally.winner().and_then(|index| Some((index, self.fan.branches.get(index)?)));
                if let Some((index, branch)) = winner {
                    let name = ValueRef::from(&branch.meta().name);
                    cx.annotate(&[("parallel.winner", ValueRef::from(index)), ("parallel.winner_name", name)]);
                }
            }
            Rule::Quorum(_) => {
                let (succeeded, failed) = tally.counts();
                cx.annotate(&[
                    ("parallel.succeeded", ValueRef::from(succeeded)),
                    ("parallel.failed", ValueRef::from(failed)),
                ]);
            }
            Rule::Settle => {}
        }
        if !tally.is_lost() {
            for span in tally.failed_spans() {
                cx.trace().mark_handled(*span);
            }
        }
    }

    #[cold]
    fn failure(&self, tally: Tally) -> Error {
        let total = self.fan.branches.len();
        match self.rule {
            Rule::Quorum(n) => Error::from_any(JoinError::quorum(n.get(), total, tally.errors())),
            _ if total == 0 => Error::new(ErrorKind::InvalidInput, "any of no branches: there is nothing to succeed"),
            _ => Error::from_any(JoinError::any(total, tally.errors())),
        }
    }
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Primitive<In> for Joined<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.record_start(cx);
        let mut tally = Tally::new(self.rule, self.fan.branches.len());
        run::run(&self.fan, input, cx, &mut tally).await?;
        self.record_end(&tally, cx);
        if tally.is_lost() {
            return Err(self.failure(tally));
        }
        (self.assemble)(tally)
    }

    fn name(&self) -> Name {
        self.fan.name.clone()
    }

    fn kind(&self) -> &'static str {
        "parallel"
    }

    fn graph(&self) -> Graph {
        self.fan.graph().note(self.rule.note())
    }
}
