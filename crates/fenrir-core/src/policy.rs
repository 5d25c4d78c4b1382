//! The policy: the closed allow-list of what a template may say.
//!
//! [`registry::TYPES`] lists the resource types, one file each under `types/`, event types under `events/`. A type is
//! a table of properties, each with its [`rule::Rule`] and the reason for it; `docs/policy.md` is made from these
//! tables. The judgement walks the template once along them: it checks, asks the world through the `ask_` functions of
//! [`judge::Judge`], and rewrites. [`wanted`] is the same walk with nobody to answer, so nothing that the judgement
//! asks can be missing from what is fetched.

mod api_definition;
mod arn;
mod artifact;
mod by_name;
mod destination;
mod echo;
pub mod events;
mod fold;
pub mod judge;
pub mod kind;
mod level;
mod merged;
pub mod place;
pub mod policies;
pub mod reference;
pub mod registry;
pub mod role;
pub mod rule;
mod scan;
mod second;
mod states;
pub mod types;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::codes;
use crate::owner::Owner;
use crate::ownership::{Wanted, World};
use crate::plan::Reported;
use crate::problem::{Problem, Severity};
use crate::template::{Document, MAX_BYTES, MAX_PROBLEMS, size};
use judge::{Index, Judge, Knowledge};
use merged::Merged;

/// Whose template is judged, and what the release and the administrators say about it.
#[derive(Debug, Clone)]
pub struct Context {
    /// The owner the release proved.
    pub owner: Owner,
    /// `s3_uris_sha256s` of the release: artifact URI to SHA-256. `None` when there is no release yet
    /// (`fenrir validate`): local paths are then allowed where an artifact is expected.
    pub artifacts: Option<BTreeMap<String, String>>,
    /// Layer version ARNs, web ACL ARNs and CloudFront policy ids that the administrators allow.
    pub allowed: BTreeSet<String>,
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// All problems, in the order of the file.
    pub problems: Vec<Problem>,
    /// The rewritten template; only when no problem is an error, and nothing was left unchecked.
    pub template: Option<Value>,
}

/// The names of all resource types that a template may have.
pub fn type_names() -> impl Iterator<Item = &'static str> {
    registry::TYPES.iter().map(|kind| kind.name)
}

/// Which things outside the template it refers to.
#[must_use]
pub fn wanted(document: &Document, context: &Context) -> Wanted {
    run(document, context, Knowledge::Collecting).1
}

/// Judges the template against the world, and rewrites it.
#[must_use]
pub fn judge(document: &Document, context: &Context, world: &World) -> Judgement {
    run(document, context, Knowledge::World(Index::new(world))).0
}

/// Judges the template without a world (`fenrir validate` without an inventory): what needs AWS becomes a problem of
/// [`Severity::NotChecked`].
#[must_use]
pub fn judge_without_world(document: &Document, context: &Context) -> Judgement {
    run(document, context, Knowledge::Nothing).0
}

/// Things outside of a template that it may refer to: five for each of 500 resources. Each is a question to AWS, and the
/// API limits of an account are everybody's.
const MOST_WANTED: usize = 2_500;

/// The one walk.
fn run(document: &Document, context: &Context, knowledge: Knowledge<'_>) -> (Judgement, Wanted) {
    let merged = Merged::new(document);
    let mut judge = Judge::new(context, knowledge, &merged);
    let mut template = level::template(&mut judge, document, &merged);
    let (mut wanted, mut problems, added) = judge.finish();
    if let Some(resources) = template.get_mut("Resources").and_then(Value::as_object_mut) {
        resources.extend(added);
    }
    // Nobody is asked before it is known how much there is to ask.
    if wanted.len() > MOST_WANTED {
        wanted = Wanted::default();
        problems.push(
            Problem::error(
                codes::TOO_MANY,
                "/Resources",
                format!("the template refers to more than {MOST_WANTED} things outside of itself"),
            )
            .help("split the application into several stacks"),
        );
    }
    let mut problems = in_order(document, &merged, echo::without(problems, document.value()));
    if problems.is_empty() && size(&template) > MAX_BYTES {
        problems.push(
            Problem::error(
                codes::TOO_LARGE,
                "",
                "with the names, tags and roles that Fenrir adds, the template is larger than 1 MB",
            )
            .help("split the application into several stacks"),
        );
    }
    let is_clean = problems.iter().all(|problem| problem.severity == Severity::Warning);
    let judgement = Judgement {
        problems,
        template: is_clean.then_some(template),
    };
    (judgement, wanted)
}

/// Leads each problem back to where its cause stands in the file, drops what is told twice (one line of Globals is
/// judged in every function), and sorts by place.
fn in_order(document: &Document, merged: &Merged<'_>, found: Vec<Problem>) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::with_capacity(found.len());
    for problem in merged.problems.iter().cloned().chain(found) {
        let path = merged
            .origin(document, &problem.path)
            .unwrap_or_else(|| problem.path.clone());
        let position = problem.position.or_else(|| document.position(&path));
        if seen.insert((problem.code.clone(), path.clone(), problem.message.clone())) {
            problems.push(Problem {
                path,
                position,
                ..problem
            });
        }
    }
    problems.sort_by_key(|problem| problem.position);
    problems.truncate(MAX_PROBLEMS);
    problems
}

/// The second net: what SAM made of the rewritten template must be explained by it.
///
/// `processed` is the template of the change set after the transform, `changes` its list of changes. Problems are
/// errors, but for what CloudFormation decides only while it deploys, which are warnings.
#[must_use]
pub fn second_check(rewritten: &Value, processed: &Value, changes: &[Reported], owner: &Owner) -> Vec<Problem> {
    second::check(rewritten, processed, changes, owner)
}
