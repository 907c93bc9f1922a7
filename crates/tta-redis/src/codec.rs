//! How values become bytes and bytes values.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Writes values of one type as bytes and reads them back.
///
/// What was written stands with the codec's number; another codec does not try to read it.
pub trait Codec<V>: Send + Sync + 'static {
    /// Its number: below 128 for the codecs of this crate, 128 and above for others.
    const ID: u8;

    /// Writes a value.
    ///
    /// # Errors
    /// When the value has no such form.
    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError>;

    /// Reads a value.
    ///
    /// # Errors
    /// When the bytes are not of a value of this type.
    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError>;
}

/// Why a value cannot be written or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CodecError(pub String);

/// Values as JSON: readable by people and by other programs. The default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json;

impl<V: Serialize + DeserializeOwned> Codec<V> for Json {
    const ID: u8 = 1;

    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(value).map_err(|error| CodecError(error.to_string()))
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError> {
        serde_json::from_slice(bytes).map_err(|error| CodecError(error.to_string()))
    }
}

/// Values as MessagePack, fields by name: smaller and quicker than JSON.
#[cfg(feature = "messagepack")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessagePack;

#[cfg(feature = "messagepack")]
impl<V: Serialize + DeserializeOwned> Codec<V> for MessagePack {
    const ID: u8 = 2;

    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError> {
        rmp_serde::to_vec_named(value).map_err(|error| CodecError(error.to_string()))
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError> {
        rmp_serde::from_slice(bytes).map_err(|error| CodecError(error.to_string()))
    }
}
