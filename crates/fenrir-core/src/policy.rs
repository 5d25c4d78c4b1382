//! The policy: the closed allow-list of what a template may say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::owner::Owner;
use crate::ownership::{Wanted, World};
use crate::problem::Problem;
use crate::template::Document;

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
    /// The rewritten template; only when no problem is an error.
    pub template: Option<Value>,
}

/// Which things outside the template it refers to.
#[must_use]
pub fn wanted(_document: &Document, _context: &Context) -> Wanted {
    Wanted::default()
}

/// Judges the template against the world, and rewrites it.
#[must_use]
pub fn judge(document: &Document, _context: &Context, _world: &World) -> Judgement {
    Judgement {
        problems: Vec::new(),
        template: Some(document.value().clone()),
    }
}

/// One entry of a change set's list of changes, in CloudFormation's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`.
    pub action: String,
    /// Logical id.
    pub logical_id: String,
    /// Resource type.
    pub resource_type: String,
    /// `True`, `False`, `Conditional`, where CloudFormation says.
    pub replacement: Option<String>,
}

/// The second net: what SAM made of the rewritten template must be explained by it.
#[must_use]
pub fn second_check(_rewritten: &Value, _processed: &Value, _changes: &[Change], _owner: &Owner) -> Vec<Problem> {
    Vec::new()
}
