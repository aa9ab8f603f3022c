//! `import`: captures into the log and the index.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use ghost_node::api::{self, SendError};
use ghost_node::import::{self, FileReport, Host, ImportError, Keeping, Options, Report};
use ghost_node::{Clock, RealClock};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Import, ImportFormat, Place};
use crate::commands::memory;
use crate::outcome::{Done, Failed, counted, printed, say};
use crate::render::safe_text as safe;
use crate::{host, settings};

/// Runs the command.
pub(crate) fn run(place: &Place, asked: Import) -> Result<Done, Failed> {
    let program = Program {
        stop: host::stop_flag()?,
        format: asked.output,
        bar: io::stderr().is_terminal().then(bar),
        ..Program::quiet()?
    };
    let mut models = place.models();
    if asked.no_model {
        models.dirs.clear();
    }
    let daemon = memory::daemon(place)?;
    let options = Options {
        paths: asked.paths,
        filter: asked.filter.join(" "),
        jobs: asked.jobs,
        again: asked.again,
        no_idle_timeout: asked.no_idle_timeout,
        updates_s: asked.updates,
        models,
        segment_bytes: asked.segment_bytes,
        // What is kept is the daemon's to decide, where one holds the log.
        keeping: if daemon.is_some() { Keeping::default() } else { settings::keeping(place)? },
        anomalies: settings::anomalies(place)?,
    };
    let result = match daemon {
        Some(mut client) => {
            told_unheard(&options, asked.no_model);
            api::import(&mut client, &options, &program).map_err(unsent)
        }
        None => {
            super::run::make_volume(&place.data());
            import::run(&place.data(), &options, &program).map_err(|error| match error {
                ImportError::Filter(_) => Failed::usage(error),
                error => Failed::caused(error),
            })
        }
    };
    if let Some(bar) = &program.bar {
        bar.finish_and_clear();
    }
    let report = result?;
    if let Some(error) = program.print_error.into_inner().ok().flatten() {
        printed(Err(error))?;
    }
    tell(&report);
    if report.files == 0 && !report.interrupted {
        return Err(Failed::new("no files were found in the folders that were named"));
    }
    Ok(if report.failed + report.refused > 0 || report.interrupted {
        Done::Nothing
    } else {
        Done::Well
    })
}

/// Says which options a daemon does not hear: they are its own.
fn told_unheard(options: &Options, no_model: bool) {
    let unheard = [
        (options.segment_bytes.is_some(), "--segment-bytes"),
        (no_model, "--no-model"),
        (options.jobs > 1, "--jobs"),
    ];
    for (_, option) in unheard.iter().filter(|(given, _)| *given) {
        say(format_args!("note: {option} is left out: the running daemon imports its own way"));
    }
}

fn unsent(error: SendError) -> Failed {
    match error {
        SendError::Client(error) => memory::unanswered(error),
        error => Failed::caused(error),
    }
}

/// The real clock, signals and terminal.
pub(crate) struct Program {
    random_id: [u8; 16],
    random_seed: [u8; 32],
    stop: Arc<AtomicBool>,
    format: ImportFormat,
    bar: Option<ProgressBar>,
    print_error: Mutex<Option<io::Error>>,
}

impl Program {
    /// Writes the log for a moment, reads no capture, and is not stopped.
    pub(crate) fn quiet() -> Result<Program, Failed> {
        Ok(Program {
            random_id: host::random()?,
            random_seed: host::random()?,
            stop: Arc::default(),
            format: ImportFormat::Table,
            bar: None,
            print_error: Mutex::new(None),
        })
    }
}

impl Host for Program {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(RealClock)
    }

    fn random_id(&self) -> [u8; 16] {
        self.random_id
    }

    fn random_seed(&self) -> [u8; 32] {
        self.random_seed
    }

    fn stop_wanted(&self) -> bool {
        host::raised(&self.stop)
    }

    fn progress(&self, read: u64, total: Option<u64>) {
        if let Some(bar) = &self.bar {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(read);
        }
    }

    fn say(&self, words: &str) {
        let tell = || say(format_args!("note: {}", safe(words)));
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }

    fn file_done(&self, report: &FileReport) {
        let line = match self.format {
            ImportFormat::Jsonl => serde_json::to_string(report).unwrap_or_default(),
            ImportFormat::Table => row(report),
        };
        let print = || writeln!(io::stdout().lock(), "{line}");
        let printed = match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        };
        if let (Err(error), Ok(mut kept)) = (printed, self.print_error.lock()) {
            kept.get_or_insert(error);
        }
    }
}

fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bytes}/{total_bytes} {wide_bar} {bytes_per_sec} {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn row(report: &FileReport) -> String {
    let file = safe(&report.file);
    match &report.error {
        Some(error) if report.packets == 0 => format!("{file}: {}", safe(error)),
        error => {
            let mut row = format!(
                "{file}: {}, {} bytes, {}, {}",
                counted(report.packets, "packet"),
                report.bytes,
                counted(report.flows, "flow"),
                counted(report.events, "event")
            );
            if report.unparsed > 0 {
                row += &format!(", {} packets not parsed to their end", report.unparsed);
            }
            if let Some(error) = error {
                row += &format!("; then {}", safe(error));
            }
            row
        }
    }
}

fn tell(report: &Report) {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = report.packets as f64 / report.seconds.max(1e-9);
    say(format_args!(
        "{}, {}, {}, {} in {:.2} s ({rate:.0} packets/s)",
        counted(report.files, "capture"),
        counted(report.packets, "packet"),
        counted(report.flows, "flow"),
        counted(report.events, "event"),
        report.seconds
    ));
    match &report.without_model {
        Some(_) if report.shapes_new == 0 => {}
        Some(why) => {
            let shapes = counted(report.shapes_new, "new shape");
            say(format_args!("{shapes} with fast vectors alone: {why}"));
        }
        None if report.shapes_refined == 0 => {}
        None => {
            let shapes = counted(report.shapes_refined, "shape");
            say(format_args!("full model: {shapes} refined in {:.2} s", report.model_seconds));
        }
    }
    if report.failed > 0 {
        let captures = counted(report.failed, "capture");
        say(format_args!("{captures} could not be read, or not to the end"));
    }
    if report.refused > 0 {
        let captures = counted(report.refused, "capture");
        say(format_args!("{captures} left alone, as known already"));
    }
    if report.interrupted {
        say("stopped; the same command completes it, with nothing lost or doubled");
    }
}
