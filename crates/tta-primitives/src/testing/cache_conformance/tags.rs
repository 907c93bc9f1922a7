//! Entries that are forgotten together.

use super::{case, some};

case! {
    /// All that have it, and how many those were.
    a_tag_forgets_its_entries_and_no_others, |bench, make| {
        bench.put("a", "apple", &["fruit"]).await;
        bench.put("b", "banana", &["fruit"]).await;
        bench.put("c", "carrot", &["root"]).await;
        bench.put("d", "dust", &[]).await;
        assert_eq!((bench.invalidate("fruit").await, bench.invalidate("fruit").await), (2, 0));
        assert_eq!(bench.invalidate("nobody's").await, 0);
        assert_eq!(bench.texts(&["a", "b"]).await, [None, None]);
        assert_eq!(bench.texts(&["c", "d"]).await, some(&["carrot", "dust"]));
        assert!(!bench.remove("a").await);
    }
}

case! {
    /// And is then no longer there for the others.
    an_entry_with_several_tags_goes_with_any_of_them, |bench, make| {
        bench.put("a", "apple", &["fruit", "red"]).await;
        bench.put("b", "banana", &["fruit", "yellow"]).await;
        assert_eq!(bench.invalidate("red").await, 1);
        assert_eq!(bench.texts(&["a", "b"]).await, [None, Some("banana".to_owned())]);
        assert_eq!(bench.invalidate("fruit").await, 1);
        assert_eq!(bench.text("b").await, None);
    }
}

case! {
    /// An invalidation is about the past.
    an_entry_put_after_its_tag_was_invalidated_stays, |bench, make| {
        bench.put("a", "old", &["fruit"]).await;
        bench.invalidate("fruit").await;
        bench.put("a", "new", &["fruit"]).await;
        bench.put("b", "new", &["fruit"]).await;
        assert_eq!(bench.texts(&["a", "b"]).await, some(&["new", "new"]));
        assert_eq!(bench.invalidate("fruit").await, 2);
        assert_eq!(bench.texts(&["a", "b"]).await, [None, None]);
    }
}

case! {
    /// Those of the entry it replaced are nothing to it.
    an_entry_put_again_has_its_new_tags_only, |bench, make| {
        bench.put("a", "old", &["old", "both"]).await;
        bench.put("a", "new", &["new", "both"]).await;
        assert_eq!(bench.invalidate("old").await, 0);
        assert_eq!(bench.text("a").await.as_deref(), Some("new"));
        assert_eq!(bench.invalidate("both").await, 1);
        assert_eq!((bench.text("a").await, bench.invalidate("new").await), (None, 0));
        bench.put("b", "untagged now", &["gone"]).await;
        bench.put("b", "untagged now", &[]).await;
        assert_eq!(bench.invalidate("gone").await, 0);
        assert_eq!(bench.text("b").await.as_deref(), Some("untagged now"));
    }
}

case! {
    /// A tag is any text.
    odd_tags_are_kept_apart, |bench, make| {
        let long = "t".repeat(1_000);
        let tags = ["", "*", "a b", "a:b", "{a}", "é", "É", &long];
        for tag in tags {
            bench.put(tag, tag, &[tag]).await;
        }
        for (position, tag) in tags.iter().enumerate() {
            assert_eq!(bench.invalidate(tag).await, 1, "{tag:?}");
            let left = bench.texts(&tags).await.iter().filter(|text| text.is_some()).count();
            assert_eq!(left, tags.len() - position - 1, "{tag:?}");
        }
    }
}
