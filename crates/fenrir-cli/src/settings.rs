//! `fenrir.toml`: what a team does not want to say again with every command.
//!
//! ```toml
//! [default]                         # for every config
//! region = "eu-west-1"
//! deployer-account = "111122223333"
//! tags = { team = "payments" }
//!
//! [config.staging]
//! account = "222222222222"
//!
//! [config.production]
//! inherits = "staging"              # all of it, and then:
//! account = "333333333333"
//! timeout = 3600
//! ```
//!
//! A flag is stronger than an environment variable, and that one stronger than the file. The file lies beside the template or
//! in a folder above it, up to the root of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use fenrir_core::problem::{Position, Problem};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::arguments::{self, Wanted};
use crate::exit::Exit;
use crate::fault::{Fault, Stop};
use crate::printer::Printer;
use crate::source::{self, Source};

/// Its name.
pub const FILE: &str = "fenrir.toml";

/// The code of everything that is wrong with the file; `rules` explains it.
const CODE: &str = "F0810";

/// Bytes of a file: settings are a page.
const LIMIT: u64 = 65_536;
/// Problems that are told of a file.
const PROBLEMS: usize = 50;
/// Configs that are named where one is missing.
const NAMED: usize = 20;

/// The section for every config.
const DEFAULT: &str = "default";
/// The sections of single configs.
const CONFIG: &str = "config";
/// The config whose settings hold unless said otherwise.
const INHERITS: &str = "inherits";

/// Every setting, for people who look for one.
pub const SETTINGS: [(&str, &str); 9] = [
    ("account", "account to deploy into (`--account`)"),
    ("region", "region of the application (`--region`)"),
    (
        "deployer-account",
        "account that the deployer lives in (`--deployer-account`)",
    ),
    (
        "state-machine",
        "ARN of the deployer's state machine (`--state-machine`)",
    ),
    ("profile", "profile of `~/.aws/config` (`--profile`)"),
    ("timeout", "seconds that the whole deploy may take (`--timeout`)"),
    ("tags", "tags for the stack and everything in it (`--tag`)"),
    ("metadata", "what to remember about each release (`--metadata`)"),
    ("allowed", "ids that the deployer's administrators allow (`--allowed`)"),
];

/// The settings of one section, or of a config with all that it inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    account: Option<String>,
    region: Option<String>,
    deployer_account: Option<String>,
    state_machine: Option<String>,
    profile: Option<String>,
    timeout: Option<u32>,
    tags: BTreeMap<String, String>,
    metadata: BTreeMap<String, String>,
    allowed: Vec<String>,
}

impl Settings {
    /// These settings, and those of `below` where these say nothing. Tags and metadata are joined key by key.
    fn over(self, below: Self) -> Self {
        let joined = |upper: BTreeMap<String, String>, mut lower: BTreeMap<String, String>| {
            lower.extend(upper);
            lower
        };
        // Who names a deployer in one way does not mean the one that is named below in the other.
        let names_deployer = self.deployer_account.is_some() || self.state_machine.is_some();
        let below_deployer = |value: Option<String>| if names_deployer { None } else { value };
        Self {
            account: self.account.or(below.account),
            region: self.region.or(below.region),
            deployer_account: self.deployer_account.or_else(|| below_deployer(below.deployer_account)),
            state_machine: self.state_machine.or_else(|| below_deployer(below.state_machine)),
            profile: self.profile.or(below.profile),
            timeout: self.timeout.or(below.timeout),
            tags: joined(self.tags, below.tags),
            metadata: joined(self.metadata, below.metadata),
            allowed: if self.allowed.is_empty() {
                below.allowed
            } else {
                self.allowed
            },
        }
    }

    /// Whether they say where a deploy goes.
    fn leads(&self) -> bool {
        let all = [&self.account, &self.region, &self.deployer_account, &self.state_machine];
        all.into_iter().any(Option::is_some)
    }

