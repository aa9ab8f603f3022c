//! Flows that are open, for a question: found in the flow table, made into lines that are in no log.
//!
//! The tap thread goes through its table in slices between two polls and clones what a question's
//! simple conditions do not rule out; shapes, lines and the search over them are made on the
//! question's own thread. The lines are provisional: a flow says that it is reported while open
//! (`reason: update`), and has a number in the log once it has ended.

use std::net::{IpAddr, Ipv6Addr};

use crossbeam_channel::Sender;
use ghost_embed::{Profile, Shape};
use ghost_event::line::{self, Source};
use ghost_event::{Digest, Features, Seq};
use ghost_index::{Clause, Index, IndexError, Kind, OracleIndex, Position};

use super::shared::Ports;
use crate::pen;

/// Numbers of provisional lines begin here: above every line of a log, below what JSON readers lose.
pub(crate) const OPEN_SEQ: Seq = 1 << 52;

/// The segment that positions of provisional lines name.
pub(crate) const OPEN_SEGMENT: u64 = u64::MAX;

/// A wish for open flows.
pub(crate) struct Wanted {
    pub(crate) sieve: Sieve,
    pub(crate) most: usize,
    pub(crate) reply: Sender<Found>,
}

/// What the tap thread found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) flows: Vec<Features>,
    /// Flows that were looked at.
    pub(crate) seen: u64,
    /// Flows that passed the simple conditions but found no room.
    pub(crate) left_out: u64,
}

/// The conditions that can be told from a flow's record alone; what it lets through may still not
/// meet the question, what it holds back does not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sieve(Vec<Clause>);

impl Sieve {
    pub(crate) fn new(conditions: Vec<Clause>) -> Sieve {
        Sieve(conditions)
    }

    pub(crate) fn passes(&self, flow: &Features) -> bool {
        self.0.iter().all(|clause| judge(clause, flow) != Some(false))
    }
}

/// Whether the clause holds of a flow; `None` where its record alone doesn't tell.
fn judge(clause: &Clause, f: &Features) -> Option<bool> {
    match clause {
        Clause::Has(term) => {
            let value = term.value();
            Some(match term.kind()? {
                Kind::SrcIp => ip(f.src_ip)? == *value,
                Kind::DstIp => ip(f.dst_ip)? == *value,
                Kind::SrcPort => f.src_port.to_be_bytes() == *value,
                Kind::DstPort => f.dst_port.to_be_bytes() == *value,
                _ => return None,
            })
        }
        Clause::Between(low, high) => {
            let (low, kind, high) = (low.value(), low.kind()?, high.value());
            let within = |value: &[u8]| low <= value && value <= high;
            Some(match kind {
                Kind::SrcIp => within(&ip(f.src_ip)?),
                Kind::DstIp => within(&ip(f.dst_ip)?),
                Kind::SrcPort => within(&f.src_port.to_be_bytes()),
                Kind::DstPort => within(&f.dst_port.to_be_bytes()),
                _ => return None,
            })
        }
        Clause::Time { from, until } => Some(f.first < *until && f.last >= *from),
        Clause::Any(of) => {
            let mut told = Some(false);
            for clause in of {
                match judge(clause, f) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => told = None,
                }
            }
            told
        }
        Clause::All(of) => {
            let mut told = Some(true);
            for clause in of {
                match judge(clause, f) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => told = None,
                }
            }
            told
        }
        Clause::Not(of) => judge(of, f).map(|holds| !holds),
        Clause::Name(_) | Clause::Number { .. } => None,
    }
}

