//! The state machine in process: the real ASL, interpreted, with Rust functions as its tasks.
//!
//! Source: the Amazon States Language specification. Of it, what `state_machine.asl.json` uses; whatever else appears
//! there ends the test, so that nothing is silently done otherwise than Step Functions does.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::Clock;

/// What a task does with its input.
pub type Task<'a> = Box<dyn Fn(Value) -> Pin<Box<dyn Future<Output = Result<Value, Failed>> + 'a>> + 'a>;

/// How a task or an execution failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Error name.
    pub error: String,
    /// Cause.
    pub cause: String,
}

impl Failed {
    /// A Lambda function's error, as Step Functions hands it on.
    pub fn of_lambda(name: &str, message: &str) -> Self {
        Self {
            error: name.to_owned(),
            cause: json!({"errorType": name, "errorMessage": message}).to_string(),
        }
    }

    fn runtime(cause: impl Into<String>) -> Self {
        Self {
            error: "States.Runtime".to_owned(),
            cause: cause.into(),
        }
    }
}

/// One run of the machine.
#[derive(Debug, Clone)]
pub struct Run {
    /// The states it entered, in order.
    pub path: Vec<String>,
    /// Output of the last state, or how it failed.
    pub outcome: Result<Value, Failed>,
    /// The largest state between two steps, in bytes of JSON.
    pub largest_state: usize,
    /// Events of the execution's history.
    pub events: usize,
}

/// A machine: a definition and what its tasks do, by their `Resource`.
pub struct Machine<'a> {
    definition: Value,
    tasks: BTreeMap<String, Task<'a>>,
    pace: Pace,
    retries: f64,
}

/// How time passes.
enum Pace {
    /// Pauses last so many times what the definition says.
    Scaled(f64),
    /// Pauses put this clock forward, and so does each try of a task and each state entered.
    Virtual {
        clock: Clock,
        task: Duration,
        state: Duration,
    },
}

/// What `$$.` names.
struct Context {
    object: Value,
}

/// Bytes of a state's input or output. Source: Step Functions quotas.
const MOST_STATE: usize = 262_144;
/// Events of an execution's history. Source: Step Functions quotas.
const MOST_EVENTS: usize = 25_000;
/// What a try of a task adds to the history beside the state's own events: a function's ARN as `Resource` gives
/// `LambdaFunctionScheduled`, `LambdaFunctionStarted` and `LambdaFunctionSucceeded` or `LambdaFunctionFailed`. Source:
/// Step Functions API Reference, `HistoryEvent`.
const EVENTS_OF_TRY: usize = 3;

impl<'a> Machine<'a> {
    /// A machine whose waits and retry pauses last `wait_scale` times what the definition says.
    pub fn new(definition: Value, tasks: BTreeMap<String, Task<'a>>, wait_scale: f64) -> Self {
        Self {
            definition,
            tasks,
            pace: Pace::Scaled(wait_scale),
            retries: 1.0,
        }
    }

    /// A machine that lives on `clock`: nobody waits, a pause only puts the clock forward. Each try of a task takes
    /// `task`, and entering a state `state`.
    pub fn on_clock(
        definition: Value,
        tasks: BTreeMap<String, Task<'a>>,
        clock: Clock,
        task: Duration,
        state: Duration,
    ) -> Self {
        Self {
            definition,
            tasks,
            pace: Pace::Virtual { clock, task, state },
            retries: 1.0,
        }
    }

    /// The same machine with retry pauses that last `factor` times what they would.
    #[must_use]
    pub fn retrying(mut self, factor: f64) -> Self {
        self.retries = factor;
        self
    }

    /// Runs it.
    pub async fn run(&self, execution_arn: &str, started_at: &str, input: Value) -> Run {
        let name = execution_arn.rsplit(':').next().unwrap();
        let context = Context {
            object: json!({"Execution": {"Id": execution_arn, "Name": name, "StartTime": started_at, "Input": input}}),
        };
        let mut run = Run {
            path: Vec::new(),
            outcome: Ok(Value::Null),
            largest_state: 0,
            // ExecutionStarted, and how it ended.
            events: 2,
        };
        let mut data = input;
        let mut next = self.definition["StartAt"].as_str().map(str::to_owned);
        while let Some(name) = next {
            run.path.push(name.clone());
            // Entered and exited.
            run.events += 2;
            assert!(
                run.events < MOST_EVENTS,
                "the machine runs in circles: {:?}",
                &run.path[..40]
            );
            self.pass_time(|pace| pace.1);
            match self.enter(&name, data, &context, &mut run.events).await {
                Ok((output, following)) => {
                    let size = output.to_string().len();
                    run.largest_state = run.largest_state.max(size);
                    if size > MOST_STATE {
                        run.outcome = Err(Failed {
                            error: "States.DataLimitExceeded".to_owned(),
                            cause: format!("{size} bytes after `{name}`"),
                        });
                        return run;
                    }
                    (data, next) = (output, following);
                }
                Err(failed) => {
                    run.outcome = Err(failed);
                    return run;
                }
            }
        }
        run.outcome = Ok(data);
        run
    }

