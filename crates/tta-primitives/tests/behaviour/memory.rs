//! The memory store: what it keeps, what it forgets, what it refuses, and what is recorded of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tta_primitives::testing::{TestEngine, memory_conformance};
use tta_primitives::{
    Context, ErrorKind, LocalMemory, Made, Memory, MemoryBackend, MemoryEntry, MemoryError, MemoryFuture, MemoryQuery,
    MemoryRecord, PolicyError, Result, Search, step, with_context,
};
use tta_telemetry::{Clock, Health, HealthStatus, Telemetry};

use super::support::SECOND;

fn memory(max_entries: u64) -> Memory<String> {
    Memory::builder("facts").max_entries(max_entries).search_text().build().unwrap()
}

#[test]
fn the_memory_in_this_process_does_what_every_backend_must() {
    TestEngine::new().block_on(memory_conformance(|_| LocalMemory::default()));
}

#[test]
fn what_is_outside_its_range_is_refused_by_name() {
    let build = |max_entries, ttl| Memory::<String>::builder("m").max_entries(max_entries).default_ttl(ttl).build();
    let text = |result: Result<_, PolicyError>| result.map(|_: Memory<String>| ()).unwrap_err().to_string();
    assert_eq!(text(build(0, SECOND)), "memory: `max_entries` is 0, accepted is 1 to 1000000");
    assert_eq!(text(build(1_000_001, SECOND)), "memory: `max_entries` is 1000001, accepted is 1 to 1000000");
    assert_eq!(text(build(1, Duration::ZERO)), "memory: `default_ttl` is 0ns, accepted is above 0, at most 3650 days");
    assert!(build(1, 3_651 * 86_400 * SECOND).is_err() && build(1, 3_650 * 86_400 * SECOND).is_ok());
    assert_eq!(text(Memory::builder("").build()), "memory: `name` is \"\", accepted is 1 to 100 bytes");
    let refused = "memory: `namespace` is \"a/b\", accepted is 1 to 200 bytes without a slash";
    assert_eq!(text(memory(1).namespace("a/b")), refused);
    assert!(memory(1).namespace("").is_err());

    let engine = TestEngine::new();
    let (cx, memory) = (engine.context(), memory(10));
    let error = engine.block_on(memory.add("k", "v".into(), Some(Duration::ZERO), &cx)).unwrap_err();
    assert_eq!(
        (error.kind(), error.downcast_ref::<PolicyError>().unwrap().parameter),
        (ErrorKind::InvalidInput, "ttl")
    );
    let long = "k".repeat(1_025);
    for error in [
        engine.block_on(memory.add("", "v".into(), None, &cx)).unwrap_err(),
        engine.block_on(memory.get(&long, &cx)).unwrap_err(),
        engine.block_on(memory.delete("", &cx)).unwrap_err(),
    ] {
        let refused = error.downcast_ref::<PolicyError>().unwrap();
        assert_eq!(refused.accepted, "1 to 1024 bytes with its namespace");
    }
    for limit in [0, 1_001] {
        let error = engine.block_on(memory.search(&Search::prefix(""), limit, &cx)).unwrap_err();
        assert_eq!(error.to_string(), format!("memory: `limit` is {limit}, accepted is 1 to 1000"));
    }
    assert_eq!(engine.block_on(memory.size(&cx)).unwrap(), 0, "what was refused is not there");
}

#[test]
fn a_thousand_entries_are_kept_by_default_and_for_good() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let memory = Memory::<u32>::builder("numbers").build().unwrap();
    engine.block_on(async {
        for number in 0..1_002 {
            memory.add(&number.to_string(), number, None, &cx).await.unwrap();
        }
        engine.clock().advance(10_000 * 86_400 * SECOND);
        assert_eq!(memory.size(&cx).await.unwrap(), 1_000);
        assert_eq!((memory.get("1", &cx).await.unwrap(), memory.get("2", &cx).await.unwrap()), (None, Some(2)));
        assert_eq!(memory.search(&Search::contains("1001"), 9, &cx).await.unwrap().len(), 1);
    });
    assert_eq!((memory.counts().evicted, memory.counts().expired), (2, 0));
    assert_eq!(memory.health(), Health::healthy());
}

