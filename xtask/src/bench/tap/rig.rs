//! Source, switch and sink, and the switches that can stand between.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use ghost_lab::{Frame, LabError, Namespace, Ovs, Process};

use super::program::Program;
use crate::sh::{self, Outcome};

/// Where the generator's frames want to go: nobody's address, so that the sink answers nothing.
const TARGET_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x99];

/// What stands between source and sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Switch {
    /// One cable, no switch.
    Cable,
    /// A Linux bridge whose frames pass no firewall.
    Bridge,
    /// A Linux bridge as the kernel sets it up.
    BridgeDefault,
    Ovs,
    /// Copies to a port of its own.
    OvsMirror,
    /// Two ports, joined by whoever taps them.
    Nothing,
}

/// How we tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Ghost,
    Fast,
    Inline,
}

/// The three namespaces; all in them goes when this is dropped.
#[derive(Debug)]
pub(super) struct Rig {
    kind: Switch,
    sink_counters: Table,
    switch_counters: Table,
    // In this order they go: what runs in the namespaces first.
    /// Keeps the mounts that the program shares, apart from the machine's own.
    holder: Process,
    _ovs: Option<Ovs>,
    pub(super) source: Namespace,
    pub(super) sink: Namespace,
    _switch: Namespace,
}

impl Rig {
    pub(super) fn new(kind: Switch) -> Outcome<Rig> {
        build(kind).map_err(|e| e.to_string())
    }

    /// Starts the program on the switch and waits until it sees.
    pub(super) fn tap(&self, mode: Mode) -> Outcome<Program> {
        let program = Program::start(self, mode)?;
        program.to_second_processor()?;
        Ok(program)
    }

    /// The same, and leaves it where it is: for real programs, which need both processors.
    pub(super) fn tap_anywhere(&self, mode: Mode) -> Outcome<Program> {
        Program::start(self, mode)
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from(([10, 77, 0, 2], 0))
    }

    /// The sink's end of the cable.
    pub(super) fn arrived(&self) -> Outcome<u64> {
        self.sink_counters.of("dv1")
    }

    /// What came in at the source's port of the switch.
    pub(super) fn came_in(&self) -> Outcome<u64> {
        self.switch_counters.of("b0")
    }

    /// The names that the program is told.
    pub(super) fn interfaces(&self) -> &'static [&'static str] {
        match self.kind {
            Switch::Bridge | Switch::BridgeDefault => &["br0"],
            Switch::Ovs | Switch::OvsMirror => &["ovsbr0"],
            Switch::Cable | Switch::Nothing => &["b0", "b1"],
        }
    }

    /// The command line that stands before a program which is to see the switch as its machine.
    pub(super) fn inside(&self) -> Vec<String> {
        let holder = self.holder.id().to_string();
        ["nsenter", "--target", &holder, "--mount", "--net", "--"].map(str::to_owned).to_vec()
    }
}

fn build(kind: Switch) -> Result<Rig, LabError> {
    let (source, sink, switch) =
        (Namespace::new("src")?, Namespace::new("snk")?, Namespace::new("br")?);
    for namespace in [&source, &sink, &switch] {
        for which in ["all", "default"] {
            namespace.sysctl(&format!("net/ipv6/conf/{which}/disable_ipv6"), "1")?;
        }
    }
    if kind == Switch::Cable {
        ghost_lab::link_pair(&source, "dv0", &sink, "dv1")?;
    } else {
        ghost_lab::link_pair(&source, "dv0", &switch, "b0")?;
        ghost_lab::link_pair(&switch, "b1", &sink, "dv1")?;
    }
    source.address("dv0", "10.77.0.1/24")?;
    sink.address("dv1", "10.77.0.2/24")?;
    let mut open = None;
    match kind {
        Switch::Cable | Switch::Nothing => {}
        Switch::Bridge | Switch::BridgeDefault => {
            ghost_lab::bridge_netfilter(&switch, kind == Switch::BridgeDefault)?;
            ghost_lab::linux_bridge(&switch, "br0", &["b0", "b1"])?;
        }
        Switch::Ovs | Switch::OvsMirror => {
            let ovs = Ovs::start(&switch)?;
            ovs.bridge("ovsbr0", &["b0", "b1"])?;
            if kind == Switch::OvsMirror {
                mirror(&ovs, &switch)?;
            }
            open = Some(ovs);
        }
    }
    // The switch learns where the target is from a frame that it sends.
    let hello = Frame::new([0xff; 6], TARGET_MAC).udp4(([10, 77, 0, 9], 9), ([255; 4], 9), b"");
    if kind != Switch::Cable {
        ghost_lab::until("the bridge to forward", Duration::from_secs(10), || {
            let _ = ghost_lab::send_frames(&sink, "dv1", std::slice::from_ref(&hello));
            let forwards = source.counters("dv0").is_ok_and(|c| c.rx_packets > 0);
            forwards || kind == Switch::Nothing
        })?;
    }
    if matches!(kind, Switch::Ovs | Switch::OvsMirror) {
        second_processor(&switch, "ovs-vswitchd")?;
    }
    let holder = hold(&switch, open.as_ref())?;
    let sink_counters = Table::open(&sink)?;
    let switch_counters = Table::open(&switch)?;
    let (_ovs, _switch) = (open, switch);
    Ok(Rig { kind, sink_counters, switch_counters, holder, _ovs, source, sink, _switch })
}

