//! `bench tap`: what forwarding costs with us on the bridge, beside the same bridge without us.
//!
//! Everything stands in namespaces: a source, a switch and a sink on veth cables. The source's
//! generator has the first processor to itself, in real time; what works in user space has the
//! second. Frames are counted at the sink by the kernel, through a table that is held open. Designs
//! take turns, and medians count. The tapped rows run the real program on an empty data folder, and
//! what its log holds afterwards is read back: a tap that sees nothing fails the run.

mod program;
mod rate;
mod rig;
mod whole;

use std::collections::BTreeMap;

use ghost_lab::OVS_TOOLS;

use super::{Row, median};
use crate::sh::{self, Outcome, cargo};
use program::Account;
use rig::{Mode, Rig, Switch};

/// Rounds in which every design has its turn.
const ROUNDS: usize = 3;
const SHORT: usize = 60;
const LONG: usize = 1514;

/// One design: a switch, and perhaps us on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Design {
    switch: Switch,
    mode: Option<Mode>,
}

const fn bare(switch: Switch) -> Design {
    Design { switch, mode: None }
}

const fn tapped(switch: Switch, mode: Mode) -> Design {
    Design { switch, mode: Some(mode) }
}

const DIRECT: Design = bare(Switch::Cable);
const BRIDGE: Design = bare(Switch::Bridge);
const BRIDGE_DEFAULT: Design = bare(Switch::BridgeDefault);
const OVS: Design = bare(Switch::Ovs);
const OVS_MIRROR: Design = bare(Switch::OvsMirror);
const GHOST: Design = tapped(Switch::Bridge, Mode::Ghost);
const GHOST_OVS: Design = tapped(Switch::Ovs, Mode::Ghost);
const FAST: Design = tapped(Switch::Nothing, Mode::Fast);
const INLINE: Design = tapped(Switch::Nothing, Mode::Inline);

/// What is measured by rate, in the order of a round, with the sizes of its frames.
const RATES: &[(&str, Design, &[usize])] = &[
    ("veth_direct", DIRECT, &[SHORT]),
    ("bridge", BRIDGE, &[SHORT, LONG]),
    ("ghost_bridge", GHOST, &[SHORT, LONG]),
    ("bridge_default", BRIDGE_DEFAULT, &[SHORT]),
    ("fast", FAST, &[SHORT]),
    ("inline", INLINE, &[SHORT]),
    ("ovs", OVS, &[SHORT]),
    ("ghost_ovs", GHOST_OVS, &[SHORT]),
    ("ovs_mirror", OVS_MIRROR, &[SHORT]),
];

/// Which row divides what by what: its name, ours, theirs, the peer's name, and the frames' size.
const RATIOS: &[(&str, Design, Design, &str, usize)] = &[
    ("ghost_bridge_64", GHOST, BRIDGE, "the same bridge bare", SHORT),
    ("ghost_bridge_1514", GHOST, BRIDGE, "the same bridge bare", LONG),
    ("fast_64_vs_bridge_nfoff", FAST, BRIDGE, "Linux bridge, nf off", SHORT),
    ("fast_64_vs_bridge_default", FAST, BRIDGE_DEFAULT, "Linux bridge, default", SHORT),
    ("fast_64_vs_ovs", FAST, OVS, "OVS netdev", SHORT),
    ("inline_64_vs_ovs", INLINE, OVS, "OVS netdev", SHORT),
    ("inline_64_vs_bridge_nfoff", INLINE, BRIDGE, "Linux bridge, nf off", SHORT),
    ("ghost_ovs", GHOST_OVS, OVS, "the same OVS bare", SHORT),
    ("ghost_ovs_vs_mirror", GHOST_OVS, OVS_MIRROR, "OVS with a mirror", SHORT),
    ("bridge_nfoff_64", BRIDGE, DIRECT, "a cable", SHORT),
    ("bridge_default_64", BRIDGE_DEFAULT, DIRECT, "a cable", SHORT),
    ("ovs_64", OVS, DIRECT, "a cable", SHORT),
];