/// An address as terms hold it.
fn ip(address: Option<IpAddr>) -> Option<[u8; 16]> {
    // An absent address is in no term: what asks for one is told by the full search.
    let mapped: Ipv6Addr = match address? {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    Some(mapped.octets())
}

/// Open flows, searchable.
#[derive(Debug, Default)]
pub(crate) struct OpenIndex {
    pub(crate) index: OracleIndex,
    lines: Vec<Vec<u8>>,
}

impl OpenIndex {
    /// Makes lines of `flows` and indexes them.
    pub(crate) fn of(
        flows: &[Features],
        ports: &Ports,
        profile: Profile,
    ) -> Result<OpenIndex, IndexError> {
        let mut open = OpenIndex::default();
        let mut seq = OPEN_SEQ;
        let mut stated = std::collections::HashSet::new();
        let mut scratch = Vec::new();
        for flow in flows {
            let shape = Shape::of(flow);
            let id = shape.id();
            if stated.insert(id) {
                pen::fast_shape_body(&mut scratch, id, &shape, profile);
                line::close(&mut scratch, seq, &Digest::ZERO);
                open.index.add(&scratch, Position { segment: OPEN_SEGMENT, offset: 0, len: 0 })?;
                seq += 1;
            }
            let source = Source {
                in_iface: ports.name(flow.port.ifindex),
                bridge: ports.bridge(flow.port.bridge),
                ..Source::default()
            };
            scratch.clear();
            line::flow_body(&mut scratch, flow, &source, id, pen::priority(flow));
            // For whoever reads it: a line without a number yet.
            let mut shown = scratch.clone();
            line::close(&mut shown, 0, &Digest::ZERO);
            line::close(&mut scratch, seq, &Digest::ZERO);
            let at = Position {
                segment: OPEN_SEGMENT,
                offset: open.lines.len() as u64,
                len: u32::try_from(shown.len()).unwrap_or(u32::MAX),
            };
            open.index.add(&scratch, at)?;
            open.lines.push(shown);
            seq += 1;
        }
        Ok(open)
    }

    /// The line of a hit, where it is one of these.
    pub(crate) fn line(&self, at: Position) -> Option<&[u8]> {
        line_of(&self.lines, at)
    }

    /// The lines alone, for an answer that outlives the search.
    pub(crate) fn into_lines(self) -> Vec<Vec<u8>> {
        self.lines
    }
}

/// The line at a place among provisional ones; `None` where the place is in the log.
pub(crate) fn line_of(lines: &[Vec<u8>], at: Position) -> Option<&[u8]> {
    let at = (at.segment == OPEN_SEGMENT).then_some(at.offset)?;
    lines.get(usize::try_from(at).ok()?).map(Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use ghost_event::Timestamp;
    use ghost_index::{Request, Term};

    use super::*;
    use crate::daemon::sample;

    fn flow(src: [u8; 4], port: u16) -> Features {
        sample::flows(&[(src, port)]).remove(0)
    }

    fn host(address: &str) -> Clause {
        let ip = address.parse().unwrap();
        Clause::either(Term::ip(Kind::SrcIp, ip), Term::ip(Kind::DstIp, ip))
    }

    #[test]
    fn the_sieve_holds_back_only_what_can_not_be_meant() {
        let sieve = |clause| Sieve::new(vec![clause]);
        let ssh = flow([10, 0, 0, 1], 22);
        assert!(sieve(host("10.0.0.1")).passes(&ssh));
        assert!(!sieve(host("10.0.0.9")).passes(&ssh));
        assert!(sieve(Clause::Has(Term::number(Kind::DstPort, 22))).passes(&ssh));
        assert!(!sieve(Clause::Has(Term::number(Kind::DstPort, 23))).passes(&ssh));
        let low = Term::number(Kind::DstPort, 20);
        assert!(sieve(Clause::Between(low, Term::number(Kind::DstPort, 30))).passes(&ssh));
        // What only the whole line tells is let through, even when it is denied.
        let name = Clause::Name("example.com".into());
        assert!(sieve(name.clone()).passes(&ssh));
        assert!(sieve(Clause::Not(Box::new(name.clone()))).passes(&ssh));
        assert!(!sieve(Clause::All(vec![name.clone(), host("10.0.0.9")])).passes(&ssh));
        assert!(sieve(Clause::Any(vec![name, host("10.0.0.9")])).passes(&ssh));
        let later = Clause::Time { from: Timestamp(3_000), until: Timestamp(9_000) };
        assert!(!sieve(later).passes(&ssh));
    }

    #[test]
    fn an_open_flow_is_found_and_its_line_has_no_number_yet() {
        let flows = sample::flows(&[([10, 0, 0, 1], 22), ([10, 0, 0, 7], 80)]);
        let open = OpenIndex::of(&flows, &Ports::default(), Profile::default()).unwrap();
        let request = Request { filter: vec![host("10.0.0.7")], limit: 5, ..Request::default() };
        let found = open.index.search(&request).unwrap();
        assert_eq!(found.hits.len(), 1);
        let line = open.line(found.hits[0].at).unwrap();
        let view = ghost_event::line::View::parse(line).unwrap();
        assert_eq!(view.dest_port, Some(80));
        assert!(found.hits[0].seq >= OPEN_SEQ);
    }
}
