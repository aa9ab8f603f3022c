//! The table of applications: what traffic may be called, in one closed list.
//!
//! Each entry has a short name that stands in events and filters (`ssh`, `modbus`; Suricata's or
//! Zeek's word where they have one), a title in a person's words, and its registered ports. A port
//! is a guess and nothing more: the dissector takes it only where no signature spoke.
//!
//! Not promised: brands. "Netflix over TLS" is `tls` here; who it is, is told by its names later.

macro_rules! apps {
    ($($id:ident $name:literal $title:literal [$($tcp:literal)*] [$($udp:literal)*];)*) => {
        /// One application or protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(u16)]
        pub enum App {
            /// Not told.
            #[default]
            Unknown,
            $(#[doc = $title] $id,)*
        }

        impl App {
            /// Every application that has a name, in the order of the table.
            pub const ALL: &'static [App] = &[$(App::$id,)*];

            /// The short name that stands in events and filters; "" for [`App::Unknown`].
            #[must_use]
            pub fn name(self) -> &'static str {
                const NAMES: &[&str] = &["", $($name,)*];
                NAMES[self as usize]
            }

            /// The name in a person's words; "" for [`App::Unknown`].
            #[must_use]
            pub fn title(self) -> &'static str {
                const TITLES: &[&str] = &["", $($title,)*];
                TITLES[self as usize]
            }

            /// Its registered TCP ports.
            #[must_use]
            pub fn tcp_ports(self) -> &'static [u16] {
                const PORTS: &[&[u16]] = &[&[], $(&[$($tcp,)*],)*];
                PORTS[self as usize]
            }

            /// Its registered UDP ports.
            #[must_use]
            pub fn udp_ports(self) -> &'static [u16] {
                const PORTS: &[&[u16]] = &[&[], $(&[$($udp,)*],)*];
                PORTS[self as usize]
            }
        }

        const TCP_ENTRIES: &[(u16, App)] = &[$($(($tcp, App::$id),)*)*];
        const UDP_ENTRIES: &[(u16, App)] = &[$($(($udp, App::$id),)*)*];
    };
}

