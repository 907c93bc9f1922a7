//! Memories that processes share.

use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, ErrorKind, Memory, MemoryError, Search};
use tta_redis::{Redis, RedisMemory};

use super::support::{RedisServer, quick, runtime, server_or_skip};

fn memory(server: &RedisServer, max_entries: u64) -> Memory<String> {
    let backend = RedisMemory::new(&quick(server).build().unwrap(), "facts").unwrap();
    Memory::builder("facts").max_entries(max_entries).search_text().backend(backend).build().unwrap()
}

#[test]
fn processes_share_entries_and_bound_whoever_adds() {
    let server = server_or_skip!();
    let memories = [memory(&server, 50), memory(&server, 50)];
    let cx = Context::new();
    runtime().block_on(async {
        let adds = memories.iter().enumerate().map(|(who, memory)| {
            let cx = &cx;
            async move {
                for number in 0..200 {
                    memory.add(&format!("{who}:{number}"), "text".to_owned(), None, cx).await.unwrap();
                    assert!(memory.size(cx).await.unwrap() <= 50);
                }
            }
        });
        futures_util::future::join_all(adds).await;
        assert_eq!(memories[0].size(&cx).await.unwrap(), 50);
        assert_eq!(memories[1].get("0:199", &cx).await.unwrap().as_deref(), Some("text"));
        let evicted: u64 = memories.iter().map(|memory| memory.counts().evicted).sum();
        assert_eq!(evicted, 350);
        assert_eq!(memories[0].clear(&cx).await.unwrap(), 50);
    });
    assert_eq!(server.ask(&["DBSIZE"]), ":0", "nothing is left of it");
}

#[test]
fn what_another_program_put_there_is_left_alone_and_said() {
    let server = server_or_skip!();
    let memory = memory(&server, 50);
    let cx = Context::new();
    runtime().block_on(async {
        memory.add("a", "text".to_owned(), None, &cx).await.unwrap();
        memory.add("b", "text".to_owned(), None, &cx).await.unwrap();
        assert_eq!(server.ask(&["HSET", "{tta:m:facts}:values", "a", "garbage"]), ":0");
        let error = memory.get("a", &cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Upstream);
        let reason = "not an entry of a memory, or of another version".to_owned();
        let unreadable = MemoryError::Unreadable { key: "a".to_owned(), reason };
        assert_eq!(error.downcast_ref::<MemoryError>(), Some(&unreadable));
        let found = memory.search(&Search::prefix(""), 10, &cx).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(server.ask(&["HGET", "{tta:m:facts}:values", "a"]), "garbage");
        assert!(memory.delete("a", &cx).await.unwrap());
    });
}

#[test]
fn entries_outlive_the_process_but_not_their_time() {
    let server = server_or_skip!();
    let engine = TestEngine::new();
    let cx = engine.context();
    let second = std::time::Duration::from_secs(1);
    runtime().block_on(async {
        memory(&server, 50).add("short", "text".to_owned(), Some(second), &cx).await.unwrap();
        memory(&server, 50).add("long", "text".to_owned(), None, &cx).await.unwrap();
        let later = memory(&server, 50);
        assert_eq!(later.size(&cx).await.unwrap(), 2);
        engine.clock().advance(second);
        assert_eq!(later.get("short", &cx).await.unwrap(), None);
        assert_eq!(later.size(&cx).await.unwrap(), 1);
    });
}

#[test]
fn a_memory_whose_server_is_gone_fails_with_a_typed_error_and_recovers() {
    let mut server = server_or_skip!();
    let memory = memory(&server, 50);
    let cx = Context::new();
    runtime().block_on(async {
        memory.add("a", "text".to_owned(), None, &cx).await.unwrap();
        server.kill();
        let error = memory.get("a", &cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Upstream);
        assert!(matches!(error.downcast_ref::<MemoryError>(), Some(MemoryError::Unavailable(_))), "{error}");
        server.restart();
        super::support::eventually("an add", || async { memory.add("a", String::new(), None, &cx).await.ok() }).await;
        assert_eq!(memory.size(&cx).await.unwrap(), 1);
    });
}

#[test]
fn namespaces_that_could_be_taken_for_parts_of_keys_are_refused() {
    let redis = Redis::connect("redis://localhost").unwrap();
    for namespace in ["", "a:b", "a b", "{a}", "a*", &"a".repeat(101)] {
        let error = RedisMemory::<String>::new(&redis, namespace).unwrap_err();
        assert_eq!(
            (error.parameter, error.accepted.as_ref()),
            ("namespace", "1 to 100 letters, digits, `_`, `.` or `-`")
        );
        assert!(tta_redis::RedisCache::<String>::new(&redis, namespace).is_err(), "{namespace}");
    }
    assert!(RedisMemory::<String>::new(&redis, "A-z_0.9").is_ok());
}
