//! Rules: what one property may be. A resource type is a table of these, one line a property.

use serde_json::{Value, json};

use super::judge::{Judge, Local, Members, own_tags};
use super::kind::Kind;
use super::place::Place;
use crate::codes;
use crate::suggest::nearest;
use crate::tags;
use crate::template::intrinsic::{self, Target, is_intrinsic};
use crate::template::shown;

/// One property of a type, or of a map inside of one.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Its name, exactly.
    pub name: &'static str,
    /// What it may be.
    pub rule: Rule,
    /// What the rule means and why it is there, for the reference page and for messages.
    pub why: &'static str,
    /// An example of a value, as YAML; may be empty.
    pub example: &'static str,
    /// Whether it must be there.
    pub required: bool,
}

impl Property {
    /// The same property, which must be there.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same property with an example.
    #[must_use]
    pub const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }
}

/// A property that passes when its value has the right shape and obeys the value rules.
#[must_use]
pub const fn safe(name: &'static str, shape: Shape) -> Property {
    check(name, Rule::Safe(shape), "")
}

/// A property with a rule.
#[must_use]
pub const fn check(name: &'static str, rule: Rule, why: &'static str) -> Property {
    Property {
        name,
        rule,
        why,
        example: "",
        required: false,
    }
}

/// The property that takes the generated name.
#[must_use]
pub const fn generated(name: &'static str) -> Property {
    check(
        name,
        Rule::Generated,
        "Fenrir makes it from project, config and logical id, so that two owners never meet; leave it out",
    )
}

/// A property that is always refused, and why.
#[must_use]
pub const fn refused(name: &'static str, why: &'static str) -> Property {
    check(name, Rule::Refused, why)
}

/// What a property may be.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// A value of a shape; intrinsics of the short list may stand in it.
    Safe(Shape),
    /// Refused when given; the type's generated name is set.
    Generated,
    /// Refused when given as anything else; this value is set.
    Forced(fn(&Judge<'_>) -> Value),
    /// The developer's tags without reserved keys; the own tags are set.
    Tags(TagForm),
    /// A literal text of a form.
    Literal(&'static Pattern),
    /// One of these literal texts.
    OneOf(&'static [&'static str]),
    /// A literal integer, least and most.
    Between(i64, i64),
    /// A literal boolean.
    Flag,
    /// A `Ref` of a resource of the template of one of these types, and nothing else.
    LocalRef(&'static [&'static str]),
    /// A resource of a kind: of the template, or an existing one with correct tags by name or ARN. Rewritten to what
    /// names it exactly.
    Reference(&'static Kind),
    /// A map with these members.
    Map(&'static [Property]),
    /// A list, each item under this rule.
    Each(&'static Rule),
    /// Own code. `why` says what it does.
    Custom(Custom),
    /// Always refused.
    Refused,
}

/// A rule written out as code: checks the value at a place, and rewrites it.
pub type Custom = fn(&mut Judge<'_>, &Place<'_>, &mut Value);

/// Shapes of safe values. As CloudFormation does, a text may be written as a number or boolean, and both as texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text, number or boolean, or an intrinsic.
    Text,
    /// A whole number, or an intrinsic.
    Whole,
    /// A number, or an intrinsic.
    Number,
    /// A boolean.
    Flag,
    /// A list.
    List,
    /// A map that is no intrinsic.
    Map,
    /// Anything.
    Any,
}

impl Shape {
    /// For messages and the reference page.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Whole => "a whole number",
            Self::Number => "a number",
            Self::Flag => "`true` or `false`",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Any => "any value",
        }
    }

    fn fits(self, value: &Value) -> bool {
        let is_plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
        match self {
            Self::Any => true,
            Self::Text => is_plain(value) || is_intrinsic(value),
            Self::Whole => whole(value).is_some() || is_intrinsic(value),
            Self::Number => {
                value.is_number() || value.as_str().is_some_and(|s| s.parse::<f64>().is_ok()) || is_intrinsic(value)
            }
            Self::Flag => flag(value).is_some(),
            Self::List => value.is_array(),
            Self::Map => value.is_object() && !is_intrinsic(value),
        }
    }
}

/// A form that a literal text must have.
#[derive(Debug)]
pub struct Pattern {
    /// Such as "letters, digits, `-` and `_`".
    pub describe: &'static str,
    /// Whether a text has it.
    pub fits: fn(&str) -> bool,
}

