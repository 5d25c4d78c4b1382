//! The judgement in progress: what it reads, what it asks of the world, what it found wrong.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::place::Place;
use super::registry::{self, ResourceType};
use super::role::Statement;
use super::{Context, merged::Merged};
use crate::codes;
use crate::house;
use crate::names;
use crate::owner::{Owner, UNKNOWN_ACCOUNT, UNKNOWN_REGION};
use crate::ownership::{self, Artifact, Limits, Placed, Tags, Wanted, World};
use crate::problem::{Problem, Severity};
use crate::template::{MAX_BYTES, MAX_PROBLEMS, intrinsic, shown};

/// A map of properties.
pub type Members = Map<String, Value>;

/// What is known of the world.
pub(super) enum Knowledge<'a> {
    /// Nothing yet: this run finds out what to ask.
    Collecting,
    /// Nothing, and nobody will ask (`fenrir validate` without an inventory).
    Nothing,
    /// What was found out.
    World(Index<'a>),
}

/// The world, found by name instead of by searching.
pub(super) struct Index<'a> {
    world: &'a World,
    by_arn: HashMap<&'a str, &'a Tags>,
    groups: HashMap<&'a str, Vec<&'a Placed>>,
    subnets: HashMap<&'a str, Vec<&'a Placed>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let mut groups: HashMap<&str, Vec<&Placed>> = HashMap::new();
        for group in &world.security_groups {
            if let Some(name) = group.tags.get("Name") {
                groups.entry(name).or_default().push(group);
            }
        }
        let mut subnets: HashMap<&str, Vec<&Placed>> = HashMap::new();
        for subnet in &world.subnets {
            subnets.entry(&subnet.id).or_default().push(subnet);
            if let Some(name) = subnet.tags.get("Name").filter(|name| **name != subnet.id) {
                subnets.entry(name).or_default().push(subnet);
            }
        }
        Self {
            world,
            by_arn: world
                .resources
                .iter()
                .chain(&world.roles)
                .map(|tagged| (tagged.arn.as_str(), &tagged.tags))
                .collect(),
            groups,
            subnets,
        }
    }
}

/// A resource of the template, as the developer wrote it, Globals merged in.
#[derive(Clone, Copy)]
pub struct Local<'a> {
    /// Its logical id.
    pub id: &'a str,
    /// Its type.
    pub kind: &'static ResourceType,
    /// Its properties.
    pub properties: &'a Members,
}

/// The judgement in progress.
pub struct Judge<'a> {
    context: &'a Context,
    knowledge: Knowledge<'a>,
    merged: &'a Merged<'a>,
    locals: HashMap<&'a str, Option<Local<'a>>>,
    /// The resource that is judged now.
    here: Option<Local<'a>>,
    /// What the role of the resource here must be allowed, collected by the rules.
    statements: Vec<Statement>,
    /// Resources that Fenrir adds, by logical id.
    added: Vec<(String, Value)>,
    wanted: Wanted,
    problems: Vec<Problem>,
    /// Bytes of definitions that may still be written into the template.
    room: usize,
}

static NO_MEMBERS: std::sync::LazyLock<Members> = std::sync::LazyLock::new(Members::new);

impl<'a> Judge<'a> {
    pub(super) fn new(context: &'a Context, knowledge: Knowledge<'a>, merged: &'a Merged<'a>) -> Self {
        let made = merged.made().map(|(id, kind)| {
            let properties = &*NO_MEMBERS;
            (id, Some(Local { id, kind, properties }))
        });
        let declared = merged.resources().map(|(id, resource)| {
            let kind = resource.get("Type").and_then(Value::as_str).and_then(registry::find);
            let properties = resource.get("Properties").and_then(Value::as_object);
            let properties = properties.unwrap_or_else(|| &NO_MEMBERS);
            (id, kind.map(|kind| Local { id, kind, properties }))
        });
        // What is declared under an id that is made is refused, and stands for itself until then.
        let locals = made.chain(declared).collect();
        Self {
            context,
            knowledge,
            merged,
            locals,
            here: None,
            statements: Vec::new(),
            added: Vec::new(),
            wanted: Wanted::default(),
            problems: Vec::new(),
            room: MAX_BYTES,
        }
    }

