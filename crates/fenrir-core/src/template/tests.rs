#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::codes;

fn refusals(text: &str) -> Vec<(String, Option<(u32, u32)>)> {
    match Document::load(text) {
        Ok(document) => panic!("accepted: {}", document.value()),
        Err(problems) => problems
            .into_iter()
            .map(|p| (p.code.into_owned(), p.position.map(|p| (p.line, p.column))))
            .collect(),
    }
}

fn loaded(text: &str) -> Value {
    Document::load(text).unwrap().value().clone()
}

#[test]
fn short_forms_become_long_ones() {
    assert_eq!(
        loaded("a: !Ref X\nb: !GetAtt X.Y.Z\nc: !Sub 12\nd: !Join ['', [!Ref A]]\ne: !Sub ['${a}', {a: b}]"),
        json!({
            "a": {"Ref": "X"},
            "b": {"Fn::GetAtt": ["X", "Y.Z"]},
            "c": {"Fn::Sub": "12"},
            "d": {"Fn::Join": ["", [{"Ref": "A"}]]},
            "e": {"Fn::Sub": ["${a}", {"a": "b"}]},
        })
    );
}

#[test]
fn json_is_read_with_positions_too() {
    let text = "{\n\t\"a\": [\"x\\/y\", 0, false, \"\"],\n\t\"b\": {\"c/d\": 1.5}\n}";
    let document = Document::load(text).unwrap();
    assert_eq!(
        document.value(),
        &json!({"a": ["x/y", 0, false, ""], "b": {"c/d": 1.5}})
    );
    let at = |pointer: &str| document.position(pointer).map(|p| (p.line, p.column));
    assert_eq!(at("/a/1"), Some((2, 16)));
    assert_eq!(at("/b/c~1d"), Some((3, 8)));
    assert_eq!(at("/b/nothing/here"), Some((3, 2)), "the nearest parent");
    assert_eq!(at(""), Some((1, 1)));
}

#[test]
fn positions_look_through_short_forms() {
    let document = Document::load("a:\n  b: !Join\n    - ''\n    - - !Ref X\n").unwrap();
    let at = |pointer: &str| document.position(pointer).map(|p| (p.line, p.column));
    assert_eq!(at("/a/b"), Some((2, 3)));
    assert_eq!(at("/a/b/Fn::Join/1/0"), Some((4, 9)));
}

#[test]
fn every_problem_is_told_at_its_place() {
    assert_eq!(
        refusals("a: yes\nb: ~\na: 1\nc: !If [x, 1, 2]\n<<: {}\non: 1\nd: \"\\u202e\"\n"),
        [
            (codes::AMBIGUOUS.to_owned(), Some((1, 4))),
            (codes::NULL.to_owned(), Some((2, 4))),
            (codes::DUPLICATE_KEY.to_owned(), Some((3, 1))),
            (codes::TAG.to_owned(), Some((4, 4))),
            (codes::MERGE_KEY.to_owned(), Some((5, 1))),
            (codes::BAD_KEY.to_owned(), Some((6, 1))),
            (codes::UNPRINTABLE.to_owned(), Some((7, 4))),
        ]
    );
}

#[test]
fn what_cannot_be_a_template_is_one_problem() {
    for (text, code) in [
        ("", codes::NOT_A_MAP),
        ("# nothing\n", codes::NOT_A_MAP),
        ("- a\n", codes::NOT_A_MAP),
        ("just text", codes::NOT_A_MAP),
        ("a: 1\n---\nb: 1\n", codes::SEVERAL_DOCUMENTS),
        ("a:\n\tb: 1\n", codes::SYNTAX),
        ("a: [1", codes::SYNTAX),
        ("a: *gone", codes::SYNTAX),
        ("a: &x [*x]", codes::ALIASES),
        ("? [a]\n: 1\n", codes::BAD_KEY),
        ("a: 'x\u{7}'", codes::UNPRINTABLE),
        ("1.5: a", codes::BAD_KEY),
        ("a: !!str 1", codes::TAG),
        ("a: !<tag:yaml.org,2002:str> 1", codes::TAG),
    ] {
        let problems = refusals(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert_eq!(problems[0].0, code, "{text}");
    }
}

#[test]
fn aliases_are_written_out_up_to_a_limit() {
    assert_eq!(loaded("a: &x {b: 1}\nc: *x"), json!({"a": {"b": 1}, "c": {"b": 1}}));

    let mut laughs = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for n in 1..40 {
        let before = n - 1;
        writeln!(laughs, "a{n}: &a{n} [{}]", vec![format!("*a{before}"); 10].join(", ")).unwrap();
    }
    // That it ends early is measured in tests/bounds.rs, without a clock.
    assert_eq!(refusals(&laughs)[0].0, codes::ALIASES);
}

#[test]
fn depth_is_limited_however_it_is_reached() {
    let brackets = |n: usize| format!("a: {}{}", "[".repeat(n), "]".repeat(n));
    assert!(Document::load(&brackets(60)).is_ok());
    assert_eq!(refusals(&brackets(64))[0].0, codes::TOO_DEEP);
    assert_eq!(refusals(&brackets(100_000))[0].0, codes::TOO_DEEP);
    let mut value = json!(1);
    for _ in 0..70 {
        value = json!({ "a": value });
    }
    assert_eq!(Document::from_value(value).unwrap_err()[0].code, codes::TOO_DEEP);
}

#[test]
fn a_text_beyond_the_limit_is_not_read() {
    let large = format!("a: {}", "x".repeat(MAX_BYTES));
    assert_eq!(refusals(&large)[0].0, codes::TOO_LARGE);
    let value = json!({ "a": "x".repeat(MAX_BYTES) });
    assert_eq!(Document::from_value(value).unwrap_err()[0].code, codes::TOO_LARGE);
}

#[test]
fn a_key_that_is_none_is_told_of_its_map() {
    for text in [
        "Variables:\n  F: {[a]: b}",
        "Variables:\n  F:\n    {a: b}: c",
        "x: &x y\nVariables:\n  F: {*x : c}",
    ] {
        let problems = Document::load(text).unwrap_err();
        let told: Vec<_> = problems.iter().map(|p| (p.code.as_ref(), p.path.as_str())).collect();
        assert_eq!(told, [(codes::BAD_KEY, "/Variables/F")], "{text}");
    }
}

#[test]
fn the_number_of_problems_is_limited() {
    assert_eq!(
        refusals(&format!("a: [{}]", "yes, ".repeat(10_000))).len(),
        MAX_PROBLEMS
    );
}

#[test]
fn a_value_out_of_a_release_obeys_the_same_rules() {
    let problems = Document::from_value(json!({"a": null, "b\n": "\u{202e}", "c": "two\nlines"})).unwrap_err();
    let codes: Vec<_> = problems.iter().map(|p| (p.code.as_ref(), p.path.as_str())).collect();
    assert_eq!(
        codes,
        [
            (codes::NULL, "/a"),
            (codes::UNPRINTABLE, "/b\n"),
            (codes::UNPRINTABLE, "/b\n")
        ]
    );
    assert_eq!(Document::from_value(json!([])).unwrap_err()[0].code, codes::NOT_A_MAP);
}
