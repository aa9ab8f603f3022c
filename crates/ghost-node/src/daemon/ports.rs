//! The ports thread: what the host has, against what is tapped; the difference is put right.
//!
//! It watches interfaces and switches, plans anew after each change, and lets the attach helper
//! attach and detach. Bridges keep their numbers for as long as the daemon runs, by name. Where the
//! helper hung up, another is tried for; the time between is told by a `gap` line, as is what a
//! port carried before it was tapped. A switch that is silent for a moment loses no tap. Mirrors
//! that this run made go when it ends in good order; a crash leaves them to the next, or to
//! `detach`.
//!
//! **Invariant:** a frame never waits for this thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use ghost_event::Timestamp;
use ghost_host::{Inventory, LastSwitch, Mirror, Mode, Plan, Sources, Watcher, Wish, plan};
use ghost_tap::live::{Direction, Helper, InlineSizes, RingSizes, Tap, TapError};
use ghost_world::Clock;

use super::changes::Stock;
use super::gap::{LastSeen, Lost, Open, PortSeen, reason};
use super::machine::{self, Counted};
use super::pipeline::Control;
use super::queues::Queue;
use super::shared::{PortName, Ports, Shared};
use super::writer::Command;
use super::{DaemonError, DaemonHost, Frames, Helpers, TapWaker};
use crate::limits::{BRIDGES_MAX, CHANGES_AT_ONCE_MAX, PORTS_MAX, STATE_NS};

/// How long the thread waits for a change before it looks after the rest.
const LOOK: Duration = Duration::from_millis(250);
/// Changes come in swarms: so long after the first the plan is made.
const SETTLE: Duration = Duration::from_millis(20);
/// How soon another helper is tried for, at first and at last.
const RETRY_NS: (u64, u64) = (500_000_000, 30_000_000_000);

/// What the thread is told.
pub(crate) enum PortsControl {
    /// Other interfaces.
    Wish(Wish),
    /// Lets go of everything, and ends.
    Stop(Sender<()>),
}

impl Frames for Tap {
    fn poll(
        &mut self,
        budget: u32,
        each: &mut dyn FnMut(&ghost_tap::live::LiveFrame<'_>),
    ) -> ghost_tap::live::Polled {
        Tap::poll(self, budget, &mut |frame: &ghost_tap::live::LiveFrame<'_>| each(frame))
    }

    fn counters(&self) -> Vec<ghost_tap::live::PortCounters> {
        Tap::counters(self)
    }
}

/// The thread's own.
pub(crate) struct PortsThread {
    pub(crate) helpers: Box<dyn Helpers>,
    pub(crate) wish: Wish,
    pub(crate) sources: Sources,
    pub(crate) ring_bytes: Option<u64>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Queue<Command>,
    pub(crate) tap: TapWaker,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) host: Arc<dyn DaemonHost>,
    /// `state/` of the data folder.
    pub(crate) state: PathBuf,
    pub(crate) attached: Attached,
    /// What was last told of the host.
    pub(crate) stock: Stock,
}

/// What is tapped now.
#[derive(Default)]
pub(crate) struct Attached {
    helper: Option<Helper>,
    /// Whether the tap thread has a tap.
    open: bool,
    /// By interface: in which directions.
    ports: BTreeMap<u32, (bool, bool)>,
    /// The two ends of a wire, where there is one.
    wire: Option<(u32, u32)>,
    /// What the ports of a wire that was taken over had lost before, by interface: frames and bytes.
    lost_before: Option<BTreeMap<u32, (u64, u64)>>,
    bridges: Bridges,
    switch: LastSwitch,
    /// Mirrors that are there for us.
    mirrors: BTreeSet<Mirror>,
    /// When to take stock again, whatever changes.
    look_ns: Option<u64>,
    warnings: Vec<String>,
    retry_ns: u64,
    pause_ns: u64,
    kept_ns: u64,
    /// When the last helper hung up, and what the ports had counted then.
    unseen: Option<LastSeen>,
}

impl PortsThread {
    /// Attaches for the first time: what can't be had at all is told to who starts us.
    pub(crate) fn begin(&mut self) -> Result<Watcher, DaemonError> {
        let watcher = Watcher::start(&self.sources).map_err(DaemonError::Host)?;
        self.stock = Stock::read(&self.stock_path());
        self.attached.unseen = LastSeen::read(&LastSeen::path(&self.state));
        if let Some(lost) = self.attached.unseen.as_ref().and_then(LastSeen::unfinished) {
            self.tell(reason::UNFINISHED, lost);
        }
        self.adjust()?;
        Ok(watcher)
    }

