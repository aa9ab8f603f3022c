//! Whether every crate in `Cargo.lock` may be shipped, by the lists of `deny.toml`.
//!
//! Reads `cargo metadata`: each package's licence expression must be met by allowed licences, and
//! each comes from crates.io or from this repository. cargo-deny reads the same file and tells
//! more; this needs nothing installed.

use serde_json::Value;

use crate::Done;
use crate::sh::{self, cargo};

pub(crate) fn run() -> Done {
    let allowed = allowed(&sh::read(&sh::root().join("deny.toml"))?);
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1", "--locked"]);
    let text = sh::output(&mut metadata)?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let refused: Vec<String> = packages.iter().filter_map(|p| refusal(p, &allowed)).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused.join("\n")) }
}

/// The words between the brackets of `allow = […]`.
fn allowed(deny: &str) -> Vec<String> {
    let list = deny.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']'));
    let list = list.map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn refusal(package: &Value, allowed: &[String]) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("?");
    let source = package["source"].as_str();
    if source.is_some_and(|s| !s.starts_with("registry+") || !s.contains("crates.io")) {
        return Some(format!("{name}: comes from {}", source.unwrap_or_default()));
    }
    let licence = package["license"].as_str().unwrap_or_default();
    let told = if licence.is_empty() { "no licence" } else { licence };
    (!met(licence, allowed)).then(|| format!("{name}: {told} is not in deny.toml's list"))
}

/// Whether an SPDX expression is met; `/` is the old way to write OR.
fn met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, allowed) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut any = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        any |= both(words, at, allowed);
    }
    any
}

fn both(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut all = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        all &= one(words, at, allowed);
    }
    all
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let inner = either(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return inner && closed;
    }
    let mut licence = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        licence += &format!(" WITH {}", words.get(*at + 1).copied().unwrap_or_default());
        *at += 2;
    }
    allowed.contains(&licence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_met_by_what_is_allowed_and_by_nothing_else() {
        let allowed = allowed("allow = [\n \"MIT\",\n \"Apache-2.0 WITH LLVM-exception\",\n]\n");
        assert_eq!(allowed.len(), 2);
        for (expression, is_met) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("MIT/GPL-3.0", true),
            ("GPL-3.0", false),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND MIT", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(met(expression, &allowed), is_met, "{expression}");
        }
    }
}
