//! SSDP: HTTP's form in one datagram, by which devices find and announce each other.
//!
//! Tells method, host, what is sought or offered, and the device's software. Not promised: the
//! description behind `LOCATION`, which is fetched over HTTP like anything else.

use super::http::{Request, split_header, status};
use crate::{Sink, fields};

/// One datagram; false where it is no message of HTTP's form.
pub(crate) fn message(bytes: &[u8], sink: &mut dyn Sink) -> bool {
    let mut lines =
        bytes.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let Some(first) = lines.next() else { return false };
    let request = if let Some(request) = Request::read(first) {
        sink.field(fields::HTTP_METHOD, request.method);
        true
    } else if status(first).is_some() {
        false
    } else {
        return false;
    };
    for line in lines.take(64) {
        let Some((name, value)) = split_header(line) else { continue };
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        if value.is_empty() {
        } else if is(b"host") && request {
            sink.field(fields::HTTP_HOST, value);
        } else if is(b"user-agent") && request {
            sink.field(fields::HTTP_AGENT, value);
        } else if is(b"server") {
            sink.field(fields::SSDP_SERVER, value);
        } else if is(b"st") || is(b"nt") {
            sink.field(fields::SSDP_TARGET, value);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::kept::Kept;
    use super::*;

    #[test]
    fn a_search_tells_whom_it_asks_and_what_for() {
        let mut kept = Kept::default();
        assert!(message(
            b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
              ST: urn:dial-multiscreen-org:service:dial:1\r\nUSER-AGENT: Browser/1\r\n\r\n",
            &mut kept
        ));
        assert_eq!(kept.values(fields::HTTP_HOST), ["239.255.255.250:1900"]);
        assert_eq!(kept.values(fields::HTTP_METHOD), ["M-SEARCH"]);
        assert_eq!(kept.values(fields::SSDP_TARGET), ["urn:dial-multiscreen-org:service:dial:1"]);
        assert_eq!(kept.values(fields::HTTP_AGENT), ["Browser/1"]);
    }

    #[test]
    fn an_answer_tells_its_software() {
        let mut kept = Kept::default();
        assert!(message(
            b"HTTP/1.1 200 OK\r\nSERVER: Linux UPnP/1.0 tv/2\r\nST: upnp:rootdevice\r\n\r\n",
            &mut kept
        ));
        assert_eq!(kept.values(fields::SSDP_SERVER), ["Linux UPnP/1.0 tv/2"]);
        assert_eq!(kept.values(fields::SSDP_TARGET), ["upnp:rootdevice"]);
    }

    #[test]
    fn any_octets_are_read_without_a_panic() {
        bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
            message(bytes, &mut Kept::default());
            let mut message_of = b"NOTIFY * HTTP/1.1\r\n".to_vec();
            message_of.extend_from_slice(bytes);
            assert!(message(&message_of, &mut Kept::default()));
        });
    }
}
