//! The page: HTML of a [`Board`]. Everything that it needs is in it, and what came from outside is escaped ([`Html`]).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fenrir_core::deployment::Operation;
use fenrir_core::owner::Owner;
use fenrir_core::{codes, console, timestamp};
use fenrir_store::history::Said;
use fenrir_store::{Freeze, Holder, Status};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::board::{Board, Config, Entered, Release, Run, Standing};
use super::html::{self, Html};
use super::machine::{Kind, Machine};
use crate::text::duration;

/// The style sheet.
pub const STYLE: &str = include_str!("style.css");
/// The script: what is nicer with it. Nothing needs it.
pub const SCRIPT: &str = include_str!("script.js");

/// A fork: the wolf is called Fenrir.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' \
                    height='16' rx='4' fill='%231d54b4'/%3E%3Cpath d='M3 4l3 2h4l3-2-1 6-4 3-4-3z' fill='%23fff'/%3E%3C/svg%3E";

/// Of a commit; git itself shows as many.
const COMMIT: usize = 7;
/// Of a bar in a history, in pixels.
const BAR: f64 = 88.0;

/// How the page reaches its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// From this machine: it reads itself anew.
    Live,
    /// As a file: it stays as it is.
    Snapshot,
}

/// What the page may do: show what is in it, and read itself anew where it is served. Its style sheet and its script are
/// named by their hashes, so that nothing else is either, whatever a text in the page says.
#[must_use]
pub fn policy(form: Form) -> String {
    static HASHES: LazyLock<[String; 2]> =
        LazyLock::new(|| [STYLE, SCRIPT].map(|source| STANDARD.encode(Sha256::digest(source.as_bytes()))));
    let [style, script] = &*HASHES;
    let connect = match form {
        Form::Live => "'self'",
        Form::Snapshot => "'none'",
    };
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:; connect-src \
         {connect}; base-uri 'none'; form-action 'none'"
    )
}

/// The page.
#[must_use]
pub fn page(board: &Board, form: Form) -> String {
    let mut html = Html::new();
    let view = View {
        board,
        form,
        now: board.now(),
    };
    html.doctype();
    html.element("html", &[("lang", "en")], |html| {
        html.element("head", &[], |html| view.head(html));
        html.line();
        let body: &[_] = match form {
            Form::Live => &[("data-live", "yes")],
            Form::Snapshot => &[],
        };
        html.element("body", body, |html| view.body(html));
    });
    html.line();
    html.finish()
}

struct View<'a> {
    board: &'a Board,
    form: Form,
    now: OffsetDateTime,
}