    async fn enter(
        &self,
        name: &str,
        data: Value,
        context: &Context,
        events: &mut usize,
    ) -> Result<(Value, Option<String>), Failed> {
        let state = &self.definition["States"][name];
        let next = state["Next"].as_str().map(str::to_owned);
        match state["Type"].as_str().unwrap_or_default() {
            "Task" => self.task(state, data, context, events).await,
            "Pass" => Ok((pass(state, data, context)?, next)),
            "Choice" => Ok((data.clone(), Some(choose(state, &data, context)?))),
            "Wait" => {
                let seconds = match state["SecondsPath"].as_str() {
                    Some(path) => select(path, &data, context).and_then(Value::as_f64),
                    None => state["Seconds"].as_f64(),
                };
                let seconds = seconds.ok_or_else(|| Failed::runtime(format!("`{name}` has no seconds to wait")))?;
                self.pause(seconds).await;
                Ok((data, next))
            }
            "Succeed" => Ok((data, None)),
            "Fail" => Err(Failed {
                error: text_of(state, "Error", &data, context)?,
                cause: text_of(state, "Cause", &data, context)?,
            }),
            other => panic!("`{name}` has the type `{other}`, which is not interpreted"),
        }
    }

    async fn task(
        &self,
        state: &Value,
        data: Value,
        context: &Context,
        events: &mut usize,
    ) -> Result<(Value, Option<String>), Failed> {
        let resource = state["Resource"].as_str().unwrap();
        let task = self
            .tasks
            .get(resource)
            .unwrap_or_else(|| panic!("nothing runs `{resource}`"));
        let mut tries: BTreeMap<usize, u64> = BTreeMap::new();
        let failed = loop {
            let input = parameters(state, input_of(state, &data, context)?, context)?;
            *events += EVENTS_OF_TRY;
            self.pass_time(|pace| pace.0);
            match task(input).await {
                Ok(result) => {
                    let output = put(state, data, result);
                    return Ok((output, state["Next"].as_str().map(str::to_owned)));
                }
                Err(failed) => match retry(state, &failed, &mut tries) {
                    Some(seconds) => self.pause(seconds * self.retries).await,
                    None => break failed,
                },
            }
        };
        let catchers = state["Catch"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(catcher) = catchers.iter().find(|catcher| matches(catcher, &failed.error)) else {
            return Err(failed);
        };
        let error = json!({"Error": failed.error, "Cause": failed.cause});
        let output = put(catcher, data, error);
        Ok((output, catcher["Next"].as_str().map(str::to_owned)))
    }

    async fn pause(&self, seconds: f64) {
        match &self.pace {
            Pace::Scaled(scale) => tokio::time::sleep(Duration::from_secs_f64(seconds * scale)).await,
            Pace::Virtual { clock, .. } => clock.advance(Duration::from_secs_f64(seconds)),
        }
    }

    /// Puts a virtual clock forward by what a try of a task, or a state, takes.
    fn pass_time(&self, which: impl Fn((Duration, Duration)) -> Duration) {
        if let Pace::Virtual { clock, task, state } = &self.pace {
            clock.advance(which((*task, *state)));
        }
    }
}

/// The seconds until the next try, if there is one. The first Retry that matches decides.
fn retry(state: &Value, failed: &Failed, done: &mut BTreeMap<usize, u64>) -> Option<f64> {
    let retriers = state["Retry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (index, retrier) = retriers
        .iter()
        .enumerate()
        .find(|(_, retrier)| matches(retrier, &failed.error))?;
    let count = done.entry(index).or_default();
    if *count >= retrier["MaxAttempts"].as_u64().unwrap_or(3) {
        return None;
    }
    let backoff = retrier["BackoffRate"].as_f64().unwrap_or(2.0);
    let power = i32::try_from(*count).unwrap();
    *count += 1;
    let seconds = retrier["IntervalSeconds"].as_f64().unwrap_or(1.0) * backoff.powi(power);
    Some(seconds.min(retrier["MaxDelaySeconds"].as_f64().unwrap_or(f64::MAX)))
}

/// Whether a Retry or Catch is for this error. `States.ALL` covers neither a fault of the machine itself nor a state
/// that is too large; a task cannot produce those here.
fn matches(rule: &Value, error: &str) -> bool {
    let names = rule["ErrorEquals"].as_array().unwrap();
    names.iter().any(|name| match name.as_str().unwrap() {
        "States.ALL" => true,
        "States.TaskFailed" => error != "States.Timeout",
        name => name == error,
    })
}

fn pass(state: &Value, data: Value, context: &Context) -> Result<Value, Failed> {
    let input = input_of(state, &data, context)?;
    let result = match state.get("Result") {
        Some(result) => result.clone(),
        None => parameters(state, input, context)?,
    };
    Ok(put(state, data, result))
}

fn input_of(state: &Value, data: &Value, context: &Context) -> Result<Value, Failed> {
    for field in ["OutputPath", "ResultSelector", "Assign", "QueryLanguage"] {
        assert!(state.get(field).is_none(), "`{field}` is not interpreted");
    }
    let path = state["InputPath"].as_str().unwrap_or("$");
    select(path, data, context)
        .cloned()
        .ok_or_else(|| Failed::runtime(format!("InputPath `{path}` names nothing")))
}

fn parameters(state: &Value, input: Value, context: &Context) -> Result<Value, Failed> {
    match state.get("Parameters") {
        Some(template) => fill(template, &input, context),
        None => Ok(input),
    }
}

/// A payload template: a key that ends in `.$` takes its value from a path or an intrinsic function.
fn fill(template: &Value, input: &Value, context: &Context) -> Result<Value, Failed> {
    match template {
        Value::Object(fields) => {
            let mut filled = Map::new();
            for (key, value) in fields {
                match key.strip_suffix(".$") {
                    Some(key) => filled.insert(key.to_owned(), evaluate(value.as_str().unwrap(), input, context)?),
                    None => filled.insert(key.clone(), fill(value, input, context)?),
                };
            }
            Ok(Value::Object(filled))
        }
        Value::Array(items) => items.iter().map(|item| fill(item, input, context)).collect(),
        plain => Ok(plain.clone()),
    }
}

/// A path, or one of the intrinsic functions that the definition uses.
fn evaluate(expression: &str, data: &Value, context: &Context) -> Result<Value, Failed> {
    let expression = expression.trim();
    if let Some(literal) = expression.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Ok(Value::String(literal.to_owned()));
    }
    if expression.starts_with('$') {
        return select(expression, data, context)
            .cloned()
            .ok_or_else(|| Failed::runtime(format!("`{expression}` names nothing")));
    }
    let (name, rest) = expression
        .split_once('(')
        .unwrap_or_else(|| panic!("`{expression}` is not interpreted"));
    let arguments = split(rest.strip_suffix(')').unwrap())
        .into_iter()
        .map(|argument| evaluate(argument, data, context))
        .collect::<Result<Vec<_>, _>>()?;
    match name {
        "States.Format" => format_text(&arguments),
        "States.JsonToString" => Ok(Value::String(arguments[0].to_string())),
        "States.StringToJson" => {
            serde_json::from_str(arguments[0].as_str().unwrap_or_default()).map_err(|error| Failed {
                error: "States.IntrinsicFailure".to_owned(),
                cause: error.to_string(),
            })
        }
        other => panic!("`{other}` is not interpreted"),
    }
}

/// Splits arguments at commas outside quotes and parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// `States.Format`: each `{}` of the first argument is the next one.
fn format_text(arguments: &[Value]) -> Result<Value, Failed> {
    let pattern = arguments[0].as_str().unwrap();
    let mut values = arguments[1..].iter();
    let mut parts = pattern.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match values.next() {
            Some(Value::String(value)) => text.push_str(value),
            Some(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => text.push_str(&value.to_string()),
            other => {
                return Err(Failed {
                    error: "States.IntrinsicFailure".to_owned(),
                    cause: format!("States.Format cannot write {other:?}"),
                });
            }
        }
        text.push_str(part);
    }
    Ok(Value::String(text))
}

/// What a reference path (`$`, `$.a.b`, `$$.a`) names.
fn select<'v>(path: &str, data: &'v Value, context: &'v Context) -> Option<&'v Value> {
    let (root, rest) = match path.strip_prefix("$$") {
        Some(rest) => (&context.object, rest),
        None => (data, path.strip_prefix('$').unwrap()),
    };
    assert!(!rest.contains(['[', '*', '@']), "path `{path}` is not interpreted");
    rest.split('.')
        .filter(|part| !part.is_empty())
        .try_fold(root, |value, part| value.get(part))
}

/// `ResultPath` of a state or a catcher: where the result goes. Without one it replaces the input, and with `null` it is
/// discarded.
fn put(rule: &Value, data: Value, result: Value) -> Value {
    if rule.get("ResultPath").is_some_and(Value::is_null) {
        return data;
    }
    let path = rule["ResultPath"].as_str().unwrap_or("$");
    let fields: Vec<&str> = path
        .trim_start_matches('$')
        .split('.')
        .filter(|part| !part.is_empty())
        .collect();
    let Some((last, parents)) = fields.split_last() else {
        return result;
    };
    let mut output = if data.is_object() { data } else { json!({}) };
    let mut place = &mut output;
    for parent in parents {
        place = &mut place[*parent];
    }
    place[*last] = result;
    output
}

fn choose(state: &Value, data: &Value, context: &Context) -> Result<String, Failed> {
    for choice in state["Choices"].as_array().unwrap() {
        if holds(choice, data, context)? {
            return Ok(choice["Next"].as_str().unwrap().to_owned());
        }
    }
    state["Default"].as_str().map(str::to_owned).ok_or_else(|| Failed {
        error: "States.NoChoiceMatched".to_owned(),
        cause: String::new(),
    })
}

fn holds(rule: &Value, data: &Value, context: &Context) -> Result<bool, Failed> {
    if let Some(rules) = rule["And"].as_array() {
        for rule in rules {
            if !holds(rule, data, context)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let path = rule["Variable"].as_str().unwrap();
    let value = select(path, data, context);
    if let Some(wanted) = rule["IsPresent"].as_bool() {
        return Ok(value.is_some() == wanted);
    }
    let value = value.ok_or_else(|| Failed::runtime(format!("`{path}` names nothing")))?;
    if let Some(wanted) = rule["StringEquals"].as_str() {
        return Ok(value.as_str() == Some(wanted));
    }
    if let Some(pattern) = rule["StringMatches"].as_str() {
        return Ok(value.as_str().is_some_and(|text| like(pattern, text)));
    }
    if let Some(wanted) = rule["IsString"].as_bool() {
        return Ok(value.is_string() == wanted);
    }
    panic!("the rule {rule} is not interpreted")
}

/// `StringMatches`: `*` is any text.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && like(after, &rest[at..]))),
    }
}

fn text_of(state: &Value, field: &str, data: &Value, context: &Context) -> Result<String, Failed> {
    let value = match state[format!("{field}Path")].as_str() {
        Some(path) => evaluate(path, data, context)?,
        None => state[field].clone(),
    };
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Failed::runtime(format!("{field} of a Fail state is no string: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(definition: Value, answers: Vec<Result<Value, Failed>>) -> Run {
        let answers = std::cell::RefCell::new(answers.into_iter());
        let task: Task<'_> = Box::new(|_| {
            let answer = answers.borrow_mut().next().unwrap();
            Box::pin(async move { answer })
        });
        Machine::new(definition, BTreeMap::from([("t".to_owned(), task)]), 0.0)
            .run(
                "arn:aws:states:r:a:execution:m:release-1",
                "2030-01-01T00:00:00Z",
                json!({"a": 1}),
            )
            .await
    }

