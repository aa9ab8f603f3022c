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

/// Groups of behaviours, as people type them in `behaviour:`.
pub(crate) const BEHAVIOUR_ALIASES: &[(&str, &str)] = &[
    ("scan", "port_scan,stealth_scan,sweep,arp_scan,web_scan"),
    ("dos", "flood,amplification"),
    ("ddos", "flood,amplification"),
    ("tunnel", "dns_tunnel,icmp_tunnel,reverse_shell"),
    ("c2", "command_and_control"),
    ("bruteforce", "brute_force"),
    ("sqli", "sql_injection"),
    ("xss", "cross_site_scripting"),
    ("rce", "remote_code"),
    ("lateral", "lateral_movement"),
    ("exfiltration", "big_upload,dns_tunnel,icmp_tunnel"),
    (
        "attack",
        "port_scan,stealth_scan,sweep,arp_scan,brute_force,flood,amplification,dns_tunnel,unusual_dns,icmp_tunnel,sql_injection,cross_site_scripting,remote_code,path_traversal,web_scan,program_download,lateral_movement,credential_theft,reverse_shell,command_and_control,mining",
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
