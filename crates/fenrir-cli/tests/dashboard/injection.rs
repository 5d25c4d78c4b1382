//! Whatever a template's author, a git user or somebody with a reason writes: it stays text.

use fenrir_cli::dashboard::Board;
use fenrir_cli::dashboard::page::{Form, page};
use serde_json::Value;

use crate::board;
use crate::dom::{Element, Page};

const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "</title></style></script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "--><svg onload=alert(1)>",
    "<!--",
    "&lt;script&gt;&#60;b&#62;&NotEqualTilde;",
    "</td></tr></table></main><h1>Nothing is running",
    "\u{202e}gnisrever\u{2066}",
    "\u{0}\u{1b}[2J\u{7f}\u{85}\u{fffe}\u{1ffff}\u{fdd0}",
    "javascript:alert(1)",
    "x\n1. F0001: forged\r\n\t</p>",
];

/// The board with a hostile text for every text in it that is no time, no status and no operation.
fn with(hostile: &str) -> Board {
    let mut value = serde_json::to_value(board()).unwrap();
    replace(&mut value, "", hostile, &mut 0);
    serde_json::from_value(value).unwrap()
}

fn replace(value: &mut Value, name: &str, hostile: &str, count: &mut usize) {
    match value {
        // A state that nobody knows is drawn differently; states come from the machine's own definition.
        Value::String(_) if ["status", "operation", "ended_at", "since", "state", "now"].contains(&name) => {}
        Value::String(_) if ["made_at", "started_at", "at", "ways"].contains(&name) => {}
        Value::String(text) => {
            // Keys tell one thing from another, so they stay different.
            *count += 1;
            *text = if ["project", "key"].contains(&name) {
                format!("{hostile}{count}")
            } else {
                hostile.to_owned()
            };
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, name, hostile, count)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                replace(value, name, hostile, count);
            }
        }
        _ => {}
    }
}

/// Names of elements and attributes, in order.
fn shape(element: &Element, into: &mut Vec<String>) {
    let attributes: Vec<String> = element.attributes().into_iter().map(|(name, _)| name).collect();
    into.push(format!("{} {}", element.name(), attributes.join(" ")));
    // A project's name may be broken behind its slashes; that is all that a text decides.
    for child in element.children().into_iter().filter(|child| child.name() != "wbr") {
        shape(&child, into);
    }
}

#[test]
fn no_text_from_outside_becomes_markup() {
    let shape_of = |text: &str| {
        let page = Page::parse(&page(&with(text), Form::Live));
        assert_eq!(page.errors, Vec::<String>::new(), "{text:?}");
        let mut found = Vec::new();
        shape(&page.root, &mut found);
        found
    };
    let harmless = shape_of("harmless");
    assert!(harmless.len() > 200, "{}", harmless.len());
    for text in HOSTILE.iter().filter(|text| !text.contains('\n')) {
        assert_eq!(shape_of(text), harmless, "{text:?}");
    }
    // Lines of a cause become paragraphs, and nothing else.
    let lines = shape_of(HOSTILE[11]);
    let paragraphs = |shape: &[String]| shape.iter().filter(|element| *element == "p class").count();
    assert_eq!(lines.len() - harmless.len(), paragraphs(&lines) - paragraphs(&harmless));
}

#[test]
fn every_text_from_outside_is_shown_as_what_it_is() {
    for text in HOSTILE {
        let source = page(&with(text), Form::Snapshot);
        let seen = Page::parse(&source).text();
        let first = text.lines().next().unwrap();
        let shown = fenrir_core::problem::printable(first).replace(['\u{fffe}', '\u{1ffff}', '\u{fdd0}'], "\u{fffd}");
        assert!(seen.contains(&shown), "{shown:?}");
        assert!(!seen.contains('\u{202e}') && !seen.contains('\u{1b}'));
    }
}

#[test]
fn a_release_leads_to_the_console_and_nowhere_else() {
    for execution in [
        "javascript:alert(1)",
        "https://evil.example/",
        "arn:aws:states:evil.example/:1:execution:m:n",
        "arn:aws:states:us-east-1:111111111111:execution:fenrir:a/../b",
        "arn:aws:states:us-east-1:111111111111:execution:fenrir:\"onclick=",
        "arn:evil:states:us-east-1:111111111111:execution:fenrir:a",
        "arn:aws:s3:us-east-1:111111111111:execution:fenrir:a",
        "",
    ] {
        let mut board = board();
        board.configs.truncate(1);
        let config = &mut board.configs[0];
        for release in config.history.iter_mut().chain(&mut config.running) {
            release.execution = execution.to_owned();
        }
        let page = Page::parse(&page(&board, Form::Live));
        for link in page.elements("a") {
            let href = link.attribute("href").unwrap();
            let console = "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#";
            assert!(href.starts_with('#') || href.starts_with(console), "{href}");
        }
    }
}
