//! The bucket scheme shared by the plain histogram and the per-thread cells.
//!
//! Log-linear, as in HdrHistogram (Tene, 2012): values below 128 have a bucket each; above, every
//! power of two is divided into 64 equal buckets. A bucket is never wider than 1/64 of its lower
//! end, so its middle is within 1/128 (0.79 %) of every value in it.
//!
//! Worked example: 1,000,000 ns lies in 2^19..2^20 (524,288..1,048,576), divided into buckets of
//! 8,192; it is the 58th of them (999,424..1,007,616), whose middle 1,003,520 is 0.35 % away.

/// Buckets in a page; a page covers one power of two.
pub(super) const PAGE: usize = 64;
const PAGE_BITS: u32 = PAGE.trailing_zeros();
/// Pages needed for all of `u64`.
pub(super) const PAGES: usize = 64 - PAGE_BITS as usize + 1;

/// The page and the bucket within it that a value belongs to.
#[inline]
pub(super) fn locate(value: u64) -> (usize, usize) {
    if value < PAGE as u64 {
        return (0, value as usize);
    }
    let shift = 63 - PAGE_BITS - value.leading_zeros();
    let within = (value >> shift) as usize & (PAGE - 1);
    (shift as usize + 1, within)
}

/// The middle of a bucket: the value it is reported as.
pub(super) fn middle(page: usize, within: usize) -> u64 {
    if page == 0 {
        return within as u64;
    }
    let shift = page as u32 - 1;
    let low = (PAGE as u64 + within as u64) << shift;
    low + ((1_u64 << shift) >> 1)
}

/// The smallest and the largest value of a bucket.
pub(super) fn bounds(page: usize, within: usize) -> (u64, u64) {
    if page == 0 {
        return (within as u64, within as u64);
    }
    let shift = page as u32 - 1;
    let low = (PAGE as u64 + within as u64) << shift;
    (low, low + ((1_u64 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_bounds_and_nothing_beyond_them() {
        for (page, within) in (0..PAGES).flat_map(|page| (0..PAGE).map(move |within| (page, within))) {
            let (low, high) = bounds(page, within);
            assert_eq!((locate(low), locate(high)), ((page, within), (page, within)));
            assert!((low..=high).contains(&middle(page, within)));
            assert!(low == 0 || locate(low - 1) < (page, within));
            assert!(high == u64::MAX || locate(high + 1) > (page, within));
        }
    }

    #[test]
    fn the_worked_example_holds() {
        let (page, within) = locate(1_000_000);
        assert_eq!((page, within), (14, 58));
        assert_eq!(middle(page, within), 1_003_520);
    }

    #[test]
    fn every_value_is_within_one_percent_of_its_bucket_and_buckets_are_ordered() {
        let mut last = (0, 0);
        let mut value = 1_u64;
        while value < u64::MAX / 2 {
            for near in [value - 1, value, value + 1] {
                let (page, within) = locate(near);
                assert!(page < PAGES && within < PAGE);
                let error = middle(page, within).abs_diff(near) as f64 / near.max(1) as f64;
                assert!(error <= 1.0 / 128.0, "{near}: {error}");
            }
            assert!(locate(value) >= last);
            last = locate(value);
            value += value / 97 + 1;
        }
        assert_eq!(locate(u64::MAX), (PAGES - 1, PAGE - 1));
    }
}