    pub(crate) fn start(
        self,
        watcher: Watcher,
        control: Receiver<PortsControl>,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        std::thread::Builder::new()
            .name("ports".to_owned())
            .spawn(move || self.run(&watcher, &control))
    }

    fn run(mut self, watcher: &Watcher, control: &Receiver<PortsControl>) {
        loop {
            let mut changed = watcher.next(LOOK).is_some();
            while changed && watcher.next(SETTLE).is_some() {}
            match control.try_recv() {
                Ok(PortsControl::Wish(wish)) => {
                    self.wish = wish;
                    changed = true;
                }
                Ok(PortsControl::Stop(reply)) => {
                    self.keep();
                    self.end();
                    // Who asked may have lost patience.
                    let _ = reply.send(());
                    return;
                }
                Err(crossbeam_channel::TryRecvError::Disconnected) => return self.end(),
                Err(crossbeam_channel::TryRecvError::Empty) => {}
            }
            let now = self.clock.monotonic_ns();
            let again = self.attached.retry_ns > 0 && now >= self.attached.retry_ns
                || self.attached.look_ns.is_some_and(|look| now >= look);
            if changed || again {
                if let Err(error) = self.adjust() {
                    self.trouble(&error.to_string(), now);
                } else {
                    self.attached.retry_ns = 0;
                    self.attached.pause_ns = 0;
                }
            }
            if now >= self.attached.kept_ns.saturating_add(STATE_NS) {
                self.attached.kept_ns = now;
                self.keep();
                self.look_after_the_helper(now);
            }
        }
    }

    /// Something could not be had: it is said, and tried for again.
    fn trouble(&mut self, words: &str, now: u64) {
        let pause = (self.attached.pause_ns * 2).clamp(RETRY_NS.0, RETRY_NS.1);
        self.attached.pause_ns = pause;
        self.attached.retry_ns = now.saturating_add(pause);
        self.warn(vec![words.to_owned()]);
    }

    /// The warnings that hold now; new ones are said.
    fn warn(&mut self, warnings: Vec<String>) {
        for new in warnings.iter().filter(|w| !self.attached.warnings.contains(w)) {
            self.host.say(new);
        }
        let old = std::mem::replace(&mut self.attached.warnings, warnings.clone());
        let mut texts = self.shared.texts();
        texts.warnings.retain(|w| !old.contains(w));
        texts.warnings.extend(warnings);
    }

    /// Takes stock, plans, and applies the difference.
    fn adjust(&mut self) -> Result<(), DaemonError> {
        let mut inventory = self.take_stock()?;
        let mut wanted = plan(&inventory, &self.wish).map_err(DaemonError::Plan)?;
        let mut warnings = Vec::new();
        // A silent switch is asked for nothing.
        if self.wish.mode == Mode::Mirror && self.attached.look_ns.is_none() {
            let mirrors = wanted.mirrors.iter().cloned().collect();
            self.adjust_mirrors(&mirrors, &mut warnings)?;
            if !mirrors.is_empty() {
                inventory = self.take_stock()?;
                wanted = plan(&inventory, &self.wish).map_err(DaemonError::Plan)?;
            }
        }
        warnings.extend(wanted.warnings.iter().cloned());
        self.connect()?;
        let result = match self.wish.mode {
            Mode::Ghost => self.attach_ghost(&wanted, &mut warnings),
            Mode::Mirror => self
                .attach_ghost(&wanted, &mut warnings)
                .and_then(|()| self.raise_mirrors(&inventory, &wanted, &mut warnings)),
            Mode::GhostFast | Mode::Inline => self.open_wire(&wanted),
        };
        self.name_ports(&wanted);
        self.tell_stock(Stock::of(&inventory, &self.attached.ports), "detached");
        self.warn(warnings);
        if let Err(TapError::HelperGone | TapError::HelperSilent) = &result {
            self.lose_helper();
        }
        result.map_err(DaemonError::Tap)?;
        self.tell_unseen();
        Ok(())
    }

