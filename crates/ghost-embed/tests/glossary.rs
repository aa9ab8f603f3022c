//! The glossary against the list of applications and behaviours, and the rows against the glossary.

use ghost_embed::{FieldRows, FreeText, glossary};
use ghost_event::Behaviours;
use ghost_wire::App;

#[test]
fn every_application_has_words() {
    let missing: Vec<_> =
        App::ALL.iter().map(|a| a.name()).filter(|n| glossary::app(n).is_none()).collect();
    assert!(missing.is_empty(), "no words for {missing:?}");
}

#[test]
fn no_words_are_kept_for_an_application_that_is_gone() {
    let names: Vec<_> = App::ALL.iter().map(|a| a.name()).collect();
    let stale: Vec<_> =
        glossary::APPS.iter().map(|w| w.name).filter(|n| !names.contains(n)).collect();
    assert!(stale.is_empty(), "{stale:?} are no applications");
}

#[test]
fn applications_are_of_the_kind_that_detection_calls_them() {
    for word in glossary::APPS {
        assert_eq!(word.category, ghost_detect::category::of_app(word.name), "{}", word.name);
    }
    let kinds: Vec<_> = glossary::CATEGORIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(kinds, ghost_detect::category::ALL);
}

#[test]
fn every_brand_that_detection_knows_has_a_row() {
    for brand in glossary::BRANDS.iter().chain(glossary::OTHER_BRANDS) {
        assert!(ghost_detect::brand::named(brand).is_some(), "{brand} is no brand");
    }
    for brand in &*ghost_detect::brand::BRANDS {
        let name = brand.name;
        let known = glossary::BRANDS.contains(&name) || glossary::OTHER_BRANDS.contains(&name);
        assert!(known, "{name} is missing from the glossary");
    }
}

#[test]
fn every_behaviour_has_words() {
    for (behaviour, name) in Behaviours::ALL {
        let words = glossary::BEHAVIOURS.iter().filter(|w| w.behaviour == *behaviour).count();
        assert_eq!(words, 1, "{name}");
    }
}

#[test]
fn words_hold_no_address_and_no_long_number() {
    let texts = glossary::APPS
        .iter()
        .map(|w| w.text)
        .chain(glossary::BEHAVIOURS.iter().map(|w| w.text))
        .chain(glossary::TRANSPORTS.iter().map(|(_, w)| *w));
    for text in texts {
        assert!(!text.is_empty() && text.is_ascii(), "{text:?}");
        let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        assert!(digits <= Some(5), "{text}");
    }
}

/// When this fails, the wording has changed: run
/// `cargo run --release -p ghost-embed --example fit_rows MODEL-FOLDER`.
#[test]
fn the_rows_were_fitted_to_this_very_glossary() {
    assert_eq!(FieldRows::embedded().digest(), glossary::digest(), "fit the rows again");
}

#[test]
fn the_shipped_tables_keep_within_their_size() {
    let fields = include_bytes!("../data/fields.rows").len();
    let tokens = include_bytes!("../data/tokens.rows").len();
    assert!(fields > 100_000 && fields <= 221_184, "{fields}");
    assert!(tokens > 1_000_000 && tokens <= 2_000_000, "{tokens}");
    assert!(FieldRows::embedded().len() > 400);
    assert!(FreeText::embedded().len() > 4_000);
}
