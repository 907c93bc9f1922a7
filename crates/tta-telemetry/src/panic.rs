//! Reading a panic's payload.

use std::any::Any;

/// The message of a caught panic; a fixed text when its payload is not one.
#[must_use]
pub fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panicked with a value that is not a message")
}
