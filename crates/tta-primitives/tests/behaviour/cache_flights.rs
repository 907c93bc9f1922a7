//! Single flight: one makes the value, the others are given it, and nobody is stranded.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join, join_all};
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Cache, Context, Error, ErrorKind, Result, Workflow, step, with_context, workflow};
use tta_telemetry::Usd;

use super::cache::{answers, outcomes};
use super::support::{MS, SECOND, context, poll_once, start_and_drop, wait_a_second};

type Asked = (Workflow<u32, u32>, Mock<u32, u32>);

/// A step that takes a second and is cached whatever its input.
fn slow(cache: &Cache<u32>, mock: Mock<u32, u32>) -> Asked {
    let mock = mock.delays(SECOND);
    (workflow("asks", mock.clone()).cache(cache.clone(), |_: &u32| "the only one"), mock)
}

#[test]
fn of_many_at_once_one_runs_and_the_others_share_its_result() {
    let engine = TestEngine::new();
    let cache = answers().cost_per_call(Usd::from_nanos(1)).build().unwrap();
    let (flow, ask) = slow(&cache, Mock::new("ask").returns(7));
    let runs = (0..50).map(|x| {
        let (flow, cx) = (flow.clone(), engine.context());
        async move { flow.run(x, &cx).await.unwrap() }
    });
    assert_eq!(engine.block_on(join_all(runs)), [7; 50]);
    assert_eq!(ask.calls(), [0]);
    assert_eq!(outcomes(&engine, "cache"), [("shared", 49), ("miss", 1)]);
    let stats = cache.stats();
    assert_eq!((stats.shared, stats.misses, stats.hits, stats.savings.nanos()), (49, 1, 0, 49));
    let shared = engine.traces().into_iter().filter(|trace| {
        let said = trace.spans.iter().find_map(|span| span.attribute("cache.outcome"));
        said.is_some_and(|said| said.to_string() == "shared")
    });
    assert_eq!(shared.count(), 49);
}

#[test]
fn a_leaders_error_is_everybodys() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let (flow, ask) = slow(&cache, Mock::new("ask").fails(1, "no").returns(7));
    let (cx, other) = (context(&engine), context(&engine));
    let (a, b) = engine.block_on(join(flow.run(1, &cx), flow.run(2, &other)));
    assert_eq!((a.unwrap_err().to_string(), b.unwrap_err().to_string()), ("no".to_owned(), "no".to_owned()));
    assert_eq!(ask.call_count(), 1);
    // It was not kept.
    assert_eq!(engine.block_on(flow.run(3, &cx)).unwrap(), 7);
    insta::assert_snapshot!(engine.tree_with_attributes().lines().skip(8).take(8).collect::<Vec<_>>().join("\n"), @r"
    asks ✗
    │  app: no
    │  correlation.id = c-1
    │  error.path = ask
    ╰─ ask (mock) ✗
          app: no
          cache.outcome = shared
          cache.name = answers
    ");
}

#[test]
fn when_the_leader_is_dropped_one_follower_leads_and_the_others_go_on_waiting() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let (flow, ask) = slow(&cache, Mock::new("ask").returns(7));
    let contexts: Vec<Context> = (0..5).map(|_| engine.context()).collect();
    let mut followers = {
        let mut leader = Box::pin(flow.run(0, &contexts[0]));
        assert!(poll_once(leader.as_mut()).is_pending());
        let mut followers: Vec<_> = (1..5).map(|x| Box::pin(flow.run(x, &contexts[x as usize]))).collect();
        assert!(followers.iter_mut().all(|follower| poll_once(follower.as_mut()).is_pending()));
        followers
    };
    assert_eq!(ask.calls(), [0]);
    // One of those who wait is dropped as well.
    drop(followers.remove(1));
    assert_eq!(engine.block_on(join_all(followers)).into_iter().map(Result::unwrap).collect::<Vec<_>>(), [7; 3]);
    assert_eq!(ask.calls(), [0, 1]);
    assert_eq!((cache.stats().shared, cache.stats().misses), (2, 2));
}

