#[test]
fn a() {
    let _ = tta_primitives::testing::TestEngine::new();
}
