//! Template files and what is said about them.
//!
//! `cases/accepted/*.yaml` are accepted: beside each stands `*.json`, the rewritten template. `cases/refused/*.yaml`
//! are refused: beside each stands `*.txt`, the problems. All are judged for the release and the world in
//! `cases/world.json`. `cases/projects/*.yaml` are accepted too, each for the project and config on top of it.
//! `cases/alone/*.yaml` are judged as `fenrir validate` does without an inventory: beside each stands `*.txt`. After a
//! change that is meant: `FENRIR_BLESS=1 cargo test -p fenrir-core --test cases`, and read the difference.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod hostile;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fenrir_core::owner::{self, Owner};
use fenrir_core::policy::{self, Context, Judgement};
use fenrir_core::problem::{Problem, Severity};
use fenrir_core::template::Document;
use hostile::{context, folder, world};

fn cases(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder("cases").join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {name}");
    files
}

fn judge(text: &str) -> Result<Judgement, Vec<Problem>> {
    let document = Document::load(text)?;
    Ok(policy::judge(&document, context(), world()))
}

/// As [`judge`], for the project and config that the template names.
fn judge_for_its_project(text: &str) -> Result<Judgement, Vec<Problem>> {
    let document = Document::load(text)?;
    let context = Context {
        owner: hostile::owner_of(&document),
        ..context().clone()
    };
    Ok(policy::judge(&document, &context, world()))
}

/// One problem as a reader sees it: where, what, and what to do.
fn told(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut out, problem| {
        let place = problem
            .position
            .map_or_else(|| "-".to_owned(), |p| format!("{}:{}", p.line, p.column));
        let kind = match problem.severity {
            Severity::Error => "",
            Severity::Warning => " (warning)",
            Severity::NotChecked => " (not checked)",
        };
        writeln!(out, "{place} {}{kind} {}", problem.code, problem.path).unwrap();
        writeln!(out, "    {}", problem.message).unwrap();
        if let Some(help) = &problem.help {
            writeln!(out, "    help: {help}").unwrap();
        }
        out
    })
}

/// Compares with the file beside the case, or writes it.
fn expect(case: &Path, extension: &str, got: &str, failures: &mut Vec<String>) {
    let beside = case.with_extension(extension);
    let wanted = fs::read_to_string(&beside).unwrap_or_default();
    if wanted == got {
        return;
    }
    if std::env::var_os("FENRIR_BLESS").is_some() {
        fs::write(&beside, got).unwrap();
    } else {
        failures.push(format!("{}: expected\n{wanted}\ngot\n{got}", case.display()));
    }
}

fn end(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} cases differ\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn accepted_templates_are_rewritten() {
    check_accepted("accepted", judge);
}

#[test]
fn every_project_gets_names_of_its_own() {
    check_accepted("projects", judge_for_its_project);
}

fn check_accepted(folder: &str, judge: impl Fn(&str) -> Result<Judgement, Vec<Problem>>) {
    let mut failures = Vec::new();
    for case in cases(folder) {
        match judge(&fs::read_to_string(&case).unwrap()) {
            Ok(Judgement {
                template: Some(template),
                problems,
            }) => {
                assert!(problems.iter().all(|p| p.severity == Severity::Warning));
                let text = serde_json::to_string_pretty(&template).unwrap() + "\n";
                expect(&case, "json", &text, &mut failures);
            }
            Ok(Judgement { problems, .. }) | Err(problems) => {
                failures.push(format!("{}: refused\n{}", case.display(), told(&problems)));
            }
        }
    }
    end(&failures);
}

/// The examples are what newcomers copy: nothing in them is refused, whatever AWS will say of what they refer to.
#[test]
fn examples_are_not_refused() {
    let mut failures = Vec::new();
    for (example, project) in [("hello", "hello"), ("full", "examples/full")] {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let path = examples.join(example).join("template.yml");
        let text = fs::read_to_string(&path).unwrap();
        let document = Document::load(&text).unwrap();
        let owner = Owner {
            project: project.to_owned(),
            config: "dev".to_owned(),
            ..context().owner.clone()
        };
        let context = Context {
            owner,
            artifacts: None,
            allowed: BTreeSet::new(),
        };
        let mut problems = policy::judge_without_world(&document, &context).problems;
        problems.retain(|problem| problem.severity == Severity::Error);
        if !problems.is_empty() {
            failures.push(format!("{}: refused\n{}", path.display(), told(&problems)));
        }
        let mut missing: Vec<_> = policy::type_names().collect();
        missing.retain(|name| !text.contains(&format!("Type: {name}\n")));
        if example == "full" && !missing.is_empty() {
            failures.push(format!("{}: without {missing:?}", path.display()));
        }
    }
    end(&failures);
}

