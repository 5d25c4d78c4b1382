//! The release: what the client sends. Decoded strictly, with all problems at once.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use crate::deployment::Operation;
use crate::keys::{self, Uri};
use crate::owner::{self, Owner};
use crate::problem::{Problem, is_unprintable, pointer, printable};
use crate::{codes, suggest, tags, timestamp};

/// Seconds of `timeout` when the release says nothing.
pub const DEFAULT_TIMEOUT: u32 = 600;
/// Bytes of a template. Source: CloudFormation quotas, "Template body size in an S3 object".
pub const TEMPLATE_LIMIT: usize = 1024 * 1024;
/// Entries of `metadata`.
pub const METADATA_COUNT: usize = 50;
/// Characters of a value of `metadata`.
pub const METADATA_VALUE: usize = 1_024;
/// Entries of `s3_uris_sha256s`: as many as a template has resources (CloudFormation quotas, "Resources").
pub const ARTIFACT_COUNT: usize = 500;

/// What to deploy, where, and as whose. The input of the state machine.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Fenrir release", extend("unevaluatedProperties" = false))]
pub struct Release {
    /// Deploy, or only plan.
    #[serde(default)]
    pub operation: Operation,
    /// Names this release: also the execution's name and the role session's. Used once.
    #[schemars(length(min = 8, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub release_id: String,
    /// The project: lower-case parts joined by `/`.
    #[schemars(
        length(min = 1, max = 80),
        regex(pattern = r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$")
    )]
    pub project_name: String,
    /// The config, such as `production`.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[a-z0-9][a-z0-9-]*$"))]
    pub config_name: String,
    /// Account to deploy to.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub aws_account_id: String,
    /// Region to deploy to.
    #[schemars(regex(pattern = r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$"))]
    pub aws_region: String,
    /// The deployer's bucket of that region; may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", transform = no_default)]
    pub bucket: Option<String>,
    /// When the client made this release, RFC 3339: within the last 10 days, at most 2 minutes ahead.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// Seconds for the whole deploy.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 60, max = 43_200))]
    pub timeout: u32,
    /// The SAM template.
    #[serde(flatten)]
    pub template: TemplateSource,
    /// Address (`s3://bucket/key`) of every code, layer and definition that the template names, and the SHA-256 of its
    /// bytes in lower-case hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = ARTIFACT_COUNT))]
    pub s3_uris_sha256s: BTreeMap<String, String>,
    /// Tags of the stack, and through it of its resources. Keys that decide who owns what are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = tags::COUNT_LIMIT))]
    pub change_set_tags: BTreeMap<String, String>,
    /// What the record keeps about this release: commit, author and the like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = METADATA_COUNT))]
    pub metadata: BTreeMap<String, String>,
}

/// Where the template is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(transform = exactly_one)]
pub enum TemplateSource {
    /// In the release.
    Inline {
        /// The template as a JSON object.
        #[schemars(with = "Map<String, Value>")]
        template: Value,
    },
    /// Beside the release, for templates too large for it; at most 1 MB of JSON or YAML.
    Stored {
        /// `s3://bucket/key`, under the release's own prefix of the deployer's bucket.
        template_uri: String,
        /// SHA-256 of its bytes, lower-case hex.
        #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
        template_sha256: String,
    },
}

fn exactly_one(schema: &mut Schema) {
    if let Some(choices) = schema.remove("anyOf") {
        schema.insert("oneOf".to_owned(), choices);
    }
}

fn no_default(schema: &mut Schema) {
    schema.remove("default");
}

fn default_timeout() -> u32 {
    DEFAULT_TIMEOUT
}

/// The release's own fields, as they are spelled.
const FIELDS: [&str; 15] = [
    "operation",
    "release_id",
    "project_name",
    "config_name",
    "aws_account_id",
    "aws_region",
    "bucket",
    "created_at",
    "timeout",
    "template",
    "template_uri",
    "template_sha256",
    "s3_uris_sha256s",
    "change_set_tags",
    "metadata",
];

