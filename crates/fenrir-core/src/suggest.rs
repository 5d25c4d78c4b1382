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
            (far <= reach && is_typing_error(given, name, far)).then_some((far, name))
        })
        // Of two that are equally near always the same, in whichever order they came.
        .min()
        .map(|(_, name)| name)
}

/// Whether so many errors leave enough of the name: half of it, and something of the part in which the two differ. `F`
/// is nothing like `L`, and `SESCrudPolicy` is another service than `S3CrudPolicy`.
fn is_typing_error(given: &str, name: &str, far: usize) -> bool {
    let (given, name): (Vec<_>, Vec<_>) = (given.chars().collect(), name.chars().collect());
    let shorter = given.len().min(name.len());
    let is_same = |(a, b): &(&char, &char)| a.eq_ignore_ascii_case(b);
    let before = given.iter().zip(&name).take_while(is_same).count();
    let pairs_behind = given.iter().rev().zip(name.iter().rev());
    let behind = pairs_behind.take(shorter - before).take_while(is_same).count();
    let same = before + behind;
    let all_differs = far > 1 && same < shorter && far >= given.len().max(name.len()) - same;
    2 * far <= shorter && !all_differs
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
        assert_eq!(nearest("FunconName", names), Some("FunctionName"));
        assert_eq!(nearest("L", ["F"]), None);
        assert_eq!(nearest("Fn", ["F"]), None);
        assert_eq!(nearest("Fm", ["Fn"]), Some("Fn"));
        for other in ["SESCrudPolicy", "SNSCrudPolicy"] {
            assert_eq!(nearest(other, ["S3CrudPolicy"]), None, "{other}");
        }
        assert_eq!(nearest("", names), None);
        assert_eq!(
            nearest("projectName", ["project_name", "timeout"]),
            Some("project_name")
        );
    }
}
