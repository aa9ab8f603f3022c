//! The switch as it was last known, which stands in while its database says nothing.
//!
//! A database that is restarted is silent for a moment, while bridges and ports are what they were
//! (and the kernel's datapath forwards on): nothing is to be detached for that. After [`SILENCE_NS`] it is taken for gone.

use crate::{Inventory, Ovs};

/// How long a silent switch is taken for the one it was: a restart takes a few seconds.
const SILENCE_NS: u64 = 10_000_000_000;

/// What Open vSwitch said last.
#[derive(Debug, Default)]
pub struct LastSwitch {
    known: Option<Ovs>,
    silent_since_ns: Option<u64>,
}

impl LastSwitch {
    /// Remembers the switch of an inventory; where there is none, puts in the one that was there a
    /// moment ago, with those of its interfaces that are there still. `now_ns` is monotonic. The
    /// answer is when to take stock again, if the switch was put in.
    pub fn stand_in(&mut self, inventory: &mut Inventory, now_ns: u64) -> Option<u64> {
        if inventory.ovs.is_some() {
            self.known.clone_from(&inventory.ovs);
            self.silent_since_ns = None;
            return None;
        }
        let mut known = self.known.take()?;
        let until = self.silent_since_ns.get_or_insert(now_ns).saturating_add(SILENCE_NS);
        if now_ns >= until {
            return None;
        }
        self.known = Some(known.clone());
        known.find_interfaces(&inventory.links);
        inventory.ovs = Some(known);
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::Host;

    fn silent(host: Host) -> Inventory {
        Inventory { ovs: None, ..host.inventory }
    }

    #[test]
    fn a_silent_switch_is_the_one_it_was_until_the_silence_is_long() {
        let host = || Host::new().ovs("ovs0", &["p0", "p1"]);
        let mut last = LastSwitch::default();
        let mut inventory = host().inventory;
        assert_eq!(last.stand_in(&mut inventory, 5), None);
        for (now, until) in [(10, SILENCE_NS + 10), (SILENCE_NS + 9, SILENCE_NS + 10)] {
            let mut silent = silent(host());
            assert_eq!(last.stand_in(&mut silent, now), Some(until));
            assert_eq!(silent.ovs, inventory.ovs);
        }
        let mut gone = silent(host());
        assert_eq!(last.stand_in(&mut gone, SILENCE_NS + 10), None);
        assert_eq!(gone.ovs, None);
        // It does not come back by itself.
        assert_eq!(last.stand_in(&mut gone, SILENCE_NS + 11), None);
        assert_eq!(gone.ovs, None);
    }

    #[test]
    fn a_switch_that_speaks_again_may_be_silent_again_as_long() {
        let host = || Host::new().ovs("ovs0", &["p0"]);
        let mut last = LastSwitch::default();
        last.stand_in(&mut host().inventory, 0);
        last.stand_in(&mut silent(host()), SILENCE_NS - 1);
        last.stand_in(&mut host().inventory, SILENCE_NS);
        let again = last.stand_in(&mut silent(host()), SILENCE_NS + 5);
        assert_eq!(again, Some(2 * SILENCE_NS + 5));
    }

    #[test]
    fn an_interface_that_went_with_the_silence_is_not_put_in() {
        let mut last = LastSwitch::default();
        last.stand_in(&mut Host::new().ovs("ovs0", &["p0"]).inventory, 0);
        let mut bare = silent(Host::new());
        assert!(last.stand_in(&mut bare, 1).is_some());
        let ports = bare.ovs.iter().flat_map(|ovs| &ovs.bridges).flat_map(|bridge| &bridge.ports);
        assert!(ports.clone().count() > 0 && ports.clone().all(|port| port.ifindex.is_none()));
    }

    #[test]
    fn where_there_never_was_a_switch_none_is_put_in() {
        let mut inventory = Host::new().nic("eth0").inventory;
        assert_eq!(LastSwitch::default().stand_in(&mut inventory, 1), None);
        assert_eq!(inventory.ovs, None);
    }
}