/// Fields that Fenrir writes, now or in the machine it succeeds. Whoever presets one may hope to be believed.
const DERIVED: [&str; 21] = [
    "uuid",
    "success",
    "stack",
    "stack_name",
    "stack_id",
    "stack_arn",
    "stack_status",
    "stack_outputs",
    "execution",
    "execution_arn",
    "lock",
    "deadline",
    "manifest",
    "wait",
    "failure",
    "error",
    "cleaned",
    "end",
    "outcome",
    "started_at",
    "release_sha256",
];

impl Release {
    /// Decodes what the client sent.
    ///
    /// # Errors
    /// All problems, in the order of the fields as they were sent; missing fields last.
    pub fn parse(value: &Value) -> Result<Self, Vec<Problem>> {
        let Some(fields) = value.as_object() else {
            let message = format!("a release is a JSON object, and this is {}", kind(value));
            return Err(vec![Problem::error(codes::RELEASE_TYPE, "", message)]);
        };
        let mut reader = Reader::new(fields);
        let release = reader.release();
        match (release, reader.into_problems()) {
            (Some(release), problems) if problems.is_empty() => Ok(release),
            (_, problems) => Err(problems),
        }
    }

    /// The owner that the release claims to be.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner {
            account: self.aws_account_id.clone(),
            region: self.aws_region.clone(),
            project: self.project_name.clone(),
            config: self.config_name.clone(),
        }
    }

    /// What is wrong with `created_at` at the time `now`: a release lives for 10 days, so that an old one is not
    /// deployed again by mistake or by somebody who found it; 2 minutes ahead are left to clocks that differ.
    #[must_use]
    pub fn check_time(&self, now: OffsetDateTime) -> Option<Problem> {
        let created = timestamp::parse(&self.created_at)?;
        let problem = |message: String| Problem::error(codes::RELEASE_TIME, "/created_at", message);
        if created < now - Duration::days(10) {
            let message = format!("the release was made at `{}`, more than 10 days ago", self.created_at);
            Some(problem(message).help("make a new release: run `fenrir deploy` again"))
        } else if created > now + Duration::minutes(2) {
            let message = format!(
                "the release was made at `{}`, which is more than 2 minutes ahead of `{}`",
                self.created_at,
                timestamp::format(now)
            );
            Some(problem(message).help("set the clock of the machine that makes the release"))
        } else {
            None
        }
    }
}

