//! Did you mean: the nearest of the names that are allowed.

/// Bytes of a text that is taken for a name with a typing error in it.
const LONGEST: usize = 256;

/// The name that was probably meant.
#[must_use]
pub fn nearest<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // A typing error in three letters or so; more would suggest something else altogether.
    let reach = (given.chars().count() / 3).clamp(1, 3);
    names
        .into_iter()
        .filter_map(|name| {
            if name.eq_ignore_ascii_case(given.trim()) {
                return Some((0, name));
            }
            // The distance takes time and memory of one length by the other.
            let is_comparable = given.len() <= LONGEST && given.len().abs_diff(name.len()) <= reach * 4;
            let far = is_comparable.then(|| strsim::damerau_levenshtein(given, name))?;
            (far <= reach).then_some((far, name))
        })
        // Of two that are equally near always the same, in whichever order they came.
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["Timeout", "Runtime", "FunctionName"];
        assert_eq!(nearest("timeout", names), Some("Timeout"));
        assert_eq!(nearest("Tiemout", names), Some("Timeout"));
        assert_eq!(nearest("Functionname", names), Some("FunctionName"));
        assert_eq!(nearest("Handler", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(
            nearest("projectName", ["project_name", "timeout"]),
            Some("project_name")
        );
    }
}
