//! Why a server does not start.

use std::net::SocketAddr;

use thiserror::Error;

/// Why a server does not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Something else listens at the address.
    #[error(
        "cannot serve at {address}: the address is taken; end what listens there, or set `bind` to another one, \
         with port 0 for any port that is free"
    )]
    AddressTaken {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The system refuses to listen at the address.
    #[error("cannot serve at {address}: {reason}; accepted for `bind` is an address of this machine")]
    Unbindable {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// A limit is out of range.
    #[error("`{setting}` is {given}, accepted is {accepted}")]
    Limit {
        /// The limit.
        setting: &'static str,
        /// What was given.
        given: String,
        /// What is accepted.
        accepted: &'static str,
    },
}