/// The two ways in which CloudFormation types take tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagForm {
    /// `{key: value}`.
    Map,
    /// `[{Key: key, Value: value}]`.
    List,
}

/// A literal integer, also when it is written as a text (CloudFormation coerces).
#[must_use]
pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A literal boolean, also when it is written as a text (CloudFormation coerces).
#[must_use]
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// What a value is, for a message.
#[must_use]
pub fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) if is_intrinsic(value) => "an intrinsic",
        Value::Object(_) => "a map",
    }
}

impl<'a> Judge<'a> {
    /// The wrong kind of value.
    pub fn wrong_shape(&mut self, place: &Place<'_>, value: &Value, wanted: &str) {
        self.refuse(
            codes::SHAPE,
            place,
            format!(
                "`{}` is {} where {wanted} is meant",
                shown(place.name()),
                describe(value)
            ),
            format!("write {wanted}"),
        );
    }

    /// The value as a literal text, or a problem.
    pub fn literal<'v>(&mut self, place: &Place<'_>, value: &'v Value) -> Option<&'v str> {
        if let Value::String(text) = value {
            return Some(text);
        }
        self.refuse(
            codes::LITERAL,
            place,
            format!(
                "`{}` is {} where a literal text is needed",
                shown(place.name()),
                describe(value)
            ),
            "write the text itself, in quotes if it looks like a number: what is computed later cannot be checked now",
        );
        None
    }

    /// The value as a map that is no intrinsic, or a problem.
    pub fn map<'v>(&mut self, place: &Place<'_>, value: &'v mut Value) -> Option<&'v mut Members> {
        if is_intrinsic(value) || !value.is_object() {
            self.wrong_shape(place, value, "a map");
            return None;
        }
        value.as_object_mut()
    }

    /// The value as a list, or a problem.
    pub fn list<'v>(&mut self, place: &Place<'_>, value: &'v mut Value) -> Option<&'v mut Vec<Value>> {
        if !value.is_array() {
            self.wrong_shape(place, value, "a list");
        }
        value.as_array_mut()
    }

    /// The value as a list with something in it, or a problem.
    pub fn filled_list<'v>(&mut self, place: &Place<'_>, value: &'v mut Value) -> Option<&'v mut Vec<Value>> {
        if value.as_array().is_some_and(Vec::is_empty) {
            self.refuse(
                codes::SHAPE,
                place,
                format!("`{}` is an empty list", place.name()),
                "name at least one, or leave the property out",
            );
            return None;
        }
        self.list(place, value)
    }

    /// The logical id that a value refers to, which must be of one of these types; or a problem.
    pub fn local_target<'v>(
        &mut self,
        place: &Place<'_>,
        value: &'v Value,
        types: &[&str],
    ) -> Option<(Target<'v>, Local<'a>)> {
        let help = || format!("write `!Ref` or `!GetAtt` of a resource of type {}", any_of(types));
        let Some(target) = intrinsic::target(value) else {
            self.refuse(
                codes::LOCAL,
                place,
                format!("`{}` must refer to a resource of this template", shown(place.name())),
                help(),
            );
            return None;
        };
        match self.local(target.id()) {
            Some(Some(local)) if types.contains(&local.kind.name) => Some((target, local)),
            Some(Some(local)) => {
                self.refuse(
                    codes::LOCAL,
                    place,
                    format!("`{}` is of type `{}`", target.id(), local.kind.name),
                    help(),
                );
                None
            }
            // A type that is not supported, or nothing at all: told where the resource or the reference stands.
            Some(None) | None => None,
        }
    }

    /// Applies a table to a map: each member by its rule, unknown ones refused, missing ones told, forced ones set.
    pub fn table(&mut self, table: &'static [Property], place: &Place<'_>, members: &mut Members) {
        for (key, value) in members.iter_mut() {
            match table.iter().find(|property| property.name == key) {
                Some(property) => property.apply(self, &place.key(key), value),
                None => self.unknown_member(table, place, key),
            }
        }
        for property in table {
            if property.required && !members.contains_key(property.name) {
                self.refuse(
                    codes::REQUIRED,
                    place,
                    format!("`{}` needs `{}`", shown(place.name()), property.name),
                    match property.why {
                        "" => format!("add `{}`", property.name),
                        why => why.to_owned(),
                    },
                );
            }
            property.force(self, members);
        }
    }

    fn unknown_member(&mut self, table: &'static [Property], place: &Place<'_>, key: &str) {
        if self.is_full() {
            return;
        }
        let allowed = || table.iter().filter(|property| !matches!(property.rule, Rule::Refused));
        let help = match nearest(key, table.iter().map(|property| property.name)) {
            Some(near) => match table.iter().find(|property| property.name == near) {
                Some(Property {
                    rule: Rule::Generated, ..
                }) => format!("if `{near}` was meant: Fenrir generates it, leave it out"),
                Some(Property {
                    rule: Rule::Refused,
                    why,
                    ..
                }) => format!("if `{near}` was meant: it is refused too ({why})"),
                _ => format!("did you mean `{near}`?"),
            },
            None if allowed().count() <= 12 => {
                format!(
                    "allowed here: {}",
                    any_of(&allowed().map(|p| p.name).collect::<Vec<_>>())
                )
            }
            None => "leave it out; docs/policy.md lists what is allowed here".to_owned(),
        };
        self.refuse(
            codes::PROPERTY,
            &place.key(key),
            format!("`{}` is not allowed in `{}`", shown(key), shown(place.name())),
            help,
        );
    }
}