    /// Fills in what neither a flag nor the environment says.
    fn fill(self, wanted: Wanted<'_>) {
        let fill = |into: &mut Option<String>, from: Option<String>| {
            if into.is_none() {
                *into = from;
            }
        };
        let (of_launch, launch) = match wanted.launch {
            Some(launch) => (
                Some(&mut launch.aws),
                Some((
                    &mut launch.timeout,
                    &mut launch.tags,
                    &mut launch.metadata,
                    &mut launch.allowed,
                )),
            ),
            None => (None, None),
        };
        if let Some(aws) = wanted.aws.or(of_launch) {
            let names_deployer = aws.deployer_account.is_some() || aws.state_machine.is_some();
            fill(&mut aws.account, self.account.clone());
            fill(&mut aws.region, self.region.clone());
            fill(&mut aws.profile.name, self.profile);
            if !names_deployer {
                aws.deployer_account = self.deployer_account;
                aws.state_machine = self.state_machine;
            }
        }
        if let Some(place) = wanted.place {
            fill(place.0, self.account);
            fill(place.1, self.region);
        }
        if let Some((timeout, tags, metadata, allowed)) = launch {
            *timeout = timeout.or(self.timeout);
            // What comes later wins, so the flags come last.
            let flags = std::mem::take(tags);
            *tags = self.tags.into_iter().chain(flags).collect();
            let flags = std::mem::take(metadata);
            *metadata = self.metadata.into_iter().chain(flags).collect();
            if allowed.is_empty() {
                *allowed = self.allowed;
            }
        }
    }
}

/// Fills in what the file says, if there is one.
///
/// # Errors
/// All problems of the file; that it is somebody else's; that it does not know the config.
pub fn apply(command: &mut arguments::Command, printer: &mut Printer) -> Result<(), Stop> {
    let Some(wanted) = command.wanted() else {
        return Ok(());
    };
    let template = source::find(wanted.template.as_deref()).ok();
    let folder = template.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let Some(path) = find(folder) else { return Ok(()) };
    let name = path.display();
    if is_strange(&path, folder) {
        let fault = Fault::usage(format!(
            "`{name}` belongs to somebody else than the folder that it is for"
        ));
        return Err(fault
            .help("it can send a deploy elsewhere; copy it into a folder of your own, or take it away")
            .into());
    }
    if fs::metadata(&path).is_ok_and(|file| file.len() > LIMIT) {
        return Err(Fault::usage(format!("`{name}` has more than {LIMIT} bytes")).into());
    }
    let source = Source::read(&path)?;
    let file = read(&source.text).map_err(|problems| Stop::Problems {
        exit: Exit::Usage,
        problems,
        source: source.clone(),
    })?;
    if path.parent() == Some(folder) {
        printer.detail(&format!("settings of `{name}`"));
    } else {
        // Nobody has it before him.
        printer.progress(&format!("settings of `{name}`"));
    }
    // Whether the template can be read is for the command to say.
    let config = wanted.config.clone().or_else(|| config_of(&template?));
    if let Some(config) = &config
        && let Some(help) = file.strange(config)
    {
        let fault = Fault::usage(format!("`{name}` has no section for the config `{config}`"));
        return Err(fault.help(help).into());
    }
    file.of(config.as_deref()).fill(wanted);
    Ok(())
}

fn config_of(template: &Path) -> Option<String> {
    let document = Source::read(template).ok()?.load().ok()?;
    document
        .value()
        .get("ConfigName")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// The file in `folder` or, inside a repository, in a folder above it.
fn find(folder: &Path) -> Option<PathBuf> {
    let here = folder.join(FILE);
    if here.is_file() {
        return Some(here);
    }
    let absolute = std::env::current_dir().ok()?.join(folder);
    let root = absolute.ancestors().find(|folder| folder.join(".git").exists())?;
    absolute
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .map(|folder| folder.join(FILE))
        .find(|path| path.is_file())
}

/// Whether the file, or the folder that it lies in, is another user's than the folder that it is for: whoever can write
/// somewhere above a folder must not redirect what is deployed from there. The superuser is trusted, as by git's
/// `safe.directory`.
#[cfg(unix)]
fn is_strange(path: &Path, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let owner = |path: &Path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        fs::metadata(path).map(|metadata| metadata.uid())
    };
    let Ok(own) = owner(folder) else { return true };
    let is_strange = |path: &Path| owner(path).is_ok_and(|uid| uid != own && uid != 0);
    is_strange(path) || path.parent().is_some_and(is_strange)
}

