//! The page by itself, as Prometheus's own checker sees it.

use tta::server::Format;

use crate::support::{Scraped, promtool, run_everything};

#[tokio::test]
async fn the_page_of_an_engine_on_which_every_primitive_ran_is_clean() {
    let scraped = Scraped::start().await;
    let _alive = run_everything(&scraped.telemetry).await;
    let page = scraped.page(Format::Text);
    assert!(page.contains("primitive_requests_total{"), "{page}");
    let Some(said) = promtool(&["check", "metrics"], page.as_bytes()) else { return };
    let words = [said.stdout, said.stderr].concat();
    assert_eq!((said.status.code(), String::from_utf8_lossy(&words).as_ref()), (Some(0), ""));
}
