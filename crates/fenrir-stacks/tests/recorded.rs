//! What the real SDK sends, and what is made of what CloudFormation answers, over recorded HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use fenrir_core::deployment::{Pointer, StackAction};
use fenrir_core::error::FaultKind;
use fenrir_core::owner::Owner;
use fenrir_core::plan::Detail;
use fenrir_stacks::changes::{Answer as ChangeSetAnswer, Execution};
use fenrir_stacks::marks::Marks;
use fenrir_stacks::{Deletion, NewChangeSet, Stacks, Status};
use fenrir_testkit::{Answer, Recorded};

const STACK: &str = "arn:aws:cloudformation:us-east-1:111111111111:stack/fenrir-p-c--x/1";
const CHANGE_SET: &str = "arn:aws:cloudformation:us-east-1:111111111111:changeSet/fenrir-0/1";

fn owner() -> Owner {
    Owner {
        account: "111111111111".into(),
        region: "us-east-1".into(),
        project: "p".into(),
        config: "c".into(),
    }
}

fn marks() -> Marks {
    Marks::of("arn:aws:states:us-east-1:111111111111:execution:fenrir:release-1")
}

fn ok(operation: &str, result: &str) -> Answer {
    let xml = format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>");
    Answer::xml(200, xml)
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let xml = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    Answer::xml(status, xml)
}

fn stack(status: &str) -> Answer {
    let member = format!(
        "<member><StackId>{STACK}</StackId><StackName>s</StackName><StackStatus>{status}</StackStatus>\
         <StackStatusReason>because\u{202e}</StackStatusReason><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
         <Tags><member><Key>ProjectName</Key><Value>p</Value></member>\
         <member><Key>ConfigName</Key><Value>c</Value></member></Tags></member>"
    );
    ok("DescribeStacks", &format!("<Stacks>{member}</Stacks>"))
}

fn change_set(status: &str, execution: &str, more: &str) -> Answer {
    ok(
        "DescribeChangeSet",
        &format!(
            "<ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{STACK}</StackId><Status>{status}</Status>\
             <ExecutionStatus>{execution}</ExecutionStatus><Description>{}</Description>{more}",
            marks().description()
        ),
    )
}

fn change(logical_id: &str, replacement: &str) -> String {
    format!(
        "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>{logical_id}\
         </LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType><Replacement>{replacement}</Replacement>\
         <Details><member><Target><Attribute>Properties</Attribute><Name>VisibilityTimeout</Name>\
         <RequiresRecreation>Never</RequiresRecreation><Path>/Properties/VisibilityTimeout</Path>\
         <BeforeValue>30</BeforeValue><AfterValue>31</AfterValue>\
         <AttributeChangeType>Modify</AttributeChangeType></Target><Evaluation>Dynamic</Evaluation>\
         <ChangeSource>ResourceAttribute</ChangeSource><CausingEntity>Dead.Arn</CausingEntity></member></Details>\
         <PolicyAction>ReplaceAndRetain</PolicyAction></ResourceChange></member>"
    )
}

fn event(id: u32, status: &str, token: &str) -> String {
    format!(
        "<member><EventId>{id}</EventId><StackId>{STACK}</StackId><StackName>s</StackName>\
         <LogicalResourceId>s</LogicalResourceId><PhysicalResourceId>{STACK}</PhysicalResourceId>\
         <ResourceType>AWS::CloudFormation::Stack</ResourceType><Timestamp>2026-01-01T00:00:{id:02}Z</Timestamp>\
         <ResourceStatus>{status}</ResourceStatus><ClientRequestToken>{token}</ClientRequestToken></member>"
    )
}

fn events(members: &[String], next: Option<&str>) -> Answer {
    let next = next
        .map(|token| format!("<NextToken>{token}</NextToken>"))
        .unwrap_or_default();
    ok(
        "DescribeStackEvents",
        &format!("<StackEvents>{}</StackEvents>{next}", members.concat()),
    )
}

async fn stacks(answers: Vec<Answer>) -> (Recorded, Stacks) {
    let server = Recorded::start(answers);
    let stacks = Stacks::new(&server.config().await);
    (server, stacks)
}

