//! How a refusal is said: enough on one screen to mend the release, and where all of it is.

use std::collections::BTreeMap;
use std::fmt::Write;

use fenrir_core::deployment::{Pointer, Start, cut};
use fenrir_core::error::{ErrorName, StepError};
use fenrir_core::names;
use fenrir_core::problem::{Problem, Severity, printable};
use fenrir_lambda::Environment;
use fenrir_lambda::metrics::{Ended, Measure};
use fenrir_store::{Objects, Record, Records, Status};

use crate::proof::Proven;

/// Problems that are told on the screen.
const TOLD: usize = 8;
/// Characters of one problem.
const PROBLEM_LIMIT: usize = 310;

/// The refusal of a release that nobody has proven: it is told, and nothing is recorded.
pub(crate) fn unproven(env: &Environment, problems: &[Problem]) -> StepError {
    env.measure(&Measure::RefusedUnproven);
    env.measure_refusal(problems);
    StepError::new(ErrorName::BadReleaseError, text(problems, None))
}

/// The refusal of a proven release: told, stored and recorded.
///
/// # Errors
/// When it could be neither stored nor recorded.
pub(crate) async fn recorded(
    env: &Environment,
    start: &Start,
    proven: &Proven,
    problems: Vec<Problem>,
) -> Result<StepError, StepError> {
    let objects = Objects::new(&env.own_in(&proven.head.owner.aws_region));
    let stored = crate::put(&objects, proven, "problems.json", crate::bytes(&problems)?).await?;
    let refusal = StepError::new(ErrorName::BadReleaseError, text(&problems, Some(&stored)));
    let refused = Refused {
        error: refusal.name.to_string(),
        cause: refusal.message.clone(),
        stored: [("problems".to_owned(), stored)].into(),
    };
    record(env, start, proven, refused).await?;
    env.measure_refusal(&problems);
    Ok(refusal)
}

/// Why a proven release went no further than Validate.
pub(crate) struct Refused {
    pub(crate) error: String,
    pub(crate) cause: String,
    /// What of it lies in S3.
    pub(crate) stored: BTreeMap<String, Pointer>,
}

/// Records that a proven release went no further. The same execution may write over it.
///
/// # Errors
/// When it could not be recorded.
pub(crate) async fn record(
    env: &Environment,
    start: &Start,
    proven: &Proven,
    refused: Refused,
) -> Result<(), StepError> {
    let Proven { head, release } = proven;
    let record = Record {
        release_id: head.release_id.clone(),
        status: Status::Refused,
        execution: start.execution.arn.clone(),
        operation: head.operation,
        started_at: start.execution.started_at.clone(),
        deadline: Some(head.deadline.clone()),
        ended_at: Some(fenrir_core::timestamp::format(env.now())),
        metadata: release.metadata.clone(),
        stack: names::stack(&head.owner()),
        stack_arn: None,
        no_changes: false,
        error: Some(refused.error),
        cause: Some(refused.cause),
        stored: refused.stored,
        unlocked: None,
    };
    Records::new(env.own(), &env.settings().releases_table)
        .write(&head.owner(), &record)
        .await
        .map_err(|error| error.into_step(ErrorName::InternalError, "recording the refusal"))?;
    env.measure(&Measure::Ended(head, Ended::Refused));
    Ok(())
}

/// The text of a refusal, within [`fenrir_core::deployment::Failure::CAUSE_LIMIT`].
fn text(problems: &[Problem], stored: Option<&Pointer>) -> String {
    let refusing = problems.iter().filter(|problem| problem.severity != Severity::Warning);
    let count = refusing.clone().count();
    let plural = if count == 1 { "problem" } else { "problems" };
    let mut text = format!("the release is refused: {count} {plural}");
    for (number, problem) in refusing.take(TOLD).enumerate() {
        // Writing to a string does not fail.
        let _ = write!(text, "\n{}. {}", number + 1, cut(&line(problem), PROBLEM_LIMIT));
    }
    if count > TOLD {
        let _ = write!(text, "\nand {} more", count - TOLD);
    }
    if let Some(stored) = stored {
        let _ = write!(text, "\nall of it: s3://{}/{}", stored.bucket, stored.key);
    }
    text
}

/// `F0203 at /Resources/Fn: message; help`.
fn line(problem: &Problem) -> String {
    let place = if problem.path.is_empty() {
        String::new()
    } else {
        format!(" at {}", problem.path)
    };
    let help = problem
        .help
        .as_ref()
        .map(|help| format!("; {help}"))
        .unwrap_or_default();
    printable(&format!("{}{place}: {}{help}", problem.code, problem.message))
}

#[cfg(test)]
mod tests {
    use fenrir_core::deployment::Failure;

    use super::*;

    fn many(count: usize) -> Vec<Problem> {
        let problem =
            |number| Problem::error("F0001", format!("/Resources/R{number}"), "x".repeat(1_000)).help("mend it");
        (0..count).map(problem).collect()
    }

    #[test]
    fn a_refusal_names_place_words_and_help() {
        let problem = Problem::error("F0103", "/template", "`template` is missing").help("give it");
        assert_eq!(
            text(&[problem], None),
            "the release is refused: 1 problem\n1. F0103 at /template: `template` is missing; give it"
        );
    }

    #[test]
    fn many_problems_fit_on_a_screen_and_into_the_cause() {
        let stored = Pointer {
            bucket: "b".repeat(63),
            key: "k".repeat(300),
            version_id: "1".into(),
            sha256: String::new(),
        };
        let text = text(&many(500), Some(&stored));
        assert!(text.starts_with("the release is refused: 500 problems\n1. F0001 at /Resources/R0: x"));
        assert!(text.contains("\nand 492 more\nall of it: s3://b"));
        assert!(text.chars().count() <= Failure::CAUSE_LIMIT, "{}", text.chars().count());
    }

    #[test]
    fn warnings_do_not_count_and_nothing_forges_a_line() {
        let mut problems = many(1);
        problems.push(Problem::error("F0002", "/a", "b\n2. forged"));
        problems.push(Problem::error("F0003", "/w", "only a warning").severity(Severity::Warning));
        let text = text(&problems, None);
        assert!(text.starts_with("the release is refused: 2 problems"));
        assert_eq!(text.lines().count(), 3);
    }
}
