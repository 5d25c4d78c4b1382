//! `docs/policy.md` is what the tables say, and the tables classify every property as they were meant to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fenrir_core::policy::reference::{self, Class};
use fenrir_core::policy::rule::{Property, Rule};
use fenrir_core::policy::{events, registry};

#[test]
fn the_page_is_what_the_tables_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    let page = reference::page();
    if std::env::var_os("FENRIR_BLESS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == page,
        "docs/policy.md is out of date: FENRIR_BLESS=1 cargo test -p fenrir-core --test reference"
    );
}

/// `classification.txt` lists, by type, every property that was examined and its class: it was made from the property
/// lists of aws-sam-translator 1.115 and cfn-lint 1.58, not from the tables.
fn classification() -> BTreeMap<String, BTreeMap<String, String>> {
    let text = include_str!("classification.txt");
    let mut types: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [kind, property, class] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        types
            .entry(kind.into())
            .or_default()
            .insert(property.into(), class.into());
    }
    types
}

fn table(name: &str) -> Option<&'static [Property]> {
    let (name, inner) = match name.split_once(" / ") {
        Some((name, inner)) => (name, Some(inner)),
        None => (name, None),
    };
    if let Some(event) = name.strip_prefix("event ") {
        let event = events::OF_FUNCTION.iter().find(|kind| kind.name == event)?;
        return Some(event.properties);
    }
    let kind = registry::find(name)?;
    match inner {
        None => Some(kind.properties),
        Some(inner) => inside(kind.properties, inner),
    }
}

/// The table of a map somewhere inside, by the name of the property that holds it, or by the singular of its list.
fn inside(table: &'static [Property], name: &str) -> Option<&'static [Property]> {
    table.iter().find_map(|property| {
        let mut rule = &property.rule;
        while let Rule::Each(each) = rule {
            rule = each;
        }
        let Rule::Map(inner) = rule else { return None };
        let is_it = property.name == name || property.name.trim_end_matches('s').ends_with(name);
        if is_it { Some(*inner) } else { inside(inner, name) }
    })
}

#[test]
fn every_examined_property_has_its_class() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (kind, wanted) in classification() {
        let Some(table) = table(&kind) else { continue };
        let have: BTreeMap<_, _> = table.iter().map(|property| (property.name, property.class())).collect();
        for (property, class) in &wanted {
            compared += 1;
            match have.get(property.as_str()) {
                Some(found) if found.to_string() == *class => {}
                // A name that CloudFormation makes is refused, which is how it is overwritten.
                Some(Class::Refuse) if class == "overwrite" => {}
                // Given, they are checked; absent, they are set.
                Some(Class::Check)
                    if class == "overwrite"
                        && ["EndpointConfiguration", "SourceAccount"].contains(&property.as_str()) => {}
                // A rule may be stricter than it had to be: what lies inside has a table of its own.
                Some(Class::Check) if class == "safe" => {}
                // Refused without a word of its own is refused as well; but then nobody is told why.
                found => wrong.push(format!("{kind} {property}: {class}, and the table says {found:?}")),
            }
        }
        let extra: BTreeSet<_> = have.keys().filter(|name| !wanted.contains_key(**name)).collect();
        for name in extra {
            if have.get(name) != Some(&Class::Refuse) {
                wrong.push(format!("{kind} {name}: in the table, but never examined"));
            }
        }
    }
    assert!(compared > 200, "{compared} properties compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
