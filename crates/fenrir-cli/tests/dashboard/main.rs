//! The dashboard's page, without a browser: read by the parser of one (html5ever), its colours computed from its style
//! sheet. `FENRIR_BLESS=1` writes `page.html` anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod colours;
mod dom;
mod injection;
mod served;

use std::fs;
use std::path::Path;

use dom::Page;
use fenrir_cli::dashboard::Board;
use fenrir_cli::dashboard::board::Standing;
use fenrir_cli::dashboard::page::{Form, SCRIPT, STYLE, page, policy};

/// A board with one of everything.
pub(crate) fn board() -> Board {
    serde_json::from_str(include_str!("board.json")).unwrap()
}

/// A board of a deployer that has nothing yet.
pub(crate) fn empty() -> Board {
    Board {
        configs: Vec::new(),
        notes: Vec::new(),
        ..board()
    }
}

/// Both forms of both boards.
pub(crate) fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for board in [board(), empty()] {
        for form in [Form::Live, Form::Snapshot] {
            pages.push(Page::parse(&page(&board, form)));
        }
    }
    pages
}

#[test]
fn the_page_is_as_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard/page.html");
    // Without its style sheet, its script and their hashes, which are what they are.
    let seen = page(&board(), Form::Snapshot)
        .replace(STYLE, "")
        .replace(SCRIPT, "")
        .replace(&policy(Form::Snapshot), "");
    if std::env::var_os("FENRIR_BLESS").is_some() {
        fs::write(&path, &seen).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        seen == written,
        "the page is another one; FENRIR_BLESS=1 accepts it:\n{seen}"
    );
}

#[test]
fn the_page_says_what_the_board_knows() {
    let board = board();
    let text = Page::parse(&page(&board, Form::Live)).text();
    for config in &board.configs {
        let owner = &config.owner;
        for word in [&owner.project, &owner.config, &owner.account, &owner.region] {
            assert!(text.contains(word.as_str()), "{word}");
        }
        for release in config.history.iter().chain(&config.deployed).chain(&config.running) {
            assert!(text.contains(&release.release_id), "{}", release.release_id);
            for line in release.cause.iter().flat_map(|cause| cause.lines()) {
                assert!(text.contains(&line.replace('`', "")), "{line}");
            }
            for code in &release.codes {
                let title = fenrir_core::codes::explain(code).unwrap().title;
                assert!(text.contains(&format!("{code} {title}")), "{code}");
            }
        }
        for freeze in &config.freezes {
            assert!(
                text.contains(&freeze.reason) && text.contains(&freeze.who),
                "{freeze:?}"
            );
        }
        if let Some(lock) = &config.lock {
            assert!(text.contains(&lock.release_id));
            assert!(lock.reason.iter().all(|reason| text.contains(&reason.replace('`', ""))));
        }
    }
    for note in &board.notes {
        assert!(text.contains(&note.replace('`', "")), "{note}");
    }
    for word in [
        "2026-11-21 16:43",
        "15 h ago",
        "3 min 21 s",
        "running now",
        "last failed",
        "dirty",
        "frozen",
    ] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn the_figures_count_what_the_board_knows() {
    let figures = board().figures();
    assert_eq!(
        (figures.configs, figures.running, figures.dirty, figures.frozen),
        (4, 1, 1, 1)
    );
    // Refused at 16:15, dirty at 06:03, failed at 01:44; what is older than a day does not count.
    assert_eq!(figures.failed, 3);
    let standings: Vec<Standing> = board()
        .configs
        .iter()
        .map(fenrir_cli::dashboard::board::Config::standing)
        .collect();
    assert_eq!(
        standings,
        [Standing::Running, Standing::Failed, Standing::Dirty, Standing::Good]
    );
}

#[test]
fn the_picture_shows_where_an_execution_is_and_was() {
    let page = Page::parse(&page(&board(), Form::Live));
    let states = |class: &str| -> Vec<String> {
        let marks = page
            .elements("g")
            .into_iter()
            .filter(|mark| mark.attribute("class").as_deref() == Some(class));
        marks.map(|mark| mark.text()).collect()
    };
    assert_eq!(states("state now"), ["WaitForExecute"]);
    let past = [
        "Validate",
        "Lock",
        "CreateChangeSet",
        "WaitForChangeSet",
        "WaitChangeSet",
        "ChangeSetReady?",
        "Execute",
        "WaitExecute",
        "Executed?",
    ];
    assert_eq!(states("state past"), past);
    assert_eq!(
        states("state"),
        [
            "RecordBreakdown",
            "CleanUp",
            "ReleaseLock",
            "Success?",
            "Success",
            "FailureClean",
            "FailureDirty"
        ]
    );
    let steps = page.elements("ol");
    assert_eq!(steps.len(), 1);
    let now: Vec<String> = steps[0]
        .elements("li")
        .into_iter()
        .filter(|step| step.attribute("aria-current").as_deref() == Some("step"))
        .map(|step| step.text())
        .collect();
    assert_eq!(now, ["08:00:24 WaitForExecute (4 times) now"]);
}

#[test]
fn five_hundred_configs_without_history_stay_small() {
    let mut board = board();
    let one = board.configs.last().unwrap().clone();
    board.configs = (0..500)
        .map(|number| {
            let mut config = one.clone();
            config.owner.project = format!("department-{}/service-{number}", number % 20);
            config
        })
        .collect();
    let bytes = page(&board, Form::Live).len();
    assert!(bytes < 300_000, "{bytes} bytes");
    assert!(bytes / 500 < 600, "{bytes} bytes");
}
