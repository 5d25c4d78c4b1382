//! Plain scalars: what an unquoted text of a YAML file is.
//!
//! CloudFormation reads YAML 1.1, many tools read 1.2, and a few texts mean one thing here and another there. Those
//! are refused with what to write instead. All others have one meaning in both.

use serde_json::{Number, Value};

/// What an unquoted text is.
#[derive(Debug, PartialEq)]
pub(super) enum Scalar {
    Value(Value),
    Null,
    /// It has two meanings, or none that a template can carry: why, and what to write.
    Refused(String, &'static str),
}

/// Quoting mends every number-like text that is meant as text.
const QUOTE: &str = "write it in quotes if it is text, or as a plain decimal number";

/// Resolves an unquoted text.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Value(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Scalar::Value(Value::Bool(false)),
        _ => {}
    }
    if is_old_boolean(text) {
        return Scalar::Refused(
            format!("`{text}` is a boolean to some readers of YAML and a text to others"),
            "write `true` or `false`, or put it in quotes",
        );
    }
    // Everything below begins like a number.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Scalar::Value(Value::String(text.to_owned()));
    }
    if is_not_finite(text) {
        return Scalar::Refused(format!("`{text}` is no number a template can carry"), QUOTE);
    }
    number(text).unwrap_or_else(|| {
        if is_ambiguous_number(text) {
            Scalar::Refused(
                format!("`{text}` is read as different numbers, or as text, by different readers of YAML"),
                QUOTE,
            )
        } else {
            Scalar::Value(Value::String(text.to_owned()))
        }
    })
}

/// YAML 1.1 `bool`, without `true` and `false` (<https://yaml.org/type/bool.html>), and without the single letters `y`
/// and `n`: the readers in use (`PyYAML`, `SnakeYAML`) never took those for booleans, and every table has a key of
/// `AttributeType: N`.
fn is_old_boolean(text: &str) -> bool {
    matches!(
        text,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF"
    )
}

fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
}

/// Decimal integers without leading zeros, and decimal fractions that both versions of YAML read alike.
fn number(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let plain = |s: &str| digits(s) && (s == "0" || !s.starts_with('0'));
    if plain(unsigned) {
        let number = text.parse::<i64>().map(Number::from);
        return Some(match number.or_else(|_| text.parse::<u64>().map(Number::from)) {
            Ok(number) => Scalar::Value(Value::Number(number)),
            Err(_) => Scalar::Refused(format!("`{text}` is too large for an integer"), QUOTE),
        });
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        // Without a sign an exponent makes a number in YAML 1.2 and a text in 1.1.
        Some((mantissa, e)) => (mantissa, Some(e.strip_prefix(['+', '-'])?)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let is_float = plain(whole) && (fraction.is_empty() || digits(fraction)) && exponent.is_none_or(digits);
    if !is_float {
        return None;
    }
    // Beyond 15 significant digits a double no longer holds what was written (IEEE 754, binary64).
    let significant = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let parsed = text.parse::<f64>().ok().filter(|_| significant <= 15);
    Some(match parsed.and_then(Number::from_f64) {
        Some(number) => Scalar::Value(Value::Number(number)),
        None => Scalar::Refused(format!("`{text}` has more digits than a number can carry"), QUOTE),
    })
}

/// Texts that YAML 1.1 or 1.2 read as a number, and the other otherwise (<https://yaml.org/type/int.html>,
/// <https://yaml.org/type/float.html>, YAML 1.2.2 chapter 10.3.2).
fn is_ambiguous_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let only = |s: &str, allowed: fn(u8) -> bool| !s.is_empty() && s.bytes().all(allowed);
    let decimal = |b: u8| b.is_ascii_digit() || b == b'_';
    let based = ["0x", "0o", "0b"].iter().any(|prefix| {
        unsigned
            .strip_prefix(prefix)
            .is_some_and(|rest| only(rest, |b| b.is_ascii_hexdigit() || b == b'_'))
    });
    let starts_with_digit = unsigned.starts_with(|c: char| c.is_ascii_digit());
    let sexagesimal = starts_with_digit
        && !unsigned.starts_with('0')
        && unsigned.contains(':')
        && unsigned.split(':').skip(1).all(|part| {
            let whole = part.split('.').next().unwrap_or_default();
            (1..=2).contains(&whole.len()) && whole.bytes().all(|b| b.is_ascii_digit())
        })
        && unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'_'));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let floating = only(exponent, |b| b.is_ascii_digit())
        && mantissa.bytes().any(|b| b.is_ascii_digit())
        && mantissa.bytes().filter(|b| *b == b'.').count() <= 1
        && mantissa.bytes().all(|b| decimal(b) || b == b'.');
    based || sexagesimal || floating
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_one_meaning_is_read() {
        for (text, wanted) in [
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("0", json!(0)),
            ("-12", json!(-12)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("0.5", json!(0.5)),
            ("3.0", json!(3.0)),
            ("1.5e+3", json!(1500.0)),
            ("2010-09-09", json!("2010-09-09")),
            ("1.2.3", json!("1.2.3")),
            ("nodejs22.x", json!("nodejs22.x")),
            ("10.0.0.0/8", json!("10.0.0.0/8")),
            ("-", json!("-")),
            ("...x", json!("...x")),
            ("00:30", json!("00:30")),
            ("1:2:3:arn", json!("1:2:3:arn")),
            ("12:30:00Z", json!("12:30:00Z")),
            ("y", json!("y")),
            ("N", json!("N")),
        ] {
            assert_eq!(resolve(text), Scalar::Value(wanted), "{text}");
        }
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        for text in [
            "yes",
            "No",
            "ON",
            "off",
            "0777",
            "012345678901",
            "+5",
            "1_000",
            "12:30",
            "190:20:30.15",
            "0x1F",
            "0o17",
            "0b11",
            "1e5",
            "1.5e3",
            ".inf",
            "-.INF",
            ".NaN",
            ".5",
            "01.5",
            "+1.5",
            "99999999999999999999",
            "0.1234567890123456789",
            "1e999",
        ] {
            assert!(
                matches!(resolve(text), Scalar::Refused(..)),
                "{text}: {:?}",
                resolve(text)
            );
        }
    }

    #[test]
    fn nothing_is_null() {
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(resolve(text), Scalar::Null, "{text}");
        }
    }
}
