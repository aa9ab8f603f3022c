//! What an operator wishes of the scorer: through the daemon where one runs, else of the file.

use std::io::{self, Write};

use ghost_node::Timestamp;
use ghost_node::anomaly::offline;
use ghost_node::anomaly::wish::{AnomaliesStatus, WishAsked};
use ghost_node::api::{ClientError, Code};
use serde_json::json;

use crate::cli::{Learn, MuteCommand, Place, VerdictFormat};
use crate::commands::memory::{daemon, moment, unanswered};
use crate::host;
use crate::outcome::{Done, Failed, printed};
use crate::render::{safe_json, safe_text as safe};

/// Has it done, and says how it stands then.
fn ask(place: &Place, asked: &WishAsked) -> Result<AnomaliesStatus, Failed> {
    let wish = asked.wish().map_err(Failed::usage)?;
    if let Some(mut client) = daemon(place)? {
        // The words are right, so what is refused is refused for how things stand.
        return client.anomalies(asked).map_err(|error| match error {
            ClientError::Refused(no) if no.code == Code::Usage => Failed::new(no.error),
            other => unanswered(other),
        });
    }
    offline(&place.data_with_log()?, wish).map_err(Failed::caused)
}

fn wish(act: &str, what: &str, until_ns: i64) -> WishAsked {
    WishAsked { act: act.to_owned(), what: what.to_owned(), until_ns }
}

/// `anomalies mute`.
pub(super) fn mute(place: &Place, asked: MuteCommand) -> Result<Done, Failed> {
    match asked {
        MuteCommand::Add { what, during } => {
            let until = match during {
                None => 0,
                Some(words) => {
                    let ns = ghost_node::config::nanoseconds(&words).map_err(Failed::usage)?;
                    host::now().0.saturating_add(ns)
                }
            };
            let standing = ask(place, &wish("mute", &what, until))?;
            list(&standing, VerdictFormat::Table)
        }
        MuteCommand::List { output } => list(&ask(place, &wish("look", "", 0))?, output),
        MuteCommand::Remove { what } => {
            list(&ask(place, &wish("unmute", &what, 0))?, VerdictFormat::Table)?;
            Ok(Done::Well)
        }
    }
}

fn list(standing: &AnomaliesStatus, output: VerdictFormat) -> Result<Done, Failed> {
    let mut text = String::new();
    match output {
        VerdictFormat::Json => text = format!("{}\n", safe_json(&json!(standing.mutes))),
        VerdictFormat::Table => {
            for mute in &standing.mutes {
                let until = match mute.until_ns {
                    0 => "until it is taken back".to_owned(),
                    at => format!("until {}", moment(Timestamp(at))),
                };
                text += &format!("{:<40} {until}\n", safe(&mute.what));
            }
        }
    }
    printed(io::stdout().write_all(text.as_bytes()))?;
    Ok(if standing.mutes.is_empty() { Done::Nothing } else { Done::Well })
}

/// `anomalies learn`.
pub(super) fn learn(place: &Place, what: Learn, output: VerdictFormat) -> Result<Done, Failed> {
    let act = match what {
        Learn::Status => "look",
        Learn::Reset => "reset",
        Learn::Freeze => "freeze",
        Learn::Thaw => "thaw",
    };
    let s = ask(place, &wish(act, "", 0))?;
    let text = match output {
        VerdictFormat::Json => format!("{}\n", safe_json(&json!(s))),
        VerdictFormat::Table => format!(
            "{}: {:.0} % of what it takes, from {} flows over {}; {} shapes, {} short windows\n\
             rule {}; {} looks at flows since the start, {} alerts, {} muted, {} incidents\n",
            s.state,
            s.progress * 100.0,
            s.flows_learned,
            ghost_node::config::nanoseconds_in_words(
                i64::try_from(s.seconds_learned).unwrap_or(i64::MAX / 1_000_000_000)
                    * 1_000_000_000
            ),
            s.shapes_learned,
            s.windows_learned,
            safe(&s.rule),
            s.looks,
            s.alerts,
            s.muted,
            s.incidents
        ),
    };
    printed(io::stdout().write_all(text.as_bytes()))?;
    Ok(Done::Well)
}
