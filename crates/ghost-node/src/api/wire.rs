//! What goes over the socket, as JSON: the serialisable twins of questions, answers and refusals.
//!
//! Drawn in `docs/interfaces/api.md`. Events travel as the very bytes of their logged lines, so
//! that whoever renders them gets what a reader of the files gets.

use std::collections::BTreeMap;
use std::fmt;

use ghost_block::Block;
use ghost_event::Timestamp;
use jiff::Zoned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::backend::{Question, Subject};
use super::counted::{PartLine, TableHead};
use crate::import::FileReport;
use crate::replicas::LogPart;
use crate::store::Answer;

/// A question's body; what kind of question it is says the route.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Asked {
    /// Words, filters, or the event to compare with.
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    /// 0 for all.
    pub(crate) limit: usize,
    /// The moment and zone of who asks, RFC 9557.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<Zoned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<BTreeMap<String, Vec<String>>>,
    /// Of hits that say the same again only the best.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) grouped: bool,
    /// Every hit with the parts of its score.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) explained: bool,
    /// Held logs to ask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<String>,
    /// Replicas to ask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) replicas: Vec<String>,
}

impl Asked {
    pub(crate) fn question(self, subject: fn(String) -> Subject) -> Question {
        Question {
            subject: subject(self.text),
            since: self.since,
            until: self.until,
            limit: self.limit,
            now: self.now,
            tags: self.tags,
            grouped: self.grouped,
            explained: self.explained,
            logs: self.logs,
            replicas: self.replicas,
        }
    }

    /// The route of a question, and its body.
    pub(crate) fn of(question: &Question) -> (&'static str, Asked) {
        let (route, text) = match &question.subject {
            Subject::Query(text) => ("/v1/query", text),
            Subject::Flows(text) => ("/v1/flows", text),
            Subject::Similar(text) => ("/v1/similar", text),
            Subject::Patterns(text) => ("/v1/patterns", text),
            Subject::Compare(text) => ("/v1/compare", text),
        };
        let asked = Asked {
            text: text.clone(),
            since: question.since.clone(),
            until: question.until.clone(),
            limit: question.limit,
            now: question.now.clone(),
            tags: question.tags.clone(),
            grouped: question.grouped,
            explained: question.explained,
            logs: question.logs.clone(),
            replicas: question.replicas.clone(),
        };
        (route, asked)
    }
}

/// The first line of an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerHead {
    /// In the filter language: asked again, it gives the same answer.
    pub understood: String,
    pub searched: Searched,
    /// What the reader must know: what is missing, what was matched without the model.
    pub notes: Vec<String>,
    /// Lines that follow, one a hit.
    pub hits: u64,
    /// Where it was asked to count: what was counted, and there are no hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableHead>,
    /// Which logs were searched, or which replicas asked, where there is more than the own log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogPart>,
}

/// Where it was looked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Searched {
    pub events: u64,
    /// Events that met the conditions.
    pub matched: u64,
    pub shapes: u64,
    /// First start and last end of what was searched.
    pub from: Option<jiff::Timestamp>,
    pub until: Option<jiff::Timestamp>,
}

impl AnswerHead {
    /// The head of `answer`.
    #[must_use]
    pub fn of(answer: &Answer) -> AnswerHead {
        let moment = |at: Timestamp| jiff::Timestamp::from_nanosecond(at.0.into()).ok();
        let searched = &answer.searched;
        AnswerHead {
            understood: answer.understood.clone(),
            searched: Searched {
                events: searched.events,
                matched: searched.matched,
                shapes: searched.shapes,
                from: searched.span.and_then(|(from, _)| moment(from)),
                until: searched.span.and_then(|(_, until)| moment(until)),
            },
            notes: answer.notes.clone(),
            hits: answer.hits.len() as u64,
            table: answer.table.as_ref().map(TableHead::from),
            logs: Vec::new(),
        }
    }
}

/// One hit.
#[derive(Debug, Serialize)]
pub(crate) struct HitLine<'a> {
    pub(crate) rank: u64,
    pub(crate) score: f32,
    pub(crate) why: &'a [String],
    /// Events that say the same again and are left out.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) also: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<PartLine>,
    /// Which of the head's logs it is from, where there is more than one.
    #[serde(rename = "log", skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<&'a str>,
    /// The line of the log, byte for byte.
    pub(crate) event: &'a RawValue,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The last line of a stream that was not cut.
pub(crate) const END: &[u8] = b"{\"end\":true}\n";