impl View<'_> {
    fn head(&self, html: &mut Html) {
        html.empty("meta", &[("charset", "utf-8")]);
        html.empty(
            "meta",
            &[
                ("http-equiv", "Content-Security-Policy"),
                ("content", &policy(self.form)),
            ],
        );
        html.empty(
            "meta",
            &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")],
        );
        html.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        html.empty("meta", &[("name", "referrer"), ("content", "no-referrer")]);
        html.leaf("title", &[], &self.title());
        html.empty("link", &[("rel", "icon"), ("href", ICON)]);
        html.own("style", STYLE);
    }

    /// What a tab among many has to say.
    fn title(&self) -> String {
        let figures = self.board.figures();
        let mut parts = Vec::new();
        if figures.dirty > 0 {
            parts.push(format!("{} dirty", figures.dirty));
        }
        if figures.running > 0 {
            parts.push(format!("{} running", figures.running));
        }
        parts.push("Fenrir".to_owned());
        parts.join(" · ")
    }

    fn body(&self, html: &mut Html) {
        html.leaf("a", &[("class", "skip"), ("href", "#board")], "Skip to the figures");
        html.line();
        html.element("header", &[], |html| {
            html.leaf("h1", &[], "Fenrir");
            html.element("p", &[("id", "made")], |html| {
                let board = self.board;
                html.text(&format!("Deployer {} in {}, ", board.account, board.region));
                html.text(match self.form {
                    Form::Live => "as of ",
                    Form::Snapshot => "a snapshot of ",
                });
                html.leaf("time", &[("datetime", &board.made_at)], &written(&board.made_at));
                html.text(" UTC");
            });
            if self.form == Form::Live {
                html.element("p", &[("id", "live"), ("role", "status")], |_| {});
            }
            html.element("nav", &[("aria-label", "Sections")], |html| {
                html.element("ul", &[], |html| {
                    for (id, name) in [
                        ("running", "Running"),
                        ("held", "Locks"),
                        ("deployed", "Deployed"),
                        ("history", "History"),
                    ] {
                        html.element("li", &[], |html| html.leaf("a", &[("href", &format!("#{id}"))], name));
                    }
                });
            });
        });
        html.line();
        let running = self.board.figures().running.to_string();
        let main = [("id", "board"), ("tabindex", "-1"), ("data-running", running.as_str())];
        html.element("main", &main, |html| {
            self.figures(html);
            self.notes(html);
            self.running(html);
            self.held(html);
            self.deployed(html);
            self.history(html);
        });
        html.line();
        html.element("footer", &[], |html| {
            let form = match self.form {
                Form::Live => "It reads itself anew while you look at it.",
                Form::Snapshot => "Ages are counted to the time of the snapshot.",
            };
            html.leaf(
                "p",
                &[],
                &format!(
                    "Made by fenrir {}. All times are UTC. {form}",
                    env!("CARGO_PKG_VERSION")
                ),
            );
        });
        html.line();
        html.own("script", SCRIPT);
    }

    fn figures(&self, html: &mut Html) {
        let figures = self.board.figures();
        html.element(
            "section",
            &[("aria-labelledby", "summary"), ("class", "first")],
            |html| {
                html.leaf("h2", &[("id", "summary"), ("class", "hidden")], "Summary");
                html.element("dl", &[("class", "figures")], |html| {
                    for (class, name, figure) in [
                        ("", "configs", figures.configs),
                        ("run", "running now", figures.running),
                        ("dirty", "dirty", figures.dirty),
                        ("hold", "frozen", figures.frozen),
                        ("bad", "failed or refused in 24\u{a0}h", figures.failed),
                    ] {
                        let class = if figure == 0 { "zero" } else { class };
                        html.element("div", &[("class", class)], |html| {
                            html.leaf("dt", &[], name);
                            html.leaf("dd", &[], &figure.to_string());
                        });
                    }
                });
            },
        );
        html.line();
    }

    fn notes(&self, html: &mut Html) {
        if self.board.notes.is_empty() {
            return;
        }
        html.element(
            "ul",
            &[("class", "notes"), ("aria-label", "What is not shown")],
            |html| {
                for note in &self.board.notes {
                    html.element("li", &[], |html| words(html, note));
                }
            },
        );
        html.line();
    }

    fn running(&self, html: &mut Html) {
        let running: Vec<&Config> = self
            .board
            .configs
            .iter()
            .filter(|config| config.standing() == Standing::Running)
            .collect();
        section(html, "running", "Running now", |html| {
            if running.is_empty() {
                html.leaf("p", &[("class", "card empty")], "Nothing is being deployed.");
            }
            for config in running {
                self.run(html, config);
            }
        });
    }

    fn run(&self, html: &mut Html, config: &Config) {
        let id = html::id('r', &config.key());
        let attributes = [("class", "card run-card"), ("aria-labelledby", id.as_str())];
        html.element("article", &attributes, |html| {
            html.element("h3", &[("id", &id)], |html| name(html, &config.owner));
            html.element("p", &[("class", "of")], |html| {
                place(html, &config.owner);
                match (&config.running, &config.lock) {
                    (Some(release), _) => {
                        release_id(html, release);
                        html.leaf("span", &[], &format!("by {}", who(release)));
                        if release.operation.is(&Operation::Plan) {
                            tag(html, "none", "plan");
                        }
                        html.element("span", &[], |html| {
                            html.text("for ");
                            let started = [("datetime", release.started_at.as_str())];
                            html.leaf("time", &started, &took(release, self.now));
                        });
                    }
                    (None, Some(lock)) => html.leaf("code", &[], &lock.release_id),
                    (None, None) => {}
                }
            });
            match &config.run {
                Some(run) => way(html, run, &id),
                None => html.leaf("p", &[("class", "muted")], "Its states cannot be shown."),
            }
        });
        html.line();
    }

    fn held(&self, html: &mut Html) {
        let mut locks: Vec<(&Config, &Holder)> = self
            .board
            .configs
            .iter()
            .filter_map(|config| Some((config, config.lock.as_ref()?)))
            .collect();
        // What waits for a person comes first.
        locks.sort_by_key(|(_, lock)| !lock.dirty);
        let mut known = BTreeSet::new();
        let freezes: Vec<&Freeze> = self
            .board
            .configs
            .iter()
            .flat_map(|config| &config.freezes)
            .filter(|freeze| known.insert(freeze.key.as_str()))
            .collect();
        section(html, "held", "Locks and freezes", |html| {
            if locks.is_empty() && freezes.is_empty() {
                html.leaf(
                    "p",
                    &[("class", "card empty")],
                    "Nothing is locked, and nothing is frozen.",
                );
                return;
            }
            html.element("ul", &[("class", "card held")], |html| {
                let (dirty, running): (Vec<_>, Vec<_>) = locks.iter().partition(|(_, lock)| lock.dirty);
                for (config, lock) in dirty {
                    self.lock(html, config, lock);
                }
                for freeze in freezes {
                    self.freeze(html, freeze);
                }
                for (config, lock) in running {
                    self.lock(html, config, lock);
                }
            });
        });
    }

    fn lock(&self, html: &mut Html, config: &Config, lock: &Holder) {
        html.element("li", &[], |html| {
            if lock.dirty {
                tag(html, "dirty", "dirty");
            } else {
                tag(html, "run", "held");
            }
            html.element("div", &[], |html| {
                html.element("p", &[("class", "of")], |html| {
                    html.element("strong", &[], |html| link_to(html, config));
                    place(html, &config.owner);
                    html.leaf("code", &[], &lock.release_id);
                    if let Some(who) = &lock.who {
                        html.leaf("span", &[], &format!("by {who}"));
                    }
                    self.since(html, &lock.since);
                });
                if let Some(reason) = lock.reason.as_ref().filter(|_| lock.dirty) {
                    html.element("p", &[("class", "why")], |html| words(html, reason));
                }
            });
        });
    }

    fn freeze(&self, html: &mut Html, freeze: &Freeze) {
        html.element("li", &[], |html| {
            tag(html, "hold", "frozen");
            html.element("div", &[], |html| {
                html.element("p", &[("class", "of")], |html| {
                    html.leaf("strong", &[], &frozen(&freeze.key));
                    html.leaf("span", &[], &format!("by {}", freeze.who));
                    self.since(html, &freeze.since);
                });
                html.element("p", &[("class", "why")], |html| words(html, &freeze.reason));
            });
        });
    }

    fn since(&self, html: &mut Html, at: &str) {
        html.element("span", &[], |html| {
            html.text("since ");
            html.leaf("time", &[("datetime", &datetime(at))], &written(at));
            html.text(&format!(", {}", self.age(at)));
        });
    }

    fn deployed(&self, html: &mut Html) {
        let attributes = [("aria-labelledby", "deployed")];
        html.element("section", &attributes, |html| {
            html.element("h2", &[("id", "deployed")], |html| {
                html.text("What is deployed where");
                html.element("span", &[("class", "filter"), ("hidden", "")], |html| {
                    html.element("small", &[("id", "shown"), ("role", "status")], |_| {});
                    html.leaf("label", &[("for", "filter")], "Filter");
                    html.empty(
                        "input",
                        &[
                            ("id", "filter"),
                            ("type", "search"),
                            ("autocomplete", "off"),
                            ("spellcheck", "false"),
                        ],
                    );
                });
            });
            if self.board.configs.is_empty() {
                html.leaf("p", &[("class", "card empty")], "This deployer has no releases yet.");
                return;
            }
            region(html, "deployed", |html| {
                html.element("table", &[("class", "stack")], |html| {
                    html.leaf("caption", &[("class", "hidden")], "What is deployed where");
                    headers(
                        html,
                        &[
                            "Project", "Config", "Account", "Region", "Release", "Commit", "By", "Deployed", "State",
                        ],
                    );
                    html.element("tbody", &[("class", "rows")], |html| {
                        for config in &self.board.configs {
                            self.row(html, config);
                        }
                    });
                });
            });
        });
        html.line();
    }

    fn row(&self, html: &mut Html, config: &Config) {
        html.element("tr", &[], |html| {
            let owner = &config.owner;
            html.element("th", &[("scope", "row")], |html| {
                if config.history.is_empty() {
                    project(html, &owner.project);
                } else {
                    let href = format!("#{}", html::id('p', &config.key()));
                    html.element("a", &[("href", &href)], |html| project(html, &owner.project));
                }
            });
            cell(html, "Config", &owner.config);
            cell(html, "Account", &owner.account);
            html.leaf("td", &[("data-of", "Region"), ("class", "n")], &owner.region);
            match &config.deployed {
                Some(release) => {
                    html.element("td", &[("data-of", "Release")], |html| {
                        html.leaf("span", &[("class", "id")], &release.release_id);
                    });
                    html.element("td", &[("data-of", "Commit")], |html| commit(html, release));
                    cell(html, "By", who(release));
                    html.element("td", &[("data-of", "Deployed")], |html| {
                        self.time(html, release.ended_at.as_ref().unwrap_or(&release.started_at));
                    });
                }
                None => {
                    html.leaf("td", &[("colspan", "4"), ("class", "wide muted")], "nothing yet");
                }
            }
            html.element("td", &[("data-of", "State")], |html| {
                html.element("span", &[("class", "tags")], |html| {
                    standing(html, config.standing());
                    if !config.freezes.is_empty() {
                        tag(html, "hold", "frozen");
                    }
                });
            });
        });
        html.line();
    }

    fn history(&self, html: &mut Html) {
        let told: Vec<&Config> = self
            .board
            .configs
            .iter()
            .filter(|config| !config.history.is_empty())
            .collect();
        section(html, "history", "History", |html| {
            if told.is_empty() {
                html.leaf("p", &[("class", "card empty")], "No releases to show.");
                return;
            }
            html.element("div", &[("class", "card")], |html| {
                for config in told {
                    self.releases(html, config);
                }
            });
        });
    }

    fn releases(&self, html: &mut Html, config: &Config) {
        let id = html::id('p', &config.key());
        // A single one was asked for.
        let open: &[_] = if self.board.configs.len() == 1 {
            &[("open", "")]
        } else {
            &[]
        };
        let attributes = [&[("id", id.as_str()), ("class", "config")], open].concat();
        html.element("details", &attributes, |html| {
            html.element("summary", &[], |html| {
                html.element("h3", &[], |html| name(html, &config.owner));
                html.element("span", &[("class", "muted")], |html| place(html, &config.owner));
                self.spark(html, config);
                standing(html, config.standing());
            });
            let label = format!("{id}-table");
            html.element(
                "div",
                &[
                    ("class", "scroll"),
                    ("tabindex", "0"),
                    ("role", "region"),
                    ("aria-labelledby", &label),
                ],
                |html| {
                    html.element("table", &[("class", "stack")], |html| {
                        let caption = format!(
                            "Releases of {} {}, newest first",
                            config.owner.project, config.owner.config
                        );
                        html.leaf("caption", &[("id", &label), ("class", "hidden")], &caption);
                        headers(html, &["Release", "Outcome", "Commit", "By", "Started", "Took"]);
                        let longest = config
                            .history
                            .iter()
                            .filter_map(|release| release.duration(self.now))
                            .map(Duration::as_seconds_f64)
                            .fold(1.0, f64::max);
                        html.element("tbody", &[], |html| {
                            for release in &config.history {
                                self.release(html, release, longest);
                            }
                        });
                    });
                },
            );
        });
        html.line();
    }

    fn release(&self, html: &mut Html, release: &Release, longest: f64) {
        html.element("tr", &[], |html| {
            html.element("th", &[("scope", "row")], |html| release_id(html, release));
            html.element("td", &[("data-of", "Outcome")], |html| {
                html.element("div", &[], |html| {
                    html.element("span", &[("class", "tags")], |html| outcome(html, release));
                    reasons(html, release);
                });
            });
            html.element("td", &[("data-of", "Commit")], |html| commit(html, release));
            cell(html, "By", who(release));
            html.element("td", &[("data-of", "Started")], |html| {
                self.time(html, &release.started_at);
            });
            html.element("td", &[("data-of", "Took")], |html| {
                html.element("span", &[], |html| {
                    html.text(&took(release, self.now));
                    let seconds = release.duration(self.now).map_or(0.0, Duration::as_seconds_f64);
                    bar(html, release, seconds / longest);
                });
            });
        });
        html.line();
    }

    /// The releases as bars, oldest first: how long each took. What did not succeed hangs below the line.
    fn spark(&self, html: &mut Html, config: &Config) {
        let seconds = |release: &Release| release.duration(self.now).map_or(0.0, Duration::as_seconds_f64);
        let longest = config.history.iter().map(seconds).fold(1.0, f64::max);
        let good = config
            .history
            .iter()
            .filter(|release| release.status.is(&Status::Success))
            .count();
        let label = format!("{good} of the last {} succeeded", config.history.len());
        let width = (config.history.len() * 7).to_string();
        let attributes = [
            ("class", "spark"),
            ("role", "img"),
            ("aria-label", label.as_str()),
            ("width", width.as_str()),
            ("height", "26"),
        ];
        html.element("svg", &attributes, |html| {
            for (number, release) in config.history.iter().rev().enumerate() {
                let height = (seconds(release) / longest * 16.0).max(2.0);
                let is_up = matches!(release.status, Said::Known(Status::Success | Status::Started));
                let (top, height) = if is_up { (17.0 - height, height) } else { (18.5, 6.5) };
                let (x, top, height) = ((number * 7).to_string(), format!("{top:.1}"), format!("{height:.1}"));
                let attributes = [
                    ("class", bar_class(release)),
                    ("x", x.as_str()),
                    ("y", top.as_str()),
                    ("width", "5"),
                    ("height", height.as_str()),
                    ("rx", "1"),
                ];
                html.empty("rect", &attributes);
            }
        });
    }

    fn time(&self, html: &mut Html, at: &str) {
        html.element("span", &[], |html| {
            html.leaf("time", &[("datetime", &datetime(at))], &written(at));
            html.leaf("small", &[], &format!(" {}", self.age(at)));
        });
    }

    /// `3 h ago`.
    fn age(&self, at: &str) -> String {
        match timestamp::parse(at).map(|at| (self.now - at).whole_seconds()) {
            None => String::new(),
            Some(i64::MIN..1) => "now".to_owned(),
            Some(seconds) => format!("{} ago", duration(seconds)),
        }
    }
}

