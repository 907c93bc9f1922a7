//! The query API as clients get it, and as data sources for Jaeger and Tempo do: over real sockets,
//! from an engine in which traces were recorded and a store with traces of other processes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod corpus;
mod description;
mod hostile;
mod jaeger;
mod live;
mod state;
mod support;
mod tempo;
mod tempo_trace;
mod traces;