    fn task(more: &Value) -> Value {
        let mut state = json!({"Type": "Task", "Resource": "t", "Next": "Done"});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"StartAt": "T", "States": {"T": state, "Done": {"Type": "Succeed"},
            "Sorry": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "States.Format('{} ({})', $.error.Cause, $$.Execution.Name)"}}})
    }

    #[tokio::test]
    async fn a_task_is_tried_again_and_then_caught() {
        let failed = Failed {
            error: "E".to_owned(),
            cause: "because".to_owned(),
        };
        let definition = task(&json!({
            "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 2}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Sorry"}],
        }));
        let run = run(definition, vec![Err(failed.clone()); 3]).await;
        assert_eq!(run.path, ["T", "Sorry"]);
        assert_eq!(run.outcome.unwrap_err().cause, "because (release-1)");
    }

    #[tokio::test]
    async fn an_oversized_state_ends_the_run() {
        let run = run(task(&json!({})), vec![Ok(Value::String("x".repeat(MOST_STATE)))]).await;
        assert_eq!(run.outcome.unwrap_err().error, "States.DataLimitExceeded");
    }

    #[test]
    fn results_are_put_where_the_path_says() {
        let put = |rule: Value| put(&rule, json!({"c": 1}), json!(2));
        assert_eq!(put(json!({"ResultPath": "$.a.b"})), json!({"c": 1, "a": {"b": 2}}));
        assert_eq!(put(json!({"ResultPath": "$"})), json!(2));
        assert_eq!(put(json!({})), json!(2));
        assert_eq!(put(json!({"ResultPath": null})), json!({"c": 1}));
    }

    #[test]
    fn patterns_match_as_a_whole() {
        assert!(like("{*\"m\":*}", "{\"x\":1,\"m\":2}"));
        assert!(!like("FailureClean.*", "FailureDirty.x"));
    }
}
