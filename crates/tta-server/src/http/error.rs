//! Why a server does not start.

use std::net::SocketAddr;

use thiserror::Error;

use super::auth::TokenError;
use super::tls::TlsError;

/// Why a server does not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Something else listens at the address.
    #[error(
        "cannot serve at {address}: the address is taken; end what listens there, or choose another one, with port 0 \
         for any port that is free"
    )]
    AddressTaken {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The system refuses to listen at the address.
    #[error("cannot serve at {address}: {reason}; accepted is an address of this machine with a port that may be used")]
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
    /// Others could reach the address, and nothing keeps them out.
    #[error(
        "cannot serve at {address} without tokens: whoever reaches it could read all traces, metrics and costs, send \
         spans, and change the configuration; set tokens, or an address of this machine (127.0.0.1), or `insecure` to \
         expose it all the same"
    )]
    Exposed {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// Others could reach the address of a [`MetricsServer`](crate::MetricsServer), which asks for no tokens.
    #[error(
        "cannot serve metrics at {address}: whoever reaches it could read them, and no token is asked for; bind an \
         address of this machine (127.0.0.1), or set `insecure` to expose them all the same; `Services` asks for tokens"
    )]
    ExposedMetrics {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// A token is not accepted.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The certificate or its key is not accepted.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// All that is wrong with settings, at least one thing. Written one to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsErrors(Vec<ServerError>);

impl SettingsErrors {
    pub(crate) fn new(errors: Vec<ServerError>) -> Self {
        Self(errors)
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &ServerError> {
        self.0.iter()
    }
}

impl std::fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if number == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsErrors {}
