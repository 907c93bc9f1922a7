//! Keys: no two lists of parts share one, and all are bounded and printable.

use proptest::prelude::*;

use super::*;

fn key(parts: &[String]) -> CacheKey {
    CacheKey::of(parts)
}

/// Reads the parts of a list back out of a key that was not hashed: proof that nothing was lost.
fn read(key: &CacheKey) -> Vec<Vec<u8>> {
    let mut rest = key.as_str().strip_prefix('L').unwrap().as_bytes();
    let mut number = || {
        let colon = rest.iter().position(|byte| *byte == b':').unwrap();
        let number: usize = std::str::from_utf8(&rest[..colon]).unwrap().parse().unwrap();
        rest = &rest[colon + 1..];
        number
    };
    let count = number();
    let mut parts = Vec::new();
    for _ in 0..count {
        let colon = rest.iter().position(|byte| *byte == b':').unwrap();
        let length: usize = std::str::from_utf8(&rest[..colon]).unwrap().parse().unwrap();
        rest = &rest[colon + 1..];
        let mut part = Vec::new();
        while part.len() < length {
            if rest[0] == b'%' {
                part.push(u8::from_str_radix(std::str::from_utf8(&rest[1..3]).unwrap(), 16).unwrap());
                rest = &rest[3..];
            } else {
                part.push(rest[0]);
                rest = &rest[1..];
            }
        }
        parts.push(part);
    }
    assert!(rest.is_empty(), "{key}");
    parts
}

/// Texts that are likely to be mistaken for something else: digits, colons, escapes, long ones.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9:%~LO]{0,6}",
        "\\PC{0,12}",
        Just(String::new()),
        (0..300_usize).prop_map(|length| "a".repeat(length)),
        (0..100_usize).prop_map(|length| " ".repeat(length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn different_parts_never_give_equal_keys_and_equal_parts_always_do(
        a in prop::collection::vec(text(), 0..5),
        b in prop::collection::vec(text(), 0..5),
    ) {
        prop_assert_eq!(a == b, key(&a) == key(&b), "{:?} {:?}", key(&a), key(&b));
        prop_assert_eq!(key(&a), key(&a.clone()));
    }

    #[test]
    fn every_key_is_bounded_and_printable_and_short_ones_can_be_read_back(
        parts in prop::collection::vec(text(), 0..6),
    ) {
        let key = key(&parts);
        prop_assert!(key.as_str().len() <= CacheKey::MAX_BYTES);
        let printable = |byte: u8| byte.is_ascii_graphic() && byte != b'{' && byte != b'}';
        prop_assert!(key.as_str().bytes().all(printable), "{}", key);
        if !key.as_str().contains('~') {
            let want: Vec<_> = parts.iter().map(|part| part.clone().into_bytes()).collect();
            prop_assert_eq!(read(&key), want);
        }
    }

    /// Moving the border between two long parts changes nothing but the lengths.
    #[test]
    fn long_parts_that_are_cut_elsewhere_give_other_keys(text in "[a-z %]{300,400}", at in 1..299_usize, by in 1..5_usize) {
        let other = if at > by { at - by } else { at + by };
        let (a, b) = (text.split_at(at), text.split_at(other));
        prop_assert_ne!(CacheKey::of(&a), CacheKey::of(&b));
    }
}

#[test]
fn a_key_that_just_fits_is_not_hashed_and_one_byte_more_is() {
    let fits = CacheKey::of(&"x".repeat(196));
    assert_eq!((fits.as_str().len(), fits.as_str()), (200, format!("196:{}", "x".repeat(196)).as_str()));
    let hashed = CacheKey::of(&"x".repeat(197));
    let (readable, hash) = hashed.as_str().split_once('~').unwrap();
    assert_eq!(readable, format!("197:{}", "x".repeat(124)));
    // Of `197:`, the zero byte and the part: `printf '197:\0xxx...' | sha256sum`.
    assert_eq!((hash.len(), hashed.as_str().len()), (64, 193));
    assert!(hash.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
}

#[test]
fn numbers_are_their_digits_whatever_their_type() {
    for (a, b) in [
        (CacheKey::of(&0_u8), "1:0"),
        (CacheKey::of(&-12_i64), "3:-12"),
        (CacheKey::of(&i64::MIN), "20:-9223372036854775808"),
        (CacheKey::of(&u64::MAX), "20:18446744073709551615"),
        (CacheKey::of(&7_usize), "1:7"),
        (CacheKey::of(&-7_isize), "2:-7"),
        (CacheKey::of(&"7"), "1:7"),
        (CacheKey::of(&true), "4:true"),
        (CacheKey::of(&'é'), "2:%C3%A9"),
    ] {
        assert_eq!(a.as_str(), b);
    }
}

#[test]
fn lists_and_options_say_where_they_end() {
    assert_eq!(CacheKey::of(&(vec!["a", "b"], "c")).as_str(), "L2:1:a1:b1:c");
    assert_eq!(CacheKey::of(&(["a"], "b", "c")).as_str(), "L1:1:a1:b1:c");
    assert_eq!(CacheKey::of(&(None::<&str>, "")).as_str(), "O0:0:");
    assert_eq!(CacheKey::of(&(Some(""), 1)).as_str(), "O1:0:1:1");
    assert_ne!(CacheKey::of(&Some(None::<u8>)), CacheKey::of(&None::<Option<u8>>));
}

#[test]
fn a_key_function_may_return_a_result() {
    let parsed = |text: &str| text.parse::<u32>();
    assert_eq!(parsed("7").into_cache_key().unwrap(), CacheKey::of(&7));
    assert!(parsed("x").into_cache_key().unwrap_err().to_string().contains("invalid digit"));
    let key = CacheKey::of("k");
    assert_eq!((&key).into_cache_key().unwrap(), key);
}
