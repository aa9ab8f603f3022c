//! Logged lines as a person or another program wants them: one renderer a form.
//!
//! Takes the bytes of `flow` lines as they stand in the log and, for answers, what the search says
//! of each hit. What came from the wire inside them (names, agents, banners) is untrusted: every
//! form makes it harmless for its usual reader (terminal, spreadsheet, TSV parser, web page).
//! No form drops a row that it cannot read in full; a line that is not JSON is an error.
//!
//! **Invariant:** nothing here opens a file, asks the clock or sorts: rows leave in the order in
//! which they came, and memory does not grow with their number.

mod counted;
mod csv;
mod eve;
mod json;
mod row;
mod safe;
mod table;
mod zeek;

#[cfg(test)]
mod hostile;

use std::io::{self, IsTerminal, Write};

use ghost_node::api::PartLine;

pub(crate) use counted::counted;
pub(crate) use json::value as safe_json;
pub(crate) use row::Row;
pub(crate) use safe::terminal as safe_text;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Output {
    /// Aligned columns for people
    #[default]
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet
    Csv,
    /// Suricata EVE lines: flow, dns, tls, http, … apart
    Eve,
    /// Zeek conn.log, tab-separated
    Zeek,
}

/// What the search says of one hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(crate) score: f32,
    /// Why it matched, in words.
    pub(crate) why: &'a [String],
    /// 1 for the best.
    pub(crate) rank: usize,
    /// Of `query --batch`.
    pub(crate) query_id: Option<&'a str>,
    /// Events that say the same again and are left out.
    pub(crate) also: u64,
    /// What the score is the sum of, where it was asked for.
    pub(crate) parts: &'a [PartLine],
}

/// What a renderer needs to know before the first row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) output: Output,
    /// Columns of the terminal; `None` where nothing is to be shortened.
    pub(crate) width: Option<usize>,
    /// Rows are hits: score and reasons get their columns.
    pub(crate) hits: bool,
    /// Rows are of several logs, and say of which under `log`.
    pub(crate) logs: bool,
}

impl Layout {
    /// For standard output as it is: shortened on a terminal only.
    pub(crate) fn of_stdout(output: Output, hits: bool) -> Layout {
        let told = || std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let size = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|s| s.ws_col.into());
        let columns = || told().or_else(size).filter(|columns| *columns > 0);
        let width = io::stdout().is_terminal().then(|| columns().unwrap_or(150));
        Layout { output, width, hits, logs: false }
    }
}

/// Writes rows to `out` in one form; call [`Renderer::finish`] after the last.
#[derive(Debug)]
pub(crate) struct Renderer<W: Write> {
    out: W,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Table(table::Table),
    Json(json::Array),
    Jsonl,
    Csv(csv::Csv),
    Eve,
    Zeek(zeek::Zeek),
}

impl<W: Write> Renderer<W> {
    pub(crate) fn new(out: W, layout: Layout) -> Renderer<W> {
        let form = match layout.output {
            Output::Table => {
                Form::Table(table::Table::new(layout.width, layout.hits).of_logs(layout.logs))
            }
            Output::Json => Form::Json(json::Array::default()),
            Output::Jsonl => Form::Jsonl,
            Output::Csv => Form::Csv(csv::Csv::new(layout.hits, layout.logs)),
            Output::Eve => Form::Eve,
            Output::Zeek => Form::Zeek(zeek::Zeek::new(layout.logs)),
        };
        Renderer { out, form }
    }

    /// One logged `flow` line, with or without its newline.
    pub(crate) fn row(&mut self, line: &[u8], hit: Option<Hit<'_>>) -> io::Result<()> {
        let out = &mut self.out;
        match &mut self.form {
            Form::Jsonl => json::line(out, line, hit),
            Form::Json(array) => array.row(out, line, hit),
            Form::Table(table) => table.row(out, &Row::parse(line)?, hit),
            Form::Csv(csv) => csv.row(out, &Row::parse(line)?, hit),
            Form::Eve => eve::row(out, Row::parse(line)?),
            Form::Zeek(zeek) => zeek.row(out, &Row::parse(line)?),
        }
    }

    /// Writes what was held back, while more may come.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Form::Table(table) = &mut self.form {
            table.flush(&mut self.out)?;
        }
        self.out.flush()
    }

    /// Writes what was held back and closes the form; gives the sink back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        match self.form {
            Form::Table(table) => table.finish(&mut self.out)?,
            Form::Json(array) => array.finish(&mut self.out)?,
            Form::Csv(csv) => csv.finish(&mut self.out)?,
            Form::Zeek(zeek) => zeek.finish(&mut self.out)?,
            Form::Jsonl | Form::Eve => {}
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Renders all of `rows` to `out`.
#[cfg(test)]
pub(crate) fn render<'a, W: Write>(
    out: W,
    layout: Layout,
    rows: impl IntoIterator<Item = (&'a [u8], Option<Hit<'a>>)>,
) -> io::Result<W> {
    let mut renderer = Renderer::new(out, layout);
    for (line, hit) in rows {
        renderer.row(line, hit)?;
    }
    renderer.finish()
}
