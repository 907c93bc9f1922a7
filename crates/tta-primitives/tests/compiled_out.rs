#[test]
fn a() {
    let _ = tta_primitives::testing::TestEngine::new();
}
#[test]
fn rec() {
    assert!(!tta_primitives::testing::TestEngine::new().telemetry().is_enabled());
}
