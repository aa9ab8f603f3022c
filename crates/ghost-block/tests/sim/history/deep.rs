//! A log of 65,000 lines, where most histories have a few hundred: what happens when the tree grows a
//! level is seen only behind so many. It is written once; histories begin on copies of it.

use std::path::Path;
use std::sync::OnceLock;

use ghost_world::SimDisk;

use super::super::Told;
use super::super::known::Known;
use super::{DATA, History};

/// A log in which the first tile of the second level is nearly full.
#[derive(Debug)]
pub struct Deep {
    pub disk: SimDisk,
    pub known: Known,
    pub events: u64,
}

static DEEP: OnceLock<Told<Deep>> = OnceLock::new();

/// A level-1 tile is full after so many lines.
const TILE_LINES: u64 = 1 << 16;

/// The one such log of this program; it is written when it is first asked for.
pub fn get() -> Told<&'static Deep> {
    DEEP.get_or_init(write).as_ref().map_err(String::clone)
}

fn write() -> Told<Deep> {
    let mut history = History::new(0);
    history.segment_bytes = 1 << 20;
    let Some(mut life) = history.start()? else { return Err("no start".to_owned()) };
    while life.log.size() < TILE_LINES - 60 {
        let many = life.log.size() < TILE_LINES - 400;
        let ended = if many { history.burst(&mut life)? } else { history.append(&mut life)? };
        ended.map_err(|e| e.to_string())?;
        if life.log.size() < 2000 {
            history.checkpoint(&mut life)?.map_err(|e| e.to_string())?;
        }
    }
    history.checkpoint(&mut life)?.map_err(|e| e.to_string())?;
    life.log.rotate().map_err(|e| e.to_string())?;
    let last = life.log.segments().last().map_or(0, |s| s.last);
    history.known.check(&history.disk, Path::new(DATA))?;
    history.known.retired = last;
    life.log.retire(last).map_err(|e| e.to_string())?;
    life.log.sync().map_err(|e| e.to_string())?;
    history.known.ack(life.log.durable())?;
    history.known.check(&history.disk, Path::new(DATA))?;
    drop(life);
    Ok(Deep { disk: history.disk, known: history.known, events: history.events })
}
