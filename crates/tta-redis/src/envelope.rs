//! The form of what is stored: a header of fixed layout, then the value in its codec's form.
//!
//! A cache's entry, numbers little-endian:
//!
//! ```text
//! 0  "ttaC"   what this is
//! 4  u8       version of this layout, 1
//! 5  u8       codec
//! 6  u8       0: a value, 1: a failure
//! 7  u8       0, for later
//! 8  u64      stored, nanoseconds since the Unix epoch on the injected clock
//! 16 u64      fresh for, nanoseconds
//! 24 u64      stale for, nanoseconds
//! 32 u32      length of the tags
//! 36 ...      tags, each a u32 length and its bytes
//!    ...      the value; of a failure its kind, a u32 length before it, and its message
//! ```
//!
//! A memory's entry: `"ttaM"`, version, codec, whether it has a text, 0, a u64 that says when it
//! expires (all ones: never), the text's u32 length, the text, the value.

use std::sync::Arc;
use std::time::Duration;

use tta_primitives::ErrorKind;
use tta_primitives::cache::{Entry, Payload};

use crate::codec::{Codec, CodecError};

const CACHE: &[u8; 4] = b"ttaC";
const MEMORY: &[u8; 4] = b"ttaM";
const VERSION: u8 = 1;
const VALUE: u8 = 0;
const FAILURE: u8 = 1;
const NEVER: u64 = u64::MAX;

/// How much of an entry is looked at to see its tags. An entry with more of them counts as having
/// any.
pub(crate) const HEAD_BYTES: usize = 4_096;

/// Kinds of failures by their stable strings. One that is missing here is stored, and is corrupt
/// when read: a miss.
const KINDS: [ErrorKind; 14] = [
    ErrorKind::App,
    ErrorKind::InvalidInput,
    ErrorKind::Timeout,
    ErrorKind::Cancelled,
    ErrorKind::RateLimited,
    ErrorKind::CircuitOpen,
    ErrorKind::BulkheadFull,
    ErrorKind::BudgetExceeded,
    ErrorKind::Upstream,
    ErrorKind::Panic,
    ErrorKind::LimitReached,
    ErrorKind::Compensation,
    ErrorKind::ReplayMiss,
    ErrorKind::Internal,
];

/// A cache's entry as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored<V> {
    pub(crate) payload: Payload<V>,
    pub(crate) stored_unix_ns: u64,
    pub(crate) fresh_for: Duration,
    pub(crate) stale_for: Duration,
}

/// A memory's entry as it was read; the value not yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remembered<'a> {
    pub(crate) expires_unix_ns: Option<u64>,
    pub(crate) text: Option<&'a str>,
    value: &'a [u8],
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn length(bytes: &[u8]) -> Result<[u8; 4], CodecError> {
    let length = u32::try_from(bytes.len()).map_err(|_| CodecError("longer than 4 GiB".to_owned()))?;
    Ok(length.to_le_bytes())
}

fn push_sized(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), CodecError> {
    out.extend(length(bytes)?);
    out.extend(bytes);
    Ok(())
}

/// Writes a cache's entry.
pub(crate) fn write<V, C: Codec<V>>(codec: &C, entry: &Entry<V>, now_unix_ns: u64) -> Result<Vec<u8>, CodecError> {
    let (kind, body) = match &entry.payload {
        Payload::Value(value) => (VALUE, codec.encode(value)?),
        Payload::Failure { kind, message } => {
            let mut body = Vec::new();
            push_sized(&mut body, kind.as_str().as_bytes())?;
            body.extend(message.as_bytes());
            (FAILURE, body)
        }
    };
    let mut tags = Vec::new();
    for tag in entry.tags.iter() {
        push_sized(&mut tags, tag.as_bytes())?;
    }
    let mut out = Vec::with_capacity(36 + tags.len() + body.len());
    out.extend(CACHE);
    out.extend([VERSION, C::ID, kind, 0]);
    out.extend(now_unix_ns.to_le_bytes());
    out.extend(nanos(entry.fresh_for).to_le_bytes());
    out.extend(nanos(entry.stale_for).to_le_bytes());
    push_sized(&mut out, &tags)?;
    out.extend(body);
    Ok(out)
}

/// Reads a cache's entry; `None` when it is none, of another version, or of another codec.
pub(crate) fn read<V, C: Codec<V>>(codec: &C, bytes: &[u8]) -> Option<Stored<V>> {
    let mut reader = Reader(bytes);
    let (codec_id, kind) = reader.header(CACHE)?;
    let stored_unix_ns = reader.u64()?;
    let (fresh_for, stale_for) = (Duration::from_nanos(reader.u64()?), Duration::from_nanos(reader.u64()?));
    let _tags = reader.sized()?;
    let payload = match kind {
        VALUE if codec_id == C::ID => Payload::Value(codec.decode(reader.0).ok()?),
        FAILURE => {
            let kind = std::str::from_utf8(reader.sized()?).ok()?;
            let kind = KINDS.into_iter().find(|known| known.as_str() == kind)?;
            Payload::Failure { kind, message: Arc::from(std::str::from_utf8(reader.0).ok()?) }
        }
        _ => return None,
    };
    Some(Stored { payload, stored_unix_ns, fresh_for, stale_for })
}

/// Whether an entry, of which these are the first bytes, has a tag. One that is not there has
/// none; one whose tags do not fit into the head counts as having it.
pub(crate) fn head_has_tag(head: &[u8], tag: &str) -> bool {
    let mut reader = Reader(head);
    if reader.header(CACHE).is_none() || reader.take(24).is_none() {
        return false;
    }
    let Some(mut tags) = reader.sized().map(Reader) else { return true };
    std::iter::from_fn(|| tags.sized()).any(|found| found == tag.as_bytes())
}

