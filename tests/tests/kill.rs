//! A deployment that is killed goes on where it was, and pays for nothing twice. With more kills: `examples/kill.rs`.

use inkling_tests::kills::{self, Plan};
use std::time::Duration;

#[tokio::test]
async fn a_killed_deployment_is_resumed() {
    let plan = Plan { kills: 6, latency: Duration::from_millis(20), seed: 7, model: "mlp-32-16" };
    let report = kills::run(plan, |_| {}).await;
    assert_eq!(report.survivors.iter().map(|one| one.kills).sum::<usize>(), 6);
    assert!(report.mean_ratio() <= 1.02, "{:#}", report.json());
}
