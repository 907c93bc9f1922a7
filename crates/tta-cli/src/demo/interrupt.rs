//! Ctrl-C: the first one asks for an orderly end, the second one ends the process at once.

use std::io;

use tokio::runtime::Builder;
use tokio::signal;
use tokio::sync::oneshot;

use super::INTERRUPTED;
use crate::output::Failure;

/// Tells of the first Ctrl-C.
#[derive(Debug)]
pub(super) struct Interrupt(oneshot::Receiver<()>);

impl Interrupt {
    /// Listens from now on, on a thread of its own: a second Ctrl-C must be heard whatever the
    /// first has led to, be it a write to a pipe that nobody reads. So must the first once this
    /// is dropped.
    pub(super) fn listen() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot listen for Ctrl-C: {error}"));
        let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (tell, told) = oneshot::channel();
        let listen = move || runtime.block_on(listen(tell));
        std::thread::Builder::new().name("tta-interrupt".to_owned()).spawn(listen).map_err(failed)?;
        Ok(Self(told))
    }

    /// Waits for the first Ctrl-C. Not to be called again after that.
    pub(super) async fn first(&mut self) {
        if (&mut self.0).await.is_err() {
            // Nobody listens: the system refused. It ends the process by itself, then.
            std::future::pending().await
        }
    }
}

async fn listen(tell: oneshot::Sender<()>) {
    if signal::ctrl_c().await.is_err() {
        return;
    }
    if tell.send(()).is_ok() && signal::ctrl_c().await.is_err() {
        return;
    }
    std::process::exit(INTERRUPTED.into());
}
