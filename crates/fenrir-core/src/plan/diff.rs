//! Where two values differ, place by place.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::intrinsic::is_intrinsic;

/// One place that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'v> {
    /// Such as `Environment.Variables.STAGE` or `Tags[owner].Value`; empty for the whole.
    pub path: String,
    /// What was there.
    pub before: Option<&'v Value>,
    /// What will be there.
    pub after: Option<&'v Value>,
}

/// Members by which the elements of a list are told apart, where all have one and no two the same.
const IDENTIFIERS: [&str; 7] = ["Key", "Name", "Id", "Sid", "AttributeName", "IndexName", "PolicyName"];

/// All places where they differ, in the order of the values.
#[must_use]
pub fn between<'v>(before: Option<&'v Value>, after: Option<&'v Value>) -> Vec<Difference<'v>> {
    let mut found = Vec::new();
    compare(String::new(), before, after, &mut found);
    found
}

fn compare<'v>(path: String, before: Option<&'v Value>, after: Option<&'v Value>, found: &mut Vec<Difference<'v>>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(old @ Value::Object(before)), Some(new @ Value::Object(after)))
            if !is_intrinsic(old) && !is_intrinsic(new) =>
        {
            for (name, value) in before {
                compare(below(&path, name), Some(value), after.get(name), found);
            }
            for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                compare(below(&path, name), None, Some(value), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => lists(&path, before, after, found),
        _ => found.push(Difference { path, before, after }),
    }
}

fn lists<'v>(path: &str, before: &'v [Value], after: &'v [Value], found: &mut Vec<Difference<'v>>) {
    if let Some((old, new)) = IDENTIFIERS
        .iter()
        .find_map(|name| Some((by_member(before, name)?, by_member(after, name)?)))
    {
        for (id, value) in &old {
            compare(format!("{path}[{id}]"), Some(value), new.get(id).copied(), found);
        }
        for (id, value) in new.iter().filter(|(id, _)| !old.contains_key(*id)) {
            compare(format!("{path}[{id}]"), None, Some(value), found);
        }
        return;
    }
    if before.len() == after.len() {
        for (index, (old, new)) in before.iter().zip(after).enumerate() {
            compare(format!("{path}[{index}]"), Some(old), Some(new), found);
        }
        return;
    }
    // Elements come and go: what is on one side only. Of equal ones each counts.
    let gone = without(before, after);
    let come = without(after, before);
    for value in gone {
        compare(format!("{path}[]"), Some(value), None, found);
    }
    for value in come {
        compare(format!("{path}[]"), None, Some(value), found);
    }
}

/// The elements by this member of theirs, if all have one of their own.
fn by_member<'v>(list: &'v [Value], name: &str) -> Option<BTreeMap<&'v str, &'v Value>> {
    let all: Option<BTreeMap<_, _>> = list
        .iter()
        .map(|value| Some((value.get(name)?.as_str()?, value)))
        .collect();
    all.filter(|all| all.len() == list.len() && !list.is_empty())
}

/// Those of `list` that `other` does not have.
fn without<'v>(list: &'v [Value], other: &[Value]) -> Vec<&'v Value> {
    let mut others: Vec<&Value> = other.iter().collect();
    let mut left = Vec::new();
    for value in list {
        match others.iter().position(|other| *other == value) {
            Some(at) => {
                others.swap_remove(at);
            }
            None => left.push(value),
        }
    }
    left
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(before: &Value, after: &Value) -> Vec<String> {
        let all = between(Some(before), Some(after));
        all.into_iter().map(|one| one.path).collect()
    }

    #[test]
    fn only_what_differs_is_told_and_where() {
        let before = json!({"Environment": {"Variables": {"A": "1", "B": "2"}}, "Timeout": 3, "Gone": true});
        let after = json!({"Environment": {"Variables": {"A": "1", "B": "3", "C": "4"}}, "Timeout": 3});
        assert_eq!(
            paths(&before, &after),
            ["Environment.Variables.B", "Environment.Variables.C", "Gone"]
        );
    }

    #[test]
    fn a_reference_is_one_value() {
        let (before, after) = (
            json!({"Role": {"Ref": "A"}}),
            json!({"Role": {"Fn::GetAtt": ["B", "Arn"]}}),
        );
        assert_eq!(paths(&before, &after), ["Role"]);
        assert_eq!(paths(&json!({"Ref": "A"}), &json!({"Ref": "B"})), [""]);
    }

    #[test]
    fn elements_are_told_apart_by_their_key_wherever_they_stand() {
        let before = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
        let after = json!([{"Key": "c", "Value": "3"}, {"Key": "b", "Value": "9"}, {"Key": "a", "Value": "1"}]);
        assert_eq!(paths(&before, &after), ["[b].Value", "[c]"]);
    }

    #[test]
    fn elements_without_a_key_come_and_go_or_change_in_place() {
        assert_eq!(paths(&json!(["a", "b"]), &json!(["a", "c"])), ["[1]"]);
        let (before, after) = (json!(["a", "a", "b"]), json!(["a", "c"]));
        let all = between(Some(&before), Some(&after));
        let sides: Vec<_> = all.iter().map(|one| (one.before, one.after)).collect();
        assert_eq!(
            sides,
            [
                (Some(&json!("a")), None),
                (Some(&json!("b")), None),
                (None, Some(&json!("c")))
            ]
        );
    }

    #[test]
    fn what_is_the_same_differs_nowhere() {
        let value = json!({"a": [1, {"b": null}], "c": {}});
        assert_eq!(between(Some(&value), Some(&value.clone())), []);
        assert_eq!(between(None, None), []);
        assert_eq!(between(None, Some(&value)).len(), 1);
    }
}