#[test]
fn the_next_in_line_may_be_dropped_at_the_very_moment_it_is_to_lead() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let (flow, ask) = slow(&cache, Mock::new("ask").returns(7));
    let contexts: Vec<Context> = (0..3).map(|_| engine.context()).collect();
    let mut runs: Vec<_> = (0..3).map(|x| Box::pin(flow.run(x, &contexts[x as usize]))).collect();
    assert!(runs.iter_mut().all(|run| poll_once(run.as_mut()).is_pending()));
    // The permit is the second's, which never learns of it.
    drop(runs.remove(0));
    drop(runs.remove(0));
    assert_eq!(engine.block_on(runs.remove(0)).unwrap(), 7);
    assert_eq!(ask.calls(), [0, 2]);
}

#[test]
fn a_follower_that_leaves_does_not_end_the_flight_for_those_who_come_later() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let (flow, ask) = slow(&cache, Mock::new("ask").returns(7));
    let contexts: Vec<Context> = (0..3).map(|_| engine.context()).collect();
    let mut leader = pin!(flow.run(0, &contexts[0]));
    assert!(poll_once(leader.as_mut()).is_pending());
    start_and_drop(flow.run(1, &contexts[1]));
    let (a, b) = engine.block_on(join(leader, flow.run(2, &contexts[2])));
    assert_eq!((a.unwrap(), b.unwrap(), ask.calls()), (7, 7, vec![0]));
}

#[test]
fn panics_and_errors_about_the_leaders_run_are_not_shared() {
    let cancelled = Error::new(ErrorKind::Cancelled, "told to stop");
    for (mock, first, second) in [
        (Mock::new("ask").fails(1, cancelled).returns(7), ErrorKind::Cancelled, Ok(7)),
        (Mock::new("ask").panics("poison"), ErrorKind::Panic, Err(ErrorKind::Panic)),
    ] {
        let engine = TestEngine::new();
        let cache = answers().build().unwrap();
        let (flow, ask) = slow(&cache, mock);
        let (cx, other) = (engine.context(), engine.context());
        let (a, b) = engine.block_on(join(flow.run(1, &cx), flow.run(2, &other)));
        let kinds = (a.map_err(|error| error.kind()), b.map_err(|error| error.kind()));
        assert_eq!(kinds, (Err(first), second));
        assert_eq!((ask.calls(), cache.stats().shared), (vec![1, 2], 0));
    }
}

#[test]
fn followers_wait_with_their_own_deadline_and_their_own_cancellation() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let (flow, ask) = slow(&cache, Mock::new("ask").returns(7));
    let hurried = Context::builder().telemetry(engine.telemetry().clone()).deadline(SECOND / 2).build().unwrap();
    let (patient, told) = (engine.context(), engine.context());
    let handle = told.cancel_handle();
    let stop = async {
        engine.context().sleep(SECOND / 4).await;
        handle.cancel();
    };
    let runs = join(join(flow.run(1, &patient), flow.run(2, &hurried)), join(flow.run(3, &told), stop));
    let ((first, late), (stopped, ())) = engine.block_on(runs);
    let late = late.unwrap_err();
    assert_eq!(
        (first.unwrap(), late.kind(), stopped.unwrap_err().kind()),
        (7, ErrorKind::Timeout, ErrorKind::Cancelled)
    );
    assert_eq!(late.to_string(), "the deadline passed while waiting for another execution that makes the same value");
    assert_eq!((hurried.elapsed(), ask.call_count(), cache.stats().gave_up), (SECOND, 1, 2));
    assert_eq!(outcomes(&engine, "cache"), [("miss", 1), ("gave_up", 2)]);
}