/// Starts a process with mounts of its own, which the program is to share: pins are apart from the
/// machine's, and the switch's Open vSwitch, or none, is where the machine's would be.
fn hold(switch: &Namespace, ovs: Option<&Ovs>) -> Result<Process, LabError> {
    let open_vswitch = match ovs.map(Ovs::socket).as_deref().and_then(std::path::Path::parent) {
        Some(folder) => format!("mount --bind {} /run/openvswitch", folder.display()),
        None => "mount -t tmpfs none /run/openvswitch".to_owned(),
    };
    let words = format!(
        "mkdir -p /run/openvswitch && {open_vswitch} && mount -t bpf bpf /sys/fs/bpf && \
         echo held && exec sleep 900"
    );
    let argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &words];
    let mut holder = switch.spawn(&argv)?;
    let held = ghost_lab::until("mounts apart from the machine's", Duration::from_secs(5), || {
        holder.output().contains("held")
    });
    match held {
        Ok(()) => Ok(holder),
        Err(late) => Err(LabError::Wrong(format!("{late}: {}", holder.output()))),
    }
}

fn mirror(ovs: &Ovs, switch: &Namespace) -> Result<(), LabError> {
    ghost_lab::link_pair(switch, "m0", switch, "m1")?;
    ovs.vsctl(&["add-port", "ovsbr0", "m0"])?;
    let words = "-- --id=@p get port m0 -- --id=@m create mirror name=m select-all=true \
                 output-port=@p -- set bridge ovsbr0 mirrors=@m";
    ovs.vsctl(&words.split(' ').collect::<Vec<_>>()).map(drop)
}

/// Gives every thread of a program in `namespace` the second processor, in real time, with a
/// watchdog: what runs for ten seconds without a pause is ended by the kernel.
fn second_processor(namespace: &Namespace, program: &str) -> Result<(), LabError> {
    let pids = sh::output(sh::command("ip").args(["netns", "pids", namespace.name()]))
        .map_err(LabError::Wrong)?;
    let is_it = |pid: &&str| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c.trim() == program)
    };
    let pid = pids.split_whitespace().find(is_it);
    let pid = pid.ok_or_else(|| LabError::Wrong(format!("no {program} runs")))?;
    let place = || {
        sh::output(sh::command("taskset").args(["-a", "-p", "-c", "1", pid]))?;
        sh::output(sh::command("prlimit").args(["--rttime=10000000", "--pid", pid]))?;
        sh::output(sh::command("chrt").args(["--all-tasks", "--fifo", "--pid", "5", pid])).map(drop)
    };
    place().map_err(LabError::Wrong)
}

/// A namespace's table of counters, held open: reading it starts no program.
#[derive(Debug)]
struct Table(File);

impl Table {
    fn open(namespace: &Namespace) -> Result<Table, LabError> {
        let path = "/proc/thread-self/net/dev";
        let opened = namespace.within(|| File::open(path))?;
        opened.map(Table).map_err(|e| LabError::Wrong(format!("{path}: {e}")))
    }

    /// Packets received.
    fn of(&self, interface: &str) -> Outcome<u64> {
        let mut bytes = vec![0; 16 << 10];
        let mut filled = 0;
        while let Ok(got) = self.0.read_at(&mut bytes[filled..], filled as u64) {
            if got == 0 {
                break;
            }
            filled += got;
        }
        let text = String::from_utf8_lossy(&bytes[..filled]);
        received(&text, interface).ok_or_else(|| format!("no interface {interface}"))
    }
}

fn received(table: &str, interface: &str) -> Option<u64> {
    let lines = table.lines().filter_map(|line| line.split_once(':'));
    let (_, numbers) = lines.into_iter().find(|(name, _)| name.trim() == interface)?;
    numbers.split_ascii_whitespace().nth(1)?.parse().ok()
}
