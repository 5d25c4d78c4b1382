//! Every code a problem can have, and what `fenrir explain` and `docs/policy.md` say about it.
//!
//! A code never changes its meaning and is never used again. The hundreds are families: 00 the text, 01 the release,
//! 02 the template, 03 values, 04 properties, 05 what a template refers to, 06 rights, 07 what a plan warns of, 09 the second check.

/// One code, told in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Such as `F0203`.
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What is refused.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// What is refused, as an example; may be empty.
    pub bad: &'static str,
    /// What to write instead; may be empty.
    pub good: &'static str,
}

impl Explanation {
    /// Whether it only warns: of what a plan shows.
    #[must_use]
    pub fn warns(&self) -> bool {
        self.code.starts_with("F07")
    }
}

/// The explanation of a code, whatever its case.
#[must_use]
pub fn explain(code: &str) -> Option<&'static Explanation> {
    CATALOGUE.iter().find(|e| e.code.eq_ignore_ascii_case(code))
}

macro_rules! catalogue {
    ($($name:ident = $code:literal, $title:literal, what: $what:literal, why: $why:literal, bad: $bad:literal, good: $good:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: &str = $code;
        )*

        /// All explanations, by code.
        pub static CATALOGUE: &[Explanation] = &[$(Explanation {
            code: $code,
            title: $title,
            what: $what,
            why: $why,
            bad: $bad,
            good: $good,
        }),*];
    };
}

