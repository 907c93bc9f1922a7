//! Ctrl-C: the first one asks for an orderly end, the second one ends the process at once.

use std::io;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::INTERRUPTED;
use crate::output::Failure;

/// Tells of the first Ctrl-C.
#[derive(Debug)]
pub(super) struct Interrupt(oneshot::Receiver<()>);

impl Interrupt {
    /// Listens from now on, on a thread of its own: a second Ctrl-C must be heard whatever the
    /// first has led to, be it a write to a pipe that nobody reads. Once this is dropped the
    /// first is treated as the second.
    pub(super) fn listen() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot listen for Ctrl-C: {error}"));
        let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (tell, told) = oneshot::channel();
        let mut pressed = {
            let _inside = runtime.enter();
            presses().map_err(failed)?
        };
        let listen = async move {
            pressed.recv().await;
            if tell.send(()).is_ok() {
                pressed.recv().await;
            }
            std::process::exit(INTERRUPTED.into());
        };
        let thread = std::thread::Builder::new().name("tta-interrupt".to_owned());
        thread.spawn(move || runtime.block_on(listen)).map_err(failed)?;
        Ok(Self(told))
    }

    /// Waits for the first Ctrl-C. Not to be called again after that.
    pub(super) async fn first(&mut self) {
        if (&mut self.0).await.is_err() {
            // Nobody listens any more, so none will come.
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
fn presses() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn presses() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}
