//! The shipped captures that are made here, because no freely licensed one shows the thing.
//!
//! Every packet is built from the protocol's own layout, with correct lengths and checksums, from
//! addresses of documentation and private ranges, and a clock that starts at a fixed day: the same
//! program writes the same bytes. What they are good for is told in tests/fixtures/NOTICE.md; they
//! say nothing about accuracy on real traffic.

mod hello;
mod packet;
mod scenes;

use std::path::PathBuf;

use crate::Done;
use crate::args::Args;
use crate::sh;

/// Writes the captures, or with `--check` compares them with the files.
pub(crate) fn run(mut args: Args) -> Done {
    let check = args.flag("--check");
    args.done()?;
    let mut differ = Vec::new();
    for (name, bytes) in scenes::all() {
        let path = folder().join(name);
        if check {
            if std::fs::read(&path).ok().as_deref() != Some(&bytes) {
                differ.push(name);
            }
        } else {
            sh::write(&path, &bytes)?;
            println!("{name}: {} bytes", bytes.len());
        }
    }
    if differ.is_empty() { Ok(()) } else { Err(format!("not as made here: {differ:?}")) }
}

/// Where the captures are.
pub(crate) fn folder() -> PathBuf {
    sh::root().join("tests/fixtures/pcap")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_captures_are_those_that_are_made_here() {
        for (name, bytes) in scenes::all() {
            let shipped = std::fs::read(folder().join(name)).unwrap();
            assert!(shipped == bytes, "{name} differs: run `cargo xtask fixtures`");
        }
    }

    #[test]
    fn every_shipped_capture_is_in_the_notice() {
        let notice = sh::read(&sh::root().join("tests/fixtures/NOTICE.md")).unwrap();
        for path in sh::files_in(&folder()).unwrap() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(notice.contains(&format!("`{name}`")), "{name} is not in NOTICE.md");
        }
    }
}
