//! The append-only log that holds one trace's records while the run is alive.
//!
//! Owns the memory of one trace and the protocol by which any thread appends to it without a lock
//! and one thread closes it. Does not know what a record means beyond its header word.
//!
//! # Protocol
//! The log is a table of chunks, each twice the size of the one before, and one *cursor* word:
//! `closed | full | chunk | auxiliary records | spans | position`. A writer reserves space and
//! counts its record with a single `fetch_add`; the value it gets back says which words are its
//! own. It stores the body, then the header word with `Release`: a record is readable exactly when
//! its header is non-zero. Memory is zero before it is reserved.
//!
//! Worked example with a chunk of 16 words: A reserves 0..10, B reserves 10..20, which does not
//! fit. B is the one writer whose reservation *crosses* the end, so B notes `ends[0] = 10`, moves
//! the cursor to chunk 1 (under a mutex: once per chunk, not per record) and tries again. C, whose
//! reservation began beyond the end, only tries again.
//!
//! Closing sets the `closed` bit with `fetch_or`. Whoever reserved before that is in the extent
//! that the closer got back, and the closer waits for those few headers; whoever comes after sees
//! the bit and touches no memory. So a closer may free the chunks while writers still hold
//! references to the log.

use super::sync::{AtomicPtr, AtomicU32, AtomicU64, Mutex, Ordering, wait_a_moment};

/// Each chunk doubles up to [`MAX_CHUNK_WORDS`]: 16 chunks from 4 KiB reach 128 MiB, beyond any
/// sensible size of one trace.
pub(crate) const MAX_CHUNKS: usize = 16;
/// A quarter of what a position can count: the rest is for reservations beyond a chunk's end, of
/// which every waiting writer makes one (192 of the largest record fit).
const MAX_CHUNK_WORDS: usize = 1 << (POSITION_BITS - 2);
/// Words of the first chunk: 4 KiB, about 25 spans with three attributes.
pub(crate) const FIRST_CHUNK_WORDS: usize = 512;
/// Chunks beyond this many are given back to the allocator when a trace ends.
const RETAINED_CHUNKS: usize = 3;

const POSITION_BITS: u32 = 24;
/// Counts to 131,071: above the largest `spans_per_trace`, with room for concurrent refusals.
const COUNT_BITS: u32 = 17;
const SPAN_SHIFT: u32 = POSITION_BITS;
const AUXILIARY_SHIFT: u32 = SPAN_SHIFT + COUNT_BITS;
const CHUNK_SHIFT: u32 = AUXILIARY_SHIFT + COUNT_BITS;
const POSITION_MASK: u64 = (1 << POSITION_BITS) - 1;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const CHUNK_MASK: u64 = 0xf;
const FULL: u64 = 1 << 62;
const CLOSED: u64 = 1 << 63;

/// The largest record: its length has 16 bits in the header.
pub(crate) const MAX_RECORD_WORDS: usize = 0xffff;

const END_UNKNOWN: u32 = u32::MAX;

/// The low 16 bits of every header are the record's length in words, header included; the next 8
/// say what it is.
pub(crate) const KIND_SHIFT: u32 = 16;
/// A reservation that turned out to be over the limit; readers skip it.
pub(crate) const KIND_SKIPPED: u64 = 0xff;

/// Which counter a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Span,
    Auxiliary,
}

/// Why a record was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    Limit,
    Memory,
}

/// Grants the bytes of new chunks, within the engine's bound.
pub(crate) trait Memory {
    /// Whether `bytes` more may be allocated.
    fn reserve(&self, bytes: usize) -> bool;
    /// Returns what was reserved and is not needed.
    fn give_back(&self, bytes: usize);
}

/// What had been reserved at the moment of closing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent(u64);

#[derive(Debug)]
pub(crate) struct SpanLog {
    cursor: AtomicU64,
    chunks: [AtomicPtr<AtomicU64>; MAX_CHUNKS],
    lengths: [AtomicU32; MAX_CHUNKS],
    ends: [AtomicU32; MAX_CHUNKS],
    /// Held by the one writer that asks for the memory of the next chunk.
    asking: Mutex<()>,
    /// Held while chunks are installed or freed.
    growing: Mutex<()>,
}

impl Count {
    const fn shift(self) -> u32 {
        match self {
            Count::Span => SPAN_SHIFT,
            Count::Auxiliary => AUXILIARY_SHIFT,
        }
    }

    const fn of(self, cursor: u64) -> u64 {
        (cursor >> self.shift()) & COUNT_MASK
    }
}

const fn chunk_of(cursor: u64) -> usize {
    ((cursor >> CHUNK_SHIFT) & CHUNK_MASK) as usize
}

