//! Drawing by weight, and the same draw for the same key.

use std::hash::{Hash, Hasher};

/// Where the share of each route ends, from 0 to 1, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shares(Vec<(f64, usize)>);

impl Shares {
    /// Of routes and their weights, at least one of which is above 0.
    pub(super) fn of(weights: &[(usize, f64)]) -> Self {
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let positive = weights.iter().filter(|(_, weight)| *weight > 0.0);
        let ends = positive.scan(0.0, |end, (route, weight)| {
            *end += weight / total;
            Some((*end, *route))
        });
        Self(ends.collect())
    }

    /// The route whose share a number of 64 random bits falls into.
    #[inline]
    pub(super) fn draw(&self, bits: u64) -> Option<usize> {
        let at = fraction(bits);
        // The last share ends at 1 but for rounding.
        self.0.iter().find(|(end, _)| at < *end).or(self.0.last()).map(|(_, route)| *route)
    }
}

/// 64 bits as a number from 0 to below 1, evenly spread.
#[inline]
pub(super) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A key's hash: the same in every process, so that restarts and replicas agree.
pub(super) fn stable_hash(key: &impl Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    key.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a (Fowler, Noll and Vo), with the last mixing steps of SplitMix64: the high bits decide, and
/// FNV alone hardly reaches them with short keys. The standard library's hasher may change with its
/// version.
struct Fnv(u64);

impl Hasher for Fnv {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_proportion_and_weightless_routes_are_never_drawn() {
        let shares = Shares::of(&[(0, 0.0), (1, 3.0), (2, 0.0), (3, 1.0), (4, 0.0)]);
        assert_eq!(shares.0, [(0.75, 1), (1.0, 3)]);
        assert_eq!((shares.draw(0), shares.draw((u64::MAX / 4) * 3 - 4_096)), (Some(1), Some(1)));
        assert_eq!((shares.draw(u64::MAX / 4 * 3 + 4_096), shares.draw(u64::MAX)), (Some(3), Some(3)));
    }

    #[test]
    fn the_hash_of_a_key_is_what_it_was_and_spreads_short_keys() {
        assert_eq!(stable_hash(&"user-1"), 0x89e8_3712_c3aa_c3c8);
        let share = Shares::of(&[(0, 1.0), (1, 1.0)]);
        let first = (0..10_000_u32).filter(|key| share.draw(stable_hash(key)) == Some(0)).count();
        assert!((4_800..5_200).contains(&first), "{first}");
    }

    proptest::proptest! {
        /// A canary that grows takes keys from the others and gives none back.
        #[test]
        fn a_growing_last_share_only_gains_keys(key: u64, small in 0.0..50.0_f64, more in 0.0..50.0_f64) {
            let drawn = |canary: f64| Shares::of(&[(0, 100.0 - canary), (1, canary)]).draw(stable_hash(&key));
            proptest::prop_assert!(drawn(small) == Some(0) || drawn(small + more) == Some(1));
        }
    }
}