catalogue! {
    SYNTAX = "F0001", "neither YAML nor JSON",
        what: "the text cannot be read at all",
        why: "a guess at what was meant could deploy something else",
        bad: "Resources:\n\tQueue: {}", good: "Resources:\n  Queue: {}";
    NOT_A_MAP = "F0002", "not a template",
        what: "the file is empty, or its top level is not a map",
        why: "a template is a map with `Resources` in it",
        bad: "- Resources", good: "Resources: {}";
    SEVERAL_DOCUMENTS = "F0003", "more than one document",
        what: "a file with several documents, divided by `---`",
        why: "readers disagree on which one counts",
        bad: "a: 1\n---\nb: 2", good: "a: 1\nb: 2";
    DUPLICATE_KEY = "F0004", "the same key twice",
        what: "a map that has one key more than once",
        why: "readers disagree on which value counts, so what was checked might not be what is deployed",
        bad: "Timeout: 3\nTimeout: 900", good: "Timeout: 3";
    MERGE_KEY = "F0005", "merge key",
        what: "the merge key `<<`",
        why: "CloudFormation does not read it, and what it does depends on the reader",
        bad: "<<: *common", good: "Globals:\n  Function:\n    Runtime: provided.al2023";
    TAG = "F0006", "tag that is not allowed",
        what: "every tag but `!Ref`, `!GetAtt`, `!Sub` and `!Join`",
        why: "`!ImportValue`, `!Transform`, `!If` and the others bring in what nobody checked",
        bad: "!ImportValue shared-queue", good: "!GetAtt Queue.Arn";
    AMBIGUOUS = "F0007", "value with two meanings",
        what: "unquoted texts that YAML 1.1 and 1.2 read differently: yes, no, on, off, y, n, 0777, 12:30, 1_000, 1e5",
        why: "CloudFormation, SAM and editors would each see something else",
        bad: "Enabled: no", good: "Enabled: false";
    NULL = "F0008", "no value",
        what: "a key without a value, `null` and `~`",
        why: "CloudFormation refuses null, and SAM treats it now as absent, now as present",
        bad: "FunctionName:", good: "(leave the line out)";
    BAD_KEY = "F0009", "key that is not text",
        what: "lists, maps, fractions, booleans and ambiguous texts as keys",
        why: "a key must be the same text to every reader",
        bad: "on: push", good: "\"on\": push";
    UNPRINTABLE = "F0010", "invisible character",
        what: "control characters and bidirectional overrides in a text or a key",
        why: "they make a text look like another one, in a review, a log or a terminal",
        bad: "\"name\\u202e\"", good: "name";
    ALIASES = "F0011", "aliases that grow too large",
        what: "aliases that, written out, exceed 1 MB, or that contain themselves",
        why: "a few lines could fill all memory",
        bad: "a: &a [*a]", good: "a: []";
    TOO_LARGE = "F0012", "template too large",
        what: "a template of more than 1 MB",
        why: "CloudFormation takes no larger one",
        bad: "", good: "";
    TOO_DEEP = "F0013", "template too deep",
        what: "lists and maps that lie in each other more than 64 deep",
        why: "nothing in CloudFormation needs it, and it exhausts readers",
        bad: "", good: "";
    LONG_KEY = "F0014", "key too long",
        what: "a key of more than 512 bytes",
        why: "no service takes such a name, and every message about what stands below it would repeat it",
        bad: "", good: "";

    RELEASE_FIELD = "F0101", "field that a release does not have",
        what: "every field of a release that the schema does not name",
        why: "a field that is misspelled would otherwise silently do nothing",
        bad: "{\"project\": \"payments\"}", good: "{\"project_name\": \"payments\"}";
    RELEASE_DERIVED = "F0102", "field that Fenrir writes",
        what: "a release that arrives with a field such as `stack_status` or `success`",
        why: "nothing that a client sends may decide how a deploy ends",
        bad: "{\"stack_status\": \"CREATE_COMPLETE\"}", good: "(leave it out)";
    RELEASE_MISSING = "F0103", "field that is missing",
        what: "a release without a field that it needs",
        why: "what is deployed where, and as whose, is never guessed",
        bad: "", good: "";
    RELEASE_TYPE = "F0104", "field of the wrong type",
        what: "a number where a text is meant, a text where a list is meant, and so on",
        why: "a value that is converted may become another value",
        bad: "{\"aws_account_id\": 111111111111}", good: "{\"aws_account_id\": \"111111111111\"}";
    RELEASE_VALUE = "F0105", "field with a value that is not allowed",
        what: "a name, an id, an address, a tag or a number outside its alphabet or limits",
        why: "keys, names and tags are made of these values, and none of them may be spelled two ways",
        bad: "{\"project_name\": \"Payments\"}", good: "{\"project_name\": \"payments\"}";
    RELEASE_TEMPLATE = "F0106", "two templates",
        what: "a release that gives its template both in `template` and by `template_uri`",
        why: "one of them would not be deployed",
        bad: "", good: "";
    RELEASE_PLACE = "F0107", "account or region that is not served",
        what: "an account or a region that is not on the deployer's list, or is not opened yet: the account lacks its stack, the region its bucket",
        why: "an administrator decides where a deployer deploys",
        bad: "", good: "";
    RELEASE_BUCKET = "F0108", "another bucket",
        what: "a `bucket` that is not the deployer's own of that region",
        why: "only there Fenrir knows who may write what",
        bad: "", good: "(leave `bucket` out)";
    RELEASE_TIME = "F0109", "release of another time",
        what: "a release made more than 10 days ago, or more than 2 minutes ahead of the clock",
        why: "an old release must not be deployed again by mistake, or by somebody who found it",
        bad: "", good: "(make a new release)";
    RELEASE_ID = "F0110", "release id that is not this release's alone",
        what: "a release id that was used before, or that is not the execution's name",
        why: "execution, records, logs and stored files of a release are found by it",
        bad: "", good: "";
    RELEASE_PROOF = "F0111", "release that its owner did not store",
        what: "an execution whose input is not the release that lies under the owner's prefix of the bucket",
        why: "whoever may start an execution must also be allowed to write as that project",
        bad: "", good: "(`fenrir deploy` stores the release before it starts the execution)";
    STORED_TEMPLATE = "F0112", "stored template that cannot be used",
        what: "a `template_uri` that is outside the release's prefix, is not there, is too large or was changed",
        why: "what is judged must be what the release names",
        bad: "", good: "";

    SECTION = "F0201", "section that is not allowed",
        what: "every top-level key but AWSTemplateFormatVersion, Transform, Description, ProjectName, ConfigName, Globals, Resources and Outputs",
        why: "Parameters, Conditions and Mappings make a template that cannot be judged before it is deployed; Metadata, Rules and Hooks run things",
        bad: "Parameters:\n  Stage: {Type: String}", good: "(one config per stage; write the value out)";
    TRANSFORM = "F0202", "wrong transform",
        what: "a `Transform` that is not exactly `AWS::Serverless-2016-10-31`, and a wrong `AWSTemplateFormatVersion`",
        why: "other macros rewrite the template after it was checked",
        bad: "Transform: [AWS::Include]", good: "Transform: AWS::Serverless-2016-10-31";
    OWNER = "F0203", "not the release's project or config",
        what: "a `ProjectName` or `ConfigName` that is malformed or not that of the release",
        why: "they decide who owns what is deployed",
        bad: "ProjectName: Payments", good: "ProjectName: payments";
    GLOBALS = "F0204", "Globals that SAM would not take",
        what: "sections and properties of `Globals` that SAM does not know, or Fenrir does not support",
        why: "what is not merged would be lost without a word",
        bad: "Globals: {Function: {Role: app}}", good: "(give each function its Role)";
    NO_RESOURCES = "F0205", "no resources",
        what: "a template without resources",
        why: "a stack needs at least one",
        bad: "Resources: {}", good: "Resources:\n  Queue: {Type: AWS::SQS::Queue}";
    LOGICAL_ID = "F0206", "logical id that cannot be used",
        what: "logical ids that are not 1 to 255 letters and digits, and those that SAM gives to what it generates",
        why: "a resource of yours would take the place of one that SAM writes for another",
        bad: "Resources: {FnRole: ..., Fn: ...}", good: "Resources: {AppRole: ..., Fn: ...}";
    RESOURCE_TYPE = "F0207", "resource type that is not allowed",
        what: "a resource without a type, or of a type that is not on the list",
        why: "the list is closed: what is on it was examined property by property",
        bad: "Type: AWS::IAM::User", good: "Type: AWS::SQS::Queue";
    RESOURCE_KEY = "F0208", "attribute of a resource that is not allowed",
        what: "every key of a resource but Type, Properties, DependsOn, DeletionPolicy and UpdateReplacePolicy",
        why: "Condition, Metadata, Connectors and the others change the resource after it was checked",
        bad: "Metadata: {}", good: "(leave it out)";
    DEPENDS_ON = "F0209", "`DependsOn` of something else",
        what: "a `DependsOn` that is not the logical id of another resource of the template, or a list of such",
        why: "CloudFormation would refuse it later",
        bad: "DependsOn: !Ref Queue", good: "DependsOn: Queue";
    DELETION_POLICY = "F0210", "deletion policy that is not allowed",
        what: "a `DeletionPolicy` other than Retain, RetainExceptOnCreate, Delete, and an `UpdateReplacePolicy` other than Retain, Delete",
        why: "Snapshot fits none of the supported types, and an intrinsic cannot be judged",
        bad: "DeletionPolicy: Snapshot", good: "DeletionPolicy: Retain";
    OUTPUT = "F0211", "output that is not allowed",
        what: "keys of an output other than Value and Description",
        why: "Export shares one name space with every stack of the account, and Condition cannot be judged",
        bad: "Export: {Name: queue}", good: "(leave it out)";
    TOO_MANY = "F0212", "too many resources",
        what: "a template with more than 500 resources, or that refers to more than 2,500 things outside of itself",
        why: "CloudFormation takes no more in one stack, and each reference is a question to AWS",
        bad: "", good: "(several stacks)";

    INTRINSIC = "F0301", "intrinsic that is not allowed",
        what: "every intrinsic but Ref, Fn::GetAtt, Fn::Sub and Fn::Join, and malformed ones",
        why: "Fn::ImportValue, Fn::Transform and the others bring in what nobody checked",
        bad: "Fn::ImportValue: shared", good: "Fn::GetAtt: [Queue, Arn]";
    UNKNOWN_TARGET = "F0302", "refers to nothing",
        what: "a Ref, GetAtt or Sub of something that is neither a resource of the template nor an allowed pseudo parameter",
        why: "CloudFormation would refuse it, AWS::NoValue would remove a property after it was checked, and a parameter has its value from elsewhere",
        bad: "!Ref Quue", good: "!Ref Queue";
    UNKNOWN_ATTRIBUTE = "F0303", "attribute that the resource does not have",
        what: "a GetAtt or Sub of an attribute that the resource's type does not offer",
        why: "CloudFormation would refuse it",
        bad: "!GetAtt Queue.Url", good: "!Ref Queue";
    DYNAMIC_REFERENCE = "F0304", "dynamic reference",
        what: "a text that is, or could become, a dynamic reference, also when it is put together by Join or Sub",
        why: "a dynamic reference reads parameters and secrets of the account with the deployer's rights",
        bad: "{{resolve:ssm:/other/secret}}", good: "(read it at run time, with AWSSecretsManagerGetSecretValuePolicy)";

    PROPERTY = "F0401", "property that is not on the list",
        what: "a property that the type's table does not name, also one that differs only by case",
        why: "the policy is an allow-list: what nobody examined is refused",
        bad: "timeout: 3", good: "Timeout: 3";
    REFUSED = "F0402", "property that is refused",
        what: "a property that the type's table names as refused",
        why: "the table says why, property by property",
        bad: "InlineCode: exports.handler = ...", good: "CodeUri: .";
    GENERATED = "F0403", "property that Fenrir sets",
        what: "names of resources, and other values that Fenrir sets itself",
        why: "names are made from project, config and logical id, so that two owners never meet; a given name could be somebody else's",
        bad: "FunctionName: payments", good: "(leave it out)";
    REQUIRED = "F0404", "property that is missing",
        what: "a property that the type cannot do without",
        why: "SAM or CloudFormation would refuse it later, or fill in something unchecked",
        bad: "Type: Api", good: "Type: Api\nProperties: {RestApiId: !Ref Api, Path: /, Method: get}";
    SHAPE = "F0405", "wrong kind of value",
        what: "a list where a text is meant, a text where a map is meant, and so on",
        why: "SAM and CloudFormation treat a value of another kind in ways nobody examined",
        bad: "Timeout: [3]", good: "Timeout: 3";
    LITERAL = "F0406", "literal expected",
        what: "an intrinsic, or a text of another form, where the policy needs a literal",
        why: "what is computed later cannot be checked now",
        bad: "AutoPublishAlias: !Ref Stage", good: "AutoPublishAlias: live";
    RANGE = "F0407", "number out of range",
        what: "a number that is less or more than allowed",
        why: "it would be refused later, or takes from what the account shares",
        bad: "ReservedConcurrentExecutions: 900", good: "ReservedConcurrentExecutions: 10";
    TAGS = "F0408", "tags that are not allowed",
        what: "tags that are not literal texts, reserved keys, and more than 47 of them",
        why: "ProjectName, ConfigName, ServiceName, FenrirAllowed:*, FenrirAllAllowed, DeployWithFenrir and aws:* decide who may use what",
        bad: "Tags: {ProjectName: other}", good: "Tags: {CostCentre: '42'}";
    TOGETHER = "F0409", "properties that do not go together",
        what: "properties that exclude or need each other",
        why: "one of them would be ignored, or SAM would fail",
        bad: "Role: app\nPolicies: [...]", good: "Role: app";
    EVENT_TYPE = "F0410", "event type that is not allowed",
        what: "an event without a type, or of a type that is not on the list",
        why: "the list is closed: what is on it was examined property by property",
        bad: "Type: AlexaSkill", good: "Type: Schedule";
    API_DEFINITION = "F0411", "API definition that is not allowed",
        what: "integrations, authorizers and references in an API definition that lead anywhere but to functions of the template",
        why: "an integration calls its target with the rights of API Gateway or of a role",
        bad: "uri: https://example.com", good: "uri: !Sub arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations";

    STATES = "F0412", "state machine definition that is not allowed",
        what: "tasks that call anything but functions, queues, topics and tables of the template, and texts that are filled in later where they could change what is called",
        why: "a task calls its target with the rights of the machine's role, and what is chosen when it runs cannot be checked before",
        bad: "FunctionName.$: $.function", good: "FunctionName: !GetAtt Fn.Arn";

    LOCAL = "F0501", "must be a resource of the template",
        what: "a value that must refer to a resource of the template, of the right type",
        why: "what is in the template is yours; what is not may be anybody's",
        bad: "RestApiId: abc123", good: "RestApiId: !Ref Api";
    REFERENCE = "F0502", "reference of the wrong form",
        what: "a reference that is neither a name nor an ARN of the right service, nor a resource of the template",
        why: "only what can be named exactly can be checked",
        bad: "Topic: arn:aws:sqs:eu-west-1:111111111111:q", good: "Topic: orders";
    FOREIGN = "F0503", "of another account or region",
        what: "an ARN of another account, region or partition",
        why: "tags are read in the release's own account and region, so nothing is known of it",
        bad: "arn:aws:sns:us-east-1:999999999999:orders", good: "orders";
    NOT_OWNED = "F0504", "not yours",
        what: "a resource without the tags that let this project and config use it, or that does not exist",
        why: "another team's queue, role or bucket is not yours to use",
        bad: "", good: "(tag it ProjectName and ConfigName, or FenrirAllowed:<project>:<config> = true)";
    NOT_CHECKED = "F0505", "could not be checked",
        what: "something that needs AWS to decide, and AWS was not asked or did not answer",
        why: "what could not be checked is never allowed",
        bad: "", good: "(try again, or give `fenrir validate` an inventory)";
    ARTIFACT = "F0506", "artifact that is not proven",
        what: "code, layers and definitions that are not in the release's list of artifacts, or whose bytes do not have the listed SHA-256",
        why: "what runs must be what was built",
        bad: "CodeUri: s3://other/code.zip", good: "CodeUri: .";
    AMBIGUOUS_NAME = "F0507", "name of several things",
        what: "a Name tag that several security groups or subnets have",
        why: "one of them would be taken at random",
        bad: "", good: "(give it a Name of its own, or use the id of the subnet)";
    ALLOWED = "F0508", "not on the administrators' list",
        what: "layers, web ACLs and CloudFront policies outside the template that the administrators did not list",
        why: "foreign code and rules are allowed one by one",
        bad: "Layers: [arn:aws:lambda:eu-west-1:999999999999:layer:x:1]", good: "Layers: [!Ref Layer]";

    POLICIES = "F0601", "policy that is not allowed",
        what: "everything in `Policies` but the listed templates, each with exactly its parameters",
        why: "managed policies and statements could grant anything",
        bad: "Policies: [AdministratorAccess]", good: "Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Table}}]";

    PLAN_DATA_REPLACED = "F0701", "data in a resource that is replaced",
        what: "a table, bucket, queue or log group that the change replaces by a new, empty one, or may replace",
        why: "what is in the old one does not come along; whether the old one stays is said by its UpdateReplacePolicy",
        bad: "KeySchema: (another key)", good: "NewTable: (a resource beside the old one; move the data over, then remove the old one)";
    PLAN_DATA_REMOVED = "F0702", "data in a resource that is removed",
        what: "a table, bucket, queue or log group that leaves the stack",
        why: "with DeletionPolicy Delete everything in it is lost; with Retain it stays, costs, and keeps its name",
        bad: "", good: "";
    PLAN_LESS_PROTECTED = "F0703", "data that is less protected",
        what: "deletion policies that become Delete, deletion protection, recovery or versioning that is switched off, and data that is kept for a shorter time",
        why: "nothing is lost yet, and the next mistake may lose it",
        bad: "DeletionPolicy: Delete", good: "DeletionPolicy: RetainExceptOnCreate";
    PLAN_WIDER_RIGHTS = "F0704", "wider rights",
        what: "a role of a stack that is there which may do something that it could not do before, and a role with too many rights to compare",
        why: "who takes over the function can do whatever its role may",
        bad: "Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Orders}}]", good: "Policies: [{DynamoDBReadPolicy: {TableName: !Ref Orders}}]";
    PLAN_WILDCARD = "F0705", "rights on everything",
        what: "a role that gets an action with a wildcard, or an action on every resource although it knows resources",
        why: "it covers what nobody thought of, and what is made later",
        bad: "", good: "";
    PLAN_ANOTHER_ROLE = "F0706", "another role",
        what: "a function or state machine that works with another existing role than before",
        why: "what that role may do is not in the template, so the plan cannot tell",
        bad: "", good: "";
    PLAN_NEW_CALLER = "F0707", "somebody new may call",
        what: "a permission, a role's trust or a resource's policy of a stack that is there which lets in a service, an account or a role that it did not let in before",
        why: "each of them is a way in",
        bad: "", good: "";
    PLAN_PUBLIC = "F0708", "open to everybody",
        what: "routes without an authorizer on an API that is not private, function URLs without a signature, load balancers that face the internet, distributions, buckets whose public access is not blocked, policies that allow everybody, and roles that everybody may assume, under no condition that keeps anybody out",
        why: "anybody who finds it may use it",
        bad: "EndpointConfiguration: REGIONAL", good: "EndpointConfiguration: REGIONAL\nAuth: {DefaultAuthorizer: AWS_IAM}";
    PLAN_NETWORK = "F0709", "another place in the network",
        what: "a function or load balancer that gets other security groups or subnets",
        why: "who can reach it, and what it can reach, changes with them",
        bad: "", good: "";
    PLAN_NOT_COMPARED = "F0710", "nothing to compare with",
        what: "a stack whose template is not the JSON that Fenrir deploys",
        why: "somebody has deployed it otherwise, so what is new and what was there cannot be told apart",
        bad: "", good: "";

    SECOND_TYPE = "F0901", "resource that the transform added",
        what: "a resource of the processed template that the checked template does not explain",
        why: "only what was checked is deployed",
        bad: "", good: "";
    SECOND_ROLE = "F0902", "role beyond its bounds",
        what: "a role in the processed template without the permissions boundary, with a path, or that others than services may assume",
        why: "the boundary is what keeps an application inside its own resources",
        bad: "", good: "";
    SECOND_CODE = "F0903", "code that was not verified",
        what: "a function in the processed template whose code is not an object version that was verified",
        why: "what runs must be what was checked",
        bad: "", good: "";
    SECOND_PERMISSION = "F0904", "permission that was not checked",
        what: "a permission or an event source in the processed template that leads outside the checked template",
        why: "only what was checked is deployed",
        bad: "", good: "";
    SECOND_CHANGE = "F0905", "change that the template does not explain",
        what: "a change of the change set that does not belong to the processed template",
        why: "only what was checked is deployed",
        bad: "", good: "";
    REPLACEMENT = "F0906", "replacement of a named resource",
        what: "a change that makes CloudFormation replace a resource with a generated name",
        why: "the new one would need the name that the old one still has, and CloudFormation refuses",
        bad: "(changing the key of a table)", good: "(rename the logical id: that makes a new resource beside the old one)";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(
            CATALOGUE
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a.code < b.code))
        );
        assert_eq!(explain("f0001").map(|e| e.code), Some(SYNTAX));
    }
}