#[test]
fn the_default_ttl_holds_where_none_is_given() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let memory = Memory::builder("m").default_ttl(SECOND).build().unwrap();
    engine.block_on(async {
        memory.add("default", 1, None, &cx).await.unwrap();
        memory.add("own", 2, Some(5 * SECOND), &cx).await.unwrap();
        engine.clock().advance(SECOND);
        assert_eq!((memory.get("default", &cx).await.unwrap(), memory.get("own", &cx).await.unwrap()), (None, Some(2)));
        memory.add("later", 3, None, &cx).await.unwrap();
    });
    assert_eq!((memory.counts().evicted, memory.counts().expired), (0, 1));
}

#[test]
fn searches_see_of_a_value_what_they_are_given() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let blind = Memory::builder("blind").build().unwrap();
    let seeing = Memory::<(String, u32)>::builder("seeing").search_values(|(name, _)| name.into()).build().unwrap();
    engine.block_on(async {
        for memory in [&blind, &seeing] {
            memory.add("1", ("ada".to_owned(), 36), None, &cx).await.unwrap();
        }
        let ada = Search::contains("ada");
        assert_eq!(blind.search(&ada, 9, &cx).await.unwrap(), []);
        let found = MemoryEntry { key: "1".to_owned(), value: ("ada".to_owned(), 36) };
        assert_eq!(seeing.search(&ada, 9, &cx).await.unwrap(), [found]);
    });
}

#[test]
fn a_namespace_sees_its_own_entries_and_shares_the_bound() {
    let engine = TestEngine::new();
    let (cx, all) = (engine.context(), memory(3));
    let (ada, bob) = (all.namespace("ada").unwrap(), all.namespace("bob").unwrap());
    engine.block_on(async {
        ada.add("city", "London".into(), None, &cx).await.unwrap();
        bob.add("city", "Paris".into(), None, &cx).await.unwrap();
        ada.namespace("notes").unwrap().add("1", "tea".into(), None, &cx).await.unwrap();
        assert_eq!(ada.get("city", &cx).await.unwrap().as_deref(), Some("London"));
        assert_eq!(bob.search(&Search::contains("o"), 9, &cx).await.unwrap(), []);
        assert_eq!(ada.search(&Search::prefix("notes/"), 9, &cx).await.unwrap()[0].key, "notes/1");
        assert_eq!(all.get("bob/city", &cx).await.unwrap().as_deref(), Some("Paris"));
        bob.add("tea", "green".into(), None, &cx).await.unwrap();
        assert_eq!(ada.get("city", &cx).await.unwrap(), None, "the oldest of all made room");
        assert_eq!((ada.size(&cx).await.unwrap(), all.size(&cx).await.unwrap()), (1, 3));
        assert_eq!((bob.clear(&cx).await.unwrap(), all.size(&cx).await.unwrap()), (2, 1));
        assert!(ada.delete("notes/1", &cx).await.unwrap());
    });
    assert_eq!(all.counts().evicted, 1);
}

#[test]
fn each_operation_of_a_run_is_a_span_without_keys_or_values() {
    async fn work(memory: Memory<String>, cx: Context) -> Result<usize> {
        memory.add("secret", "v".into(), None, &cx).await?;
        memory.add("other", "v".into(), None, &cx).await?;
        memory.get("secret", &cx).await?;
        memory.search(&Search::prefix(""), 5, &cx).await?;
        memory.delete("other", &cx).await?;
        assert!(memory.get("", &cx).await.is_err());
        memory.clear(&cx).await?;
        Ok(memory.size(&cx).await? as usize)
    }
    let engine = TestEngine::new();
    let flow = step(with_context(work));
    engine.block_on(flow.run(memory(1), &engine.context())).unwrap();
    insta::assert_snapshot!(engine.tree_with_attributes(), @"
    sequential
    │  correlation.id = 71c18690-ee42-490b-b1bb-54d8d101b5b9
    ╰─ work
       ├─ memory.add (span)
       │     memory.name = facts
       │     memory.backend = memory
       ├─ memory.add (span)
       │     memory.name = facts
       │     memory.backend = memory
       │     memory.evicted = 1
       ├─ memory.get (span)
       │     memory.name = facts
       │     memory.backend = memory
       │     memory.found = false
       ├─ memory.search (span)
       │     memory.name = facts
       │     memory.backend = memory
       │     memory.results = 1
       ├─ memory.delete (span)
       │     memory.name = facts
       │     memory.backend = memory
       │     memory.removed = 1
       ├─ memory.get (span) ✗
       │     invalid_input: memory: `key length` is 0, accepted is 1 to 1024 bytes
       │       with its namespace
       │     memory.name = facts
       │     memory.backend = memory
       ├─ memory.clear (span)
       │     memory.name = facts
       │     memory.backend = memory
       │     memory.removed = 0
       ╰─ memory.size (span)
             memory.name = facts
             memory.backend = memory
             memory.entries = 0
    ");
}

/// A backend that fails as it is told to.
struct Broken(MemoryError, Arc<AtomicBool>);

impl Broken {
    fn answer<'a, T: Send + 'a>(&'a self) -> MemoryFuture<'a, T> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }
}

impl MemoryBackend<u32> for Broken {
    fn add<'a>(&'a self, _: MemoryRecord<'a, u32>, _: &'a Clock) -> MemoryFuture<'a, Made> {
        self.answer()
    }
    fn get<'a>(&'a self, _: &'a str, _: &'a Clock) -> MemoryFuture<'a, Option<u32>> {
        self.answer()
    }
    fn search<'a>(&'a self, _: MemoryQuery<'a>, _: &'a Clock) -> MemoryFuture<'a, Vec<MemoryEntry<u32>>> {
        self.answer()
    }
    fn delete<'a>(&'a self, _: &'a str, _: &'a Clock) -> MemoryFuture<'a, bool> {
        self.answer()
    }
    fn clear<'a>(&'a self, _: &'a str) -> MemoryFuture<'a, u64> {
        self.answer()
    }
    fn size<'a>(&'a self, _: &'a str, _: &'a Clock) -> MemoryFuture<'a, u64> {
        self.answer()
    }
    fn health(&self) -> Option<Health> {
        Some(if self.1.load(Ordering::Relaxed) { Health::degraded("gone") } else { Health::healthy() })
    }
    fn kind(&self) -> &'static str {
        "broken"
    }
}

