//! A thread that reloads when the process is sent a SIGHUP, or the file changes.
//!
//! Owns the thread and hearing of the signal: a socket that the signal handler writes a byte to, and
//! that the thread reads. The time limit of that read is what it looks at the file by, and stopping it
//! is a byte as well, so that there is one thing to wait for.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use signal_hook::SigId;
use signal_hook::consts::SIGHUP;
use signal_hook::low_level;

use super::stamp::Stamp;
use super::{ConfigReload, ReloadCause};

const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

/// Reloads in the background, until it is stopped or dropped. See [`ConfigReload::watch`].
#[must_use = "dropped, it stops"]
pub struct ConfigWatch {
    is_stopped: Arc<AtomicBool>,
    wake: UnixStream,
    signal: SigId,
    thread: Option<JoinHandle<()>>,
}

impl ConfigReload {
    /// Reloads on every SIGHUP from now on, on a thread of its own; several that arrive during a reload
    /// are one. Any number of these can be in a process, beside other handlers of the signal.
    ///
    /// With `poll`, 10 ms to a day, it also looks at the file that often, and reloads when it is
    /// another one or was changed, and has then stayed as it is from one look to the next: so that
    /// nobody reads what is half-written. The first looks always reload.
    ///
    /// SIGHUP ends a process that does not listen for it. Once this was called the process outlives
    /// it, also when nobody listens any more.
    ///
    /// # Errors
    /// An interval outside its range, or without a file to look at; a thread, socket or handler that
    /// the operating system refuses.
    pub fn watch(&self, poll: Option<Duration>) -> io::Result<ConfigWatch> {
        if let Some(interval) = poll {
            let refused = |message: String| Err(io::Error::new(ErrorKind::InvalidInput, message));
            if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
                return refused(format!("the interval of looking is {interval:?}, accepted is 10 ms to 24 h"));
            }
            if self.0.source.path().is_none() {
                return refused("there is no file to look at, accepted is an interval where there is one".to_owned());
            }
        }
        let (socket, from_signal) = UnixStream::pair()?;
        let wake = from_signal.try_clone()?;
        socket.set_read_timeout(poll)?;
        let is_stopped = Arc::new(AtomicBool::new(false));
        let watcher = Watcher { reload: self.clone(), socket, is_stopped: Arc::clone(&is_stopped), looked: None };
        let signal = low_level::pipe::register(SIGHUP, from_signal)?;
        match std::thread::Builder::new().name("tta-config".to_owned()).spawn(move || watcher.run()) {
            Ok(thread) => Ok(ConfigWatch { is_stopped, wake, signal, thread: Some(thread) }),
            Err(error) => {
                low_level::unregister(signal);
                Err(error)
            }
        }
    }
}

struct Watcher {
    reload: ConfigReload,
    socket: UnixStream,
    is_stopped: Arc<AtomicBool>,
    /// What the last look found that was new.
    looked: Option<Stamp>,
}

impl Watcher {
    fn run(mut self) {
        // Bytes that came together are one wish.
        let mut bytes = [0; 64];
        loop {
            let read = self.socket.read(&mut bytes);
            if self.is_stopped.load(Ordering::Acquire) {
                return;
            }
            match read {
                // Nobody is left to write.
                Ok(0) => return,
                Ok(_) => self.reload(ReloadCause::Signal),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => self.look(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn look(&mut self) {
        let now = self.reload.0.stamp();
        if now == self.reload.0.state().stamp {
            self.looked = None;
        } else if now == self.looked {
            self.looked = None;
            self.reload(ReloadCause::FileChanged);
        } else {
            self.looked = now;
        }
    }

    fn reload(&self, cause: ReloadCause) {
        // What came of it is remembered, and told.
        let _ = self.reload.reload_for(cause);
    }
}

impl ConfigWatch {
    /// Ends the thread and waits for it: for a reload that is under way, and its callback.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for ConfigWatch {
    fn drop(&mut self) {
        low_level::unregister(self.signal);
        self.is_stopped.store(true, Ordering::Release);
        // Full of signals, it wakes up anyway.
        let _ = self.wake.set_nonblocking(true);
        let _ = self.wake.write(b"s");
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // It has no way to panic that it does not catch.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for ConfigWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigWatch").finish_non_exhaustive()
    }
}
