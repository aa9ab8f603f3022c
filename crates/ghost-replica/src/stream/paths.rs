//! Paths that a block has.

/// Bytes of a path.
const PATH_BYTES_MAX: usize = 200;
/// Folders one in another.
const DEPTH_MAX: usize = 8;

/// Entries of a log's folder; a file that is being made anew ends in `.new`.
const FILES: [&str; 4] = ["events.jsonl", "checkpoint", "checkpoints.jsonl", "manifest.json"];
const FOLDERS: [&str; 3] = ["segments", "tile", "checkpoints"];

/// The path, where a log's folder may have it: relative, of plain names, and none of them a step up.
/// The folder itself is the empty path.
pub(super) fn allowed(bytes: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(bytes).ok().filter(|path| path.len() <= PATH_BYTES_MAX)?;
    if path.is_empty() {
        return Some(path);
    }
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    let mut parts = path.split('/');
    let first = parts.next()?;
    let mut depth = 1;
    for part in parts {
        let good = !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        if !good || depth >= DEPTH_MAX {
            return None;
        }
        depth += 1;
    }
    let stem = first.strip_suffix(".new").unwrap_or(first);
    let known =
        FILES.contains(&stem) || FOLDERS.contains(&first) || is_torn(first) || is_orphan(first);
    (known && (depth == 1 || FOLDERS.contains(&first) || is_orphan(first))).then_some(path)
}

/// Bytes of a torn tail that were kept.
fn is_torn(name: &str) -> bool {
    let number = name.strip_prefix("torn-").and_then(|rest| rest.strip_suffix(".bin"));
    number.is_some_and(|n| n.len() <= 40 && n.bytes().all(|c| c.is_ascii_digit() || c == b'-'))
}

/// What a sender calls a file until it has its name: `o<inode>-<generation>-<number>`.
fn is_orphan(name: &str) -> bool {
    let digits =
        |part: &str| (1..=20).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> =
        name.strip_prefix('o').map_or(Vec::new(), |rest| rest.split('-').collect());
    parts.len() == 3 && parts.into_iter().all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_log_pass_and_no_others() {
        for good in [
            "",
            "events.jsonl",
            "segments",
            "segments/00000000000000000001.jsonl",
            "tile/0/x001/067",
            "tile/edge",
            "tile/edge.new",
            "checkpoint",
            "checkpoint.new",
            "checkpoints.jsonl",
            "manifest.json.new",
            "torn-17.bin",
            "torn-17-2.bin",
            "o257-7-0",
            "o257-7-0/x",
        ] {
            assert_eq!(allowed(good.as_bytes()), Some(good), "{good}");
        }
        for bad in [
            "/etc/passwd",
            "..",
            "../x",
            "segments/../../x",
            "segments/..",
            "segments//x",
            "segments/",
            "segments/.ssh",
            ".ssh/authorized_keys",
            "authorized_keys",
            "events.jsonl/x",
            "events.jsonl\0",
            "segments/a b",
            "segments/ä",
            "o257-7",
            "o-1-2-3",
            "torn-x.bin",
            "segments/a/a/a/a/a/a/a/a",
        ] {
            assert_eq!(allowed(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(allowed(b"segments/\xff"), None);
        assert_eq!(allowed(&[b'o'; 300]), None);
    }

    #[test]
    fn what_passes_stays_inside() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            for bytes in [bytes.clone(), [b"segments/", &bytes[..]].concat()] {
                if let Some(path) = allowed(&bytes) {
                    assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."));
                }
            }
        });
    }
}