    /// What the host has; a switch that is silent is the one it was a moment ago.
    fn take_stock(&mut self) -> Result<Inventory, DaemonError> {
        let mut inventory = Inventory::read_from(&self.sources).map_err(DaemonError::Host)?;
        let now = self.clock.monotonic_ns();
        self.attached.look_ns = self.attached.switch.stand_in(&mut inventory, now);
        Ok(inventory)
    }

    /// Makes the mirrors that are wanted, and removes those of ours that no longer are.
    fn adjust_mirrors(
        &mut self,
        wanted: &BTreeSet<Mirror>,
        warnings: &mut Vec<String>,
    ) -> Result<(), DaemonError> {
        for mirror in wanted {
            mirror.create(&self.sources).map_err(DaemonError::Host)?;
            self.attached.mirrors.insert(mirror.clone());
        }
        self.attached.mirrors.retain(|mirror| {
            let unwanted = !wanted.contains(mirror);
            let removed = unwanted.then(|| mirror.remove(&self.sources));
            match removed {
                None => true,
                Some(Ok(_)) => false,
                Some(Err(error)) => {
                    warnings.push(error.to_string());
                    true
                }
            }
        });
        Ok(())
    }

    /// A switch makes its interfaces down, and then they deliver nothing.
    fn raise_mirrors(
        &mut self,
        inventory: &Inventory,
        wanted: &Plan,
        warnings: &mut Vec<String>,
    ) -> Result<(), TapError> {
        let Some(helper) = &mut self.attached.helper else { return Ok(()) };
        for attachment in &wanted.attachments {
            if inventory.link(attachment.ifindex).is_none_or(|link| link.up) {
                continue;
            }
            match helper.raise_mirror(attachment.ifindex) {
                // It went while we looked.
                Ok(()) | Err(TapError::NoInterface { .. }) => {}
                Err(error @ (TapError::HelperGone | TapError::HelperSilent)) => return Err(error),
                Err(error) => warnings.push(error.to_string()),
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), DaemonError> {
        if self.attached.helper.is_none() {
            let socket = self.helpers.connect().map_err(DaemonError::Helper)?;
            self.attached.helper = Some(Helper::connect(socket).map_err(DaemonError::Tap)?);
        }
        Ok(())
    }

    /// A helper that hung up says nothing: it is asked for something that changes nothing.
    fn look_after_the_helper(&mut self, now: u64) {
        let Some(helper) = &mut self.attached.helper else { return };
        let answer = helper.detach(u32::MAX, Direction::Ingress);
        if matches!(answer, Err(TapError::HelperGone | TapError::HelperSilent)) {
            self.lose_helper();
            self.trouble("the attach helper has hung up: another is tried for", now);
            self.attached.retry_ns = now;
        }
    }

    /// The helper hung up, and in ghost mode its taps went with it; a wire goes on.
    fn lose_helper(&mut self) {
        self.attached.helper = None;
        if self.attached.wire.is_some() {
            return;
        }
        self.attached.open = false;
        if self.attached.unseen.is_none() {
            self.attached.unseen = Some(self.seen_now());
        }
        self.attached.ports.clear();
        self.tell_stock(self.stock.untapped(), "lost");
    }

    fn stock_path(&self) -> PathBuf {
        self.state.join("elements.json")
    }

    /// Tells what is another now; taps that are no more are called `gone`.
    fn tell_stock(&mut self, now: Stock, gone: &'static str) {
        let mut changes = self.stock.until(&now, gone).into_iter();
        loop {
            let some: Vec<_> = changes.by_ref().take(CHANGES_AT_ONCE_MAX).collect();
            if some.is_empty() {
                break;
            }
            // Nobody else waits for this thread: it may wait for the writer.
            drop(self.writer.put(Command::Changes(some)));
        }
        if self.stock != now {
            self.stock = now;
            // A hint: without it the next start tells of what was told.
            drop(self.stock.write(&self.stock_path()));
        }
    }

    fn ring_sizes(&self) -> RingSizes {
        let cpus = machine::cpus();
        match self.ring_bytes {
            Some(total) => RingSizes::with_total(total, cpus),
            None => RingSizes::for_machine(machine::memory_bytes(), cpus),
        }
    }

    fn attach_ghost(&mut self, wanted: &Plan, warnings: &mut Vec<String>) -> Result<(), TapError> {
        let sizes = self.ring_sizes();
        let Some(helper) = &mut self.attached.helper else { return Ok(()) };
        if !self.attached.open {
            let tap = helper.open_ghost(sizes)?;
            self.tap.tell(Control::Frames(Some(Box::new(tap))));
            self.attached.open = true;
        }
        let wanted: BTreeMap<u32, (bool, bool)> =
            wanted.attachments.iter().map(|a| (a.ifindex, (a.ingress, a.egress))).collect();
        let mut new = Vec::new();
        let all: Vec<u32> = self.attached.ports.keys().chain(wanted.keys()).copied().collect();
        for ifindex in all {
            let is = self.attached.ports.get(&ifindex).copied().unwrap_or_default();
            let shall = wanted.get(&ifindex).copied().unwrap_or_default();
            let mut now = is;
            for (direction, is, shall, now) in [
                (Direction::Ingress, is.0, shall.0, &mut now.0),
                (Direction::Egress, is.1, shall.1, &mut now.1),
            ] {
                let done = match (is, shall) {
                    (false, true) => helper.attach(ifindex, direction),
                    (true, false) => helper.detach(ifindex, direction),
                    _ => continue,
                };
                match done {
                    Ok(()) => {
                        *now = shall;
                        if shall {
                            new.push((ifindex, direction));
                        }
                    }
                    // It went while we looked; with it what was attached.
                    Err(TapError::NoInterface { .. } | TapError::NotAttached { .. }) => {
                        *now = false;
                    }
                    Err(TapError::AlreadyAttached { .. }) => *now = true,
                    Err(error @ (TapError::HelperGone | TapError::HelperSilent)) => {
                        return Err(error);
                    }
                    Err(error) => warnings.push(error.to_string()),
                }
            }
            if now == (false, false) {
                self.attached.ports.remove(&ifindex);
            } else {
                self.attached.ports.insert(ifindex, now);
            }
        }
        self.tell_new(&new);
        Ok(())
    }

    fn open_wire(&mut self, wanted: &Plan) -> Result<(), TapError> {
        let [a, b] = wanted.attachments.as_slice() else { return Ok(()) };
        let wire = (a.ifindex, b.ifindex);
        if self.attached.wire == Some(wire) {
            return Ok(());
        }
        let sizes = self.ring_sizes();
        let Some(helper) = &mut self.attached.helper else { return Ok(()) };
        if self.attached.wire.take().is_some() {
            // An end was made anew: the tap goes with what it was attached to.
            self.tap.tell(Control::Frames(None));
        }
        let tap = match self.wish.mode {
            Mode::Inline => {
                let sizes = match self.ring_bytes {
                    Some(total) => InlineSizes {
                        record_bytes: usize::try_from(total).unwrap_or(usize::MAX),
                        ..InlineSizes::default()
                    },
                    None => InlineSizes::default(),
                };
                helper.open_inline(wire.0, wire.1, sizes)?
            }
            _ => helper.open_fast(wire.0, wire.1, sizes)?,
        };
        let mut before = BTreeMap::<u32, (u64, u64)>::new();
        for port in tap.lost_before() {
            let lost = before.entry(port.ifindex).or_default();
            *lost = (lost.0 + port.lost_segments, lost.1 + port.lost_bytes);
        }
        self.attached.lost_before = (!before.is_empty()).then_some(before);
        self.tap.tell(Control::Frames(Some(Box::new(tap))));
        self.attached.wire = Some(wire);
        self.attached.ports = [wire.0, wire.1].map(|i| (i, (true, false))).into();
        Ok(())
    }

    /// Names for events: bridges keep their numbers, gone ports their names.
    fn name_ports(&mut self, wanted: &Plan) {
        let mut ports = (*self.shared.ports()).clone();
        for port in ports.by_ifindex.values_mut() {
            port.attached = false;
        }
        let named: BTreeSet<u32> = wanted.attachments.iter().map(|a| a.ifindex).collect();
        self.attached.bridges.begin();
        for attachment in &wanted.attachments {
            let name = wanted.bridges.get(usize::from(attachment.bridge)).map(|b| b.0.as_str());
            let bridge = self.attached.bridges.number_of(name.unwrap_or_default());
            let attached = self.attached.ports.contains_key(&attachment.ifindex);
            let name = attachment.name.clone();
            ports.by_ifindex.insert(attachment.ifindex, PortName { name, bridge, attached });
        }
        // Ports of a bridge whose number another has now are forgotten.
        let (before, now) = (&ports.bridges, &self.attached.bridges.names);
        let same = |port: &PortName| {
            let at = usize::from(port.bridge);
            before.get(at) == now.get(at)
        };
        ports.by_ifindex.retain(|ifindex, port| named.contains(ifindex) || same(port));
        while ports.by_ifindex.len() > PORTS_MAX {
            let gone = ports.by_ifindex.iter().find(|(_, port)| !port.attached).map(|p| *p.0);
            let Some(gone) = gone else { break };
            ports.by_ifindex.remove(&gone);
        }
        ports.bridges.clone_from(&self.attached.bridges.names);
        if ports != *self.shared.ports() {
            self.shared.set_ports(ports);
        }
    }

    /// What new ports carried before they were tapped; of the first, the time without us tells it.
    fn tell_new(&self, new: &[(u32, Direction)]) {
        if new.is_empty() || self.attached.unseen.is_some() || self.attached.kept_ns == 0 {
            return;
        }
        let counted = machine::counted();
        let now = Timestamp(self.clock.wall_ns());
        for (ifindex, direction) in new {
            let Some(port) = counted.iter().find(|c| c.ifindex == *ifindex) else { continue };
            let (packets, bytes) = match direction {
                Direction::Ingress => (port.rx_packets, port.rx_bytes),
                Direction::Egress => (port.tx_packets, port.tx_bytes),
            };
            if packets > 0 {
                self.tell(reason::PORT_UNSEEN, Lost { packets, bytes, ..Lost::at(now) });
            }
        }
    }

    /// The time without us, once there is a tap again.
    fn tell_unseen(&mut self) {
        if self.attached.ports.is_empty() {
            return;
        }
        if let Some(before) = self.attached.unseen.take() {
            let now = self.seen_now();
            let lost = match self.attached.lost_before {
                Some(_) => before.lost_until(&now),
                None => before.gap_until(&now),
            };
            self.tell(reason::STOPPED, lost);
        }
        self.attached.kept_ns = self.clock.monotonic_ns();
        self.keep();
    }

    fn tell(&self, reason: &'static str, lost: Lost) {
        // Nobody else waits for this thread: it may wait for the writer.
        drop(self.writer.put(Command::Gap(lost.note(reason))));
    }

    /// What the tapped ports have counted by now.
    fn seen_now(&self) -> LastSeen {
        let counted = machine::counted();
        let counters = self.shared.port_counters();
        let before = self.attached.lost_before.as_ref();
        let port = |(ifindex, (ingress, egress)): (&u32, &(bool, bool))| {
            let c: &Counted = counted.iter().find(|c| c.ifindex == *ifindex)?;
            let mut lost = before.and_then(|b| b.get(ifindex)).copied().unwrap_or_default();
            for port in counters.iter().filter(|port| port.ifindex == *ifindex) {
                lost = (lost.0 + port.lost_segments, lost.1 + port.lost_bytes);
            }
            let taken = |yes: &bool, n: u64| if *yes { n } else { 0 };
            Some(PortSeen {
                name: c.name.clone(),
                ifindex: *ifindex,
                packets: taken(ingress, c.rx_packets) + taken(egress, c.tx_packets),
                bytes: taken(ingress, c.rx_bytes) + taken(egress, c.tx_bytes),
                lost_packets: lost.0,
                lost_bytes: lost.1,
            })
        };
        LastSeen {
            at_ns: self.clock.wall_ns(),
            boot: self.clock.boot_id(),
            ports: self.attached.ports.iter().filter_map(port).collect(),
            open: Open {
                flows: self.shared.flows_open.get(),
                packets: self.shared.packets_open.get(),
                bytes: self.shared.bytes_open.get(),
            },
        }
    }

    /// Keeps the counters for the next start.
    fn keep(&self) {
        if !self.attached.ports.is_empty() && self.attached.unseen.is_none() {
            // A hint: without it the next start tells less.
            drop(self.seen_now().write(&LastSeen::path(&self.state)));
        }
    }

    fn end(&mut self) {
        if matches!(self.wish.mode, Mode::Ghost | Mode::Mirror)
            && let Some(helper) = &mut self.attached.helper
        {
            for (ifindex, (ingress, egress)) in &self.attached.ports {
                for (yes, direction) in [(ingress, Direction::Ingress), (egress, Direction::Egress)]
                {
                    if *yes {
                        // They go with the connection anyway.
                        drop(helper.detach(*ifindex, direction));
                    }
                }
            }
        }
        for mirror in std::mem::take(&mut self.attached.mirrors) {
            if let Err(error) = mirror.remove(&self.sources) {
                self.host.say(&format!(
                    "the mirror of {} stays (`ghostbridge detach` removes it): {error}",
                    mirror.bridge
                ));
            }
        }
        if matches!(self.wish.mode, Mode::Ghost | Mode::Mirror) {
            self.tell_stock(self.stock.untapped(), "detached");
        }
        self.attached = Attached::default();
    }
}

/// Numbers of bridges: a name keeps its own for as long as it is among the last [`BRIDGES_MAX`].
#[derive(Default)]
struct Bridges {
    /// The place is the number.
    names: Vec<String>,
    /// In which plan each was last wanted.
    wanted: Vec<u64>,
    plans: u64,
}

impl Bridges {
    /// Another plan's names come now.
    fn begin(&mut self) {
        self.plans += 1;
    }

    fn number_of(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| self.new_number(name));
        if let Some(wanted) = self.wanted.get_mut(at) {
            *wanted = self.plans;
        }
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn new_number(&mut self, name: &str) -> usize {
        if self.names.len() < BRIDGES_MAX {
            self.names.push(name.to_owned());
            self.wanted.push(self.plans);
            return self.names.len() - 1;
        }
        // No tap holds so many ports that every number is wanted; if it did, the last is shared.
        let gone = self.wanted.iter().enumerate().filter(|(_, plan)| **plan < self.plans);
        let Some((at, _)) = gone.min_by_key(|(_, plan)| **plan) else { return BRIDGES_MAX - 1 };
        if let Some(old) = self.names.get_mut(at) {
            name.clone_into(old);
        }
        at
    }
}

/// Names of ports that are fed from elsewhere.
pub(crate) fn fed(ports: &[super::FedPort]) -> Ports {
    let mut all = Ports::default();
    for port in ports {
        let at = usize::from(port.bridge);
        while all.bridges.len() <= at {
            all.bridges.push(format!("bridge{}", all.bridges.len()));
        }
        let name = PortName { name: port.name.clone(), bridge: port.bridge, attached: true };
        all.by_ifindex.insert(port.ifindex, name);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_keeps_its_number_when_another_comes_before_it() {
        let mut bridges = Bridges::default();
        bridges.begin();
        assert_eq!(bridges.number_of("br1"), 0);
        bridges.begin();
        assert_eq!(bridges.number_of("br0"), 1);
        assert_eq!(bridges.number_of("br1"), 0);
    }

    #[test]
    fn numbers_end_and_the_bridge_that_is_gone_longest_gives_its_own() {
        let mut bridges = Bridges::default();
        for number in 0..BRIDGES_MAX {
            bridges.begin();
            assert_eq!(usize::from(bridges.number_of(&format!("br{number}"))), number);
        }
        bridges.begin();
        // The first is wanted still, the second is not.
        assert_eq!(bridges.number_of("br0"), 0);
        assert_eq!(bridges.number_of("new"), 1);
        assert_eq!(bridges.number_of("newer"), 2);
        assert_eq!(bridges.number_of("new"), 1);
        assert_eq!((bridges.names.len(), bridges.wanted.len()), (BRIDGES_MAX, BRIDGES_MAX));
        assert_eq!(bridges.names[1], "new");
    }

    #[test]
    fn the_helper_sets_up_what_the_switch_is_asked_for() {
        assert_eq!(Mirror::PREFIX, ghost_tap::live::MIRROR_PREFIX);
    }
}
