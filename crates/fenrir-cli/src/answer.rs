//! What a command answers: one value, for people and for programs.

use serde::Serialize;

use crate::text::Text;

/// Every `type` of a line of JSON, and what the line tells: `docs/reference.md` shows them.
pub const TYPES: &[(&str, &str)] = &[
    ("dashboard", "the page is served at `url`, which is a secret"),
    (
        "accounts",
        "where may be deployed, and what is installed there (`bootstrap --list-accounts`)",
    ),
    ("application", "a project and config that the deployer knows (`ls`)"),
    (
        "detached",
        "a deploy was started and is not followed (`deploy --no-wait`)",
    ),
    ("detail", "something that only `--verbose` says"),
    ("diff", "what two releases do not have in common"),
    (
        "error",
        "why the command failed; `exit` is its exit status, and nothing comes after it",
    ),
    ("diagnosis", "what was looked at, and what is wrong with it (`doctor`)"),
    (
        "event",
        "CloudFormation did something to a resource (while following, and `events`)",
    ),
    ("execution", "the execution was started, and where to watch it"),
    ("exported", "the dashboard was written"),
    ("failure", "a resource that failed, the root cause first"),
    ("freeze", "something is frozen now (`lock`)"),
    ("halt", "a deploy was asked to stop"),
    ("heartbeat", "nothing happened for a while, and the deploy goes on"),
    ("init", "files that were written (`init`)"),
    ("info", "something that is said meanwhile"),
    ("installation", "what is installed now (`bootstrap`)"),
    ("log", "a line that a step of the deployer has logged"),
    ("message", "a sentence as the answer"),
    ("package", "what was packed"),
    (
        "plan",
        "what a deploy would do: `summary`, `changes`, `others` (outputs and what else is no resource), `no_changes`, `problems` (errors and warnings)",
    ),
    ("problem", "what is wrong at one place of a file"),
    ("record", "what is known of a release (`history`, `show`)"),
    ("release", "what is about to be deployed, and where to"),
    ("removal", "a stack of Fenrir's own was removed (`bootstrap --remove`)"),
    (
        "result",
        "the deploy ended well: `outcome` is `deployed`, `no_changes`, or `unknown` where the deployer is of another version",
    ),
    ("rollback", "from which release to which it goes"),
    ("rule", "a rule, explained"),
    (
        "stack_changes",
        "what would change in one of Fenrir's own stacks (`bootstrap`)",
    ),
    ("state", "the state machine entered a state"),
    (
        "status",
        "what is deployed, what runs, and who keeps others from deploying",
    ),
    ("unfrozen", "a freeze was ended"),
    ("unlocked", "a dirty lock was removed"),
    ("validation", "the judgement of a template"),
    ("warning", "something to look at"),
];

/// An answer. For programs it is one line of JSON, `{"type": TYPE, ...fields}`; for people it is text.
pub trait Answer: Serialize {
    /// The `type` of its line: one or two lower-case words joined by `_`. Programs tell answers apart by it, so it never
    /// changes.
    const TYPE: &'static str;

    /// The same for people.
    fn human(&self, text: &mut Text);
}

/// A sentence: what was done, and nothing more.
#[derive(Debug, Serialize)]
pub struct Message {
    /// The sentence.
    pub message: String,
}

impl Answer for Message {
    const TYPE: &'static str = "message";

    fn human(&self, text: &mut Text) {
        text.line(&self.message);
    }
}
