//! What a primary asks of its replica, answered from the copy that is held here.
//!
//! The question is the API's own body with its kind; the answer is the API's own lines. Only the log
//! of the primary that asks is searched, and no more is answered at once than this host can bear.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};

use ghost_event::Seq;
use ghost_replica::Answer;
use ghost_ship::wire::LogId;
use serde_json::{Map, Value};

use super::limits::{ANSWERING_MAX, PART_BYTES, REPLICA_BYTES_MAX, REPLICA_HITS_MAX};
use crate::api::wire::Asked;
use crate::api::written::{Written, write_answer, write_line};
use crate::api::{Backend, Code, Question, Refusal, Subject};
use crate::daemon::Daemon;

/// Questions that are being answered.
#[derive(Debug, Default)]
pub(crate) struct Answering(AtomicU32);

/// One of them.
struct Turn<'a>(&'a AtomicU32);

impl Answering {
    fn begin(&self) -> Option<Turn<'_>> {
        let room = |n: u32| (n < ANSWERING_MAX).then_some(n + 1);
        let begun = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, room);
        begun.is_ok().then(|| Turn(&self.0))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reads a question of a primary to the log `log`.
pub(crate) fn question(bytes: &[u8], log: LogId) -> Result<Question, Refusal> {
    let off = |error: String| Refusal {
        error: format!("the question: {error}"),
        hint: "do both hosts have one version?".to_owned(),
        code: Code::Usage,
    };
    let mut keys: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|e| off(e.to_string()))?;
    let kind = keys.remove("kind").unwrap_or_default();
    let subject = match kind.as_str() {
        Some("query") => Subject::Query,
        Some("flows") => Subject::Flows,
        Some("similar") => Subject::Similar,
        Some("patterns") => Subject::Patterns,
        Some("compare") => Subject::Compare,
        _ => return Err(off(format!("its kind {kind} is not known here"))),
    };
    let asked: Asked =
        serde_json::from_value(Value::Object(keys)).map_err(|e| off(e.to_string()))?;
    let mut question = asked.question(subject);
    if !question.logs.is_empty() || !question.replicas.is_empty() {
        return Err(off("it is for the one log that this connection is about".to_owned()));
    }
    question.logs = vec![log.to_string()];
    question.limit = match question.limit {
        0 => REPLICA_HITS_MAX,
        limit => limit.min(REPLICA_HITS_MAX),
    };
    Ok(question)
}

/// A question as it goes to a replica; none where it is too long for that.
pub(crate) fn body(question: &Question) -> Option<Vec<u8>> {
    let kind = match question.subject {
        Subject::Query(_) => "query",
        Subject::Flows(_) => "flows",
        Subject::Similar(_) => "similar",
        Subject::Patterns(_) => "patterns",
        Subject::Compare(_) => "compare",
    };
    let plain = Question { logs: Vec::new(), replicas: Vec::new(), ..question.clone() };
    let (_, asked) = Asked::of(&plain);
    let mut body = serde_json::to_value(&asked).ok()?;
    body.as_object_mut()?.insert("kind".to_owned(), kind.into());
    let bytes = serde_json::to_vec(&body).ok()?;
    (bytes.len() <= ghost_ship::QUESTION_BYTES_MAX).then_some(bytes)
}

