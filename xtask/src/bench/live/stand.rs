//! Source, bridge and sink, and traffic from the one to the other.

use std::time::Duration;

use ghost_lab::generate::{self, Sent, Traffic};
use ghost_lab::{Frame, LabError, Namespace};

use crate::sh::Outcome;

/// Nobody's address: the sink answers nothing.
pub(super) const TARGET_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x99];
/// The port to which the generator's frames go.
pub(super) const TARGET_PORT: u64 = 9;
const GENERATOR_CPU: usize = 0;

/// The three namespaces; all in them goes when this is dropped.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) source: Namespace,
    pub(super) switch: Namespace,
    sink: Namespace,
}

impl Stand {
    pub(super) fn new() -> Outcome<Stand> {
        build().map_err(|e| e.to_string())
    }

    /// Frames that came in at the source's port of the bridge.
    pub(super) fn came_in(&self) -> Outcome<u64> {
        self.switch.counters("b0").map(|c| c.rx_packets).map_err(|e| e.to_string())
    }

    /// Frames that reached the sink.
    pub(super) fn arrived(&self) -> Outcome<u64> {
        self.sink.counters("dv1").map(|c| c.rx_packets).map_err(|e| e.to_string())
    }

    /// Sends from the source, from a processor of the generator's own.
    pub(super) fn send(&self, traffic: &Traffic) -> Outcome<Sent> {
        let sent = self.source.within(|| {
            let limit = Duration::from_secs_f64(traffic.seconds + 5.0);
            generate::take_processor(Some(GENERATOR_CPU), None, limit)?;
            generate::send("dv0", traffic)
        });
        sent.map_err(|e| e.to_string())?.map_err(|e| format!("dv0: {e}"))
    }

    /// Sends frames one by one.
    pub(super) fn send_frames(&self, frames: &[Frame]) -> Outcome<()> {
        ghost_lab::send_frames(&self.source, "dv0", frames).map(drop).map_err(|e| e.to_string())
    }
}

fn build() -> Result<Stand, LabError> {
    let (source, switch, sink) =
        (Namespace::new("src")?, Namespace::new("br")?, Namespace::new("snk")?);
    for namespace in [&source, &switch, &sink] {
        for which in ["all", "default"] {
            namespace.sysctl(&format!("net/ipv6/conf/{which}/disable_ipv6"), "1")?;
        }
    }
    ghost_lab::link_pair(&source, "dv0", &switch, "b0")?;
    ghost_lab::link_pair(&switch, "b1", &sink, "dv1")?;
    let _ = ghost_lab::bridge_netfilter(&switch, false);
    ghost_lab::linux_bridge(&switch, "br0", &["b0", "b1"])?;
    // The bridge learns where the target is from a frame that it sends.
    let hello = Frame::new([0xff; 6], TARGET_MAC).udp4(([10, 77, 0, 9], 68), ([255; 4], 67), b"");
    ghost_lab::until("the bridge to forward", Duration::from_secs(10), || {
        let _ = ghost_lab::send_frames(&sink, "dv1", std::slice::from_ref(&hello));
        source.counters("dv0").is_ok_and(|c| c.rx_packets > 0)
    })?;
    Ok(Stand { source, switch, sink })
}
