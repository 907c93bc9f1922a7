//! What a step resolves once and keeps: its cells in the engine that it met first.
//!
//! A workflow is built before it meets an engine, and may meet several. The first pair of engine
//! and workflow is remembered, so that the usual case is one comparison; others are looked up for
//! every execution.

use std::sync::{Arc, OnceLock};

use crate::context::Context;

/// One thing per engine and workflow.
#[derive(Debug)]
pub(crate) struct PerEngine<T>(OnceLock<First<T>>);

#[derive(Debug)]
struct First<T> {
    /// The engine and the workflow.
    key: (u64, u64),
    /// `None` in an engine that records nothing.
    kept: Option<Arc<T>>,
}

/// What was resolved: usually the one that is kept.
#[derive(Debug)]
pub(crate) enum Resolved<'a, T> {
    None,
    Kept(&'a T),
    Looked(Arc<T>),
}

impl<T> Default for PerEngine<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

/// A clone stands in a place of its own, and resolves for itself.
impl<T> Clone for PerEngine<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PerEngine<T> {
    /// What was resolved first, where a borrowed one will not do.
    #[inline]
    pub(crate) fn shared(&self, cx: &Context, resolve: impl Fn() -> Option<Arc<T>>) -> Option<Arc<T>> {
        match self.get(cx, resolve) {
            Resolved::Looked(looked) => Some(looked),
            _ => self.0.get().and_then(|first| first.kept.clone()),
        }
    }

    /// The one for the context's engine and workflow.
    #[inline]
    pub(crate) fn get(&self, cx: &Context, resolve: impl Fn() -> Option<Arc<T>>) -> Resolved<'_, T> {
        let key = (cx.telemetry().engine_id(), cx.workflow_key());
        let first = self.0.get_or_init(|| First { key, kept: resolve() });
        if first.key == key {
            return first.kept.as_deref().map_or(Resolved::None, Resolved::Kept);
        }
        resolve().map_or(Resolved::None, Resolved::Looked)
    }
}

impl<T> Resolved<'_, T> {
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Resolved::None => None,
            Resolved::Kept(kept) => Some(kept),
            Resolved::Looked(looked) => Some(looked),
        }
    }
}
