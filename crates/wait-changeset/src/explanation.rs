//! Why there is no change set, for people: what early validation and hooks found, and CloudFormation's own words.

use fenrir_core::deployment::Deployment;
use fenrir_lambda::Environment;
use fenrir_stacks::findings::Finding;
use fenrir_stacks::{ChangeSetSeen, Stacks};
use fenrir_store::objects::Objects;

/// Findings that fit into a cause; all of them are in `events.json`.
const SHOWN: usize = 10;

/// The sentence about a change set that CloudFormation could not make. What cannot be found out shortens it: a deploy
/// does not fail twice.
pub(crate) async fn tell(env: &Environment, stacks: &Stacks, deployment: &Deployment, seen: &ChangeSetSeen) -> String {
    let findings = stacks.findings(&seen.arn).await.unwrap_or_else(|fault| {
        tracing::warn!(%fault, "what is held against the change set cannot be read");
        Vec::new()
    });
    let place = store(env, deployment, &findings).await;
    sentence(&deployment.stack.name, &seen.reason, &findings, place.as_deref())
}

/// Keeps the findings beside the release. Returns where.
async fn store(env: &Environment, deployment: &Deployment, findings: &[Finding]) -> Option<String> {
    if findings.is_empty() {
        return None;
    }
    let bytes = serde_json::to_vec(findings).ok()?;
    let head = &deployment.release;
    let objects = Objects::new(&env.own_in(&head.owner.aws_region));
    match objects.put_own(head, "events.json", "application/json", bytes).await {
        Ok(pointer) => Some(format!("s3://{}/{}", pointer.bucket, pointer.key)),
        Err(error) => {
            tracing::warn!(%error, "what is held against the change set cannot be stored");
            None
        }
    }
}

fn sentence(stack: &str, reason: &str, findings: &[Finding], place: Option<&str>) -> String {
    let causes: Vec<&Finding> = findings.iter().filter(|finding| finding.stops()).collect();
    if causes.is_empty() {
        let words = if reason.is_empty() { "no reason given" } else { reason };
        return format!(
            "CloudFormation could not make the change set of stack `{stack}`: {words}; nothing was changed; mend the \
             template and run `fenrir deploy` again"
        );
    }
    let shown: Vec<String> = causes.iter().take(SHOWN).map(|finding| finding.describe()).collect();
    let more = match causes.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\nand {more} more"),
    };
    let place = place
        .map(|place| format!("; all that was found is in `{place}`"))
        .unwrap_or_default();
    format!(
        "the change set of stack `{stack}` was refused before anything was touched:\n{}{more}\nnothing was changed; mend \
         that and run `fenrir deploy` again{place}",
        shown.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use fenrir_stacks::findings::Finder;

    use super::*;

    fn validation(id: &str, mode: &str) -> Finding {
        Finding {
            logical_id: id.to_owned(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            found_by: Finder::Validation {
                name: "PROPERTY_VALIDATION".to_owned(),
                mode: mode.to_owned(),
                path: format!("/Resources/{id}/Properties"),
                reason: "#: extraneous key [Colour] is not permitted".to_owned(),
            },
        }
    }

    #[test]
    fn warnings_alone_are_no_reason() {
        let told = sentence("s", "Transform failed", &[validation("Queue", "WARN")], None);
        assert_eq!(
            told,
            "CloudFormation could not make the change set of stack `s`: Transform failed; nothing was changed; mend the \
             template and run `fenrir deploy` again"
        );
    }

    #[test]
    fn many_findings_are_counted_not_listed() {
        let findings: Vec<Finding> = (0..500).map(|n| validation(&format!("Queue{n}"), "FAIL")).collect();
        let told = sentence("s", "", &findings, Some("s3://b/k"));
        assert_eq!(told.lines().count(), 13, "{told}");
        assert!(told.contains("\nand 490 more\n"), "{told}");
        assert!(told.ends_with("; all that was found is in `s3://b/k`"), "{told}");
    }
}
