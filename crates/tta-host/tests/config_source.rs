//! Configuration from real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::error::Error;
use std::fs;

use tta_host::ConfigSource;
use tta_telemetry::config::Preset;

#[test]
fn a_file_is_read_afresh_at_every_load() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tta.toml");
    fs::write(&path, "tracing.sampling.default_rate = 0.5").unwrap();
    let source = ConfigSource::new().file(&path);
    assert_eq!(source.load().unwrap().tracing.sampling.default_rate, 0.5);
    fs::write(&path, "tracing.sampling.default_rate = 0.75").unwrap();
    assert_eq!(source.load().unwrap().tracing.sampling.default_rate, 0.75);
    assert_eq!(source.path(), Some(path.as_path()));
    fs::remove_file(&path).unwrap();
    let error = source.load().unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read the configuration `{}`", path.display()));
    assert!(error.source().is_some());
}

#[test]
fn files_that_are_no_configuration_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tta.toml");
    let source = ConfigSource::new().file(&path).preset(Preset::Staging);
    for (bytes, want) in [
        (b"service_name = \"\xff\"".to_vec(), "is not UTF-8 at byte 16, accepted is TOML in UTF-8".to_owned()),
        (vec![b'#'; 1024 * 1024 + 1], "is larger than 1 MiB, accepted is TOML of at most 1 MiB".to_owned()),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = source.load().unwrap_err().to_string();
        assert_eq!(error, format!("the configuration `{}` {want}", path.display()));
    }
    fs::write(&path, "servicename = \"x\"\n[tracing\n").unwrap();
    let error = source.load().unwrap_err().to_string();
    assert!(error.starts_with(&format!("1 problem in the configuration:\n{}:2: ", path.display())), "{error}");
    assert!(ConfigSource::new().file(directory.path()).load().is_err());
}