/// Reads fields and collects what is wrong with them.
struct Reader<'a> {
    fields: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(fields: &'a Map<String, Value>) -> Self {
        let mut reader = Self {
            fields,
            problems: Vec::new(),
        };
        for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            reader.problems.push(foreign_field(name));
        }
        reader
    }

    /// The problems in the order in which the fields were sent.
    fn into_problems(mut self) -> Vec<Problem> {
        let fields: Vec<String> = self.fields.keys().map(|name| pointer("", name)).collect();
        self.problems.sort_by_key(|problem| {
            let is_in = |field: &String| {
                let below = problem.path.strip_prefix(field.as_str());
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            fields.iter().position(is_in).unwrap_or(usize::MAX)
        });
        self.problems
    }

    fn release(&mut self) -> Option<Release> {
        // Every field is read before the first `?`, so that all problems are found.
        let operation = self.operation();
        let release_id = self.text("release_id", release_id_problem);
        let project_name = self.text("project_name", owner::project_problem);
        let config_name = self.text("config_name", owner::config_problem);
        let aws_account_id = self.text("aws_account_id", account_problem);
        let aws_region = self.text("aws_region", region_problem);
        let bucket = self.optional_text("bucket", |name| {
            (!keys::is_bucket(name)).then_some("is not a valid bucket name")
        });
        let created_at = self.text("created_at", |text| {
            timestamp::parse(text)
                .is_none()
                .then_some("is not a time such as `2026-11-21T22:06:31Z` (RFC 3339)")
        });
        let timeout = self.timeout();
        let template = self.template();
        let s3_uris_sha256s = self.map("s3_uris_sha256s", ARTIFACT_COUNT, uri_problem, sha256_problem);
        let change_set_tags = self.map(
            "change_set_tags",
            tags::COUNT_LIMIT,
            tags::key_problem,
            tags::value_problem,
        );
        let metadata = self.map("metadata", METADATA_COUNT, metadata_key_problem, metadata_value_problem);
        Some(Release {
            operation: operation?,
            release_id: release_id?,
            project_name: project_name?,
            config_name: config_name?,
            aws_account_id: aws_account_id?,
            aws_region: aws_region?,
            bucket: bucket?,
            created_at: created_at?,
            timeout: timeout?,
            template: template?,
            s3_uris_sha256s: s3_uris_sha256s?,
            change_set_tags: change_set_tags?,
            metadata: metadata?,
        })
    }

    fn problem(&mut self, code: &'static str, path: &str, message: String) {
        self.problems.push(Problem::error(code, path, message));
    }

    fn wrong_type(&mut self, path: &str, wanted: &str, found: &Value) {
        let name = path.trim_start_matches('/');
        let message = format!("`{}` must be {wanted}, and is {}", printable(name), kind(found));
        self.problem(codes::RELEASE_TYPE, path, message);
    }

    fn text(&mut self, name: &str, check: impl Fn(&str) -> Option<&'static str>) -> Option<String> {
        if !self.fields.contains_key(name) {
            self.problem(
                codes::RELEASE_MISSING,
                &format!("/{name}"),
                format!("`{name}` is missing"),
            );
            return None;
        }
        self.optional_text(name, check)?
    }

    /// `None`: there is a problem; `Some(None)`: the field is not there.
    #[allow(clippy::option_option, reason = "absent is not the same as wrong")]
    fn optional_text(&mut self, name: &str, check: impl Fn(&str) -> Option<&'static str>) -> Option<Option<String>> {
        let path = format!("/{name}");
        match self.fields.get(name) {
            None => Some(None),
            Some(Value::String(text)) => match check(text) {
                None => Some(Some(text.clone())),
                Some(problem) => {
                    self.problem(
                        codes::RELEASE_VALUE,
                        &path,
                        format!("`{name}` `{}` {problem}", printable(text)),
                    );
                    None
                }
            },
            Some(other) => {
                self.wrong_type(&path, "a string", other);
                None
            }
        }
    }

    fn operation(&mut self) -> Option<Operation> {
        let known = |text: &str| match text {
            "deploy" | "plan" => None,
            _ => Some("is neither `deploy` nor `plan`"),
        };
        let operation = self.optional_text("operation", known)?;
        Some(match operation.as_deref() {
            Some("plan") => Operation::Plan,
            _ => Operation::Deploy,
        })
    }

    fn timeout(&mut self) -> Option<u32> {
        match self.fields.get("timeout") {
            None => Some(DEFAULT_TIMEOUT),
            Some(Value::Number(number)) => {
                let seconds = number.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
                let in_range = seconds.filter(|seconds| (60..=43_200).contains(seconds));
                if in_range.is_none() {
                    let message =
                        format!("`timeout` is {number}: a whole number of seconds from 60 to 43200 is wanted");
                    self.problem(codes::RELEASE_VALUE, "/timeout", message);
                }
                in_range
            }
            Some(other) => {
                self.wrong_type("/timeout", "a number", other);
                None
            }
        }
    }

    fn template(&mut self) -> Option<TemplateSource> {
        let stored = self.fields.contains_key("template_uri") || self.fields.contains_key("template_sha256");
        match (self.fields.get("template"), stored) {
            (Some(_), true) => {
                let message = "the template is given twice: in `template` and by `template_uri`".to_owned();
                self.problem(codes::RELEASE_TEMPLATE, "/template", message);
                None
            }
            (None, false) => {
                let message = "the template is missing: give `template`, or `template_uri` and `template_sha256`";
                self.problem(codes::RELEASE_MISSING, "/template", message.to_owned());
                None
            }
            (Some(template @ Value::Object(_)), false) => Some(TemplateSource::Inline {
                template: template.clone(),
            }),
            (Some(other), false) => {
                self.wrong_type("/template", "a JSON object", other);
                None
            }
            (None, true) => {
                let template_uri = self.text("template_uri", uri_problem);
                let template_sha256 = self.text("template_sha256", sha256_problem);
                Some(TemplateSource::Stored {
                    template_uri: template_uri?,
                    template_sha256: template_sha256?,
                })
            }
        }
    }

    fn map(
        &mut self,
        name: &str,
        limit: usize,
        key_check: impl Fn(&str) -> Option<&'static str>,
        value_check: impl Fn(&str) -> Option<&'static str>,
    ) -> Option<BTreeMap<String, String>> {
        let path = format!("/{name}");
        let entries = match self.fields.get(name) {
            None => return Some(BTreeMap::new()),
            Some(Value::Object(entries)) => entries,
            Some(other) => {
                self.wrong_type(&path, "a JSON object of strings", other);
                return None;
            }
        };
        let before = self.problems.len();
        if entries.len() > limit {
            let message = format!("`{name}` has {} entries; at most {limit} are allowed", entries.len());
            self.problem(codes::RELEASE_VALUE, &path, message);
        }
        for (key, value) in entries {
            let entry = pointer(&path, key);
            if let Some(problem) = key_check(key) {
                self.problem(
                    codes::RELEASE_VALUE,
                    &entry,
                    format!("the key `{}` of `{name}` {problem}", printable(key)),
                );
            }
            match value {
                Value::String(text) => {
                    if let Some(problem) = value_check(text) {
                        let message = format!("the value of `{}` in `{name}` {problem}", printable(key));
                        self.problem(codes::RELEASE_VALUE, &entry, message);
                    }
                }
                other => self.wrong_type(&entry, "a string", other),
            }
        }
        let texts = entries
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        (self.problems.len() == before).then(|| texts.collect())
    }
}