#[cfg(not(unix))]
fn is_strange(_: &Path, _: &Path) -> bool {
    false
}

/// A file that was read.
#[derive(Debug, Default)]
struct File {
    default: Settings,
    configs: BTreeMap<String, Own>,
}

impl File {
    /// The settings for a config, with all that it inherits.
    fn of(&self, config: Option<&str>) -> Settings {
        let mut settings = Settings::default();
        let mut next = config.and_then(|config| self.configs.get(config));
        while let Some(own) = next {
            settings = settings.over(own.settings.clone());
            // Without a circle: `read` has looked.
            next = own.inherits.as_ref().and_then(|(parent, _)| self.configs.get(parent));
        }
        settings.over(self.default.clone())
    }

    /// What to do about a config that the file does not know although it says of others where they go: a misspelt one must
    /// not go to where the default does.
    fn strange(&self, config: &str) -> Option<String> {
        let leads = self.configs.values().any(|own| own.settings.leads());
        if !leads || self.configs.contains_key(config) {
            return None;
        }
        let near = self.configs.keys().max_by(|one, other| {
            let likeness = |name: &str| strsim::jaro_winkler(name, config);
            likeness(one).total_cmp(&likeness(other))
        });
        let near = near.filter(|near| strsim::jaro_winkler(near, config) > ALIKE);
        let meant = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        Some(format!(
            "{meant}write `[{CONFIG}.{config}]`, and nothing below it where `[{DEFAULT}]` says all"
        ))
    }
}

/// From which likeness on (Jaro-Winkler, 0 to 1) a name may be another one misspelt.
const ALIKE: f64 = 0.8;

fn read(text: &str) -> Result<File, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        text,
        problems: Vec::new(),
    };
    for error in errors {
        reader.problem(
            error.span().unwrap_or_default(),
            format!("this is no TOML: {}", error.message()),
            None,
        );
    }
    let file = if reader.problems.is_empty() {
        reader.file(table.get_ref())
    } else {
        File::default()
    };
    reader.problems.sort_by_key(|problem| problem.position);
    if reader.problems.is_empty() {
        Ok(file)
    } else {
        Err(reader.problems)
    }
}

/// Reads, and gathers what is wrong.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