/// Whether a key that stands beside the properties is one of them, and may be given.
#[must_use]
pub fn belongs_inside(table: &[Property], key: &str) -> bool {
    let is_given = |property: &Property| !matches!(property.rule, Rule::Refused | Rule::Generated | Rule::Forced(_));
    table.iter().any(|property| property.name == key && is_given(property))
}

/// `a`, `b` or `c`.
#[must_use]
pub fn any_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

impl Property {
    fn apply(&self, judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
        match self.rule {
            Rule::Refused => judge.refuse(
                codes::REFUSED,
                place,
                format!("`{}` is refused: {}", self.name, self.why),
                "leave it out",
            ),
            Rule::Generated => judge.refuse(
                codes::GENERATED,
                place,
                format!("`{}` is generated", self.name),
                "leave it out: Fenrir makes the name from project, config and logical id",
            ),
            Rule::Forced(make) => {
                let forced = make(judge);
                if *value != forced {
                    judge.refuse(
                        codes::GENERATED,
                        place,
                        format!("`{}` is set by Fenrir", self.name),
                        format!("leave it out: it is always {}", shown(&forced.to_string())),
                    );
                }
            }
            rule => rule.apply(judge, place, value),
        }
    }

    fn force(&self, judge: &mut Judge<'_>, members: &mut Members) {
        match self.rule {
            Rule::Generated => {
                if let Some(Some(local)) = judge.local(judge.id()) {
                    members.insert(self.name.to_owned(), Value::String(judge.name_of(local)));
                }
            }
            Rule::Forced(make) => {
                members.insert(self.name.to_owned(), make(judge));
            }
            Rule::Tags(form) => set_own_tags(judge, form, members.entry(self.name).or_insert(form.empty())),
            _ => {}
        }
    }
}

impl Rule {
    /// Applies the rule to a value.
    pub fn apply(&self, judge: &mut Judge<'_>, place: &Place<'_>, value: &mut Value) {
        match *self {
            Self::Safe(shape) => {
                if !shape.fits(value) {
                    judge.wrong_shape(place, value, shape.describe());
                }
            }
            Self::Tags(form) => check_tags(judge, form, place, value),
            Self::Literal(pattern) => {
                if let Some(text) = judge.literal(place, value)
                    && !(pattern.fits)(text)
                {
                    judge.refuse(
                        codes::LITERAL,
                        place,
                        format!("`{}` cannot be `{}`", shown(text), shown(place.name())),
                        format!("write {}", pattern.describe),
                    );
                }
            }
            Self::OneOf(allowed) => {
                if let Some(text) = judge.literal(place, value)
                    && !allowed.contains(&text)
                {
                    judge.refuse(
                        codes::LITERAL,
                        place,
                        format!("`{}` cannot be `{}`", shown(place.name()), shown(text)),
                        format!("write {}", any_of(allowed)),
                    );
                }
            }
            Self::Between(least, most) => between(judge, place, value, least, most),
            Self::Flag => {
                if flag(value).is_none() {
                    judge.wrong_shape(place, value, "`true` or `false`");
                }
            }
            Self::LocalRef(types) => match judge.local_target(place, value, types) {
                Some((Target::GetAtt(id, _), _)) => {
                    let id = id.to_owned();
                    judge.refuse(
                        codes::LOCAL,
                        place,
                        format!("`{}` takes the resource itself", place.name()),
                        format!("write `!Ref {id}`"),
                    );
                }
                // `!Sub ${id}` is the same, and SAM takes only this form of it.
                Some((Target::Ref(id), _)) => {
                    let id = id.to_owned();
                    *value = json!({ "Ref": id });
                }
                None => {}
            },
            Self::Reference(kind) => {
                kind.reference(judge, place, value);
            }
            Self::Map(table) => {
                if let Some(members) = judge.map(place, value) {
                    judge.table(table, place, members);
                }
            }
            Self::Each(rule) => {
                if let Some(items) = judge.list(place, value) {
                    for (at, item) in items.iter_mut().enumerate() {
                        rule.apply(judge, &place.index(at), item);
                    }
                }
            }
            Self::Custom(custom) => custom(judge, place, value),
            // These need their property: a table applies them.
            Self::Generated | Self::Forced(_) | Self::Refused => {}
        }
    }
}