fn foreign_field(name: &str) -> Problem {
    let path = pointer("", name);
    if DERIVED.contains(&name) || name.starts_with("change_set_") {
        let message = format!("`{name}` is written by Fenrir and cannot be given");
        return Problem::error(codes::RELEASE_DERIVED, path, message).help("leave it out");
    }
    let problem = Problem::error(
        codes::RELEASE_FIELD,
        path,
        format!("there is no field `{}`", printable(name)),
    );
    match suggest::nearest(name, FIELDS) {
        Some(near) => problem.help(format!("did you mean `{near}`")),
        None => problem.help(format!(
            "the fields are {}",
            FIELDS.map(|field| format!("`{field}`")).join(", ")
        )),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What is wrong with a release id; `None` when nothing is.
#[must_use]
pub fn release_id_problem(id: &str) -> Option<&'static str> {
    if !(8..=64).contains(&id.len()) {
        Some("must have 8 to 64 characters")
    } else if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        Some("has a character other than letters, digits, `_` and `-`")
    } else if id.eq_ignore_ascii_case("artifacts") {
        Some("is the name of the folder of artifacts")
    } else {
        None
    }
}

fn account_problem(account: &str) -> Option<&'static str> {
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (!is_account).then_some("is not an account id of 12 digits")
}

/// What is wrong with a region's name, ready to stand behind the name in a message; `None` when nothing is.
#[must_use]
pub fn region_problem(region: &str) -> Option<&'static str> {
    let parts: Vec<&str> = region.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_region = match parts.as_slice() {
        [area, words @ .., number] => {
            (2..=4).contains(&area.len())
                && is_word(area)
                && !words.is_empty()
                && words.iter().all(is_word)
                && (1..=2).contains(&number.len())
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    };
    (!is_region || region.len() > 32).then_some("is not a region such as `eu-west-1`")
}

