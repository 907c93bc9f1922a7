//! Reuse of trace memory, and the list of all traces of an engine.
//!
//! Each thread keeps a few idle traces for itself, where taking and giving are a move; the rest go
//! through a queue shared by the engine's threads. The registry lists every trace, idle or live,
//! so that the oldest can be found when memory runs out.

use std::cell::RefCell;
use std::sync::Arc;

use super::core::Core;
use super::live::{FIRST_CHUNK_BYTES, LiveTrace, Seen};
use super::sync::Mutex;

/// Idle traces a thread keeps for itself, over all engines.
const OWN_POOL: usize = 4;

thread_local! {
    static OWN: Own = const { Own(RefCell::new(Vec::new())) };
}

/// One thread's idle traces; they go to the shared pool when the thread ends.
struct Own(RefCell<Vec<Arc<LiveTrace>>>);

impl Drop for Own {
    fn drop(&mut self) {
        for live in self.0.take() {
            give_shared(live);
        }
    }
}

/// An idle trace, new if there is none; `None` when the byte bound leaves no room.
#[inline]
pub(crate) fn take(core: &Arc<Core>) -> Option<Arc<LiveTrace>> {
    take_own(core).or_else(|| take_shared(core))
}

#[inline]
fn take_own(core: &Arc<Core>) -> Option<Arc<LiveTrace>> {
    OWN.try_with(|own| {
        let mut own = own.0.try_borrow_mut().ok()?;
        if own.last().is_some_and(|live| Arc::ptr_eq(&live.core, core)) && !core.is_closed() {
            return own.pop();
        }
        // Several engines on this thread, or one that has ended.
        own.retain(|live| !live.core.is_closed());
        let at = own.iter().position(|live| Arc::ptr_eq(&live.core, core))?;
        Some(own.swap_remove(at))
    })
    .ok()
    .flatten()
}

#[cold]
fn take_shared(core: &Arc<Core>) -> Option<Arc<LiveTrace>> {
    if core.is_closed() {
        return None;
    }
    if let Some(live) = core.shared_pool.pop() {
        return Some(live);
    }
    if !core.reserve(FIRST_CHUNK_BYTES, None) {
        return None;
    }
    core.registry.add(core)
}

/// Takes back a trace that nobody else uses.
#[inline]
pub(crate) fn give(live: Arc<LiveTrace>) {
    if !live.recycle() || live.core.is_closed() {
        free(live);
        return;
    }
    let mut left = Some(live);
    let _ = OWN.try_with(|own| match own.0.try_borrow_mut() {
        Ok(mut own) if own.len() < OWN_POOL => own.extend(left.take()),
        _ => {}
    });
    if let Some(live) = left {
        give_shared(live);
    }
}

/// Like [`give`], from a thread that does not start runs itself.
pub(crate) fn give_to_shared(live: Arc<LiveTrace>) {
    if live.recycle() { give_shared(live) } else { free(live) }
}

#[cold]
fn give_shared(live: Arc<LiveTrace>) {
    let core = Arc::clone(&live.core);
    if core.is_closed() {
        return free(live);
    }
    if let Err(live) = core.shared_pool.push(live) {
        free(live);
    }
}

/// Forgets a trace; its memory goes with the last reference to it.
pub(crate) fn free(live: Arc<LiveTrace>) {
    live.core.registry.remove(live.slot);
}

/// Frees this thread's idle traces of engines that have ended, which they would keep in memory.
pub(crate) fn forget_ended() {
    let _ = OWN.try_with(|own| {
        if let Ok(mut own) = own.0.try_borrow_mut() {
            own.retain(|live| !live.core.is_closed());
        }
    });
}

/// Every trace of an engine, at a fixed place each.
#[derive(Debug)]
pub(crate) struct Registry(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    traces: Vec<Option<Arc<LiveTrace>>>,
    free: Vec<usize>,
    closed: bool,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Slots::default()))
    }

    /// A new trace, whose first chunk is accounted for. `None` once the engine has ended.
    fn add(&self, core: &Arc<Core>) -> Option<Arc<LiveTrace>> {
        let mut slots = self.0.lock();
        if slots.closed {
            core.give_back(FIRST_CHUNK_BYTES);
            return None;
        }
        let slot = slots.free.pop().unwrap_or(slots.traces.len());
        let live = Arc::new(LiveTrace::new(Arc::clone(core), slot));
        let entry = Some(Arc::clone(&live));
        match slots.traces.get_mut(slot) {
            Some(place) => *place = entry,
            None => slots.traces.push(entry),
        }
        Some(live)
    }

    fn remove(&self, slot: usize) {
        let mut slots = self.0.lock();
        if slots.traces.get_mut(slot).and_then(Option::take).is_some() {
            slots.free.push(slot);
        }
    }

    /// All traces that are being recorded.
    pub(crate) fn live(&self) -> Vec<(Arc<LiveTrace>, Seen)> {
        let slots = self.0.lock();
        slots.traces.iter().flatten().filter_map(|live| Some((Arc::clone(live), live.seen()?))).collect()
    }

    /// Forgets every trace, so that the engine and its traces do not keep each other alive.
    /// There will be no new ones.
    pub(crate) fn clear(&self) {
        let ended = Slots { closed: true, ..Slots::default() };
        let slots = std::mem::replace(&mut *self.0.lock(), ended);
        drop(slots);
    }
}
