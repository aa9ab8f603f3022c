//! What an interface has counted.

/// An interface's own counters, as the kernel's table of devices tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    /// Received and thrown away for want of room or of a taker.
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_dropped: u64,
}

impl Counters {
    /// Reads one line out of /proc/net/dev.
    pub(crate) fn find(table: &str, interface: &str) -> Option<Counters> {
        let numbers = table
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim() == interface)?
            .1;
        let field: Vec<u64> =
            numbers.split_ascii_whitespace().map_while(|n| n.parse().ok()).collect();
        let [
            rx_bytes,
            rx_packets,
            _,
            rx_dropped,
            _,
            _,
            _,
            _,
            tx_bytes,
            tx_packets,
            _,
            tx_dropped,
            ..,
        ] = field[..]
        else {
            return None;
        };
        Some(Counters { rx_bytes, rx_packets, rx_dropped, tx_bytes, tx_packets, tx_dropped })
    }
}

impl std::ops::Sub for Counters {
    type Output = Counters;

    /// What was counted since `before`.
    fn sub(self, before: Counters) -> Counters {
        Counters {
            rx_bytes: self.rx_bytes.saturating_sub(before.rx_bytes),
            rx_packets: self.rx_packets.saturating_sub(before.rx_packets),
            rx_dropped: self.rx_dropped.saturating_sub(before.rx_dropped),
            tx_bytes: self.tx_bytes.saturating_sub(before.tx_bytes),
            tx_packets: self.tx_packets.saturating_sub(before.tx_packets),
            tx_dropped: self.tx_dropped.saturating_sub(before.tx_dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_whole_name() {
        let table = "Inter-|   Receive                                                |  Transmit\n \
                     face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n\
                     eth01: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  \
                     eth0:     100       2    0    3    0     0          0         0      200       4    0    5    0     0       0          0\n";
        let counters = Counters::find(table, "eth0").unwrap();
        assert_eq!(
            counters,
            Counters {
                rx_bytes: 100,
                rx_packets: 2,
                rx_dropped: 3,
                tx_bytes: 200,
                tx_packets: 4,
                tx_dropped: 5
            }
        );
        assert_eq!(Counters::find(table, "eth"), None);
        assert_eq!(Counters::find("eth0: 1 2", "eth0"), None);
    }
}
