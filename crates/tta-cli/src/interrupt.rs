//! Ctrl-C and SIGTERM: the first one asks for an orderly end, the second one ends the process at once.

use std::io;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::output::Failure;

/// The exit code after Ctrl-C, by convention 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Tells of the first Ctrl-C or SIGTERM.
#[derive(Debug)]
pub(crate) struct Interrupt(oneshot::Receiver<()>);

impl Interrupt {
    /// Listens from now on, on a thread of its own: a second one must be heard whatever the
    /// first has led to, be it a write to a pipe that nobody reads. Once this is dropped the
    /// first is treated as the second.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot listen for Ctrl-C: {error}"));
        let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (tell, told) = oneshot::channel();
        let mut pressed = {
            let _inside = runtime.enter();
            Presses::listen().map_err(failed)?
        };
        let listen = async move {
            pressed.next().await;
            if tell.send(()).is_ok() {
                pressed.next().await;
            }
            std::process::exit(INTERRUPTED.into());
        };
        let thread = std::thread::Builder::new().name("tta-interrupt".to_owned());
        thread.spawn(move || runtime.block_on(listen)).map_err(failed)?;
        Ok(Self(told))
    }

    /// Waits for the first one. Not to be called again after that.
    pub(crate) async fn first(&mut self) {
        if (&mut self.0).await.is_err() {
            // Nobody listens any more, so none will come.
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
struct Presses {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Presses {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Presses(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Presses {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
