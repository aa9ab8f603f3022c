//! Flows for tests, made as all flows are: from frames.

use ghost_detect::Detector;
use ghost_event::line::IncidentNote;
use ghost_event::{EndReason, Features, Port, Timestamp};
use ghost_flow::{FlowConfig, FlowTable, FrameAt};
use ghost_wire::LinkType;

use crate::lane::{Judged, Out};

#[derive(Default)]
struct All(Vec<Features>);

impl Out for All {
    fn ended(&mut self, flow: Features) {
        self.0.push(flow);
    }

    fn incident(&mut self, _: IncidentNote<'static>) {}
}

/// A flow of one SYN from each of `ends` (an address and the port it asks for) to 10.0.0.2.
pub(crate) fn flows(ends: &[([u8; 4], u16)]) -> Vec<Features> {
    let mut table = FlowTable::new(FlowConfig::default());
    let detector = Detector::new(ghost_detect::Limits::default());
    let mut sink = Judged { detector, scoring: None, out: All::default() };
    for (from, port) in ends {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        frame.extend([0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0]);
        frame.extend(from);
        frame.extend([10, 0, 0, 2]);
        frame.extend(40_000_u16.to_be_bytes());
        frame.extend(port.to_be_bytes());
        frame.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
        let packet = ghost_wire::parse(LinkType::Ethernet, &frame);
        let at = FrameAt {
            ts: Timestamp(1_000),
            wire_len: 54,
            segments: 1,
            port: Port { bridge: 0, ifindex: 7 },
        };
        table.frame(&at, &packet, &mut sink);
    }
    table.finish(EndReason::Shutdown, &mut sink);
    sink.out.0
}
