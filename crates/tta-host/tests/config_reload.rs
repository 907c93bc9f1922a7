//! Reading the configuration again: by hand, and when a real file changes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "support/configured.rs"]
mod configured;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::channel;
use std::time::Duration;

use configured::{LONG, Process, QUICK, process, rate, replace};
use tta_host::{ConfigReload, ConfigSource, ReloadCause};
use tta_telemetry::{HealthStatus, Telemetry};

#[test]
fn a_reload_says_what_changed_from_what_to_what_and_what_waits() {
    let process = process(&rate(0.5));
    assert_eq!(process.health(), (HealthStatus::Healthy, String::new()));
    assert!(process.reload.last().is_none());
    process.write(&format!("service_name = \"shop\"\n{}metrics.max_label_values = 7\n", rate(0.25)));
    let update = process.reload.reload().unwrap();
    let changed: Vec<_> = update.changed.iter().map(ToString::to_string).collect();
    let want = [
        "metrics.max_label_values: 1000 -> 7",
        "service_name: \"tta\" -> \"shop\"",
        "tracing.sampling.default_rate: 0.5 -> 0.25",
    ];
    assert_eq!((&changed[..], &update.needs_restart[..]), (&want.map(str::to_owned)[..], &["service_name"][..]));
    assert_eq!((process.rate(), process.telemetry.cardinality().max_label_values), (0.25, 7));
    assert_eq!(process.health(), (HealthStatus::Degraded, "waiting for a restart: service_name".to_owned()));
    // It waits as long as the file says so, and no longer.
    assert_eq!(process.reload.reload().unwrap().changed.len(), 1);
    process.write(&rate(0.25));
    process.reload.reload().unwrap();
    assert_eq!(process.health(), (HealthStatus::Healthy, String::new()));
    let last = process.reload.last().unwrap();
    assert_eq!((last.number, last.cause, process.outcomes.try_iter().count()), (3, ReloadCause::ByHand, 3));
}

#[test]
fn the_last_success_is_when_what_is_in_effect_was_read_the_first_time_included() {
    let process = process(&rate(0.5));
    let last = || process.telemetry.health().component("config").unwrap().last_success_unix_ns;
    let first = last();
    assert!(first.is_some());
    process.write("tracing.sampling.default_rate = 7\n");
    process.telemetry.clock().as_manual().unwrap().advance(Duration::from_secs(1));
    assert!(process.reload.reload().is_err());
    assert_eq!(last(), first);
    process.telemetry.clock().as_manual().unwrap().advance(Duration::from_secs(1));
    process.write(&rate(0.25));
    process.reload.reload().unwrap();
    assert_eq!(last(), process.reload.last().map(|outcome| outcome.at_unix_ns));
    assert!(last() > first, "time has passed");
    // Nothing was read of an engine that was built in code.
    let telemetry = Telemetry::builder().build().unwrap();
    let _reload = ConfigReload::builder(ConfigSource::new(), &telemetry).build();
    assert_eq!(telemetry.health().component("config").unwrap().last_success_unix_ns, None);
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_every_problem_is_told() {
    let process = process(&rate(0.5));
    process.write("tracing.sampling.default_rate = 7\nservicename = \"x\"\nmetrics.max_label_values = 3\n");
    let error = process.reload.reload().unwrap_err().to_string();
    assert!(error.starts_with("2 problems in the configuration:\n"), "{error}");
    assert!(error.contains("default_rate` is 7, accepted is a number from 0 to 1") && error.contains("servicename"));
    assert_eq!((process.rate(), process.telemetry.cardinality().max_label_values), (0.5, 1_000));
    let (status, reason) = process.health();
    assert!(status == HealthStatus::Degraded && reason.starts_with("the configuration before is in effect: 2 "));
    process.write(&"x = 1\n".repeat(10_000));
    assert!(process.reload.reload().is_err());
    assert!(process.health().1.chars().count() <= 501, "the report stays small");
    process.write(&rate(0.75));
    process.reload.reload().unwrap();
    assert_eq!((process.rate(), process.health().0), (0.75, HealthStatus::Healthy));
    let counts = process.reload.counts();
    assert_eq!((counts.reloads, counts.failed, counts.callback_panics), (3, 2, 0));
}

#[test]
fn a_file_that_vanishes_is_empty_half_written_or_a_directory_leaves_what_was() {
    let process = process(&rate(0.5));
    let failing = |want: &str| {
        let error = process.reload.reload().unwrap_err();
        let (status, reason) = process.health();
        assert!(reason.contains(want) && status == HealthStatus::Degraded, "{reason}: {error}");
        assert_eq!(process.rate(), 0.5);
    };
    fs::remove_file(&process.path).unwrap();
    failing("No such file");
    process.write("");
    failing("is empty, accepted is TOML, if only a comment");
    process.write("tracing.sampling.default_ra");
    failing("tta.toml:1: ");
    process.write("tracing.sampling.default_rate = 0.");
    failing("tta.toml:1: ");
    fs::remove_file(&process.path).unwrap();
    fs::create_dir(&process.path).unwrap();
    failing("cannot read the configuration");
    fs::remove_dir(&process.path).unwrap();
    process.write("# as the preset says\n");
    process.reload.reload().unwrap();
    assert_eq!((process.rate(), process.health().0), (1.0, HealthStatus::Healthy));
}

#[test]
fn a_watch_ends_with_its_thread_and_lets_go_of_the_engine() {
    let process = process(&rate(0.5));
    let watch = process.reload.watch(QUICK).unwrap();
    process.next();
    watch.stop();
    let Process { telemetry, reload, outcomes, .. } = process;
    drop(reload);
    // The callback went with the last one who could call it.
    assert!(outcomes.recv_timeout(LONG).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected));
    assert!(telemetry.health().component("config").is_none());
}