/// What a config says itself: its settings, and whom it inherits from.
#[derive(Debug)]
struct Own {
    settings: Settings,
    inherits: Option<(String, Range<usize>)>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        if self.problems.len() >= PROBLEMS {
            return;
        }
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let mut problem = Problem::error(CODE, "", message);
        problem.position = Some(Position {
            line: number(line),
            column: number(column),
        });
        problem.help = help;
        self.problems.push(problem);
    }

    fn file(&mut self, table: &DeTable<'_>) -> File {
        let mut file = File::default();
        let mut configs = BTreeMap::new();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (DEFAULT, DeValue::Table(section)) => file.default = self.section(section, false).settings,
                (CONFIG, DeValue::Table(sections)) => {
                    for (name, section) in sections {
                        match section.get_ref() {
                            DeValue::Table(section) => {
                                configs.insert(name.get_ref().to_string(), self.section(section, true));
                            }
                            _ => self.problem(
                                name.span(),
                                format!("`{}` is no section of settings", name.get_ref()),
                                Some("write `[config.NAME]`, and the settings below it".to_owned()),
                            ),
                        }
                    }
                }
                (other, _) => self.problem(
                    key.span(),
                    format!("there is no section `{other}`"),
                    Some(format!("settings stand below `[{DEFAULT}]` or `[{CONFIG}.NAME]`")),
                ),
            }
        }
        self.inheritance(&configs);
        file.configs = configs;
        file
    }

    /// Every config inherits from one that there is, and none from itself.
    fn inheritance(&mut self, configs: &BTreeMap<String, Own>) {
        let mut seen_before = BTreeSet::new();
        for name in configs.keys() {
            let mut seen = BTreeSet::new();
            let mut next = Some(name);
            while let Some(name) = next {
                if seen_before.contains(name) {
                    break;
                }
                seen.insert(name);
                let inherits = configs.get(name).and_then(|own| own.inherits.as_ref());
                next = inherits.map(|(parent, _)| parent);
                match inherits {
                    Some((parent, span)) if !configs.contains_key(parent) => {
                        let known: Vec<&str> = configs.keys().take(NAMED).map(String::as_str).collect();
                        let message = format!("there is no config `{parent}` to inherit from");
                        self.problem(
                            span.clone(),
                            message,
                            Some(format!("the file has {}", known.join(", "))),
                        );
                    }
                    Some((parent, span)) if seen.contains(parent) => {
                        let message = format!("the config `{name}` inherits from itself in the end");
                        let help = "take one `inherits` of the circle away".to_owned();
                        self.problem(span.clone(), message, Some(help));
                        break;
                    }
                    _ => {}
                }
            }
            seen_before.extend(seen);
        }
    }

    fn section(&mut self, table: &DeTable<'_>, may_inherit: bool) -> Own {
        let mut own = Own {
            settings: Settings::default(),
            inherits: None,
        };
        let settings = &mut own.settings;
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "account" => settings.account = self.checked(value, arguments::account),
                "deployer-account" => settings.deployer_account = self.checked(value, arguments::account),
                "region" => settings.region = self.string(value),
                "state-machine" => settings.state_machine = self.string(value),
                "profile" => settings.profile = self.string(value),
                "timeout" => settings.timeout = self.timeout(value),
                "tags" => settings.tags = self.strings(value),
                "metadata" => settings.metadata = self.strings(value),
                "allowed" => settings.allowed = self.list(value),
                INHERITS if may_inherit => own.inherits = self.string(value).map(|parent| (parent, value.span())),
                other => {
                    let mut help = "the settings are ".to_owned();
                    for (index, (name, _)) in SETTINGS.iter().enumerate() {
                        let _infallible = write!(help, "{}`{name}`", if index == 0 { "" } else { ", " });
                    }
                    let help = if may_inherit {
                        format!("{help}, `{INHERITS}`")
                    } else {
                        help
                    };
                    self.problem(key.span(), format!("there is no setting `{other}`"), Some(help));
                }
            }
        }
        if own.settings.deployer_account.is_some() && own.settings.state_machine.is_some() {
            let at = table.keys().find(|key| key.get_ref() == "state-machine");
            self.problem(
                at.map(Spanned::span).unwrap_or_default(),
                "both `state-machine` and `deployer-account` are given",
                Some("the state machine's ARN names the account already".to_owned()),
            );
        }
        own
    }

    fn string(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text.to_string());
        }
        self.problem(value.span(), "this is no text", Some("write it in quotes".to_owned()));
        None
    }

    fn checked(&mut self, value: &Spanned<DeValue<'_>>, check: fn(&str) -> Result<String, String>) -> Option<String> {
        let text = self.string(value)?;
        match check(&text) {
            Ok(text) => Some(text),
            Err(problem) => {
                self.problem(value.span(), format!("`{text}`: {problem}"), None);
                None
            }
        }
    }

    fn timeout(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u32> {
        let seconds = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let seconds = seconds.filter(|seconds| arguments::TIMEOUT.contains(seconds));
        if seconds.is_none() {
            let (least, most) = (arguments::TIMEOUT.start(), arguments::TIMEOUT.end());
            self.problem(
                value.span(),
                format!("a timeout is a number of seconds, {least} to {most}"),
                None,
            );
        }
        seconds
    }

    fn strings(&mut self, value: &Spanned<DeValue<'_>>) -> BTreeMap<String, String> {
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(
                value.span(),
                "these are no keys and values",
                Some("write `{ key = \"value\" }`".to_owned()),
            );
            return BTreeMap::new();
        };
        table
            .iter()
            .filter_map(|(key, value)| Some((key.get_ref().to_string(), self.string(value)?)))
            .collect()
    }

    fn list(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        let DeValue::Array(array) = value.get_ref() else {
            self.problem(
                value.span(),
                "this is no list",
                Some("write `[\"one\", \"two\"]`".to_owned()),
            );
            return Vec::new();
        };
        array.iter().filter_map(|value| self.string(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    const GOOD: &str = r#"
[default]
region = "eu-west-1"
deployer-account = "111122223333"
tags = { team = "payments", tier = "1" }

[config.staging]
account = "222222222222"
timeout = 900

[config.production]
inherits = "staging"
account = "333333333333"
tags = { tier = "0" }
"#;

    #[test]
    fn a_config_inherits_and_the_default_holds_for_all() {
        let production = read(GOOD).unwrap().of(Some("production"));
        assert_eq!(production.account.as_deref(), Some("333333333333"));
        assert_eq!(production.region.as_deref(), Some("eu-west-1"));
        assert_eq!(production.timeout, Some(900));
        let tags = [("team", "payments"), ("tier", "0")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(production.tags, BTreeMap::from(tags));
    }

    #[test]
    fn a_misspelt_config_does_not_go_where_the_default_does() {
        let file = read(GOOD).unwrap();
        assert!(
            file.strange("prodution")
                .unwrap()
                .starts_with("did you mean `production`?")
        );
        assert_eq!(file.strange("production"), None);
        // Nothing says where anything goes: there is nothing to get wrong.
        let file = read("[default]\nregion = \"eu-west-1\"\n[config.slow]\ntimeout = 900\n").unwrap();
        assert_eq!(file.strange("slwo"), None);
    }

    #[test]
    fn a_file_of_many_mistakes_is_read_soon() {
        let mut text = "[default]\n".to_owned();
        for number in 0..3_000 {
            let _infallible = writeln!(text, "wrong{number} = 1");
        }
        for number in 0..1_000 {
            let _infallible = writeln!(text, "[config.c{number}]\ninherits = \"c{}\"", number + 1);
        }
        assert_eq!(read(&text).unwrap_err().len(), PROBLEMS);
    }

    #[test]
    fn a_config_without_a_section_has_the_default() {
        let file = read(GOOD).unwrap();
        assert_eq!(file.of(Some("other")), file.default);
        assert_eq!(file.of(None), file.default);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let text = "[default]\nregoin = \"x\"\ntimeout = 5\naccount = \"12\"\n[config.a]\ninherits = \"b\"\n[config.b]\n\
                    inherits = \"a\"\n[config.c]\ninherits = \"nobody\"\nregion = 3\n[others]\nx = 1\n";
        let problems = read(text).unwrap_err();
        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.position.unwrap().line, problem.message))
            .collect();
        assert_eq!(
            told,
            [
                "2: there is no setting `regoin`",
                "3: a timeout is a number of seconds, 60 to 43200",
                "4: `12`: an account id has 12 digits",
                "8: the config `b` inherits from itself in the end",
                "10: there is no config `nobody` to inherit from",
                "11: this is no text",
                "12: there is no section `others`",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_says_where() {
        let problems = read("[default\nregion = ").unwrap_err();
        assert_eq!(problems.first().unwrap().position.unwrap().line, 1);
    }

    #[test]
    fn naming_the_deployer_otherwise_replaces_the_deployer() {
        let text = "[default]\ndeployer-account = \"111122223333\"\n[config.a]\nstate-machine = \"arn\"\n";
        let settings = read(text).unwrap().of(Some("a"));
        assert_eq!(
            (settings.deployer_account, settings.state_machine.as_deref()),
            (None, Some("arn"))
        );
    }

    #[test]
    fn every_setting_is_known() {
        for (name, _) in SETTINGS {
            let value = match name {
                "timeout" => "60",
                "tags" | "metadata" => "{}",
                "allowed" => "[]",
                "account" | "deployer-account" => "\"111122223333\"",
                _ => "\"x\"",
            };
            assert!(read(&format!("[default]\n{name} = {value}\n")).is_ok(), "{name}");
        }
    }
}
