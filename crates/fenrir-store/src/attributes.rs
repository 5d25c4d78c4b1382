//! Between our types and DynamoDB's items, by way of JSON.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// An item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The item of a value that serialises to a JSON object.
pub(crate) fn to_item(value: &impl Serialize) -> Result<Item, serde_json::Error> {
    let fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(value)?)?;
    Ok(fields
        .into_iter()
        .map(|(name, value)| (name, to_attribute(value)))
        .collect())
}

/// The value that an item holds.
pub(crate) fn from_item<T: DeserializeOwned>(item: &Item) -> Result<T, serde_json::Error> {
    let fields = item.iter().map(|(name, value)| (name.clone(), from_attribute(value)));
    serde_json::from_value(Value::Object(fields.collect()))
}

/// A string attribute.
pub(crate) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// The attribute of one JSON value.
pub(crate) fn to_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(bool) => AttributeValue::Bool(bool),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(items) => AttributeValue::L(items.into_iter().map(to_attribute).collect()),
        Value::Object(fields) => AttributeValue::M(
            fields
                .into_iter()
                .map(|(name, value)| (name, to_attribute(value)))
                .collect(),
        ),
    }
}

/// The JSON value of an attribute. Sets and binary data, which Fenrir never writes, become null and are then refused by
/// the type they are read into.
fn from_attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(bool) => Value::Bool(*bool),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap_or_default(),
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::L(items) => items.iter().map(from_attribute).collect(),
        AttributeValue::M(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), from_attribute(value)))
                .collect(),
        ),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_survives_the_table() {
        let value = json!({"a": "x", "b": [1, 2.5, -3], "c": {"d": true, "e": null}, "f": ""});
        let item = to_item(&value).unwrap();
        assert_eq!(from_item::<Value>(&item).unwrap(), value);
        assert!(to_item(&json!("no object")).is_err());
    }
}
