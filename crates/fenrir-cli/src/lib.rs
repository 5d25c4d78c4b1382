//! The `fenrir` command: one file per verb in [`commands`], one [`printer::Printer`] for all output, one list of
//! [`environment`] variables and one of [`exit`] statuses.

pub mod answer;
pub mod archive;
pub mod arguments;
pub mod artifacts;
pub mod aws;
pub mod bootstrap;
pub mod commands;
pub mod container;
pub mod dashboard;
pub mod doctor;
pub mod ending;
pub mod environment;
pub mod exit;
pub mod fault;
pub mod follow;
pub mod init;
pub mod interrupt;
pub mod launch;
pub mod original;
pub mod package;
pub mod planned;
pub mod printer;
pub mod progress;
pub mod project;
pub mod reference;
pub mod release;
pub mod releases;
pub mod render;
pub mod rules;
pub mod scope;
pub mod settings;
pub mod source;
pub mod text;
pub mod upload;
pub mod version;
