//! The error of a join that too many branches failed: with every cause, not the first alone.

use std::error::Error as StdError;
use std::fmt;

use crate::causes::write_causes;
use crate::error::Error;

/// Too many branches of an [`any`](crate::Parallel::any) or a [`quorum`](crate::Parallel::quorum)
/// failed. Found inside an [`Error`] by [`downcast_ref`](Error::downcast_ref); that error's kind
/// and retry hint are the first cause's.
///
/// The message holds each cause's, cut at 256 bytes, of the first eight; the source is the first
/// cause.
///
/// ```
/// # use tta_primitives::{Context, JoinError, step};
/// # async fn near(_: u32) -> Result<u32, String> { Err("no route".to_owned()) }
/// # async fn far(_: u32) -> Result<u32, String> { Err("too slow".to_owned()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let fetch = step((step(near) | far).any());
/// let error = fetch.run(1, &Context::new()).await.unwrap_err();
/// assert_eq!(error.to_string(), "all 2 branches failed: near: no route; far: too slow");
/// let causes = error.downcast_ref::<JoinError>().map(JoinError::causes).unwrap_or_default();
/// assert_eq!(causes.len(), 2);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct JoinError {
    /// How many successes it took; `None` when any one would have done.
    needed: Option<usize>,
    total: usize,
    causes: Vec<Error>,
}

impl JoinError {
    pub(super) fn any(total: usize, causes: Vec<Error>) -> Self {
        Self { needed: None, total, causes }
    }

    pub(super) fn quorum(needed: usize, total: usize, causes: Vec<Error>) -> Self {
        Self { needed: Some(needed), total, causes }
    }

    /// The errors of the branches that failed, in the order of the branches. The path of each
    /// begins with the branch's name.
    #[must_use]
    pub fn causes(&self) -> &[Error] {
        &self.causes
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, total) = (self.causes.len(), self.total);
        match self.needed {
            None => write!(f, "all {total} branches failed")?,
            Some(needed) => write!(f, "no quorum of {needed}, {failed} of {total} branches failed")?,
        }
        write_causes(f, &self.causes, |_, cause| cause.path().first().map_or("branch", |name| name.as_str()))
    }
}

impl StdError for JoinError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.causes.first().map(|first| first as &(dyn StdError + 'static))
    }
}
