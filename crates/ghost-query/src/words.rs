//! Words of a question: how they are cut, stemmed, and what literal things they may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ghost_event::MacAddr;

use crate::error::QueryError;

/// Cuts at white space, except within quotation marks; a wholly quoted token keeps its marks.
pub(crate) fn tokens(text: &str) -> Result<Vec<String>, QueryError> {
    let mut out = Vec::new();
    let mut token = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for c in text.chars() {
        if escaped {
            escaped = false;
            token.push(c);
        } else if quoted && c == '\\' {
            escaped = true;
            token.push(c);
        } else if c == '"' {
            quoted = !quoted;
            token.push(c);
        } else if c.is_whitespace() && !quoted {
            if !token.is_empty() {
                out.push(std::mem::take(&mut token));
            }
        } else {
            token.push(c);
        }
    }
    if quoted {
        return Err(QueryError::Quote);
    }
    if !token.is_empty() {
        out.push(token);
    }
    Ok(out)
}

/// Without the punctuation of a sentence around it.
pub(crate) fn trimmed(token: &str) -> &str {
    token
        .trim_start_matches(['"', '\'', '(', '[', '{', ',', ';', '“', '‘'])
        .trim_end_matches(['"', '\'', ')', ']', '}', ',', ';', '!', '?', '.', ':', '”', '’'])
}

/// Names whose last letter is no plural: without it they are something else.
const SECURED: &[&str] = &["https", "rtps"];

/// What is common to the forms of a word; crude, but the same for the lexicon and the question.
pub(crate) fn stem(word: &str) -> String {
    let mut w = word.to_lowercase();
    if !w.is_ascii() {
        return w;
    }
    if let Some(base) = w.strip_suffix("'s") {
        w.truncate(base.len());
    }
    if SECURED.contains(&w.as_str()) {
        return w;
    }
    if w.len() > 3 && w.ends_with('s') && !w.ends_with("ss") && !w.ends_with("us") {
        if w.ends_with("ies") && w.len() > 4 {
            w.truncate(w.len() - 3);
            w.push('y');
        } else {
            w.truncate(w.len() - 1);
        }
    }
    for suffix in ["ing", "ed", "er"] {
        if w.len() >= suffix.len() + 3 && w.ends_with(suffix) {
            w.truncate(w.len() - suffix.len());
            break;
        }
    }
    let b = w.as_bytes();
    if b.len() > 3 && b[b.len() - 1] == b[b.len() - 2] && b[b.len() - 1].is_ascii_alphabetic() {
        w.truncate(w.len() - 1);
    }
    if w.len() > 3 && w.ends_with('e') {
        w.truncate(w.len() - 1);
    }
    w
}

/// An address or CIDR as its first and last address.
pub(crate) fn network(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let Some(bits) = bits else { return Some((address, address)) };
    if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bits: u32 = bits.parse().ok()?;
    Some(match address {
        IpAddr::V4(a) if bits <= 32 => {
            let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
            let a = u32::from(a);
            (Ipv4Addr::from(a & !rest).into(), Ipv4Addr::from(a | rest).into())
        }
        IpAddr::V6(a) if bits <= 128 => {
            let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
            let a = u128::from(a);
            (Ipv6Addr::from(a & !rest).into(), Ipv6Addr::from(a | rest).into())
        }
        _ => return None,
    })
}

/// `aa:bb:cc:dd:ee:ff` or with hyphens.
pub(crate) fn mac(text: &str) -> Option<MacAddr> {
    let mut out = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut out {
        let part = parts.next().filter(|p| p.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddr(out))
}

/// A hardware address, or the first bytes of one (`00:1a:2b:*`), as the first and last of its range.
pub(crate) fn mac_range(text: &str) -> Option<(MacAddr, MacAddr)> {
    if let Some(whole) = mac(text) {
        return Some((whole, whole));
    }
    let known = text.strip_suffix('*')?.trim_end_matches([':', '-']);
    let (mut low, mut high) = ([0; 6], [0xff; 6]);
    let mut count = 0;
    for part in known.split([':', '-']) {
        let byte = u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2)?;
        *low.get_mut(count)? = byte;
        *high.get_mut(count)? = byte;
        count += 1;
    }
    // One byte could as well be a word with a star.
    (2..6).contains(&count).then_some((MacAddr(low), MacAddr(high)))
}

