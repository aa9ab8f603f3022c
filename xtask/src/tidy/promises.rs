//! SPECIFICATION.md against the tree: every test and benchmark that it names is there.
//!
//! A promise names what holds it as `` test `name` `` or `` bench `name` row `row` ``; a promise
//! that names nothing must say "not measured".

use std::collections::BTreeSet;
use std::path::Path;

use crate::bench;
use crate::sh::{Outcome, read};

pub(super) fn check(root: &Path, files: &[impl AsRef<Path>]) -> Outcome<Vec<String>> {
    let specification = read(&root.join("SPECIFICATION.md"))?;
    let mut tests = BTreeSet::new();
    for path in files.iter().map(AsRef::as_ref) {
        if path.extension().is_some_and(|e| e == "rs") {
            tests.extend(test_names(&read(path)?));
        }
    }
    Ok(complaints(&specification, &tests))
}

fn complaints(specification: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let rows = specification.lines().filter(|l| l.starts_with('|'));
    for row in rows.filter(|l| !l.starts_with("| ---") && !l.starts_with("| Promise")) {
        let mut held = row.contains("not measured");
        for name in named(row, "test `") {
            held = true;
            if !tests.contains(name) {
                complaints.push(format!("SPECIFICATION.md names a test that is not there: {name}"));
            }
        }
        for name in named(row, "bench `") {
            held = true;
            if !bench::NAMES.contains(&name) {
                complaints.push(format!("SPECIFICATION.md names no known benchmark: {name}"));
            }
        }
        held |=
            ["eval", "demo", "test", "tidy"].iter().any(|t| row.contains(&format!("xtask {t}")));
        if !held {
            complaints.push(format!("SPECIFICATION.md: nothing holds this promise: {row}"));
        }
    }
    complaints
}

/// What stands between `before` and the next backquote, each time.
fn named<'a>(row: &'a str, before: &str) -> Vec<&'a str> {
    let starts = row.match_indices(before).map(|(at, _)| at + before.len());
    starts.filter_map(|at| row.get(at..)?.split('`').next()).collect()
}

/// Functions under a `#[test]`.
fn test_names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut wanted = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            wanted = true;
        } else if wanted && let Some(rest) = line.strip_prefix("fn ") {
            names.extend(rest.split('(').next().map(str::to_owned));
            wanted = false;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_must_name_something_that_is_there() {
        let tests = BTreeSet::from(["it_holds".to_owned()]);
        let good = "| a | test `it_holds` |\n| b | bench `headers` row `x` |\n| c | not measured |";
        assert_eq!(complaints(good, &tests), Vec::<String>::new());
        let bad = "| a | test `it_is_gone` |\n| b | bench `none` |\n| c | surely |";
        assert_eq!(complaints(bad, &tests).len(), 3);
    }

    #[test]
    fn tests_are_found_by_their_attribute() {
        let source = "#[test]\n#[expect(x)]\nfn a_name() {\n}\nfn helper() {}\n";
        assert_eq!(test_names(source), ["a_name"]);
    }
}
