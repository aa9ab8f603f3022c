//! Where a replica is: `ssh://[user@]host[:port]`.
//!
//! **Invariant:** no part begins with a dash or holds anything but letters, digits and `.`, `_`, `-`
//! (colons in an address of IPv6): each may stand as an argument of `ssh`.

use std::fmt;
use std::str::FromStr;

/// An address that was checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    user: Option<String>,
    host: String,
    port: Option<u16>,
}

/// An address that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    #[error("a replica's address begins with ssh://, as ssh://ghostbridge@backup.example:22")]
    Scheme,
    #[error("a user is 1 to 32 letters, digits, '.', '_' or '-', and begins with none of the last")]
    User,
    #[error("a host is a name or an address; one of IPv6 stands in brackets")]
    Host,
    #[error("a port is a number from 1 to 65535")]
    Port,
    #[error("nothing may follow the port: what is run there is fixed by the key")]
    Path,
}

impl Address {
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(22)
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Address, NotAnAddress> {
        let rest = text.strip_prefix("ssh://").ok_or(NotAnAddress::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') {
            return Err(NotAnAddress::Path);
        }
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if user.is_some_and(|user| !is_word(user, 32, false)) {
            return Err(NotAnAddress::User);
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(inside) => {
                let (host, port) = inside.split_once(']').ok_or(NotAnAddress::Host)?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(NotAnAddress::Host);
                }
                let port = if port.is_empty() { None } else { Some(port) };
                (host, port.map(|p| p.strip_prefix(':').ok_or(NotAnAddress::Port)).transpose()?)
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        if !is_word(host, 253, true) {
            return Err(NotAnAddress::Host);
        }
        let port = port.map(|text| {
            let plain = text.bytes().all(|c| c.is_ascii_digit()) && text.len() <= 5;
            let number = plain.then(|| text.parse::<u16>().ok()).flatten();
            number.filter(|n| *n > 0).ok_or(NotAnAddress::Port)
        });
        let port = port.transpose()?;
        Ok(Address { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

fn is_word(text: &str, max: usize, colons: bool) -> bool {
    let plain = |c: u8| {
        c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-') || (colons && c == b':')
    };
    (1..=max).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with(['-', '.', '_', ':'])
        // A colon stands in an address alone, never in a name.
        && (!text.contains(':') || text.parse::<std::net::Ipv6Addr>().is_ok())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Whether this may name a replica: it is a part of paths, elements and metrics.
#[must_use]
pub(crate) fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !name.starts_with('-')
        && !matches!(name, "all" | "any" | "own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_printed() {
        for text in [
            "ssh://backup.example",
            "ssh://ghost@backup.example:2222",
            "ssh://10.0.0.7:22",
            "ssh://g-1.x_y@[2001:db8::7]:65535",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("ssh://h/".parse::<Address>().unwrap().to_string(), "ssh://h");
        assert_eq!("ssh://h".parse::<Address>().unwrap().port(), 22);
    }

    #[test]
    fn what_could_be_an_option_or_a_shell_word_is_refused() {
        use NotAnAddress::*;
        for (text, why) in [
            ("backup", Scheme),
            ("ssh://-oProxyCommand=x", Host),
            ("ssh://-l@h", User),
            ("ssh://a b@h", User),
            ("ssh://h;reboot", Host),
            ("ssh://$(x)", Host),
            ("ssh://h\n", Host),
            ("ssh://", Host),
            ("ssh://@h", User),
            ("ssh://h:0", Port),
            ("ssh://h:65536", Port),
            ("ssh://h:+22", Port),
            ("ssh://h:", Port),
            ("ssh://[::1]x", Port),
            ("ssh://[::1", Host),
            ("ssh://h/bin/sh", Path),
        ] {
            assert_eq!(text.parse::<Address>(), Err(why), "{text}");
        }
    }

    #[test]
    fn what_is_accepted_holds_nothing_but_plain_characters() {
        bolero::check!().with_iterations(3_000).with_type::<String>().for_each(|text| {
            for text in [text.clone(), format!("ssh://{text}"), format!("ssh://a@{text}:22")] {
                if let Ok(address) = text.parse::<Address>() {
                    assert_eq!(address.to_string().parse::<Address>().as_ref(), Ok(&address));
                    assert!(!address.host().starts_with('-'));
                    assert!(!address.user().is_some_and(|u| u.starts_with('-')));
                }
                if is_name(&text) {
                    assert!(!text.contains(['/', '.', ' ', '"', '\\']));
                }
            }
        });
    }
}
