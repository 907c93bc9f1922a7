//! Spans of other processes, received over HTTP and gRPC: what is taken, answered, counted and kept.

mod counting;
mod drain;
mod forms;
mod messages;
mod refusals;
mod state;
mod support;