#[test]
fn refused_templates_are_told_why() {
    let mut failures = Vec::new();
    for case in cases("refused") {
        let (Err(problems)
        | Ok(Judgement {
            problems,
            template: None,
        })) = judge(&fs::read_to_string(&case).unwrap())
        else {
            failures.push(format!("{}: accepted", case.display()));
            continue;
        };
        assert!(!problems.is_empty(), "{}: refused without a word", case.display());
        expect(&case, "txt", &told(&problems), &mut failures);
    }
    end(&failures);
}

/// `fenrir validate` on a laptop: no release, no world, and nobody says which account and region.
#[test]
fn what_needs_a_world_is_told() {
    let context = Context {
        owner: Owner {
            account: owner::UNKNOWN_ACCOUNT.into(),
            region: owner::UNKNOWN_REGION.into(),
            ..context().owner.clone()
        },
        artifacts: None,
        ..context().clone()
    };
    let mut failures = Vec::new();
    for case in cases("alone") {
        let document = Document::load(&fs::read_to_string(&case).unwrap()).unwrap();
        let judgement = policy::judge_without_world(&document, &context);
        assert!(judgement.template.is_none(), "{}: written unchecked", case.display());
        expect(&case, "txt", &told(&judgement.problems), &mut failures);
    }
    end(&failures);
}

/// An inventory that does not say of which account it is: nothing in it is taken for what a name may mean.
#[test]
fn a_world_of_no_account_allows_nothing() {
    let text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    \
                Properties: {CodeUri: ., Role: orders-app, KmsKeyArn: 0a1b}\n";
    let context = Context {
        owner: Owner {
            account: owner::UNKNOWN_ACCOUNT.into(),
            ..context().owner.clone()
        },
        artifacts: None,
        allowed: BTreeSet::new(),
    };
    let judgement = policy::judge(&Document::load(text).unwrap(), &context, world());
    assert!(judgement.template.is_none());
    let told: Vec<_> = judgement
        .problems
        .iter()
        .map(|p| (p.severity, p.path.as_str()))
        .collect();
    let at = |name| (Severity::NotChecked, name);
    let properties = ["/Resources/F/Properties/Role", "/Resources/F/Properties/KmsKeyArn"];
    assert_eq!(told, properties.map(at));
}

/// What the judgement asks is what the first walk finds out: a world that answers nothing but that gives the same.
#[test]
fn nothing_is_asked_that_was_not_wanted() {
    let world = world();
    let context = context();
    for case in cases("accepted") {
        let document = Document::load(&fs::read_to_string(&case).unwrap()).unwrap();
        let wanted = policy::wanted(&document, context);
        let keys: Vec<_> = wanted
            .kms_aliases
            .iter()
            .filter_map(|alias| world.kms_aliases.get(alias))
            .collect();
        let mut small = world.clone();
        small.artifacts.retain(|uri, _| wanted.artifacts.contains(uri));
        small
            .resources
            .retain(|r| wanted.resources.contains(&r.arn) || keys.contains(&&r.arn));
        small.roles.retain(|role| {
            wanted
                .roles
                .iter()
                .any(|name| role.arn.ends_with(&format!(":role/{name}")))
        });
        let name = |tags: &fenrir_core::ownership::Tags| tags.get("Name").cloned().unwrap_or_default();
        small
            .security_groups
            .retain(|group| wanted.security_groups.contains(&name(&group.tags)));
        small.subnets.retain(|subnet| {
            wanted.deploy_subnets || wanted.subnets.contains(&subnet.id) || wanted.subnets.contains(&name(&subnet.tags))
        });
        let all = policy::judge(&document, context, world);
        let few = policy::judge(&document, context, &small);
        assert_eq!(all.template, few.template, "{}", case.display());
    }
}

/// Every row of the reference page that can refuse something has a case that is refused there; every row that is checked
/// or overwritten stands in a case or is generated.
#[test]
fn every_row_that_can_refuse_has_a_case() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md")).unwrap();
    let refused: Vec<String> = cases("refused")
        .iter()
        .map(|case| fs::read_to_string(case.with_extension("txt")).unwrap())
        .collect();
    let told: std::collections::HashSet<&str> = refused
        .iter()
        .flat_map(|text| text.split_whitespace())
        .filter(|word| word.starts_with('/'))
        .flat_map(|pointer| pointer.split('/'))
        .collect();
    let mut section = "";
    let mut missing = Vec::new();
    let mut rows = 0;
    for line in page.lines() {
        if line.starts_with("##") {
            section = line.trim_start_matches(['#', ' ']);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, name, "check" | "refuse" | "overwrite", ..] = cells.as_slice() {
            let name = name.trim_matches('*');
            rows += 1;
            if !told.contains(name) {
                missing.push(format!("{section}: {name}"));
            }
        }
    }
    assert!(rows > 400, "{rows} rows were found");
    assert!(missing.is_empty(), "no case is refused for\n{}", missing.join("\n"));
}
