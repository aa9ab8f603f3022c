//! The floors of SPECIFICATION.md: which row of which benchmark, and its limit.
//!
//! A table row binds a benchmark where its last cell says `` bench `NAME` row `ROW` ``; its second
//! cell is then `≤ N unit`, `≥ N unit`, `≤ N x peer` or `≥ N x peer`.

use std::fmt;

use crate::sh::Outcome;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floor {
    pub(super) bench: String,
    pub(super) row: String,
    pub(super) limit: Limit,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limit {
    at_most: bool,
    number: f64,
    /// What the number counts; `x peer` for a ratio.
    unit: String,
}

impl Limit {
    /// A ratio without a peer in the same run does not hold, nor does a figure in another unit.
    pub(super) fn holds(&self, value: f64, peer: Option<f64>, unit: &str) -> bool {
        let compared = if self.unit == "x peer" {
            match peer {
                Some(peer) if peer > 0.0 => value / peer,
                _ => return false,
            }
        } else if micro(unit).starts_with(&micro(&self.unit)) {
            value
        } else {
            return false;
        };
        if self.at_most { compared <= self.number } else { compared >= self.number }
    }
}

/// `us/line` and `µs` are the same unit.
fn micro(unit: &str) -> String {
    unit.strip_prefix("us").map_or_else(|| unit.to_owned(), |rest| format!("µs{rest}"))
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.at_most { "≤" } else { "≥" };
        write!(f, "{sign} {} {}", self.number, self.unit)
    }
}

pub(super) fn read(specification: &str) -> Outcome<Vec<Floor>> {
    let mut floors = Vec::new();
    for line in specification.lines().filter(|l| l.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(number), Some(held)) = (cells.get(1), cells.last()) else { continue };
        for part in held.split("bench `").skip(1) {
            let Some((bench, rest)) = part.split_once('`') else { continue };
            let Some(row) = rest.strip_prefix(" row `").and_then(|r| r.split('`').next()) else {
                continue;
            };
            let limit = limit(number).ok_or_else(|| format!("no limit can be read in: {line}"))?;
            floors.push(Floor { bench: bench.to_owned(), row: row.to_owned(), limit });
        }
    }
    Ok(floors)
}

fn limit(cell: &str) -> Option<Limit> {
    let (at_most, rest) = match cell.chars().next()? {
        '≤' => (true, cell.strip_prefix('≤')?),
        '≥' => (false, cell.strip_prefix('≥')?),
        _ => return None,
    };
    let (number, unit) = rest.trim().split_once(' ')?;
    Some(Limit { at_most, number: number.parse().ok()?, unit: unit.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_needs_its_peer_in_the_same_run() {
        let limit = limit("≤ 0.2 x peer").unwrap();
        assert!(limit.holds(1.0, Some(10.0), "s"));
        assert!(!limit.holds(3.0, Some(10.0), "s"));
        assert!(!limit.holds(0.0, None, "s"));
    }

    #[test]
    fn a_figure_in_another_unit_does_not_hold() {
        let limit = limit("≥ 700 MB/s").unwrap();
        assert!(limit.holds(800.0, None, "MB/s"));
        assert!(!limit.holds(800.0, None, "kB/s"));
        assert!(!limit.holds(600.0, None, "MB/s"));
        assert!(super::limit("≤ 2 µs").unwrap().holds(1.5, None, "us/line"));
    }

    #[test]
    fn a_promise_whose_limit_cannot_be_read_is_an_error() {
        assert!(read("| a | quick | bench `x` row `y` |").is_err());
        assert_eq!(read("| a | quick | test `z` |").unwrap(), []);
    }

    #[test]
    fn the_specification_itself_can_be_read() {
        let text = crate::sh::read(&crate::sh::root().join("SPECIFICATION.md")).unwrap();
        assert!(read(&text).unwrap().len() >= 8);
    }
}
