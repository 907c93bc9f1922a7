//! Tests of `baggage` as a value: grammar, bounds, and changes.

use super::*;

fn parse(value: &str) -> Baggage {
    Baggage::parse([value.as_bytes()])
}

fn pairs(baggage: &Baggage) -> Vec<(&str, &str)> {
    baggage.iter().collect()
}

/// `count` entries of `bytes` bytes each, named `k00`, `k01`, ...
fn list(count: usize, bytes: usize) -> String {
    let entry = |index| format!("k{index:02}={}", "v".repeat(bytes - 4));
    (0..count).map(entry).collect::<Vec<_>>().join(",")
}

#[test]
fn an_empty_baggage_is_the_default_and_holds_nothing() {
    for value in ["", " ", ",", ", \t,"] {
        let baggage = parse(value);
        assert_eq!(baggage, Baggage::default());
        assert_eq!((baggage.is_empty(), baggage.len(), baggage.encoded_bytes()), (true, 0, 0));
        assert_eq!(baggage.to_string(), "");
    }
}

#[test]
fn the_example_of_the_specification_is_read_and_sent_without_white_space() {
    let baggage = parse("key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue");
    assert_eq!(pairs(&baggage), [("key1", "value1"), ("key2", "value2"), ("key3", "value3")]);
    assert_eq!(baggage.properties("key1"), Some("property1;property2"));
    assert_eq!(baggage.properties("key2"), Some(""));
    assert_eq!(baggage.properties("key3"), Some("propertyKey=propertyValue"));
    assert_eq!(baggage.properties("key4"), None);
    let sent = "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=propertyValue";
    assert_eq!((baggage.to_string().as_str(), baggage.encoded_bytes()), (sent, sent.len()));
}

#[test]
fn several_headers_are_one_list_in_their_order() {
    let values: [&[u8]; 3] = [b"userId=alice", b"", b"serverNode=DF%2028,isProduction=false"];
    let expected = [("userId", "alice"), ("serverNode", "DF 28"), ("isProduction", "false")];
    assert_eq!(pairs(&Baggage::parse(values)), expected);
}

#[test]
fn white_space_around_every_part_is_not_part_of_it() {
    let baggage = parse("k \t = \t v \t ; \t p \t ; \t q \t = \t w \t , \t k2 \t = \t v2 \t ");
    assert_eq!(baggage.to_string(), "k=v;p;q=w,k2=v2");
}

#[test]
fn a_value_may_be_empty_and_may_contain_equals_signs() {
    let baggage = parse("a=,b=c=d==,e= ;p");
    assert_eq!(pairs(&baggage), [("a", ""), ("b", "c=d=="), ("e", "")]);
    assert_eq!(baggage.to_string(), "a=,b=c=d==,e=;p");
}

#[test]
fn malformed_entries_are_left_out_and_their_neighbours_stay() {
    for malformed in [
        "justKey",
        "=v",
        "k k=v",
        "k\t\tk=v",
        "k@=v",
        "ключ=v",
        "k=v v",
        "k=\"v\"",
        "k=a\\b",
        "k=é",
        "k=\u{7f}",
        "k=v;p p",
        "k=v;=q",
        "k=v;p=\"q\"",
        "k=v;p=q r",
        "k;p=v",
        "(k)=v",
        "k=\u{1}",
    ] {
        let baggage = parse(&format!("a=1,{malformed},b=2"));
        assert_eq!(pairs(&baggage), [("a", "1"), ("b", "2")], "{malformed}");
    }
    assert_eq!(Baggage::parse([b"a=1,k=\xff,\xff=v,b=2".as_slice()]).to_string(), "a=1,b=2");
}

#[test]
fn a_semicolon_without_a_property_is_skipped() {
    assert_eq!(parse("a=1;,b=2; ;p;").to_string(), "a=1,b=2;p");
}

