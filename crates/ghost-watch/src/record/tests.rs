//! Every form of line, sentence and time, by what real daemons write.

use super::*;

fn lines(text: &str) -> Vec<Record> {
    let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
    let mut lines = Lines::new(now, TimeZone::UTC);
    let mut records: Vec<Record> =
        text.lines().filter_map(|line| lines.push(line.as_bytes())).collect();
    records.extend(lines.finish());
    records
}

fn at(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text)
}

#[test]
fn a_journal_without_years_takes_them_from_its_header() {
    let read = lines(
        "-- Logs begin at Fri 2022-02-04 09:34:04 UTC, end at Thu 2022-02-10 16:19:19 UTC. --\n\
         Feb 04 09:34:04 ubuntu kernel: Linux version 5.4.0-97-generic\n\
         Feb 10 16:09:19 host sshd[24200]: Invalid user webmaster from 173.234.31.186\n",
    );
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].at, at("2022-02-04T09:34:04Z"));
    assert_eq!((read[1].host.as_str(), read[1].program.as_str()), ("host", "sshd"));
    assert_eq!((read[1].pid, read[1].line), (Some(24200), 3));
    assert_eq!(read[1].message, "Invalid user webmaster from 173.234.31.186");
}

#[test]
fn a_line_without_a_year_is_of_the_newest_that_is_not_ahead() {
    let read = lines("Nov 20 11:00:00 h a: x\nDec 10 06:55:46 h a: y\nFeb 29 00:00:00 h a: z\n");
    let years: Vec<_> = read.iter().map(|r| r.at).collect();
    assert_eq!(
        years,
        [at("2026-11-20T11:00:00Z"), at("2025-12-10T06:55:46Z"), at("2024-02-29T00:00:00Z")]
    );
}

#[test]
fn every_form_is_read() {
    let read = lines(concat!(
        "2022-02-10T16:09:19.414Z|00118|bridge|INFO|bridge br-int: added interface ha-5 on port 3\n",
        "2022-02-10 00:00:01.845 1603 INFO neutron.agent [req-24eb - - - - -] Agent loop started\n",
        "2022-06-24T09:50:46.495851+00:00 pool NetworkManager[3870]: <warn>  [1656064246.4958] device (t1): state change: prepare -> failed (reason 'x')\n",
        "<34>1 2003-10-11T22:14:15.003Z mach su 12 ID47 [a@1 b=\"c]\"] 'su root' failed\n",
        "<11>Nov  1 22:14:15 mach su: no\n",
        "{\"__REALTIME_TIMESTAMP\":\"1656064246495851\",\"_HOSTNAME\":\"h\",\"SYSLOG_IDENTIFIER\":\"nginx\",\"_PID\":\"7\",\"PRIORITY\":\"3\",\"_SYSTEMD_UNIT\":\"nginx.service\",\"MESSAGE\":[98,105,110]}\n",
        "Feb 04 10:00:00 h ovs-vsctl[9]: ovs|00001|vsctl|INFO|Called as ovs-vsctl add-br br0\n",
        "signal time=1727072584.961034 sender=:1.5 -> destination=(null destination) serial=38369 path=/org/freedesktop/NetworkManager/Devices/6; interface=org.freedesktop.NetworkManager.Device; member=StateChanged\n",
        "   uint32 110\n   uint32 100\n   uint32 39\n",
    ));
    let brief: Vec<_> =
        read.iter().map(|r| (r.program.as_str(), r.level, r.message.as_str())).collect();
    assert_eq!(
        brief,
        [
            ("bridge", Some(Level::Info), "bridge br-int: added interface ha-5 on port 3"),
            ("neutron.agent", Some(Level::Info), "Agent loop started"),
            (
                "NetworkManager",
                Some(Level::Warning),
                "device (t1): state change: prepare -> failed (reason 'x')"
            ),
            ("su", Some(Level::Critical), "'su root' failed"),
            ("su", Some(Level::Error), "no"),
            ("nginx", Some(Level::Error), "bin"),
            ("ovs-vsctl", Some(Level::Info), "Called as ovs-vsctl add-br br0"),
            (
                "org.freedesktop.NetworkManager.Device",
                None,
                "device (/org/freedesktop/NetworkManager/Devices/6): state change: activated -> deactivating"
            ),
        ]
    );
    assert_eq!(read[2].at, at("2022-06-24T09:50:46.4958Z"));
    assert_eq!(read[7].lines, 4);
}

