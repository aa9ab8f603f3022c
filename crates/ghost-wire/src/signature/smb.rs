//! SMB and DCE/RPC: which commands, shares, pipes and interfaces a Windows conversation uses.
//!
//! Reads the first kilobyte of each message and skips the rest; DCE/RPC stands alone or inside
//! SMB writes, transactions and pipe calls. A refused session set-up is a failed login.
//!
//! Not promised: files' names, encrypted SMB 3 messages, arguments of calls.

use super::{be32, le16, le32};
use crate::names::Feed;
use crate::{App, Direction, Sink, fields};

/// Octets of one message that are read.
const MESSAGE_HEAD_MAX: usize = 1024;
/// Presentation contexts remembered in one conversation.
const CONTEXTS_MAX: usize = 8;
/// A message longer than this is no message.
const MESSAGE_MAX: usize = 1 << 24;
/// Messages read of one conversation; what a longer one does is known by then.
const MESSAGES_MAX: u32 = 20_000;

/// One conversation.
#[derive(Debug)]
pub(crate) struct RpcState {
    app: App,
    sides: [Side; 2],
    contexts: [(u16, u8); CONTEXTS_MAX],
    contexts_used: u8,
    told: u64,
    messages: u32,
    last_call: (u8, u16),
}

#[derive(Debug, Default)]
struct Side {
    skip: usize,
    head: Vec<u8>,
}

/// Interfaces with a name: UUID as printed.
const INTERFACES: &[(u128, &str)] = &[
    (0xe1af8308_5d1f_11c9_91a4_08002b14a0fa, "epmapper"),
    (0xe3514235_4b06_11d1_ab04_00c04fc2dcd2, "drsuapi"),
    (0x367abb81_9844_35f1_ad32_98f038001003, "svcctl"),
    (0x1ff70682_0a51_30e8_076d_740be8cee98b, "atsvc"),
    (0x86d35949_83c9_4044_b424_db363231fd0c, "taskschd"),
    (0x378e52b0_c0a9_11cf_822d_00aa0051e40f, "sasec"),
    (0x4b324fc8_1670_01d3_1278_5a47bf6ee188, "srvsvc"),
    (0x6bffd098_a112_3610_9833_46c3f87e345a, "wkssvc"),
    (0x12345778_1234_abcd_ef00_0123456789ac, "samr"),
    (0x12345778_1234_abcd_ef00_0123456789ab, "lsarpc"),
    (0x12345678_1234_abcd_ef00_0123456789ab, "spoolss"),
    (0x12345678_1234_abcd_ef00_01234567cffb, "netlogon"),
    (0x338cd001_2244_31f1_aaaa_900038001003, "winreg"),
    (0x82273fdc_e32a_18c3_3f78_827929dc23ea, "eventlog"),
    (0xf6beaff7_1e19_4fbb_9f8f_b89e2018337c, "eventlog6"),
    (0x99fcfec4_5260_101b_bbcb_00aa0021347a, "iobjectexporter"),
    (0x000001a0_0000_0000_c000_000000000046, "isystemactivator"),
    (0x00000131_0000_0000_c000_000000000046, "iremunknown"),
    (0x00000143_0000_0000_c000_000000000046, "iremunknown2"),
    (0xf309ad18_d86a_11d0_a075_00c04fb68820, "iwbemlevel1login"),
    (0xd4781cd6_e5d3_44df_ad94_930efe48a887, "iwbemloginclientid"),
    (0x9556dc99_828c_11cf_a37e_00aa003240c7, "iwbemservices"),
    (0xc681d488_d850_11d0_8c52_00c04fd90f7e, "efsrpc"),
    (0xdf1941c5_fe89_4e79_bf10_463657acf44d, "efsrpc"),
    (0x4fc742e0_4a10_11cf_8273_00aa004ae673, "netdfs"),
    (0x894de0c0_0d55_11d3_a322_00c04fa321a1, "initshutdown"),
    (0x76f03f96_cdfd_44fc_a22c_64950a001209, "iremotewinspool"),
    (0x3919286a_b10c_11d0_9ba8_00c04fd92ef5, "dssetup"),
    (0xafa8bd80_7d8a_11c9_bef4_08002b102989, "mgmt"),
    (0x8d9f4e40_a03d_11ce_8f69_08003e30051b, "ntsvcs"),
    (0xa4f1db00_ca47_1067_b31f_00dd010662da, "mapi"),
    (0xf5cc5a18_4264_101a_8c59_08002b2f8426, "nspi"),
    (0xdea00001_6c97_11d1_8271_00a02442df7d, "pnio"),
];

