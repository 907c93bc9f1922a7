//! Reading the header into members, shortening the list, joining it again.
//!
//! Owns the rules on the list: how many members, no key twice, how long, and what goes first when
//! it is too long. Does not own the grammar of a member.

use std::sync::Arc;

use super::super::MAX_INPUT_BYTES;
use super::super::text::trim_ows;
use super::{TraceState, grammar};

/// Members up to this length stay until all longer ones are gone (section 3.3.3.1).
const LONG_MEMBER_BYTES: usize = 128;

/// A list that borrows its text, so that the one allocation is the text that is kept.
#[derive(Default)]
pub(super) struct Members<'a> {
    /// `key=value`; the first `count` are in use.
    slots: [&'a [u8]; TraceState::MAX_MEMBERS],
    count: usize,
    /// With the commas between them.
    joined_bytes: usize,
}

/// The text to keep. `None` when there is none, or a rule is broken.
#[inline]
pub(super) fn parse<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<Arc<str>> {
    // Most calls come without the header and should not pay for the room to read it.
    let first = values.next()?;
    let mut members = Members::default();
    let mut unread_bytes = MAX_INPUT_BYTES;
    let mut single = None;
    for value in std::iter::once(first).chain(values) {
        let value = trim_ows(value);
        unread_bytes = unread_bytes.checked_sub(value.len())?;
        let is_first = members.count == 0;
        members.read(value)?;
        single = if is_first { Some(value) } else { single.filter(|_| value.is_empty()) };
    }
    members.shorten(0);
    // The usual case is one header as everyone writes it: kept as it came, in one copy.
    match single.filter(|value| value.len() == members.joined_bytes && !value.is_empty()) {
        Some(value) => Some(Arc::from(std::str::from_utf8(value).ok()?)),
        None => members.join(),
    }
}

impl<'a> Members<'a> {
    fn as_slice(&self) -> &[&'a [u8]] {
        self.slots.get(..self.count).unwrap_or_default()
    }

    /// One value of the header. `None` when a rule is broken.
    fn read(&mut self, mut list: &'a [u8]) -> Option<()> {
        loop {
            while let [b',' | b' ' | b'\t', rest @ ..] = list {
                list = rest;
            }
            if list.is_empty() {
                return Some(());
            }
            let taken = grammar::take_member(list)?;
            if self.as_slice().iter().any(|member| has_key(member, taken.key)) || !self.push(taken.member) {
                return None;
            }
            list = taken.rest;
        }
    }

    /// False when there is no room.
    pub(super) fn push(&mut self, member: &'a [u8]) -> bool {
        let Some(slot) = self.slots.get_mut(self.count) else {
            return false;
        };
        *slot = member;
        self.joined_bytes += member.len() + usize::from(self.count > 0);
        self.count += 1;
        true
    }

    /// Drops members until the list fits, but none of the first `kept`.
    pub(super) fn shorten(&mut self, kept: usize) {
        while self.joined_bytes > TraceState::MAX_BYTES && self.count > kept {
            let last = self.count - 1;
            let long = self.as_slice().iter().rposition(|member| member.len() > LONG_MEMBER_BYTES);
            let dropped = long.filter(|index| *index >= kept).unwrap_or(last);
            if let Some(tail) = self.slots.get_mut(dropped..self.count) {
                tail.rotate_left(1);
            }
            let bytes = self.slots.get(last).map_or(0, |member| member.len());
            self.joined_bytes -= bytes + usize::from(last > 0);
            self.count = last;
        }
    }

    /// The members with commas between them, by way of the stack. `None` when there are none.
    pub(super) fn join(&self) -> Option<Arc<str>> {
        if self.count == 0 {
            return None;
        }
        let mut buffer = [0; TraceState::MAX_BYTES];
        let mut free = buffer.as_mut_slice();
        for (index, member) in self.as_slice().iter().enumerate() {
            let comma: &[u8] = if index == 0 { b"" } else { b"," };
            for part in [comma, member] {
                let (taken, rest) = std::mem::take(&mut free).split_at_mut_checked(part.len())?;
                taken.copy_from_slice(part);
                free = rest;
            }
        }
        let joined = std::str::from_utf8(buffer.get(..self.joined_bytes)?).ok()?;
        Some(Arc::from(joined))
    }
}

fn has_key(member: &[u8], key: &[u8]) -> bool {
    member.strip_prefix(key).is_some_and(|rest| rest.starts_with(b"="))
}