/// Where an execution is: the picture, and the same as a list.
fn way(html: &mut Html, run: &Run, id: &str) {
    let machine = Machine::deployed();
    let now = run.now.as_deref().unwrap_or("no state yet");
    let names: Vec<&str> = run.entered.iter().map(|entered| entered.state.as_str()).collect();
    html.element(
        "div",
        &[
            ("class", "picture scroll"),
            ("tabindex", "0"),
            ("role", "group"),
            ("aria-labelledby", id),
        ],
        |html| {
            let description = format!("It has entered, in this order: {}.", names.join(", "));
            machine.draw(
                html,
                id,
                &format!("The state machine; the execution is in {now}"),
                &description,
                run,
            );
        },
    );
    let is_told = |state: &str| {
        let kind = machine
            .drawn()
            .find(|drawn| drawn.name == state)
            .map(|drawn| drawn.kind);
        kind.is_none_or(|kind| kind == Kind::Task) || run.now.as_deref() == Some(state)
    };
    html.element("ol", &[("class", "steps"), ("aria-label", "States so far")], |html| {
        // The one that it is in comes last, whenever it was entered first.
        let is_now = |entered: &Entered| run.now.as_ref() == Some(&entered.state);
        let mut told: Vec<&Entered> = run.entered.iter().filter(|entered| is_told(&entered.state)).collect();
        told.sort_by_key(|entered| is_now(entered));
        for entered in told {
            let is_now = is_now(entered);
            let attributes: &[_] = if is_now { &[("aria-current", "step")] } else { &[] };
            html.element("li", attributes, |html| {
                html.leaf("time", &[("datetime", &entered.at)], &clock(&entered.at));
                html.text(&format!(" {}", entered.state));
                if entered.times > 1 {
                    html.text(&format!(" ({} times)", entered.times));
                }
                if is_now {
                    html.text(" now");
                }
            });
        }
    });
}

