//! Tests of `tracestate` as a value: grammar, bounds, and changes.

use super::*;

fn parse(value: &str) -> TraceState {
    TraceState::parse([value.as_bytes()])
}

/// `count` members of `bytes` bytes each, named `k00`, `k01`, ...
fn list(count: usize, bytes: usize) -> String {
    let member = |index| format!("k{index:02}={}", "v".repeat(bytes - 4));
    (0..count).map(member).collect::<Vec<_>>().join(",")
}

fn keys(state: &TraceState) -> Vec<&str> {
    state.iter().map(|(key, _)| key).collect()
}

#[test]
fn an_empty_list_is_the_default_and_holds_nothing() {
    for value in ["", " ", ",", " ,\t, ,"] {
        let state = parse(value);
        assert_eq!(state, TraceState::default());
        assert!(state.is_empty());
        assert_eq!((state.as_str(), state.iter().count()), ("", 0));
    }
    assert_eq!(TraceState::parse([]), TraceState::default());
}

#[test]
fn white_space_and_empty_members_are_dropped_and_spaces_in_front_of_a_value_kept() {
    assert_eq!(parse(",\ta=1 ,, b= 2 \t,").as_str(), "a=1,b= 2");
    assert_eq!(parse("b= 2").get("b"), Some(" 2"));
    assert_eq!(parse("a=1 2").as_str(), "a=1 2");
}

#[test]
fn several_headers_are_one_list_in_their_order() {
    let values: [&[u8]; 5] = [b"", b"b=2", b" ", b"a=1 ,c=3", b","];
    assert_eq!(TraceState::parse(values).as_str(), "b=2,a=1,c=3");
    assert_eq!(TraceState::parse([b"a=1".as_slice(), b""]).as_str(), "a=1");
    assert_eq!(TraceState::parse([b"a=1".as_slice(), b"a=2"]), TraceState::default());
    // The first is as long, with its padding, as all members joined: no reason to keep its text.
    assert_eq!(TraceState::parse([b"a=1    ,b=2".as_slice(), b"c=3"]).as_str(), "a=1,b=2,c=3");
}

#[test]
fn keys_are_those_of_level_1_or_simple_ones_that_begin_with_a_digit() {
    let long = |count| "k".repeat(count);
    let accepted = ["a", "0", "1a", "a_-*/", "t@v", "0t@v", "t@v0_-*/"].map(str::to_owned);
    for key in accepted.into_iter().chain([long(256), format!("{}@{}", long(241), long(14))]) {
        assert_eq!(parse(&format!("{key}=1")).get(&key), Some("1"), "{key}");
        assert_eq!(TraceState::default().with(&key, "1").unwrap().as_str(), format!("{key}=1"));
    }
    let refused =
        ["", "A", "_a", "-a", "*a", "/a", "@v", "t@", "t@0", "t@_", "t@@v", "t@v@w", "a.b", "a b", "ä", "a\t"];
    for key in
        refused.map(str::to_owned).into_iter().chain([long(257), format!("{}@v", long(242)), format!("t@{}", long(15))])
    {
        assert!(parse(&format!("{key}=1,ok=2")).is_empty(), "{key}");
        assert!(matches!(TraceState::default().with(&key, "1"), Err(TraceStateError::Key { .. })), "{key}");
    }
}

#[test]
fn values_are_printable_without_comma_and_equals_sign_and_do_not_end_in_a_space() {
    for byte in 0..=u8::MAX {
        let is_accepted = (b' '..=b'~').contains(&byte) && byte != b'=';
        let list = [b"a=1".as_slice(), &[byte], b"2"].concat();
        // A comma ends the member, and what follows is not one.
        assert_eq!(!TraceState::parse([list.as_slice()]).is_empty(), is_accepted && byte != b',', "{byte}");
    }
    assert_eq!(parse(&format!("a={}", "v".repeat(256))).as_str().len(), 258);
    assert!(parse(&format!("a={}", "v".repeat(257))).is_empty());
    assert!(parse("a=").is_empty());
    assert!(parse("a= ").is_empty());
    assert!(parse("a").is_empty());
    assert!(parse("a=1\tb=2").is_empty(), "white space does not separate members");
    for value in ["", " ", "a ", "a,b", "a=b", "a\tb", "ä", "v".repeat(257).as_str()] {
        let error = TraceState::default().with("a", value).unwrap_err();
        assert!(matches!(error, TraceStateError::Value { .. }), "{value}");
    }
}

