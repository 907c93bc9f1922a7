//! A compressed body as it arrives, piece by piece and only so far.

use std::io::Write;

use axum::body::Bytes;
use flate2::write::MultiGzDecoder;

use super::refusal::Refusal;

/// Decompresses gzip (RFC 1952), several members one after the other included. Holds what arrived last
/// and at most 64 KiB of what comes out of it.
#[derive(Debug)]
pub(super) struct Inflate {
    decoder: MultiGzDecoder<Vec<u8>>,
    input: Bytes,
    /// Bytes that came out so far, and that may.
    given: usize,
    most: usize,
}

impl Inflate {
    pub(super) fn new(most: usize) -> Self {
        Self { decoder: MultiGzDecoder::new(Vec::new()), input: Bytes::new(), given: 0, most }
    }

    /// What arrived; everything before it has been taken by [`Inflate::next`].
    pub(super) fn feed(&mut self, input: Bytes) {
        self.input = input;
    }

    /// The next piece; `None` when more has to arrive.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        while !self.input.is_empty() {
            // One call decompresses about 32 KiB, however much a byte stands for.
            let used = self.decoder.write(&self.input).map_err(|_| Refusal::NotGzip)?;
            let _ = self.input.split_to(used.min(self.input.len()));
            let piece = self.take()?;
            if piece.is_some() {
                return Ok(piece);
            }
            if used == 0 {
                return Err(Refusal::NotGzip);
            }
        }
        Ok(None)
    }

    /// The last piece, after all has arrived; it checks length and checksum.
    pub(super) fn finish(&mut self) -> Result<Option<Bytes>, Refusal> {
        self.decoder.try_finish().map_err(|_| Refusal::NotGzip)?;
        self.take()
    }

    fn take(&mut self) -> Result<Option<Bytes>, Refusal> {
        let piece = std::mem::take(self.decoder.get_mut());
        self.given = self.given.saturating_add(piece.len());
        if self.given > self.most {
            return Err(Refusal::InflatesTooLarge { most: self.most });
        }
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// All pieces, and the longest.
    fn inflate(pieces: &[&[u8]], most: usize) -> Result<(Vec<u8>, usize), Refusal> {
        let mut inflate = Inflate::new(most);
        let (mut plain, mut longest) = (Vec::new(), 0);
        for piece in pieces {
            inflate.feed(Bytes::copy_from_slice(piece));
            while let Some(piece) = inflate.next()? {
                longest = longest.max(piece.len());
                plain.extend_from_slice(&piece);
            }
        }
        if let Some(piece) = inflate.finish()? {
            plain.extend_from_slice(&piece);
        }
        Ok((plain, longest))
    }

    #[test]
    fn a_bomb_ends_at_the_limit_and_comes_in_small_pieces() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 12_000);
        let (plain, longest) = inflate(&[&bomb], 10_000_000).unwrap();
        assert_eq!(plain.len(), 10_000_000);
        assert!(longest <= 65_536, "{longest}");
        assert_eq!(inflate(&[&bomb], 9_999_999), Err(Refusal::InflatesTooLarge { most: 9_999_999 }));
    }

    #[test]
    fn what_is_broken_incomplete_or_no_gzip_is_refused() {
        let whole = gzip(b"some text that is long enough to be compressed, compressed, compressed");
        let mut wrong_sum = whole.clone();
        let at = wrong_sum.len() - 8;
        wrong_sum[at] ^= 1;
        let followed = [&whole[..], b"rubbish"].concat();
        for broken in [&whole[..whole.len() - 1], &whole[..12], &whole[..5], b"plain", b"", &wrong_sum, &followed] {
            assert_eq!(inflate(&[broken], 1_000), Err(Refusal::NotGzip), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn members_cut_anywhere_come_out_as_they_were(
            members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_500), 1..4),
            cut in 1_usize..300,
        ) {
            let packed: Vec<u8> = members.iter().flat_map(|member| gzip(member)).collect();
            let pieces: Vec<&[u8]> = packed.chunks(cut).collect();
            prop_assert_eq!(inflate(&pieces, 1 << 20).unwrap().0, members.concat());
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_bounded(noise in prop::collection::vec(any::<u8>(), 0..500)) {
            let mut bytes = gzip(b"");
            bytes.truncate(10);
            bytes.extend(noise);
            if let Ok((plain, _)) = inflate(&[&bytes], 10_000) {
                prop_assert!(plain.len() <= 10_000);
            }
        }
    }
}