/// A line of an answer as a client reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReadHit {
    pub(crate) score: f32,
    pub(crate) why: Vec<String>,
    pub(crate) also: u64,
    pub(crate) parts: Vec<PartLine>,
    #[serde(rename = "log")]
    pub(crate) from: Option<String>,
    pub(crate) event: Option<Box<RawValue>>,
    pub(crate) end: bool,
    pub(crate) error: Option<String>,
    pub(crate) hint: String,
    pub(crate) code: String,
}

/// Why something was not done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub error: String,
    /// What to do about it; may be empty.
    #[serde(default)]
    pub hint: String,
    #[serde(default)]
    pub code: Code,
}

/// The kinds of refusals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is off: asking again as it stands helps nobody.
    Usage,
    NotFound,
    /// No room now; try again.
    Busy,
    Stopping,
    /// Anything else: disk, log, index.
    #[default]
    #[serde(other)]
    Failed,
}

impl Code {
    pub(crate) fn parse(text: &str) -> Code {
        match text {
            "usage" => Code::Usage,
            "not_found" => Code::NotFound,
            "busy" => Code::Busy,
            "stopping" => Code::Stopping,
            _ => Code::Failed,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

/// The query string of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ImportQuery {
    pub(crate) file: String,
    pub(crate) filter: String,
    pub(crate) again: bool,
    pub(crate) no_idle_timeout: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updates_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// A line of an import's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImportLine {
    /// The capture is wanted: send it.
    Ready(bool),
    /// Bytes read so far.
    Read(u64),
    Report(Report),
    #[serde(untagged)]
    Refused(Refusal),
}

/// What became of one capture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) file: FileReport,
    /// Beside it: who scripts against an import's lines knows by its words.
    #[serde(default)]
    pub(crate) refused: bool,
}

impl From<FileReport> for Report {
    fn from(mut file: FileReport) -> Report {
        Report { refused: std::mem::take(&mut file.refused), file }
    }
}

impl From<Report> for FileReport {
    fn from(report: Report) -> FileReport {
        FileReport { refused: report.refused, ..report.file }
    }
}

/// What became of a wish for a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sealed {
    /// False where nothing was new since the last block: then there is no other.
    pub sealed: bool,
    pub block: u64,
    pub name: String,
    /// Lines of the log in it.
    pub size: u64,
    pub root: String,
    pub time_ns: i64,
}

impl From<Option<Block>> for Sealed {
    fn from(block: Option<Block>) -> Sealed {
        block.map_or_else(Sealed::default, |block| Sealed {
            sealed: true,
            block: block.name.number,
            name: block.name.to_string(),
            size: block.size,
            root: block.root.to_string(),
            time_ns: block.time.0,
        })
    }
}

/// A line among followed events that tells of lines that were not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missed {
    pub(crate) missed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_goes_over_the_wire_and_comes_back_as_it_was() {
        let now: Zoned = "2026-11-20T10:00:00.5+01:00[Europe/Berlin]".parse().unwrap();
        let question = Question {
            subject: Subject::Flows("app:dns".to_owned()),
            since: Some("2h".to_owned()),
            until: None,
            limit: 7,
            now: Some(now),
            tags: Some(BTreeMap::from([("lab".to_owned(), vec!["10.0.0.0/8".to_owned()])])),
            grouped: true,
            explained: true,
            logs: vec!["own".to_owned()],
            replicas: vec!["all".to_owned()],
        };
        let (route, asked) = Asked::of(&question);
        assert_eq!(route, "/v1/flows");
        let text = serde_json::to_string(&asked).unwrap();
        let read: Asked = serde_json::from_str(&text).unwrap();
        assert_eq!(read.question(Subject::Flows), question);
    }

    #[test]
    fn a_misspelt_key_of_a_question_is_told() {
        let error = serde_json::from_str::<Asked>(r#"{"text":"x","limits":3}"#).unwrap_err();
        assert!(error.to_string().contains("limits"), "{error}");
    }

    #[test]
    fn import_lines_are_told_apart() {
        let lines = [
            ImportLine::Ready(true),
            ImportLine::Read(17),
            ImportLine::Report(
                FileReport { packets: 3, refused: true, ..FileReport::default() }.into(),
            ),
            ImportLine::Refused(Refusal { error: "full".to_owned(), ..Refusal::default() }),
        ];
        for line in lines {
            let text = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<ImportLine>(&text).unwrap(), line, "{text}");
        }
    }
}