/// Hands an answer out in pieces, and no more of it than may be.
struct Pieces<'a> {
    out: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
    buffer: Vec<u8>,
    bytes: usize,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PART_BYTES.saturating_sub(self.buffer.len()).max(1);
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(taken.len());
        if self.bytes > REPLICA_BYTES_MAX {
            // Who asks takes no more: its own bound is the same.
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() >= PART_BYTES {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            (self.out)(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Answers `bytes` from `backend`.
pub(crate) fn answer(
    backend: &dyn Backend,
    running: &Answering,
    log: LogId,
    bytes: &[u8],
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = Pieces { out, buffer: Vec::new(), bytes: 0 };
    let refused = match running.begin() {
        None => Refusal {
            error: "it answers as many questions as it can".to_owned(),
            hint: "try again in a moment".to_owned(),
            code: Code::Busy,
        },
        Some(_turn) => match question(bytes, log) {
            Err(refusal) => refusal,
            Ok(question) => match backend.ask(&question) {
                Err(error) => Refusal::from(error),
                Ok(answers) => match write_answer(&*answers, &mut out) {
                    Ok(()) => return Ok(()),
                    Err(Written::Gone) => return Err(io::ErrorKind::BrokenPipe.into()),
                    Err(Written::Failed(error)) => Refusal { error, ..Refusal::default() },
                },
            },
        },
    };
    write_line(&mut out, &refused)?;
    out.flush()
}

impl Answer for Daemon {
    fn answer(
        &self,
        log: LogId,
        question: &[u8],
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        answer(self, self.answering(), log, question, out)
    }

    fn indexed(&self, log: LogId) -> Seq {
        self.held_logs().indexed(log)
    }

    fn load(&self) -> u32 {
        load_permille()
    }

    fn durable(&self, log: LogId, _: Seq) {
        self.held_logs().came(log);
    }
}

/// What of the processors is in use, in thousandths: the mean of the last minute.
fn load_permille() -> u32 {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = told.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    #[expect(clippy::cast_precision_loss, reason = "few processors")]
    let permille = (load * 1000.0 / processors as f64).clamp(0.0, 1000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let permille = permille as u32;
    permille
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogId {
        LogId([7; 16])
    }

    #[test]
    fn a_question_to_a_replica_is_read_there_as_it_was_asked_but_for_one_log_and_bounded() {
        let asked = Question {
            subject: Subject::Flows("app:dns".to_owned()),
            since: Some("2h".to_owned()),
            until: None,
            limit: 0,
            now: "2026-11-20T10:00:00+01:00[Europe/Berlin]".parse().ok(),
            tags: None,
            grouped: false,
            explained: true,
            logs: vec!["own".to_owned()],
            replicas: vec!["all".to_owned()],
        };
        let read = question(&body(&asked).unwrap(), log()).unwrap();
        let wanted = Question {
            limit: REPLICA_HITS_MAX,
            logs: vec!["07".repeat(16)],
            replicas: Vec::new(),
            ..asked
        };
        assert_eq!(read, wanted);
    }

    #[test]
    fn a_question_for_another_log_of_another_kind_or_too_long_is_refused() {
        let refused = |text: &str| question(text.as_bytes(), log()).unwrap_err();
        assert_eq!(refused("[]").code, Code::Usage);
        assert_eq!(refused(r#"{"kind":"import","text":""}"#).code, Code::Usage);
        assert_eq!(refused(r#"{"text":"x"}"#).code, Code::Usage);
        assert_eq!(
            refused(r#"{"kind":"query","text":"x","file":"/etc/passwd"}"#).code,
            Code::Usage
        );
        let other = refused(r#"{"kind":"query","text":"x","logs":["own"]}"#);
        assert!(other.error.contains("one log"), "{other}");
        let long = Question {
            subject: Subject::Query("x".repeat(ghost_ship::QUESTION_BYTES_MAX)),
            ..question(br#"{"kind":"query","text":"x"}"#, log()).unwrap()
        };
        assert_eq!(body(&long), None);
    }

    #[test]
    fn no_bytes_of_a_question_make_the_reader_fall_over() {
        bolero::check!().with_type::<Vec<u8>>().with_iterations(2_000).for_each(|bytes| {
            let _ = question(bytes, log());
            let inside = format!(r#"{{"kind":"query","text":{}}}"#, String::from_utf8_lossy(bytes));
            if let Ok(read) = question(inside.as_bytes(), log()) {
                assert_eq!(read.logs, ["07".repeat(16)]);
                assert!(read.limit <= REPLICA_HITS_MAX && read.replicas.is_empty());
            }
        });
    }

    #[test]
    fn pieces_are_never_larger_than_a_frame_and_end_with_the_bound() {
        let mut sizes = Vec::new();
        let mut out = |piece: &[u8]| {
            sizes.push(piece.len());
            Ok(())
        };
        let mut pieces = Pieces { out: &mut out, buffer: Vec::new(), bytes: 0 };
        pieces.write_all(&vec![b'x'; 3 * PART_BYTES + 17]).unwrap();
        pieces.flush().unwrap();
        let rest = vec![b'x'; REPLICA_BYTES_MAX];
        assert_eq!(pieces.write_all(&rest).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(sizes.iter().all(|size| *size <= PART_BYTES));
        assert_eq!(sizes.iter().take(4).sum::<usize>(), 3 * PART_BYTES + 17);
    }

    #[test]
    fn more_questions_than_there_is_room_for_find_none_and_those_that_end_make_room() {
        let answering = Answering::default();
        let turns: Vec<_> = (0..ANSWERING_MAX).filter_map(|_| answering.begin()).collect();
        assert_eq!(turns.len(), ANSWERING_MAX as usize);
        assert!(answering.begin().is_none());
        drop(turns);
        assert!(answering.begin().is_some());
    }
}
