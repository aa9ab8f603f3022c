//! Rules about the text of files: length, leftovers, unsafe, paths of one machine, dead links.

use std::path::Path;

use super::shown;
use crate::sh::{Outcome, read};

/// No source file is longer: the one that would be is where stages are joined, and it is split.
const LINES_MAX: usize = 900;

pub(super) fn check(root: &Path, files: &[impl AsRef<Path>]) -> Outcome<Vec<String>> {
    let mut complaints = Vec::new();
    for path in files.iter().map(AsRef::as_ref) {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !matches!(extension, "rs" | "md" | "toml") {
            continue;
        }
        let name = shown(root, path);
        let text = read(path)?;
        complaints.extend(of_one_machine(&name, &text));
        match extension {
            "rs" => complaints.extend(source(&name, &text)),
            "md" => complaints.extend(dead_links(&name, &text, |link| {
                let folder = path.parent().unwrap_or(root);
                folder.join(link).exists()
            })),
            _ => {}
        }
    }
    Ok(complaints)
}

fn source(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        complaints.push(format!("{name}: {lines} lines; split it (at most {LINES_MAX})"));
    }
    let header = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    if !header.starts_with("//!") {
        complaints.push(format!("{name}: does not open with what it promises (`//!`)"));
    }
    let leftover = ["todo", "unimplemented", "dbg"].map(|m| format!("{m}!("));
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if leftover.iter().any(|m| code.contains(m.as_str())) {
            complaints.push(format!("{name}:{}: a leftover: {}", number + 1, line.trim()));
        }
        if is_unsafe(code) && !name.ends_with("sys.rs") {
            complaints.push(format!("{name}:{}: unsafe lives in sys.rs files", number + 1));
        }
    }
    complaints
}

/// True where the code (not a string) opens an unsafe block, function or implementation.
fn is_unsafe(code: &str) -> bool {
    let word = concat!("un", "safe ");
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        let rest = code.get(at + word.len()..).unwrap_or_default();
        before.matches('"').count() % 2 == 0
            && ["{", "fn ", "impl ", "extern ", "trait "].iter().any(|k| rest.starts_with(k))
    })
}

/// Paths that exist on one machine only have no place in a public tree.
fn of_one_machine(name: &str, text: &str) -> Vec<String> {
    let foreign = [concat!("/wo", "rk/"), concat!("/tm", "p/w")];
    let found = text.lines().enumerate().filter(|(_, l)| foreign.iter().any(|f| l.contains(f)));
    found.map(|(n, l)| format!("{name}:{}: a path of one machine: {}", n + 1, l.trim())).collect()
}

/// Relative links of a document that lead nowhere.
fn dead_links(name: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, _) in text.match_indices("](") {
        let rest = text.get(at + 2..).unwrap_or_default();
        let Some((target, _)) = rest.split_once(')') else { continue };
        let file = target.split('#').next().unwrap_or_default();
        let elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
        if !elsewhere && !file.contains(char::is_whitespace) && !exists(file) {
            complaints.push(format!("{name}: the link to {file} leads nowhere"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_link_is_named_and_one_into_the_web_is_not_followed() {
        let text = "[a](docs/a.md#part) [b](https://example.org/x) [c](#here)";
        assert_eq!(dead_links("R", text, |_| false), ["R: the link to docs/a.md leads nowhere"]);
        assert_eq!(dead_links("R", text, |_| true), Vec::<String>::new());
    }

    #[test]
    fn a_block_is_told_from_the_word() {
        assert!(is_unsafe(concat!("let x = un", "safe { y };")));
        assert!(!is_unsafe(concat!("deny(un", "safe_code)")));
        assert!(!is_unsafe(concat!("\"un", "safe {\"")));
    }

    #[test]
    fn a_long_file_without_a_header_gets_two_complaints() {
        assert_eq!(source("x.rs", &"let a = 1;\n".repeat(LINES_MAX + 1)).len(), 2);
    }

    #[test]
    fn a_leftover_is_found_outside_comments_only() {
        assert_eq!(source("x.rs", concat!("//! x\nto", "do!();\n")).len(), 1);
        assert_eq!(source("x.rs", concat!("//! x\n// to", "do!();\n")).len(), 0);
    }
}
