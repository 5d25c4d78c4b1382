//! The contrast of every text with what is behind it, computed from the style sheet, in light and in dark.

use std::collections::{BTreeMap, BTreeSet};

use fenrir_cli::dashboard::page::STYLE;

/// Text and what it stands on, by custom properties.
const PAIRS: [(&str, &[&str]); 9] = [
    ("text", &["bg", "card"]),
    ("muted", &["bg", "card"]),
    ("link", &["bg", "card"]),
    ("good", &["good-tint", "card"]),
    ("bad", &["bad-tint", "card"]),
    ("warn", &["warn-tint", "card"]),
    ("hold", &["hold-tint", "card"]),
    ("run", &["run-tint", "card"]),
    ("idle", &["idle-tint", "card"]),
];
/// What is not text but must be seen: WCAG 2.2, 1.4.11.
const MARKS: [(&str, &[&str]); 7] = [
    ("focus", &["bg", "card"]),
    ("muted", &["card"]),
    ("good", &["card"]),
    ("bad", &["card"]),
    ("warn", &["card"]),
    ("run", &["card"]),
    ("card", &["run"]),
];

type Colours = BTreeMap<String, [f64; 3]>;

/// The colours of the light and of the dark page.
fn schemes() -> [Colours; 2] {
    let (light, rest) = STYLE.split_once("@media (prefers-color-scheme:dark)").unwrap();
    let dark = rest.split_once("}}").unwrap().0;
    [colours(light), colours(dark)]
}

fn colours(css: &str) -> Colours {
    let declarations = css
        .split(['{', '}', ';', '\n'])
        .filter_map(|part| part.trim().strip_prefix("--"));
    declarations
        .map(|declaration| {
            let (name, value) = declaration.split_once(':').unwrap();
            let hex = value.strip_prefix('#').unwrap();
            assert_eq!(hex.len(), 6, "{value}");
            let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            (name.to_owned(), [part(0), part(2), part(4)])
        })
        .collect()
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// WCAG 2.2, "contrast ratio".
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn contrast_is_computed_as_wcag_says() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    // WebAIM's contrast checker has 4.48 for #777777 on white, the best known near miss.
    let grey = contrast([119.0 / 255.0; 3], [1.0; 3]);
    assert!((4.47..4.49).contains(&grey), "{grey}");
}

#[test]
fn every_text_can_be_read_in_light_and_in_dark() {
    for scheme in schemes() {
        for (pairs, least) in [(&PAIRS[..], 4.5), (&MARKS[..], 3.0)] {
            for (text, grounds) in pairs {
                for ground in *grounds {
                    let ratio = contrast(scheme[*text], scheme[*ground]);
                    assert!(ratio >= least, "{text} on {ground}: {ratio:.2}");
                }
            }
        }
    }
}

#[test]
fn both_schemes_have_every_colour_that_is_used_and_there_is_no_other() {
    let [light, dark] = schemes();
    let names: BTreeSet<&String> = light.keys().collect();
    assert_eq!(names, dark.keys().collect());
    let used: BTreeSet<String> = STYLE
        .split("var(--")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .collect();
    assert_eq!(used.iter().collect::<BTreeSet<_>>(), names);
    // Every colour of text is in the table above.
    let text: BTreeSet<&str> = PAIRS.iter().map(|(text, _)| *text).collect();
    for rest in STYLE
        .split(['{', ';'])
        .filter_map(|part| part.trim().strip_prefix("color:"))
    {
        let name = rest
            .trim_end_matches('}')
            .trim_start_matches("var(--")
            .trim_end_matches(')');
        let name = name.split(['}', ')']).next().unwrap();
        assert!(text.contains(name) || name == "inherit", "{rest}");
    }
    let after = STYLE.split_once("}}").unwrap().1;
    for other in [":#", " #", "rgb", "hsl"] {
        assert!(!after.contains(other), "a colour outside the palette: {other}");
    }
}

#[test]
fn nothing_moves_for_those_who_do_not_want_it() {
    let (before, rest) = STYLE
        .split_once("@media (prefers-reduced-motion:no-preference)")
        .unwrap();
    let after = rest.split_once("\n}\n").unwrap().1;
    for word in ["animation", "transition", "@keyframes"] {
        assert!(!before.contains(word) && !after.contains(word), "{word}");
    }
    assert!(after.contains("@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}"));
}

#[test]
fn whoever_uses_the_keyboard_sees_where_he_is() {
    assert!(STYLE.contains(":focus-visible{outline:2px solid var(--focus)"));
    assert!(!STYLE.contains("outline:none") && !STYLE.contains("outline:0"));
}
