//! The templates, as they are in this build.
//!
//! They are our own, so they are read and changed as lines of text: what an administrator sees in the console is the
//! template with its comments. `tests/house` holds what is read here against what a YAML parser reads.

use std::collections::{BTreeMap, BTreeSet};

use fenrir_core::house;

/// One of Fenrir's own stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `account.yml`, in every account that is deployed to.
    Account,
    /// `region.yml`, in every further region of the deployer's account.
    Region,
    /// `template.yml`, in the deployer's account and home region.
    Deployer,
}

/// What a template names of this repository: code, or the definition of the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Local<'a> {
    /// `CodeUri: target/lambda/<name>/`: the code of a Lambda.
    Code(&'a str),
    /// `DefinitionUri: state_machine.asl.json`.
    Definition,
}

/// An object of the install bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version; none where S3 told none, as it may of a bucket that has become versioned only now.
    pub version: Option<String>,
}

/// The definition of the state machine.
pub const DEFINITION: &str = include_str!("../../../state_machine.asl.json");
/// How a template names the bucket of its region.
const BUCKET: &str = "BucketName: !Sub fenrir-${AWS::AccountId}-${AWS::Region}";
/// Where the build puts the code of a Lambda.
const CODE: &str = "target/lambda/";

impl Kind {
    /// The name of its stack.
    #[must_use]
    pub const fn stack(self) -> &'static str {
        match self {
            Self::Account => house::ACCOUNT_STACK,
            Self::Region => house::REGION_STACK,
            Self::Deployer => house::STATE_MACHINE,
        }
    }

    /// Its template.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Account => include_str!("../../../account.yml"),
            Self::Region => include_str!("../../../region.yml"),
            Self::Deployer => include_str!("../../../template.yml"),
        }
    }

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account stack",
            Self::Region => "region stack",
            Self::Deployer => "deployer",
        }
    }

    /// An output that only its stack has, by which it is known to be Fenrir's: names are anybody's.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Account => "PermissionsBoundaryArn",
            Self::Region => "BucketName",
            Self::Deployer => "LocksTableName",
        }
    }

    /// Names of its parameters, in the template's order.
    #[must_use]
    pub fn parameters(self) -> Vec<&'static str> {
        members(self.text(), "Parameters").map(|(name, _)| name).collect()
    }

    /// Logical ids of the resources that outlive their stack.
    #[must_use]
    pub fn retained(self) -> BTreeSet<&'static str> {
        members(self.text(), "Resources")
            .filter(|(_, lines)| lines.iter().any(|line| line.starts_with("    DeletionPolicy: Retain")))
            .map(|(name, _)| name)
            .collect()
    }

    /// What it names of this repository.
    #[must_use]
    pub fn locals(self) -> BTreeSet<Local<'static>> {
        self.text()
            .lines()
            .filter_map(local)
            .map(|(_, _, local)| local)
            .collect()
    }

    /// A template with the bucket's name written out, as only a name that is no function of anything lets CloudFormation
    /// take in a bucket that is there already.
    ///
    /// Source: CloudFormation User Guide, "Import AWS resources into a CloudFormation stack automatically".
    #[must_use]
    pub fn named(template: &str, account: &str, region: &str) -> String {
        template.replace(BUCKET, &format!("BucketName: {}", house::bucket(account, region)))
    }

    /// The template with every local thing replaced by the object that holds it. What has no object stays as it is.
    #[must_use]
    pub fn packaged(self, objects: &BTreeMap<Local<'static>, Object>) -> String {
        let mut text = String::with_capacity(self.text().len());
        for line in self.text().lines() {
            let object = local(line).and_then(|(indent, key, local)| Some((indent, key, objects.get(&local)?)));
            match object {
                Some((indent, key, object)) => text.extend([indent, key, ": ", &flow(object)]),
                None => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

/// The object as YAML on one line: JSON is YAML, and quotes what needs quotes.
fn flow(object: &Object) -> String {
    let mut members = vec![("Bucket", &object.bucket), ("Key", &object.key)];
    members.extend(object.version.as_ref().map(|version| ("Version", version)));
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("{name}: {}", serde_json::Value::from(value.as_str())))
        .collect();
    format!("{{ {} }}", members.join(", "))
}

/// A line that names something local: its indentation, its key, and what it names.
fn local(line: &'static str) -> Option<(&'static str, &'static str, Local<'static>)> {
    let trimmed = line.trim_start();
    let indent = line.strip_suffix(trimmed)?;
    let (key, value) = trimmed.split_once(": ")?;
    let local = match key {
        "CodeUri" => Local::Code(value.strip_prefix(CODE)?.trim_end_matches('/')),
        "DefinitionUri" => Local::Definition,
        _ => return None,
    };
    Some((indent, key, local))
}

/// The members of a section, each with its lines.
fn members(text: &'static str, section: &str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let mut members: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    let heading = format!("{section}:");
    let lines = text.lines().skip_while(move |line| *line != heading).skip(1);
    for line in lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#'])) {
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with([' ', '#']))
            .and_then(|rest| rest.strip_suffix(':'));
        match (name, members.last_mut()) {
            (Some(name), _) => members.push((name, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    members.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployer_is_made_of_code_and_a_definition() {
        let locals = Kind::Deployer.locals();
        assert!(locals.contains(&Local::Definition));
        for step in ["validate", "release-lock", "watchdog"] {
            assert!(locals.contains(&Local::Code(step)), "{step}");
        }
        assert!(Kind::Account.locals().is_empty() && Kind::Region.locals().is_empty());
    }

    #[test]
    fn nothing_local_is_left_once_it_is_packaged() {
        let object = Object {
            bucket: "b".to_owned(),
            key: "k.zip".to_owned(),
            version: Some("v:1 #".to_owned()),
        };
        let objects = Kind::Deployer
            .locals()
            .into_iter()
            .map(|local| (local, object.clone()))
            .collect();
        let text = Kind::Deployer.packaged(&objects);
        assert_eq!(text.lines().count(), Kind::Deployer.text().lines().count());
        assert!(
            text.lines()
                .filter_map(|line| line.trim().strip_prefix("CodeUri: "))
                .all(|value| { value == r#"{ Bucket: "b", Key: "k.zip", Version: "v:1 #" }"# })
        );
        assert!(!text.contains(CODE) && !text.contains("DefinitionUri: state"));
    }

    #[test]
    fn what_holds_data_outlives_its_stack() {
        let kept = Kind::Deployer.retained();
        assert_eq!(kept, BTreeSet::from(["Bucket", "LocksTable", "ReleasesTable"]));
        assert_eq!(Kind::Region.retained(), BTreeSet::from(["Bucket"]));
        assert!(Kind::Account.retained().is_empty());
    }

    #[test]
    fn a_bucket_has_a_name_that_can_be_found() {
        for kind in [Kind::Deployer, Kind::Region] {
            let text = Kind::named(kind.text(), "111111111111", "eu-west-1");
            assert!(
                text.contains("\n      BucketName: fenrir-111111111111-eu-west-1\n"),
                "{kind:?}"
            );
            assert!(!text.contains(BUCKET), "{kind:?}");
        }
    }

    #[test]
    fn parameters_and_outputs_are_read() {
        assert!(Kind::Deployer.parameters().starts_with(&["Accounts", "Regions"]));
        assert_eq!(Kind::Region.parameters(), ["Accounts"]);
        assert_eq!(Kind::Account.parameters(), ["DeployerAccount"]);
        for kind in [Kind::Deployer, Kind::Region, Kind::Account] {
            let mut outputs = members(kind.text(), "Outputs").map(|(name, _)| name);
            assert!(outputs.any(|name| name == kind.mark()), "{kind:?}");
        }
    }
}