/// `2026-11-21 22:06`.
fn written(at: &str) -> String {
    timestamp::parse(at).map_or_else(
        || "an unknown time".to_owned(),
        |at| {
            timestamp::format(at)
                .chars()
                .take(16)
                .collect::<String>()
                .replace('T', " ")
        },
    )
}

fn section(html: &mut Html, id: &'static str, heading: &str, content: impl FnOnce(&mut Html)) {
    html.element("section", &[("aria-labelledby", id)], |html| {
        html.leaf("h2", &[("id", id)], heading);
        content(html);
    });
    html.line();
}

/// What scrolls by itself when it is too wide, also by the keyboard.
fn region(html: &mut Html, label: &'static str, content: impl FnOnce(&mut Html)) {
    let attributes = [
        ("class", "card scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-labelledby", label),
    ];
    html.element("div", &attributes, content);
}

fn headers(html: &mut Html, names: &[&str]) {
    html.element("thead", &[], |html| {
        html.element("tr", &[], |html| {
            for name in names {
                html.leaf("th", &[("scope", "col")], name);
            }
        });
    });
}

fn cell(html: &mut Html, of: &str, text: &str) {
    html.leaf("td", &[("data-of", of)], text);
}

fn tag(html: &mut Html, class: &str, word: &str) {
    html.leaf("span", &[("class", &format!("tag {class}"))], word);
}

