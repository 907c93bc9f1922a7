//! The library spans that this thread has entered and not yet left.
//!
//! Owns where the thread goes when they are left: in the reverse order of entering, in another
//! one, on another thread, late, or never.
//!
//! # Worked example
//! A thread at step `s` enters span A, from A span B, and leaves A first, as guards dropped out of
//! order do. The thread stays in B; B's way back, which led to A, now leads to `s`.
//!
//! If B was entered from a step that is polled inside A, the way back from B leads to that step,
//! and the end of the step's poll will put the thread back into A. So A stays here, marked as
//! exited, and is left as soon as the thread is seen in it.
//!
//! Whenever the thread is seen in A, what was entered after A has ended: steps that end put the
//! thread back to where they began, whatever was entered in them and not left.

use std::cell::RefCell;

use tta_primitives::interop::Before;

/// Spans that one thread may have entered at a time.
pub(super) const MAX_ENTERED: usize = 128;

/// From so many on, those that can never be left again are looked for.
const FIRST_CLEANING: usize = 32;

/// Which span of which layer, by the subscriber's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) layer: u64,
    pub(super) id: u64,
}

#[derive(Debug)]
struct Entry {
    entered: Entered,
    before: Before,
    was_panicking: bool,
    /// Left, but the thread was elsewhere.
    is_exited: bool,
}

#[derive(Debug)]
struct Stack {
    entries: Vec<Entry>,
    clean_at: usize,
}

thread_local! {
    // Never borrowed while code runs that may come back here: a context that is let go of may be
    // the last of its run, whose end calls samplers of users.
    static STACK: RefCell<Stack> = const { RefCell::new(Stack::new()) };
}

/// Calls `f` with the stack; nothing that could come back here may run in it. `None` while the
/// thread ends.
#[inline]
fn with_stack<R>(f: impl FnOnce(&mut Stack) -> R) -> Option<R> {
    STACK.try_with(|stack| stack.try_borrow_mut().ok().map(|mut stack| f(&mut stack))).ok()?
}

/// Calls `f` with the stack taken out, so that anything may run in it.
fn with_stack_apart<R>(f: impl FnOnce(&mut Stack) -> R) -> Option<R> {
    let mut apart = with_stack(|stack| std::mem::replace(stack, Stack::new()))?;
    let result = f(&mut apart);
    with_stack(|stack| {
        // What was entered meanwhile comes on top.
        apart.entries.append(&mut stack.entries);
        *stack = apart;
    });
    Some(result)
}

/// A thread has entered [`MAX_ENTERED`] spans.
#[derive(Debug)]
pub(super) struct TooMany;

/// Enters a span by `enter`, unless it is not open.
///
/// # Errors
/// When too many are entered already. `is_open` tells which spans of this layer can still be left.
pub(super) fn push(
    entered: Entered,
    enter: impl FnOnce() -> Option<Before>,
    is_open: impl Fn(u64) -> bool,
) -> Result<(), TooMany> {
    if with_stack(|stack| stack.is_settled() && stack.entries.len() < stack.clean_at) == Some(false) {
        let length = with_stack_apart(|stack| {
            stack.settle();
            if stack.entries.len() >= stack.clean_at {
                stack.clean(entered.layer, is_open);
            }
            stack.entries.len()
        });
        if length.is_some_and(|length| length >= MAX_ENTERED) {
            return Err(TooMany);
        }
    }
    if let Some(before) = enter() {
        let entry = Entry { entered, before, was_panicking: std::thread::panicking(), is_exited: false };
        with_stack(|stack| stack.entries.push(entry));
    }
    Ok(())
}

/// Leaves a span. `true` when a panic that began in it is leaving it.
pub(super) fn pop(entered: Entered) -> bool {
    // Most are left in the reverse order of entering.
    let top = with_stack(|stack| {
        stack.entries.pop_if(|top| top.entered == entered && !top.is_exited && top.before.is_here())
    });
    let was_panicking = match top.flatten() {
        Some(top) => {
            let was_panicking = top.was_panicking;
            top.before.leave();
            settle();
            Some(was_panicking)
        }
        None if with_stack(|stack| stack.entries.is_empty()) != Some(false) => None,
        None => with_stack_apart(|stack| {
            stack.settle();
            stack.leave(entered)
        })
        .flatten(),
    };
    was_panicking == Some(false) && std::thread::panicking()
}

/// The library span that this thread is directly in, not in a step inside it. To be called after
/// [`settle`].
#[inline]
pub(super) fn innermost() -> Option<Entered> {
    with_stack(|stack| stack.entries.last().filter(|top| top.before.is_here()).map(|top| top.entered))?
}

/// Takes note of where the thread has come to by itself, and leaves the exited spans it is in.
#[inline]
pub(super) fn settle() {
    if with_stack(|stack| stack.is_settled()) == Some(false) {
        with_stack_apart(Stack::settle);
    }
}

impl Stack {
    const fn new() -> Self {
        Self { entries: Vec::new(), clean_at: FIRST_CLEANING }
    }

    /// Whether the thread is in none of the spans but the last, and has not left that.
    #[inline]
    fn is_settled(&self) -> bool {
        let Some((top, others)) = self.entries.split_last() else { return true };
        if top.before.is_here() {
            return !top.is_exited;
        }
        !others.iter().any(|entry| entry.before.is_here())
    }

    /// Takes out what was entered after the span that the thread is in, and goes back from exited
    /// ones.
    fn settle(&mut self) {
        while let Some(index) = self.entries.iter().rposition(|entry| entry.before.is_here()) {
            self.entries.truncate(index + 1);
            match self.entries.pop_if(|top| top.is_exited) {
                Some(exited) => exited.before.leave(),
                None => return,
            }
        }
    }

    /// Leaves a span, and tells whether the thread was panicking when it was entered.
    fn leave(&mut self, entered: Entered) -> Option<bool> {
        let index = self.entries.iter().rposition(|entry| !entry.is_exited && entry.entered == entered)?;
        let entry = self.entries.remove(index);
        let was_panicking = entry.was_panicking;
        if let Some(entry) = self.go_back(index, entry) {
            self.entries.insert(index.min(self.entries.len()), Entry { is_exited: true, ..entry });
        }
        Some(was_panicking)
    }

    /// Goes back from a span that was taken out at `index`. Gives it back when the thread is
    /// elsewhere and may come back to it.
    fn go_back(&mut self, index: usize, entry: Entry) -> Option<Entry> {
        let mut is_skipped = false;
        for later in self.entries.iter_mut().skip(index).filter(|later| later.before.follows(&entry.before)) {
            later.before.skip(&entry.before);
            is_skipped = true;
        }
        if entry.before.is_here() {
            entry.before.leave();
            self.settle();
            return None;
        }
        (!is_skipped).then_some(entry)
    }

    /// Takes out what will not be left again: spans that were closed without being exited, as a
    /// guard that is forgotten or dropped on another thread leaves them, and exited ones that the
    /// thread did not come back to.
    fn clean(&mut self, layer: u64, is_open: impl Fn(u64) -> bool) {
        let is_stale = |entry: &Entry| entry.entered.layer == layer && !is_open(entry.entered.id);
        while let Some(index) = self.entries.iter().rposition(is_stale) {
            let entry = self.entries.remove(index);
            self.go_back(index, entry);
        }
        self.clean_at = (self.entries.len() * 2).clamp(FIRST_CLEANING, MAX_ENTERED);
    }
}
