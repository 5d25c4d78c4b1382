//! Logs: one JSON object per line, its fields side by side, so that `filter release_id = "..."` finds a release.
//!
//! What an author wrote can stand in a value and nowhere else: names of fields are written in the code, and a value is
//! made printable and cut. So it can neither end a line nor begin another, nor turn a terminal around, nor pass for a
//! metric, which CloudWatch reads from lines that have a field `_aws`.

use std::fmt;
use std::io::Write;

use fenrir_core::deployment::cut;
use fenrir_core::problem::printable;
use fenrir_core::timestamp;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Bytes of JSON of one value: a whole cause fits. A line has about 25 of them, and CloudWatch Logs takes 256 KB of an
/// event (CloudWatch Logs quotas, "Log event size").
const VALUE_LIMIT: usize = 4_000;

/// Begins to log to standard output, which Lambda puts into the function's log group.
///
/// Fenrir's own events from `info` on, those of the SDK from `warn` on: at `info` it tells of every request.
pub(crate) fn begin() {
    // Fails only when a subscriber is there already, which then logs.
    let _ = subscriber(print).try_init();
    // Its words may quote what somebody else wrote. The process ends after it, and Lambda says so.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let words = panic.payload_as_str().unwrap_or_default();
        tracing::error!(place, words, "this step broke down, which is a fault of Fenrir");
    }));
}

/// Whoever logs while this is set, logs through `write`, line by line.
pub(crate) fn subscriber(write: impl Fn(&str) + Send + Sync + 'static) -> impl Subscriber + Send + Sync {
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("aws", LevelFilter::WARN)
        .with_target("hyper", LevelFilter::WARN)
        .with_target("lambda_runtime", LevelFilter::WARN);
    tracing_subscriber::registry().with(levels).with(Lines { write })
}

/// Writes one line to standard output, in one piece. Nobody can be told when that fails.
pub(crate) fn print(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

struct Lines<W> {
    write: W,
}

/// The fields of a span or of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }

    fn put_text(&mut self, field: &Field, text: &str) {
        self.put(field, Value::String(harmless(text)));
    }
}

/// Text from anywhere as a value.
pub(crate) fn harmless(text: &str) -> String {
    // Cut first: what is thrown away need not be made printable. And cut again, because that may make it longer.
    cut(&printable(&cut(text, VALUE_LIMIT)), VALUE_LIMIT)
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Fields::default();
        event.record(&mut said);
        let mut line = Map::from_iter([
            ("time".to_owned(), timestamp::exact(OffsetDateTime::now_utc()).into()),
            ("level".to_owned(), event.metadata().level().as_str().into()),
        ]);
        // What people read first stands first. Of two fields of one name the nearer one counts.
        if let Some(message) = said.0.shift_remove("message") {
            line.insert("message".to_owned(), message);
        }
        add(&mut line, said.0);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                add(&mut line, fields.0.clone());
            }
        }
        (self.write)(&Value::Object(line).to_string());
    }
}

fn add(line: &mut Map<String, Value>, fields: Map<String, Value>) {
    for (name, value) in fields {
        line.entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    /// The lines that `logs` writes.
    fn lines(logs: impl FnOnce()) -> Vec<String> {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&written);
        with_default(subscriber(move |line| sink.lock().unwrap().push(line.to_owned())), logs);

        written.lock().unwrap().clone()
    }

    #[test]
    fn a_line_has_its_own_fields_and_those_of_what_it_is_part_of_side_by_side() {
        let lines = lines(|| {
            let step = tracing::info_span!(
                "step",
                step = "lock",
                release_id = "release-1",
                account = tracing::field::Empty
            );
            step.record("account", "111111111111");
            let _outer = step.enter();
            let _inner = tracing::info_span!("release", release_id = "release-2").entered();
            tracing::warn!(duration_ms = 12_u64, cold = true, ratio = 0.5, step = "event", "done");
        });
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
        let mut rest = line.as_object().unwrap().clone();
        rest.remove("time");
        assert_eq!(
            Value::Object(rest),
            serde_json::json!({
                "level": "WARN", "message": "done", "duration_ms": 12, "cold": true, "ratio": 0.5, "step": "event",
                "release_id": "release-2", "account": "111111111111",
            })
        );
        assert!(lines[0].starts_with(r#"{"time":"#) && lines[0].contains(r#""level":"WARN","message":"done","#));
    }

    #[test]
    fn an_author_cannot_forge_a_line_a_field_or_a_metric() {
        let evil = "x\n{\"level\":\"INFO\",\"release_id\":\"forged\"}\r\n\",\"_aws\":{\"CloudWatchMetrics\":[]},\"a\":\"\
                    \u{1b}[2J\u{202e}\u{2066}\u{2028}\u{85}\u{feff}\u{0}";
        let lines = lines(|| {
            let _span = tracing::info_span!("step", project = evil, release_id = "release-1").entered();
            tracing::error!(cause = evil, debug = ?evil, display = %evil, "{evil}");
        });
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].chars().all(|c| !fenrir_core::problem::is_unprintable(c)),
            "{}",
            lines[0]
        );
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        let names: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "time",
                "level",
                "message",
                "cause",
                "debug",
                "display",
                "project",
                "release_id"
            ]
        );
        assert_eq!(line["release_id"], "release-1");
        assert_eq!(line["level"], "ERROR");
        // The words are all there, for whoever looks into it.
        assert!(line["cause"].as_str().unwrap().starts_with("x\\u{a}{\"level\""));
    }

    #[test]
    fn huge_values_make_no_huge_line() {
        for piece in ["a", "\"", "\n", "\u{1f43a}", "\u{202e}"] {
            let huge = piece.repeat(1 << 18);
            let lines = lines(|| tracing::info!(a = huge, b = ?huge, c = %huge, "{huge}"));
            assert!(lines[0].len() < 4 * VALUE_LIMIT + 200, "{}", lines[0].len());
            serde_json::from_str::<Value>(&lines[0]).unwrap();
        }
    }

    #[test]
    fn the_sdk_is_heard_only_when_it_warns() {
        let lines = lines(|| {
            tracing::info!(target: "aws_smithy_runtime::client", "not heard");
            tracing::warn!(target: "aws_smithy_runtime::client", "heard");
            tracing::debug!("not heard");
        });
        assert_eq!(lines.len(), 1);
    }
}
