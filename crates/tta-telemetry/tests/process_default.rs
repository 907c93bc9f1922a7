//! The engine of the process: none at first, then the one that was installed, and no other.

use tta_telemetry::{BuildError, Telemetry};

#[test]
fn the_process_default_is_a_disabled_engine_until_one_is_installed_and_then_that_one_for_good() {
    let before = Telemetry::global();
    assert!(!before.is_enabled());
    assert!(before.same_engine(&Telemetry::disabled()));
    let first = Telemetry::builder().build().unwrap();
    first.install().unwrap();
    assert!(Telemetry::global().same_engine(&first));
    assert!(!Telemetry::global().same_engine(&before));
    let refused = Telemetry::builder().build().unwrap().install().unwrap_err();
    assert!(matches!(refused, BuildError::AlreadyInstalled));
    assert_eq!(
        refused.to_string(),
        "a process-wide telemetry engine is installed already, accepted is one per process"
    );
    assert!(Telemetry::global().same_engine(&first));
}