apps! {
    // Names and the web.
    Dns "dns" "domain name lookups" [53] [53];
    Mdns "mdns" "multicast name announcements" [] [5353];
    Llmnr "llmnr" "link-local name lookups" [5355] [5355];
    Nbns "nbns" "NetBIOS name service" [] [137];
    Nbdgm "nbdgm" "NetBIOS datagrams and browser announcements" [] [138];
    Nbss "nbss" "NetBIOS session" [139] [];
    Doh "doh" "encrypted DNS over HTTPS" [] [];
    Dot "dot" "encrypted DNS over TLS" [853] [];
    Doq "doq" "encrypted DNS over QUIC" [] [853];
    Dnscrypt "dnscrypt" "encrypted DNS by DNSCrypt" [] [];
    Tls "tls" "TLS encrypted connection" [443] [];
    Dtls "dtls" "DTLS encrypted datagrams" [] [];
    Quic "quic" "QUIC encrypted web traffic (HTTP/3)" [] [443];
    Http "http" "web browsing over plain HTTP" [80 8000 8008 8080 8888] [];
    Http2 "http2" "HTTP/2 without encryption" [] [];
    Websocket "websocket" "WebSocket" [] [];
    Webdav "webdav" "WebDAV file access over HTTP" [] [];
    Ocsp "ocsp" "certificate status check" [] [];
    Ssh "ssh" "SSH remote shell" [22] [];
    Dhcp "dhcp" "DHCP address assignment" [] [67 68];
    Dhcpv6 "dhcpv6" "DHCPv6 address assignment" [] [546 547];
    Ssdp "ssdp" "UPnP device discovery" [] [1900];
    Wsd "wsd" "Web Services device discovery" [5357] [3702];
    Natpmp "nat-pmp" "port mapping at the gateway" [] [5350 5351];
    Slp "slp" "service location" [427] [427];
    Wol "wol" "Wake-on-LAN" [] [];
    // Time.
    Ntp "ntp" "NTP time synchronisation" [] [123];
    Ptp "ptp" "PTP precision time synchronisation" [] [319 320];
    // Mail and news.
    Smtp "smtp" "SMTP sending e-mail" [25 587 2525] [];
    Smtps "smtps" "SMTP sending e-mail over TLS" [465] [];
    Imap "imap" "IMAP mailbox reading" [143] [];
    Imaps "imaps" "IMAP mailbox reading over TLS" [993] [];
    Pop3 "pop3" "POP3 mailbox reading" [110] [];
    Pop3s "pop3s" "POP3 mailbox reading over TLS" [995] [];
    Nntp "nntp" "NNTP Usenet news" [119] [];
    Nntps "nntps" "NNTP Usenet news over TLS" [563] [];
    // Databases.
    Pgsql "pgsql" "PostgreSQL database" [5432] [];
    Mysql "mysql" "MySQL database" [3306] [];
    Mssql "mssql" "Microsoft SQL Server database" [1433] [];
    Ssrp "mssql-browser" "Microsoft SQL Server browser" [] [1434];
    Oracle "oracle" "Oracle database (TNS)" [1521] [];
    Mongodb "mongodb" "MongoDB database" [27017 27018 27019] [];
    Redis "redis" "Redis cache" [6379] [];
    Cassandra "cassandra" "Cassandra database (CQL)" [9042] [];
    Memcached "memcached" "memcached cache" [11211] [11211];
    Drda "drda" "DB2 database (DRDA)" [50000] [];
    Elasticsearch "elasticsearch" "Elasticsearch search cluster" [9200 9300] [];
    Clickhouse "clickhouse" "ClickHouse database" [] [];
    Neo4j "neo4j" "Neo4j graph database (Bolt)" [7687] [];
    Zookeeper "zookeeper" "ZooKeeper coordination" [2181] [];
    Couchbase "couchbase" "Couchbase database" [11210] [];
    Influxdb "influxdb" "InfluxDB time series database" [8086] [];
    // Remote desktop and shells.
    Rdp "rdp" "RDP remote desktop" [3389] [3389];
    Vnc "rfb" "VNC remote desktop" [5900 5901 5902 5903] [];
    Teamviewer "teamviewer" "TeamViewer remote desktop" [5938] [5938];
    Anydesk "anydesk" "AnyDesk remote desktop" [6568] [];
    Citrix "citrix" "Citrix remote desktop" [1494 2598] [];
    X11 "x11" "X11 remote display" [6000 6001 6002 6003] [];
    Spice "spice" "SPICE remote desktop" [] [];
    Telnet "telnet" "telnet remote shell in clear text" [23] [];
    Rlogin "rlogin" "rlogin remote shell in clear text" [513] [];
    Rsh "rsh" "rsh remote command in clear text" [514] [];
    Winrm "winrm" "Windows remote management" [5985 5986] [];
    // Files.
    Smb "smb" "SMB Windows file sharing" [445] [];
    Nfs "nfs" "NFS network file system" [2049] [2049];
    Afp "afp" "AFP Apple file sharing" [548] [];
    Ftp "ftp" "FTP file transfer control" [21] [];
    FtpData "ftp-data" "FTP file transfer data" [20] [];
    Ftps "ftps" "FTP file transfer over TLS" [990] [];
    Tftp "tftp" "TFTP file transfer" [] [69];
    Rsync "rsync" "rsync file synchronisation" [873] [];
    Git "git" "git version control" [9418] [];
    Svn "svn" "Subversion version control" [3690] [];
    Iscsi "iscsi" "iSCSI block storage" [860 3260] [];
    Nbd "nbd" "NBD block storage" [10809] [];
    Ceph "ceph" "Ceph storage cluster" [3300 6789] [];
    Drbd "drbd" "DRBD replicated storage" [] [];
    Lpd "lpd" "LPD printing" [515] [];
    Ipp "ipp" "IPP network printing" [631] [];
    Jetdirect "jetdirect" "raw network printing" [9100] [];
    // Directory, identity, remote procedures.
    Ldap "ldap" "LDAP directory" [389 3268] [];
    Ldaps "ldaps" "LDAP directory over TLS" [636 3269] [];
    Cldap "cldap" "connectionless LDAP directory" [] [389];
    Krb5 "krb5" "Kerberos authentication" [88] [88];
    Kpasswd "kpasswd" "Kerberos password change" [464] [464];
    Radius "radius" "RADIUS authentication" [] [1645 1646 1812 1813];
    Radsec "radsec" "RADIUS authentication over TLS" [2083] [];
    Tacacs "tacacs" "TACACS+ authentication" [49] [];
    Diameter "diameter" "Diameter authentication" [3868] [];
    Dcerpc "dcerpc" "Windows remote procedure calls (DCE/RPC)" [135 593] [];
    Rpcbind "rpcbind" "Sun RPC port mapper" [111] [111];
    Sunrpc "sunrpc" "Sun RPC" [] [];
    // VPN and tunnels.
    Wireguard "wireguard" "WireGuard VPN tunnel" [] [51820];
    Openvpn "openvpn" "OpenVPN tunnel" [1194] [1194];
    Ike "ike" "IPsec key exchange (IKE)" [] [500 4500];
    Esp "esp" "IPsec encrypted payload (ESP)" [] [];
    Ah "ah" "IPsec authentication header (AH)" [] [];
    Pptp "pptp" "PPTP VPN control" [1723] [];
    L2tp "l2tp" "L2TP VPN tunnel" [] [1701];
    Sstp "sstp" "SSTP VPN tunnel" [] [];
    Tailscale "tailscale" "Tailscale VPN" [] [41641];
    Anyconnect "anyconnect" "Cisco AnyConnect VPN" [] [];
    Warp "cloudflare-warp" "Cloudflare WARP VPN" [] [];
    Zerotier "zerotier" "ZeroTier VPN" [] [9993];
    Tor "tor" "Tor anonymity network" [] [];
    Socks "socks" "SOCKS proxy" [1080] [];
    HttpProxy "http-proxy" "HTTP proxy tunnel" [3128] [];
    Gre "gre" "GRE tunnel" [] [];
    Ipip "ipip" "IP in IP tunnel" [] [];
    SixInFour "6in4" "IPv6 in IPv4 tunnel" [] [];
    Vxlan "vxlan" "VXLAN overlay network" [] [4789 8472];
    Geneve "geneve" "Geneve overlay network" [] [6081];
    GtpU "gtp" "GTP mobile user plane tunnel" [] [2152];
    GtpC "gtp-c" "GTP mobile control plane" [] [2123];
    GtpPrime "gtp-prime" "GTP' mobile charging" [] [3386];
    Pfcp "pfcp" "PFCP mobile session control" [] [8805];
    Teredo "teredo" "Teredo IPv6 tunnel" [] [3544];
    Etherip "etherip" "EtherIP tunnel" [] [];
    // Peer to peer and coins.
    Bittorrent "bittorrent" "BitTorrent download" [6881 6882 6883 6884 6885 6886 6887 6888 6889] [];
    BtDht "bittorrent-dht" "BitTorrent distributed hash table" [] [6881];
    Edonkey "edonkey" "eDonkey file sharing" [4662] [4672];
    Gnutella "gnutella" "Gnutella file sharing" [6346] [6346];
    Ipfs "ipfs" "IPFS peers" [4001] [];
    Bitcoin "bitcoin" "Bitcoin blockchain peers" [8333 18333] [];
    Ethereum "ethereum" "Ethereum blockchain peers" [30303] [30303];
    Stratum "stratum" "crypto currency mining (Stratum)" [] [];
    Monero "monero" "Monero blockchain peers" [18080] [];
    // Industrial control.
    Modbus "modbus" "Modbus industrial control" [502] [];
    Dnp3 "dnp3" "DNP3 industrial control" [20000] [20000];
    S7comm "s7comm" "Siemens S7 industrial control" [] [];
    Cotp "cotp" "ISO transport over TCP" [102] [];
    Mms "mms" "IEC 61850 MMS substation control" [] [];
    Enip "enip" "EtherNet/IP and CIP industrial control" [44818] [2222 44818];
    Iec104 "iec104" "IEC 60870-5-104 telecontrol" [2404] [];
    Bacnet "bacnet" "BACnet building control" [] [47808];
    Knx "knx" "KNXnet/IP building control" [3671] [3671];
    Profinet "profinet" "PROFINET industrial control" [34962 34963 34964] [34962 34963 34964];
    Opcua "opcua" "OPC UA industrial data" [4840] [];
    Fins "fins" "Omron FINS industrial control" [9600] [9600];
    Hartip "hart-ip" "HART-IP process instruments" [5094] [5094];
    Ads "ams-ads" "Beckhoff ADS industrial control" [48898] [48899];
    Fox "niagara-fox" "Niagara Fox building control" [1911] [];
    Codesys "codesys" "CODESYS controller programming" [] [];
    Goose "goose" "IEC 61850 GOOSE substation events" [] [];
    SampledValues "sv" "IEC 61850 sampled values" [] [];
    Ethercat "ethercat" "EtherCAT industrial control" [34980] [34980];
    Powerlink "powerlink" "Ethernet Powerlink industrial control" [] [];
    Fix "fix" "FIX financial trading" [] [];
    // Things and message buses.
    Mqtt "mqtt" "MQTT messages of sensors and things" [1883] [];
    Mqtts "mqtts" "MQTT messages over TLS" [8883] [];
    MqttSn "mqtt-sn" "MQTT for sensor networks" [] [];
    Coap "coap" "CoAP messages of sensors and things" [] [5683];
    Coaps "coaps" "CoAP messages over DTLS" [] [5684];
    Amqp "amqp" "AMQP message queue" [5672] [];
    Amqps "amqps" "AMQP message queue over TLS" [5671] [];
    Kafka "kafka" "Kafka message queue" [9092] [];
    Nats "nats" "NATS message queue" [4222] [];
    Stomp "stomp" "STOMP message queue" [61613] [];
    Openwire "openwire" "ActiveMQ OpenWire message queue" [61616] [];
    Zmq "zmtp" "ZeroMQ messages" [] [];
    Xmpp "xmpp" "XMPP (Jabber) chat" [5222 5269] [];
    Xmpps "xmpps" "XMPP (Jabber) chat over TLS" [5223] [];
    Irc "irc" "IRC chat" [6660 6661 6662 6663 6664 6665 6666 6667 6668 6669] [];
    Ircs "ircs" "IRC chat over TLS" [6697] [];
    Someip "someip" "SOME/IP automotive services" [] [30490];
    Rtps "rtps" "DDS real-time publish and subscribe" [] [7400];
    Doip "doip" "diagnostics over IP for vehicles" [13400] [13400];
    // Voice, video, conferences, streams.
    Sip "sip" "SIP voice call signalling" [5060] [5060];
    Sips "sips" "SIP voice call signalling over TLS" [5061] [];
    Rtp "rtp" "RTP voice or video media" [] [];
    Rtcp "rtcp" "RTCP media control" [] [];
    Stun "stun" "STUN address discovery for calls" [3478] [3478];
    Turn "turn" "TURN relay for calls" [] [];
    H225 "h225" "H.323 call signalling" [1720] [1719];
    H245 "h245" "H.245 call control" [] [];
    Iax2 "iax2" "IAX2 voice calls" [] [4569];
    Megaco "megaco" "MEGACO voice gateway control" [2944] [2944 2945];
    Mgcp "mgcp" "MGCP voice gateway control" [] [2427 2727];
    Skinny "skinny" "Cisco phone control (SCCP)" [2000] [];
    T38 "t38" "T.38 fax over IP" [] [];
    Rtsp "rtsp" "RTSP live video stream control" [554 8554] [];
    Rtmp "rtmp" "RTMP live video stream" [1935] [];
    MpegTs "mpeg-ts" "MPEG transport stream video" [] [];
    Srt "srt" "SRT live video transport" [] [];
    Zoom "zoom" "Zoom video conference" [] [];
    Teams "teams" "Microsoft Teams or Skype call" [] [];
    Whatsapp "whatsapp" "WhatsApp messaging" [] [];
    Telegram "telegram" "Telegram messaging" [] [];
    Discord "discord" "Discord voice chat" [] [];
    Signal "signal" "Signal messaging" [] [];
    Geforcenow "geforcenow" "GeForce NOW cloud gaming" [] [];
    Spotify "spotify" "Spotify music streaming" [4070] [57621];
    Teamspeak "teamspeak" "TeamSpeak voice chat" [] [9987];
    Mumble "mumble" "Mumble voice chat" [64738] [];
    Steam "steam" "Steam gaming" [27036] [27036];
    SourceGame "source-engine" "Source engine game" [] [27015];
    Minecraft "minecraft" "Minecraft game" [25565] [];
    // Management.
    Snmp "snmp" "SNMP device monitoring" [] [161];
    SnmpTrap "snmptrap" "SNMP device alarms" [] [162];
    Syslog "syslog" "syslog messages" [] [514];
    SyslogTls "syslog-tls" "syslog messages over TLS" [6514] [];
    Netflow "netflow" "NetFlow network monitoring export" [] [2055 9995 9996];
    Ipfix "ipfix" "IPFIX network monitoring export" [4739] [4739];
    Sflow "sflow" "sFlow network monitoring export" [] [6343];
    Zabbix "zabbix" "Zabbix monitoring" [10050 10051] [];
    Checkmk "check_mk" "Checkmk monitoring" [6556] [];
    Munin "munin" "Munin monitoring" [4949] [];
    Nrpe "nrpe" "Nagios remote checks" [5666] [];
    Collectd "collectd" "collectd monitoring" [] [25826];
    Statsd "statsd" "statsd metrics" [] [8125];
    Graphite "graphite" "Graphite metrics" [2003] [];
    Gelf "gelf" "GELF log messages" [] [12201];
    Ipmi "ipmi" "IPMI server management" [] [623 664];
    Openflow "openflow" "OpenFlow switch control" [6633 6653] [];
    Ovsdb "ovsdb" "OVSDB switch database" [6640] [];
    Capwap "capwap" "CAPWAP wireless access point control" [] [5246 5247];
    Lwapp "lwapp" "LWAPP wireless access point control" [] [12222 12223];
    Lldp "lldp" "LLDP neighbour discovery" [] [];
    Cdp "cdp" "Cisco neighbour discovery (CDP)" [] [];
    Mndp "mndp" "MikroTik neighbour discovery" [] [5678];
    Ubnt "ubnt-discovery" "Ubiquiti device discovery" [] [10001];
    Ajp "ajp13" "AJP web application server" [8009] [];
    Fastcgi "fastcgi" "FastCGI web application" [] [];
    Dropbox "dropbox-lan" "Dropbox LAN synchronisation" [17500] [17500];
    NestLogSink "nest-log-sink" "Nest device logs" [11095] [];
    Bjnp "bjnp" "Canon printer discovery" [] [8611 8612 8613];
    Tzsp "tzsp" "TZSP packet mirror" [] [37008];
    Wccp "wccp" "WCCP web cache control" [] [2048];
    Echo "echo" "echo test service" [7] [7];
    Discard "discard" "discard test service" [9] [];
    Chargen "chargen" "character generator test service" [19] [19];
    Daytime "daytime" "daytime text" [13] [13];
    Qotd "qotd" "quote of the day" [17] [17];
    Time "time" "time protocol" [37] [37];
    Finger "finger" "finger user lookup" [79] [];
    Whois "whois" "whois registry lookup" [43] [];
    Gopher "gopher" "gopher menus" [70] [];
    Ident "ident" "ident user lookup" [113] [];
    Adb "adb" "Android debugging" [5555] [];
    Jdwp "jdwp" "Java debugging" [] [];
    Rmi "java-rmi" "Java remote method invocation" [1099] [];
    Docker "docker" "Docker engine control" [2375 2376] [];
    Etcd "etcd" "etcd coordination" [2379 2380] [];
    // Routing and redundancy.
    Bgp "bgp" "BGP routing" [179] [];
    Ospf "ospf" "OSPF routing" [] [];
    Eigrp "eigrp" "EIGRP routing" [] [];
    Rip "rip" "RIP routing" [] [520];
    Ripng "ripng" "RIPng routing" [] [521];
    Isis "isis" "IS-IS routing" [] [];
    Ldp "ldp" "MPLS label distribution" [646] [646];
    Rsvp "rsvp" "RSVP resource reservation" [] [];
    Bfd "bfd" "BFD link failure detection" [] [3784 3785 4784];
    Vrrp "vrrp" "VRRP router redundancy" [] [];
    Hsrp "hsrp" "HSRP router redundancy" [] [1985 2029];
    Glbp "glbp" "GLBP router redundancy" [] [3222];
    Pim "pim" "PIM multicast routing" [] [];
    Igmp "igmp" "IGMP multicast membership" [] [];
    Olsr "olsr" "OLSR mesh routing" [] [698];
    Babel "babel" "Babel mesh routing" [] [6696];
    Icmp "icmp" "ICMP ping and errors" [] [];
    Icmpv6 "icmpv6" "ICMPv6 ping and neighbour discovery" [] [];
    // Telephony transport over SCTP.
    Sctp "sctp" "SCTP association" [] [];
    M3ua "m3ua" "SS7 signalling over IP (M3UA)" [] [];
    M2pa "m2pa" "SS7 signalling over IP (M2PA)" [] [];
    Sua "sua" "SS7 signalling over IP (SUA)" [] [];
    S1ap "s1ap" "LTE base station control (S1AP)" [] [];
    Ngap "ngap" "5G base station control (NGAP)" [] [];
    X2ap "x2ap" "LTE base station neighbour control (X2AP)" [] [];
    // Below IP.
    Arp "arp" "ARP address resolution" [] [];
    Rarp "rarp" "reverse ARP" [] [];
    Stp "stp" "spanning tree" [] [];
    Lacp "lacp" "link aggregation (LACP)" [] [];
    Pppoe "pppoe" "PPP over Ethernet" [] [];
    Eapol "eapol" "802.1X port authentication" [] [];
    Macsec "macsec" "MACsec encrypted link" [] [];
    Vtp "vtp" "Cisco VLAN trunking" [] [];
    Dtp "dtp" "Cisco dynamic trunking" [] [];
    Udld "udld" "Cisco unidirectional link detection" [] [];
    Pagp "pagp" "Cisco port aggregation" [] [];
    Ipx "ipx" "IPX" [] [];
    Netbeui "netbeui" "NetBEUI" [] [];
    Mpls "mpls" "MPLS labelled traffic" [] [];
    Loopback "loop" "Ethernet loopback test" [] [];
    Fcoe "fcoe" "Fibre Channel over Ethernet" [] [];
    Aoe "aoe" "ATA over Ethernet storage" [] [];
    Homeplug "homeplug" "HomePlug powerline" [] [];
    Batman "batman-adv" "batman-adv mesh routing" [] [];
    Ipv4 "ipv4" "IPv4" [] [];
    Ipv6 "ipv6" "IPv6" [] [];
}

