//! Setting up the interface that a switch's mirror delivers to; of no other interface.
//!
//! What arrives there was said to others. So the host is kept from answering: the interface gets no
//! ARP, no link-local address and, where this process may write below /proc/sys, no IPv6 at all.

use std::io;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, netlink, recv, sendto,
    socket_with,
};

use super::super::TapError;

/// How the names of such interfaces begin: no other is ever set up.
pub const MIRROR_PREFIX: &str = "gbm-";

const SET_LINK: u16 = 19;
const ERROR: u16 = 2;
/// A request, to be acknowledged.
const FLAGS: u16 = 0x1 | 0x4;
const HEADER_BYTES: usize = 16;
const NAME: u16 = 3;
const AF_SPEC: u16 = 26;
const AF_INET6: u16 = 10;
const ADDRESS_MODE: u16 = 8;
const NO_ADDRESS: u8 = 1;
const UP: u32 = 0x1;
const NO_ARP: u32 = 0x80;

/// Sets up interface `ifindex` of this thread's network namespace, if its name is a mirror's.
pub(super) fn mirror(ifindex: u32) -> Result<(), TapError> {
    let failed = |error: io::Error| match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => TapError::NoInterface { ifindex },
        _ => TapError::of(format!("set up interface {ifindex}"), error),
    };
    let open = |family, kind| socket_with(family, kind, SocketFlags::CLOEXEC, None);
    let name = open(AddressFamily::INET, SocketType::DGRAM)
        .and_then(|socket| netdevice::index_to_name(&socket, ifindex))
        .map_err(|error| failed(error.into()))?;
    if !name.starts_with(MIRROR_PREFIX) {
        return Err(TapError::NoMirror { ifindex });
    }
    // Where /proc/sys is read-only, the link-local address at least is kept away below.
    drop(std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1"));
    let route =
        open(AddressFamily::NETLINK, SocketType::RAW).map_err(|error| failed(error.into()))?;
    // A kernel without IPv6 does not know of its addresses.
    match set_up(&route, &name, true) {
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            set_up(&route, &name, false)
        }
        done => done,
    }
    .map_err(failed)
}

/// By name, so that a number that was given to another interface meanwhile sets up nothing.
fn set_up(route: impl rustix::fd::AsFd, name: &str, inet6: bool) -> io::Result<()> {
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    sendto(&route, &message(name, inet6), SendFlags::empty(), &kernel)?;
    let mut answer = [0; 512];
    let (length, _) = recv(&route, &mut answer, RecvFlags::empty())?;
    verdict(answer.get(..length).unwrap_or_default())
}

fn message(name: &str, inet6: bool) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    // Family, type and number are not told; the name is.
    bytes.extend([0; 8]);
    bytes.extend((UP | NO_ARP).to_ne_bytes());
    bytes.extend((UP | NO_ARP).to_ne_bytes());
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    attribute(&mut bytes, NAME, &text);
    if inet6 {
        let (mut mode, mut family) = (Vec::new(), Vec::new());
        attribute(&mut mode, ADDRESS_MODE, &[NO_ADDRESS]);
        attribute(&mut family, AF_INET6, &mode);
        attribute(&mut bytes, AF_SPEC, &family);
    }
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&SET_LINK.to_ne_bytes());
    bytes[6..8].copy_from_slice(&FLAGS.to_ne_bytes());
    bytes
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// An acknowledgement is an error of number 0.
fn verdict(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|b| b.try_into().ok()).map(u16::from_ne_bytes);
    let number = answer.get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|b| b.try_into().ok());
    match (kind, number.map(i32::from_ne_bytes)) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(number)) => Err(io::Error::from_raw_os_error(number.saturating_neg())),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mirrors_interface_is_set_up() {
        // The loopback is number 1 of every namespace.
        assert!(matches!(mirror(1), Err(TapError::NoMirror { ifindex: 1 })));
        assert!(matches!(mirror(u32::MAX), Err(TapError::NoInterface { .. })));
    }

    #[test]
    fn a_verdict_of_any_bytes_is_read_or_refused() {
        let mut answer = vec![0; 36];
        answer[4..6].copy_from_slice(&ERROR.to_ne_bytes());
        assert!(verdict(&answer).is_ok());
        answer[16..20].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        assert_eq!(verdict(&answer).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(verdict(&answer[..18]).is_err());
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| drop(verdict(bytes)));
    }
}
