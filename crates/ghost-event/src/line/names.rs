//! Names by their dotted paths, as nested JSON objects.
//!
//! Paths are sorted, values stay in the order of arrival. Three forms, told by a path's last key:
//!
//! - **list**: a key in the plural (`types`, `rcodes`, `objects`), `alpn` and `software`: always a list;
//! - **single**: any other key: a string (`status`: a number where it is one), and where a flow told
//!   several values, the first stands there and all of them as a list under the key's [`plural`];
//! - `dns.queries.rrname`: EVE's own form, `"rrname":first,"queries":[{"rrname":…},…]`.
//!
//! A path without a dot stands under `ghost`. Not promised: room for every name; what found none is
//! counted in `ghost.names_dropped`.

use super::text;

/// EVE's list of questions.
pub(super) const DNS_QUERY: &str = "dns.queries.rrname";

/// Top-level keys that are no names.
const RESERVED: &[&str] = &[
    "timestamp",
    "flow_id",
    "event_type",
    "in_iface",
    "pcap_filename",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "icmp_type",
    "icmp_code",
    "app_proto",
    "community_id",
    "vlan",
    "ether",
    "flow",
    "tcp",
    "tunnel",
    "tunnels",
];

/// Whether `ghost.<key>` holds a name rather than one of our own facts.
pub(super) fn is_ghost_name(key: &str) -> bool {
    !super::view::GHOST_KEYS.contains(&key)
}

/// Whether a key always holds a list.
pub(super) fn is_list(key: &str) -> bool {
    key == "alpn"
        || key == "software"
        || (key.ends_with('s') && !key.ends_with("ss") && key != "status")
}

/// The key of the whole list beside a single value: `sni` and `snis`, `status` and `statuses`.
pub(super) fn plural(key: &str) -> &'static str {
    if key.ends_with('s') { "es" } else { "s" }
}

/// The names of one flow, in the order in which they are written.
pub(super) struct Sorted<'a> {
    pairs: Vec<(&'static str, &'a str)>,
    /// Bytes that names may still take.
    room: usize,
    pub(super) dropped: u64,
}

