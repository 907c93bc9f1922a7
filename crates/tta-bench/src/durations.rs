//! Durations as those of requests are: log-normal. Does not know what is done with them.

/// So many multiples of a median: one in a hundred exceeds ten times it. The same in every process.
pub(crate) fn log_normal(count: usize) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Of the usual linear congruential generator the upper bits, in 0..1.
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    // The sum of twelve is as good as normal, with a variance of one.
    let mut multiple = || ((0..12).map(|_| uniform()).sum::<f64>() - 6.0).exp();
    (0..count).map(|_| multiple()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_median_and_the_tail_that_are_stated() {
        let mut multiples = log_normal(10_000);
        multiples.sort_by(f64::total_cmp);
        assert!((0.95..1.05).contains(&multiples[5_000]), "{}", multiples[5_000]);
        assert!((9.0..11.0).contains(&multiples[9_900]), "{}", multiples[9_900]);
    }
}
