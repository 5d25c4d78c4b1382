//! Intrinsics: what a value refers to.

use serde_json::{Map, Value};

/// What a single reference names, in whichever of its forms it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'v> {
    /// `!Ref id`, `!Sub ${id}`.
    Ref(&'v str),
    /// `!GetAtt id.attribute`, `!Sub ${id.attribute}`.
    GetAtt(&'v str, &'v str),
}

impl<'v> Target<'v> {
    /// The logical id or pseudo parameter.
    #[must_use]
    pub fn id(self) -> &'v str {
        match self {
            Self::Ref(id) | Self::GetAtt(id, _) => id,
        }
    }

    /// Splits `id` or `id.attribute` as CloudFormation does: at the first dot.
    #[must_use]
    pub fn parse(text: &'v str) -> Self {
        match text.split_once('.') {
            Some((id, attribute)) => Self::GetAtt(id, attribute),
            None => Self::Ref(text),
        }
    }
}

/// Whether a key makes its map an intrinsic.
#[must_use]
pub fn is_function(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::")
}

/// Whether a value is an intrinsic, allowed or not: a map with exactly one key, that of a function.
#[must_use]
pub fn is_intrinsic(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|map| sole(map).is_some_and(|(key, _)| is_function(key)))
}

/// The only member of a map.
#[must_use]
pub fn sole(map: &Map<String, Value>) -> Option<(&String, &Value)> {
    let mut members = map.iter();
    members.next().filter(|_| members.next().is_none())
}

/// What a value refers to, when it is exactly one reference and nothing else.
#[must_use]
pub fn target(value: &Value) -> Option<Target<'_>> {
    let (key, argument) = sole(value.as_object()?)?;
    match (key.as_str(), argument) {
        ("Ref", Value::String(id)) => Some(Target::Ref(id)),
        ("Fn::GetAtt", Value::String(text)) => Some(Target::parse(text)).filter(|t| matches!(t, Target::GetAtt(..))),
        ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
            [Value::String(id), Value::String(attribute)] => Some(Target::GetAtt(id, attribute)),
            _ => None,
        },
        ("Fn::Sub", Value::String(text)) => match pieces(text).as_slice() {
            [Piece::Variable(name)] => Some(Target::parse(name)),
            _ => None,
        },
        _ => None,
    }
}

/// A piece of the text of an `Fn::Sub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'v> {
    /// Text that stays. `${!x}` stays as `${x}`: its `${` and `x}` come as two texts.
    Text(&'v str),
    /// The name between `${` and `}`, without blanks around it.
    Variable(&'v str),
    /// A `${` that is never closed.
    Open,
}

/// The pieces of the text of an `Fn::Sub`.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        let inside = from.get(2..).unwrap_or_default();
        let Some((name, after)) = inside.split_once('}') else {
            found.push(Piece::Open);
            return found;
        };
        if !before.is_empty() {
            found.push(Piece::Text(before));
        }
        match name.strip_prefix('!') {
            Some(_) => {
                found.push(Piece::Text("${"));
                found.push(Piece::Text(inside.get(1..=name.len()).unwrap_or_default()));
            }
            None => found.push(Piece::Variable(name.trim())),
        }
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_reference_in_all_its_forms() {
        assert_eq!(target(&json!({"Ref": "A"})), Some(Target::Ref("A")));
        assert_eq!(
            target(&json!({"Fn::GetAtt": ["A", "B.C"]})),
            Some(Target::GetAtt("A", "B.C"))
        );
        assert_eq!(
            target(&json!({"Fn::GetAtt": "A.B.C"})),
            Some(Target::GetAtt("A", "B.C"))
        );
        assert_eq!(target(&json!({"Fn::Sub": "${A.B}"})), Some(Target::GetAtt("A", "B")));
        for other in [
            json!("A"),
            json!({"Fn::GetAtt": "A"}),
            json!({"Fn::Sub": "${A}x"}),
            json!({"Ref": "A", "Fn::Sub": "x"}),
            json!({"Fn::Sub": ["${A}", {"A": "x"}]}),
        ] {
            assert_eq!(target(&other), None, "{other}");
        }
    }

    #[test]
    fn sub_falls_into_pieces() {
        use Piece::{Open, Text, Variable};
        assert_eq!(
            pieces("a${ B }c${!d}e"),
            [Text("a"), Variable("B"), Text("c"), Text("${"), Text("d}"), Text("e")]
        );
        assert_eq!(pieces("x${"), [Open]);
        assert_eq!(pieces(""), []);
    }
}