fn uri_problem(uri: &str) -> Option<&'static str> {
    Uri::parse(uri).err()
}

/// What is wrong with a SHA-256 in hex, ready to stand behind it in a message.
fn sha256_problem(sha256: &str) -> Option<&'static str> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (sha256.len() != 64 || !sha256.bytes().all(is_hex)).then_some("is not a SHA-256 of 64 lower-case hex digits")
}

fn metadata_key_problem(key: &str) -> Option<&'static str> {
    let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':');
    let is_key = (1..=64).contains(&key.len()) && key.bytes().all(in_alphabet);
    (!is_key).then_some("must have 1 to 64 letters, digits and `_ - . / :`")
}

fn metadata_value_problem(value: &str) -> Option<&'static str> {
    if value.chars().count() > METADATA_VALUE {
        Some("is longer than 1,024 characters")
    } else if value.chars().any(is_unprintable) {
        Some("has a control character")
    } else {
        None
    }
}

/// The one text of a JSON value: keys sorted, no blanks, whole numbers without a fraction. Two values with the same
/// text are the same value, whoever wrote or passed it on.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            text.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            // `1.0` and `1` are one number in JSON, and what passes the machine may come out as either.
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 9_007_199_254_740_992.0 => {
                // Plus zero: `-0.0` is `0`.
                text.push_str(&(whole + 0.0).to_string());
            }
            _ => text.push_str(&number.to_string()),
        },
        other => text.push_str(&other.to_string()),
    }
}

