//! A few numbers of this machine, from `/proc` and `/sys`: memory, processors, interface counters.
//!
//! What can't be read is taken as small: these are hints for sizes and notes, never accounts.

use std::fs;

/// What one interface has counted since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) name: String,
    pub(crate) ifindex: u32,
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) tx_packets: u64,
    pub(crate) tx_bytes: u64,
}

/// The host's name, for a log that was given none.
pub(crate) fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_lowercase()
}

/// Bytes of memory.
pub(crate) fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    memory(&text).unwrap_or(1 << 30)
}

fn memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Processors that may ever be there: rings are by processor, whichever we may run on ourselves.
pub(crate) fn cpus() -> u32 {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    last_cpu(&text).map_or(1, |last| last + 1)
}

/// `0-3,5` ends with 5.
fn last_cpu(possible: &str) -> Option<u32> {
    possible.trim().rsplit([',', '-']).next()?.parse().ok()
}

/// Every interface of this thread's network namespace.
pub(crate) fn counted() -> Vec<Counted> {
    let text = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    let indices = rustix::net::netdevice::name_to_index;
    let mut all: Vec<Counted> = text.lines().filter_map(line).collect();
    if let Ok(socket) =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)
    {
        for port in &mut all {
            port.ifindex = indices(&socket, &port.name).unwrap_or(0);
        }
    }
    all
}

/// One line of `/proc/net/dev`.
fn line(line: &str) -> Option<Counted> {
    let (name, numbers) = line.rsplit_once(':')?;
    let numbers: Vec<u64> =
        numbers.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [rx_bytes, rx_packets, .., _] = *numbers.as_slice() else { return None };
    Some(Counted {
        name: name.trim().to_owned(),
        ifindex: 0,
        rx_packets,
        rx_bytes,
        tx_bytes: *numbers.get(8)?,
        tx_packets: *numbers.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_from_the_kernels_table() {
        let text =
            "Inter-|   Receive\n face |bytes\n  veth0: 100 7 0 0 0 0 0 1 200 9 0 0 0 0 0 0\n";
        let all: Vec<Counted> = text.lines().filter_map(line).collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].name.as_str(), all[0].rx_packets, all[0].rx_bytes), ("veth0", 7, 100));
        assert_eq!((all[0].tx_packets, all[0].tx_bytes), (9, 200));
        assert_eq!(memory("MemTotal:  2048 kB\n"), Some(2 << 20));
        assert_eq!((last_cpu("0-3\n"), last_cpu("0"), last_cpu("")), (Some(3), Some(0), None));
    }

    #[test]
    fn this_machine_has_memory_a_processor_and_a_loopback() {
        assert!(memory_bytes() > 1 << 20 && cpus() >= 1);
        let lo = counted().into_iter().find(|c| c.name == "lo");
        assert!(lo.is_some_and(|lo| lo.ifindex == 1));
    }
}
