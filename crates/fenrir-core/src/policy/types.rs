//! The resource types, one file each.

pub mod alarm;
pub mod api;
pub mod bucket;
pub mod distribution;
mod elb;
pub mod event_rule;
pub mod function;
pub mod http_api;
pub mod layer;
pub mod listener;
pub mod listener_rule;
pub mod load_balancer;
pub mod log_group;
pub mod permission;
pub mod queue;
pub mod schedule;
pub mod simple_table;
pub mod state_machine;
pub mod table;
pub mod target_group;
pub mod topic;