fn standing(html: &mut Html, standing: Standing) {
    let (class, word) = match standing {
        Standing::Dirty => ("dirty", "dirty"),
        Standing::Running => ("run", "running"),
        Standing::Failed => ("bad", "last failed"),
        Standing::Good => ("ok", "deployed"),
        Standing::Unknown => ("none", "unknown"),
    };
    tag(html, class, word);
}

fn outcome(html: &mut Html, release: &Release) {
    let is_plan = release.operation.is(&Operation::Plan);
    let (class, word) = match &release.status {
        Said::Known(Status::Started) => ("run", "running"),
        Said::Known(Status::Success) if is_plan => ("ok", "planned"),
        Said::Known(Status::Success) if release.no_changes => ("ok", "no changes"),
        Said::Known(Status::Success) => ("ok", "deployed"),
        Said::Known(Status::FailureClean) => ("bad", "failed"),
        Said::Known(Status::FailureDirty) => ("dirty", "failed dirty"),
        Said::Known(Status::Refused) => ("no", "refused"),
        // Of a deployer of another version.
        Said::Other(word) => ("none", word.as_str()),
    };
    tag(html, class, word);
    match &release.operation {
        Said::Known(Operation::Deploy) => {}
        Said::Known(Operation::Plan) if release.status.is(&Status::Success) => {}
        other => tag(html, "none", &other.to_string().to_lowercase()),
    }
}