/// Pipes whose names say what is done.
const PIPES: &[&str] = &[
    "svcctl",
    "atsvc",
    "srvsvc",
    "wkssvc",
    "samr",
    "lsarpc",
    "lsass",
    "spoolss",
    "netlogon",
    "winreg",
    "epmapper",
    "eventlog",
    "browser",
    "efsrpc",
    "netdfs",
    "ntsvcs",
    "drsuapi",
    "psexesvc",
    "paexec",
    "remcom_communicaton",
    "initshutdown",
    "protected_storage",
    "router",
    "tapsrv",
    "trkwks",
    "msftewds",
];

const SMB2_COMMANDS: &[&str] = &[
    "negotiate",
    "session_setup",
    "logoff",
    "tree_connect",
    "tree_disconnect",
    "create",
    "close",
    "flush",
    "read",
    "write",
    "lock",
    "ioctl",
    "cancel",
    "echo",
    "query_directory",
    "change_notify",
    "query_info",
    "set_info",
    "oplock_break",
];

fn smb1_command(code: u8) -> Option<(u32, &'static str)> {
    Some(match code {
        0x72 => (0, "negotiate"),
        0x73 => (1, "session_setup"),
        0x74 => (2, "logoff"),
        0x75 => (3, "tree_connect"),
        0x71 => (4, "tree_disconnect"),
        0x2d | 0xa2 | 0x02 | 0x03 => (5, "create"),
        0x04 => (6, "close"),
        0x0a | 0x2e => (8, "read"),
        0x0b | 0x2f => (9, "write"),
        0x2b => (13, "echo"),
        0x06 => (20, "delete"),
        0x07 => (21, "rename"),
        0x25 => (22, "transaction"),
        0x32 => (23, "transaction2"),
        0xa0 => (24, "nt_transaction"),
        _ => return None,
    })
}

/// Windows' answers to a login that did not succeed.
fn refused(status: usize) -> bool {
    matches!(
        status,
        0xc000_006d
            | 0xc000_006a
            | 0xc000_0064
            | 0xc000_006e
            | 0xc000_006f
            | 0xc000_0070
            | 0xc000_0071
            | 0xc000_0072
            | 0xc000_015b
            | 0xc000_0193
            | 0xc000_0234
            | 0xc000_0022
    )
}

impl RpcState {
    pub(crate) fn new(app: App) -> Self {
        RpcState {
            app,
            sides: Default::default(),
            contexts: [(0, 0); CONTEXTS_MAX],
            contexts_used: 0,
            told: 0,
            messages: 0,
            last_call: (u8::MAX, 0),
        }
    }

    /// The next octets of one direction.
    pub(crate) fn feed(&mut self, dir: Direction, mut bytes: &[u8], sink: &mut dyn Sink) -> Feed {
        let side = usize::from(dir == Direction::ToClient);
        while !bytes.is_empty() {
            let Some(s) = self.sides.get_mut(side) else {
                return Feed::Done;
            };
            if s.skip > 0 {
                let n = s.skip.min(bytes.len());
                s.skip -= n;
                bytes = &bytes[n..];
                continue;
            }
            let had = s.head.len();
            let mut head = std::mem::take(&mut s.head);
            let take = bytes.len().min(MESSAGE_HEAD_MAX - had.min(MESSAGE_HEAD_MAX));
            let data = if had > 0 {
                head.extend_from_slice(&bytes[..take]);
                &head[..]
            } else {
                &bytes[..take]
            };
            let least = if self.app == App::Smb { 4 } else { 10 };
            let whole = if data.len() < least { None } else { Some(self.length(data)) };
            match whole {
                Some(Some(len)) if data.len() >= len.min(MESSAGE_HEAD_MAX) => {
                    self.messages += 1;
                    if self.messages > MESSAGES_MAX {
                        return Feed::Done;
                    }
                    self.message(dir, &data[..len.min(data.len())], sink);
                    let used = len.saturating_sub(had);
                    let n = used.min(bytes.len());
                    if let Some(s) = self.sides.get_mut(side) {
                        s.skip = used - n;
                    }
                    bytes = &bytes[n..];
                }
                Some(None) => return Feed::NotMine,
                _ => {
                    // A head that is cut: kept until the rest comes.
                    if had == 0 {
                        head.extend_from_slice(&bytes[..take]);
                    }
                    if let Some(s) = self.sides.get_mut(side) {
                        s.head = head;
                    }
                    return Feed::More;
                }
            }
        }
        Feed::More
    }

