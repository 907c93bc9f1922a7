//! A component that does not answer.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tta_server::HealthApi;
use tta_telemetry::{Health, HealthComponent, Name, Telemetry};

use super::support::serve;
use crate::guard::support::{get_once, problem};

/// Answers only once it is let go.
struct Stuck(Mutex<Receiver<()>>);

impl HealthComponent for Stuck {
    fn name(&self) -> Name {
        "stuck".into()
    }

    fn health(&self) -> Health {
        // An error, too, lets it go.
        let _ = self.0.lock().unwrap().recv();
        Health::healthy()
    }
}

#[tokio::test]
async fn a_component_that_does_not_answer_is_a_503_and_harms_no_probe() {
    let telemetry = Telemetry::builder().build().unwrap();
    let (let_go, waits): (Sender<()>, _) = channel();
    let stuck: Arc<dyn HealthComponent> = Arc::new(Stuck(Mutex::new(waits)));
    telemetry.watch_health(&stuck);
    let api = HealthApi::builder(&telemetry).patience(Duration::from_millis(20)).build();
    let server = serve(&api).await;
    // More than there are turns: the ones that wait for a turn end, too.
    for _ in 0..12 {
        let reply = get_once(&server, "/health", &[]).await;
        assert_eq!(problem(&reply), (503, "unhealthy: a component did not answer within 20ms".to_owned()));
        assert_eq!(get_once(&server, "/livez", &[]).await.status, 200);
    }
    drop(let_go);
    // A loaded machine may take longer than the patience, but not for ever.
    while get_once(&server, "/health", &[]).await.status != 200 {}
}
