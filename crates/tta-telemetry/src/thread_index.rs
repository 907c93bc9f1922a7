//! A small number for each thread, unique among the threads that live.
//!
//! It lets counters and pools be split by thread without hashing and without contention: the
//! thread that holds an index is the only writer of the cells behind it. Indices are given back
//! when a thread ends, so they stay small; nothing here belongs to any one engine.

use std::sync::{Mutex, PoisonError};

/// Indices given out; threads beyond that share the overflow cells.
pub(crate) const MAX_THREADS: usize = 64;

// One bit for each index in use.
static IN_USE: Mutex<u64> = Mutex::new(0);

struct Index(Option<usize>);

impl Index {
    fn take() -> Self {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let free = in_use.trailing_ones() as usize;
        if free >= MAX_THREADS {
            return Self(None);
        }
        *in_use |= 1 << free;
        Self(Some(free))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        if let Some(index) = self.0 {
            *IN_USE.lock().unwrap_or_else(PoisonError::into_inner) &= !(1 << index);
        }
    }
}

thread_local! {
    static INDEX: Index = Index::take();
}

/// This thread's index; `None` when all are taken or the thread is being torn down. The caller
/// then uses a shared cell.
#[inline]
pub(crate) fn thread_index() -> Option<usize> {
    INDEX.try_with(|index| index.0).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn threads_that_live_at_once_have_different_indices() {
        let (to_main, indices) = mpsc::channel();
        let (keep_alive, wait) = mpsc::channel::<()>();
        let waiting = std::thread::spawn({
            let to_main = to_main.clone();
            move || {
                to_main.send(thread_index()).unwrap();
                let _ = wait.recv();
            }
        });
        let other = indices.recv().unwrap();
        to_main.send(thread_index()).unwrap();
        let mine = indices.recv().unwrap();
        assert!(other.is_some() && mine.is_some());
        assert_ne!(mine, other);
        drop(keep_alive);
        waiting.join().unwrap();
    }

    #[test]
    fn indices_are_given_back_so_that_many_short_threads_stay_within_the_bound() {
        for _ in 0..10 * MAX_THREADS {
            let index = std::thread::spawn(thread_index).join().unwrap();
            assert!(index.is_some());
        }
    }
}