const IP_TCP: u8 = 6;
const IP_UDP: u8 = 17;
const IP_SCTP: u8 = 132;

static TCP: [(u16, App); TCP_ENTRIES.len()] = sorted(TCP_ENTRIES);
static UDP: [(u16, App); UDP_ENTRIES.len()] = sorted(UDP_ENTRIES);

/// Sorts by port while the program is compiled; of two with one port the first listed stays first.
const fn sorted<const N: usize>(entries: &[(u16, App)]) -> [(u16, App); N] {
    let mut out = [(0, App::Unknown); N];
    let mut n = 0;
    while n < N {
        let mut at = n;
        while at > 0 && out[at - 1].0 > entries[n].0 {
            out[at] = out[at - 1];
            at -= 1;
        }
        out[at] = entries[n];
        n += 1;
    }
    out
}

impl App {
    /// The application that owns `port` over IP protocol `proto` (6, 17 or 132).
    #[must_use]
    pub fn from_port(proto: u8, port: u16) -> Option<App> {
        let table: &[(u16, App)] = match proto {
            IP_TCP => &TCP,
            IP_UDP => &UDP,
            IP_SCTP => {
                return Some(match port {
                    2905 => App::M3ua,
                    2944 | 2945 => App::Megaco,
                    3565 => App::M2pa,
                    3868 => App::Diameter,
                    14001 => App::Sua,
                    36412 => App::S1ap,
                    36422 => App::X2ap,
                    38412 => App::Ngap,
                    _ => return None,
                });
            }
            _ => return None,
        };
        let at = table.partition_point(|(p, _)| *p < port);
        table.get(at).filter(|(p, _)| *p == port).map(|(_, app)| *app)
    }

