//! What Validate's judgement costs: loading and judging hello, 100 and 400 functions, each with a role, and the
//! largest template: 500 resources that are 1 MB once they are rewritten.
//!
//! `load` is the command's part (YAML with positions), `judge` the step's (the value out of the release, asked and
//! judged).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench that cannot go on has failed; criterion writes main"
)]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fenrir_core::owner::Owner;
use fenrir_core::ownership::{Artifact, Tagged, World};
use fenrir_core::policy::{self, Context};
use fenrir_core::template::Document;

const CODE: &str = "s3://code/a.zip";

/// An API and `n` functions, each with a role, a path of the API, and a variable of so many bytes more.
fn template(n: usize, padding: usize) -> String {
    let padding = "x".repeat(padding);
    let mut text = String::from(
        "Transform: AWS::Serverless-2016-10-31\nProjectName: bench\nConfigName: dev\nResources:\n  Api:\n    \
         Type: AWS::Serverless::Api\n    Properties:\n      StageName: dev\n      EndpointConfiguration: REGIONAL\n",
    );
    for at in 0..n {
        write!(
            text,
            "  Function{at}:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: {CODE}\n      \
             Handler: app.handler\n      Runtime: python3.12\n      Timeout: 10\n      MemorySize: 256\n      \
             Role: role{at}\n      Environment:\n        Variables:\n          STAGE: dev{padding}\n          URL: !Sub \
             https://${{Api}}.execute-api.${{AWS::Region}}.amazonaws.com/dev\n      Events:\n        Call:\n          \
             Type: Api\n          Properties:\n            RestApiId: !Ref Api\n            Path: /path{at}\n            \
             Method: get\n",
        )
        .unwrap();
    }
    text
}

fn world(n: usize) -> (Context, World) {
    let owner = Owner {
        account: "111111111111".into(),
        region: "eu-west-1".into(),
        project: "bench".into(),
        config: "dev".into(),
    };
    let tags = [("ProjectName", "bench"), ("ConfigName", "dev"), ("ServiceName", "_all")];
    let tags: std::collections::BTreeMap<_, _> = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let world = World {
        account: owner.account.clone(),
        region: owner.region.clone(),
        artifacts: [(
            CODE.to_owned(),
            Artifact {
                sha256: "0".repeat(64),
                version_id: Some("v".into()),
                ..Artifact::default()
            },
        )]
        .into(),
        roles: (0..n)
            .map(|at| Tagged {
                arn: format!("arn:aws:iam::111111111111:role/role{at}"),
                tags: tags.clone(),
            })
            .collect(),
        ..World::default()
    };
    let context = Context {
        owner,
        artifacts: Some([(CODE.to_owned(), "0".repeat(64))].into()),
        allowed: std::collections::BTreeSet::new(),
    };
    (context, world)
}

fn measure(criterion: &mut Criterion) {
    for (name, n, padding) in [
        ("hello", 1, 0),
        ("100 functions", 100, 0),
        ("400 functions", 400, 0),
        ("500 resources of 1 MB", 499, 1250),
    ] {
        let text = template(n, padding);
        let (context, world) = world(n);
        let value = Document::load(&text).unwrap().value().clone();
        assert!(
            policy::judge(&Document::load(&text).unwrap(), &context, &world)
                .template
                .is_some()
        );
        criterion.bench_function(&format!("load, {name}"), |bencher| {
            bencher.iter(|| Document::load(black_box(&text)).unwrap());
        });
        criterion.bench_function(&format!("judge, {name}"), |bencher| {
            bencher.iter_batched(
                || value.clone(),
                |value| {
                    let document = Document::from_value(value).unwrap();
                    let wanted = policy::wanted(&document, &context);
                    let judgement = policy::judge(&document, &context, &world);
                    assert!(judgement.template.is_some());
                    (wanted, judgement)
                },
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, measure);
criterion_main!(benches);
