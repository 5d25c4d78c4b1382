//! Every environment variable that `fenrir` reads, once. A flag is stronger than its variable.
//!
//! Credentials come from where every AWS tool takes them: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
//! `AWS_SESSION_TOKEN`, a profile of `~/.aws/config`, a web identity, or the container's or instance's role.

/// Region of the application (`--region`). Also read: `AWS_DEFAULT_REGION`, and the profile's own region.
pub const REGION: &str = "AWS_REGION";
/// Profile of `~/.aws/config` (`--profile`).
pub const PROFILE: &str = "AWS_PROFILE";
/// Where AWS is, such as a local one (`--endpoint-url`).
pub const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// Account to deploy into, 12 digits (`--account`); the caller's own when not set.
pub const ACCOUNT: &str = "FENRIR_ACCOUNT";
/// Config to deploy (`--config`), instead of the template's `ConfigName`.
pub const CONFIG: &str = "FENRIR_CONFIG";
/// Account that the deployer lives in, 12 digits (`--deployer-account`); the caller's own when not set.
pub const DEPLOYER_ACCOUNT: &str = "FENRIR_DEPLOYER_ACCOUNT";
/// ARN of the deployer's state machine (`--state-machine`), when it is in another region than the application.
pub const STATE_MACHINE: &str = "FENRIR_STATE_MACHINE";
/// Seconds that following a deploy goes on trying when AWS cannot be reached; 120 when not set.
pub const PATIENCE: &str = "FENRIR_PATIENCE";
/// Seconds of silence after which following says that it still watches, where no bar shows it; 30 when not set.
pub const HEARTBEAT: &str = "FENRIR_HEARTBEAT";
/// No colours, whatever its value (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// Columns of the terminal, where its own number is not to be believed.
pub const COLUMNS: &str = "COLUMNS";
/// Set by build servers, which keep every line: nothing is drawn twice, whatever its value.
pub const CI: &str = "CI";

/// The kind of the terminal; `dumb` is neither coloured nor drawn on.
pub const TERM: &str = "TERM";

/// The screen of X11. Without it, and without [`WAYLAND_DISPLAY`], no browser is opened.
pub const DISPLAY: &str = "DISPLAY";
/// The screen of Wayland.
pub const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";

/// Every variable and what it is for: `fenrir --help` and `docs/reference.md` are made of this.
pub const VARIABLES: [(&str, &str); 16] = [
    (REGION, "region of the application"),
    (PROFILE, "profile of `~/.aws/config`"),
    (ENDPOINT_URL, "where AWS is, such as a local one"),
    (ACCOUNT, "account to deploy into"),
    (CONFIG, "config to deploy"),
    (DEPLOYER_ACCOUNT, "account that the deployer lives in"),
    (STATE_MACHINE, "ARN of the deployer's state machine"),
    (PATIENCE, "seconds to go on trying when AWS cannot be reached (120)"),
    (
        HEARTBEAT,
        "seconds of silence after which it says that it still watches (30)",
    ),
    (NO_COLOR, "no colours"),
    (COLUMNS, "columns of the terminal"),
    (CI, "set by build servers: nothing is drawn twice"),
    (TERM, "the kind of the terminal"),
    (DISPLAY, "the screen to open a browser on, of X11"),
    (WAYLAND_DISPLAY, "the same, of Wayland"),
    ("AWS_ACCESS_KEY_ID, ...", "credentials, as for every AWS tool"),
];

/// The table for `fenrir --help`.
#[must_use]
pub fn help() -> String {
    let lines = VARIABLES.map(|(name, what)| format!("  {name:23}  {what}"));
    format!("Environment (a flag is stronger):\n{}", lines.join("\n"))
}
