//! A halt while the change set is pending: how soon the polls hear it, and that nothing is executed.

use std::time::Duration;

use crate::cloud::{Cloud, Script};

/// When it comes, and by when the machine is at its end: one poll in four looks while they follow each other quickly,
/// later each one does, at most two minutes after the one before.
const HALTS: [(u64, u64); 5] = [(3, 15), (5, 15), (30, 15), (300, 70), (3_000, 140)];

#[tokio::test]
async fn a_halt_of_a_pending_change_set_is_heard_within_what_the_command_promises() {
    for (halt, most) in HALTS {
        let script = Script {
            change_set: Duration::from_hours(2),
            halt: Some(Duration::from_secs(halt)),
            ..Script::default()
        };
        let cloud = Cloud::new(script);
        let outcome = cloud.deploy("release-1").await;
        let failed = outcome.run.outcome.as_ref().unwrap_err();
        assert_eq!(failed.error, "FailureClean.HaltError", "{halt} s");
        let said = "`arn:aws:iam::111111111111:user/ada` halted it at `2026-01-01T00:00:00Z`: wrong branch";
        assert!(failed.cause.contains(said), "{halt} s: {}", failed.cause);
        assert!(
            outcome.halted <= Duration::from_secs(most),
            "{halt} s: {:?}",
            outcome.halted
        );
        assert_eq!(cloud.requests("ExecuteChangeSet").len(), 0, "{halt} s");
        // Here the stack under review goes with it.
        assert_eq!(cloud.requests("DeleteChangeSet").len(), 1, "{halt} s");
    }
}

#[tokio::test]
async fn a_halt_from_the_beginning_is_heard_before_there_is_a_change_set() {
    let script = Script {
        halt: Some(Duration::ZERO),
        ..Script::default()
    };
    let cloud = Cloud::new(script);
    let outcome = cloud.deploy("release-1").await;
    assert_eq!(
        outcome.run.outcome.as_ref().unwrap_err().error,
        "FailureClean.HaltError"
    );
    assert!(
        outcome.cause().contains("before its change set was made"),
        "{}",
        outcome.cause()
    );
    assert_eq!(cloud.requests("CreateChangeSet").len(), 0);
}
