//! What moves to another place of the network.

use std::collections::BTreeSet;

use serde_json::Value;

use super::words::{each, several};
use super::{Sides, plain};
use crate::codes;
use crate::problem::Problem;

/// Where a resource says its place, and what each is.
const PLACES: [(&str, &str); 5] = [
    ("/Properties/VpcConfig/SecurityGroupIds", "security group"),
    ("/Properties/VpcConfig/SubnetIds", "subnet"),
    ("/Properties/SecurityGroups", "security group"),
    ("/Properties/Subnets", "subnet"),
    ("/Properties/VpcId", "VPC"),
];

/// A function or load balancer gets other security groups or subnets. Only of what is there: something new has no other
/// place that it could have had.
pub(super) fn moved(sides: &Sides<'_>) -> Vec<Problem> {
    let (Some(before), Some(after)) = (sides.before, sides.after) else {
        return Vec::new();
    };
    let mut moves = Vec::new();
    for (path, what) in PLACES {
        let (old, new) = (all(before, path), all(after, path));
        moves.extend(new.difference(&old).map(|one| format!("joins the {what} `{one}`")));
        moves.extend(old.difference(&new).map(|one| format!("leaves the {what} `{one}`")));
    }
    if moves.is_empty() {
        return Vec::new();
    }
    let message = format!("`{}` moves in the network: {}", sides.id(), several(moves));
    let help = "who can reach it, and what it can reach, is another thing afterwards";
    vec![sides.warning(codes::PLAN_NETWORK, message, help)]
}

fn all(resource: &Value, path: &str) -> BTreeSet<String> {
    each(resource.pointer(path)).iter().map(plain).collect()
}