    /// What an IP protocol number alone tells, where it has no ports.
    #[must_use]
    pub fn from_ip_proto(proto: u8) -> Option<App> {
        Some(match proto {
            1 => App::Icmp,
            2 => App::Igmp,
            4 => App::Ipip,
            41 => App::SixInFour,
            46 => App::Rsvp,
            47 => App::Gre,
            50 => App::Esp,
            51 => App::Ah,
            58 => App::Icmpv6,
            88 => App::Eigrp,
            89 => App::Ospf,
            97 => App::Etherip,
            103 => App::Pim,
            112 => App::Vrrp,
            115 => App::L2tp,
            124 => App::Isis,
            132 => App::Sctp,
            137 => App::Mpls,
            _ => return None,
        })
    }

    /// What an ethertype alone tells, below IP; LLC's DSAP stands as 0x0000–0x00ff, SNAP's own
    /// protocols of Cisco under their number.
    #[must_use]
    pub fn from_ethertype(ethertype: u16) -> Option<App> {
        Some(match ethertype {
            0x0042 => App::Stp,
            0x00e0 | 0x8137 | 0x8138 => App::Ipx,
            0x00f0 => App::Netbeui,
            0x00fe => App::Isis,
            0x0104 => App::Pagp,
            0x0111 => App::Udld,
            0x010b | 0x0802 => App::Stp,
            0x0800 => App::Ipv4,
            0x0806 => App::Arp,
            0x0842 => App::Wol,
            0x2000 => App::Cdp,
            0x2003 => App::Vtp,
            0x2004 => App::Dtp,
            0x4305 => App::Batman,
            0x8035 => App::Rarp,
            0x86dd => App::Ipv6,
            0x8809 => App::Lacp,
            0x8847 | 0x8848 => App::Mpls,
            0x8863 | 0x8864 => App::Pppoe,
            0x887b | 0x88e1 => App::Homeplug,
            0x888e => App::Eapol,
            0x8892 => App::Profinet,
            0x88a2 => App::Aoe,
            0x88a4 => App::Ethercat,
            0x88ab => App::Powerlink,
            0x88b8 => App::Goose,
            0x88ba => App::SampledValues,
            0x88cc => App::Lldp,
            0x88e5 => App::Macsec,
            0x88f7 => App::Ptp,
            0x8906 | 0x8914 => App::Fcoe,
            0x9000 => App::Loopback,
            _ => return None,
        })
    }