/// Why it failed or was refused: the rules first, then every word.
fn reasons(html: &mut Html, release: &Release) {
    if !release.codes.is_empty() {
        html.element("ul", &[("class", "codes"), ("aria-label", "Rules")], |html| {
            for code in &release.codes {
                html.element("li", &[], |html| {
                    html.leaf("code", &[], code);
                    if let Some(explanation) = codes::explain(code) {
                        html.text(&format!(" {}", explanation.title));
                    }
                });
            }
        });
    }
    if let Some(cause) = &release.cause {
        for line in cause.lines().filter(|line| !line.trim().is_empty()) {
            html.element("p", &[("class", "why")], |html| words(html, line));
        }
    }
}

/// A sentence of Fenrir: what stands between two backticks is meant literally.
fn words(html: &mut Html, text: &str) {
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 0 {
            html.text(part);
        } else {
            html.leaf("code", &[], part);
        }
    }
}

fn bar_class(release: &Release) -> &'static str {
    match release.status {
        Said::Known(Status::Success) => "ok-bar",
        Said::Known(Status::Started) => "run-bar",
        Said::Known(Status::FailureDirty) => "dirty-bar",
        Said::Known(Status::FailureClean | Status::Refused) => "bad-bar",
        Said::Other(_) => "",
    }
}

