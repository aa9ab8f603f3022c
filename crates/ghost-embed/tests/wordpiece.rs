//! The tokenizer against the reference's own answers.

use ghost_embed::WordPiece;

/// Each line holds a text and the ids that the reference tokenizer of all-MiniLM-L6-v2 gives it
/// (no special tokens): tricky ones by hand, and some hundred random mixtures of scripts.
#[test]
fn every_text_of_the_vector_file_has_the_ids_of_the_reference() {
    let lines = include_str!("wordpiece.jsonl");
    let mut seen = 0;
    for line in lines.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let expected: Vec<u64> =
            case["ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
        let found: Vec<u64> =
            WordPiece::embedded().encode(text).into_iter().map(u64::from).collect();
        assert_eq!(found, expected, "{text:?}");
        seen += 1;
    }
    assert!(seen > 250, "{seen} texts");
}

#[test]
fn any_text_is_cut_into_known_tokens_and_never_more_than_asked_for() {
    bolero::check!().with_type::<String>().with_iterations(2000).for_each(|text| {
        let ids = WordPiece::embedded().encode(text);
        assert!(ids.iter().all(|id| *id < 30_522));
        assert!(ids.len() <= 3 * text.chars().count());
        let cut = WordPiece::embedded().encode_for_model(text, 16);
        assert!(cut.len() <= 16 && cut.first() == Some(&101) && cut.last() == Some(&102));
    });
}
