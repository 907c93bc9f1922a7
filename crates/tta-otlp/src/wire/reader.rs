//! Reads the fields of a message, borrowed from its bytes.

use thiserror::Error;

/// Why bytes are not Protocol Buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireProblem {
    /// A number goes on where the message ends.
    #[error("a number is cut off")]
    CutNumber,
    /// A number of more than 64 bits.
    #[error("a number has more than 64 bits")]
    LongNumber,
    /// A field is longer than the message it is in.
    #[error("a field is longer than the rest of its message")]
    CutField,
    /// A field number that is 0 or above 536,870,911.
    #[error("a field number is outside 1 to 536870911")]
    FieldNumber,
    /// A group: proto3, and with it OTLP, has none.
    #[error("a group, which OTLP has none of")]
    Group,
    /// A wire type that does not exist.
    #[error("wire type 6 or 7, accepted are 0, 1, 2 and 5")]
    WireType,
    /// A field that has another type in OTLP.
    #[error("field {number} has another wire type than OTLP gives it")]
    FieldType {
        /// The field's number, in the message at that place.
        number: u32,
    },
    /// A string with bytes that are no text.
    #[error("field {number} is a string and not UTF-8")]
    Utf8 {
        /// The field's number, in the message at that place.
        number: u32,
    },
}

/// A problem, and how many bytes lay before the end of the input there, as an address: messages
/// within messages need not hand their place down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireError {
    pub(crate) problem: WireProblem,
    address: usize,
}

impl WireError {
    #[cold]
    fn new(problem: WireProblem, at: &[u8]) -> Self {
        Self { problem, address: at.as_ptr().addr() }
    }

    /// Where in the input it is; the input is the slice that all others were taken from.
    pub(crate) fn offset_in(&self, input: &[u8]) -> usize {
        self.address.saturating_sub(input.as_ptr().addr()).min(input.len())
    }
}

/// One field: its number and what it holds.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    payload: Payload<'a>,
    /// The message from this field on.
    at: &'a [u8],
}

#[derive(Clone, Copy)]
enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Field<'a> {
    #[inline]
    pub(crate) fn varint(&self) -> Result<u64, WireError> {
        if let Payload::Varint(value) = self.payload { Ok(value) } else { Err(self.wrong_type()) }
    }

    #[inline]
    pub(crate) fn fixed64(&self) -> Result<u64, WireError> {
        if let Payload::Fixed64(value) = self.payload { Ok(value) } else { Err(self.wrong_type()) }
    }

    #[inline]
    pub(crate) fn fixed32(&self) -> Result<u32, WireError> {
        if let Payload::Fixed32(value) = self.payload { Ok(value) } else { Err(self.wrong_type()) }
    }

    /// The message from this field's key on.
    #[cfg(feature = "export-http")]
    pub(crate) const fn at(&self) -> &'a [u8] {
        self.at
    }

    /// Bytes, or a message.
    #[inline]
    pub(crate) fn bytes(&self) -> Result<&'a [u8], WireError> {
        if let Payload::Bytes(bytes) = self.payload { Ok(bytes) } else { Err(self.wrong_type()) }
    }

    /// A message's fields.
    #[inline]
    pub(crate) fn message(&self) -> Result<Fields<'a>, WireError> {
        self.bytes().map(Fields::new)
    }

    #[inline]
    pub(crate) fn text(&self) -> Result<&'a str, WireError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| WireError::new(WireProblem::Utf8 { number: self.number }, bytes))
    }

    #[cold]
    fn wrong_type(&self) -> WireError {
        WireError::new(WireProblem::FieldType { number: self.number }, self.at)
    }
}

