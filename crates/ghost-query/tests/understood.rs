//! What is understood of questions, word for word: one line a question, and what it becomes in the
//! filter language. Every line is asked again as it was understood, and must stay what it is.

use ghost_query::{Tags, understand};
use jiff::Zoned;

/// Questions and what they become, separated by ` => `; a line that begins with `#` is a heading.
const QUESTIONS: &str = include_str!("questions.txt");

fn now() -> Zoned {
    "2026-11-20T10:30:00+00:00[UTC]".parse().unwrap()
}

fn tags() -> Tags {
    Tags::new([
        ("production".to_owned(), vec!["10.9.0.0/16".to_owned()]),
        ("printers".to_owned(), vec!["10.9.7.0/24".to_owned()]),
    ])
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = QUESTIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(" => ").unwrap_or_else(|| panic!("no => in {line:?}")))
}

#[test]
fn every_question_becomes_what_is_written_beside_it() {
    let (now, tags) = (now(), tags());
    let mut wrong = Vec::new();
    for (words, want) in lines() {
        let got = understand(words, &now, &tags).unwrap().to_string();
        if got != want {
            wrong.push(format!("{words} => {got}"));
        }
    }
    assert!(wrong.is_empty(), "understood otherwise:\n{}", wrong.join("\n"));
    assert!(lines().count() >= 100);
}

#[test]
fn what_was_understood_is_understood_as_the_same() {
    let (now, tags) = (now(), tags());
    for (words, want) in lines() {
        let first = understand(words, &now, &tags).unwrap();
        let again = understand(want, &now, &tags).unwrap();
        assert_eq!(again.to_string(), want, "{words}");
        assert_eq!((&again.parts, &again.meaning), (&first.parts, &first.meaning), "{words}");
        assert_eq!((&again.aggregate, &again.anchor), (&first.aggregate, &first.anchor), "{words}");
    }
}
