//! One problem per place and cause: what is told of an intrinsic falls away where the whole place is refused already.
//!
//! The walk over the values sees a bad reference before any table is looked at; the table then refuses what it stands
//! in. Whoever mends the one has no more of the other.

use std::collections::HashSet;

use serde_json::Value;

use crate::codes;
use crate::problem::{Problem, Severity};
use crate::template::intrinsic::is_intrinsic;

/// What is told of intrinsics and may be an echo.
const OF_INTRINSICS: &[&str] = &[codes::INTRINSIC, codes::UNKNOWN_TARGET, codes::UNKNOWN_ATTRIBUTE];

/// What refuses all that stands at its place.
const WHOLE: &[&str] = &[
    codes::PROPERTY,
    codes::REFUSED,
    codes::GENERATED,
    codes::RESOURCE_KEY,
    codes::OUTPUT,
    codes::POLICIES,
];

/// What refuses that an intrinsic stands at its place.
const VALUE: &[&str] = &[
    codes::LITERAL,
    codes::SHAPE,
    codes::REFERENCE,
    codes::LOCAL,
    codes::TAGS,
    codes::DEPENDS_ON,
    codes::DELETION_POLICY,
];

/// Leaves out the echoes. An error that makes an echo stays itself, so nothing that was refused is accepted.
pub(super) fn without(problems: Vec<Problem>, template: &Value) -> Vec<Problem> {
    let mut whole = HashSet::new();
    let mut values = HashSet::new();
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        let code = &*problem.code;
        if WHOLE.contains(&code) && !is_resource(&problem.path) {
            whole.insert(problem.path.clone());
        } else if VALUE.contains(&code) {
            values.insert(problem.path.clone());
        } else if let Some(refused) = problem.path.strip_suffix("/Type")
            && [codes::RESOURCE_TYPE, codes::EVENT_TYPE].contains(&code)
        {
            whole.insert(format!("{refused}/Properties"));
        }
    }
    let is_echo = |problem: &Problem| {
        OF_INTRINSICS.contains(&&*problem.code)
            && above(&problem.path).any(|path| {
                let is_refused_intrinsic = || values.contains(path) && template.pointer(path).is_some_and(is_intrinsic);
                whole.contains(path) || is_refused_intrinsic()
            })
    };
    problems.into_iter().filter(|problem| !is_echo(problem)).collect()
}

/// What is told of a whole resource refuses only the resource's sum, such as a role that grows too large.
fn is_resource(path: &str) -> bool {
    path.matches('/').count() <= 2
}

/// Every pointer above this one.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| path.split_at(at).0)
}