#[test]
fn a_file_that_changes_is_read_when_it_has_stayed_as_it_is_for_a_look() {
    let process = process(&rate(0.5));
    let _watch = process.reload.watch(QUICK).unwrap();
    assert!(process.next().result.unwrap().changed.is_empty(), "the first looks reload");
    let until = |wanted: f64| {
        while process.rate() != wanted {
            assert_eq!(process.next().cause, ReloadCause::FileChanged);
        }
    };
    process.replace(&rate(0.25));
    until(0.25);
    process.write(&rate(0.125));
    until(0.125);
    fs::remove_file(&process.path).unwrap();
    assert!(process.next().result.is_err());
    assert_eq!((process.rate(), process.health().0), (0.125, HealthStatus::Degraded));
    process.replace(&rate(0.75));
    until(0.75);
    assert_eq!(process.health().0, HealthStatus::Healthy);
}

#[test]
fn a_file_that_may_not_be_read_is_read_when_it_may() {
    let process = process(&rate(0.5));
    let may = |mode| fs::set_permissions(&process.path, fs::Permissions::from_mode(mode)).unwrap();
    process.write(&rate(0.25));
    may(0o000);
    if fs::read(&process.path).is_ok() {
        return; // Root may read everything.
    }
    let _watch = process.reload.watch(QUICK).unwrap();
    assert!(process.next().result.is_err());
    assert!(process.health().1.contains("ermission denied"));
    may(0o600);
    process.next().result.unwrap();
    assert_eq!((process.rate(), process.health().0), (0.25, HealthStatus::Healthy));
}

#[test]
fn intervals_that_cannot_be_are_refused() {
    let process = process("");
    let error = process.reload.watch(Some(Duration::from_millis(9))).unwrap_err().to_string();
    assert_eq!(error, "the interval of looking is 9ms, accepted is 10 ms to 24 h");
    let reload = ConfigReload::builder(ConfigSource::new(), &process.telemetry).build();
    let error = reload.watch(QUICK).unwrap_err().to_string();
    assert_eq!(error, "there is no file to look at, accepted is an interval where there is one");
    assert!(reload.reload().unwrap().changed.is_empty());
}

#[test]
fn a_callback_that_panics_is_counted_and_one_may_reload_or_stop_its_watch() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tta.toml");
    fs::write(&path, rate(0.5)).unwrap();
    let telemetry = Telemetry::builder().by_hand().build().unwrap();
    let (tell, told) = channel();
    let again: std::sync::Arc<std::sync::OnceLock<ConfigReload>> = Default::default();
    let watch: std::sync::Arc<std::sync::Mutex<Option<tta_host::ConfigWatch>>> = Default::default();
    let (of_callback, to_stop) = (again.clone(), watch.clone());
    let builder = ConfigReload::builder(ConfigSource::new().file(&path), &telemetry).on_outcome(move |outcome| {
        if outcome.cause == ReloadCause::FileChanged {
            of_callback.get().unwrap().reload().unwrap();
            let own = to_stop.lock().unwrap().take();
            drop(own);
            tell.send(outcome.number).unwrap();
            panic!("this is what it does");
        }
    });
    let reload = builder.build();
    again.set(reload.clone()).unwrap();
    {
        let mut place = watch.lock().unwrap();
        *place = Some(reload.watch(QUICK).unwrap());
    }
    assert_eq!(told.recv_timeout(LONG).unwrap(), 1);
    while reload.counts().callback_panics == 0 {
        std::thread::yield_now();
    }
    assert_eq!(reload.last().unwrap().number, 2);
}

/// Two versions that differ in several fields; which of them is in effect, or how they are mixed.
fn version(telemetry: &Telemetry) -> Result<usize, String> {
    let config = telemetry.config().unwrap();
    let families = telemetry.collect_metrics();
    let rate = families.iter().find(|family| family.name == "sampling_rate").unwrap().points[0].value.as_f64();
    let labels = telemetry.cardinality().max_label_values;
    let slo = telemetry.slo("fetch", "quick").map(|slo| slo.slo().target());
    let said = (config.tracing.sampling.default_rate, config.metrics.max_label_values);
    match (said, rate, labels, slo) {
        ((0.25, 25), 0.25, 25, Some(0.5)) => Ok(0),
        ((0.75, 75), 0.75, 75, None) => Ok(1),
        mixed => Err(format!("{mixed:?}")),
    }
}

const VERSIONS: [&str; 2] = [
    "tracing.sampling.default_rate = 0.25\nmetrics.max_label_values = 25\nslo.quick = { primitive = \"fetch\", target = 0.5 }\n",
    "tracing.sampling.default_rate = 0.75\nmetrics.max_label_values = 75\n",
];

#[test]
fn reloads_at_once_with_updates_by_code_and_a_file_that_is_replaced_leave_one_version_whole() {
    let process = process(VERSIONS[0]);
    let by_code = VERSIONS.map(|text| tta_telemetry::config::ConfigLayers::new().toml("code", text).build().unwrap());
    for round in 0..30 {
        let now = round % 2;
        let Process { path, telemetry, reload, .. } = &process;
        std::thread::scope(|scope| {
            scope.spawn(|| replace(path, VERSIONS[now]));
            (0..2).for_each(|_| drop(scope.spawn(|| reload.reload().unwrap())));
            scope.spawn(|| telemetry.update(&by_code[0], &by_code[1 - now]).unwrap());
        });
        version(&process.telemetry).unwrap();
        // With nobody beside it, the file is what is in effect.
        process.reload.reload().unwrap();
        assert_eq!(version(&process.telemetry), Ok(now));
    }
}
