//! ARCHITECTURE.md against the manifests: a dependency is drawn before it can be built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::sh::{Outcome, read};

type Edges = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(root: &Path) -> Outcome<Vec<String>> {
    let drawn = drawn(&read(&root.join("ARCHITECTURE.md"))?);
    Ok(compare(&drawn, &built(root)?))
}

fn compare(drawn: &Edges, built: &Edges) -> Vec<String> {
    let names: BTreeSet<_> = drawn.keys().chain(built.keys()).collect();
    let differs = names.into_iter().filter(|name| drawn.get(*name) != built.get(*name));
    differs.map(|name| complaint(name, drawn.get(name), built.get(name))).collect()
}

fn complaint(
    name: &str,
    drawn: Option<&BTreeSet<String>>,
    built: Option<&BTreeSet<String>>,
) -> String {
    let list = |edges: &BTreeSet<String>| edges.iter().cloned().collect::<Vec<_>>().join(", ");
    match (drawn, built) {
        (None, _) => format!("{name}: ARCHITECTURE.md has no \"Depends on:\" for it"),
        (_, None) => format!("{name}: ARCHITECTURE.md describes a crate that is not there"),
        (Some(drawn), Some(built)) => {
            format!("{name}: the map says [{}], the manifest says [{}]", list(drawn), list(built))
        }
    }
}

/// What the map says: under a heading with the crate's path, a line `Depends on: a, b.`
fn drawn(map: &str) -> Edges {
    let mut edges = Edges::new();
    let mut room = None;
    for line in map.lines() {
        if let Some(name) = line.strip_prefix("### `crates/").and_then(|l| l.strip_suffix('`')) {
            room = Some(name);
        } else if let (Some(name), Some(list)) = (room, line.strip_prefix("Depends on: ")) {
            let names = list.trim_end_matches('.').split(", ").map(|d| d.trim_matches('`'));
            let ours = names.filter(|d| d.starts_with("ghost"));
            edges.insert(name.to_owned(), ours.map(str::to_owned).collect());
        }
    }
    edges
}

/// What the manifests say: `[dependencies]` only, since tests may reach anywhere.
fn built(root: &Path) -> Outcome<Edges> {
    let mut edges = Edges::new();
    let crates = fs::read_dir(root.join("crates")).map_err(|e| format!("crates: {e}"))?;
    for entry in crates.filter_map(Result::ok) {
        let manifest = read(&entry.path().join("Cargo.toml"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        edges.insert(name, dependencies(&manifest));
    }
    Ok(edges)
}

fn dependencies(manifest: &str) -> BTreeSet<String> {
    let lines = manifest.lines().skip_while(|l| *l != "[dependencies]").skip(1);
    let names = lines
        .take_while(|l| !l.starts_with('['))
        .filter_map(|l| l.split(['.', ' ', '=']).next())
        .filter(|d| d.starts_with("ghost"));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "### `crates/ghost-log`\nText.\n\nDepends on: ghost-event, ghost-world.\n";

    #[test]
    fn a_dependency_missing_from_the_map_is_named() {
        let drawn = drawn(MAP);
        let mut built = drawn.clone();
        built.get_mut("ghost-log").unwrap().insert("ghost-query".to_owned());
        assert_eq!(
            compare(&drawn, &built),
            ["ghost-log: the map says [ghost-event, ghost-world], \
              the manifest says [ghost-event, ghost-query, ghost-world]"]
        );
    }

    #[test]
    fn a_crate_that_is_not_described_is_named() {
        let complaints = compare(&Edges::new(), &drawn(MAP));
        assert!(complaints[0].starts_with("ghost-log: ARCHITECTURE.md has no"));
    }

    #[test]
    fn dependencies_of_tests_do_not_count() {
        let manifest =
            "[dependencies]\nghost-event.workspace = true\n\n[dev-dependencies]\nghost-log = 1\n";
        assert_eq!(dependencies(manifest), BTreeSet::from(["ghost-event".to_owned()]));
    }
}
