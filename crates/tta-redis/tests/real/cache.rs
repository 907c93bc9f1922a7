//! What a cache leaves in a server, and what it makes of what others left there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tta_primitives::cache::{CacheStore, Entry, Found, Kept, Payload};
use tta_redis::{Json, MessagePack, Redis, RedisCache};
use tta_telemetry::Clock;

use super::support::{Bench, HOUR, MS, key, runtime, server_or_skip, tagged};

fn number(answer: &str) -> i64 {
    answer.strip_prefix(':').unwrap().parse().unwrap()
}

/// The key in the server of the entry `name` of [`Bench`]'s cache.
fn entry_key(name: &str) -> String {
    format!("tta:c:test:e:{}", key(name).as_str())
}

#[test]
fn what_cannot_be_read_is_corrupt_once_and_then_gone() {
    let server = server_or_skip!();
    let redis = Redis::connect(&server.url()).unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.put("a", "text", &[]).await.unwrap();
        let other: RedisCache<u64> = RedisCache::new(&redis, "test").unwrap();
        assert_eq!(other.get(&key("a"), &bench.clock).wait().await.unwrap(), Found::Corrupt, "of another type");
        assert_eq!(bench.find("a").await.unwrap(), Found::Miss);
        bench.put("a", "text", &[]).await.unwrap();
        let other = RedisCache::<String, _>::with_codec(&redis, "test", MessagePack).unwrap();
        assert_eq!(other.get(&key("a"), &bench.clock).wait().await.unwrap(), Found::Corrupt, "of another codec");
        for garbage in ["", "x", "ttaC", "ttaC\u{1}\u{1}\u{0}\u{0}", "{\"json\": true}"] {
            assert_eq!(server.ask(&["SET", &entry_key("a"), garbage]), "+OK");
            assert_eq!(bench.find("a").await.unwrap(), Found::Corrupt, "{garbage:?}");
            assert_eq!(server.ask(&["EXISTS", &entry_key("a")]), ":0");
            assert_eq!(bench.find("a").await.unwrap(), Found::Miss);
        }
    });
}

#[test]
fn clearing_takes_thousands_of_entries_and_nothing_of_anybody_else() {
    let server = server_or_skip!();
    let bench = Bench::new(&Redis::connect(&server.url()).unwrap());
    let others = ["tta:c:test2:e:a", "tta:c:tes", "tta:c:", "tta:m:test:e:a", "other", "xtta:c:test:e:a"];
    runtime().block_on(async {
        for other in others {
            assert_eq!(server.ask(&["SET", other, "mine"]), "+OK");
        }
        let names: Vec<String> = (0..3_000).map(|number| number.to_string()).collect();
        join_all(names.iter().map(|name| bench.put(name, "text", &["tag"]))).await;
        assert_eq!(number(&server.ask(&["DBSIZE"])), 3_000 + 1 + others.len() as i64);
        assert_eq!(bench.cache.clear().wait().await.unwrap(), 3_000);
        assert_eq!(number(&server.ask(&["DBSIZE"])), others.len() as i64);
        for other in others {
            assert_eq!(server.ask(&["GET", other]), "mine", "{other}");
        }
    });
}

#[test]
fn ten_thousand_operations_go_over_one_connection_at_once() {
    let server = server_or_skip!();
    let bench = Bench::new(&Redis::connect(&server.url()).unwrap());
    runtime().block_on(async {
        let names: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
        for result in join_all(names.iter().map(|name| bench.put(name, name, &[]))).await {
            result.unwrap();
        }
        let texts = join_all(names.iter().map(|name| bench.text(name))).await;
        for (text, name) in texts.into_iter().zip(&names) {
            assert_eq!(text.unwrap().as_ref(), Some(name));
        }
    });
    // The one that asks is connected as well.
    let clients = server.ask(&["INFO", "stats"]);
    assert!(clients.contains("total_connections_received:2\r\n"), "{clients}");
}

#[test]
fn two_clients_see_each_others_entries_and_invalidations() {
    let server = server_or_skip!();
    let [one, two] = [(); 2].map(|()| Bench::new(&Redis::connect(&server.url()).unwrap()));
    runtime().block_on(async {
        one.put("a", "from one", &["tag"]).await.unwrap();
        assert_eq!(two.text("a").await.unwrap().as_deref(), Some("from one"));
        two.put("b", "from two", &["tag"]).await.unwrap();
        assert_eq!(one.cache.invalidate_tag("tag").wait().await.unwrap(), 2);
        assert_eq!((two.text("a").await.unwrap(), two.text("b").await.unwrap()), (None, None));
    });
}

