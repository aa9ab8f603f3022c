//! Lines by which the log tells of itself: they are no news, and seal no block.

use std::collections::BTreeMap;

use ghost_log::LogReader;

/// Their kinds. A tail that was cut off (`recovered`) and a gap are news.
const OWN: [&str; 7] = ["block", "element", "epoch", "key", "retired", "segment", "shape"];

/// How far into a line its kind is looked for: only a time and a number stand before it.
const KIND_BYTES: usize = 160;

/// Whether any of these is more than the log's own lines.
pub(crate) fn has_news(events: &BTreeMap<String, u64>) -> bool {
    events.iter().any(|(kind, count)| *count > 0 && !OWN.contains(&kind.as_str()))
}

/// Whether there is one after line `size`. What cannot be read may be.
pub(crate) fn news_after(reader: &LogReader, size: u64) -> bool {
    let mut lines = reader.lines(size.saturating_add(1));
    loop {
        match lines.next() {
            Ok(None) => return false,
            // In a log that begins later, no line is before.
            Ok(Some(line)) if line.seq <= size || is_own(line.bytes) => {}
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

/// Whether a line is one of them. What became of a replica is told as of any element.
#[must_use]
pub fn is_own(line: &[u8]) -> bool {
    const REPLICA: &[u8] = b",\"element\":{\"id\":\"replica:";
    match kind(line) {
        // Behind the body, where no text of others stands: a quote in one would be escaped.
        "change" => line.windows(REPLICA.len()).any(|window| window == REPLICA),
        kind => OWN.contains(&kind),
    }
}

/// A line's `event_type`.
pub(crate) fn kind(line: &[u8]) -> &str {
    const KEY: &[u8] = b"\"event_type\":\"";
    let head = &line[..line.len().min(KIND_BYTES)];
    let Some(at) = head.windows(KEY.len()).position(|window| window == KEY) else { return "" };
    let rest = &head[at + KEY.len()..];
    let end = rest.iter().position(|c| *c == b'"').unwrap_or(0);
    std::str::from_utf8(&rest[..end]).unwrap_or_default()
}

pub(crate) fn add(counts: &mut BTreeMap<String, u64>, kind: &str) {
    match counts.get_mut(kind) {
        Some(count) => *count += 1,
        None => drop(counts.insert(kind.to_owned(), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_from_any_bytes_and_never_from_a_text_behind_it() {
        let line =
            br#"{"timestamp":"x","flow_id":1,"event_type":"flow","a":"\"event_type\":\"b\""}"#;
        assert_eq!(kind(line), "flow");
        assert_eq!(kind(br#"{"event_type":"shape""#), "shape");
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let _ = kind(bytes);
            let mut near = br#"{"event_type":""#.to_vec();
            near.extend(bytes);
            let _ = kind(&near);
        });
    }

    #[test]
    fn only_what_the_log_does_not_tell_of_itself_is_news() {
        let of = |kinds: &[(&str, u64)]| {
            kinds.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect::<BTreeMap<_, _>>()
        };
        assert!(!has_news(&of(&[("epoch", 1), ("shape", 9), ("retired", 1), ("flow", 0)])));
        for news in ["flow", "gap", "recovered", "change", "import", ""] {
            assert!(has_news(&of(&[("epoch", 1), (news, 1)])), "{news}");
        }
    }

    #[test]
    fn what_became_of_a_replica_is_the_logs_own_and_of_a_bridge_is_news() {
        let line = |id: &str| {
            let body = r#"{"timestamp":"x","event_type":"change","ghost":{"v":1,"change":{}"#;
            format!(r#"{body},"element":{{"id":"{id}"}}}}}}"#)
        };
        assert!(is_own(line("replica:cellar").as_bytes()));
        assert!(!is_own(line("bridge:br0").as_bytes()));
        assert!(!is_own(line("bridge:x\\\",\\\"element\\\":{\\\"id\\\":\\\"replica:").as_bytes()));
        assert!(is_own(b"{\"event_type\":\"segment\"}"));
        assert!(!is_own(b"{\"event_type\":\"flow\",\"x\":\"replica:\"}"));
    }
}