    /// The whole message's length by its first octets; `None` where it is none.
    fn length(&self, data: &[u8]) -> Option<usize> {
        if self.app == App::Smb {
            let len = be32(data, 0) & 0xff_ffff;
            return matches!(data.first(), Some(0 | 0x81..=0x85)).then_some(len + 4);
        }
        let len = if data.get(4)? & 0xf0 == 0x10 { le16(data, 8) } else { super::be16(data, 8) };
        (data.first() == Some(&5) && (16..=MESSAGE_MAX).contains(&len)).then_some(len)
    }

    fn message(&mut self, dir: Direction, data: &[u8], sink: &mut dyn Sink) {
        if self.app != App::Smb {
            self.rpc(dir, data, sink);
            return;
        }
        let mut smb = data.get(4..).unwrap_or_default();
        match smb.first() {
            Some(0xff) => self.smb1(dir, smb, sink),
            Some(0xfe) => {
                // Compounded messages name where the next begins.
                for _ in 0..8 {
                    self.smb2(dir, smb, sink);
                    let next = le32(smb, 20);
                    if next < 64 || next >= smb.len() {
                        break;
                    }
                    smb = &smb[next..];
                }
            }
            _ => {}
        }
    }

    fn once(&mut self, bit: u32, name: &str, sink: &mut dyn Sink) {
        let mask = 1 << (bit & 63);
        if self.told & mask == 0 {
            self.told |= mask;
            sink.field(fields::COMMAND, name.as_bytes());
        }
    }

    fn smb1(&mut self, dir: Direction, smb: &[u8], sink: &mut dyn Sink) {
        let Some(code) = smb.get(4).copied() else {
            return;
        };
        let reply = smb.get(9).is_some_and(|f| f & 0x80 != 0);
        if reply {
            if code == 0x73 && refused(le32(smb, 5)) {
                sink.field(fields::LOGIN_FAILED, b"smb");
            }
            return;
        }
        if let Some((bit, name)) = smb1_command(code) {
            self.once(32 + bit, name, sink);
        }
        let data = |at: usize| smb.get(le16(smb, at)..).unwrap_or_default();
        match code {
            0x2f => self.rpc(dir, data(55), sink),
            0x25 => self.rpc(dir, data(57), sink),
            0x75 => {
                // Password first; then the path, as UTF-16 or plain.
                let from = 43 + le16(smb, 40);
                share(smb.get(from..).unwrap_or_default(), sink);
            }
            0xa2 => {
                let len = le16(smb, 38);
                let name = smb.get(83..).unwrap_or_default();
                pipe(&narrow(&name[..name.len().min(len + 2)]), sink);
            }
            _ => {}
        }
    }

    fn smb2(&mut self, dir: Direction, smb: &[u8], sink: &mut dyn Sink) {
        if smb.len() < 64 || smb.first() != Some(&0xfe) {
            return;
        }
        let (command, reply) = (le16(smb, 12), smb[16] & 1 != 0);
        if reply {
            if command == 1 && refused(le32(smb, 8)) {
                sink.field(fields::LOGIN_FAILED, b"smb");
            }
            return;
        }
        if let Some(name) = SMB2_COMMANDS.get(command) {
            self.once(command as u32, name, sink);
        }
        let body = &smb[64..];
        match command {
            3 => share(cut(smb, le16(body, 4), le16(body, 6)), sink),
            5 => pipe(&narrow(cut(smb, le16(body, 44), le16(body, 46))), sink),
            9 => self.rpc(dir, cut(smb, le16(body, 2), le32(body, 4)), sink),
            11 if le32(body, 4) == 0x0011_c017 => {
                self.rpc(dir, cut(smb, le32(body, 24), le32(body, 28)), sink);
            }
            _ => {}
        }
    }