/// All rows, or those of the parts named in `only` (for work on one of them).
pub(super) fn rows(only: Option<&str>) -> Outcome<Vec<Row>> {
    let needs: Vec<&str> =
        ["nsenter", "unshare", "taskset", "chrt", "prlimit", "renice", "iperf3", "ping", "bridge"]
            .into_iter()
            .chain(OVS_TOOLS.iter().copied())
            .collect();
    if let Some(why) = ghost_lab::missing_needs(&needs) {
        return Err(format!("bench tap: {why}"));
    }
    let chosen = |name: &str| only.is_none_or(|only| only.split(',').any(|part| part == name));
    let tapped = RATES.iter().any(|(name, design, _)| design.mode.is_some() && chosen(name));
    if tapped || whole::PARTS.iter().any(|(name, _)| chosen(name)) {
        sh::run(cargo().args(["build", "--quiet", "--release", "--package", "ghostbridge"]))?;
    }
    let mut measured = Measured::default();
    for round in 0..ROUNDS {
        for (name, design, sizes) in RATES.iter().filter(|(name, ..)| chosen(name)) {
            eprintln!("round {} of {ROUNDS}: {name}", round + 1);
            measured.one(name, *design, sizes)?;
        }
    }
    let mut rows = measured.rows();
    for (name, part) in whole::PARTS {
        if chosen(name) {
            eprintln!("{name}");
            rows.extend(part(ROUNDS)?);
        }
    }
    Ok(rows)
}

/// Rates by design and size, and what the tapped designs accounted for.
#[derive(Debug, Default)]
struct Measured {
    rates: BTreeMap<(Design, usize), Vec<f64>>,
    accounts: BTreeMap<(&'static str, usize), Vec<Account>>,
}

impl Measured {
    fn one(&mut self, name: &'static str, design: Design, sizes: &[usize]) -> Outcome<()> {
        for size in sizes {
            let rig = Rig::new(design.switch)?;
            let program = design.mode.map(|mode| rig.tap(mode)).transpose()?;
            let rate = rate::measure(&rig, *size)?;
            if let Some(program) = program {
                let account = program.finish(&rig)?;
                eprintln!("  {size}: {rate:.3} Mpps; {account}");
                if account.events == 0 || account.seen == 0 {
                    return Err(format!("{name}: the tap saw nothing: {account}"));
                }
                self.accounts.entry((name, *size)).or_default().push(account);
            } else {
                eprintln!("  {size}: {rate:.3} Mpps");
            }
            self.rates.entry((design, *size)).or_default().push(rate);
        }
        Ok(())
    }

    fn rows(&self) -> Vec<Row> {
        let rate = |design, size| self.rates.get(&(design, size)).map(|rates| median(rates));
        let ratios = RATIOS.iter().filter_map(|(name, ours, theirs, peer, size)| {
            let (ours, theirs) = (rate(*ours, *size)?, rate(*theirs, *size)?);
            Some(Row::new(name, ours, "Mpps", Some((peer, theirs))))
        });
        let mut rows: Vec<Row> = ratios.collect();
        if let Some(direct) = rate(DIRECT, SHORT) {
            rows.insert(0, Row::new("veth_direct_64", direct, "Mpps", None));
        }
        for ((name, size), accounts) in &self.accounts {
            rows.extend(account_rows(&format!("{name}_{}", size_name(*size)), accounts));
        }
        rows
    }
}

/// What stands beside a tapped row: that every frame is accounted for, and that the log has them.
fn account_rows(name: &str, accounts: &[Account]) -> Vec<Row> {
    let total = |of: fn(&Account) -> u64| accounts.iter().map(of).sum::<u64>() as f64;
    let received = total(|a| a.received);
    let unaccounted = accounts.iter().map(|a| a.received.abs_diff(a.seen + a.lost)).max();
    let unread = accounts.iter().map(Account::unread).max();
    vec![
        Row::new(&format!("{name}_unaccounted"), unaccounted.unwrap_or(0) as f64, "frames", None),
        Row::new(&format!("{name}_not_in_log"), unread.unwrap_or(0) as f64, "frames", None),
        Row::new(&format!("{name}_seen"), total(|a| a.seen), "frames", Some(("came in", received))),
        Row::new(
            &format!("{name}_events"),
            total(|a| a.events),
            "events",
            Some(("packets in them", total(|a| a.packets))),
        ),
    ]
}

/// As frames are called: with the checksum that the kernel never sees.
fn size_name(size: usize) -> String {
    if size == SHORT { "64".to_owned() } else { size.to_string() }
}

/// The hidden verb `__generate`: the generator's own process.
pub(crate) use rate::generate;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ratio_divides_what_is_measured() {
        for (name, ours, theirs, _, size) in RATIOS {
            for design in [ours, theirs] {
                let measured =
                    RATES.iter().any(|(_, d, sizes)| d == design && sizes.contains(size));
                assert!(measured, "{name} wants {design:?} at {size}");
            }
        }
    }

    #[test]
    fn a_frame_in_no_account_is_told() {
        let account = Account { received: 10, seen: 7, lost: 2, events: 1, packets: 7, gaps: 0 };
        let rows = account_rows("x", &[account]);
        assert_eq!((rows[0].name.as_str(), rows[0].value), ("x_unaccounted", 1.0));
    }
}
