//! Files, blocks and versions: SMB, NFS, AFP, FTP, TFTP, rsync, git, iSCSI, Ceph and others.

use super::{Memo, Signature, View, line, sig};
use crate::App;

pub(crate) const TCP: &[Signature] = &[
    sig(App::Smb, 36, &[0], smb),
    sig(App::Nbss, 4, &[0x81, 0x82, 0x83, 0x84], nbss),
    sig(App::Ftp, 4, b"245UPAFSupafs", ftp),
    sig(App::FtpData, 40, b"-dl", ftp_listing),
    sig(App::Nfs, 28, b"", nfs_tcp),
    sig(App::Afp, 16, &[0, 1], afp),
    sig(App::Rsync, 9, b"@", rsync),
    sig(App::Git, 8, b"0", git),
    sig(App::Svn, 10, b"(", svn),
    sig(App::Iscsi, 48, &[0x03, 0x43, 0x23], iscsi),
    sig(App::Nbd, 16, b"N", nbd),
    sig(App::Ceph, 9, b"c", ceph),
];

pub(crate) const UDP: &[Signature] = &[
    sig(App::Tftp, 4, &[0], tftp),
    sig(App::Nfs, 24, b"", rpc_udp),
    sig(App::Nbdgm, 20, &[0x10, 0x11, 0x12], nbdgm),
];

/// NetBIOS session or direct TCP length, then `\xffSMB`, `\xfeSMB` or `\xfdSMB`.
fn smb(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(5, b"SMB")
        && match v.u8(4) {
            0xff => true,
            0xfe => v.le16(8) == 64,
            0xfd | 0xfc => true,
            _ => false,
        }
}

fn nbss(v: &View<'_>, _: &mut Memo) -> bool {
    if !v.port(139) && !v.port(445) || v.u8(1) > 1 {
        return false;
    }
    match v.u8(0) {
        0x81 => v.be16(2) == 68 && v.len() >= 72 && v.u8(4) == 32,
        0x82 => v.be16(2) == 0 && v.len() == 4,
        0x83 => v.be16(2) == 1 && v.len() == 5,
        _ => v.be16(2) == 6,
    }
}

/// A NetBIOS datagram: kind, flags, id, source address and port 138, a length that fits.
fn nbdgm(v: &View<'_>, _: &mut Memo) -> bool {
    v.port(138) && v.u8(1) & 0xf0 == 0 && v.be16(8) == 138 && v.be16(10) + 14 <= v.len() + 4
}

fn ftp(v: &View<'_>, _: &mut Memo) -> bool {
    let text = v.text(48);
    if v.u8(0).is_ascii_digit() {
        let code = v.is(0, b"220") || v.is(0, b"421") || v.is(0, b"530") || v.is(0, b"500");
        return code
            && !v.to_server()
            && matches!(v.u8(3), b' ' | b'-')
            && (v.port(21) || v.is(0, b"220") && v.has(b"FTP", 256) && !v.has(b"SMTP", 256))
            && !v.port(25)
            && v.len() > 5;
    }
    let greeted = v.other.starts_with(b"220");
    text && v.to_server()
        && v.ends_line()
        && (v.port(21) || greeted && !v.port(25))
        && (v.word(b"USER ")
            || v.word(b"PASS ")
            || v.word(b"AUTH TLS")
            || v.word(b"AUTH SSL")
            || v.word(b"FEAT\r\n")
            || v.word(b"SYST\r\n"))
}

/// An RPC call or reply in one record; the program tells NFS, mount and port mapper apart later.
/// What LIST sends: lines that begin with a mode, in a connection of its own.
fn ftp_listing(v: &View<'_>, _: &mut Memo) -> bool {
    const MODE: &[u8] = b"rwxrwxrwx";
    let mode = |at: usize| {
        MODE.iter().enumerate().all(|(i, bit)| {
            let c = v.u8(at + 1 + i);
            c == *bit || c == b'-' || matches!(c, b's' | b'S' | b't' | b'T')
        }) && v.u8(at + 10) == b' '
    };
    v.start && v.other.is_empty() && mode(0) && v.text(120) && v.has(b"\r\n", v.len())
}

fn nfs_tcp(v: &View<'_>, memo: &mut Memo) -> bool {
    let len = v.be32(0);
    len & 0x8000_0000 != 0
        && (len & 0x7fff_ffff) + 4 >= v.len().min(1400)
        && rpc(&v.data[4..], v, memo)
}

fn rpc_udp(v: &View<'_>, memo: &mut Memo) -> bool {
    rpc(v.data, v, memo)
}