#[test]
fn thirty_two_members_are_kept_and_thirty_three_are_none() {
    assert_eq!(parse(&list(32, 6)).iter().count(), 32);
    assert!(parse(&list(33, 6)).is_empty());
    assert_eq!(parse(&format!("{},,", list(32, 6))).iter().count(), 32, "empty members do not count");
}

#[test]
fn a_list_that_is_too_long_loses_its_long_members_from_the_end_first() {
    let (long, short) = ("v".repeat(200), "v".repeat(124));
    // 30 short ones take 30 * 128 and 30 commas; one long one fits beside them, a second does not.
    let text = format!("first={long},second={long},{}", list(30, 128));
    assert!(text.len() > TraceState::MAX_BYTES);
    let state = parse(&text);
    assert_eq!(keys(&state).len(), 31);
    assert_eq!((state.get("first"), state.get("second")), (Some(long.as_str()), None));
    assert_eq!((state.get("k00"), state.get("k29")), (Some(short.as_str()), Some(short.as_str())));
}

#[test]
fn a_list_of_members_of_at_most_128_bytes_loses_the_last() {
    let state = parse(&list(32, 128));
    assert_eq!(keys(&state).len(), 31);
    assert_eq!((state.get("k31"), keys(&state)[0]), (None, "k00"));
    assert_eq!(state.as_str().len(), 31 * 128 + 30);
    // A list that fits to the byte stays: 31 members and their commas leave room for one of 97.
    let exact = format!("{},{}", list(31, 128), format_args!("last={}", "v".repeat(92)));
    assert_eq!(exact.len(), 4_096);
    assert_eq!(parse(&exact).as_str(), exact);
    assert_eq!(keys(&parse(&format!("{exact}v"))).len(), 31);
}

#[test]
fn a_new_member_goes_in_front_and_the_last_of_thirty_two_gives_way() {
    let state = parse(&list(32, 6)).with("new", "1").unwrap();
    assert_eq!((keys(&state)[0], keys(&state)[31], keys(&state).len()), ("new", "k30", 32));
}

#[test]
fn an_updated_member_moves_to_the_front_and_the_others_keep_their_order() {
    let state = parse("a=1,b=2,c=3");
    assert_eq!(state.with("c", "4").unwrap().as_str(), "c=4,a=1,b=2");
    assert_eq!(parse(&list(32, 6)).with("k31", "x").unwrap().iter().count(), 32);
    assert_eq!(state.as_str(), "a=1,b=2,c=3");
}

#[test]
fn the_member_that_is_put_in_stays_however_long_it_is() {
    let own = "w".repeat(256);
    let state = parse(&list(31, 130)).with("own", &own).unwrap();
    assert_eq!(state.get("own"), Some(own.as_str()));
    assert!(state.as_str().len() <= TraceState::MAX_BYTES);
    assert_eq!(*keys(&state).last().unwrap(), "k28", "the last of the long ones gave way");
    // Also when it is the only long one.
    let state = parse(&list(31, 128)).with("own", &own).unwrap();
    assert_eq!((state.get("own"), keys(&state).last()), (Some(own.as_str()), Some(&"k28")));
}

#[test]
fn a_member_is_taken_back_and_an_unknown_one_is_no_change() {
    let state = parse("a=1,b=2");
    assert_eq!(state.without("a").as_str(), "b=2");
    assert_eq!(state.without("a").without("b"), TraceState::default());
    assert_eq!(state.without("c"), state);
}

#[test]
fn errors_name_what_was_given_clipped_and_what_is_accepted() {
    let error = TraceState::default().with(&"A".repeat(100), "1").unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("tracestate key `{}` is not accepted: accepted are", "A".repeat(40))),
        "{error}"
    );
    let error = TraceState::default().with("a", "x=y").unwrap_err().to_string();
    assert_eq!(
        error,
        "tracestate value `x=y` is not accepted: accepted are 1 to 256 printable ASCII characters without , and =, \
         the last not a space"
    );
}

#[test]
fn padding_beyond_32_kib_discards_the_list() {
    let padded = |bytes: usize| format!("a=1{},b=2", " ".repeat(bytes - 7));
    assert_eq!(parse(&padded(32 * 1024)).as_str(), "a=1,b=2");
    assert!(parse(&padded(32 * 1024 + 1)).is_empty());
}