#[test]
fn the_last_entry_of_a_key_counts_and_keys_are_case_sensitive() {
    let baggage = parse("a=1;p,b=2,A=3,a=4");
    assert_eq!(pairs(&baggage), [("b", "2"), ("A", "3"), ("a", "4")]);
    assert_eq!((baggage.get("a"), baggage.properties("a")), (Some("4"), Some("")));
    assert_eq!(baggage.encoded_bytes(), baggage.to_string().len());
}

#[test]
fn values_are_percent_decoded_and_sent_on_as_they_came() {
    for (encoded, decoded) in [
        ("Am%C3%A9lie", "Amélie"),
        ("%c3%a9", "é"),
        ("%41%2c%3B%25", "A,;%"),
        ("a+b", "a+b"),
        ("100%", "100%"),
        ("%4", "%4"),
        ("%4z", "%4z"),
        ("%zz%41", "%zzA"),
        ("%%41", "%A"),
        ("%80", "\u{fffd}"),
        ("hello%80world", "hello\u{fffd}world"),
        ("%C3", "\u{fffd}"),
        ("%C3%41", "\u{fffd}A"),
        ("%ED%A0%80", "\u{fffd}\u{fffd}\u{fffd}"),
    ] {
        let header = format!("k={encoded}");
        assert_eq!(parse(&header).get("k"), Some(decoded), "{encoded}");
        assert_eq!(parse(&header).to_string(), header);
    }
}

#[test]
fn keys_and_properties_are_not_decoded() {
    let baggage = parse("k%20=v;ValueProp%20%09%20%3D%20%09%20PropVal;p=%C3%A9;p");
    assert_eq!(pairs(&baggage), [("k%20", "v")]);
    assert_eq!(baggage.properties("k%20"), Some("ValueProp%20%09%20%3D%20%09%20PropVal;p=%C3%A9;p"));
}

#[test]
fn an_inserted_value_is_encoded_where_it_has_to_be() {
    let mut baggage = Baggage::default();
    baggage.insert("k", "\t \"';=asdf!@#$%^&*()+\\,é/").unwrap();
    let encoded = "k=%09%20%22'%3B=asdf!@#$%25^&*()%2B%5C%2C%C3%A9/";
    assert_eq!(baggage.to_string(), encoded);
    assert_eq!(parse(encoded), baggage);
    for byte in 0..0x80_u8 {
        let value = char::from(byte).to_string();
        baggage.insert("k", &value).unwrap();
        assert_eq!(parse(&baggage.to_string()).get("k"), Some(value.as_str()));
    }
}

#[test]
fn an_inserted_entry_goes_to_the_end_in_place_of_the_old_one_and_leaves_clones_alone() {
    let original = parse("a=1;p,b=2");
    let mut changed = original.clone();
    changed.insert("a", "3").unwrap();
    assert_eq!(changed.to_string(), "b=2,a=3");
    assert_eq!(changed.encoded_bytes(), 7);
    assert_eq!(original.to_string(), "a=1;p,b=2");
}

#[test]
fn a_removed_entry_is_gone_and_the_last_one_leaves_the_default() {
    let original = parse("a=1,b=2");
    let mut changed = original.clone();
    assert!(changed.remove("a"));
    assert!(!changed.remove("a"));
    assert_eq!((changed.to_string().as_str(), changed.encoded_bytes()), ("b=2", 3));
    assert!(changed.remove("b"));
    assert_eq!(changed, Baggage::default());
    assert!(!changed.remove("b"));
    assert_eq!(original.len(), 2);
}

#[test]
fn equal_is_what_says_the_same_in_the_same_order() {
    assert_eq!(parse("a=%41"), parse("a = A"));
    assert_ne!(parse("a=1,b=2"), parse("b=2,a=1"));
    assert_ne!(parse("a=1;p"), parse("a=1"));
    assert_ne!(parse("a=1"), parse("A=1"));
}

