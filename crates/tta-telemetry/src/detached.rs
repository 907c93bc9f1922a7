//! Threads that nobody waits for.

use std::io;
use std::sync::mpsc;
use std::thread::Builder;

/// Starts a thread that nobody joins.
///
/// It does not end before it is detached: where both happen at once, `pthread_detach` of glibc 2.36
/// and before looks at a thread that is gone, and the process dies (glibc bug 19951).
///
/// # Errors
/// The operating system refuses a thread; then `work` was dropped.
///
/// # Panics
/// The name holds a NUL.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (is_detached, detached) = mpsc::channel::<()>();
    let thread = Builder::new().name(name.to_owned()).spawn(move || {
        work();
        // Ends when the other side says so, or is gone.
        let _ = detached.recv();
    })?;
    drop(thread);
    drop(is_detached);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_that_end_at_once_all_do_their_work() {
        let (told, done) = mpsc::channel();
        for number in 0..500 {
            let told = told.clone();
            spawn("short", move || told.send((number, std::thread::current().name().map(str::to_owned))).unwrap())
                .unwrap();
        }
        drop(told);
        let mut seen: Vec<_> = done.iter().collect();
        seen.sort();
        assert!(seen.iter().map(|(number, _)| *number).eq(0..500));
        assert!(seen.iter().all(|(_, name)| name.as_deref() == Some("short")));
    }
}
