//! What AWS answers about one stack, the lock and the record of its owner, for [`Recorded`](crate::Recorded).

use fenrir_stacks::Status;
use fenrir_stacks::marks::Marks;
use serde_json::{Value, json};

use crate::Answer;

/// ARN of the stack.
pub const STACK: &str = "arn:aws:cloudformation:us-east-1:111111111111:stack/s/1";

/// Events of a stack that an execution's own operation brought to `status`, oldest first: status and token.
pub fn history(status: Status, marks: &Marks) -> Vec<(&'static str, String)> {
    use Status as S;
    let own = |name: &'static str| (name, marks.execute());
    let name = status.row().name;
    match status {
        S::Absent | S::Unknown => Vec::new(),
        S::ReviewInProgress => vec![("REVIEW_IN_PROGRESS", String::new())],
        S::CreateInProgress => vec![own("CREATE_IN_PROGRESS")],
        S::UpdateInProgress => vec![own("UPDATE_IN_PROGRESS")],
        S::CreateComplete | S::CreateFailed | S::RollbackInProgress | S::RollbackComplete | S::RollbackFailed => {
            vec![own("CREATE_IN_PROGRESS"), own(name)]
        }
        S::DeleteInProgress => vec![own("CREATE_IN_PROGRESS"), (name, marks.delete())],
        S::DeleteComplete | S::DeleteFailed => vec![
            own("CREATE_IN_PROGRESS"),
            ("DELETE_IN_PROGRESS", marks.delete()),
            (name, marks.delete()),
        ],
        // An import is somebody else's: nothing of ours tells of itself.
        S::ImportInProgress => vec![(name, "theirs".to_owned())],
        S::ImportComplete | S::ImportRollbackInProgress | S::ImportRollbackComplete | S::ImportRollbackFailed => {
            vec![("IMPORT_IN_PROGRESS", "theirs".to_owned()), (name, "theirs".to_owned())]
        }
        _ => vec![own("UPDATE_IN_PROGRESS"), own(name)],
    }
}

/// An answer of the query protocol.
pub fn ok(operation: &str, result: &str) -> Answer {
    let body = format!("<{operation}Result>{result}</{operation}Result>");
    Answer::xml(200, format!("<{operation}Response>{body}</{operation}Response>"))
}

/// `DescribeStacks`, of a stack that stands at this status.
pub fn stack(status: Status) -> Answer {
    let name = status.row().name;
    if status == Status::Absent {
        return Answer::xml(
            400,
            "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id s does not exist</Message></Error>\
             </ErrorResponse>",
        );
    }
    let member = format!(
        "<member><StackId>{STACK}</StackId><StackName>s</StackName><StackStatus>{name}</StackStatus>\
         <CreationTime>2026-01-01T00:00:00Z</CreationTime></member>"
    );
    ok("DescribeStacks", &format!("<Stacks>{member}</Stacks>"))
}

/// `DescribeStackEvents`. Oldest first: status and token; a resource's where the status is `Id STATUS`.
pub fn events(lines: &[(&str, String)]) -> Answer {
    let member = |(number, (status, token)): (usize, &(&str, String))| {
        let (logical_id, physical_id, kind, status) = match status.split_once(' ') {
            Some((id, status)) => (id, "physical", "AWS::DynamoDB::Table", status),
            None => ("s", STACK, "AWS::CloudFormation::Stack", *status),
        };
        format!(
            "<member><EventId>{number}</EventId><StackId>{STACK}</StackId><StackName>s</StackName>\
             <LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{physical_id}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><Timestamp>2026-01-01T00:01:00Z</Timestamp>\
             <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>why {status}</ResourceStatusReason>\
             <ClientRequestToken>{token}</ClientRequestToken></member>"
        )
    };
    let members: Vec<String> = lines.iter().enumerate().map(member).rev().collect();
    ok(
        "DescribeStackEvents",
        &format!("<StackEvents>{}</StackEvents>", members.concat()),
    )
}

/// `DescribeChangeSet`, of none.
pub fn no_change_set() -> Answer {
    Answer::xml(
        404,
        "<ErrorResponse><Error><Code>ChangeSetNotFound</Code><Message>ChangeSet does not exist</Message></Error>\
         </ErrorResponse>",
    )
}

/// `GetItem`, of the record of a release.
pub fn record(execution: &str, release_id: &str, status: &str) -> Answer {
    let item = json!({
        "owner": {"S": "111111111111/us-east-1/p/c"}, "release_id": {"S": release_id}, "status": {"S": status},
        "execution": {"S": execution}, "operation": {"S": "deploy"}, "started_at": {"S": "2026-01-01T00:00:00Z"},
        "metadata": {"M": {"commit": {"S": "abc"}}}, "stack": {"S": "s"}, "no_changes": {"BOOL": false},
        "stored": {"M": {}}, "open": {"S": "yes"},
    });
    Answer::json(200, json!({"Item": item}).to_string())
}

/// The item of a lock.
pub fn lock_item(execution: &str, release_id: &str, reason: Option<&str>) -> Value {
    let mut item = json!({
        "key": {"S": "111111111111/us-east-1/p/c"}, "execution": {"S": execution}, "release_id": {"S": release_id},
        "since": {"S": "2026-01-01T00:00:00Z"}, "dirty": {"BOOL": reason.is_some()},
    });
    if let Some(reason) = reason {
        item["reason"] = json!({"S": reason});
    }
    item
}

/// `AssumeRole`.
pub fn session() -> Answer {
    let credentials = "<AccessKeyId>222222222222</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                       <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>";
    ok("AssumeRole", &format!("<Credentials>{credentials}</Credentials>"))
}

/// An empty answer of `DynamoDB`: done, or nothing there.
pub fn done() -> Answer {
    Answer::json(200, "{}")
}