/// Refuses a value that is no literal integer, or outside of these.
pub fn between(judge: &mut Judge<'_>, place: &Place<'_>, value: &Value, least: i64, most: i64) {
    let Some(number) = whole(value) else {
        return judge.wrong_shape(place, value, "a whole number, literally");
    };
    if !(least..=most).contains(&number) {
        judge.refuse(
            codes::RANGE,
            place,
            format!("`{}` is {number}, and may be {least} to {most}", place.name()),
            "write a number within that range",
        );
    }
}

impl TagForm {
    fn empty(self) -> Value {
        match self {
            Self::Map => json!({}),
            Self::List => json!([]),
        }
    }
}

/// Tags that one resource may have, with ours.
/// Source: AWS General Reference, "Tagging your AWS resources" (50 user tags per resource).
const MOST_TAGS: usize = 50;

fn check_tags(judge: &mut Judge<'_>, form: TagForm, place: &Place<'_>, value: &mut Value) {
    let count = match form {
        TagForm::Map => {
            let Some(members) = judge.map(place, value) else { return };
            for (key, value) in members.iter() {
                check_tag(judge, &place.key(key), key, value);
            }
            members.len()
        }
        TagForm::List => {
            let Some(items) = judge.list(place, value) else { return };
            for (at, item) in items.iter_mut().enumerate() {
                const TAG: &[Property] = &[
                    check("Key", Rule::Safe(Shape::Any), "").required(),
                    check("Value", Rule::Safe(Shape::Any), "").required(),
                ];
                let place = place.index(at);
                let Some(members) = judge.map(&place, item) else {
                    continue;
                };
                judge.table(TAG, &place, members);
                if let (Some(key), Some(value)) = (members.get("Key"), members.get("Value"))
                    && let Some(key) = judge.literal(&place.key("Key"), key)
                {
                    check_tag(judge, &place, key, value);
                }
            }
            items.len()
        }
    };
    let ours = own_tags(judge, "").len();
    if count + ours > MOST_TAGS {
        judge.refuse(
            codes::TAGS,
            place,
            format!("there are {count} tags, and Fenrir adds {ours}; AWS takes {MOST_TAGS}"),
            "remove some",
        );
    }
}

fn check_tag(judge: &mut Judge<'_>, place: &Place<'_>, key: &str, value: &Value) {
    if tags::is_reserved(key) {
        judge.refuse(
            codes::TAGS,
            place,
            format!("the tag `{}` is reserved", shown(key)),
            "leave it out: Fenrir sets the tags that say whose a resource is",
        );
    } else if let Some(problem) = tags::key_problem(key) {
        judge.refuse(
            codes::TAGS,
            place,
            format!("the tag `{}` {problem}", shown(key)),
            "give it another key",
        );
    }
    if let Some(problem) = value.as_str().and_then(tags::value_problem) {
        judge.refuse(
            codes::TAGS,
            place,
            format!("the value of the tag `{}` {problem}", shown(key)),
            "give it another value",
        );
    }
    if !value.is_string() {
        judge.refuse(
            codes::TAGS,
            place,
            format!("the tag `{}` is {}", shown(key), describe(value)),
            "write a literal text, in quotes if it looks like a number",
        );
    }
}

fn set_own_tags(judge: &Judge<'_>, form: TagForm, tags: &mut Value) {
    for (key, text) in own_tags(judge, judge.id()) {
        match (form, &mut *tags) {
            (TagForm::Map, Value::Object(members)) => {
                members.insert(key.to_owned(), Value::String(text));
            }
            (TagForm::List, Value::Array(items)) => items.push(json!({ "Key": key, "Value": text })),
            // Of the wrong shape, and told.
            _ => {}
        }
    }
}