/// The JSON schema of a release, made from the types; `docs/release.schema.json` is its committed text.
#[must_use]
pub fn schema() -> Schema {
    schemars::schema_for!(Release)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may")]
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "release_id": "release-1",
            "project_name": "payments/ledger",
            "config_name": "production",
            "aws_account_id": "111111111111",
            "aws_region": "eu-west-1",
            "created_at": "2026-11-21T22:06:31Z",
            "template": {"Resources": {}},
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut release = good();
        release[name] = value;
        release
    }

    /// The paths of the problems of a release, and their words.
    fn problems(release: &Value) -> Vec<(String, String)> {
        let found = Release::parse(release).unwrap_err();
        found
            .into_iter()
            .map(|problem| (problem.path, problem.message))
            .collect()
    }

    #[test]
    fn a_release_is_decoded_and_defaults_are_filled() {
        let release = Release::parse(&good()).unwrap();
        assert_eq!(release.operation, Operation::Deploy);
        assert_eq!(release.timeout, 600);
        assert_eq!(release.bucket, None);
        assert_eq!(release.owner().project, "payments/ledger");
        assert_eq!(
            release.template,
            TemplateSource::Inline {
                template: json!({"Resources": {}})
            }
        );
    }

    #[test]
    fn what_is_decoded_serialises_to_what_was_sent() {
        let mut full = good();
        full["operation"] = json!("plan");
        full["bucket"] = json!("fenrir-999999999999-eu-west-1");
        full["timeout"] = json!(43_200);
        full["s3_uris_sha256s"] = json!({"s3://bucket/a.zip": "0".repeat(64)});
        full["change_set_tags"] = json!({"Team": "ledger"});
        full["metadata"] = json!({"commit": "abc"});
        let release = Release::parse(&full).unwrap();
        assert_eq!(canonical(&serde_json::to_value(&release).unwrap()), canonical(&full));

        full.as_object_mut().unwrap().remove("template");
        full["template_uri"] = json!("s3://bucket/template");
        full["template_sha256"] = json!("a".repeat(64));
        let release = Release::parse(&full).unwrap();
        assert_eq!(canonical(&serde_json::to_value(&release).unwrap()), canonical(&full));
    }

    #[test]
    fn every_missing_field_is_named() {
        let mut names: Vec<String> = problems(&json!({})).into_iter().map(|(path, _)| path).collect();
        names.sort();
        let wanted = [
            "/aws_account_id",
            "/aws_region",
            "/config_name",
            "/created_at",
            "/project_name",
            "/release_id",
            "/template",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn a_release_that_is_no_object_is_refused() {
        for value in [json!(null), json!([]), json!("x"), json!(1)] {
            assert_eq!(problems(&value).len(), 1);
        }
    }

    #[test]
    fn every_derived_field_is_refused_by_name() {
        for name in DERIVED
            .iter()
            .chain(&["change_set_name", "change_set_arn", "change_set_type"])
        {
            let found = Release::parse(&with(name, json!("SUCCESS"))).unwrap_err();
            assert_eq!((found.len(), found[0].code.as_ref()), (1, "F0102"), "{name}");
            assert!(found[0].message.contains(name), "{name}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused_with_the_name_that_was_meant() {
        let found = Release::parse(&with("Project_Name", json!("x"))).unwrap_err();
        assert_eq!(found[0].code, "F0101");
        assert_eq!(found[0].help.as_deref(), Some("did you mean `project_name`"));
        let found = Release::parse(&with("a/b\u{202e}", json!("x"))).unwrap_err();
        assert_eq!(found[0].path, "/a~1b\u{202e}");
        assert!(!found[0].message.contains('\u{202e}'));
    }

    #[test]
    fn wrong_types_and_values_are_refused() {
        for (name, value) in [
            ("operation", json!("Deploy")),
            ("operation", json!(null)),
            ("release_id", json!("short")),
            ("release_id", json!("a".repeat(65))),
            ("release_id", json!("release/1")),
            ("release_id", json!("artifacts")),
            ("release_id", json!("Artifacts")),
            ("release_id", json!("release-1\n")),
            ("release_id", json!(12_345_678)),
            ("project_name", json!("Payments")),
            ("project_name", json!("a!b")),
            ("project_name", json!(null)),
            ("config_name", json!("_all")),
            ("aws_account_id", json!(111_111_111_111_u64)),
            ("aws_account_id", json!("11111111111")),
            ("aws_account_id", json!("١١١١١١١١١١١١")),
            ("aws_region", json!("eu-west")),
            ("aws_region", json!("eu-west-1/../x")),
            ("aws_region", json!("EU-west-1")),
            ("bucket", json!("Bucket")),
            ("bucket", json!(null)),
            ("created_at", json!("yesterday")),
            ("created_at", json!(1_763_762_791)),
            ("timeout", json!(59)),
            ("timeout", json!(43_201)),
            ("timeout", json!(600.5)),
            ("timeout", json!(-1)),
            ("timeout", json!("600")),
            ("template", json!("{}")),
            ("template", json!([])),
            ("template", json!(null)),
            ("template_uri", json!("s3://bucket/key")),
            ("s3_uris_sha256s", json!([])),
            ("s3_uris_sha256s", json!({"s3://bucket/a": "A".repeat(64)})),
            ("s3_uris_sha256s", json!({"s3://bucket/a": "a".repeat(63)})),
            ("s3_uris_sha256s", json!({"s3://bucket//a": "a".repeat(64)})),
            ("s3_uris_sha256s", json!({"s3://bucket/a": null})),
            ("change_set_tags", json!({"projectname": "x"})),
            ("change_set_tags", json!({"FenrirAllowed:a:b": "true"})),
            ("change_set_tags", json!({"aws:x": "x"})),
            ("change_set_tags", json!({"Team": {"Ref": "AWS::Region"}})),
            ("change_set_tags", json!({"Team": 1})),
            ("metadata", json!({"commit": 1})),
            ("metadata", json!({"a b": "x"})),
            ("metadata", json!({"commit": "a\nb"})),
            ("metadata", json!({"commit": "x".repeat(1_025)})),
        ] {
            let found = problems(&with(name, value.clone()));
            assert_eq!(found.len(), 1, "{name} {value}: {found:?}");
            assert!(
                found[0].0.starts_with("/template") || found[0].0.starts_with(&format!("/{name}")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn limits_of_counts_hold() {
        let many = |count: usize| -> Value {
            (0..count)
                .map(|i| (format!("k{i}"), json!("v")))
                .collect::<Map<_, _>>()
                .into()
        };
        for (name, limit) in [("change_set_tags", tags::COUNT_LIMIT), ("metadata", METADATA_COUNT)] {
            assert!(Release::parse(&with(name, many(limit))).is_ok());
            assert_eq!(problems(&with(name, many(limit + 1))).len(), 1);
        }
    }

    #[test]
    fn half_a_stored_template_is_refused() {
        let mut release = good();
        release.as_object_mut().unwrap().remove("template");
        release["template_uri"] = json!("s3://bucket/key");
        assert_eq!(problems(&release)[0].0, "/template_sha256");
    }

    #[test]
    fn all_problems_come_at_once_in_the_order_sent() {
        let release = json!({
            "timeout": 1,
            "stack_status": "CREATE_COMPLETE",
            "release_id": "x",
            "metadata": {"b c": "x", "d": 2},
            "template": {},
        });
        let paths: Vec<String> = problems(&release).into_iter().map(|(path, _)| path).collect();
        let wanted = [
            "/timeout",
            "/stack_status",
            "/release_id",
            "/metadata/b c",
            "/metadata/d",
        ];
        assert_eq!(paths[..5], wanted);
        assert_eq!(paths.len(), 10);
    }

    #[test]
    fn the_time_window_is_ten_days_back_and_two_minutes_ahead() {
        let release = Release::parse(&good()).unwrap();
        let created = timestamp::parse(&release.created_at).unwrap();
        for (now, is_good) in [
            (created, true),
            (created + Duration::days(10), true),
            (created + Duration::days(10) + Duration::seconds(1), false),
            (created - Duration::minutes(2), true),
            (created - Duration::minutes(2) - Duration::seconds(1), false),
        ] {
            assert_eq!(release.check_time(now).is_none(), is_good, "{now}");
        }
    }

    #[test]
    fn canonical_text_is_one_for_equal_values() {
        let a: Value =
            serde_json::from_str(r#"{"b": [1.0, -0.0, 1e3, 0.5], "a": {"d": "\u00e9", "c": null}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":{"c":null,"d":"é"},"b":[1,0,1000,0.50]}"#).unwrap();
        assert_eq!(canonical(&a), canonical(&b));
        assert_eq!(canonical(&b), r#"{"a":{"c":null,"d":"é"},"b":[1,0,1000,0.5]}"#);
        for (a, b) in [
            (json!({"a": 1}), json!({"a": "1"})),
            (json!({"a": null}), json!({})),
            (json!([1, 2]), json!([2, 1])),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992.0)),
        ] {
            assert_ne!(canonical(&a), canonical(&b));
        }
    }

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/release.schema.json");
        let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
        if std::env::var_os("FENRIR_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == text,
            "docs/release.schema.json drifted; FENRIR_BLESS=1 writes it anew"
        );
    }

    #[test]
    fn the_schema_knows_the_fields_that_are_decoded() {
        let schema = serde_json::to_value(schema()).unwrap();
        let mut names: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        for choice in schema["oneOf"].as_array().unwrap() {
            names.extend(choice["properties"].as_object().unwrap().keys().map(String::as_str));
        }
        names.sort_unstable();
        let mut fields = FIELDS;
        fields.sort_unstable();
        assert_eq!(names, fields);
        assert_eq!(schema["unevaluatedProperties"], false);
    }
}
