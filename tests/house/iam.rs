//! Policies as these tests read them.

use serde_json::Value;

use crate::files::texts;

/// The statements of a policy document.
pub fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    policy["Statement"].as_array().unwrap().iter()
}

/// The actions of a statement.
pub fn actions(statement: &Value) -> impl Iterator<Item = &str> {
    statement.get("Action").into_iter().flat_map(texts)
}

/// ARNs with `P` for the partition, `A` for the account itself, `D` for the deployer's account and `R` for the region;
/// an intrinsic that is no `Fn::Sub` of a text stands as it is.
pub fn substituted(resources: &Value) -> Vec<String> {
    let list = resources.as_array().cloned().unwrap_or_else(|| vec![resources.clone()]);
    list.iter()
        .map(|resource| match resource.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => [
                ("${AWS::Partition}", "P"),
                ("${AWS::AccountId}", "A"),
                ("${DeployerAccount}", "D"),
                ("${AWS::Region}", "R"),
            ]
            .iter()
            .fold(text.to_owned(), |text, (name, short)| text.replace(name, short)),
            None => resource.as_str().map_or_else(|| resource.to_string(), str::to_owned),
        })
        .collect()
}