const fn position_of(cursor: u64) -> usize {
    (cursor & POSITION_MASK) as usize
}

impl SpanLog {
    /// A log whose first chunk has `first_words` words.
    pub(crate) fn new(first_words: usize) -> Self {
        let log = Self {
            cursor: AtomicU64::new(0),
            chunks: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            lengths: std::array::from_fn(|_| AtomicU32::new(0)),
            ends: std::array::from_fn(|_| AtomicU32::new(END_UNKNOWN)),
            asking: Mutex::new(()),
            growing: Mutex::new(()),
        };
        log.install(0, first_words);
        log
    }

    /// Appends one record made of `head` and `tail`; `head[0]` is its non-zero header.
    ///
    /// `memory` is asked before a new chunk is allocated. On the usual path this is one
    /// atomic addition and the stores of the record.
    #[inline(always)]
    pub(crate) fn append(
        &self,
        head: &[u64],
        tail: &[u64],
        count: Count,
        limit: u32,
        memory: &impl Memory,
    ) -> Result<(), Refused> {
        let words = head.len() + tail.len();
        debug_assert!(words <= MAX_RECORD_WORDS);
        let unit = 1 << count.shift();
        loop {
            let seen = self.cursor.load(Ordering::Relaxed);
            if seen & (CLOSED | FULL) != 0 || count.of(seen) >= u64::from(limit) {
                return Err(Self::refusal(seen));
            }
            let before = self.cursor.fetch_add(words as u64 + unit, Ordering::AcqRel);
            if before & (CLOSED | FULL) != 0 {
                return Err(Self::refusal(before));
            }
            let (chunk, start) = (chunk_of(before), position_of(before));
            let length = self.length(chunk);
            if start + words <= length {
                let over = count.of(before) >= u64::from(limit);
                self.store(chunk, length, start, head, tail, over);
                return if over { Err(Refused::Limit) } else { Ok(()) };
            }
            self.cursor.fetch_sub(unit, Ordering::AcqRel);
            self.roll_over((chunk, start, length), words, memory)?;
        }
    }

    const fn refusal(cursor: u64) -> Refused {
        if cursor & CLOSED != 0 {
            Refused::Closed
        } else if cursor & FULL != 0 {
            Refused::Memory
        } else {
            Refused::Limit
        }
    }

    #[inline]
    fn length(&self, chunk: usize) -> usize {
        self.lengths.get(chunk).map_or(0, |length| length.load(Ordering::Relaxed) as usize)
    }

    /// Stores the body relaxed and the header last, which publishes the record.
    #[inline(always)]
    fn store(&self, chunk: usize, length: usize, start: usize, head: &[u64], tail: &[u64], skipped: bool) {
        let words = head.len() + tail.len();
        // SAFETY: the caller reserved `start..start + words` of this chunk before the log was
        // closed, so the chunk is not freed before this record's header is seen.
        let memory = unsafe { self.memory(chunk, length) };
        let (Some(target), Some((header, body))) = (memory.get(start..start + words), head.split_first()) else {
            debug_assert!(false, "a reservation lies inside its chunk");
            return;
        };
        let Some((header_word, body_words)) = target.split_first() else { return };
        if skipped {
            header_word.store(words as u64 | (KIND_SKIPPED << KIND_SHIFT), Ordering::Release);
            return;
        }
        let (head_words, tail_words) = body_words.split_at(body.len());
        copy(head_words, body);
        copy(tail_words, tail);
        header_word.store(*header, Ordering::Release);
    }

    /// The words of a chunk.
    ///
    /// # Safety
    /// The chunk must be installed with `length` words and must not be freed while the slice
    /// lives: the caller has a reservation in it, or is the closer.
    #[inline]
    unsafe fn memory(&self, chunk: usize, length: usize) -> &[AtomicU64] {
        let pointer = self.chunks.get(chunk).map_or(std::ptr::null_mut(), |chunk| chunk.load(Ordering::Relaxed));
        if pointer.is_null() {
            return &[];
        }
        // SAFETY: `install` made this pointer from a boxed slice of exactly `length` words, and
        // the cursor was moved to the chunk (Release) after that; see the function's contract.
        unsafe { std::slice::from_raw_parts(pointer, length) }
    }

