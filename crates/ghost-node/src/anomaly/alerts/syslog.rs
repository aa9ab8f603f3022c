//! Syslog (RFC 5424): one datagram an incident, over a Unix socket or UDP.
//!
//! The facility is 4 (security), the severity 2 (critical) for what is critical, else 4 (warning)
//! or 5 (notice). What programs need stands as structured data under `ghostbridge@32473`, the number that RFC 5612
//! keeps for those who have none. A datagram that nobody took is lost: UDP does not tell.

use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use ghost_event::{Priority, Timestamp};

use super::message::{Alert, Message, stamp};
use super::outlet::Undelivered;

/// Where syslog is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTo {
    /// A datagram socket, `/dev/log` as a rule.
    Unix(PathBuf),
    /// `host:port`.
    Udp(String),
}

/// What a datagram may hold (RFC 5424, 6.1: 2048 octets should be taken).
const BYTES_MAX: usize = 2048;

impl SyslogTo {
    /// `unix`, `unix:/path`, `udp://host:514`; nothing: none.
    ///
    /// # Errors
    /// In words for who wrote it.
    pub fn parse(words: &str) -> Result<Option<SyslogTo>, String> {
        let off = || {
            format!("{words:?}: expected \"unix\", \"unix:/path/of/socket\" or \"udp://host:514\"")
        };
        Ok(Some(match words {
            "" => return Ok(None),
            "unix" => SyslogTo::Unix(PathBuf::from("/dev/log")),
            _ => match (words.strip_prefix("unix:"), words.strip_prefix("udp://")) {
                (Some(path), _) if path.starts_with('/') => SyslogTo::Unix(PathBuf::from(path)),
                (_, Some(to)) => {
                    let (host, port) = to.rsplit_once(':').unwrap_or((to, "514"));
                    let port: u16 = port.parse().map_err(|_| off())?;
                    if host.is_empty() || host.contains(['/', ' ']) {
                        return Err(off());
                    }
                    SyslogTo::Udp(format!("{host}:{port}"))
                }
                _ => return Err(off()),
            },
        }))
    }

    /// As [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            SyslogTo::Unix(path) => format!("unix:{}", path.display()),
            SyslogTo::Udp(to) => format!("udp://{to}"),
        }
    }

    pub(super) fn send(
        &self,
        message: &Message,
        identity: &str,
        now_ns: i64,
    ) -> Result<(), Undelivered> {
        let later =
            |error: std::io::Error| Undelivered::Later(format!("{}: {error}", self.words()));
        for line in lines(message, identity, now_ns) {
            match self {
                SyslogTo::Unix(path) => {
                    let socket = UnixDatagram::unbound().map_err(later)?;
                    socket.set_nonblocking(true).map_err(later)?;
                    socket.send_to(line.as_bytes(), path).map_err(later)?;
                }
                SyslogTo::Udp(to) => {
                    let address: SocketAddr =
                        to.to_socket_addrs().map_err(later)?.next().ok_or_else(|| {
                            Undelivered::Later(format!("{to}: the name has no address"))
                        })?;
                    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    let socket = UdpSocket::bind(any).map_err(later)?;
                    socket.send_to(line.as_bytes(), address).map_err(later)?;
                }
            }
        }
        Ok(())
    }
}

fn lines(message: &Message, identity: &str, now_ns: i64) -> Vec<String> {
    match message {
        Message::One(alert) => vec![line(alert, identity, now_ns)],
        Message::Digest { alerts, more, repeated } => {
            let mut all: Vec<String> =
                alerts.iter().map(|alert| line(alert, identity, now_ns)).collect();
            if *more > 0 || *repeated > 0 {
                all.push(format!(
                    "<{}>1 {} {} ghostbridge {} digest - {more} more incidents, {repeated} told \
                     before",
                    4 * 8 + 5,
                    stamp(Timestamp(now_ns)),
                    word(identity, 255),
                    std::process::id()
                ));
            }
            all
        }
    }
}

