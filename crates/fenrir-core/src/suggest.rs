//! Did you mean: the name that somebody probably meant.

/// The candidate that `name` is nearest to, when it is near at all: the same letters in another case, or at most a
/// third of them different.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let far = wanted.chars().count() / 3;
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["project_name", "config_name", "timeout"];
        assert_eq!(nearest("projectName", names), Some("project_name"));
        assert_eq!(nearest("Timeout", names), Some("timeout"));
        assert_eq!(nearest("timoeut", names), Some("timeout"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
    }
}