    /// Moves the cursor from a full chunk to the next one, unless somebody else already has.
    ///
    /// One writer asks for memory and the others wait for what it gets, so that a trace with many
    /// writers asks for no more than it needs. It does not hold `growing` meanwhile: making room
    /// may close and release another trace's log, whose writer may be here too, waiting for the
    /// same room.
    #[cold]
    fn roll_over(
        &self,
        (chunk, start, length): (usize, usize, usize),
        words: usize,
        memory: &impl Memory,
    ) -> Result<(), Refused> {
        if start <= length {
            // This reservation is the one that crosses the end: records stop where it began.
            if let Some(end) = self.ends.get(chunk) {
                end.store(start as u32, Ordering::Release);
            }
        }
        let _asking = self.asking.lock();
        let cursor = self.cursor.load(Ordering::Acquire);
        if cursor & (CLOSED | FULL) != 0 {
            return Err(Self::refusal(cursor));
        }
        if chunk_of(cursor) != chunk {
            return Ok(());
        }
        let next = chunk + 1;
        let wanted = (length * 2).min(MAX_CHUNK_WORDS).max(words);
        let installed = self.length(next) >= words;
        let granted = !installed && next < MAX_CHUNKS && memory.reserve(wanted * 8);
        let _growing = self.growing.lock();
        // From here on the log can be closed but no longer released.
        let cursor = self.cursor.load(Ordering::Acquire);
        if cursor & CLOSED != 0 {
            if granted {
                memory.give_back(wanted * 8);
            }
            return Err(Refused::Closed);
        }
        if granted {
            let replaced = self.install(next, wanted);
            memory.give_back(replaced);
        } else if !installed {
            let before = self.cursor.fetch_or(FULL, Ordering::AcqRel);
            return Err(Self::refusal(before | FULL));
        }
        let _ = self.cursor.fetch_update(Ordering::AcqRel, Ordering::Acquire, |cursor| {
            let kept = cursor & !(POSITION_MASK | (CHUNK_MASK << CHUNK_SHIFT));
            (cursor & CLOSED == 0).then_some(kept | ((next as u64) << CHUNK_SHIFT))
        });
        Ok(())
    }

    /// Puts a fresh, zeroed chunk in place. Nobody reads it before the cursor points at it.
    /// Returns the bytes of the chunk it replaced.
    fn install(&self, chunk: usize, words: usize) -> usize {
        let fresh: Box<[AtomicU64]> = (0..words).map(|_| AtomicU64::new(0)).collect();
        let pointer = Box::into_raw(fresh).cast::<AtomicU64>();
        if let (Some(slot), Some(length)) = (self.chunks.get(chunk), self.lengths.get(chunk)) {
            let old = slot.swap(pointer, Ordering::AcqRel);
            let old_length = length.swap(words as u32, Ordering::AcqRel) as usize;
            // SAFETY: a chunk beyond the cursor has no reservation in it.
            unsafe { free(old, old_length) };
            return old_length * 8;
        }
        0
    }

    /// Refuses all further records. `None` when the log was closed already.
    pub(crate) fn close(&self) -> Option<Extent> {
        let before = self.cursor.fetch_or(CLOSED, Ordering::AcqRel);
        (before & CLOSED == 0).then_some(Extent(before))
    }

    /// Hands every record of the extent to `visit`, in order of reservation, waiting for writers
    /// that are in the middle of one.
    pub(crate) fn read(&self, extent: Extent, mut visit: impl FnMut(&[u64])) {
        let mut record = Vec::new();
        for chunk in 0..=chunk_of(extent.0) {
            let length = self.length(chunk);
            // SAFETY: the log is closed and only the closer, who calls this, may free chunks.
            let memory = unsafe { self.memory(chunk, length) };
            let mut at = 0;
            while at < self.end_of(chunk, length, extent) {
                let Some(header) = memory.get(at).map(wait_for_header) else { break };
                let words = (header & 0xffff) as usize;
                if (header >> KIND_SHIFT) & 0xff != KIND_SKIPPED {
                    record.clear();
                    record.push(header);
                    let body = memory.get(at + 1..at + words).unwrap_or_default();
                    record.extend(body.iter().map(|word| word.load(Ordering::Relaxed)));
                    visit(&record);
                }
                at += words.max(1);
            }
        }
    }

    fn end_of(&self, chunk: usize, length: usize, extent: Extent) -> usize {
        if chunk == chunk_of(extent.0) && position_of(extent.0) <= length {
            return position_of(extent.0);
        }
        let Some(end) = self.ends.get(chunk) else { return 0 };
        loop {
            match end.load(Ordering::Acquire) {
                END_UNKNOWN => wait_a_moment(),
                end => return end as usize,
            }
        }
    }

    /// Whether [`SpanLog::close`] was called since the log was last empty.
    pub(crate) fn is_closed(&self) -> bool {
        self.cursor.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Bytes of all installed chunks.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.lengths.iter().map(|length| length.load(Ordering::Relaxed) as usize * 8).sum()
    }

