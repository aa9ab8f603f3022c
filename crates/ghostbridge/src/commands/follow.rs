//! `flows --follow`: events as they are logged, until Ctrl-C.
//!
//! With a daemon they come over its socket, where a slow reader is told how many it missed; without
//! one the log's files are looked at, so that an import that runs can be watched too.

use std::collections::HashSet;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ghost_node::api::{Following, Question, Subject, Told};
use ghost_node::daemon::Follow;
use ghost_node::store;

use crate::cli::{Flows, Place};
use crate::commands::ask::notes;
use crate::commands::memory::{self, Memory, question, unanswered};
use crate::host;
use crate::outcome::{Done, Failed, counted, printed, say};
use crate::render::{Layout, Renderer};

/// How long is waited before the signals are looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Runs the command.
pub(crate) fn run(place: &Place, asked: &Flows) -> Result<Done, Failed> {
    let stop = host::stop_flag()?;
    let filter = asked.filters.join(" ");
    let out = BufWriter::new(io::stdout().lock());
    let renderer = Renderer::new(out, Layout::of_stdout(asked.output, false));
    let mut printer = Printer { renderer, past: HashSet::new(), closed: false };
    // Followed from before the past is asked for: nothing falls between the two.
    match memory::daemon(place)? {
        Some(mut client) => {
            let mut following = client.follow(&filter).map_err(unanswered)?;
            printer.past(place, asked)?;
            over_socket(&mut following, &mut printer, &stop)?;
        }
        None => {
            let data = place.data_with_log()?;
            let mut following =
                Follow::of_files(&data, &filter, memory::tags(place)?, memory::now())
                    .map_err(memory::failed)?;
            printer.past(place, asked)?;
            of_files(&mut following, &mut printer, &stop)?;
        }
    }
    printed(printer.renderer.finish().and_then(|mut out| out.flush()))?;
    Ok(Done::Well)
}

fn over_socket(
    following: &mut Following<'_>,
    printer: &mut Printer<'_>,
    stop: &AtomicBool,
) -> Result<(), Failed> {
    while !host::raised(stop) && !printer.closed {
        match following.next(LOOK_EVERY).map_err(unanswered)? {
            Told::Line(line) => printer.row(&line)?,
            Told::Missed(lines) => {
                printer.flush()?;
                say(format_args!(
                    "note: {} came faster than they were read, and were left out; `ghostbridge \
                     flows` has them",
                    counted(lines, "event")
                ));
            }
            Told::Quiet => printer.flush()?,
            Told::End => {
                printer.flush()?;
                say("the daemon ends");
                return Ok(());
            }
        }
    }
    Ok(())
}

fn of_files(
    following: &mut Follow,
    printer: &mut Printer<'_>,
    stop: &AtomicBool,
) -> Result<(), Failed> {
    while !host::raised(stop) && !printer.closed {
        let lines = following.next().map_err(memory::failed)?;
        if lines.is_empty() {
            printer.flush()?;
            std::thread::sleep(LOOK_EVERY);
        }
        for line in lines {
            printer.row(&line)?;
        }
    }
    Ok(())
}

/// Prints rows, each once.
struct Printer<'o> {
    renderer: Renderer<BufWriter<StdoutLock<'o>>>,
    /// Numbers of the events that were printed as the past; they may come again.
    past: HashSet<u64>,
    /// The reader of standard output went away.
    closed: bool,
}

impl Printer<'_> {
    /// The events of `--last` or `--since`, oldest first.
    fn past(&mut self, place: &Place, asked: &Flows) -> Result<(), Failed> {
        if asked.span.last.is_none() && asked.span.since.is_none() {
            return Ok(());
        }
        let subject = Subject::Flows(asked.filters.join(" "));
        let mut memory = Memory::open(place)?;
        // What is followed is this host's own log.
        let question = question(place, subject, &asked.span, asked.limit)?;
        let question = Question { logs: vec!["own".to_owned()], ..question };
        let mut reply = memory.ask(&question)?;
        notes(&reply.head);
        while let Some(hit) = reply.next()? {
            // Flows that are open yet come when they end.
            if let Some(seq) = store::event_seq(&hit.line) {
                self.write(&hit.line)?;
                self.past.insert(seq);
            }
        }
        self.flush()
    }

    fn row(&mut self, line: &[u8]) -> Result<(), Failed> {
        let again = !self.past.is_empty()
            && store::event_seq(line).is_some_and(|seq| self.past.remove(&seq));
        if again { Ok(()) } else { self.write(line) }
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Failed> {
        let written = self.renderer.row(line, None);
        self.heed(written)
    }

    fn flush(&mut self) -> Result<(), Failed> {
        let flushed = self.renderer.flush();
        self.heed(flushed)
    }

    fn heed(&mut self, written: io::Result<()>) -> Result<(), Failed> {
        self.closed |=
            written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        printed(written)
    }
}
