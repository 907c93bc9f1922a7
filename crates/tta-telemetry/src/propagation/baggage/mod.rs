//! The `baggage` header: what the application sends along with a call.
//!
//! Owns the entries as a value and their bounds. The grammar and the encoding of one entry are in
//! `entry`. Does not own what any entry means.

mod entry;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use self::entry::Entry;
use super::MAX_INPUT_BYTES;
use super::text::{clip, trim_ows};

/// Values by key that travel with a call to every process it reaches (W3C Baggage, section 3).
///
/// Empty is the default and takes no memory. Cloning copies no text; a clone that is changed
/// leaves the others as they were. Two are equal when they have the same keys, values and
/// properties in the same order, however the values were encoded.
///
/// Whatever is in here is sent to every service that is called: nothing secret belongs into it.
///
/// ```
/// use tta_telemetry::propagation::Baggage;
///
/// let mut baggage = Baggage::parse([b"userId=Am%C3%A9lie, serverNode=DF%2028;ttl=3".as_slice()]);
/// assert_eq!(baggage.get("userId"), Some("Amélie"));
/// baggage.insert("isProduction", "false")?;
/// assert_eq!(baggage.to_string(), "userId=Am%C3%A9lie,serverNode=DF%2028;ttl=3,isProduction=false");
/// # Ok::<(), tta_telemetry::propagation::BaggageError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Baggage(
    /// Never an empty list.
    Option<Arc<Entries>>,
);

/// Why an entry cannot be put into a [`Baggage`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BaggageError {
    /// The key is not a token.
    #[error("baggage key `{given}` is not accepted: accepted are one or more of a-z, A-Z, 0-9 and !#$%&'*+-.^_`|~")]
    Key {
        /// The key, at most 40 characters of it.
        given: String,
    },
    /// The entry is too long.
    #[error("baggage entry `{key}` takes {encoded_bytes} bytes, accepted are at most 4096 for key and encoded value")]
    EntryBytes {
        /// The key, at most 40 characters of it.
        key: String,
        /// What the entry takes in the header.
        encoded_bytes: usize,
    },
    /// There are as many entries as there may be.
    #[error("baggage entry `{key}` would be number 65, accepted are at most 64")]
    Entries {
        /// The key, at most 40 characters of it.
        key: String,
    },
    /// The header would be too long.
    #[error("baggage with entry `{key}` would take {encoded_bytes} bytes, accepted are at most 8192")]
    TotalBytes {
        /// The key, at most 40 characters of it.
        key: String,
        /// What the whole header would take.
        encoded_bytes: usize,
    },
}

/// The entries and what they take in the header.
#[derive(Clone, Default)]
struct Entries {
    list: Vec<Entry>,
    encoded_bytes: usize,
}

impl Baggage {
    /// Entries that are kept and sent: as many as have to be (section 3.3.2).
    pub const MAX_ENTRIES: usize = 64;
    /// Bytes of the header that are kept and sent: as many as have to be (section 3.3.2).
    pub const MAX_BYTES: usize = 8_192;
    /// Bytes of an entry, key and encoded value, that [`insert`](Self::insert) accepts. A received
    /// entry may take all of [`MAX_BYTES`](Self::MAX_BYTES): section 3.3.2 demands to pass it on.
    pub const MAX_ENTRY_BYTES: usize = 4_096;