    /// Frees all memory while writers may still hold the log. Returns the bytes freed.
    ///
    /// Only the closer may call this, after [`SpanLog::read`] has seen the whole extent.
    pub(crate) fn release(&self, _closed: Extent) -> usize {
        // A writer that is about to grow finds the log closed once it has this mutex.
        let _growing = self.growing.lock();
        self.free_from(0)
    }

    /// Makes the log empty again and frees what a typical trace does not need. Returns the bytes
    /// freed, or `None` when the first chunk is gone, so that the log cannot be used again.
    ///
    /// The caller must be the only one to use the log.
    pub(crate) fn reset(&self) -> Option<usize> {
        let cursor = self.cursor.load(Ordering::Acquire);
        for chunk in 0..=chunk_of(cursor).min(RETAINED_CHUNKS - 1) {
            let length = self.length(chunk);
            let used = if chunk == chunk_of(cursor) { position_of(cursor).min(length) } else { length };
            // SAFETY: nobody else uses the log, so the chunk is not freed meanwhile.
            let memory = unsafe { self.memory(chunk, length) };
            zero(memory.get(..used).unwrap_or_default());
        }
        let freed = if chunk_of(cursor) >= RETAINED_CHUNKS { self.free_from(RETAINED_CHUNKS) } else { 0 };
        if chunk_of(cursor) > 0 || position_of(cursor) > self.length(0) {
            for end in &self.ends {
                end.store(END_UNKNOWN, Ordering::Relaxed);
            }
        }
        if self.length(0) == 0 {
            return None;
        }
        self.cursor.store(0, Ordering::Release);
        Some(freed)
    }

    fn free_from(&self, first: usize) -> usize {
        let mut freed = 0;
        for (slot, length) in self.chunks.iter().zip(&self.lengths).skip(first) {
            let pointer = slot.swap(std::ptr::null_mut(), Ordering::AcqRel);
            let words = length.swap(0, Ordering::AcqRel) as usize;
            freed += words * 8;
            // SAFETY: the callers guarantee that no reservation is being written and that none
            // can be made: the log is closed and read, or nobody else uses it.
            unsafe { free(pointer, words) };
        }
        freed
    }
}

impl Drop for SpanLog {
    fn drop(&mut self) {
        self.free_from(0);
    }
}

/// Writes a record's body into the words reserved for it, word by word: they were written one by
/// one a moment ago, and a wider load would have to wait for those stores (measured: 5 ns a span).
#[inline(always)]
fn copy(to: &[AtomicU64], from: &[u64]) {
    debug_assert_eq!(to.len(), from.len());
    for (word, value) in to.iter().zip(from) {
        word.store(*value, Ordering::Relaxed);
    }
}

/// Zeroes words that nobody else uses, as one block: the compiler would not merge atomic stores.
fn zero(words: &[AtomicU64]) {
    #[cfg(not(loom))]
    // SAFETY: an `AtomicU64` has the layout of a `u64` and may be written through a shared
    // reference; the caller is the only user of the log, so no other access races with this one.
    unsafe {
        std::ptr::write_bytes(words.as_ptr().cast::<u64>().cast_mut(), 0, words.len());
    }
    #[cfg(loom)]
    for word in words {
        word.store(0, Ordering::Relaxed);
    }
}

fn wait_for_header(word: &AtomicU64) -> u64 {
    loop {
        match word.load(Ordering::Acquire) {
            0 => wait_a_moment(),
            header => return header,
        }
    }
}

/// Frees a chunk that `install` made; null is allowed.
///
/// # Safety
/// `pointer` is null, or came from `install` with `words` words and is not used any more.
unsafe fn free(pointer: *mut AtomicU64, words: usize) {
    if !pointer.is_null() {
        // SAFETY: see the function's contract.
        let chunk = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(pointer, words)) };
        #[cfg(loom)]
        let chunk = tell_loom(chunk);
        drop(chunk);
    }
}

