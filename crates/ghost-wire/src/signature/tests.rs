//! Known answers: one conversation's beginning for each application, composed from its standard.
//!
//! Every sample must be named by signature, on its port and (where its signature is anchored in
//! the octets alone) on a port that says nothing; no signature of another application may claim
//! it; random octets are claimed by almost none.

use super::{Memo, Table, View};
use crate::{App, Direction, Dissector, Field, LearnedFrom, Segment, Sink, fields};
use Direction::{ToClient, ToServer};

pub(crate) struct Sample {
    app: App,
    tcp: bool,
    port: u16,
    /// Its octets alone are enough, on any port.
    anywhere: bool,
    packets: Vec<(Direction, Vec<u8>)>,
}

fn tcp(app: App, port: u16, anywhere: bool, packets: &[(Direction, &[u8])]) -> Sample {
    let packets = packets.iter().map(|(d, b)| (*d, b.to_vec())).collect();
    Sample { app, tcp: true, port, anywhere, packets }
}

fn udp(app: App, port: u16, anywhere: bool, packets: &[(Direction, &[u8])]) -> Sample {
    Sample { tcp: false, ..tcp(app, port, anywhere, packets) }
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn padded(head: &[u8], len: usize) -> Vec<u8> {
    let mut out = head.to_vec();
    out.resize(len, 0);
    out
}

/// `count` packets of RTP (payload type 0) of one source.
fn rtp(count: u8) -> Vec<(Direction, Vec<u8>)> {
    (0..count)
        .map(|n| {
            let head = [0x80, 0, 0x10, n, 0, 0, n, 160, 0xde, 0xad, 0xbe, 0xef];
            (ToServer, padded(&head, 172))
        })
        .collect()
}

fn smb2(command: u8, reply: bool, status: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut smb = vec![0xfe, b'S', b'M', b'B', 64, 0, 0, 0];
    smb.extend_from_slice(&status);
    smb.extend_from_slice(&[command, 0, 1, 0, u8::from(reply), 0, 0, 0]);
    smb.resize(64, 0);
    smb.extend_from_slice(body);
    let len = smb.len() as u32;
    join(&[&len.to_be_bytes(), &smb])
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn samples() -> Vec<Sample> {
    let mysql = join(&[
        b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15",
        &[0; 10],
        b"ijklmnopqrst\0caching_sha2_password\0",
    ]);
    let mysql = join(&[&[u8::try_from(mysql.len() - 4).unwrap()], &mysql[1..]]);
    let mongo = b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff\x13\0\0\0\x10ismaster\0\x01\0\0\0\0";
    let rtp_packets = rtp(6);
    let rtp_packets: Vec<_> = rtp_packets.iter().map(|(d, b)| (*d, &b[..])).collect();
    let bgp = join(&[&[0xff; 16], b"\0\x1d\x01\x04\xfd\xe8\0\xb4\x0a\0\0\x01\0"]);
    let wireguard = padded(&[1, 0, 0, 0, 7, 7, 7, 7], 148);
    let ike = padded(b"abcdefgh\0\0\0\0\0\0\0\0\x21\x20\x22\x08\0\0\0\0\0\0\0\x40", 64);
    let wol = join(&[&[0xff; 6], &[2, 0, 0, 0, 0, 1].repeat(16)]);
    let netflow = join(&[b"\0\x05\0\x01\0\0\0\x01\x5f\0\0\0", &[0; 12], &[0; 48]]);
    let rtmp = padded(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 9], 1537);
    let stun = b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl";
    let ntp = padded(&[0x23, 0, 6, 0xec], 48);
    let bitcoin = padded(b"\xf9\xbe\xb4\xd9version\0\0\0\0\0\x64\0\0\0", 124);
    let monero = padded(b"\x01\x21\x01\x01\x01\x01\x01\x01\x10", 49);
    let krb5 = b"\x6a\x40\x30\x3e\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa3\x02\x30\0";
    let rpc_bind =
        padded(b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xb8\x10\xb8\x10\0\0\0\0\x01", 72);
    let nfs = b"\x80\0\0\x28\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let sflow = padded(
        b"\0\0\0\x05\0\0\0\x01\x0a\0\0\x01\0\0\0\0\0\0\0\x01\0\0\x10\0\0\0\0\x01\0\0\0\x01",
        120,
    );
    vec![
        tcp(App::Smtp, 25, true, &[(ToClient, b"220 mail.example ESMTP ready\r\n"), (ToServer, b"EHLO pc\r\n")]),
        tcp(App::Imap, 143, true, &[(ToClient, b"* OK IMAP4rev1 ready\r\n")]),
        tcp(App::Pop3, 110, true, &[(ToClient, b"+OK POP3 server ready\r\n")]),
        tcp(App::Nntp, 119, true, &[(ToClient, b"200 news.example NNTP service\r\n")]),
        tcp(App::Ftp, 21, true, &[(ToClient, b"220 FTP server ready\r\n"), (ToServer, b"USER bob\r\n")]),
        tcp(App::Pgsql, 5432, true, &[(ToServer, b"\0\0\0\x1d\0\x03\0\0user\0bob\0database\0x\0\0")]),
        tcp(App::Mysql, 3306, true, &[(ToClient, &mysql)]),
        tcp(App::Mssql, 1433, true, &[(ToServer, b"\x12\x01\0\x1a\0\0\0\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0f\0\x07\xd0\0\0\0")]),
        tcp(App::Oracle, 1521, true, &[(ToServer, &padded(b"\0\x3a\0\0\x01\0\0\0\x01\x3a\x01\x2c", 58))]),
        tcp(App::Mongodb, 27017, true, &[(ToServer, mongo)]),
        tcp(App::Redis, 6379, true, &[(ToServer, b"*1\r\n$4\r\nPING\r\n"), (ToClient, b"+PONG\r\n")]),
        tcp(App::Cassandra, 9042, true, &[(ToServer, b"\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0")]),
        tcp(App::Memcached, 11211, true, &[(ToServer, b"set key 0 60 5\r\nhello\r\n")]),
        tcp(App::Drda, 50000, true, &[(ToServer, b"\0\x14\xd0\x41\0\x01\0\x0e\x10\x41\0\x0a\x11\x5e\x84\x82\x82\xc2\x85\x95")]),
        tcp(App::Neo4j, 7687, true, &[(ToServer, b"\x60\x60\xb0\x17\0\0\0\x04\0\0\0\x03\0\0\0\0\0\0\0\0")]),
        tcp(App::Rdp, 3389, true, &[(ToServer, b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0")]),
        tcp(App::Vnc, 5900, true, &[(ToClient, b"RFB 003.008\n")]),
        tcp(App::Telnet, 23, true, &[(ToClient, b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23")]),
        tcp(App::X11, 6000, true, &[(ToServer, b"l\0\x0b\0\0\0\0\0\0\0\0\0")]),
        tcp(App::Smb, 445, true, &[(ToServer, &smb2(0, false, [0; 4], &[36, 0, 1, 0]))]),
        tcp(App::Nfs, 2049, true, &[(ToServer, nfs)]),
        tcp(App::Rsync, 873, true, &[(ToClient, b"@RSYNCD: 31.0\n")]),
        tcp(App::Git, 9418, true, &[(ToServer, b"0032git-upload-pack /project.git\0host=example.org\0")]),
        tcp(App::Afp, 548, true, &[(ToServer, b"\0\x04\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0")]),
        tcp(App::Ldap, 389, true, &[(ToServer, b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0")]),
        tcp(App::Krb5, 88, true, &[(ToServer, &join(&[b"\0\0\0\x12", krb5]))]),
        tcp(App::Diameter, 3868, true, &[(ToServer, b"\x01\0\0\x14\x80\0\x01\x01\0\0\0\0\0\0\0\x01\0\0\0\x02")]),
        tcp(App::Dcerpc, 135, true, &[(ToServer, &rpc_bind)]),
        tcp(App::Pptp, 1723, true, &[(ToServer, &padded(b"\0\x9c\0\x01\x1a\x2b\x3c\x4d\0\x01\0\0", 156))]),
        tcp(App::Socks, 1080, true, &[(ToServer, b"\x05\x02\0\x02"), (ToClient, b"\x05\0")]),
        tcp(App::Openvpn, 1194, true, &[(ToServer, b"\0\x0e\x38abcdefgh\0\0\0\0\0")]),
        tcp(App::Bittorrent, 6881, true, &[(ToServer, &padded(b"\x13BitTorrent protocol", 68))]),
        tcp(App::Bitcoin, 8333, true, &[(ToServer, &bitcoin)]),
        tcp(App::Monero, 18080, true, &[(ToServer, &monero)]),
        tcp(App::Stratum, 3333, true, &[(ToServer, b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n")]),
        tcp(App::Ipfs, 4001, true, &[(ToServer, b"\x13/multistream/1.0.0\n")]),
        tcp(App::Modbus, 502, false, &[(ToServer, b"\0\x01\0\0\0\x06\x01\x06\0\x01\0\x03")]),
        tcp(App::Dnp3, 20000, true, &[(ToServer, b"\x05\x64\x05\xc0\x01\0\x0a\0\xe0\x8c")]),
        tcp(App::S7comm, 102, true, &[(ToServer, b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0")]),
        tcp(App::Enip, 44818, true, &[(ToServer, b"\x65\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0")]),
        tcp(App::Iec104, 2404, true, &[(ToServer, b"\x68\x04\x07\0\0\0")]),
        tcp(App::Opcua, 4840, true, &[(ToServer, &padded(b"HELF\x20\0\0\0", 32))]),
        tcp(App::Fix, 9878, true, &[(ToServer, b"8=FIX.4.4\x019=65\x0135=A\x01")]),
        tcp(App::Fox, 1911, true, &[(ToServer, b"fox a 1 -1 fox hello\n{\n")]),
        tcp(App::Mqtt, 1883, true, &[(ToServer, b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04test")]),
        tcp(App::Amqp, 5672, true, &[(ToServer, b"AMQP\0\0\x09\x01")]),
        tcp(App::Kafka, 9092, true, &[(ToServer, b"\0\0\0\x10\0\x12\0\0\0\0\0\x01\0\x06client")]),
        tcp(App::Nats, 4222, true, &[(ToClient, b"INFO {\"server_id\":\"NA\",\"version\":\"2.10\"}\r\n")]),
        tcp(App::Stomp, 61613, true, &[(ToServer, b"CONNECT\naccept-version:1.2\n\n\0")]),
        tcp(App::Zmq, 5555, true, &[(ToServer, b"\xff\0\0\0\0\0\0\0\x01\x7f")]),
        tcp(App::Xmpp, 5222, true, &[(ToServer, b"<?xml version='1.0'?><stream:stream to='x' xmlns='jabber:client'>")]),
        tcp(App::Irc, 6667, true, &[(ToServer, b"NICK bob\r\nUSER bob 0 * :Bob\r\n")]),
        tcp(App::Whatsapp, 5222, true, &[(ToServer, b"ED\0\x01")]),
        tcp(App::Sip, 5060, true, &[(ToServer, b"REGISTER sip:example.org SIP/2.0\r\nVia: x\r\n\r\n")]),
        tcp(App::Rtsp, 554, true, &[(ToServer, b"OPTIONS rtsp://camera/ RTSP/1.0\r\nCSeq: 1\r\n\r\n")]),
        tcp(App::Rtmp, 1935, true, &[(ToServer, &rtmp)]),
        tcp(App::H225, 1720, false, &[(ToServer, b"\x03\0\0\x10\x08\x02\0\x01\x05\x04\x03\x88\x93\xa5\x28\0")]),
        tcp(App::Bgp, 179, true, &[(ToServer, &bgp)]),
        tcp(App::Zabbix, 10050, true, &[(ToServer, b"ZBXD\x01\x02\0\0\0\0\0\0\0ok")]),
        tcp(App::Checkmk, 6556, true, &[(ToClient, b"<<<check_mk>>>\nVersion: 2.2\n")]),
        tcp(App::Openflow, 6653, true, &[(ToServer, b"\x04\0\0\x08\0\0\0\x01")]),
        tcp(App::Ajp, 8009, false, &[(ToServer, b"\x12\x34\0\x01\x0a")]),
        udp(App::Snmp, 161, true, &[(ToServer, b"\x30\x1a\x02\x01\x01\x04\x06public\xa0\x0d\x02\x01\x01\x02\x01\0\x02\x01\0\x30\x02\x30\0")]),
        udp(App::Ntp, 123, false, &[(ToServer, &ntp)]),
        udp(App::Syslog, 514, true, &[(ToServer, b"<34>Oct 11 22:14:15 host su: failed")]),
        udp(App::Netflow, 2055, true, &[(ToServer, &netflow)]),
        udp(App::Sflow, 6343, true, &[(ToServer, &sflow)]),
        udp(App::Radius, 1812, true, &[(ToServer, &join(&[b"\x01\x07\0\x19", &[9; 16], b"\x01\x05bob"]))]),
        udp(App::Krb5, 88, true, &[(ToServer, krb5)]),
        udp(App::Stun, 3478, true, &[(ToServer, stun)]),
        udp(App::Sip, 5060, true, &[(ToServer, b"INVITE sip:bob@example.org SIP/2.0\r\nVia: x\r\n\r\n")]),
        udp(App::Rtp, 40_002, true, &rtp_packets),
        udp(App::Megaco, 2944, true, &[(ToServer, b"MEGACO/1 [10.0.0.1]\r\nTransaction=1{}")]),
        udp(App::Mgcp, 2427, true, &[(ToServer, b"RSIP 1200 *@gw.example MGCP 1.0\r\nRM: restart\r\n")]),
        udp(App::Iax2, 4569, false, &[(ToServer, b"\x80\x01\0\0\0\0\0\0\0\0\x06\x01")]),
        udp(App::Wireguard, 51820, true, &[(ToServer, &wireguard)]),
        udp(App::Ike, 500, true, &[(ToServer, &ike)]),
        udp(App::Openvpn, 1194, true, &[(ToServer, b"\x38abcdefgh\0\0\0\0\0")]),
        udp(App::Tailscale, 41641, true, &[(ToServer, &padded("TS💬".as_bytes(), 80))]),
        udp(App::BtDht, 6881, true, &[(ToServer, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")]),
        udp(App::Bacnet, 47808, true, &[(ToServer, b"\x81\x0b\0\x0c\x01\x20\xff\xff\0\xff\x10\x08")]),
        udp(App::Knx, 3671, true, &[(ToServer, b"\x06\x10\x02\x03\0\x0e\x08\x01\0\0\0\0\0\0")]),
        udp(App::Coap, 5683, false, &[(ToServer, b"\x40\x01\x30\x39\xb4temp")]),
        udp(App::Tftp, 69, true, &[(ToServer, b"\0\x01boot.cfg\0octet\0")]),
        udp(App::Wol, 9, true, &[(ToServer, &wol)]),
        udp(App::Discord, 50001, true, &[(ToServer, &padded(b"\0\x01\0\x46", 74))]),
        udp(App::Spotify, 57621, true, &[(ToServer, &padded(b"SpotUdp0", 44))]),
        udp(App::Vxlan, 4789, false, &[(ToServer, &padded(b"\x08\0\0\0\0\0\x64\0", 60))]),
        udp(App::GtpU, 2152, false, &[(ToServer, &padded(b"\x30\xff\0\x14\0\0\0\x01", 28))]),
        udp(App::Ipmi, 623, true, &[(ToServer, b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0\x09\x20\x18\xc8\x81\0\x38\x8e\x04\xb5")]),
        udp(App::Rip, 520, false, &[(ToServer, &padded(b"\x02\x02\0\0\0\x02\0\0\x0a", 24))]),
        udp(App::Hsrp, 1985, false, &[(ToServer, &padded(b"\0\0\x10\x03\x0a\x78\x01\0cisco", 20))]),
        udp(App::Rtps, 7400, true, &[(ToServer, &padded(b"RTPS\x02\x03", 40))]),
        udp(App::Teamspeak, 9987, true, &[(ToServer, &padded(b"TS3INIT1", 34))]),
        udp(App::Dnscrypt, 5443, true, &[(ToClient, &padded(b"r6fnvWj8", 300))]),
    ]
}

#[derive(Default)]
struct Told(Vec<(Field, Vec<u8>)>);

impl Sink for Told {
    fn field(&mut self, field: Field, value: &[u8]) {
        self.0.push((field, value.to_vec()));
    }
    fn learned(&mut self, _: std::net::IpAddr, _: &[u8], _: LearnedFrom) {}
}

/// One flow through a dissector; the last verdict and all that was told.
fn run(tcp: bool, port: u16, packets: &[(Direction, Vec<u8>)]) -> (crate::Verdict, Told) {
    let mut dissector = Dissector::new();
    let mut told = Told::default();
    let mut next = [1000_u32, 9000];
    let mut verdict = None;
    for (direction, payload) in packets {
        let side = usize::from(*direction == ToClient);
        let segment = Segment {
            proto: if tcp { 6 } else { 17 },
            src_port: 40_000,
            dst_port: port,
            direction: *direction,
            seq: if tcp { next[side] } else { 0 },
            payload,
            missing: 0,
            multicast: false,
        };
        next[side] = next[side].wrapping_add(payload.len() as u32);
        verdict = Some(dissector.packet(&segment, &mut told));
    }
    (verdict.unwrap(), told)
}

#[test]
fn every_sample_is_named_by_signature() {
    let mut wrong = Vec::new();
    for s in samples() {
        for port in [s.port, 41_000] {
            let (verdict, _) = run(s.tcp, port, &s.packets);
            if (verdict.app, verdict.by_signature) != (s.app, true)
                && (s.anywhere || port == s.port)
            {
                wrong.push((s.app, port, verdict.app, verdict.by_signature));
            }
        }
    }
    assert!(wrong.is_empty(), "wanted, port, got, by signature: {wrong:?}");
}

/// Applications that one wire format serves: either name is true of the sample.
fn kin(a: App, b: App) -> bool {
    const FAMILIES: &[&[App]] = &[
        &[App::S7comm, App::Cotp, App::Mms],
        &[App::Nfs, App::Rpcbind, App::Sunrpc],
        &[App::Ldap, App::Cldap],
        &[App::Dcerpc, App::Profinet],
    ];
    a == b || FAMILIES.iter().any(|f| f.contains(&a) && f.contains(&b))
}

fn check_foreign<const N: usize>(table: &Table<N>, s: &Sample) {
    for signature in table.all() {
        if kin(signature.app, s.app) {
            continue;
        }
        let mut memo = Memo::default();
        for (n, (dir, data)) in s.packets.iter().enumerate() {
            let v = View {
                data,
                tcp: s.tcp,
                client_port: 40_000,
                server_port: s.port,
                dir: *dir,
                other: &[],
                start: n == 0,
            };
            let admitted = signature.lead.is_empty() || signature.lead.contains(&data[0]);
            let claims =
                admitted && data.len() >= signature.min && (signature.check)(&v, &mut memo);
            assert!(!claims, "{:?} claims a sample of {:?}", signature.app, s.app);
        }
    }
}

#[test]
fn no_signature_claims_the_sample_of_another() {
    for s in samples() {
        if s.tcp {
            check_foreign(&super::TCP, &s);
        } else {
            check_foreign(&super::UDP, &s);
        }
    }
}

/// xorshift: octets that no protocol sent, the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn random_octets_are_claimed_by_almost_no_signature() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut flows, mut named) = (0, Vec::new());
    for n in 0..20_000 {
        let len = 8 + (random.next() % 600) as usize;
        let packets: Vec<_> = (0..4)
            .map(|k| {
                let dir = if k % 2 == 0 { ToServer } else { ToClient };
                (dir, (0..len).map(|_| (random.next() >> 24) as u8).collect::<Vec<u8>>())
            })
            .collect();
        let (verdict, _) = run(n % 2 == 0, 41_000, &packets);
        flows += 1;
        if verdict.by_signature {
            named.push(verdict.app);
        }
    }
    assert!(named.len() * 1000 < flows, "{} of {flows} named: {named:?}", named.len());
}

fn values(told: &Told, field: Field) -> Vec<String> {
    let of = told.0.iter().filter(|(f, _)| *f == field);
    of.map(|(_, v)| String::from_utf8_lossy(v).into_owned()).collect()
}

fn conversation(tcp: bool, port: u16, packets: &[(Direction, &[u8])]) -> Told {
    let packets: Vec<_> = packets.iter().map(|(d, b)| (*d, b.to_vec())).collect();
    run(tcp, port, &packets).1
}

#[test]
fn an_ftp_login_in_clear_is_told_without_its_secret() {
    let told = conversation(
        true,
        21,
        &[
            (ToClient, b"220 ProFTPD Server ready\r\n"),
            (ToServer, b"USER bob\r\n"),
            (ToClient, b"331 Password required\r\n"),
            (ToServer, b"PASS hunter2\r\n"),
            (ToClient, b"530 Login incorrect\r\n"),
        ],
    );
    assert_eq!(values(&told, fields::CLEAR_LOGIN), ["ftp"]);
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["ftp"]);
    assert_eq!(values(&told, fields::COMMAND), ["USER", "PASS"]);
    assert_eq!(values(&told, fields::SOFTWARE), ["ProFTPD Server ready"]);
    assert!(!told.0.iter().any(|(_, v)| v.windows(4).any(|w| w == b"hunt" || w == b"bob\r")));
}

#[test]
fn mail_logins_in_clear_and_their_refusals_are_told() {
    let told = conversation(
        true,
        25,
        &[
            (ToClient, b"220 mx.example ESMTP Postfix\r\n"),
            (ToServer, b"EHLO pc\r\n"),
            (ToServer, b"AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"),
            (ToClient, b"535 5.7.8 authentication failed\r\n"),
            (ToServer, b"DATA\r\n"),
            (ToServer, b"QUIT is a word of this letter\r\n"),
        ],
    );
    assert_eq!(values(&told, fields::CLEAR_LOGIN), ["smtp"]);
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["smtp"]);
    assert_eq!(values(&told, fields::COMMAND), ["EHLO", "AUTH", "DATA"]);
    let told = conversation(
        true,
        110,
        &[
            (ToClient, b"+OK POP3 ready\r\n"),
            (ToServer, b"USER bob\r\n"),
            (ToClient, b"+OK\r\n"),
            (ToServer, b"PASS x\r\n"),
            (ToClient, b"-ERR no\r\n"),
        ],
    );
    assert_eq!(values(&told, fields::CLEAR_LOGIN), ["pop3"]);
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["pop3"]);
    let told = conversation(
        true,
        143,
        &[
            (ToClient, b"* OK IMAP4rev1 ready\r\n"),
            (ToServer, b"a1 LOGIN bob x\r\n"),
            (ToClient, b"a1 NO wrong\r\n"),
        ],
    );
    assert_eq!(values(&told, fields::CLEAR_LOGIN), ["imap"]);
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["imap"]);
}

#[test]
fn a_refused_question_before_the_login_is_no_refused_login() {
    // A mail program asks which ways to log in there are; old servers do not know the question.
    let told = conversation(
        true,
        110,
        &[
            (ToClient, b"+OK POP3 ready\r\n"),
            (ToServer, b"AUTH\r\n"),
            (ToClient, b"-ERR Unknown AUTH command\r\n"),
            (ToServer, b"CAPA\r\n"),
            (ToClient, b"-ERR\r\n"),
        ],
    );
    assert_eq!(values(&told, fields::LOGIN_FAILED), Vec::<&str>::new());
    let told = conversation(
        true,
        110,
        &[
            (ToClient, b"+OK POP3 ready\r\n"),
            (ToServer, b"AUTH CRAM-MD5\r\n"),
            (ToClient, b"-ERR authentication failed\r\n"),
        ],
    );
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["pop3"]);
    let told = conversation(
        true,
        21,
        &[
            (ToClient, b"220 files\r\n"),
            (ToServer, b"FEAT\r\n"),
            (ToClient, b"530 Please login with USER and PASS\r\n"),
            (ToServer, b"USER bob\r\n"),
            (ToClient, b"530 This server is for others\r\n"),
        ],
    );
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["ftp"]);
}

#[test]
fn controllers_commands_tell_reading_from_writing() {
    let told = conversation(
        true,
        502,
        &[
            (ToServer, b"\0\x01\0\0\0\x06\x01\x03\0\x01\0\x03"),
            (ToClient, b"\0\x01\0\0\0\x05\x01\x03\x02\0\x07"),
            (ToServer, b"\0\x02\0\0\0\x06\x01\x06\0\x01\0\x03\0\x03\0\0\0\x06\x01\x05\0\x01\xff\0"),
            (ToServer, b"\0\x04\0\0\0\x06\x01\x06\0\x01\0\x03"),
        ],
    );
    let wanted = ["read_holding_registers", "write_single_register", "write_single_coil"];
    assert_eq!(values(&told, fields::COMMAND), wanted);
    let told = conversation(
        true,
        102,
        &[
            (
                ToServer,
                b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02",
            ),
            (
                ToServer,
                b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0",
            ),
            (
                ToServer,
                b"\x03\0\0\x1d\x02\xf0\x80\x32\x01\0\0\0\0\0\x0c\0\0\x29\0\0\0\0\0\x09P_PROGR",
            ),
        ],
    );
    assert_eq!(values(&told, fields::COMMAND), ["setup_communication", "plc_stop"]);
}

#[test]
fn windows_calls_are_told_by_interface_and_number() {
    let drsuapi = [
        0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11, 0xab, 0x04, 0, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2,
    ];
    let bind = join(&[
        b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xb8\x10\xb8\x10\0\0\0\0\x01\0\0\0\0\0\x01\0",
        &drsuapi,
        &[4, 0, 0, 0],
        &[0; 20],
    ]);
    let call = padded(b"\x05\0\0\x03\x10\0\0\0\x20\0\0\0\x02\0\0\0\0\0\0\0\0\0\x03\0", 32);
    // The bind comes in two segments, cut inside the interface.
    let told = conversation(
        true,
        49_155,
        &[(ToServer, &bind[..40]), (ToServer, &bind[40..]), (ToServer, &call)],
    );
    assert_eq!(values(&told, fields::OBJECT), ["drsuapi"]);
    assert_eq!(values(&told, fields::COMMAND), ["drsuapi.3"]);
}

#[test]
fn a_refused_smb_session_and_an_opened_share_are_told() {
    let path: Vec<u8> = "\\\\srv\\ADMIN$".bytes().flat_map(|c| [c, 0]).collect();
    let mut tree = vec![9, 0, 0, 0, 72, 0, path.len() as u8, 0];
    tree.extend_from_slice(&path);
    let told = conversation(
        true,
        445,
        &[
            (ToServer, &smb2(1, false, [0; 4], &[25, 0])),
            (ToClient, &smb2(1, true, [0x6d, 0, 0, 0xc0], &[9, 0])),
            (ToServer, &smb2(3, false, [0; 4], &tree)),
        ],
    );
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["smb"]);
    assert_eq!(values(&told, fields::OBJECT), ["ADMIN$"]);
    assert_eq!(values(&told, fields::COMMAND), ["session_setup", "tree_connect"]);
}

#[test]
fn directory_refusals_are_failed_logins() {
    let told = conversation(
        true,
        389,
        &[
            (ToServer, b"\x30\x16\x02\x01\x01\x60\x11\x02\x01\x03\x04\x04cn=x\x80\x06secret"),
            (ToClient, b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\0\x04\0"),
        ],
    );
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["ldap"]);
    assert_eq!(values(&told, fields::CLEAR_LOGIN), ["ldap"]);
    let told = conversation(false, 88, &[
        (ToClient, b"\x7e\x1b\x30\x19\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e\xa4\x02\x30\0\xa5\x02\x30\0\xa6\x03\x02\x01\x18"),
    ]);
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["krb5"]);
    let mut reject = padded(b"\x03\x01\0\x14", 20);
    reject[19] = 1;
    let told = conversation(false, 1812, &[(ToClient, &reject)]);
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["radius"]);
}

#[test]
fn mqtt_topics_are_told_by_their_root() {
    let told = conversation(
        true,
        1883,
        &[
            (ToServer, b"\x10\x15\0\x04MQTT\x04\xc2\0\x3c\0\x01a\0\x02me\0\x02pw"),
            (ToClient, b"\x20\x02\0\x05"),
            (ToServer, b"\x30\x0f\0\x0chome/attic/21"),
        ],
    );
    assert_eq!(values(&told, fields::CLEAR_LOGIN), ["mqtt"]);
    assert_eq!(values(&told, fields::LOGIN_FAILED), ["mqtt"]);
    assert_eq!(values(&told, fields::OBJECT), ["home"]);
}

#[test]
fn any_sequence_of_payloads_is_survived() {
    bolero::check!()
        .with_type::<(bool, u16, Vec<(bool, u16, Vec<u8>)>)>()
        .with_iterations(3000)
        .for_each(|(tcp, port, packets)| {
            let mut dissector = Dissector::new();
            let mut told = Told::default();
            let mut done = false;
            for (back, seq, payload) in packets {
                let verdict = dissector.packet(
                    &Segment {
                        proto: if *tcp { 6 } else { 17 },
                        src_port: 40_000,
                        dst_port: *port,
                        direction: if *back { ToClient } else { ToServer },
                        seq: u32::from(*seq),
                        payload,
                        missing: 0,
                        multicast: false,
                    },
                    &mut told,
                );
                assert!(verdict.done || !done, "what is done stays done");
                assert!(verdict.app != App::Unknown || !verdict.by_signature);
                done = verdict.done;
            }
        });
}

#[test]
fn mutated_samples_are_survived_by_every_talk() {
    let all = samples();
    let mut random = Random(77);
    for s in &all {
        for _ in 0..60 {
            let mut packets = s.packets.clone();
            let again: Vec<_> = packets.iter().map(|(d, b)| (*d, b.clone())).collect();
            packets.extend(again);
            // The first stays: the flow is recognised, then its talk meets damage.
            for (_, bytes) in packets.iter_mut().skip(1) {
                for _ in 0..1 + random.next() % 6 {
                    let at = random.next() as usize % bytes.len();
                    bytes[at] = random.next() as u8;
                }
                let cut = 1 + random.next() as usize % bytes.len();
                bytes.truncate(cut);
            }
            run(s.tcp, s.port, &packets);
        }
    }
}