/// Sun RPC version 2: a call to a known program, or an accepted reply on a known port.
fn rpc(body: &[u8], v: &View<'_>, _: &mut Memo) -> bool {
    let word = |n: usize| super::be32(body, n * 4);
    match word(1) {
        0 => word(2) == 2 && rpc_program(word(3)).is_some() && word(4) <= 8 && word(5) < 64,
        1 => word(2) <= 1 && v.port_of(App::Nfs) && word(3) <= 6,
        _ => false,
    }
}

/// The application behind a Sun RPC program number.
pub(crate) fn rpc_program(program: usize) -> Option<App> {
    Some(match program {
        100_000 => App::Rpcbind,
        100_003 | 100_005 | 100_021 | 100_024 | 100_227 => App::Nfs,
        100_001..=100_500 | 390_000..=390_200 | 400_122 => App::Sunrpc,
        _ => return None,
    })
}

/// DSI: request or reply, a command, a length, reserved 0.
fn afp(v: &View<'_>, _: &mut Memo) -> bool {
    (1..=8).contains(&v.u8(1))
        && v.be32(12) == 0
        && (v.port(548) || matches!(v.u8(1), 3 | 4) && v.be32(8) + 16 == v.len())
        && v.be32(8) < 1 << 24
        && (v.u8(0) == 0) != (v.u8(0) == 1)
}

fn rsync(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"@RSYNCD: ") && v.u8(9).is_ascii_digit()
}

/// A packet line: four hexadecimal digits, then a request.
fn git(v: &View<'_>, _: &mut Memo) -> bool {
    v.data[..4].iter().all(u8::is_ascii_hexdigit)
        && (v.is(4, b"git-upload-pack ")
            || v.is(4, b"git-receive-pack ")
            || v.is(4, b"git-upload-archive ")
            || v.port(9418) && (v.is(4, b"version ") || v.is(44, b" HEAD") || v.is(44, b" refs/")))
}

fn svn(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"( success ( ") || v.is(0, b"( 2 ( edit-pipeline")
}

/// A login PDU: opcode, flags, versions, AHS 0, a data length that fits, an initiator's name.
fn iscsi(v: &View<'_>, _: &mut Memo) -> bool {
    let data = v.be32(4) & 0xff_ffff;
    v.be32(4) >> 24 == 0
        && data <= 8192
        && v.u8(2) == 0
        && v.has(b"InitiatorName=", 200) | v.has(b"TargetPortalGroupTag=", 200)
}

fn nbd(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"NBDMAGIC")
}

fn ceph(v: &View<'_>, _: &mut Memo) -> bool {
    v.is(0, b"ceph v")
}

/// Requests name a file and a mode; the other packets answer one another by block numbers.
fn tftp(v: &View<'_>, memo: &mut Memo) -> bool {
    match v.be16(0) {
        1 | 2 => {
            let rest = &v.data[2..];
            let Some(end) = rest.iter().position(|c| *c == 0) else {
                return false;
            };
            let mode = &rest[end + 1..];
            let mode_end = mode.iter().position(|c| *c == 0).unwrap_or(mode.len());
            end > 0
                && rest[..end].iter().all(|c| (0x20..0x7f).contains(c))
                && [&b"octet"[..], b"netascii", b"mail"]
                    .iter()
                    .any(|m| mode[..mode_end].eq_ignore_ascii_case(m))
        }
        // DATA of block 1 that fills its block, and ACKs of four octets: several of a kind.
        3 => {
            let block = v.be16(2);
            let full = v.len() == 516 || v.port(69);
            full && block >= 1 && step(v, memo, block)
        }
        4 => v.len() == 4 && step(v, memo, v.be16(2)),
        5 => v.port(69) && v.be16(2) <= 8 && v.data.last() == Some(&0),
        6 => {
            v.len() > 6
                && (v.has(b"blksize\0", 64) || v.has(b"tsize\0", 64))
                && v.data.last() == Some(&0)
        }
        _ => false,
    }
}

/// Block numbers go up one by one, or are acknowledged.
fn step(v: &View<'_>, memo: &mut Memo, block: usize) -> bool {
    let before = usize::from(u16::from_be_bytes([memo.head[0][0], memo.head[0][1]]));
    let fits = memo.candidate == App::Tftp && (block == before || block == before + 1);
    if !fits && memo.candidate == App::Tftp {
        memo.count = [0; 2];
    }
    let enough = memo.agree(App::Tftp, v.side(), if v.port(69) { 1 } else { 4 });
    memo.head[0][..2].copy_from_slice(&[(block >> 8) as u8, block as u8]);
    enough && memo.count[0] > 0 && memo.count[1] > 0 || enough && v.port(69)
}

/// The first word of an FTP line, for its talk.
pub(crate) fn verb(data: &[u8]) -> &[u8] {
    let first = line(data);
    let end = first.iter().position(|c| !c.is_ascii_alphabetic()).unwrap_or(first.len());
    &first[..end.min(12)]
}
