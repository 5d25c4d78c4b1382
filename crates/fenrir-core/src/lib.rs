//! What Fenrir knows without asking anybody: the release, names, the template, the policy, ownership and the
//! problems it reports. Everything here is data in, data out: no SDK, no I/O, no clock, no environment.
//!
//! A deploy travels through this crate like so: [`release`] decodes what the client sent, [`template`] loads the SAM
//! template with its source positions, [`policy`] says which things outside the template it refers to
//! ([`ownership::Wanted`]), somebody fetches what is known of them ([`ownership::World`]), and [`policy`] judges the
//! template against that and rewrites it. From then on only the small [`deployment::Deployment`] goes from step to step.

pub mod codes;
pub mod console;
pub mod deployment;
pub mod error;
pub mod event;
pub mod house;
pub mod keys;
pub mod names;
pub mod owner;
pub mod ownership;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod release;
pub mod suggest;
pub mod tags;
pub mod template;
pub mod timestamp;