    /// The application of that short name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<App> {
        App::ALL.iter().copied().find(|app| app.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_titles_are_unique_and_short() {
        let mut names: Vec<_> = App::ALL.iter().map(|a| a.name()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|w| w[0] != w[1]), "two applications share a name");
        for app in App::ALL {
            assert!(!app.name().is_empty() && app.name().len() <= 16, "{app:?}");
            assert!(
                app.name().bytes().all(|b| b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || b == b'-'
                    || b == b'_')
            );
            assert!(!app.title().is_empty(), "{app:?}");
            assert_eq!(App::from_name(app.name()), Some(*app));
        }
        assert_eq!(App::Unknown.name(), "");
    }

    #[test]
    fn every_port_finds_its_application() {
        for app in App::ALL {
            for port in app.tcp_ports() {
                assert_eq!(App::from_port(6, *port), Some(*app), "tcp {port}");
            }
            for port in app.udp_ports() {
                assert_eq!(App::from_port(17, *port), Some(*app), "udp {port}");
            }
        }
        assert_eq!(App::from_port(6, 49_999), None);
        assert_eq!(App::from_port(1, 53), None);
        assert_eq!(App::from_port(132, 3868), Some(App::Diameter));
    }

    #[test]
    fn protocols_without_ports_have_names() {
        assert_eq!(App::from_ip_proto(89), Some(App::Ospf));
        assert_eq!(App::from_ip_proto(6), None);
        assert_eq!(App::from_ethertype(0x88cc), Some(App::Lldp));
        assert_eq!(App::from_ethertype(0x0042), Some(App::Stp));
    }
}
