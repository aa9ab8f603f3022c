//! Many flows of a flood, told by the flow table as one: what all of them were part of.
//!
//! There were more of them a second, unanswered, than an operator allows, so that it is a flood
//! unless one source tried many targets (a sweep) or many ports (a port scan). It has that one
//! behaviour and no other; how the flows ended is not told apart.

use ghost_event::{Behaviours, Features, Folded, Proto};

use crate::scan::{self, PORTS, TARGETS};

pub(crate) fn judge(f: &Features, folded: &Folded) -> Behaviours {
    let Proto::Ip(proto) = f.proto else { return Behaviours::FLOOD };
    // What is no attempt of its source is what is left of a flood of somebody else.
    let tries = f.to_server.packets > 0 && scan::attempts(f, proto);
    if f.src_ip.is_none() || !tries {
        Behaviours::FLOOD
    } else if folded.targets >= u64::from(TARGETS) {
        Behaviours::SWEEP
    } else if folded.ports >= u64::from(PORTS) {
        Behaviours::PORT_SCAN
    } else {
        Behaviours::FLOOD
    }
}