/// Writes a memory's entry.
pub(crate) fn write_memory<V, C: Codec<V>>(
    codec: &C,
    value: &V,
    text: Option<&str>,
    expires_unix_ns: Option<u64>,
) -> Result<Vec<u8>, CodecError> {
    let body = codec.encode(value)?;
    let mut out = Vec::with_capacity(20 + text.map_or(0, str::len) + body.len());
    out.extend(MEMORY);
    out.extend([VERSION, C::ID, u8::from(text.is_some()), 0]);
    out.extend(expires_unix_ns.unwrap_or(NEVER).to_le_bytes());
    push_sized(&mut out, text.unwrap_or_default().as_bytes())?;
    out.extend(body);
    Ok(out)
}

/// Reads a memory's entry.
pub(crate) fn read_memory<V, C: Codec<V>>(bytes: &[u8]) -> Result<Remembered<'_>, CodecError> {
    let mut reader = Reader(bytes);
    let broken = || CodecError("not an entry of a memory, or of another version".to_owned());
    let (codec_id, has_text) = reader.header(MEMORY).ok_or_else(broken)?;
    if codec_id != C::ID {
        return Err(CodecError(format!("written by codec {codec_id}, read by codec {}", C::ID)));
    }
    let expires = reader.u64().ok_or_else(broken)?;
    let text = reader.sized().and_then(|text| std::str::from_utf8(text).ok()).ok_or_else(broken)?;
    let expires_unix_ns = (expires != NEVER).then_some(expires);
    Ok(Remembered { expires_unix_ns, text: (has_text == 1).then_some(text), value: reader.0 })
}

impl Remembered<'_> {
    pub(crate) fn is_live(&self, now_unix_ns: u64) -> bool {
        self.expires_unix_ns.is_none_or(|expires| now_unix_ns < expires)
    }

    pub(crate) fn value<V, C: Codec<V>>(&self, codec: &C) -> Result<V, CodecError> {
        codec.decode(self.value)
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The codec and the kind, when magic and version are right.
    fn header(&mut self, magic: &[u8; 4]) -> Option<(u8, u8)> {
        let is_right = self.take(4)? == magic;
        match self.take(4)? {
            &[VERSION, codec, kind, 0] if is_right => Some((codec, kind)),
            _ => None,
        }
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tta_telemetry::Name;

    use super::*;
    use crate::codec::Json;

    fn entry(payload: Payload<String>, tags: &[String]) -> Entry<String> {
        let tags = tags.iter().map(|tag| Name::from(tag.clone())).collect();
        Entry { payload, fresh_for: Duration::from_secs(5), stale_for: Duration::from_nanos(7), tags }
    }

    #[test]
    fn every_kind_of_failure_comes_back() {
        for kind in KINDS {
            let payload = Payload::Failure { kind, message: "no".into() };
            let bytes = write(&Json, &entry(payload.clone(), &[]), 9).unwrap();
            assert_eq!(read::<String, _>(&Json, &bytes).unwrap().payload, payload);
        }
    }

    #[test]
    fn another_codec_another_version_and_another_thing_are_not_read() {
        let bytes = write(&Json, &entry(Payload::Value("v".to_owned()), &[]), 9).unwrap();
        for (place, value) in [(0, b'x'), (4, 2), (5, 200), (6, 7), (7, 1)] {
            let mut changed = bytes.clone();
            changed[place] = value;
            assert_eq!(read::<String, _>(&Json, &changed), None, "byte {place}");
        }
        assert!(read_memory::<String, Json>(&bytes).is_err());
    }

    #[test]
    fn tags_beyond_the_head_count_as_any() {
        let tags = [format!("{:05000}", 0), "last".to_owned()];
        let bytes = write(&Json, &entry(Payload::Value(String::new()), &tags), 9).unwrap();
        assert!(head_has_tag(&bytes[..HEAD_BYTES], "last") && head_has_tag(&bytes[..HEAD_BYTES], "other"));
        assert!(head_has_tag(&bytes, "last") && !head_has_tag(&bytes, "other"));
        assert!(!head_has_tag(b"", "last"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            value in ".*", tags in prop::collection::vec(".{0,20}", 0..5), other in ".{0,20}", now: u64,
        ) {
            let entry = entry(Payload::Value(value), &tags);
            let bytes = write(&Json, &entry, now).unwrap();
            let stored = read::<String, _>(&Json, &bytes).unwrap();
            prop_assert_eq!(&stored.payload, &entry.payload);
            prop_assert_eq!((stored.stored_unix_ns, stored.fresh_for, stored.stale_for), (now, entry.fresh_for, entry.stale_for));
            for tag in &tags {
                prop_assert!(head_has_tag(&bytes, tag));
            }
            prop_assert_eq!(head_has_tag(&bytes, &other), tags.contains(&other));
        }

        #[test]
        fn what_a_memory_writes_reads_back(
            value in ".*", text in prop::option::of(".*"), expires in prop::option::of(0..NEVER),
        ) {
            let bytes = write_memory(&Json, &value, text.as_deref(), expires).unwrap();
            let read = read_memory::<String, Json>(&bytes).unwrap();
            prop_assert_eq!((read.expires_unix_ns, read.text), (expires, text.as_deref()));
            prop_assert_eq!(read.value(&Json), Ok(value));
        }

        #[test]
        fn no_bytes_break_the_reader(mut bytes in prop::collection::vec(any::<u8>(), 0..200), dressed: bool) {
            if dressed {
                bytes.splice(..0, [b't', b't', b'a', b'C', VERSION, 1, 0, 0]);
            }
            let _ = read::<String, _>(&Json, &bytes);
            let _ = head_has_tag(&bytes, "tag");
            let _ = read_memory::<String, Json>(&bytes);
        }
    }
}
