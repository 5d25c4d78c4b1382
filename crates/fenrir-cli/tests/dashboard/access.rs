//! What the page is to everybody: to a browser, to a screen reader, to a keyboard, to a network.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::dom::{Element, Page};
use crate::pages;

#[test]
fn no_parser_has_to_forgive_anything() {
    for page in pages() {
        assert_eq!(page.errors, Vec::<String>::new());
        assert!(page.source.starts_with("<!doctype html>"));
        assert_eq!(page.root.attribute("lang").as_deref(), Some("en"));
        assert!(!page.elements("title")[0].text().is_empty());
        // HTML, "Specifying the document's character encoding": within the first 1024 bytes.
        assert!(page.source[..1024].contains("<meta charset=\"utf-8\">"));
    }
    assert!(
        !Page::parse("<!doctype html><p><b></p>").errors.is_empty(),
        "the parser is strict"
    );
}

#[test]
fn every_id_is_there_once_and_every_reference_leads_to_one() {
    for page in pages() {
        let mut ids = BTreeSet::new();
        for id in page.all().iter().filter_map(|element| element.attribute("id")) {
            assert!(!id.is_empty() && !id.contains(char::is_whitespace), "{id}");
            assert!(ids.insert(id.clone()), "the id `{id}` is there twice");
        }
        let mut references = 0;
        for element in page.all() {
            for (name, value) in element.attributes() {
                let wanted: Vec<&str> = match name.as_str() {
                    "for" | "aria-labelledby" | "aria-describedby" => value.split_whitespace().collect(),
                    "href" => value.strip_prefix('#').into_iter().collect(),
                    _ => continue,
                };
                for id in wanted {
                    references += 1;
                    assert!(ids.contains(id), "{name} refers to `{id}`, which is not there");
                }
            }
        }
        assert!(references > 8);
    }
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    for page in pages() {
        let levels: Vec<u32> = page
            .all()
            .iter()
            .filter_map(|element| element.name().strip_prefix('h')?.parse().ok())
            .collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        assert_eq!(levels[0], 1);
        for pair in levels.windows(2) {
            assert!(pair[1] <= pair[0] + 1, "{levels:?}");
        }
    }
}

#[test]
fn landmarks_tell_the_parts_of_the_page_apart() {
    for page in pages() {
        for landmark in ["header", "main", "footer", "nav"] {
            assert_eq!(page.elements(landmark).len(), 1, "{landmark}");
        }
        for element in page.all() {
            let is_landmark = ["section", "nav", "article"].contains(&element.name().as_str())
                || matches!(element.attribute("role").as_deref(), Some("region" | "group"));
            assert!(!is_landmark || is_named(&element), "a {} has no name", element.name());
        }
        let skip = page.elements("a")[0].attribute("href");
        let main = page.elements("main")[0].attribute("id");
        assert_eq!(skip.as_deref().and_then(|skip| skip.strip_prefix('#')), main.as_deref());
        assert_eq!(
            page.elements("body")[0].children()[0].name(),
            "a",
            "the way over the header comes first"
        );
    }
}

#[test]
fn tables_have_a_caption_and_headers_with_a_scope() {
    let mut tables = 0;
    for page in pages() {
        for table in page.elements("table") {
            tables += 1;
            assert_eq!(table.children()[0].name(), "caption");
            assert!(!table.children()[0].text().is_empty());
            for header in table.elements("th") {
                let scope = header.attribute("scope");
                assert!(matches!(scope.as_deref(), Some("col" | "row")), "{scope:?}");
            }
            let columns = table.elements("thead")[0].elements("th").len();
            for row in table.elements("tbody")[0].elements("tr") {
                let cells = row.children();
                assert_eq!(cells[0].name(), "th");
                let span = |cell: &Element| cell.attribute("colspan").map_or(1, |span| span.parse().unwrap());
                assert_eq!(cells.iter().map(span).sum::<usize>(), columns);
            }
        }
    }
    assert!(tables > 4);
}

#[test]
fn pictures_and_fields_have_names() {
    for page in pages() {
        for picture in page.elements("svg") {
            let is_hidden = picture.attribute("aria-hidden").as_deref() == Some("true");
            let is_image = picture.attribute("role").as_deref() == Some("img") && is_named(&picture);
            assert!(is_hidden || is_image);
        }
        let labelled: BTreeSet<String> = page
            .elements("label")
            .iter()
            .filter_map(|label| label.attribute("for"))
            .collect();
        for field in page.elements("input") {
            assert!(labelled.contains(&field.attribute("id").unwrap()));
        }
        for link in page.elements("a") {
            assert!(!link.text().trim().is_empty());
            assert!(link.attribute("href").is_some());
        }
        for time in page.elements("time") {
            let at = time.attribute("datetime").unwrap();
            assert!(fenrir_core::timestamp::parse(&at).is_some(), "{at}");
        }
    }
}

#[test]
fn a_keyboard_goes_through_it_in_the_order_of_the_page() {
    for page in pages() {
        for element in page.all() {
            if let Some(index) = element.attribute("tabindex") {
                assert!(["0", "-1"].contains(&index.as_str()), "{index}");
                assert!(index == "-1" || is_named(&element), "what takes the focus has no name");
            }
            // What scrolls must scroll by the keyboard, too.
            let class = element.attribute("class").unwrap_or_default();
            let scrolls = class.split(' ').any(|class| class == "scroll");
            assert!(!scrolls || element.attribute("tabindex").as_deref() == Some("0"));
        }
    }
}

#[test]
fn it_asks_nothing_of_anybody() {
    for page in pages() {
        for element in page.all() {
            for (name, value) in element.attributes() {
                let is_link = element.name() == "a" && name == "href";
                assert!(
                    !["src", "srcset", "action", "ping", "background"].contains(&name.as_str()),
                    "{name}"
                );
                if is_link {
                    let console = "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:";
                    assert!(value.starts_with('#') || value.starts_with(console), "{value}");
                } else if name == "href" {
                    assert!(
                        element.name() == "link" && value.starts_with("data:image/svg+xml,"),
                        "{value}"
                    );
                }
            }
        }
        for word in ["url(", "@import", "image-set(", "src("] {
            assert!(!page.elements("style")[0].raw().contains(word), "{word}");
        }
    }
}

#[test]
fn only_its_own_style_sheet_and_script_are_let_in() {
    for page in pages() {
        let metas = page.elements("meta");
        let policy = metas
            .iter()
            .find(|meta| meta.attribute("http-equiv").as_deref() == Some("Content-Security-Policy"))
            .and_then(|meta| meta.attribute("content"))
            .unwrap();
        for name in ["style", "script"] {
            let own = page.elements(name);
            assert_eq!(own.len(), 1);
            assert_eq!(own[0].attributes(), Vec::new());
            let hash = STANDARD.encode(Sha256::digest(own[0].raw().as_bytes()));
            assert!(policy.contains(&format!("{name}-src 'sha256-{hash}';")), "{policy}");
        }
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let is_live = page.elements("body")[0].attribute("data-live").is_some();
        assert!(policy.contains(if is_live {
            "connect-src 'self';"
        } else {
            "connect-src 'none';"
        }));
        for element in page.all() {
            for (name, value) in element.attributes() {
                // The policy would keep them from working.
                assert!(name != "style" && !name.starts_with("on"), "{name}");
                assert!(!value.trim_start().to_lowercase().starts_with("javascript:"), "{value}");
            }
        }
    }
}

fn is_named(element: &Element) -> bool {
    element.attribute("aria-labelledby").is_some()
        || element.attribute("aria-label").is_some_and(|label| !label.is_empty())
}
