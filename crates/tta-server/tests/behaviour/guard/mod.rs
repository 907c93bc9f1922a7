//! Servers within their limits: who is refused, with what, and who is not.

mod bodies;
mod half_closed;
mod http2;
mod requests;
mod shutdown;
pub(crate) mod support;
mod tls;
mod tokens;
