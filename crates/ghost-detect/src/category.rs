//! The kind of an application, from a closed list: for texts and filters.
//!
//! A brand's own category comes first; this table speaks where there is no brand, and for
//! applications that are a brand by themselves.

/// Every category there is.
pub const ALL: &[&str] = &[
    "address assignment",
    "advertising",
    "anonymity",
    "app store",
    "artificial intelligence",
    "cdn",
    "certificates",
    "chat",
    "cloud",
    "cloud storage",
    "cryptocurrency",
    "database",
    "developer",
    "device discovery",
    "device maker",
    "directory and login",
    "education",
    "encrypted dns",
    "file sharing",
    "file transfer",
    "finance",
    "gaming",
    "industrial control",
    "internet of things",
    "mail",
    "maps",
    "message queue",
    "messaging",
    "mobile network",
    "music streaming",
    "name lookup",
    "network control",
    "network management",
    "news",
    "overlay network",
    "peer to peer",
    "printing",
    "productivity",
    "remote administration",
    "remote desktop",
    "remote shell",
    "routing",
    "search",
    "security",
    "shopping",
    "smart home",
    "social network",
    "software update",
    "storage",
    "time",
    "video call",
    "video streaming",
    "voice call",
    "vpn",
];

/// The category of an application's short name; "" where it tells nothing of a purpose (`tls`).
#[must_use]
pub fn of_app(app: &str) -> &'static str {
    match app {
        "dns" | "mdns" | "llmnr" | "nbns" => "name lookup",
        "doh" | "dot" | "doq" | "dnscrypt" => "encrypted dns",
        "dhcp" | "dhcpv6" => "address assignment",
        "ssdp" | "wsd" | "slp" | "nbdgm" | "bjnp" | "ubnt-discovery" | "mndp" | "lldp" | "cdp"
        | "dropbox-lan" => "device discovery",
        "ntp" | "ptp" | "time" | "daytime" => "time",
        "smtp" | "smtps" | "imap" | "imaps" | "pop3" | "pop3s" => "mail",
        "pgsql" | "mysql" | "mssql" | "mssql-browser" | "oracle" | "mongodb" | "redis"
        | "cassandra" | "memcached" | "drda" | "elasticsearch" | "clickhouse" | "neo4j"
        | "couchbase" | "influxdb" => "database",
        "rdp" | "rfb" | "teamviewer" | "anydesk" | "citrix" | "x11" | "spice" => "remote desktop",
        "ssh" | "telnet" | "rlogin" | "rsh" => "remote shell",
        "winrm" | "dcerpc" | "adb" | "docker" => "remote administration",
        "smb" | "nfs" | "afp" | "nbss" | "webdav" => "file sharing",
        "ftp" | "ftp-data" | "ftps" | "tftp" | "rsync" => "file transfer",
        "iscsi" | "nbd" | "ceph" | "drbd" | "aoe" | "fcoe" => "storage",
        "git" | "svn" => "developer",
        "lpd" | "ipp" | "jetdirect" => "printing",
        "ldap" | "ldaps" | "cldap" | "krb5" | "kpasswd" | "radius" | "radsec" | "tacacs"
        | "diameter" | "eapol" => "directory and login",
        "wireguard" | "openvpn" | "ike" | "esp" | "ah" | "pptp" | "l2tp" | "sstp" | "tailscale"
        | "anyconnect" | "cloudflare-warp" | "zerotier" => "vpn",
        "tor" | "socks" => "anonymity",
        "gre" | "ipip" | "6in4" | "4in6" | "vxlan" | "geneve" | "teredo" | "etherip" => {
            "overlay network"
        }
        "gtp" | "gtp-c" | "gtp-prime" | "pfcp" | "m3ua" | "m2pa" | "sua" | "s1ap" | "ngap"
        | "x2ap" => "mobile network",
        "bittorrent" | "bittorrent-dht" | "edonkey" | "gnutella" | "ipfs" => "peer to peer",
        "bitcoin" | "ethereum" | "stratum" | "monero" => "cryptocurrency",
        "modbus" | "dnp3" | "s7comm" | "cotp" | "mms" | "enip" | "iec104" | "bacnet" | "knx"
        | "profinet" | "opcua" | "fins" | "hart-ip" | "ams-ads" | "niagara-fox" | "codesys"
        | "goose" | "sv" | "ethercat" | "powerlink" => "industrial control",
        "mqtt" | "mqtts" | "mqtt-sn" | "coap" | "coaps" | "nest-log-sink" => "internet of things",
        "amqp" | "amqps" | "kafka" | "nats" | "stomp" | "openwire" | "zmtp" => "message queue",
        "xmpp" | "xmpps" | "irc" | "ircs" => "chat",
        "whatsapp" | "telegram" | "discord" | "signal" => "messaging",
        "sip" | "sips" | "rtp" | "rtcp" | "h225" | "h245" | "iax2" | "megaco" | "mgcp"
        | "skinny" | "t38" | "teamspeak" | "mumble" => "voice call",
        "zoom" | "teams" | "turn" => "video call",
        "rtsp" | "rtmp" | "mpeg-ts" | "srt" => "video streaming",
        "spotify" => "music streaming",
        "geforcenow" | "steam" | "source-engine" | "minecraft" => "gaming",
        "snmp" | "snmptrap" | "syslog" | "syslog-tls" | "netflow" | "ipfix" | "sflow"
        | "zabbix" | "check_mk" | "munin" | "nrpe" | "collectd" | "statsd" | "graphite"
        | "gelf" | "ipmi" => "network management",
        "openflow" | "ovsdb" | "capwap" | "lwapp" | "stp" | "lacp" | "vtp" | "dtp" | "udld"
        | "pagp" => "network control",
        "bgp" | "ospf" | "eigrp" | "rip" | "ripng" | "isis" | "ldp" | "rsvp" | "bfd" | "vrrp"
        | "hsrp" | "glbp" | "pim" | "igmp" | "olsr" | "babel" => "routing",
        _ => "",
    }
}

/// The brand that an application is by itself.
#[must_use]
pub fn brand_of_app(app: &str) -> &'static str {
    match app {
        "zoom" => "Zoom",
        "teams" => "Microsoft Teams",
        "whatsapp" => "WhatsApp",
        "telegram" => "Telegram",
        "discord" => "Discord",
        "signal" => "Signal",
        "spotify" => "Spotify",
        "geforcenow" => "GeForce NOW",
        "steam" => "Steam",
        "minecraft" => "Minecraft",
        "teamviewer" => "TeamViewer",
        "anydesk" => "AnyDesk",
        "citrix" => "Citrix",
        "tailscale" => "Tailscale",
        "zerotier" => "ZeroTier",
        "cloudflare-warp" => "Cloudflare WARP",
        "dropbox-lan" => "Dropbox",
        "nest-log-sink" => "Nest",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_that_is_a_brand_is_in_the_table_of_brands() {
        for app in ["zoom", "teams", "whatsapp", "telegram", "spotify", "dropbox-lan", "citrix"] {
            assert!(crate::brand::named(brand_of_app(app)).is_some(), "{app}");
        }
        assert_eq!(brand_of_app("http"), "");
    }

    #[test]
    fn categories_of_applications_are_in_the_closed_list() {
        for app in ["dns", "ssh", "modbus", "gtp", "ospf", "krb5", "doh", "irc", "stratum", "rtp"] {
            assert!(ALL.contains(&of_app(app)), "{app}");
        }
        assert_eq!(of_app("tls"), "");
        assert!(ALL.is_sorted());
    }
}
