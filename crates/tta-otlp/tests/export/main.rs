//! What is sent arrives, whatever the collector does: real sockets, and generated types as the second reader.

mod failures;
mod metrics;
mod outage;
mod prometheus;
mod support;
mod tls;
mod traces;