impl<'a> Sorted<'a> {
    /// No allocation where there are no names.
    pub(super) fn new(names: &'a crate::Names, room: usize) -> Sorted<'a> {
        let mut dropped = u64::from(names.dropped);
        let mut pairs: Vec<(&'static str, &'a str)> = Vec::with_capacity(names.pairs.len());
        for (path, value) in &names.pairs {
            let is_object = |p: &str| {
                // The point first: it tells most paths apart without comparing them.
                p.as_bytes().get(path.len()) == Some(&b'.') && p.starts_with(path)
            };
            if is_taken(path) || names.pairs.iter().any(|(p, _)| is_object(p)) {
                dropped += 1;
            } else {
                pairs.push((path, value));
            }
        }
        if !pairs.is_sorted_by_key(|(path, _)| *path) {
            pairs.sort_by_key(|(path, _)| *path);
        }
        Sorted { pairs, room, dropped }
    }

    /// Writes what stands at top level: one object for each first key.
    pub(super) fn write_top(&mut self, out: &mut Vec<u8>) {
        self.write(out, "", |path| path.contains('.') && !path.starts_with("ghost."));
    }

    /// Writes what stands in the `ghost` object, which is open.
    pub(super) fn write_ghost(&mut self, out: &mut Vec<u8>) {
        self.write(out, "ghost", |path| path.starts_with("ghost.") || !path.contains('.'));
    }

    fn write(&mut self, out: &mut Vec<u8>, base: &'static str, mine: impl Fn(&str) -> bool) {
        let mut open: &str = base;
        let mut rest = &self.pairs[..];
        while let Some((path, _)) = rest.first() {
            let same = rest.iter().take_while(|(p, _)| p == path).count();
            let (group, after) = rest.split_at(same);
            rest = after;
            if !mine(path) {
                continue;
            }
            // A list doubles its first value at most; keys are short and trusted.
            let mut needed = room_of(group[0].1) + 4 * path.len() + 16;
            let mut kept = 0;
            for (_, value) in group {
                let more = room_of(value);
                if needed + more > self.room {
                    break;
                }
                needed += more;
                kept += 1;
            }
            self.dropped += (same - kept) as u64;
            let group = &group[..kept];
            if group.is_empty() {
                continue;
            }
            self.room -= needed;
            let (parent, key) = if *path == DNS_QUERY {
                ("dns", "queries")
            } else {
                path.rsplit_once('.').unwrap_or((base, path))
            };
            open = walk(out, base, open, parent);
            values(out, key, group, *path == DNS_QUERY);
        }
        walk(out, base, open, base);
    }
}

/// The most that a value can take: an escape for each byte but plain ones, quotes and comma.
fn room_of(value: &str) -> usize {
    let plain = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    value.as_bytes().iter().map(|b| if plain(b) { 1 } else { 6 }).sum::<usize>() + 16
}

fn is_taken(path: &str) -> bool {
    match path.split_once('.') {
        Some(("ghost", rest)) => !is_ghost_name(rest.split('.').next().unwrap_or(rest)),
        Some((first, _)) => RESERVED.contains(&first),
        None => !is_ghost_name(path),
    }
}

/// Closes and opens objects until `to` is the open one.
fn walk<'p>(out: &mut Vec<u8>, base: &str, mut open: &'p str, to: &'p str) -> &'p str {
    let within = |open: &str| {
        open.is_empty()
            || to == open
            || (to.starts_with(open) && to.as_bytes().get(open.len()) == Some(&b'.'))
    };
    while open.len() > base.len() && !within(open) {
        out.push(b'}');
        open = open.rsplit_once('.').map_or("", |(parent, _)| parent);
    }
    while open.len() < to.len() {
        let start = if open.is_empty() { 0 } else { open.len() + 1 };
        let end = to[start..].find('.').map_or(to.len(), |i| start + i);
        text::key(out, &to[start..end]);
        out.push(b'{');
        open = &to[..end];
    }
    open
}

fn values(out: &mut Vec<u8>, key: &str, group: &[(&'static str, &str)], dns: bool) {
    if dns {
        text::key(out, "rrname");
        text::text(out, group[0].1);
        text::key(out, key);
        out.push(b'[');
        for (_, value) in group {
            text::item(out);
            out.extend_from_slice(b"{\"rrname\":");
            text::text(out, value);
            out.push(b'}');
        }
        out.push(b']');
        return;
    }
    let list = is_list(key);
    if !list {
        text::key(out, key);
        value(out, key, group[0].1);
    }
    if list || group.len() > 1 {
        text::key(out, key);
        if !list {
            // Within the key's quotes: `"sni":` becomes `"snis":`.
            out.truncate(out.len() - 2);
            out.extend_from_slice(plural(key).as_bytes());
            out.extend_from_slice(b"\":");
        }
        out.push(b'[');
        for (_, v) in group {
            text::item(out);
            value(out, key, v);
        }
        out.push(b']');
    }
}

/// A status is a number in EVE, where it is one.
fn value(out: &mut Vec<u8>, key: &str, value: &str) {
    let number = key == "status"
        && (1..=9).contains(&value.len())
        && value.bytes().all(|c| c.is_ascii_digit())
        && (value == "0" || !value.starts_with('0'));
    if number {
        out.extend_from_slice(value.as_bytes());
    } else {
        text::text(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Names;

    fn top(pairs: &[(&'static str, &str)]) -> String {
        let names =
            Names { pairs: pairs.iter().map(|(p, v)| (*p, (*v).into())).collect(), dropped: 0 };
        let mut out = b"{".to_vec();
        let mut sorted = Sorted::new(&names, 1 << 16);
        sorted.write_top(&mut out);
        text::key(&mut out, "ghost");
        out.push(b'{');
        sorted.write_ghost(&mut out);
        out.extend_from_slice(b"}}");
        let text = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).expect("valid JSON");
        text
    }

    #[test]
    fn paths_become_nested_objects() {
        assert_eq!(
            top(&[
                ("tls.version", "TLS 1.3"),
                ("ssh.client.software_version", "OpenSSH_9.2"),
                ("tls.ja3.hash", "aa"),
                ("tls.ja4", "t13"),
                ("ssh.server.software_version", "x"),
                ("ssh.client.hassh", "bb"),
            ]),
            r#"{"ssh":{"client":{"hassh":"bb","software_version":"OpenSSH_9.2"},"server":{"software_version":"x"}},"tls":{"ja3":{"hash":"aa"},"ja4":"t13","version":"TLS 1.3"},"ghost":{}}"#
        );
    }

    #[test]
    fn several_values_stand_under_the_plural() {
        assert_eq!(
            top(&[
                ("http.status", "200"),
                ("http.status", "404"),
                ("tls.sni", "a"),
                ("tls.sni", "b")
            ]),
            r#"{"http":{"status":200,"statuses":[200,404]},"tls":{"sni":"a","snis":["a","b"]},"ghost":{}}"#
        );
    }

    #[test]
    fn a_key_in_the_plural_is_always_a_list() {
        assert_eq!(
            top(&[
                ("tls.alpn", "h2"),
                ("dhcp.vendor_class", "x"),
                ("ghost.objects", "share"),
                ("dhcp.types", "ack")
            ]),
            r#"{"dhcp":{"types":["ack"],"vendor_class":"x"},"tls":{"alpn":["h2"]},"ghost":{"objects":["share"]}}"#
        );
    }

    #[test]
    fn questions_stand_as_eve_writes_them() {
        assert_eq!(
            top(&[
                ("dns.queries.rrname", "a.example"),
                ("dns.rrtypes", "A"),
                ("dns.queries.rrname", "b")
            ]),
            r#"{"dns":{"rrname":"a.example","queries":[{"rrname":"a.example"},{"rrname":"b"}],"rrtypes":["A"]},"ghost":{}}"#
        );
    }

    #[test]
    fn a_name_in_the_place_of_a_fact_is_dropped_and_counted() {
        let names = Names {
            pairs: vec![
                ("flow.start", "x".into()),
                ("ghost.seq", "1".into()),
                ("a.b", "leaf".into()),
                ("a.b.c", "deeper".into()),
                ("seq", "1".into()),
            ],
            dropped: 2,
        };
        let mut sorted = Sorted::new(&names, 1 << 16);
        let mut out = b"{".to_vec();
        sorted.write_top(&mut out);
        assert_eq!(out, br#"{"a":{"b":{"c":"deeper"}}"#);
        assert_eq!(sorted.dropped, 6);
    }

    #[test]
    fn names_stop_where_the_room_ends() {
        let names = Names { pairs: vec![("tls.sni", "x".repeat(5000).into()); 3], dropped: 0 };
        let mut sorted = Sorted::new(&names, 64);
        let mut out = b"{".to_vec();
        sorted.write_top(&mut out);
        assert_eq!((out.as_slice(), sorted.dropped), (b"{".as_slice(), 3));
    }

    #[test]
    fn a_thousand_long_names_have_room_and_of_more_the_first_are_kept() {
        let names = |count: usize| Names {
            pairs: vec![(DNS_QUERY, "x".repeat(240).into()); count],
            dropped: 0,
        };
        for (count, dropped) in [(1000, false), (5000, true)] {
            let names = names(count);
            let mut sorted = Sorted::new(&names, crate::line::NAMES_BYTES_MAX);
            let mut out = b"{".to_vec();
            sorted.write_top(&mut out);
            out.push(b'}');
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let kept = value["dns"]["queries"].as_array().unwrap().len();
            assert_eq!(kept as u64 + sorted.dropped, count as u64);
            assert_eq!(sorted.dropped > 0, dropped, "{kept} of {count}");
            assert!(out.len() <= crate::line::NAMES_BYTES_MAX && kept >= 1000);
        }
    }
}