/// A pattern of a name: letters or digits with a `*` among them.
pub(crate) fn pattern(word: &str) -> bool {
    word.contains('*')
        && word.chars().filter(|c| c.is_alphanumeric()).count() >= 2
        && word.chars().all(|c| c.is_alphanumeric() || "-_.*".contains(c))
}

/// Whether a word behind a dot makes a file of the whole.
pub(crate) fn is_file_end(end: &str) -> bool {
    FILE_ENDS.contains(&end)
}

/// Ends of words with a dot that are files, not hosts.
const FILE_ENDS: &[&str] = &[
    "asp", "aspx", "bat", "bin", "cfg", "conf", "css", "csv", "dat", "dll", "doc", "docx", "exe",
    "gif", "gz", "html", "ini", "iso", "jar", "jpg", "js", "json", "jsp", "log", "pcap", "pcapng",
    "pdf", "php", "png", "ps1", "rar", "rs", "sh", "tar", "tgz", "txt", "vbs", "xls", "xlsx",
    "xml", "zip", "zst",
];

/// A host name of two labels or more, or a pattern of one.
pub(crate) fn host_name(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let labels: Vec<&str> = word.split('.').collect();
    let ok = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || "-_*".contains(c))
    };
    let (last, rest) = labels.split_last()?;
    let named = !rest.is_empty()
        && labels.iter().all(ok)
        && last.len() >= 2
        && last.chars().all(|c| c.is_alphabetic() || c == '*')
        && last.chars().any(char::is_alphabetic)
        && rest.iter().any(|l| l.chars().any(|c| c.is_alphabetic() || c == '*'))
        && !FILE_ENDS.contains(last);
    // `e.g`, `i.e` and the like.
    (named && word.len() > 4).then_some(word)
}

/// A name of a network interface by its usual forms.
pub(crate) fn interface(word: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "eth", "enp", "ens", "eno", "enx", "wlan", "wlp", "br", "veth", "vnet", "tap", "tun",
        "ovsbr", "bond", "dummy", "docker", "virbr", "wg", "ppp", "vlan", "lo", "br-", "virbr-",
    ];
    PREFIXES.iter().any(|p| {
        word.strip_prefix(p).is_some_and(|rest| {
            rest.len() <= 12
                && rest.starts_with(|c: char| c.is_ascii_digit())
                && rest.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        })
    })
}

/// A Community ID of version 1.
pub(crate) fn community_id(word: &str) -> bool {
    word.strip_prefix("1:").is_some_and(|rest| {
        rest.len() == 28
            && rest.ends_with('=')
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for (a, b) in [
            ("scan", "scanning"),
            ("tunnel", "tunnelling"),
            ("tunnel", "tunnels"),
            ("query", "queries"),
            ("call", "calling"),
            ("guess", "guessing"),
            ("resolve", "resolving"),
            ("certificate", "certificates"),
        ] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
        assert_ne!(stem("dns"), stem("dnp3"));
        assert_eq!(stem("dns"), "dns");
        assert_eq!(stem("tls"), "tls");
        assert_ne!(stem("https"), stem("http"));
    }

    #[test]
    fn a_network_is_its_first_and_last_address() {
        let check = |text: &str, want: Option<(&str, &str)>| {
            let want = want.map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap()));
            assert_eq!(network(text), want, "{text}");
        };
        check("10.1.2.3/8", Some(("10.0.0.0", "10.255.255.255")));
        check("10.1.2.3", Some(("10.1.2.3", "10.1.2.3")));
        check("0.0.0.0/0", Some(("0.0.0.0", "255.255.255.255")));
        check("2001:db8::/32", Some(("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")));
        check("10.0.0.0/33", None);
        check("10.0.0.0/", None);
        check("example.com", None);
    }

    #[test]
    fn hosts_are_told_from_files_numbers_and_abbreviations() {
        for host in ["example.com", "*.example.org", "nas.local", "münchen.de", "a-b.c.io"] {
            assert!(host_name(host).is_some(), "{host}");
        }
        for word in ["evil.exe", "802.1q", "1.3", "e.g", "ssh", "...", "a..b", "tls1.3"] {
            assert!(host_name(word).is_none(), "{word}");
        }
    }

    #[test]
    fn quoted_white_space_does_not_cut() {
        assert_eq!(tokens(r#"a  name:"x y" b"#).unwrap(), ["a", r#"name:"x y""#, "b"]);
        assert!(tokens(r#"a "b"#).is_err());
    }
}
