//! Points in time as text: RFC 3339, always written in UTC with whole seconds where people read it.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The point in time that an RFC 3339 text names; `None` when it names none.
#[must_use]
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// `2026-11-21T22:06:31Z`. A point in time that RFC 3339 cannot write (a year of five digits) becomes empty text.
#[must_use]
pub fn format(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// `2026-11-21T22:06:31.123Z`: to the millisecond, for what is measured.
#[must_use]
pub fn exact(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_millisecond(at.millisecond())
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_time_agree() {
        for (text, written) in [
            ("2026-11-21T22:06:31Z", "2026-11-21T22:06:31Z"),
            ("2026-11-21T22:06:31.999Z", "2026-11-21T22:06:31Z"),
            ("2026-11-21T23:06:31+01:00", "2026-11-21T22:06:31Z"),
        ] {
            assert_eq!(parse(text).map(format).as_deref(), Some(written));
        }
        for text in [
            "",
            "yesterday",
            "2026-11-21",
            "2026-11-21T22:06:31",
            "2026-13-21T22:06:31Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