    pub(super) fn finish(self) -> (Wanted, Vec<Problem>, Vec<(String, Value)>) {
        (self.wanted, self.problems, self.added)
    }

    /// Begins with a resource.
    pub(super) fn enter(&mut self, id: &str) {
        self.here = self.locals.get(id).copied().flatten();
        self.statements.clear();
    }

    // What everybody may know.

    /// What the release and the administrators say.
    #[must_use]
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Who deploys.
    #[must_use]
    pub fn owner(&self) -> &'a Owner {
        &self.context.owner
    }

    /// The caps of the account.
    #[must_use]
    pub fn limits(&self) -> Limits {
        match &self.knowledge {
            Knowledge::World(index) => index.world.limits.clone(),
            Knowledge::Collecting | Knowledge::Nothing => Limits::default(),
        }
    }

    /// The logical id of the resource that is judged.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.here.map_or("", |here| here.id)
    }

    /// The properties of the resource that is judged, as the developer wrote them.
    #[must_use]
    pub fn properties(&self) -> &'a Members {
        self.here.map_or(&NO_MEMBERS, |here| here.properties)
    }

    /// A resource of the template: `None` when there is none, `Some(None)` when its type is not supported (which is
    /// a problem that stands elsewhere).
    #[must_use]
    pub fn local(&self, id: &str) -> Option<Option<Local<'a>>> {
        self.locals.get(id).copied()
    }

    /// All resources of supported types.
    pub fn locals(&self) -> impl Iterator<Item = Local<'a>> + '_ {
        self.locals.values().copied().flatten()
    }

    /// Whether the template declares a parameter of this name, which is refused there.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.merged.has_parameter(name)
    }

    /// All logical ids.
    pub fn ids(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.locals.keys().copied()
    }

    /// The generated name of a resource of the template.
    #[must_use]
    pub fn name_of(&self, local: Local<'_>) -> String {
        let style = local
            .kind
            .naming
            .map_or(names::Style::up_to(64), |naming| (naming.style)(local.properties));
        names::resource(self.owner(), local.kind.name, local.id, style)
    }

    /// The ARN that a resource of the template will have, as a literal: for statements of roles, which must not refer
    /// to the resource (a role that refers to a bucket whose event calls the role's function is a cycle).
    #[must_use]
    pub fn arn_of(&self, local: Local<'_>) -> String {
        self.arn(&local.kind.arn.replace("{name}", &self.name_of(local)))
    }

    /// Completes `service:{region}:{account}:rest` to an ARN of the release's account and region.
    #[must_use]
    pub fn arn(&self, tail: &str) -> String {
        let owner = self.owner();
        format!("arn:{}:{tail}", owner.partition())
            .replace("{region}", &owner.region)
            .replace("{account}", &owner.account)
    }

    /// The permissions boundary.
    #[must_use]
    pub fn boundary(&self) -> String {
        let owner = self.owner();
        house::iam_arn(owner.partition(), &owner.account, "policy", house::BOUNDARY)
    }

    // What rules say.

    /// Reports a problem.
    pub fn tell(&mut self, problem: Problem) {
        if !self.is_full() {
            self.problems.push(problem);
        }
    }

    /// Whether enough is told: a little more than is shown, so that the cut happens after sorting.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= 2 * MAX_PROBLEMS
    }

    /// Reports an error at a place, with what to do about it.
    pub fn refuse(
        &mut self,
        code: &'static str,
        place: &Place<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !self.is_full() {
            self.tell(Problem::error(code, place.pointer(), message).help(help));
        }
    }

    /// The role of the resource here needs this.
    pub fn grant(&mut self, statement: Statement) {
        self.statements.push(statement);
    }

    /// What the role of the resource here needs, and forgets it.
    pub(super) fn take_statements(&mut self) -> Vec<Statement> {
        std::mem::take(&mut self.statements)
    }

    /// Whether a definition of this size may still be written into the template; or a problem. One file that many APIs
    /// name would fill all memory.
    pub(super) fn has_room(&mut self, place: &Place<'_>, bytes: usize) -> bool {
        if let Some(left) = self.room.checked_sub(bytes) {
            self.room = left;
            return true;
        }
        self.refuse(
            codes::TOO_LARGE,
            place,
            "with its definitions written out, the template is larger than 1 MB",
            "split the application into several stacks",
        );
        false
    }

    /// Adds a resource of Fenrir's own.
    pub fn add(&mut self, id: String, resource: Value) {
        self.added.push((id, resource));
    }

    // What only the world can say. Every `ask_` reports its own problems and answers only what is allowed.

    /// One question: notes nothing, but tells apart "nobody asked", "could not be found out" and the answer.
    fn answer<T>(&mut self, place: &Place<'_>, asked: &str, look: impl FnOnce(&Index<'a>) -> T) -> Option<T> {
        let problem = match &self.knowledge {
            Knowledge::Collecting => return None,
            Knowledge::Nothing => {
                self.not_checked(place, format!("`{}` needs AWS to be checked", shown(asked)), None);
                return None;
            }
            Knowledge::World(index) => match index.world.unknown.get(asked) {
                None => return Some(look(index)),
                Some(why) => Problem::error(
                    codes::NOT_CHECKED,
                    place.pointer(),
                    format!("`{}` could not be checked: {}", shown(asked), shown(why)),
                )
                .help("try again; what cannot be checked is not deployed"),
            },
        };
        self.tell(problem);
        None
    }

    /// Says what nobody can check now. In a deploy this refuses.
    pub(super) fn not_checked(&mut self, place: &Place<'_>, message: String, help: Option<&str>) {
        let problem = Problem::error(codes::NOT_CHECKED, place.pointer(), message).severity(Severity::NotChecked);
        self.tell(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// Says that what a text names cannot be checked, because nobody said for which account and region.
    pub(super) fn nowhere(&mut self, place: &Place<'_>, text: &str) {
        self.not_checked(
            place,
            format!("`{}` can only be checked for an account and a region", shown(text)),
            Some("give `--account` and `--region`, or an inventory that names them"),
        );
    }

    fn not_owned(&mut self, place: &Place<'_>, noun: &str, asked: &str) {
        let Owner { project, config, .. } = self.owner();
        self.refuse(
            codes::NOT_OWNED,
            place,
            format!(
                "there is no {noun} `{}` that `{project}` `{config}` may use",
                shown(asked)
            ),
            format!(
                "its owner tags it `ProjectName` = `{project}` and `ConfigName` = `{config}`, \
                 or `FenrirAllowed:{project}:{config}` = `true`"
            ),
        );
    }

    fn not_shared(&mut self, place: &Place<'_>, noun: &str, asked: &str) {
        let Owner { project, config, .. } = self.owner();
        let service = self.id();
        self.refuse(
            codes::NOT_OWNED,
            place,
            format!(
                "there is no {noun} `{}` that `{service}` of `{project}` `{config}` may use",
                shown(asked)
            ),
            format!(
                "its owner tags it `ProjectName` = `{project}`, `ConfigName` = `{config}` and `ServiceName` = \
                 `{service}`, each of them or `_all`"
            ),
        );
    }

    /// Whether there is a world, but nobody said in which of its accounts and regions this ARN is looked for.
    fn is_nowhere(&self, arn: &str) -> bool {
        let is_placeholder = arn.contains(UNKNOWN_ACCOUNT) || arn.contains(UNKNOWN_REGION);
        matches!(self.knowledge, Knowledge::World(_)) && is_placeholder
    }

    /// Whether something with an ARN has the correct tags.
    pub fn ask_arn(&mut self, place: &Place<'_>, noun: &str, arn: &str) -> bool {
        self.wanted.resources.insert(arn.to_owned());
        let owner = self.owner();
        if self.is_nowhere(arn) {
            self.nowhere(place, arn);
            return false;
        }
        let allowed = self.answer(place, arn, |index| {
            let tags = index.by_arn.get(arn);
            tags.is_some_and(|tags| ownership::is_allowed(tags, &owner.project, &owner.config))
        });
        if allowed == Some(false) {
            self.not_owned(place, noun, arn);
        }
        allowed == Some(true)
    }

    /// The ARN of a role by its name, if the resource here may have it.
    pub fn ask_role(&mut self, place: &Place<'_>, name: &str) -> Option<String> {
        self.wanted.roles.insert(name.to_owned());
        let owner = self.owner();
        let arn = house::iam_arn(owner.partition(), &owner.account, "role", name);
        let service = self.id();
        if self.is_nowhere(&arn) {
            self.nowhere(place, name);
            return None;
        }
        let allowed = self.answer(place, name, |index| {
            let tags = index.by_arn.get(arn.as_str());
            tags.is_some_and(|tags| ownership::is_shared_with(tags, &owner.project, &owner.config, service))
        })?;
        if !allowed {
            self.not_shared(place, "role", name);
        }
        allowed.then_some(arn)
    }

    /// The id of the one security group with this Name tag, if the resource here may join it.
    pub fn ask_security_group(&mut self, place: &Place<'_>, name: &str) -> Option<String> {
        self.wanted.security_groups.insert(name.to_owned());
        let owner = self.owner();
        let service = self.id();
        let found = self.answer(place, name, |index| found(index.groups.get(name)))?;
        if self.is_ambiguous(place, "security group", name, found) {
            return None;
        }
        if let Found::One(group) = found
            && ownership::is_shared_with(&group.tags, &owner.project, &owner.config, service)
        {
            return Some(group.id.clone());
        }
        self.not_shared(place, "security group", name);
        None
    }

    /// The id of the one subnet with this Name tag or id, if it is open to deploys.
    pub fn ask_subnet(&mut self, place: &Place<'_>, name: &str) -> Option<String> {
        self.wanted.subnets.insert(name.to_owned());
        let found = self.answer(place, name, |index| found(index.subnets.get(name)))?;
        if self.is_ambiguous(place, "subnet", name, found) {
            return None;
        }
        if let Found::One(subnet) = found
            && is_open(subnet)
        {
            return Some(subnet.id.clone());
        }
        self.refuse(
            codes::NOT_OWNED,
            place,
            format!("there is no subnet `{}` that is open to deploys", shown(name)),
            "the subnet's owner tags it `DeployWithFenrir` = `true`",
        );
        None
    }

    fn is_ambiguous(&mut self, place: &Place<'_>, noun: &str, name: &str, found: Found<'_>) -> bool {
        let Found::Many(n) = found else { return false };
        self.refuse(
            codes::AMBIGUOUS_NAME,
            place,
            format!("the name `{}` is that of {n} {noun}s", shown(name)),
            format!("give the {noun} a `Name` tag that no other has"),
        );
        true
    }

    /// The VPCs of all subnets that are open to deploys, sorted.
    pub fn ask_vpcs(&mut self, place: &Place<'_>) -> Option<Vec<String>> {
        self.wanted.deploy_subnets = true;
        self.answer(place, ownership::DEPLOY_SUBNETS, |index| {
            let open = index.world.subnets.iter().filter(|subnet| is_open(subnet));
            let vpcs: std::collections::BTreeSet<_> = open.map(|subnet| subnet.vpc_id.clone()).collect();
            vpcs.into_iter().collect()
        })
    }

    /// The ARN of the key behind `alias/...`. Whether the key may be used is asked with [`Self::ask_arn`].
    pub fn ask_kms_alias(&mut self, place: &Place<'_>, alias: &str) -> Option<String> {
        self.wanted.kms_aliases.insert(alias.to_owned());
        let arn = self.answer(place, alias, |index| index.world.kms_aliases.get(alias).cloned())?;
        if arn.is_none() {
            self.not_owned(place, "key", alias);
        }
        arn
    }

    /// The ARN of a key that another rule already checks, without a word: for statements of roles.
    #[must_use]
    pub fn known_key(&self, text: &str) -> Option<String> {
        if text.starts_with("arn:") {
            return Some(text.to_owned()).filter(|arn| arn.contains(":key/"));
        }
        match (&self.knowledge, text.strip_prefix("alias/")) {
            (_, None) => Some(self.arn(&format!("kms:{{region}}:{{account}}:key/{text}"))),
            (Knowledge::World(index), Some(_)) => index.world.kms_aliases.get(text).cloned(),
            (_, Some(_)) => None,
        }
    }

    /// The key that encrypts a queue, topic or bucket of the template; keys of AWS itself are none.
    #[must_use]
    pub fn key_of(&self, local: Local<'_>) -> Option<String> {
        const OF_BUCKET: &str = "/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/KMSMasterKeyID";
        let of_bucket = || local.properties.get("BucketEncryption")?.pointer(OF_BUCKET);
        let text = local.properties.get("KmsMasterKeyId").or_else(of_bucket)?.as_str()?;
        self.known_key(text).filter(|_| !text.starts_with("alias/aws/"))
    }

    /// Lets the role use the key of what a reference names, if that is of the template. Of what exists already the key
    /// is not known.
    pub fn grant_key(&mut self, value: &Value) {
        let local = intrinsic::target(value).and_then(|target| self.local(target.id()).flatten());
        if let Some(local) = local {
            self.grant_key_of(local);
        }
    }

    /// Lets the role use the key of a resource of the template, if it has one.
    /// Source of the actions: SQS and SNS Developer Guides, "Key management"; S3 User Guide, "Using server-side
    /// encryption with AWS KMS keys".
    pub fn grant_key_of(&mut self, local: Local<'_>) {
        if let Some(key) = self.key_of(local) {
            self.grant(Statement::on(&["kms:Decrypt", "kms:GenerateDataKey"], key));
        }
    }

    /// The proven object behind `s3://bucket/key`: listed in the release, read back, and of the listed SHA-256.
    pub fn ask_artifact(&mut self, place: &Place<'_>, uri: &str) -> Option<Artifact> {
        let listed = self.context.artifacts.as_ref().map(|artifacts| artifacts.get(uri));
        if listed == Some(None) {
            self.refuse(
                codes::ARTIFACT,
                place,
                format!("`{}` is not among the artifacts of the release", shown(uri)),
                "name a local path and let `fenrir package` upload it, or list its SHA-256 in `s3_uris_sha256s`",
            );
            return None;
        }
        let listed = listed.flatten();
        self.wanted.artifacts.insert(uri.to_owned());
        let read = self.answer(place, uri, |index| index.world.artifacts.get(uri).cloned())?;
        match read {
            Some(artifact) if listed.is_none_or(|sha256| *sha256 == artifact.sha256) => Some(artifact),
            Some(_) => {
                self.refuse(
                    codes::ARTIFACT,
                    place,
                    format!("`{}` does not have the SHA-256 that the release lists", shown(uri)),
                    "it was changed after the release was made: package and deploy again",
                );
                None
            }
            None => {
                self.refuse(
                    codes::ARTIFACT,
                    place,
                    format!("`{}` does not exist, or is not this project's", shown(uri)),
                    "package and deploy again",
                );
                None
            }
        }
    }

    /// The text of a definition behind `s3://bucket/key`, proven as [`Self::ask_artifact`] does.
    pub fn ask_text(&mut self, place: &Place<'_>, uri: &str) -> Option<String> {
        self.wanted.texts.insert(uri.to_owned());
        let artifact = self.ask_artifact(place, uri)?;
        if artifact.text.is_none() {
            self.refuse(
                codes::ARTIFACT,
                place,
                format!("`{}` is not a text of at most 1 MB", shown(uri)),
                "write the definition into the template",
            );
        }
        artifact.text
    }
}

/// What a name was found to be.
#[derive(Clone, Copy)]
enum Found<'a> {
    None,
    One(&'a Placed),
    Many(usize),
}

fn found<'a>(placed: Option<&Vec<&'a Placed>>) -> Found<'a> {
    match placed.map(Vec::as_slice) {
        None | Some([]) => Found::None,
        Some([one]) => Found::One(one),
        Some(many) => Found::Many(many.len()),
    }
}

fn is_open(subnet: &Placed) -> bool {
    subnet.tags.get("DeployWithFenrir").is_some_and(|value| value == "true")
}

/// Tags that every resource gets: whose it is.
pub(super) fn own_tags(judge: &Judge<'_>, service: &str) -> BTreeMap<&'static str, String> {
    let owner = judge.owner();
    BTreeMap::from([
        ("ConfigName", owner.config.clone()),
        ("ProjectName", owner.project.clone()),
        ("ServiceName", service.to_owned()),
    ])
}
