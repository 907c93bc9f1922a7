//! How old entries are, on the clock that the store is given.

use std::time::Duration;

use super::{HOUR, case, entry};
use crate::cache::Entry;

const SECOND: Duration = Duration::from_secs(1);

case! {
    /// To the millisecond at least.
    age_is_measured_on_the_given_clock, |bench, make| {
        bench.put("a", "apple", &[]).await;
        let mut passed = Duration::ZERO;
        for step in [Duration::ZERO, SECOND, 250 * SECOND / 1_000, 1_000 * SECOND] {
            bench.hand.advance(step);
            passed += step;
            let age = bench.hit("a").await.map(|hit| hit.age);
            assert!(age.is_some_and(|age| age.abs_diff(passed) <= Duration::from_millis(1)), "{age:?} {passed:?}");
        }
    }
}

case! {
    /// What is stale is still there to be shown. Later it may be gone; if not, its age says so.
    an_entry_stays_until_it_is_neither_fresh_nor_stale, |bench, make| {
        bench.keep("stale", Entry { stale_for: HOUR, ..entry("old", &["tag"]) }).await;
        bench.put("fresh", "new", &[]).await;
        bench.hand.advance(HOUR - SECOND);
        assert_eq!(bench.texts(&["stale", "fresh"]).await, super::some(&["old", "new"]));
        bench.hand.advance(HOUR);
        let stale = bench.hit("stale").await;
        assert!(stale.is_some_and(|hit| hit.age >= hit.fresh_for && hit.age < hit.fresh_for + hit.stale_for));
        bench.hand.advance(2 * SECOND);
        for name in ["stale", "fresh"] {
            let hit = bench.hit(name).await;
            assert!(hit.is_none_or(|hit| hit.age >= hit.fresh_for + hit.stale_for), "{name}");
        }
    }
}

case! {
    /// The time of the entry that was replaced is over with it.
    putting_again_begins_a_new_age, |bench, make| {
        bench.put("a", "apple", &[]).await;
        bench.hand.advance(HOUR - SECOND);
        bench.keep("a", Entry { fresh_for: 2 * HOUR, ..entry("pear", &[]) }).await;
        bench.hand.advance(HOUR);
        let hit = bench.hit("a").await.map(|hit| (hit.age, hit.fresh_for));
        assert_eq!(hit, Some((HOUR, 2 * HOUR)));
    }
}
