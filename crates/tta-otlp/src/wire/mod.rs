//! The wire format of Protocol Buffers, as far as OTLP needs it.
//!
//! Owns fields and their four wire types, read and written. Does not own any message: what a field's
//! number means is for others. The format: <https://protobuf.dev/programming-guides/encoding/>.

pub(crate) mod numbers;
mod reader;
mod writer;

pub use reader::WireProblem;
pub(crate) use reader::{Field, Fields, WireError};
pub(crate) use writer::Writer;
