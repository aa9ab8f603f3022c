//! Who answered a question, how fresh; who did not, and why.

use ghost_node::Timestamp;
use ghost_node::api::{AnswerHead, ClientHit, Question};
use ghost_node::replicas::{LogKind, LogPart};

use crate::cli::Whom;
use crate::commands::memory::moment;
use crate::outcome::say;
use crate::render::{Layout, safe_text};

impl Whom {
    /// The question, for these.
    pub(crate) fn asked(&self, question: Question) -> Question {
        Question { logs: self.logs.clone(), replicas: self.replicas.clone(), ..question }
    }
}

/// Says who answered and who did not, where more than this host's own log was asked.
pub(crate) fn tell(head: &AnswerHead) {
    for part in &head.logs {
        let name = safe_text(&part.name);
        if part.trouble.is_empty() {
            say(format_args!("answered: {name}, {}", freshness(part)));
        } else {
            say(format_args!("not answered: {name}: {}", safe_text(&part.trouble)));
        }
        for note in &part.notes {
            say(format_args!("note: {name}: {}", safe_text(note)));
        }
    }
}

/// How far a part reaches, and what it brought.
fn freshness(part: &LogPart) -> String {
    let mut text = format!("up to line {}", part.newest);
    if let Some(newest) = part.newest_ns {
        text += &format!(" ({})", moment(Timestamp(newest)));
    }
    match (part.kind, part.behind) {
        (LogKind::Replica, Some(0)) => text += ", as far as this host",
        (LogKind::Replica, Some(behind)) => text += &format!(", {behind} behind this host"),
        _ => {}
    }
    text += &format!(": {} hits", part.hits);
    if part.doubled > 0 {
        text += &format!(", {} that others brought", part.doubled);
    }
    if let Some(took) = part.took_ms {
        text += &format!(", {took} ms");
    }
    text
}

/// The layout of an answer's rows: where they are of several logs, each says of which.
pub(crate) fn layout(layout: Layout, head: &AnswerHead) -> Layout {
    Layout { logs: head.logs.len() > 1, ..layout }
}

/// A hit's line, with whose it is before all else where that is told.
pub(crate) fn line(found: &ClientHit) -> std::borrow::Cow<'_, [u8]> {
    let (Some(from), Some(rest)) = (&found.from, found.line.strip_prefix(b"{")) else {
        return found.line.as_slice().into();
    };
    let log = serde_json::Value::from(from.as_str());
    let comma = if rest.trim_ascii().starts_with(b"}") { "" } else { "," };
    let mut line = format!("{{\"log\":{log}{comma}").into_bytes();
    line.extend_from_slice(rest);
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(from: Option<&str>, line: &str) -> ClientHit {
        ClientHit {
            score: 0.0,
            why: Vec::new(),
            also: 0,
            parts: Vec::new(),
            from: from.map(str::to_owned),
            line: line.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_hit_says_whose_it_is_and_stays_json_whatever_the_name() {
        bolero::check!().with_type::<String>().with_iterations(500).for_each(|name| {
            for logged in ["{}\n", "{\"a\":1}\n", "{\"a\":{\"b\":[]}}"] {
                let found = hit(Some(name), logged);
                let value: serde_json::Value = serde_json::from_slice(&line(&found)).unwrap();
                assert_eq!(value["log"], name.as_str());
            }
        });
        assert_eq!(&*line(&hit(None, "{\"a\":1}")), b"{\"a\":1}");
    }

    #[test]
    fn what_others_say_can_not_steer_a_terminal() {
        let part = LogPart { name: "\u{1b}[31mnas".to_owned(), newest: 7, ..LogPart::default() };
        assert!(!safe_text(&part.name).contains('\u{1b}'));
        let told = LogPart { kind: LogKind::Replica, behind: Some(3), ..part };
        assert_eq!(freshness(&told), "up to line 7, 3 behind this host: 0 hits");
    }
}
