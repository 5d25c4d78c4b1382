//! From the text of a file to our tree.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Value, json};

use super::limits::{self, MAX_BYTES, MAX_DEPTH, MAX_KEY_BYTES, MAX_PROBLEMS, shown};
use super::positions::{Key, Positions};
use super::scalar::{self, Scalar};
use crate::codes;
use crate::problem::{Position, Problem, pointer};

/// Loads a text; see [`super::Document::load`].
pub(super) fn load(text: &str) -> Result<(Value, Positions), Vec<Problem>> {
    if text.len() > MAX_BYTES {
        return Err(vec![limits::too_large()]);
    }
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text.strip_prefix('\u{FEFF}').unwrap_or(text)) {
        let step = match event {
            Ok((event, span)) => loader.event(event, span),
            Err(error) => Err(unreadable(&error)),
        };
        if let Err(problem) = step {
            loader.end_with(problem);
            return Err(loader.problems);
        }
    }
    loader.finish()
}

fn place(marker: &Marker) -> Position {
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position {
        line: small(marker.line()),
        column: small(marker.col()).saturating_add(1),
    }
}

fn unreadable(error: &ScanError) -> Problem {
    let info = error.info();
    if info.contains("recursion limit") {
        return limits::too_deep("").at(Some(place(error.marker())));
    }
    let problem = Problem::error(
        codes::SYNTAX,
        "",
        format!("this is neither YAML nor JSON: {}", shown(info)),
    )
    .at(Some(place(error.marker())));
    if info.contains("tab") {
        problem.help("indent with spaces; YAML takes no tabs")
    } else if info.contains("anchor") {
        problem.help("an alias (`*name`) needs its anchor (`&name`) further up")
    } else {
        problem.help("look at this line and the one above it: indentation, quotes, and a blank after each colon")
    }
}

/// The short forms of CloudFormation that a template may use, and what they stand for.
fn long_form(short: &str) -> Option<&'static str> {
    match short {
        "Ref" => Some("Ref"),
        "GetAtt" => Some("Fn::GetAtt"),
        "Sub" => Some("Fn::Sub"),
        "Join" => Some("Fn::Join"),
        _ => None,
    }
}

enum Container {
    List(Vec<Value>),
    /// The members so far, and the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

/// A list or map that is not closed yet.
struct Open {
    container: Container,
    /// The long form that the whole stands under.
    fold: Option<&'static str>,
    anchor: usize,
    /// Of the list or map itself, below `fold`.
    key: Key,
    /// Characters and structure of what it holds, in bytes.
    size: usize,
    /// The size of members that were dropped as duplicates is not worth counting, but they must not be kept.
    duplicate: bool,
}

impl Open {
    /// The segment of the part that comes next.
    fn segment(&self) -> String {
        match &self.container {
            Container::List(items) => items.len().to_string(),
            Container::Map(_, key) => key.clone().unwrap_or_default(),
        }
    }
}

/// A finished part.
struct Part {
    value: Value,
    size: usize,
    /// Where it stood in the file.
    at: Position,
}

#[derive(Default)]
struct Loader {
    open: Vec<Open>,
    root: Option<Value>,
    documents: usize,
    anchors: HashMap<usize, (Value, usize)>,
    /// Bytes copied for anchors and aliases. Each copy is charged, so nested aliases ("a billion laughs") end early.
    copied: usize,
    problems: Vec<Problem>,
    positions: Positions,
}

type Step = Result<(), Problem>;

impl Loader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        let at = place(&span.start);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem = Problem::error(codes::SEVERAL_DOCUMENTS, "", "the file holds more than one document");
                    return Err(problem
                        .at(Some(at))
                        .help("remove the line `---` and what belongs to the other document"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, tag) => self.start(Container::List(Vec::new()), anchor, tag.as_deref(), at),
            Event::MappingStart(anchor, tag) => {
                self.start(Container::Map(Map::new(), None), anchor, tag.as_deref(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(Value, Positions), Vec<Problem>> {
        match self.root.take() {
            None => {
                let problem = Problem::error(codes::NOT_A_MAP, "", "the file is empty");
                self.end_with(
                    problem.help("a template begins with `Transform: AWS::Serverless-2016-10-31` and `Resources:`"),
                );
            }
            Some(value) if self.problems.is_empty() && value.is_object() => return Ok((value, self.positions.seal())),
            // An empty document is a null, and has been told already.
            Some(value) if !value.is_object() && !value.is_null() => self.end_with(limits::not_a_map()),
            Some(_) => {}
        }
        Err(self.problems)
    }

    /// What ends the reading is told in any case, if need be instead of the last of many.
    fn end_with(&mut self, problem: Problem) {
        self.problems.truncate(MAX_PROBLEMS - 1);
        self.problems.push(problem);
    }

    /// The problem is only made when it is told: a path can be long, and wrong parts many.
    fn tell(&mut self, at: Position, make: impl FnOnce(&Self) -> Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            let problem = make(self).at(Some(at));
            self.problems.push(problem);
        }
    }

    /// The pointer of the part that comes next. Only for messages.
    fn path(&self) -> String {
        self.open.iter().fold(String::new(), |path, open| {
            let path = open.fold.map_or(path.clone(), |fold| pointer(&path, fold));
            pointer(&path, &open.segment())
        })
    }

    /// The pointer of the map whose key comes next.
    fn map_path(&self) -> String {
        let path = self.path();
        path.rsplit_once('/').map_or("", |(map, _)| map).to_owned()
    }

    /// The key into the positions of the part that comes next.
    fn next_key(&self) -> Key {
        self.open
            .last()
            .map_or(Key::ROOT, |open| open.key.child(&open.segment()))
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                container: Container::Map(_, None),
                ..
            })
        )
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, at: Position) -> Step {
        if self.expects_key() {
            return self.key(text, style, tag, at);
        }
        let fold = self.fold(tag, at);
        let value = match fold {
            // A tagged text is a text, also when it looks like a number.
            Some("Fn::GetAtt") => match text.split_once('.') {
                Some((id, attribute)) => json!([id, attribute]),
                None => Value::String(text.to_owned()),
            },
            None if style == ScalarStyle::Plain => self.plain(text, at),
            _ => Value::String(text.to_owned()),
        };
        if let Some(problem) = limits::text(text, false, "") {
            self.tell(at, |loader| Problem {
                path: loader.path(),
                ..problem
            });
        }
        let size = text.len() + 4;
        self.note_fold(fold, at);
        let value = wrap(fold, value);
        self.keep_anchor(anchor, &value, size, at)?;
        self.put(Part { value, size, at })
    }