/// Loom does not see memory go, but it sees exclusive access: a use that is not ordered before this
/// fails the model.
#[cfg(loom)]
fn tell_loom(mut chunk: Box<[AtomicU64]>) -> Box<[AtomicU64]> {
    chunk.iter_mut().for_each(|word| word.with_mut(|word| *word = 0));
    chunk
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    struct Grant(bool);

    impl Memory for Grant {
        fn reserve(&self, _bytes: usize) -> bool {
            self.0
        }
        fn give_back(&self, _bytes: usize) {}
    }

    const YES: &Grant = &Grant(true);

    fn record(value: u64, words: usize) -> Vec<u64> {
        let mut record = vec![value; words];
        record[0] = words as u64 | (1 << KIND_SHIFT);
        record
    }

    fn contents(log: &SpanLog) -> Vec<u64> {
        let extent = log.close().expect("not closed before");
        let mut seen = Vec::new();
        log.read(extent, |record| seen.push(*record.last().unwrap()));
        seen
    }

    #[test]
    fn records_come_back_whole_and_in_order_across_chunks() {
        let log = SpanLog::new(16);
        for value in 1..=50 {
            let record = record(value, 5);
            assert_eq!(log.append(&record[..2], &record[2..], Count::Span, 100, YES), Ok(()));
        }
        assert_eq!(contents(&log), (1..=50).collect::<Vec<_>>());
    }

    #[test]
    fn a_record_larger_than_the_next_chunk_gets_a_chunk_of_its_own_size() {
        let log = SpanLog::new(4);
        let large = record(7, 1000);
        assert_eq!(log.append(&large, &[], Count::Span, 10, YES), Ok(()));
        assert_eq!(contents(&log), [7]);
    }

    #[test]
    fn the_limit_counts_spans_and_auxiliary_records_apart() {
        let log = SpanLog::new(64);
        let record = record(1, 3);
        for _ in 0..2 {
            assert_eq!(log.append(&record, &[], Count::Span, 2, YES), Ok(()));
        }
        assert_eq!(log.append(&record, &[], Count::Span, 2, YES), Err(Refused::Limit));
        assert_eq!(log.append(&record, &[], Count::Auxiliary, 2, YES), Ok(()));
    }

    #[test]
    fn when_memory_is_refused_what_was_recorded_stays_readable() {
        let log = SpanLog::new(8);
        let record = record(3, 5);
        assert_eq!(log.append(&record, &[], Count::Span, 9, &Grant(false)), Ok(()));
        assert_eq!(log.append(&record, &[], Count::Span, 9, &Grant(false)), Err(Refused::Memory));
        assert_eq!(log.append(&record, &[], Count::Span, 9, YES), Err(Refused::Memory));
        assert_eq!(contents(&log), [3]);
    }

    /// Chunks once doubled without end, and the sixteenth was larger than a position can count:
    /// reservations in it would have run over into the count of spans.
    #[test]
    fn chunks_grow_no_larger_than_a_position_can_count() {
        let log = SpanLog::new(MAX_CHUNK_WORDS);
        let largest = record(1, MAX_RECORD_WORDS);
        let fit = MAX_CHUNK_WORDS / MAX_RECORD_WORDS;
        for _ in 0..=fit {
            assert_eq!(log.append(&largest, &[], Count::Span, 1_000, YES), Ok(()));
        }
        assert_eq!(log.length(1), MAX_CHUNK_WORDS);
        assert_eq!(contents(&log).len(), fit + 1);
    }

    #[test]
    fn a_closed_log_refuses_and_a_second_close_finds_it_closed() {
        let log = SpanLog::new(8);
        assert!(log.close().is_some());
        assert!(log.close().is_none());
        assert_eq!(log.append(&record(1, 3), &[], Count::Span, 9, YES), Err(Refused::Closed));
    }

    #[test]
    fn a_reset_log_is_empty_keeps_small_chunks_and_frees_large_ones() {
        let log = SpanLog::new(8);
        let record = record(9, 6);
        for _ in 0..100 {
            let _ = log.append(&record, &[], Count::Span, 1000, YES);
        }
        let before = log.allocated_bytes();
        let freed = log.reset().unwrap();
        assert_eq!(log.allocated_bytes(), (8 + 16 + 32) * 8);
        assert_eq!(freed, before - log.allocated_bytes());
        log.append(&[3 | (1 << KIND_SHIFT), 0, 5], &[], Count::Span, 9, YES).unwrap();
        assert_eq!(contents(&log), [5]);
    }

    #[test]
    fn a_released_log_has_no_memory_and_cannot_be_reset() {
        let log = SpanLog::new(8);
        let extent = log.close().unwrap();
        assert_eq!(log.release(extent), 64);
        assert_eq!(log.allocated_bytes(), 0);
        assert_eq!(log.reset(), None);
    }

    #[test]
    fn many_threads_lose_nothing() {
        let log = SpanLog::new(16);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let log = &log;
                scope.spawn(move || {
                    for i in 0..1_000 {
                        let record = record(1 + thread * 1_000 + i, 4);
                        log.append(&record, &[], Count::Span, 50_000, YES).unwrap();
                    }
                });
            }
        });
        let mut seen = contents(&log);
        seen.sort_unstable();
        assert_eq!(seen, (1..=4_000).collect::<Vec<_>>());
    }
}