/// The part that it took of the longest.
fn bar(html: &mut Html, release: &Release, part: f64) {
    let width = format!("{:.1}", (part * BAR).clamp(2.0, BAR));
    html.element(
        "svg",
        &[
            ("class", "bar"),
            ("width", "88"),
            ("height", "4"),
            ("aria-hidden", "true"),
        ],
        |html| {
            html.empty(
                "rect",
                &[
                    ("class", bar_class(release)),
                    ("width", &width),
                    ("height", "4"),
                    ("rx", "2"),
                ],
            );
        },
    );
}

/// A project, which may be broken behind its slashes.
fn project(html: &mut Html, name: &str) {
    for part in name.split_inclusive('/') {
        html.text(part);
        if part.ends_with('/') {
            html.empty("wbr", &[]);
        }
    }
}

fn name(html: &mut Html, owner: &Owner) {
    project(html, &owner.project);
    html.text(" ");
    html.leaf("small", &[], &owner.config);
}

fn place(html: &mut Html, owner: &Owner) {
    html.leaf("span", &[], &format!("{} {}", owner.account, owner.region));
}

fn link_to(html: &mut Html, config: &Config) {
    let name = format!("{} {}", config.owner.project, config.owner.config);
    if config.history.is_empty() {
        html.text(&name);
    } else {
        html.leaf("a", &[("href", &format!("#{}", html::id('p', &config.key())))], &name);
    }
}

/// The release, with the way to its execution in the console.
fn release_id(html: &mut Html, release: &Release) {
    match console::execution(&release.execution) {
        Some(url) => html.leaf(
            "a",
            &[("class", "id"), ("href", &url), ("rel", "noreferrer")],
            &release.release_id,
        ),
        None => html.leaf("span", &[("class", "id")], &release.release_id),
    }
}

fn commit(html: &mut Html, release: &Release) {
    let Some(commit) = &release.commit else { return };
    html.leaf("code", &[], &commit.chars().take(COMMIT).collect::<String>());
}

fn who(release: &Release) -> &str {
    release.who.as_deref().unwrap_or("unknown")
}

fn took(release: &Release, now: OffsetDateTime) -> String {
    release
        .duration(now)
        .map_or_else(|| "unknown".to_owned(), |took| duration(took.whole_seconds()))
}

/// What a freeze is of, by its key.
fn frozen(key: &str) -> String {
    let parts: Vec<&str> = key.split('/').collect();
    let named = |project: &str| project.replace('!', "/");
    match parts.as_slice() {
        ["freeze", account] => format!("everything in account {account}"),
        ["freeze", account, project] => format!("every config of {} in account {account}", named(project)),
        ["freeze", account, project, config] => format!("{} {config} in account {account}", named(project)),
        _ => key.to_owned(),
    }
}

/// A time that HTML takes in `datetime`; what is none becomes empty.
fn datetime(at: &str) -> String {
    timestamp::parse(at).map(timestamp::format).unwrap_or_default()
}

/// `22:06:31`.
fn clock(at: &str) -> String {
    timestamp::parse(at)
        .map(timestamp::format)
        .and_then(|at| at.get(11..19).map(str::to_owned))
        .unwrap_or_else(|| "--:--:--".to_owned())
}