#[test]
fn without_single_flight_or_beyond_the_bound_everybody_runs() {
    for (cache, unshared) in
        [(answers().single_flight(false), 0), (answers().max_flights(1), 2)].map(|(b, n)| (b.build().unwrap(), n))
    {
        let engine = TestEngine::new();
        let ask = Mock::new("ask").delays(SECOND).returns(7_u32);
        let key = |x: &u32| x / 10;
        let flow = step(ask.clone()).cache(cache.clone(), key);
        let cx: Vec<Context> = (0..3).map(|_| engine.context()).collect();
        let runs = cx.iter().enumerate().map(|(x, cx)| flow.run(x as u32 * 10, cx));
        assert_eq!(engine.block_on(join_all(runs)).into_iter().map(Result::unwrap).collect::<Vec<_>>(), [7; 3]);
        assert_eq!((ask.call_count(), cache.stats().unshared, cache.stats().misses), (3, unshared, 3));
    }
}

#[test]
fn a_value_invalidated_while_it_is_made_is_returned_and_not_kept_and_newcomers_make_it_anew() {
    for tag in [false, true] {
        let engine = TestEngine::new();
        let cache = answers().tags(|_| vec!["user:7".into()]).build().unwrap();
        let (flow, ask) = slow(&cache, Mock::new("ask").returns(7));
        let (cx, other, third) = (engine.context(), engine.context(), engine.context());
        let mut first = pin!(flow.run(1, &cx));
        assert!(poll_once(first.as_mut()).is_pending());
        let done = engine.block_on(async {
            if tag {
                cache.invalidate_tag("user:7", &cx).await.map(|_| ())
            } else {
                cache.invalidate("the only one", &cx).await.map(|_| ())
            }
        });
        done.unwrap();
        let (a, b) = engine.block_on(join(first, flow.run(2, &other)));
        assert_eq!((a.unwrap(), b.unwrap(), ask.calls()), (7, 7, vec![1, 2]));
        assert_eq!(
            (cache.stats().superseded, outcomes(&engine, "cache_put")),
            (1, vec![("kept", 1), ("superseded", 1)])
        );
        assert_eq!((engine.block_on(flow.run(3, &third)).unwrap(), ask.call_count()), (7, 2));
    }
}

/// Threads that all want the same few keys: each is made once, and everybody is given it.
#[test]
fn on_many_threads_each_value_is_made_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    for _ in 0..20 {
        let cache = answers().build().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&calls);
        let make = with_context(move |x: u32, _: Context| {
            seen.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::task::yield_now().await;
                Result::<u32>::Ok(x + 1)
            }
        });
        let flow = step(make).cache(cache.clone(), |x: &u32| *x);
        let tasks: Vec<_> = (0..400_u32)
            .map(|number| {
                let flow = flow.clone();
                let run = async move { flow.run(number % 5, &Context::new()).await };
                // The test's own tasks, which are no part of a run.
                #[allow(clippy::disallowed_methods)]
                runtime.spawn(run)
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(runtime.block_on(task).unwrap().unwrap(), number as u32 % 5 + 1);
        }
        let stats = cache.stats();
        assert_eq!((calls.load(Ordering::SeqCst), stats.misses, stats.hits + stats.shared), (5, 5, 395));
    }
}

/// A value that was put by hand once gave way to the older one that an execution was making.
#[test]
fn a_value_put_by_hand_is_not_replaced_by_one_whose_making_began_before() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let flow = workflow("slow", step(with_context(wait_a_second)).cache(cache.clone(), |x: &u32| *x));
    let (making, by_hand) = (engine.context(), engine.context());
    let put = async {
        by_hand.sleep(500 * MS).await;
        cache.put(1_u32, 99, &by_hand).await
    };
    let (made, put) = engine.block_on(async { futures_util::join!(flow.run(1, &making), put) });
    assert_eq!((made.unwrap(), put), (1, true));
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 99);
    assert_eq!((cache.stats().superseded, cache.stats().hits), (1, 1));
}
