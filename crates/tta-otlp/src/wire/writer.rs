//! Writes messages, appended to a buffer.

/// Appends fields to a message. Those that have their default are left out, as proto3 has it; the
/// functions that end in `_always` write them too, for fields of which one of several is chosen.
pub(crate) struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Writer<'b> {
    pub(crate) const fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }

    #[inline]
    pub(crate) fn varint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.varint_always(field, value);
        }
    }

    #[inline]
    pub(crate) fn varint_always(&mut self, field: u32, value: u64) {
        self.key(field, 0);
        self.raw_varint(value);
    }

    #[inline]
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.fixed64_always(field, value);
        }
    }

    #[inline]
    pub(crate) fn fixed64_always(&mut self, field: u32, value: u64) {
        self.key(field, 1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.key(field, 5);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A string, or bytes.
    #[inline]
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.bytes_always(field, value);
        }
    }

    #[inline]
    pub(crate) fn bytes_always(&mut self, field: u32, value: &[u8]) {
        self.key(field, 2);
        self.raw_varint(value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// A message, of what `body` writes.
    #[inline]
    pub(crate) fn message(&mut self, field: u32, body: impl FnOnce(&mut Writer<'_>)) {
        let open = self.open(field);
        body(self);
        self.close(open);
    }

    /// Begins a message that [`close`](Self::close) ends: for bodies that can fail.
    pub(crate) fn open(&mut self, field: u32) -> usize {
        self.key(field, 2);
        self.out.push(0);
        self.out.len()
    }

    /// Puts in the length, for which one byte was left: a body of 128 bytes or more moves up. That is
    /// quicker than to find every length first, and bounded by the depth of messages.
    pub(crate) fn close(&mut self, open: usize) {
        let end = self.out.len();
        let length = end - open;
        if let (Ok(short @ 0..=0x7f), Some(place)) = (u8::try_from(length), self.out.get_mut(open - 1)) {
            *place = short;
            return;
        }
        let (digits, count) = varint_bytes(length as u64);
        self.out.resize(end + count - 1, 0);
        self.out.copy_within(open..end, open + count - 1);
        if let Some(place) = self.out.get_mut(open - 1..open - 1 + count) {
            place.iter_mut().zip(digits).for_each(|(place, digit)| *place = digit);
        }
    }

    #[inline]
    fn key(&mut self, field: u32, wire_type: u32) {
        self.raw_varint(u64::from((field << 3) | wire_type));
    }

    #[inline]
    fn raw_varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

/// A number's bytes, and how many of them it has.
fn varint_bytes(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut count = 0;
    for byte in &mut bytes {
        count += 1;
        *byte = value as u8 & 0x7f;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, count)
}

#[cfg(test)]
mod tests {
    use super::super::Fields;
    use super::*;

    #[test]
    fn the_examples_of_the_encoding_guide_come_out() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.varint(1, 150);
        writer.bytes(2, b"testing");
        writer.message(3, |inner| inner.varint(1, 150));
        assert_eq!(out, b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01");
    }

    #[test]
    fn defaults_are_left_out_unless_asked_for() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.varint(1, 0);
        writer.fixed64(1, 0);
        writer.fixed32(1, 0);
        writer.bytes(1, b"");
        writer.varint_always(1, 0);
        writer.fixed64_always(2, 0);
        writer.bytes_always(3, b"");
        writer.message(4, |_| {});
        assert_eq!(out, b"\x08\0\x11\0\0\0\0\0\0\0\0\x1a\0\x22\0");
    }

    #[test]
    fn messages_of_every_length_read_back_also_in_each_other() {
        for length in [0, 1, 124, 125, 126, 127, 128, 16_380, 16_383, 16_384, 100_000] {
            let text = vec![b'a'; length];
            let mut out = vec![7];
            Writer::new(&mut out).message(1, |outer| {
                outer.message(2, |inner| inner.bytes_always(3, &text));
                outer.varint(16, u64::MAX);
            });
            let mut fields = Fields::new(&out[1..]);
            let mut outer = fields.next().unwrap().unwrap().message().unwrap();
            let mut inner = outer.next().unwrap().unwrap().message().unwrap();
            assert_eq!(inner.next().unwrap().unwrap().bytes(), Ok(text.as_slice()), "{length}");
            assert_eq!(outer.next().unwrap().unwrap().varint(), Ok(u64::MAX));
            assert!(outer.next().unwrap().is_none() && fields.next().unwrap().is_none());
        }
    }
}
