//! `status`: what is remembered, from when to when, and what was lost.

use std::io::{self, Write};

use ghost_node::store;
use serde_json::json;

use crate::cli::{Place, VerdictFormat};
use crate::commands::ask::{self, moment, stamp};
use crate::commands::log::print_json;
use crate::outcome::{Done, Failed, counted, printed};

/// Runs the command.
pub(crate) fn run(place: &Place, output: VerdictFormat) -> Result<Done, Failed> {
    let data = place.data_with_log()?;
    let stats = store::log_stats(&data).map_err(Failed::caused)?;
    let memory = ask::open(place)?;
    let index = memory.index_status();
    let events = ["flow", "packet"].iter().filter_map(|k| stats.kinds.get(*k)).sum::<u64>();
    let count = |kind: &str| stats.kinds.get(kind).copied().unwrap_or(0);
    match output {
        VerdictFormat::Json => print_json(&json!({
            "data_dir": data.root().display().to_string(),
            "events": events,
            "first_time": stats.first_time.map(stamp),
            "last_time": stats.last_time.map(stamp),
            "log_lines": stats.lines,
            "log_bytes": stats.bytes,
            "log_segments": stats.segments,
            "indexed_to": index.indexed_to,
            "not_indexed_events": memory.tail_events(),
            "shapes": index.shapes,
            "shapes_refined": index.shapes_refined,
            "gaps": count("gap"),
            "recovered": count("recovered"),
        }))?,
        VerdictFormat::Table => {
            let mut text = format!("data       {}\nevents     {events}", data.root().display());
            if let (Some(first), Some(last)) = (stats.first_time, stats.last_time) {
                text += &format!(", from {} to {}", moment(first), moment(last));
            }
            text += &format!(
                "\nlog        {} lines, {} bytes, {}\nindex      up to line {}, {} \
                 events behind it\nshapes     {}, {} refined by the full model\nlost       {} gaps, \
                 {} recoveries\n",
                stats.lines,
                stats.bytes,
                counted(stats.segments, "segment"),
                index.indexed_to,
                memory.tail_events(),
                index.shapes,
                index.shapes_refined,
                count("gap"),
                count("recovered"),
            );
            printed(io::stdout().write_all(text.as_bytes()))?;
        }
    }
    Ok(Done::Well)
}
