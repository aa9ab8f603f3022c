//! The thread that answers a primary's questions, one after the other.

use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::Receiver;

use ghost_ship::wire::{Frame, LogId};

use super::blocks::{Done, Out};
use crate::Answer;
use crate::limits::ANSWER_BYTES;

/// A question with its number.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) body: String,
}

/// Questions that were taken back; bounded by those that wait.
pub(super) type Cancelled = Mutex<Vec<u64>>;

fn is_cancelled(cancelled: &Cancelled, id: u64) -> bool {
    cancelled.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
}

/// Answers until nobody asks.
pub(super) fn run(
    log: LogId,
    questions: &Receiver<Asked>,
    cancelled: &Cancelled,
    out: &Out,
    asks: &dyn Answer,
) {
    for Asked { id, body } in questions {
        let mut gone = false;
        let mut waiting: Vec<u8> = Vec::new();
        let part = |bytes: &[u8], last: bool| {
            let frame = Frame::AnswerPart { id, last, bytes: bytes.to_vec() };
            if is_cancelled(cancelled, id) || !out.say(Done::Say(frame)) {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe));
            }
            Ok(())
        };
        let answered = asks.answer(log, body.as_bytes(), &mut |bytes: &[u8]| {
            waiting.extend_from_slice(bytes);
            while waiting.len() >= ANSWER_BYTES {
                let rest = waiting.split_off(ANSWER_BYTES);
                let sent = part(&waiting, false);
                waiting = rest;
                sent?;
            }
            Ok(())
        });
        if answered.is_err() {
            gone = true;
        }
        if !gone {
            // An error says that nobody listens: there is nobody to tell.
            let _ = part(&waiting, true);
        }
        cancelled.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != id);
    }
}