#[test]
fn a_failing_backend_gives_typed_errors_and_its_health_is_in_every_engines_report() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let cases = [
        (
            MemoryError::Unavailable("no route".into()),
            ErrorKind::Upstream,
            "the memory store cannot be reached: no route",
        ),
        (MemoryError::Refused("OOM".into()), ErrorKind::Upstream, "the memory store refused: OOM"),
        (MemoryError::TimedOut(SECOND), ErrorKind::Timeout, "the memory store did not answer within 1s"),
        (MemoryError::Encoding("NaN".into()), ErrorKind::InvalidInput, "the value cannot be encoded: NaN"),
    ];
    for (cause, kind, text) in cases {
        let memory = Memory::builder("far").backend(Broken(cause.clone(), Arc::clone(&is_broken))).build().unwrap();
        let engines = [TestEngine::new(), TestEngine::new()];
        for engine in &engines {
            let error = engine.block_on(memory.size(&engine.context())).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
            assert_eq!(error.downcast_ref::<MemoryError>(), Some(&cause));
        }
        for engine in &engines {
            let report = engine.telemetry().health();
            assert_eq!(report.status, HealthStatus::Degraded);
            assert_eq!(report.component("memory:far").unwrap().reason.as_deref(), Some("gone"));
        }
        is_broken.store(false, Ordering::Relaxed);
        assert_eq!(engines[0].telemetry().health().status, HealthStatus::Healthy);
        is_broken.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_text_function_that_panics_fails_its_step_alone() {
    let engine = TestEngine::new();
    let memory = Memory::builder("m").search_values(|value: &u32| value.checked_sub(1).unwrap().to_string().into());
    let memory = memory.build().unwrap();
    let shared = memory.clone();
    let flow = step(with_context(move |value: u32, cx: Context| {
        let memory = shared.clone();
        async move { memory.add("k", value, None, &cx).await }
    }));
    let error = engine.block_on(flow.run(0, &engine.context())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    engine.block_on(flow.run(5, &engine.context())).unwrap();
    assert_eq!(engine.block_on(memory.get("k", &engine.context())).unwrap(), Some(5));
}

#[test]
fn it_works_with_the_engine_off_and_from_many_threads() {
    let memory = Memory::builder("shared").max_entries(50).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let memory = memory.clone();
            scope.spawn(move || {
                let cx = Context::on(Telemetry::disabled());
                for number in 0..500_u32 {
                    let key = format!("{thread}:{number}");
                    futures_util::FutureExt::now_or_never(memory.add(&key, number, None, &cx)).unwrap().unwrap();
                    let size = futures_util::FutureExt::now_or_never(memory.size(&cx)).unwrap().unwrap();
                    assert!((1..=50).contains(&size), "{size}");
                }
            });
        }
    });
    assert_eq!(memory.counts().evicted, 4 * 500 - 50);
}
