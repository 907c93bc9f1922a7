//! What stands between a client and a collector, and lets connections die without a word.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes bytes on, both ways.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// Connections before this one are dead: what comes is swallowed, and they stay open.
    dead: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn to(collector: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, dead) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (count, first_alive) = (Arc::clone(&accepted), Arc::clone(&dead));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(collector).unwrap());
                let number = count.fetch_add(1, Ordering::SeqCst);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let first_alive = Arc::clone(&first_alive);
                    std::thread::spawn(move || pass_on(from, to, || number < first_alive.load(Ordering::SeqCst)));
                }
            }
        });
        Self { address, accepted, dead }
    }

    /// From now on nothing comes through the connections that there are; new ones are as before.
    pub(crate) fn let_connections_die(&self) {
        self.dead.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, is_dead: impl Fn() -> bool) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !is_dead() && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    if !is_dead() {
        // The other side may have closed it already.
        let _ = to.shutdown(Shutdown::Both);
    }
}
