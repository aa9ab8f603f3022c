//! What a flow alone tells, without its neighbours.

use ghost_event::{AppBy, Behaviours, Features, Proto, Subject, TcpState, Zone};

use crate::zone::zone;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP6: u8 = 58;

const HOUR_NS: u64 = 3_600_000_000_000;
/// A flow that was ever this quiet was not open all the time.
const QUIET_US: u64 = 900_000_000;
/// Bytes sent out that make an upload, and how much more than what came back.
const UPLOAD_BYTES: u64 = 1 << 20;
const UPLOAD_RATIO: u64 = 5;
/// Echo packets, and the spread and size of their frames, that make a tunnel. A ping of any size
/// repeats one size.
const ECHOES: u64 = 20;
const ECHO_SPREAD: f64 = 40.0;
const ECHO_BYTES: u64 = 200;

/// What this flow shows by itself.
pub(crate) fn judge(f: &Features) -> Behaviours {
    let mut found = Behaviours::NONE;
    let mut add = |on: bool, what: Behaviours| {
        if on {
            found.insert(what);
        }
    };
    add(f.fragments > 0, Behaviours::FRAGMENTED);
    add(f.malformed > 0, Behaviours::MALFORMED);
    add(f.duration_ns() >= HOUR_NS && f.gaps_us.max < QUIET_US, Behaviours::LONG_LIVED);
    add(unanswered(f), Behaviours::UNANSWERED);
    add(refused(f), Behaviours::REFUSED);
    add(big_upload(f), Behaviours::BIG_UPLOAD);
    add(icmp_tunnel(f), Behaviours::ICMP_TUNNEL);
    add(odd_port(f), Behaviours::ODD_PORT);
    add(f.app == "stratum", Behaviours::MINING);
    add(industrial_write(f), Behaviours::INDUSTRIAL_WRITE);
    found
}

fn unanswered(f: &Features) -> bool {
    let (Some(dst), Proto::Ip(proto)) = (f.dst_ip, f.proto) else { return false };
    let asked = match proto {
        TCP => f.tcp.is_some_and(|tcp| tcp.state == TcpState::SynSent),
        ICMP => matches!(f.icmp, Some((8 | 13, _))),
        ICMP6 => matches!(f.icmp, Some((128, _))),
        UDP => matches!(
            f.app,
            "dns" | "ntp" | "snmp" | "krb5" | "sip" | "radius" | "tftp" | "cldap" | "ike" | "nbns"
        ),
        _ => false,
    };
    // A subnet's broadcast address cannot be told from a host's, but its users can.
    let group = f.app == "nbns" && matches!(dst, std::net::IpAddr::V4(a) if a.octets()[3] == 255);
    let one = !group && !matches!(zone(dst), Zone::Multicast | Zone::Broadcast);
    f.subject == Subject::Flow && asked && one && f.to_client.packets == 0
}

fn refused(f: &Features) -> bool {
    const RST: u8 = 0x04;
    const SYN: u8 = 0x02;
    f.tcp.is_some_and(|tcp| {
        tcp.flags_to_client & (RST | SYN) == RST
            && tcp.flags_to_server & SYN != 0
            && f.to_server.payload_bytes + f.to_client.payload_bytes == 0
    })
}

fn big_upload(f: &Features) -> bool {
    let outside = f.dst_ip.is_some_and(|dst| zone(dst) == Zone::Internet);
    let inside = f.src_ip.is_some_and(|src| zone(src) == Zone::Internal);
    let media = matches!(f.app, "rtp" | "rtcp" | "stun" | "turn" | "zoom" | "teams" | "dtls");
    outside
        && inside
        && !media
        && f.to_server.payload_bytes >= UPLOAD_BYTES
        && f.to_server.payload_bytes >= UPLOAD_RATIO * f.to_client.payload_bytes
}

fn icmp_tunnel(f: &Features) -> bool {
    let echo = match f.proto {
        Proto::Ip(ICMP) => matches!(f.icmp, Some((0 | 8, _))),
        Proto::Ip(ICMP6) => matches!(f.icmp, Some((128 | 129, _))),
        _ => false,
    };
    echo && f.packets() >= ECHOES && f.sizes.max >= ECHO_BYTES && f.sizes.deviation() >= ECHO_SPREAD
}

/// Ports on which an application is at home; an application that is not listed is at home on all.
fn home(app: &str) -> Option<&'static [u16]> {
    Some(match app {
        "ssh" => &[22, 2222, 22222, 830, 2022, 29418],
        "telnet" => &[23, 2323, 107],
        "ftp" => &[21, 2121],
        "smtp" => &[25, 465, 587, 2525],
        "dns" => &[53, 853, 5353, 5355, 137],
        "http" => {
            &[80, 81, 88, 591, 631, 1080, 1900, 2869, 3000, 3128, 5000, 5357, 5985, 7070, 7547]
        }
        "tls" => &[443, 465, 563, 636, 853, 989, 990, 993, 994, 995, 1433, 3128, 3269, 3389, 5061],
        "rdp" => &[3389],
        "smb" => &[139, 445],
        "mysql" => &[3306, 33060],
        "pgsql" => &[5432, 5433, 6432],
        "redis" => &[6379],
        "mongodb" => &[27017, 27018, 27019],
        "irc" => &[194, 6660, 6661, 6662, 6663, 6664, 6665, 6666, 6667, 6668, 6669, 7000],
        "krb5" => &[88],
        "ntp" => &[123],
        "snmp" => &[161, 162],
        _ => return None,
    })
}

fn odd_port(f: &Features) -> bool {
    let port = f.dst_port;
    // Web servers and TLS stand on many high ports without meaning anything by it.
    let usual = match f.app {
        "http" => (8000..=8999).contains(&port) || (9000..=9999).contains(&port),
        "tls" => port >= 1024,
        _ => false,
    };
    let told = f.app_by == AppBy::Signature && f.packets() >= 4 && f.to_client.packets > 0;
    told && !usual && port != 0 && home(f.app).is_some_and(|ports| !ports.contains(&port))
}

/// Commands that change a controller, by the words their dissectors use.
fn industrial_write(f: &Features) -> bool {
    if crate::category::of_app(f.app) != "industrial control" {
        return false;
    }
    f.names.all("ghost.commands").any(|command| {
        let c = command.to_ascii_lowercase();
        ["write", "operate", "control", "stop", "start", "download", "restart", "set_", "command"]
            .iter()
            .any(|word| c.contains(word))
            && !["read", "startdt", "stopdt", "upload"].iter().any(|word| c.contains(word))
    })
}
