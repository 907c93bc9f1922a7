//! The suites that every backend passes, against a server of each sort.

use std::sync::atomic::{AtomicU32, Ordering};

use tta_primitives::testing::{cache_conformance, memory_conformance};
use tta_redis::{Json, MessagePack, Redis, RedisCache, RedisMemory};

use super::support::{runtime, server_or_skip};

fn cache_suite<C: tta_redis::Codec<String> + Copy>(redis: &Redis, codec: C) {
    let next = AtomicU32::new(0);
    let make = || async {
        let namespace = format!("cache{}", next.fetch_add(1, Ordering::Relaxed));
        RedisCache::<String, C>::with_codec(redis, &namespace, codec).unwrap()
    };
    runtime().block_on(cache_conformance::all(&make));
}

#[test]
fn a_cache_passes_the_suite_with_json() {
    let server = server_or_skip!();
    cache_suite(&Redis::connect(&server.url()).unwrap(), Json);
}

#[test]
fn a_cache_passes_the_suite_with_messagepack_in_another_database_of_a_server_with_a_password() {
    let server = server_or_skip!("--requirepass", "hunter2");
    let redis = Redis::builder(&server.url()).password("hunter2").database(5).build().unwrap();
    cache_suite(&redis, MessagePack);
}

#[test]
fn a_memory_passes_the_suite() {
    let server = server_or_skip!();
    let redis = Redis::connect(&server.url()).unwrap();
    runtime().block_on(memory_conformance(|name| RedisMemory::new(&redis, name).unwrap()));
    let redis = Redis::builder(&server.url()).key_prefix("other").build().unwrap();
    runtime().block_on(memory_conformance(|name| RedisMemory::with_codec(&redis, name, MessagePack).unwrap()));
}