#[test]
fn a_prefix_and_a_database_keep_programs_apart() {
    let server = server_or_skip!();
    let builders = [
        Redis::builder(&server.url()),
        Redis::builder(&server.url()).key_prefix("other"),
        Redis::builder(&format!("{}/3", server.url())),
        Redis::builder(&format!("{}/3", server.url())).database(4),
    ];
    let benches = builders.map(|builder| Bench::new(&builder.build().unwrap()));
    runtime().block_on(async {
        for (index, bench) in benches.iter().enumerate() {
            assert_eq!(bench.text("a").await.unwrap(), None, "{index}");
            bench.put("a", &index.to_string(), &[]).await.unwrap();
        }
        for (index, bench) in benches.iter().enumerate() {
            assert_eq!(bench.text("a").await.unwrap(), Some(index.to_string()));
        }
    });
}

#[test]
fn the_server_forgets_entries_late_and_their_tags_later() {
    let server = server_or_skip!();
    let bench = Bench::new(&Redis::connect(&server.url()).unwrap());
    let put = async |name: &str, fresh_for| {
        let entry = Entry { fresh_for, stale_for: HOUR, ..tagged("text", &["tag"]) };
        bench.cache.put(&key(name), entry, &bench.clock).wait().await.unwrap();
        number(&server.ask(&["PTTL", &entry_key(name)]))
    };
    runtime().block_on(async {
        let set = || number(&server.ask(&["PTTL", "tta:c:test:t:tag"]));
        let long = put("long", 99 * HOUR).await;
        assert!((360_000_000..=363_601_000).contains(&long), "{long}");
        assert!(set() > long);
        // An entry that is gone sooner does not take the set with it.
        let short = put("short", Duration::ZERO).await;
        assert!((3_600_000..=3_637_000).contains(&short), "{short}");
        assert!(set() > long - 60_000);
    });
}

#[test]
fn an_entry_of_a_clock_that_is_ahead_has_no_age_and_is_not_corrupt() {
    let server = server_or_skip!();
    let redis = Redis::connect(&server.url()).unwrap();
    let cache: RedisCache<String> = RedisCache::new(&redis, "test").unwrap();
    let ((behind, _), (ahead, hand)) = (Clock::manual(), Clock::manual());
    hand.advance(HOUR);
    runtime().block_on(async {
        cache.put(&key("a"), tagged("text", &[]), &ahead).wait().await.unwrap();
        let age = async |clock| match cache.get(&key("a"), clock).wait().await.unwrap() {
            Found::Hit(hit) => Some(hit.age),
            _ => None,
        };
        assert_eq!(age(&behind).await, Some(Duration::ZERO));
        hand.advance(5 * MS);
        assert_eq!(age(&ahead).await, Some(5 * MS));
    });
}

/// A tag that never rests must not grow for ever.
#[test]
fn a_tag_lets_go_of_entries_whose_time_has_passed() {
    let server = server_or_skip!();
    let redis = Redis::connect(&server.url()).unwrap();
    let cache: RedisCache<String> = RedisCache::new(&redis, "test").unwrap();
    let (clock, hand) = Clock::manual();
    runtime().block_on(async {
        for round in 0..3 {
            for name in 0..50 {
                let key = key(&format!("{round}:{name}"));
                cache.put(&key, tagged("text", &["tag"]), &clock).wait().await.unwrap();
            }
            hand.advance(2 * HOUR);
        }
        cache.put(&key("last"), tagged("text", &["tag"]), &clock).wait().await.unwrap();
    });
    assert_eq!(server.ask(&["ZCARD", "tta:c:test:t:tag"]), ":1");
}

