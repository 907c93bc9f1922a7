//! Thresholds against the tables of the specification, and against themselves.

use proptest::prelude::*;

use super::*;

/// 1 in N and its threshold with 3, 4 and 5 digits, as the specification prints them.
const TABLE: [(f64, [&str; 3]); 13] = [
    (1.0, ["0", "0", "0"]),
    (2.0, ["8", "8", "8"]),
    (3.0, ["aab", "aaab", "aaaab"]),
    (4.0, ["c", "c", "c"]),
    (5.0, ["ccd", "cccd", "ccccd"]),
    (8.0, ["e", "e", "e"]),
    (10.0, ["e66", "e666", "e6666"]),
    (16.0, ["f", "f", "f"]),
    (100.0, ["fd71", "fd70a", "fd70a4"]),
    (1_000.0, ["ffbe7", "ffbe77", "ffbe76d"]),
    (10_000.0, ["fff972", "fff9724", "fff97247"]),
    (100_000.0, ["ffff584", "ffff583a", "ffff583a5"]),
    (1_000_000.0, ["ffffef4", "ffffef39", "ffffef391"]),
];

#[test]
fn one_in_n_has_the_threshold_that_the_specification_prints() {
    for (n, thresholds) in TABLE {
        for (precision, expected) in (3..).zip(thresholds) {
            let threshold = Threshold::with_precision(1.0 / n, precision).unwrap();
            assert_eq!(threshold.to_string(), expected, "1 in {n} with {precision} digits");
            assert_eq!(expected.parse(), Ok(threshold));
        }
    }
}

#[test]
fn probability_and_adjusted_count_are_those_that_the_specification_prints() {
    let threshold: Threshold = "ccd".parse().unwrap();
    assert_eq!((threshold.probability(), threshold.adjusted_count()), (0.199951171875, 5.001221001221001));
    let threshold: Threshold = "fff9724".parse().unwrap();
    assert_eq!((threshold.probability(), threshold.adjusted_count()), (0.00010000169277191162, 9999.830725674266));
    assert_eq!((Threshold::ALWAYS.probability(), Threshold::ALWAYS.adjusted_count()), (1.0, 1.0));
    let rarest = Threshold::from_probability(Threshold::MIN_PROBABILITY).unwrap();
    assert_eq!((rarest, rarest.adjusted_count()), (Threshold::MAX, 72_057_594_037_927_936.0));
    assert_eq!(rarest.to_string(), "ffffffffffffff");
}

#[test]
fn a_trace_is_kept_when_its_randomness_reaches_the_threshold() {
    let threshold: Threshold = "8".parse().unwrap();
    assert_eq!(threshold.get(), 1 << 55);
    assert!(threshold.keeps("80000000000000".parse().unwrap()));
    assert!(!threshold.keeps("7fffffffffffff".parse().unwrap()));
    assert!(Threshold::ALWAYS.keeps(Randomness::new(0).unwrap()));
    assert!(Threshold::MAX.keeps(Randomness::new(ALL - 1).unwrap()));
}

#[test]
fn randomness_is_the_last_seven_bytes_of_the_trace_id() {
    let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    assert_eq!(Randomness::of(id).to_string(), "ce929d0e0e4736");
    let id: TraceId = "ffffffffffffffffff00000000000001".parse().unwrap();
    assert_eq!(Randomness::of(id).to_string(), "00000000000001");
    assert_eq!((Randomness::new(ALL), Threshold::new(ALL)), (None, None));
}

#[test]
fn trailing_zeros_may_be_read_but_are_not_written() {
    let threshold: Threshold = "c0000000000000".parse().unwrap();
    assert_eq!(threshold.to_string(), "c");
    assert_eq!("000".parse::<Threshold>().unwrap().to_string(), "0");
    assert_eq!("0001".parse::<Threshold>().unwrap().to_string(), "0001");
}

#[test]
fn texts_that_are_not_thresholds_or_randomness_are_refused() {
    for text in ["", "C", "g", "+1", "-1", "0x1", " 1", "1 ", "ä", "123456789012345"] {
        let error = text.parse::<Threshold>().unwrap_err().to_string();
        assert_eq!(error, format!("`th` is {text}, accepted is 1 to 14 lower-case hexadecimal digits"));
    }
    for text in ["", "1", "1234567890123", "123456789012345", "1234567890123A", "1234567890123g"] {
        let error = text.parse::<Randomness>().unwrap_err().to_string();
        assert_eq!(error, format!("`rv` is {text}, accepted is 14 lower-case hexadecimal digits"));
    }
}

#[test]
fn probabilities_and_precisions_outside_their_range_are_refused() {
    for given in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY, Threshold::MIN_PROBABILITY / 2.0] {
        let error = Threshold::from_probability(given).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("`probability` is {}, accepted is 2^-56 to 1", {
                let text = given.to_string();
                text.chars().take(40).collect::<String>()
            })
        );
    }
    for given in [0, 15] {
        let error = Threshold::with_precision(0.5, given).unwrap_err().to_string();
        assert_eq!(error, format!("`precision` is {given}, accepted is 1 to 14"));
    }
}

#[test]
fn a_rate_too_small_for_a_threshold_keeps_one_in_two_to_the_56th() {
    assert_eq!(Threshold::of_rate(1e-300), Threshold::MAX);
    assert_eq!(Threshold::of_rate(0.999_999_99), Threshold::ALWAYS, "4 digits do not tell it from 1");
}

proptest! {
    #[test]
    fn every_threshold_reads_back_from_its_text(value in 0..ALL, zeros in 0_u32..56) {
        let threshold = Threshold::new(value >> zeros << zeros).unwrap();
        let text = threshold.to_string();
        prop_assert!((1..=14).contains(&text.len()) && (text == "0" || !text.ends_with('0')), "{}", text);
        prop_assert_eq!(text.parse(), Ok(threshold));
        let randomness = Randomness::new(value).unwrap();
        prop_assert_eq!(randomness.to_string().parse(), Ok(randomness));
    }

    #[test]
    fn a_probability_is_met_within_the_precision_and_its_threshold_is_a_fixed_point(
        exponent in -55.0..0.0_f64,
        precision in 1_u32..=12,
    ) {
        let probability = exponent.exp2();
        let threshold = Threshold::with_precision(probability, precision).unwrap();
        let error = (threshold.probability() - probability).abs() / probability;
        // Half a unit of the last digit, whose leading digit may be a 1.
        let bound = 16_f64.powi(1 - precision as i32) / 2.0;
        prop_assert!(error <= bound.max(Threshold::MIN_PROBABILITY / probability), "{} off by {}", threshold, error);
        prop_assert_eq!(Threshold::with_precision(threshold.probability(), precision), Ok(threshold));
    }
}
