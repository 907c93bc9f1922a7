//! Live traces as server-sent events.

use serde_json::{Value as Json, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tta_telemetry::store::{LiveFeed, TraceStore};

use super::support::{Served, order};

struct Listener {
    stream: TcpStream,
    text: String,
}

impl Listener {
    /// Connected, and past the first heartbeat.
    async fn start(served: &Served, headers: &str) -> Self {
        let stream = served.connect("GET", "/api/v1/live", headers).await;
        let mut listener = Self { stream, text: String::new() };
        while !listener.text.contains(": alive\n\n") && !listener.text.contains("data: ") {
            listener.read().await;
        }
        assert!(listener.text.contains("content-type: text/event-stream"));
        listener
    }

    async fn read(&mut self) {
        let mut bytes = [0; 4096];
        let count = self.stream.read(&mut bytes).await.unwrap();
        assert!(count > 0, "the stream ended: {}", self.text);
        self.text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }

    /// The next event's id, name and data.
    async fn event(&mut self) -> (Option<String>, String, Json) {
        loop {
            if let Some(at) = self.text.find("data: ")
                && let Some(end) = self.text[at..].find("\n\n")
            {
                let head = self.text[..at].to_owned();
                let data = serde_json::from_str(&self.text[at + 6..at + end]).unwrap();
                self.text.drain(..at + end + 2);
                let field =
                    |name: &str| head.rsplit_once(name).map(|(_, rest)| rest.lines().next().unwrap().to_owned());
                return (field("id: "), field("event: ").unwrap(), data);
            }
            self.read().await;
        }
    }
}

#[tokio::test]
async fn a_listener_gets_summaries_with_ids_and_goes_on_after_the_last() {
    let served = Served::start().await;
    let mut listener = Listener::start(&served, "").await;
    served.put(order(0xa1));
    served.put(order(0xa2));
    let (id, name, data) = listener.event().await;
    assert_eq!((name.as_str(), &data["trace_id"]), ("trace", &json!("000000000000000000000000000000a1")));
    assert_eq!(
        (&data["root_name"], &data["errors"], &data["decision"]["rate"]),
        (&json!("order"), &json!(1), &json!(0.25))
    );
    drop(listener);
    served.put(order(0xa3));
    let mut back = Listener::start(&served, &format!("last-event-id: {}\r\n", id.unwrap())).await;
    let ids =
        [back.event().await.2, back.event().await.2].map(|data| data["trace_id"].as_str().unwrap()[30..].to_owned());
    assert_eq!(ids, ["a2", "a3"]);
}

#[tokio::test]
async fn a_listener_from_before_a_restart_is_told_that_it_may_have_missed_some() {
    let served = Served::start().await;
    let mut listener = Listener::start(&served, "last-event-id: 00000000000000aa-7\r\n").await;
    assert_eq!(listener.event().await, (None, "missed".to_owned(), json!({"missed": null})));
}

#[tokio::test]
async fn listeners_beyond_the_bound_are_refused_with_a_503() {
    let served = Served::start().await;
    let all: Vec<_> = (0..LiveFeed::MOST_LISTENERS).map(|_| served.store.live().subscribe(None).unwrap()).collect();
    let said = "64 listen to live traces already, which is the most there may be".to_owned();
    assert_eq!(served.problem("/api/v1/live").await, (503, said));
    drop(all);
    Listener::start(&served, "").await;
}
