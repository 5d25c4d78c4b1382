//! Logs: one JSON object per line. Every value is a JSON string, so that nothing a template's author writes can end a
//! line or begin another.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Begins to log to standard output, which Lambda puts into the function's log group.
///
/// Fenrir's own events from `info` on, those of the SDK from `warn` on: at `info` it tells of every request.
pub(crate) fn begin() {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false);
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("aws", LevelFilter::WARN)
        .with_target("hyper", LevelFilter::WARN)
        .with_target("lambda_runtime", LevelFilter::WARN);
    // Fails only when a subscriber is there already, which then logs.
    let _ = tracing_subscriber::registry().with(levels).with(lines).try_init();
}