fn line(alert: &Alert, identity: &str, now_ns: i64) -> String {
    let severity = match alert.priority {
        Priority::Critical => 2,
        Priority::High => 4,
        Priority::Medium | Priority::Low => 5,
    };
    let mut data = String::new();
    let mut put = |name: &str, value: &str| {
        // RFC 5424, 6.3.3.
        let escaped: String = value
            .chars()
            .flat_map(|c| match c {
                '"' | '\\' | ']' => vec!['\\', c],
                c => vec![c],
            })
            .collect();
        data += &format!(" {name}=\"{escaped}\"");
    };
    put("id", &alert.id.to_string());
    put("state", alert.state.name());
    put("kind", alert.kind);
    put("score", &format!("{:.2}", alert.score));
    put("flows", &alert.flows.to_string());
    if let Some(source) = alert.source {
        put("source", &source.to_string());
    }
    if let Some(target) = alert.target {
        put("target", &target.to_string());
    }
    let mut text = format!(
        "<{}>1 {} {} ghostbridge {} incident [ghostbridge@32473{data}] {}",
        4 * 8 + severity,
        stamp(Timestamp(now_ns)),
        word(identity, 255),
        std::process::id(),
        alert.text().replace(['\n', '\r'], " ")
    );
    let mut end = text.len().min(BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// A header's field: printable, without blanks; `-` where nothing is left.
fn word(text: &str, most: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for words in ["unix:/dev/log", "udp://log.example:514", "udp://[::1]:5514"] {
            assert_eq!(SyslogTo::parse(words).unwrap().unwrap().words(), words);
        }
        assert_eq!(SyslogTo::parse("unix").unwrap().unwrap().words(), "unix:/dev/log");
        assert_eq!(SyslogTo::parse("udp://log").unwrap().unwrap().words(), "udp://log:514");
        assert_eq!(SyslogTo::parse("").unwrap(), None);
        for off in ["tcp://a:1", "unix:relative", "udp://:514", "udp://a:b", "udp://a:99999", "x"] {
            assert!(SyslogTo::parse(off).is_err(), "{off}");
        }
    }

    #[test]
    fn a_line_has_every_part_of_rfc_5424() {
        let line = line(&alert(3, "port_scan", 7), "host a\u{e9}", 1_500_000_000_000_000_000);
        let parts: Vec<&str> = line.splitn(7, ' ').collect();
        assert_eq!(parts[0], "<34>1");
        assert_eq!(parts[1], "2017-07-14T02:40:00Z");
        assert_eq!(parts[2], "hosta");
        assert_eq!((parts[3], parts[5]), ("ghostbridge", "incident"));
        assert!(parts[6].starts_with("[ghostbridge@32473 id=\"7.3\" state=\"open\""), "{line}");
        assert!(parts[6].contains("source=\"10.0.0.7\" target=\"10.0.0.200\"] port scan from"));
    }

    #[test]
    fn datagrams_arrive_over_udp_and_over_a_unix_socket() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = SyslogTo::parse(&format!("udp://{}", server.local_addr().unwrap()));
        let message = Message::Digest {
            alerts: vec![alert(1, "sweep", 1), alert(2, "flood", 2)],
            more: 3,
            repeated: 4,
        };
        to.unwrap().unwrap().send(&message, "gw", 0).unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        for _ in 0..3 {
            let (length, _) = server.recv_from(&mut buffer).unwrap();
            seen.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        assert!(seen[0].contains("kind=\"sweep\"") && seen[1].contains("kind=\"flood\""));
        assert!(seen[2].ends_with("3 more incidents, 4 told before"), "{}", seen[2]);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let to = SyslogTo::Unix(path.clone());
        let one = Message::One(alert(1, "sweep", 1));
        assert!(matches!(to.send(&one, "gw", 0), Err(Undelivered::Later(_))), "nobody is there");
        let server = UnixDatagram::bind(&path).unwrap();
        to.send(&one, "gw", 0).unwrap();
        let length = server.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"<34>1 1970-01-01T00:00:00Z gw ghostbridge "));
    }

    #[test]
    fn a_reason_without_end_is_cut() {
        let long = Alert { why: "\u{e9}".repeat(5000), ..alert(1, "sweep", 1) };
        assert!(line(&long, "gw", 0).len() <= BYTES_MAX);
    }
}