#[test]
fn a_stack_trace_belongs_to_the_record_before_it_and_is_bounded() {
    let mut text = "Nov 01 00:00:00 h app: failed\n".to_owned();
    for _ in 0..200 {
        text.push_str("    at somewhere in a file with a long name that goes on and on and on\n");
    }
    let read = lines(&text);
    assert!(read[0].message.len() <= MESSAGE_BYTES_MAX);
    assert_eq!(read[0].lines as usize, CONTINUED_LINES_MAX);
    assert_eq!(read.len(), 1 + (200 + 1 - CONTINUED_LINES_MAX).div_ceil(CONTINUED_LINES_MAX));
}

#[test]
fn no_line_panics_and_every_line_is_in_a_record_or_counted() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut lines = Lines::new(Timestamp(0), TimeZone::UTC);
        let mut read = 0;
        for line in bytes.split(|b| *b == b'\n') {
            read += u64::from(lines.push(line).is_some());
        }
        read += u64::from(lines.finish().is_some());
        assert_eq!(lines.counts().records, read);
    });
}

#[test]
fn sentences_name_their_elements() {
    let told = |program: &str, message: &str| {
        let record = Record {
            program: program.to_owned(),
            message: message.to_owned(),
            ..Record::default()
        };
        let told = crate::element::told(&record)?;
        Some(format!("{} {} {}>{}", told.element, told.action, told.before, told.after))
    };
    for (program, message, expected) in [
        (
            "kernel",
            "device br-data entered promiscuous mode",
            "interface:br-data changed false>true",
        ),
        (
            "kernel",
            "br0: port 2(veth1) entered forwarding state",
            "port:br0/veth1 changed >forwarding",
        ),
        (
            "kernel",
            "IPv6: ADDRCONF(NETDEV_CHANGE): ens3: link becomes ready",
            "interface:ens3 up >",
        ),
        ("kernel", "e1000e 0000:00:1f.6 eno1: NIC Link is Down", "interface:eno1 down >"),
        ("systemd", "Failed to start OpenStack Compute.", "unit:OpenStack Compute failed >"),
        (
            "systemd",
            "nginx.service: Failed with result 'exit-code'.",
            "unit:nginx.service failed >Failed with result 'exit-code'",
        ),
        ("systemd-networkd", "br-ens3: Lost carrier", "interface:br-ens3 down >Lost carrier"),
        (
            "NetworkManager",
            "device (t1): state change: prepare -> failed (reason 'x')",
            "interface:t1 failed prepare>failed",
        ),
        (
            "NetworkManager",
            "device (t1): Activation: failed for connection 't1-if'",
            "connection:t1-if failed >",
        ),
        ("bridge", "bridge br-int: deleted interface tap1 on port 4", "port:br-int/tap1 went >"),
        (
            "netdev_linux",
            "failed to set MTU for network device tap1: No such device",
            "interface:tap1 failed >",
        ),
        (
            "ovs-vsctl/vsctl",
            "Called as ovs-vsctl -- --may-exist add-port br-data ens7",
            "port:br-data/ens7 appeared >",
        ),
        (
            "ovs-vsctl/vsctl",
            "Called as ovs-vsctl clear Bridge br-int ipfix",
            "bridge:br-int changed >ipfix",
        ),
    ] {
        assert_eq!(told(program, message).as_deref(), Some(expected), "{message}");
    }
}
