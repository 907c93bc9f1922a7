//! Cluster mode: keys on whatever node their hash says.

use std::sync::atomic::{AtomicU32, Ordering};

use tta_primitives::testing::{cache_conformance, memory_conformance};
use tta_redis::{Redis, RedisCache, RedisMemory};

use super::support::{RedisServer, eventually, runtime, server_or_skip};

/// Makes a node a cluster by itself.
async fn own_all_slots(server: &RedisServer) {
    assert_eq!(server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), "+OK");
    eventually("a cluster in order", || async {
        server.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
    })
    .await;
}

#[test]
fn a_cluster_passes_both_suites() {
    let server = server_or_skip!("--cluster-enabled", "yes");
    let redis = Redis::builder(&format!("redis+cluster://127.0.0.1:{}", server.port())).build().unwrap();
    let runtime = runtime();
    runtime.block_on(own_all_slots(&server));
    let next = AtomicU32::new(0);
    let make = || async {
        let namespace = format!("cache{}", next.fetch_add(1, Ordering::Relaxed));
        RedisCache::<String>::new(&redis, &namespace).unwrap()
    };
    runtime.block_on(cache_conformance::all(&make));
    runtime.block_on(memory_conformance(|name| RedisMemory::new(&redis, name).unwrap()));
}

#[test]
fn several_nodes_share_the_keys_and_all_of_them_are_cleared() {
    let servers = [(); 3].map(|()| super::support::server(&["--cluster-enabled", "yes"]));
    let [Some(a), Some(b), Some(c)] = servers else { return };
    let nodes = [&a, &b, &c];
    let runtime = runtime();
    runtime.block_on(async {
        for (node, (first, last)) in nodes.iter().zip([("0", "5000"), ("5001", "11000"), ("11001", "16383")]) {
            assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]), "+OK");
        }
        for (epoch, node) in ["1", "2", "3"].iter().zip(nodes) {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", epoch]);
        }
        for node in [&b, &c] {
            assert_eq!(a.ask(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string()]), "+OK");
        }
        for node in nodes {
            eventually("a cluster of three in order", || async {
                let info = node.ask(&["CLUSTER", "INFO"]);
                (info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")).then_some(())
            })
            .await;
        }
        let redis = Redis::cluster([b.url()]).build().unwrap();
        let bench = super::support::Bench::new(&redis);
        for number in 0..100 {
            bench.put(&number.to_string(), "text", &["all", &number.to_string()]).await.unwrap();
        }
        let counts = nodes.map(|node| node.ask(&["DBSIZE"]));
        assert!(counts.iter().all(|count| count != ":0"), "every node has keys: {counts:?}");
        use tta_primitives::cache::CacheStore;
        assert_eq!(bench.cache.invalidate_tag("7").wait().await.unwrap(), 1);
        assert_eq!(bench.text("7").await.unwrap(), None);
        assert_eq!(bench.text("8").await.unwrap().as_deref(), Some("text"));
        assert_eq!(bench.cache.clear().wait().await.unwrap(), 99);
        assert_eq!(nodes.map(|node| node.ask(&["DBSIZE"])), [":0", ":0", ":0"]);
    });
}
