//! An import whose captures are sent to the daemon: files in, the report of an import out.
//!
//! Captures go one after the other; of a file the content's SHA-256 goes ahead, so that what is
//! known is refused before it is sent, and what was interrupted is completed.

use std::time::Duration;

use super::client::{Client, ClientError};
use crate::daemon::ImportAsk;
use crate::import::{FileReport, Host, Options, Report, hash_file};
use crate::lane;

/// Why the import could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A folder could not be listed.
    #[error("{path}: {error}")]
    List { path: String, error: std::io::Error },
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Sends the captures that `options` name to the daemon of `client`.
///
/// # Errors
/// A folder can't be listed; the daemon refused the filter, or went away. What became of a capture
/// that is damaged, known or missing is in the report.
pub fn import(
    client: &mut Client,
    options: &Options,
    host: &dyn Host,
) -> Result<Report, SendError> {
    let files = lane::expand(&options.paths).map_err(|error| SendError::List {
        path: options.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
        error,
    })?;
    let clock = host.clock();
    let begun_ns = clock.monotonic_ns();
    let total: u64 = files.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
    let total = (total > 0).then_some(total);
    let mut report = Report::default();
    let mut before = 0;
    for path in files {
        let file = path.to_string_lossy().into_owned();
        let stream = lane::is_stream(&path);
        let sha256 = if stream { Ok(None) } else { hash_file(&path).map(Some) };
        let opened = sha256.and_then(|sha256| Ok((sha256, lane::open(&path)?)));
        let one = match opened {
            Err(error) => {
                let error = Some(format!("can't be read: {error}"));
                FileReport { file, error, ..FileReport::default() }
            }
            Ok((sha256, input)) => {
                let ask = ImportAsk {
                    file,
                    sha256,
                    filter: options.filter.clone(),
                    again: options.again,
                    no_idle_timeout: options.no_idle_timeout,
                    updates_s: options.updates_s,
                };
                let mut told = |read: u64| {
                    host.progress(before + read, total);
                    !host.stop_wanted()
                };
                match client.import(&ask, input, &mut told) {
                    Ok(report) => report,
                    Err(ClientError::Stopped) => {
                        report.interrupted = true;
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        before += path.metadata().map_or(0, |m| m.len());
        report.add(&one);
        host.file_done(&one);
        if host.stop_wanted() {
            report.interrupted = true;
            break;
        }
    }
    let spent_ns = clock.monotonic_ns().saturating_sub(begun_ns);
    report.seconds = Duration::from_nanos(spent_ns).as_secs_f64();
    Ok(report)
}
