//! Keeps what the documents say about the house true.
//!
//! The map (ARCHITECTURE.md) names every crate and what it depends on; the promises
//! (SPECIFICATION.md) name the tests and benchmarks that hold them; documents link to files. All of
//! it is compared with the tree, so that a document which no longer fits fails the tests.

mod map;
mod promises;
mod text;

use std::path::{Path, PathBuf};

use crate::Done;
use crate::sh;

/// Folders that hold no text of ours.
const NOT_OURS: &[&str] = &["target", ".git", "models", "pcap", "__fuzz__"];

/// Checks the whole tree; every complaint is printed.
pub(crate) fn run() -> Done {
    let root = sh::root();
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    files.sort();
    let mut complaints = map::check(&root)?;
    complaints.extend(promises::check(&root, &files)?);
    complaints.extend(text::check(&root, &files)?);
    for complaint in &complaints {
        println!("tidy: {complaint}");
    }
    match complaints.len() {
        0 => Ok(()),
        n => Err(format!("{n} complaints")),
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Done {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let name = entry.file_name();
        if NOT_OURS.iter().any(|n| name == *n) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// `path` as it is written in complaints.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_project_is_tidy() {
        assert_eq!(super::run(), Ok(()));
    }
}