/// The parameters of a request, decoded.
fn parameters(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            } else {
                bytes.push(if byte == b'+' { b' ' } else { byte });
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

#[tokio::test]
async fn a_stack_that_does_not_exist_is_none_and_any_other_refusal_a_fault() {
    let (_server, stacks) = stacks(vec![
        error(400, "ValidationError", "Stack with id s does not exist"),
        error(400, "ValidationError", "1 validation error detected"),
        error(
            403,
            "AccessDenied",
            "User is not authorized to perform: cloudformation:DescribeStacks",
        ),
        error(400, "Throttling", "Rate exceeded"),
        Answer::cut(),
        Answer::xml(200, "<html>garbage"),
    ])
    .await;
    assert_eq!(stacks.describe("s").await.unwrap(), None);
    for kind in [
        FaultKind::Refused,
        FaultKind::Denied,
        FaultKind::Transient,
        FaultKind::Transient,
        FaultKind::Transient,
    ] {
        assert_eq!(stacks.describe("s").await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_stack_has_its_status_and_its_owner_and_nothing_unprintable() {
    let (_server, stacks) = stacks(vec![stack("UPDATE_COMPLETE"), stack("A_STATUS_OF_TOMORROW")]).await;
    let seen = stacks.describe("s").await.unwrap().unwrap();
    assert_eq!((seen.arn.as_str(), seen.status), (STACK, Status::UpdateComplete));
    assert!(seen.is_of(&owner()));
    assert!(
        !seen.is_of(&Owner {
            config: "C".into(),
            ..owner()
        }),
        "case matters"
    );
    assert_eq!(seen.reason, "because\\u{202e}");
    assert_eq!(stacks.describe("s").await.unwrap().unwrap().status, Status::Unknown);
}

fn new_change_set<'a>(
    owner: &'a Owner,
    template: &'a Pointer,
    tags: &'a BTreeMap<String, String>,
    marks: &'a Marks,
) -> NewChangeSet<'a> {
    NewChangeSet {
        owner,
        stack: "fenrir-p-c--x",
        action: StackAction::Create,
        template,
        tags,
        marks,
        again: false,
    }
}

#[tokio::test]
async fn a_change_set_is_asked_for_with_everything_that_the_design_wants() {
    let made = format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>");
    let (server, stacks) = stacks(vec![ok("CreateChangeSet", &made)]).await;
    let template = Pointer {
        bucket: "fenrir-111111111111-us-east-1".into(),
        key: "fenrir/111111111111/us-east-1/p/c/release-1/template.json".into(),
        version_id: "v1".into(),
        sha256: "0".repeat(64),
    };
    let tags = BTreeMap::from([("ProjectName".to_owned(), "p".to_owned())]);
    let (owner, marks) = (owner(), marks());
    let made = stacks
        .create_change_set(new_change_set(&owner, &template, &tags, &marks))
        .await
        .unwrap();
    assert_eq!((made.arn.as_str(), made.stack_arn.as_str()), (CHANGE_SET, STACK));
    let mut sent = parameters(&server.requests()[0].body);
    let url = sent.remove("TemplateURL").unwrap();
    assert!(
        url.ends_with(
            "/fenrir-111111111111-us-east-1/fenrir/111111111111/us-east-1/p/c/release-1/template.json?versionId=v1"
        ),
        "{url}"
    );
    let wanted = [
        ("Action", "CreateChangeSet"),
        ("Capabilities.member.1", "CAPABILITY_IAM"),
        ("Capabilities.member.2", "CAPABILITY_NAMED_IAM"),
        ("Capabilities.member.3", "CAPABILITY_AUTO_EXPAND"),
        ("ChangeSetName", marks.change_set()),
        ("ChangeSetType", "CREATE"),
        ("ClientToken", marks.change_set()),
        ("Description", &marks.description()),
        ("IncludeNestedStacks", "false"),
        ("RoleARN", "arn:aws:iam::111111111111:role/fenrir-cloudformation"),
        ("StackName", "fenrir-p-c--x"),
        ("Tags.member.1.Key", "ProjectName"),
        ("Tags.member.1.Value", "p"),
        ("Version", "2010-05-15"),
    ];
    // Exactly these: nothing that keeps a failed stack, or takes in what is there already.
    assert_eq!(
        sent,
        wanted.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    );
}

#[tokio::test]
async fn a_change_set_that_exists_is_ours_only_if_it_says_so_and_one_that_cannot_go_is_refused() {
    let exists = || error(400, "AlreadyExistsException", "ChangeSet fenrir-0 already exists");
    let foreign = "<ChangeSetId>x</ChangeSetId><StackId>y</StackId><Status>CREATE_COMPLETE</Status><Description>mine</Description>";
    let (_server, stacks) = stacks(vec![
        exists(),
        change_set("CREATE_IN_PROGRESS", "UNAVAILABLE", ""),
        exists(),
        ok("DescribeChangeSet", foreign),
        error(400, "InvalidChangeSetStatus", "it is executed"),
        exists(),
        error(404, "ChangeSetNotFound", "ChangeSet does not exist"),
    ])
    .await;
    let template = Pointer {
        bucket: "b".into(),
        key: "k".into(),
        version_id: "v".into(),
        sha256: "s".into(),
    };
    let (owner, marks, tags) = (owner(), marks(), BTreeMap::new());
    let new = new_change_set(&owner, &template, &tags, &marks);
    assert_eq!(stacks.create_change_set(new).await.unwrap().arn, CHANGE_SET);
    for _ in 0..2 {
        let fault = stacks.create_change_set(new).await.unwrap_err();
        assert!(fault.is("AlreadyExistsException"), "{fault}");
    }
}

#[tokio::test]
async fn all_pages_of_changes_are_read() {
    let page = |id: &str, next: &str| {
        change_set(
            "CREATE_COMPLETE",
            "AVAILABLE",
            &format!("<Changes>{}</Changes>{next}", change(id, "Conditional")),
        )
    };
    let (server, stacks) = stacks(vec![page("A", "<NextToken>2</NextToken>"), page("B", "")]).await;
    let seen = stacks.describe_change_set(STACK, CHANGE_SET).await.unwrap().unwrap();
    assert_eq!(seen.answer, ChangeSetAnswer::Made);
    assert_eq!(seen.execution, Execution::NotBegun);
    assert_eq!(
        seen.changes.iter().map(|c| c.logical_id.as_str()).collect::<Vec<_>>(),
        ["A", "B"]
    );
    let first = &seen.changes[0];
    assert_eq!(first.replacement.as_deref(), Some("Conditional"));
    assert_eq!(first.policy_action.as_deref(), Some("ReplaceAndRetain"));
    let detail = Detail {
        attribute: "Properties".into(),
        name: Some("VisibilityTimeout".into()),
        path: Some("/Properties/VisibilityTimeout".into()),
        before: Some("30".into()),
        after: Some("31".into()),
        recreation: Some("Never".into()),
        causing_entity: Some("Dead.Arn".into()),
    };
    assert_eq!(first.details, [detail]);
    let asked = parameters(&server.requests()[1].body);
    assert_eq!(
        (asked["NextToken"].as_str(), asked["IncludePropertyValues"].as_str()),
        ("2", "true")
    );
}

#[tokio::test]
async fn the_template_of_a_stack_is_asked_for_after_the_transform() {
    let body = "<TemplateBody>{&quot;Resources&quot;: {}}</TemplateBody>";
    let (server, stacks) = stacks(vec![ok("GetTemplate", body), ok("GetTemplate", body)]).await;
    assert_eq!(stacks.deployed_template(STACK).await.unwrap(), "{\"Resources\": {}}");
    stacks.processed_template(STACK, CHANGE_SET).await.unwrap();
    let asked: Vec<_> = server
        .requests()
        .iter()
        .map(|request| parameters(&request.body))
        .collect();
    assert_eq!(asked[0]["TemplateStage"], "Processed");
    assert_eq!(asked[0].get("ChangeSetName"), None);
    assert_eq!(asked[1]["ChangeSetName"], CHANGE_SET);
}

#[tokio::test]
async fn a_page_that_fails_fails_the_whole() {
    let first = change_set("CREATE_COMPLETE", "AVAILABLE", "<NextToken>2</NextToken>");
    let (_server, stacks) = stacks(vec![first, error(503, "ServiceUnavailable", "later")]).await;
    let fault = stacks.describe_change_set(STACK, CHANGE_SET).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Transient);
}

#[tokio::test]
async fn an_execution_that_happened_already_is_no_fault() {
    let (server, stacks) = stacks(vec![
        ok("ExecuteChangeSet", ""),
        error(
            400,
            "InvalidChangeSetStatus",
            "ChangeSet is in EXECUTE_IN_PROGRESS status",
        ),
        error(404, "ChangeSetNotFound", "ChangeSet does not exist"),
        error(400, "TokenAlreadyExistsException", "Token already exists"),
        error(
            400,
            "ValidationError",
            "Stack is in UPDATE_IN_PROGRESS state and can not be updated.",
        ),
    ])
    .await;
    for _ in 0..4 {
        stacks.execute(STACK, CHANGE_SET, &marks()).await.unwrap();
    }
    assert_eq!(
        stacks.execute(STACK, CHANGE_SET, &marks()).await.unwrap_err().kind,
        FaultKind::Refused
    );
    let sent = parameters(&server.requests()[0].body);
    assert_eq!(sent["ClientRequestToken"], marks().execute());
    assert_eq!(sent["RetainExceptOnCreate"], "true");
    assert_eq!(sent["DisableRollback"], "false");
}

#[tokio::test]
async fn events_are_read_back_to_the_beginning_of_our_own_operation_and_not_further() {
    let (execute, started) = (marks().execute(), "2026-01-01T00:00:00Z");
    let (server, stacks) = stacks(vec![
        events(&[event(9, "UPDATE_COMPLETE", &execute)], Some("2")),
        // One of the first page again: an event was added in between.
        events(
            &[
                event(9, "UPDATE_COMPLETE", &execute),
                event(8, "UPDATE_IN_PROGRESS", &execute),
                event(7, "CREATE_COMPLETE", ""),
            ],
            Some("3"),
        ),
    ])
    .await;
    let own = stacks.own_operation(STACK, &marks(), started).await.unwrap();
    assert_eq!(
        own.iter().map(|e| e.status.as_str()).collect::<Vec<_>>(),
        ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    );
    assert_eq!(server.requests().len(), 2, "the third page is not asked for");
}

#[tokio::test]
async fn only_what_validation_held_against_this_operation_is_among_its_events() {
    let found = |id: &str, at: &str| {
        format!(
            "<member><EventId>{id}</EventId><OperationId>{id}</OperationId><OperationType>UPDATE_STACK</OperationType>\
             <EventType>VALIDATION_ERROR</EventType><LogicalResourceId>{id}</LogicalResourceId>\
             <ValidationFailureMode>FAIL</ValidationFailureMode><ValidationStatus>FAILED</ValidationStatus>\
             <ValidationStatusReason>taken</ValidationStatusReason><Timestamp>2026-01-01T00:00:{at}Z</Timestamp></member>"
        )
    };
    let answer = ok(
        "DescribeEvents",
        &format!(
            "<OperationEvents>{}{}{}</OperationEvents>",
            found("before", "01"),
            found("ours", "08"),
            found("theirs", "20")
        ),
    );
    for (id, wanted) in [
        ("<OperationId>ours</OperationId>", &["ours"][..]),
        ("", &["ours", "theirs"]),
    ] {
        let own = |second, status| {
            event(second, status, &marks().execute()).replace("<StackName>", &format!("{id}<StackName>"))
        };
        let read = events(
            &[own(9, "UPDATE_ROLLBACK_COMPLETE"), own(7, "UPDATE_IN_PROGRESS")],
            None,
        );
        let (_server, stacks) = stacks(vec![read, answer.clone()]).await;
        let own = stacks
            .own_operation(STACK, &marks(), "2026-01-01T00:00:00Z")
            .await
            .unwrap();
        let own = stacks.with_validation(STACK, own).await;
        let found: Vec<&str> = own
            .iter()
            .filter(|e| e.status == "VALIDATION_FAILED")
            .map(|e| e.logical_id.as_str())
            .collect();
        assert_eq!(found, wanted);
        assert_eq!(own[0].status, "UPDATE_IN_PROGRESS");
    }
}

#[tokio::test]
async fn an_operation_that_says_why_it_failed_is_not_asked_about() {
    let own = |second, status| event(second, status, &marks().execute());
    let failed = own(8, "UPDATE_FAILED").replace(&format!("<PhysicalResourceId>{STACK}"), "<PhysicalResourceId>q");
    let read = events(
        &[own(9, "UPDATE_ROLLBACK_COMPLETE"), failed, own(7, "UPDATE_IN_PROGRESS")],
        None,
    );
    let fine = events(&[own(9, "UPDATE_COMPLETE"), own(7, "UPDATE_IN_PROGRESS")], None);
    for answer in [read, fine] {
        let (server, stacks) = stacks(vec![answer]).await;
        let own = stacks
            .own_operation(STACK, &marks(), "2026-01-01T00:00:00Z")
            .await
            .unwrap();
        assert_eq!(stacks.with_validation(STACK, own.clone()).await, own);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn events_before_the_execution_are_not_read() {
    let old = events(&[event(1, "UPDATE_COMPLETE", "old")], Some("2"));
    let (server, stacks) = stacks(vec![old]).await;
    let own = stacks
        .own_operation(STACK, &marks(), "2026-01-02T00:00:00Z")
        .await
        .unwrap();
    assert!(own.is_empty());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_is_gone_already_counts_as_deleted() {
    let (server, stacks) = stacks(vec![
        error(400, "ValidationError", "Stack [s] does not exist"),
        error(404, "ChangeSetNotFound", "ChangeSet does not exist"),
        error(
            400,
            "InvalidChangeSetStatus",
            "ChangeSet is in CREATE_IN_PROGRESS status",
        ),
        error(400, "ValidationError", "Stack [s] does not exist"),
        error(
            400,
            "ValidationError",
            "CancelUpdateStack cannot be called from current stack status",
        ),
    ])
    .await;
    assert!(stacks.delete_change_set(STACK, CHANGE_SET).await.unwrap());
    assert!(stacks.delete_change_set(STACK, CHANGE_SET).await.unwrap());
    assert!(!stacks.delete_change_set(STACK, CHANGE_SET).await.unwrap());
    stacks.delete_stack(STACK, &owner(), &marks()).await.unwrap();
    stacks.cancel_update(STACK, &marks()).await.unwrap();
    let sent = parameters(&server.requests()[3].body);
    assert_eq!(sent["RoleARN"], "arn:aws:iam::111111111111:role/fenrir-cloudformation");
    assert_eq!(sent["ClientRequestToken"], marks().delete());
    assert!(!sent.contains_key("RetainResources.member.1") && !sent.contains_key("DeletionMode"));
}

#[tokio::test]
async fn a_deletion_is_waited_for_but_not_for_ever() {
    let (_server, waited) = stacks(vec![
        stack("ROLLBACK_COMPLETE"),
        stack("DELETE_IN_PROGRESS"),
        stack("DELETE_COMPLETE"),
    ])
    .await;
    let minute = Duration::from_mins(1);
    assert_eq!(waited.deletion(STACK, minute).await.unwrap(), Deletion::Gone);
    let (_server, failed) = stacks(vec![stack("DELETE_FAILED")]).await;
    assert_eq!(
        failed.deletion(STACK, minute).await.unwrap(),
        Deletion::Failed("because\\u{202e}".to_owned())
    );
    let (_server, late) = stacks(vec![stack("DELETE_IN_PROGRESS")]).await;
    assert_eq!(late.deletion(STACK, Duration::ZERO).await.unwrap(), Deletion::Underway);
    assert_eq!(late.settled(STACK, Duration::ZERO).await.unwrap(), None);
}