    fn plain(&mut self, text: &str, at: Position) -> Value {
        match scalar::resolve(text) {
            Scalar::Value(value) => value,
            Scalar::Null => {
                self.tell(at, |loader| limits::null(&loader.path()));
                Value::Null
            }
            Scalar::Refused(message, help) => {
                self.tell(at, |loader| {
                    Problem::error(codes::AMBIGUOUS, loader.path(), message).help(help)
                });
                Value::String(text.to_owned())
            }
        }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Step {
        if text.len() > MAX_KEY_BYTES {
            return Err(limits::long_key(&self.map_path(), text).at(Some(at)));
        }
        let path = |loader: &Self| pointer(&loader.map_path(), text);
        if tag.is_some() {
            self.tell(at, |loader| {
                let message = format!("the key `{}` has a tag", shown(text));
                Problem::error(codes::BAD_KEY, path(loader), message).help("write the key as plain text")
            });
        }
        if style == ScalarStyle::Plain {
            if text == "<<" {
                self.tell(at, |loader| {
                    Problem::error(codes::MERGE_KEY, path(loader), "a merge key (`<<`) is not allowed")
                        .help("write the members out, or put what functions share into `Globals`")
                });
            } else if !is_plain_key(text) {
                self.tell(at, |loader| {
                    let message = format!("the key `{}` is not a text to every reader of YAML", shown(text));
                    Problem::error(codes::BAD_KEY, path(loader), message).help("put the key in quotes")
                });
            }
        }
        if let Some(problem) = limits::text(text, true, "") {
            self.tell(at, |loader| Problem {
                path: path(loader),
                ..problem
            });
        }
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        let key = open.key.child(text);
        if let Container::Map(members, next) = &mut open.container {
            open.duplicate = members.contains_key(text);
            *next = Some(text.to_owned());
            open.size += text.len() + 4;
        }
        if self.open.last().is_some_and(|open| open.duplicate) {
            self.tell(at, |loader| {
                let message = match loader.positions.scan(key) {
                    Some(first) => format!("the key `{}` is already there, on line {}", shown(text), first.line),
                    None => format!("the key `{}` is already there", shown(text)),
                };
                Problem::error(codes::DUPLICATE_KEY, path(loader), message)
                    .help("keep one of the two: readers disagree on which one counts")
            });
        } else {
            self.positions.note(key, at);
        }
        Ok(())
    }

    /// The long form of a tag, if it is one of the four.
    fn fold(&mut self, tag: Option<&Tag>, at: Position) -> Option<&'static str> {
        let tag = tag?;
        if let Some(long) = Some(tag)
            .filter(|tag| tag.handle == "!")
            .and_then(|tag| long_form(&tag.suffix))
        {
            return Some(long);
        }
        let name = match tag.handle.as_str() {
            "tag:yaml.org,2002:" => format!("!!{}", tag.suffix),
            handle => format!("{handle}{}", tag.suffix),
        };
        self.tell(at, |loader| {
            Problem::error(codes::TAG, loader.path(), format!("`{}` is not allowed", shown(&name)))
                .help("a template may use `!Ref`, `!GetAtt`, `!Sub` and `!Join`; write every other value out")
        });
        None
    }

