//! What operators say, and what they mean by it.
//!
//! An entry is a list of sayings and what they ask for, in the filter language. A saying of several
//! words must stand together; words joined by `+` may stand anywhere in the question. Words are
//! compared by their stems. Longer sayings go before shorter ones, and a word that was taken by a
//! longer one is not taken again, so that `sql server` is not also `sql`.
//!
//! The sayings stand in `lexicon.txt`, a line each: `saying|saying => what they ask for`.
//!
//! **Invariant:** every entry parses (a test says so); nothing here is a sentence of a test set.

use std::sync::LazyLock;

/// Sayings, separated by `|`; what they prefer (`key:value`), avoid (`-key:value`), with a weight
/// behind `^` where it is not the key's own.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) say: &'static str,
    pub(crate) want: &'static str,
}

pub(crate) static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let lines = include_str!("lexicon.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|l| l.split_once(" => ")).map(|(say, want)| Entry { say, want }).collect()
});

/// Words that say nothing about which traffic is meant.
pub(crate) static STOP_WORDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("stop_words.txt").split_whitespace().collect());

/// Other names of an application, as people type them in `app:`.
pub(crate) const APP_ALIASES: &[(&str, &str)] = &[
    ("postgres", "pgsql"),
    ("postgresql", "pgsql"),
    ("vnc", "rfb"),
    ("kerberos", "krb5"),
    ("ssl", "tls"),
    ("https", "tls"),
    ("h3", "quic"),
    ("http3", "quic"),
    ("isakmp", "ike"),
    ("ipsec", "ike,esp,ah"),
    ("wg", "wireguard"),
    ("mongo", "mongodb"),
    ("memcache", "memcached"),
    ("cifs", "smb"),
    ("samba", "smb"),
    ("netbios", "nbns,nbdgm,nbss"),
    ("torrent", "bittorrent,bittorrent-dht"),
    ("s7", "s7comm"),
    ("ethernetip", "enip"),
    ("cip", "enip"),
    ("ping", "icmp,icmpv6"),
    ("ibm-db2", "drda"),
    ("db2", "drda"),
    ("h323", "h225,h245"),
    ("iax", "iax2"),
    ("jabber", "xmpp,xmpps"),
    ("rabbitmq", "amqp,amqps"),
    ("tds", "mssql"),
    ("pop", "pop3,pop3s"),
    ("mail", "smtp,smtps,imap,imaps,pop3,pop3s"),
    ("upnp", "ssdp"),
    ("bonjour", "mdns"),
    ("isis", "isis"),
    ("checkmk", "check_mk"),
    ("zmq", "zmtp"),
    ("zeromq", "zmtp"),
    ("dce_rpc", "dcerpc"),
    ("dhcp6", "dhcpv6"),
];

/// What usually answers at a port; where it differs, by the transport in front.
const USUAL_PORTS: &[(&str, &str)] = &[
    ("21", "ftp"),
    ("22", "ssh"),
    ("23", "telnet"),
    ("25", "smtp"),
    ("53", "dns"),
    ("67", "dhcp"),
    ("68", "dhcp"),
    ("69", "tftp"),
    ("80", "http"),
    ("88", "krb5"),
    ("102", "s7comm,mms"),
    ("110", "pop3"),
    ("123", "ntp"),
    ("135", "dcerpc"),
    ("137", "nbns"),
    ("139", "nbss,smb"),
    ("143", "imap"),
    ("161", "snmp"),
    ("162", "snmptrap"),
    ("179", "bgp"),
    ("389", "ldap,cldap"),
    ("udp 443", "quic"),
    ("tcp 443", "tls"),
    ("443", "tls,quic"),
    ("445", "smb"),
    ("465", "smtps"),
    ("500", "ike"),
    ("502", "modbus"),
    ("514", "syslog"),
    ("554", "rtsp"),
    ("587", "smtp"),
    ("636", "ldaps"),
    ("853", "dot,doq"),
    ("993", "imaps"),
    ("995", "pop3s"),
    ("1194", "openvpn"),
    ("1433", "mssql"),
    ("1521", "oracle"),
    ("1883", "mqtt"),
    ("1900", "ssdp"),
    ("2049", "nfs"),
    ("3306", "mysql"),
    ("3389", "rdp"),
    ("3478", "stun,turn"),
    ("5060", "sip"),
    ("5222", "xmpp"),
    ("5353", "mdns"),
    ("5355", "llmnr"),
    ("5432", "pgsql"),
    ("5672", "amqp"),
    ("5683", "coap"),
    ("5900", "rfb"),
    ("6379", "redis"),
    ("8080", "http"),
    ("8883", "mqtts"),
    ("9092", "kafka"),
    ("9100", "jetdirect"),
    ("11211", "memcached"),
    ("20000", "dnp3"),
    ("27017", "mongodb"),
    ("44818", "enip"),
    ("47808", "bacnet"),
    ("51820", "wireguard"),
];

/// The applications whose usual port is `port`.
pub(crate) fn usual_apps(port: &str, transport: &str) -> Option<&'static str> {
    let of = |name: &str| USUAL_PORTS.iter().find(|(p, _)| *p == name).map(|(_, apps)| *apps);
    of(&format!("{transport} {port}")).or_else(|| of(port))
}

/// Groups of behaviours, as people type them in `behaviour:`.
pub(crate) const BEHAVIOUR_ALIASES: &[(&str, &str)] = &[
    ("scan", "port_scan,stealth_scan,sweep,arp_scan,web_scan"),
    ("dos", "flood,amplification"),
    ("ddos", "flood,amplification"),
    ("tunnel", "dns_tunnel,icmp_tunnel,reverse_shell"),
    ("c2", "command_and_control"),
    ("spoofing", "arp_spoofing,rogue_dhcp,rogue_router,dns_spoofing"),
    ("dga", "generated_names"),
    ("bruteforce", "brute_force"),
    ("sqli", "sql_injection"),
    ("xss", "cross_site_scripting"),
    ("rce", "remote_code"),
    ("lateral", "lateral_movement"),
    ("exfiltration", "big_upload,dns_tunnel,icmp_tunnel"),
    (
        "attack",
        "port_scan,stealth_scan,sweep,arp_scan,brute_force,flood,amplification,dns_tunnel,unusual_dns,icmp_tunnel,sql_injection,cross_site_scripting,remote_code,path_traversal,web_scan,program_download,lateral_movement,credential_theft,reverse_shell,command_and_control,mining,arp_spoofing,rogue_dhcp,rogue_router,dns_spoofing,generated_names",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_lexicon_is_an_entry_or_says_that_it_is_none() {
        let text = include_str!("lexicon.txt");
        let lines = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).count();
        assert_eq!(ENTRIES.len(), lines);
        assert!(lines > 300);
    }
}