#[test]
fn sixty_four_entries_are_kept_and_the_rest_left_out() {
    assert_eq!(parse(&list(64, 6)).len(), 64);
    let full = parse(&list(70, 6));
    assert_eq!((full.len(), full.get("k63"), full.get("k64")), (64, Some("vv"), None));
    // A known key has its place also when there is no other.
    let full = parse(&format!("{},k00=last", list(64, 6)));
    assert_eq!((full.len(), full.get("k00")), (64, Some("last")));
}

#[test]
fn an_entry_of_8192_bytes_is_passed_on_and_a_longer_one_left_out() {
    let long = format!("a={}", "v".repeat(8_190));
    assert_eq!(parse(&long).to_string(), long);
    assert!(parse(&format!("{long}v")).is_empty());
    assert_eq!(parse(&format!("{long}v,b=2")).to_string(), "b=2");
}

#[test]
fn an_entry_that_no_longer_fits_is_left_out_as_a_whole_and_a_shorter_one_taken() {
    let baggage = parse(&format!("a={},b={},c=3", "v".repeat(5_000), "v".repeat(5_000)));
    assert_eq!((baggage.len(), baggage.get("b"), baggage.get("c")), (2, None, Some("3")));
    // To the byte: 5,002, a comma and 3,189 more are 8,192.
    let fits = format!("a={},b={}", "v".repeat(5_000), "v".repeat(3_187));
    assert_eq!((fits.len(), parse(&fits).len(), parse(&format!("{fits}v")).len()), (8_192, 2, 1));
}

#[test]
fn what_cannot_be_inserted_is_named_with_what_is_accepted() {
    let mut baggage = Baggage::default();
    let before = baggage.clone();
    let error = baggage.insert(&"ключ".repeat(20), "v").unwrap_err();
    assert_eq!(error, BaggageError::Key { given: "ключ".repeat(10) });
    assert_eq!(
        baggage.insert("a b", "v").unwrap_err().to_string(),
        "baggage key `a b` is not accepted: accepted are one or more of a-z, A-Z, 0-9 and !#$%&'*+-.^_`|~"
    );
    assert!(matches!(baggage.insert("", "v"), Err(BaggageError::Key { .. })));
    assert_eq!(
        baggage.insert("k", &" ".repeat(1_365)).unwrap_err().to_string(),
        "baggage entry `k` takes 4097 bytes, accepted are at most 4096 for key and encoded value"
    );
    assert_eq!(baggage, before);
    baggage.insert("k", &"v".repeat(4_094)).unwrap();
    baggage.insert("l", &"v".repeat(4_000)).unwrap();
    assert_eq!(
        baggage.insert("m", &"v".repeat(100)).unwrap_err().to_string(),
        "baggage with entry `m` would take 8202 bytes, accepted are at most 8192"
    );
    assert_eq!(baggage.insert("l", &"v".repeat(4_093)), Ok(()));
    assert_eq!(baggage.encoded_bytes(), 8_192);
    let mut full = parse(&list(64, 6));
    let error = full.insert("k64", "v").unwrap_err();
    assert_eq!(error.to_string(), "baggage entry `k64` would be number 65, accepted are at most 64");
    assert_eq!(full.insert("k63", "v"), Ok(()));
}

#[test]
fn what_begins_within_the_first_32_kib_and_ends_behind_them_is_not_read() {
    let padded = |bytes: usize| format!("a=1,{}b=2", " ".repeat(bytes - 7));
    assert_eq!(parse(&padded(32 * 1024)).to_string(), "a=1,b=2");
    assert_eq!(parse(&padded(32 * 1024 + 1)).to_string(), "a=1");
    assert_eq!(parse(&format!("{},c=3", padded(32 * 1024))).to_string(), "a=1,b=2");
    let (first, rest) = (padded(32 * 1024 - 3), "c=3,d=4");
    assert_eq!(Baggage::parse([first.as_bytes(), rest.as_bytes()]).to_string(), "a=1,b=2,c=3");
    assert_eq!(Baggage::parse([first.as_bytes(), b"long=3", b"e=5"]).to_string(), "a=1,b=2");
}
