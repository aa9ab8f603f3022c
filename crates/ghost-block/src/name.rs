//! The name of a block: `block-<N>-<first 12 hexadecimal digits of its root>`.

use std::fmt;
use std::str::FromStr;

use ghost_event::Digest;

/// Names one block of one log. Numbers begin at 1 and are never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockName {
    pub number: u64,
    /// How the root of its tree begins.
    pub root: [u8; 6],
}

const PREFIX: &str = "block-";

impl BlockName {
    #[must_use]
    pub fn new(number: u64, root: &Digest) -> BlockName {
        let mut begin = [0; 6];
        begin.copy_from_slice(&root.0[..6]);
        BlockName { number, root: begin }
    }

    /// Reads exactly what [`Display`](fmt::Display) writes, and nothing else: what it accepts is
    /// safe as a name in a folder.
    #[must_use]
    pub fn parse(text: &str) -> Option<BlockName> {
        let (number, root) = text.strip_prefix(PREFIX)?.split_once('-')?;
        let plain = !number.starts_with(['0', '+']) && number.bytes().all(|c| c.is_ascii_digit());
        let lower = root.len() == 12
            && root.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
        if !(plain && lower) {
            return None;
        }
        let root = u64::from_str_radix(root, 16).ok()?.to_be_bytes();
        let mut begin = [0; 6];
        begin.copy_from_slice(&root[2..]);
        Some(BlockName { number: number.parse().ok()?, root: begin })
    }

    /// Whether a block of this root may have this name.
    #[must_use]
    pub fn is_of(&self, root: &Digest) -> bool {
        root.0.starts_with(&self.root)
    }
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-", self.number)?;
        self.root.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A name that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a block's name is block-<number>-<12 hexadecimal digits>, as `ghostbridge block list` prints it"
)]
pub struct NotAName;

impl FromStr for BlockName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<BlockName, NotAName> {
        BlockName::parse(text).ok_or(NotAName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_printed() {
        bolero::check!().with_type::<(u64, [u8; 32])>().for_each(|(number, root)| {
            let name = BlockName::new((*number).max(1), &Digest(*root));
            let text = name.to_string();
            assert_eq!(BlockName::parse(&text), Some(name));
            assert!(name.is_of(&Digest(*root)));
        });
    }

    #[test]
    fn what_is_accepted_is_printed_the_same_and_holds_no_path() {
        bolero::check!().with_type::<String>().for_each(|text| {
            for text in [text.clone(), format!("{PREFIX}{text}"), format!("{PREFIX}7-{text}")] {
                if let Some(name) = BlockName::parse(&text) {
                    assert_eq!(name.to_string(), text);
                    assert!(!text.contains(['/', '\0']));
                }
            }
        });
        for bad in [
            "",
            "block-",
            "block-0-0123456789ab",
            "block-01-0123456789ab",
            "block-1-0123456789AB",
            "block-+1-0123456789ab",
            "block-1-0123456789abc",
            "block-1-../../../../x",
            "block-1",
            "block-99999999999999999999-0123456789ab",
            "block-1-+123456789ab",
        ] {
            assert_eq!(BlockName::parse(bad), None, "{bad}");
        }
    }
}
