//! docs/comparison.md: every row has its proof. What is said of Fenrir names tests that are there, what is said of
//! another deployer a source.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::text;

const PAGE: &str = "docs/comparison.md";

/// The columns after the name of a row, and the letter of the sources of each.
const COLUMNS: [(&str, Option<char>); 5] = [
    ("Fenrir", None),
    ("`sam deploy`", Some('S')),
    ("`cdk deploy`", Some('C')),
    ("rain", Some('R')),
    ("the Go deployer", Some('G')),
];

/// The letter of the sources that AWS itself is: they speak for every column.
const AWS: char = 'A';

/// What a cell says of which nobody could find out.
const UNKNOWN: &str = "?";

/// A row of a table.
struct Row {
    name: String,
    cells: Vec<String>,
}

/// What a row rests on.
#[derive(Default)]
struct Proof {
    /// File and name of each test.
    tests: Vec<(String, String)>,
    sources: BTreeSet<String>,
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

/// `12. rest` as 12 and the rest.
fn numbered(text: &str) -> Option<(usize, &str)> {
    let (number, rest) = text.split_once(". ")?;
    Some((number.parse().ok()?, rest))
}

/// The rows of all tables by their numbers, which go on from table to table.
fn rows(page: &str) -> BTreeMap<usize, Row> {
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let mut cells = cells(line);
        let name = cells.remove(0);
        if let Some((number, name)) = numbered(&name) {
            let row = Row {
                name: name.to_owned(),
                cells,
            };
            assert!(rows.insert(number, row).is_none(), "row {number} is there twice");
        } else if name.is_empty() {
            let columns = COLUMNS.map(|(column, _)| column);
            assert_eq!(cells, columns, "the heads of a table");
        } else {
            assert!(cells.iter().all(|cell| cell == "---"), "a row without a number: {line}");
        }
    }
    rows
}

/// The proofs below the tables, by the numbers of their rows.
fn proofs(page: &str) -> BTreeMap<usize, Proof> {
    let mut proofs = BTreeMap::new();
    for (number, rest) in page.lines().filter_map(numbered) {
        let (tests, sources) = rest
            .strip_prefix("Tests: ")
            .and_then(|rest| rest.split_once(" Sources: "))
            .unwrap_or_else(|| panic!("proof {number} is not `Tests: ... Sources: ...`"));
        let mut proof = Proof::default();
        let mut file = None;
        for name in tests.split('`').skip(1).step_by(2) {
            if name.contains('/') {
                file = Some(name.to_owned());
            } else {
                let file = file
                    .clone()
                    .unwrap_or_else(|| panic!("proof {number}: `{name}` of which file?"));
                proof.tests.push((file, name.to_owned()));
            }
        }
        proof.sources = sources.trim_end_matches('.').split(", ").map(str::to_owned).collect();
        assert!(proofs.insert(number, proof).is_none(), "proof {number} is there twice");
    }
    proofs
}

/// The sources at the end of the page.
fn sources(page: &str) -> Vec<String> {
    let (_, list) = page.split_once("\n## Sources\n").unwrap();
    list.lines()
        .filter_map(|line| line.strip_prefix("* ")?.split_once(": "))
        .map(|(code, _)| code.to_owned())
        .collect()
}

/// Whether a file has a test of this name: a function that is marked as one, or is handed to a macro that marks it.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(number, line)| {
        let declared = line.strip_prefix("async ").unwrap_or(line);
        declared
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
            && (is_marked(&lines[..number]) || is_handed_on(&lines, name))
    })
}

/// Whether the attributes right above a function make it a test.
fn is_marked(above: &[&str]) -> bool {
    above
        .iter()
        .rev()
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

/// Whether it is in the list of `both_ways!`.
fn is_handed_on(lines: &[&str], name: &str) -> bool {
    lines
        .iter()
        .skip_while(|line| **line != "both_ways!(")
        .take_while(|line| **line != ");")
        .any(|line| line.trim_end_matches(',') == name)
}

#[test]
fn the_rows_are_numbered_and_say_something_in_every_cell() {
    let rows = rows(&text(PAGE));
    assert!(rows.len() >= 20, "{} rows", rows.len());
    assert!(rows.keys().copied().eq(1..=rows.len()), "{:?}", rows.keys());
    for (number, row) in &rows {
        assert_eq!(row.cells.len(), COLUMNS.len(), "row {number}, {}", row.name);
        for (cell, (column, _)) in row.cells.iter().zip(COLUMNS) {
            assert!(
                !cell.is_empty(),
                "row {number}, {}: nothing is said of {column}",
                row.name
            );
        }
        assert_ne!(
            row.cells[0], UNKNOWN,
            "row {number}, {}: of Fenrir all is known",
            row.name
        );
    }
}

#[test]
fn what_is_said_of_fenrir_names_tests_that_are_there() {
    let page = text(PAGE);
    let proofs = proofs(&page);
    assert!(
        proofs.keys().eq(rows(&page).keys()),
        "rows and proofs: {:?}",
        proofs.keys()
    );
    let mut missing = Vec::new();
    for (number, proof) in &proofs {
        assert!(!proof.tests.is_empty(), "row {number} names no test");
        for (file, name) in &proof.tests {
            if !has_test(&text(file), name) {
                missing.push(format!("row {number}: {file} has no test `{name}`"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn what_is_said_of_another_deployer_has_a_source() {
    let page = text(PAGE);
    let (rows, proofs, listed) = (rows(&page), proofs(&page), sources(&page));
    for (number, row) in &rows {
        let proof = proofs
            .get(number)
            .unwrap_or_else(|| panic!("row {number} has no proof"));
        for (cell, (column, letter)) in row.cells.iter().zip(COLUMNS) {
            let Some(letter) = letter else { continue };
            let sourced = proof.sources.iter().any(|source| source.starts_with([letter, AWS]));
            assert!(
                sourced || cell == UNKNOWN,
                "row {number}, {}: no source of what is said of {column}",
                row.name
            );
        }
    }
    let used: BTreeSet<&String> = proofs.values().flat_map(|proof| &proof.sources).collect();
    for source in &used {
        assert!(listed.contains(source), "{source} is not among the sources");
    }
    for source in &listed {
        let elsewhere = page.matches(&format!(": {source})")).count();
        assert!(
            used.contains(source) || elsewhere > 0,
            "no row has its proof in {source}"
        );
    }
    let distinct: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(distinct.len(), listed.len(), "a source is there twice");
}

#[test]
fn a_test_is_found_only_where_it_is_one() {
    let file = "#[test]\nfn one() {\n#[tokio::test]\nasync fn two() {\nfn helper() {\nasync fn three(way: Way) {\nboth_ways!(\nthree,\n);\n";
    for name in ["one", "two", "three"] {
        assert!(has_test(file, name), "{name}");
    }
    for name in ["helper", "on", "four"] {
        assert!(!has_test(file, name), "{name}");
    }
}

#[test]
fn the_readme_has_a_few_rows_and_leads_to_the_rest() {
    let readme = text("README.md");
    let (_, section) = readme.split_once("## How it compares\n").unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| |"))
        .count();
    assert!((1..=6).contains(&rows), "{rows} rows");
    assert!(
        section.contains("](docs/comparison.md)"),
        "the section does not lead to {PAGE}"
    );
}
