//! Quantiles of times that were measured one by one.

/// The smallest that so many of a thousand do not exceed; `None` of nothing. Sorts.
pub(crate) fn at(ns: &mut [u64], of_thousand: usize) -> Option<u64> {
    ns.sort_unstable();
    let rank = (ns.len() * of_thousand).div_ceil(1_000);
    ns.get(rank.checked_sub(1)?).copied()
}

/// The median and the 99th percentile in units of so many nanoseconds.
pub(crate) fn middle_and_p99(ns: &mut [u64], unit_ns: f64) -> Option<(f64, f64)> {
    Some((at(ns, 500)? as f64 / unit_ns, at(ns, 990)? as f64 / unit_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_smallest_that_enough_do_not_exceed() {
        let mut hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(
            (at(&mut hundred, 500), at(&mut hundred, 990), at(&mut hundred, 1_000)),
            (Some(50), Some(99), Some(100))
        );
        assert_eq!(at(&mut [], 990), None);
        assert_eq!(middle_and_p99(&mut [3_000, 1_000], 1e3), Some((1.0, 3.0)));
    }
}