    /// Reads all values of the header, in the order in which they came, as one list.
    ///
    /// An entry that breaks the grammar of section 3.3.1 is left out. Of several with the same key
    /// the last counts (the specification leaves the choice). Values are percent-decoded; what is
    /// then not UTF-8 becomes U+FFFD. Properties are kept and passed on, but not interpreted. An
    /// entry that no longer fits into [`MAX_ENTRIES`](Self::MAX_ENTRIES) and
    /// [`MAX_BYTES`](Self::MAX_BYTES) is left out as a whole. What begins behind the first 32 KiB,
    /// or crosses that line, is not read.
    #[must_use]
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut entries = Entries::default();
        let mut unread_bytes = MAX_INPUT_BYTES;
        for value in values {
            for member in readable(value, unread_bytes).split(|byte| *byte == b',') {
                if let Some(entry) = Entry::parse(trim_ows(member)) {
                    // What does not fit is left out: a sender's mistake is no error of ours.
                    let _ = entries.put(entry);
                }
            }
            unread_bytes = unread_bytes.saturating_sub(value.len());
        }
        Self::from_entries(entries)
    }

    /// The decoded value of an entry. Keys are case-sensitive.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entry(key).map(Entry::value)
    }

    /// The properties of an entry as they came: `key` or `key=value`, still encoded, joined by `;`.
    /// Empty when the entry has none.
    #[must_use]
    pub fn properties(&self, key: &str) -> Option<&str> {
        self.entry(key).map(Entry::properties)
    }

    /// Keys and decoded values in the order of the header.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries().iter().map(|entry| (entry.key(), entry.value()))
    }

    /// Puts an entry at the end, in place of one with the same key and its properties.
    ///
    /// The key is a token (RFC 9110, section 5.6.2); the value is any text, and is encoded.
    ///
    /// # Errors
    /// When the key is no token or the entry does not fit; the baggage is then as it was.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), BaggageError> {
        let Some(entry) = Entry::new(key, value) else {
            return Err(BaggageError::Key { given: clip(key) });
        };
        let encoded_bytes = entry.encoded().len();
        if encoded_bytes > Self::MAX_ENTRY_BYTES {
            return Err(BaggageError::EntryBytes { key: clip(key), encoded_bytes });
        }
        Arc::make_mut(self.0.get_or_insert_default()).put(entry)
    }

    /// Takes an entry out. False when there was none.
    pub fn remove(&mut self, key: &str) -> bool {
        let is_known = self.entry(key).is_some();
        if let Some(entries) = self.0.as_mut().filter(|_| is_known) {
            let entries = Arc::make_mut(entries);
            entries.list.retain(|entry| entry.key() != key);
            entries.encoded_bytes = encoded_bytes(&entries.list);
        }
        if self.0.as_ref().is_some_and(|entries| entries.list.is_empty()) {
            self.0 = None;
        }
        is_known
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is no entry, and so nothing to send.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes of the value of the header.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |entries| entries.encoded_bytes)
    }

    /// Writes the value of the header: printable ASCII. What was received and not changed is
    /// written as it came, without the optional white space.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (index, entry) in self.entries().iter().enumerate() {
            if index > 0 {
                out.write_char(',')?;
            }
            out.write_str(entry.encoded())?;
        }
        Ok(())
    }

    fn from_entries(entries: Entries) -> Self {
        Self((!entries.list.is_empty()).then(|| Arc::new(entries)))
    }

    fn entries(&self) -> &[Entry] {
        self.0.as_ref().map_or(&[], |entries| entries.list.as_slice())
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key() == key)
    }
}

impl Entries {
    /// At the end, in place of one with the same key, if the bounds hold with it.
    fn put(&mut self, entry: Entry) -> Result<(), BaggageError> {
        let known = self.list.iter().position(|old| old.key() == entry.key());
        let kept = self.list.len() - usize::from(known.is_some());
        if kept >= Baggage::MAX_ENTRIES {
            return Err(BaggageError::Entries { key: clip(entry.key()) });
        }
        let replaced_bytes = known.and_then(|index| self.list.get(index)).map_or(0, |old| old.encoded().len());
        // Both ways of counting have one comma fewer than entries.
        let commas = kept - self.list.len().saturating_sub(1);
        let encoded_bytes = self.encoded_bytes - replaced_bytes + commas + entry.encoded().len();
        if encoded_bytes > Baggage::MAX_BYTES {
            return Err(BaggageError::TotalBytes { key: clip(entry.key()), encoded_bytes });
        }
        if let Some(index) = known {
            self.list.remove(index);
        }
        self.list.push(entry);
        self.encoded_bytes = encoded_bytes;
        Ok(())
    }
}

fn encoded_bytes(list: &[Entry]) -> usize {
    list.iter().map(|entry| entry.encoded().len()).sum::<usize>() + list.len().saturating_sub(1)
}

/// As many whole members as begin and end within the first `max_bytes`.
fn readable(value: &[u8], max_bytes: usize) -> &[u8] {
    match value.split_at_checked(max_bytes) {
        None | Some((_, [])) => value,
        Some((head, [b',', ..])) => head,
        Some((head, _)) => {
            let last_comma = head.iter().rposition(|byte| *byte == b',').unwrap_or(0);
            head.get(..last_comma).unwrap_or_default()
        }
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Entries {}

impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