    fn start(&mut self, container: Container, anchor: usize, tag: Option<&Tag>, at: Position) -> Step {
        if self.expects_key() {
            let problem = Problem::error(codes::BAD_KEY, self.map_path(), "a list or a map cannot be a key");
            return Err(problem
                .at(Some(at))
                .help("write the key as text, in quotes where it begins with `{` or `[`"));
        }
        let fold = self.fold(tag, at);
        self.note_item(at);
        let key = self.note_fold(fold, at);
        self.open.push(Open {
            container,
            fold,
            anchor,
            key,
            size: 4,
            duplicate: false,
        });
        let folds = self.open.iter().filter(|open| open.fold.is_some()).count();
        if self.open.len() + folds > MAX_DEPTH {
            return Err(limits::too_deep(&self.path()).at(Some(at)));
        }
        Ok(())
    }

    fn end(&mut self, at: Position) -> Step {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.container {
            Container::List(items) => Value::Array(items),
            Container::Map(members, _) => long_get_att(members),
        };
        let value = wrap(open.fold, value);
        self.keep_anchor(open.anchor, &value, open.size, at)?;
        self.attach(Part {
            value,
            size: open.size,
            at,
        });
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Step {
        if self.expects_key() {
            let problem = Problem::error(codes::BAD_KEY, self.map_path(), "an alias cannot be a key");
            return Err(problem.at(Some(at)).help("write the key out"));
        }
        let Some((value, size)) = self.anchors.get(&anchor) else {
            let problem = Problem::error(codes::ALIASES, self.path(), "this alias stands inside of what it names");
            return Err(problem.at(Some(at)).help("write the value out"));
        };
        let (size, depth) = (*size, depth(value));
        self.charge(size, at)?;
        if self.open.len() + depth > MAX_DEPTH {
            return Err(limits::too_deep(&self.path()).at(Some(at)));
        }
        // Charged first: the copy is what costs.
        let value = self
            .anchors
            .get(&anchor)
            .map(|(value, _)| value.clone())
            .unwrap_or_default();
        self.put(Part { value, size, at })
    }

    fn keep_anchor(&mut self, anchor: usize, value: &Value, size: usize, at: Position) -> Step {
        if anchor != 0 {
            self.charge(size, at)?;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        Ok(())
    }

    fn charge(&mut self, size: usize, at: Position) -> Step {
        self.copied += size;
        if self.copied > MAX_BYTES {
            let problem = Problem::error(
                codes::ALIASES,
                self.path(),
                "written out, the aliases of this template make it larger than 1 MB",
            );
            return Err(problem
                .at(Some(at))
                .help("use fewer aliases, or none: `Globals` shares what functions have in common"));
        }
        Ok(())
    }

    /// Puts a part with its position.
    fn put(&mut self, part: Part) -> Step {
        self.note_item(part.at);
        if self.open.len() + 1 > MAX_DEPTH {
            return Err(limits::too_deep(&self.path()).at(Some(part.at)));
        }
        self.attach(part);
        Ok(())
    }

    /// Notes where an item of a list, or the whole document, begins. Members are noted with their keys.
    fn note_item(&mut self, at: Position) {
        if !matches!(self.open.last().map(|open| &open.container), Some(Container::Map(..))) {
            let key = self.next_key();
            self.positions.note(key, at);
        }
    }

    /// Notes where the long form of a tag begins: where its tag does. Returns the key of what stands below it.
    fn note_fold(&mut self, fold: Option<&str>, at: Position) -> Key {
        let key = self.next_key();
        let Some(fold) = fold else { return key };
        let below = key.child(fold);
        self.positions.note(below, at);
        below
    }

    fn attach(&mut self, part: Part) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(part.value);
            return;
        };
        open.size += part.size;
        match &mut open.container {
            Container::List(items) => items.push(part.value),
            Container::Map(members, key) => {
                let key = key.take().unwrap_or_default();
                if !std::mem::take(&mut open.duplicate) {
                    members.insert(key, part.value);
                }
            }
        }
    }
}

/// `{ long form: value }`.
fn wrap(fold: Option<&'static str>, value: Value) -> Value {
    match fold {
        Some(name) => Value::Object(Map::from_iter([(name.to_owned(), value)])),
        None => value,
    }
}

/// `Fn::GetAtt: id.attribute` is YAML's form alone; what goes to CloudFormation is JSON, where it takes a list.
fn long_get_att(mut members: Map<String, Value>) -> Value {
    if members.len() == 1
        && let Some(Value::String(text)) = members.get("Fn::GetAtt")
        && let Some((id, attribute)) = text.split_once('.')
    {
        let list = json!([id, attribute]);
        members.insert("Fn::GetAtt".to_owned(), list);
    }
    Value::Object(members)
}

/// Unquoted keys that are text to every reader, or whole numbers, which CloudFormation takes as the text they are
/// written as (`200:` in the responses of an API).
fn is_plain_key(text: &str) -> bool {
    match scalar::resolve(text) {
        Scalar::Value(Value::String(_)) => true,
        Scalar::Value(Value::Number(number)) => number.is_u64(),
        _ => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}