/// However puts and invalidations meet, the invalidation after them finds all that is there.
#[test]
fn invalidations_amid_puts_of_the_same_keys_lose_no_entry() {
    let server = server_or_skip!();
    let bench = Arc::new(Bench::new(&Redis::connect(&server.url()).unwrap()));
    let names = ["a", "b", "c", "d"];
    runtime().block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for name in names {
            let bench = Arc::clone(&bench);
            tasks.spawn(async move {
                for turn in 0..300 {
                    let tags: &[&str] = if turn % 3 == 0 { &["other"] } else { &["tag", "other"] };
                    bench.put(name, &turn.to_string(), tags).await.unwrap();
                }
                bench.put(name, "last", &["tag"]).await.unwrap();
            });
        }
        for _ in 0..2 {
            let bench = Arc::clone(&bench);
            tasks.spawn(async move {
                for _ in 0..150 {
                    bench.cache.invalidate_tag("tag").wait().await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let there = join_all(names.iter().map(|name| bench.text(name))).await.into_iter().flatten().flatten().count();
        assert_eq!(bench.cache.invalidate_tag("tag").wait().await.unwrap(), there as u64);
        for name in names {
            assert_eq!(bench.text(name).await.unwrap(), None, "{name}");
        }
    });
}

#[test]
fn what_the_codec_cannot_write_is_an_error_and_leaves_what_was_there() {
    let server = server_or_skip!();
    type Odd = std::collections::BTreeMap<(u8, u8), u8>;
    let redis = Redis::connect(&server.url()).unwrap();
    let odd: RedisCache<Odd, _> = RedisCache::with_codec(&redis, "test", Json).unwrap();
    let clock = Clock::system();
    let entry = |payload| Entry { payload: Payload::Value(payload), fresh_for: HOUR, stale_for: HOUR, tags: [].into() };
    runtime().block_on(async {
        odd.put(&key("a"), entry(Odd::new()), &clock).wait().await.unwrap();
        let error = odd.put(&key("a"), entry(Odd::from([((1, 2), 3)])), &clock).wait().await.unwrap_err();
        assert_eq!(error.to_string(), "the value cannot be encoded: key must be a string");
        let found = odd.get(&key("a"), &clock).wait().await.unwrap();
        assert!(matches!(found, Found::Hit(hit) if hit.payload == Payload::Value(Odd::new())));
    });
}

/// Otherwise no invalidation would ever find it.
#[test]
fn an_entry_that_cannot_be_put_on_its_tags_is_not_kept() {
    let server = server_or_skip!("--requirepass", "admin");
    let rule = ["ACL", "SETUSER", "app", "on", ">hunter2", "~*", "+@all", "-zadd"];
    assert_eq!(server.ask(&rule), "+OK");
    let redis = Redis::builder(&server.url()).username("app").password("hunter2").build().unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.put("a", "text", &["tag"]).await.unwrap_err();
        assert_eq!(bench.find("a").await.unwrap(), Found::Miss);
        bench.put("a", "text", &[]).await.unwrap();
    });
}

/// A value of a hundred megabytes was once sent, and everything else on the connection waited.
#[test]
fn a_value_that_is_too_long_is_not_sent_and_the_bound_can_be_set() {
    let server = server_or_skip!();
    let redis = Redis::connect(&server.url()).unwrap();
    let clock = Clock::system();
    let entry = |bytes: usize| Entry {
        payload: Payload::Value("x".repeat(bytes)),
        fresh_for: HOUR,
        stale_for: Duration::ZERO,
        tags: Arc::default(),
    };
    let small = RedisCache::<String>::new(&redis, "small").unwrap().max_value_bytes(1_000).unwrap();
    let usual = RedisCache::<String>::new(&redis, "usual").unwrap();
    runtime().block_on(async {
        assert_eq!(small.put(&key("a"), entry(500), &clock).wait().await.unwrap(), Kept::Yes);
        assert_eq!(small.put(&key("b"), entry(1_000), &clock).wait().await.unwrap(), Kept::TooLarge);
        assert_eq!(usual.put(&key("a"), entry(4 << 20), &clock).wait().await.unwrap(), Kept::TooLarge);
        assert_eq!(usual.put(&key("a"), entry(4_000_000), &clock).wait().await.unwrap(), Kept::Yes);
        assert_eq!(number(&server.ask(&["DBSIZE"])), 2);
    });
    for wrong in [0, (512 << 20) + 1] {
        let error = RedisCache::<String>::new(&redis, "c").unwrap().max_value_bytes(wrong).unwrap_err();
        assert!(error.to_string().contains(&format!("`max_value_bytes` is {wrong}")), "{error}");
    }
}