    fn rpc(&mut self, dir: Direction, pdu: &[u8], sink: &mut dyn Sink) {
        if pdu.len() < 24 || pdu[0] != 5 || pdu[1] > 1 || dir != Direction::ToServer {
            return;
        }
        match pdu[2] {
            11 | 14 => self.bind(pdu, sink),
            0 => {
                let (context, opnum) = (le16(pdu, 20), le16(pdu, 22));
                let used = usize::from(self.contexts_used).min(CONTEXTS_MAX);
                let known = self.contexts[..used].iter().find(|(c, _)| usize::from(*c) == context);
                if let Some((_, interface)) = known.copied()
                    && let Some((_, name)) = INTERFACES.get(usize::from(interface))
                {
                    // The same call again tells nothing new.
                    let call = (interface, opnum as u16);
                    if self.last_call != call {
                        self.last_call = call;
                        told_call(name, opnum, sink);
                    }
                }
            }
            _ => {}
        }
    }

    fn bind(&mut self, pdu: &[u8], sink: &mut dyn Sink) {
        let count = usize::from(pdu.get(24).copied().unwrap_or(0)).min(32);
        let mut at = 28;
        for _ in 0..count {
            let Some(uuid) = pdu.get(at + 4..at + 20) else {
                return;
            };
            let id = le16(pdu, at) as u16;
            if let Some(index) = interface(uuid) {
                let slot = usize::from(self.contexts_used) % CONTEXTS_MAX;
                self.contexts[slot] = (id, index as u8);
                if usize::from(self.contexts_used) < CONTEXTS_MAX {
                    self.contexts_used += 1;
                }
                sink.field(fields::OBJECT, INTERFACES[index].1.as_bytes());
            }
            at += 24 + 20 * usize::from(pdu.get(at + 2).copied().unwrap_or(0));
        }
    }
}

fn cut(data: &[u8], at: usize, len: usize) -> &[u8] {
    let end = at.saturating_add(len).min(data.len());
    data.get(at..end).unwrap_or_default()
}

/// Which interface a little-endian UUID on the wire names.
fn interface(wire: &[u8]) -> Option<usize> {
    let mut b: [u8; 16] = wire.try_into().ok()?;
    b[..4].reverse();
    b[4..6].reverse();
    b[6..8].reverse();
    let uuid = u128::from_be_bytes(b);
    INTERFACES.iter().position(|(u, _)| *u == uuid)
}

fn told_call(name: &str, opnum: usize, sink: &mut dyn Sink) {
    let mut out = [0; 40];
    let mut n = name.len().min(32);
    out[..n].copy_from_slice(&name.as_bytes()[..n]);
    out[n] = b'.';
    n += 1;
    n += super::talk::decimal(opnum.min(99_999), &mut out[n..]);
    sink.field(fields::COMMAND, &out[..n]);
}

/// The plain letters of UTF-16 (or plain) text, at most 64 of them.
fn narrow(text: &[u8]) -> Short {
    let mut short = Short { bytes: [0; 64], len: 0 };
    for c in text.iter().filter(|c| **c != 0).take(64) {
        short.bytes[short.len] = c.to_ascii_lowercase();
        short.len += 1;
    }
    short
}

struct Short {
    bytes: [u8; 64],
    len: usize,
}

impl Short {
    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `\\server\share`: the share.
fn share(path: &[u8], sink: &mut dyn Sink) {
    let end = path
        .windows(2)
        .position(|w| w == b"\\\0" || w == b"?\0")
        .map_or(path.len(), |_| path.len());
    let path = &path[..end.min(256)];
    let mut kept = [0; 128];
    let mut n = 0;
    let mut zeros = 0;
    for c in path {
        if *c == 0 {
            zeros += 1;
            if zeros > 1 && n > 0 {
                break;
            }
        } else {
            zeros = 0;
            if n < kept.len() {
                kept[n] = *c;
                n += 1;
            }
        }
    }
    let path = &kept[..n];
    if path.starts_with(b"\\\\")
        && let Some(at) = path.iter().rposition(|c| *c == b'\\')
        && at > 1
        && at + 1 < path.len()
    {
        sink.field(fields::OBJECT, &path[at + 1..]);
    }
}

fn pipe(name: &Short, sink: &mut dyn Sink) {
    let name = name.get();
    let name = name.strip_prefix(b"\\").unwrap_or(name);
    let name = name.strip_prefix(b"pipe\\").unwrap_or(name);
    if let Some(known) = PIPES.iter().find(|p| name.starts_with(p.as_bytes())) {
        sink.field(fields::OBJECT, known.as_bytes());
    }
}
