//! The collectors that spans are sent to: a server that works, one that takes its time, and none.

use crate::ingest::process::Server;
use crate::receiver::Receiver;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// How long a slow collector takes.
const SLOW: Duration = Duration::from_millis(200);

/// How a collector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Healthy,
    Slow,
    Dead,
}

/// Something in another process, or nothing.
pub(super) struct Collector {
    pub(super) address: SocketAddr,
    kind: Kind,
}

enum Kind {
    Healthy(Server),
    Slow(Receiver),
    Dead,
}

impl Collector {
    pub(super) fn start(state: State) -> anyhow::Result<Self> {
        let kind = match state {
            State::Healthy => Kind::Healthy(Server::tta()?),
            State::Slow => Kind::Slow(Receiver::start(SLOW)?),
            State::Dead => Kind::Dead,
        };
        let address = match &kind {
            Kind::Healthy(server) => server.otlp,
            Kind::Slow(receiver) => receiver.address,
            // Whoever listened here does so no more.
            Kind::Dead => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?,
        };
        Ok(Self { address, kind })
    }

    pub(super) fn state(&self) -> State {
        match &self.kind {
            Kind::Healthy(_) => State::Healthy,
            Kind::Slow(_) => State::Slow,
            Kind::Dead => State::Dead,
        }
    }
}