/// The fields of a message, in the order in which they were written.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field; `None` at the end. Unknown fields are skipped by not looking at them.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        let at = self.rest;
        if at.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return Err(WireError::new(WireProblem::FieldNumber, at));
        }
        let payload = match key & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.fixed(at)?)),
            2 => {
                let length = self.varint()?;
                // On a machine of 32 bits a length may be beyond what it can address.
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Payload::Bytes(self.take(length, at)?)
            }
            5 => Payload::Fixed32(u32::from_le_bytes(self.fixed(at)?)),
            3 | 4 => return Err(WireError::new(WireProblem::Group, at)),
            _ => return Err(WireError::new(WireProblem::WireType, at)),
        };
        Ok(Some(Field { number: number as u32, payload, at }))
    }

    /// The bytes of the next field, if that is the one whose key is this byte (the number times 8, plus
    /// 2) and they are fewer than 128: as most are. Else nothing happens, and [`next`](Self::next) says
    /// what is there.
    #[inline(always)]
    pub(crate) fn short(&mut self, key: u8) -> Option<&'a [u8]> {
        let [first, length @ 0..=0x7f, rest @ ..] = self.rest else { return None };
        let (taken, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *first == key)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    fn take(&mut self, length: usize, at: &[u8]) -> Result<&'a [u8], WireError> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| WireError::new(WireProblem::CutField, at))?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, at: &[u8]) -> Result<[u8; N], WireError> {
        let (taken, rest) =
            self.rest.split_first_chunk::<N>().ok_or_else(|| WireError::new(WireProblem::CutField, at))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Most numbers, tags and lengths, are of one byte.
    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            // The tenth byte holds the last of 64 bits.
            if index == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        let problem = if self.rest.len() < 10 { WireProblem::CutNumber } else { WireProblem::LongNumber };
        Err(WireError::new(problem, self.rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<Field<'_>>, (WireProblem, usize)> {
        Fields::new(bytes).next().map_err(|error| (error.problem, error.offset_in(bytes)))
    }

    #[test]
    fn the_four_wire_types_are_read() {
        // The examples of the encoding guide: 150, "testing".
        assert_eq!(first(b"\x08\x96\x01").unwrap().unwrap().varint(), Ok(150));
        let text = first(b"\x12\x07testing").unwrap().unwrap();
        assert_eq!((text.number, text.text()), (2, Ok("testing")));
        assert_eq!(first(b"\x39\x01\0\0\0\0\0\0\0").unwrap().unwrap().fixed64(), Ok(1));
        assert_eq!(first(b"\x85\x01\x02\0\0\0").unwrap().unwrap().fixed32(), Ok(2));
        let most = first(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").unwrap().unwrap();
        assert_eq!(most.varint(), Ok(u64::MAX));
        assert!(first(b"").unwrap().is_none());
    }

    #[test]
    fn a_short_field_is_taken_only_when_it_is_the_one_that_is_asked_for() {
        let mut fields = Fields::new(b"\x12\x07testing\x0a\x00");
        assert_eq!(fields.short(0x0a), None);
        assert_eq!(fields.short(0x12), Some(&b"testing"[..]));
        assert_eq!((fields.short(0x0a), fields.is_empty()), (Some(&b""[..]), true));
        for other in [&b"\x12\x08testing"[..], b"\x12", b"", b"\x12\x80\x00"] {
            let mut fields = Fields::new(other);
            assert_eq!((fields.short(0x12), fields.rest), (None, other));
        }
    }

    #[test]
    fn what_is_no_field_is_refused_with_its_place() {
        let fault = |bytes: &[u8]| first(bytes).err().unwrap();
        assert_eq!(fault(b"\x88"), (WireProblem::CutNumber, 0));
        assert_eq!(fault(b"\x08\x96"), (WireProblem::CutNumber, 1));
        assert_eq!(fault(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), (WireProblem::LongNumber, 1));
        assert_eq!(fault(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), (WireProblem::LongNumber, 1));
        assert_eq!(fault(b"\x12\x08testing"), (WireProblem::CutField, 0));
        assert_eq!(fault(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), (WireProblem::CutField, 0));
        assert_eq!(fault(b"\x39\x01\0\0\0\0\0\0"), (WireProblem::CutField, 0));
        assert_eq!(fault(b"\x02\0"), (WireProblem::FieldNumber, 0));
        assert_eq!(fault(b"\x0b\x0c"), (WireProblem::Group, 0));
        assert_eq!(fault(b"\x0c"), (WireProblem::Group, 0));
        assert_eq!(fault(b"\x0e"), (WireProblem::WireType, 0));
    }

    #[test]
    fn another_type_and_text_that_is_none_are_refused_with_the_field() {
        let bytes = b"\x08\x01\x12\x02a\xff";
        let mut fields = Fields::new(bytes);
        let number = fields.next().unwrap().unwrap();
        for error in [number.text().unwrap_err(), number.fixed64().unwrap_err(), number.fixed32().unwrap_err()] {
            assert_eq!((error.problem, error.offset_in(bytes)), (WireProblem::FieldType { number: 1 }, 0));
        }
        let text = fields.next().unwrap().unwrap();
        let error = text.text().unwrap_err();
        assert_eq!((error.problem, error.offset_in(bytes)), (WireProblem::Utf8 { number: 2 }, 4));
        assert_eq!(text.varint().unwrap_err().problem, WireProblem::FieldType { number: 2 });
    }
}
