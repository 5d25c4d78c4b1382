//! What CloudFormation will make of a text that intrinsics put together, as far as it can be known.

use serde_json::Value;

use super::judge::{Judge, Members};
use crate::names;
use crate::template::intrinsic::{self, Piece, pieces};
use crate::template::size;

/// Stands for what only CloudFormation knows. No template contains it: control characters are refused.
pub(super) const GAP: char = '\u{0}';

/// The text that a value will be, with a [`GAP`] for everything that a resource gives. `None` when it is no text, or when
/// its variables are put into each other until it is far longer than what was written.
pub(super) fn fold(judge: &Judge<'_>, value: &Value) -> Option<String> {
    let mut folding = Folding {
        judge,
        room: ROOM + 8 * size(value),
    };
    folding.value(value)
}

/// Bytes that may be made on top of some times the written length (a piece counts again wherever it is nested). Variables
/// within variables could ask for any number of bytes in a few hundred.
const ROOM: usize = 16 * 1024;

struct Folding<'a, 'j> {
    judge: &'a Judge<'j>,
    /// Bytes that may still be made.
    room: usize,
}

impl Folding<'_, '_> {
    /// Counts what was made, each thing as one byte more than its length.
    fn made(&mut self, text: String) -> Option<String> {
        let room = self.room.checked_sub(text.len() + 1);
        self.room = room.unwrap_or(0);
        room.map(|_| text)
    }

    fn value(&mut self, value: &Value) -> Option<String> {
        let members = match value {
            Value::String(text) => return self.made(text.clone()),
            Value::Number(number) => return self.made(number.to_string()),
            Value::Bool(flag) => return self.made(flag.to_string()),
            Value::Object(members) => members,
            Value::Null | Value::Array(_) => return None,
        };
        let (name, argument) = intrinsic::sole(members)?;
        match (name.as_str(), argument) {
            ("Ref", Value::String(id)) => self.variable(id, None),
            ("Fn::GetAtt", _) => self.made(GAP.to_string()),
            ("Fn::Sub", Value::String(text)) => self.sub(text, None),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(variables)] => self.sub(text, Some(variables)),
                _ => None,
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(between), Value::Array(items)] => {
                    let items: Option<Vec<_>> = items.iter().map(|item| self.value(item)).collect();
                    let joined = items?.join(between);
                    self.made(joined)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn sub(&mut self, text: &str, variables: Option<&Members>) -> Option<String> {
        let mut folded = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => folded.push_str(text),
                Piece::Variable(name) => folded.push_str(&self.variable(name, variables)?),
                Piece::Open => folded.push(GAP),
            }
        }
        self.made(folded)
    }

    fn variable(&mut self, name: &str, variables: Option<&Members>) -> Option<String> {
        if let Some(value) = variables.and_then(|variables| variables.get(name)) {
            return match self.value(value) {
                Some(text) => Some(text),
                // What is no text is only known to CloudFormation; what grew too long is known to nobody.
                None if self.room > 0 => self.made(GAP.to_string()),
                None => None,
            };
        }
        let owner = self.judge.owner();
        let text = match name {
            "AWS::AccountId" => owner.account.clone(),
            "AWS::Region" => owner.region.clone(),
            "AWS::Partition" => owner.partition().to_owned(),
            "AWS::URLSuffix" => url_suffix(self.judge).to_owned(),
            "AWS::StackName" => names::stack(owner),
            _ => GAP.to_string(),
        };
        self.made(text)
    }
}

/// What `AWS::URLSuffix` is.
/// Source: CloudFormation User Guide, "Pseudo parameters reference".
pub(super) fn url_suffix(judge: &Judge<'_>) -> &'static str {
    if judge.owner().partition() == "aws-cn" {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}
