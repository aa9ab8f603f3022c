//! A labelled corpus as it lies on disk: captures, what other tools saw in them, and questions.
//!
//! `pcap/`, `truth.jsonl`, `flows.jsonl.gz`, `queries.csv` and `qrels.jsonl.gz`; the two packed
//! files are read through `gzip`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sh::{self, Outcome, read};

/// A flow in either direction: protocol number and both ends, the smaller first.
pub(super) type Key = (u64, (String, u64), (String, u64));

#[derive(Debug, Default)]
pub(super) struct Corpus {
    pub(super) captures: PathBuf,
    pub(super) truth: BTreeMap<String, Truth>,
    /// Flows of each capture.
    pub(super) flows: HashMap<String, BTreeSet<Key>>,
    /// Community IDs of TCP, UDP and SCTP flows of each capture.
    pub(super) community_ids: HashMap<String, BTreeSet<String>>,
    pub(super) queries: Vec<Query>,
    pub(super) labels: BTreeMap<String, Label>,
    /// What others read in each flow, in the order of the file.
    pub(super) docs: Vec<Doc>,
}

/// What a capture is said to be.
#[derive(Debug, Default, Clone)]
pub(super) struct Label {
    pub(super) attack: bool,
    pub(super) tags: BTreeSet<String>,
    /// The collection that it was taken from.
    pub(super) source: String,
}

/// One flow in words, for what searches words alone.
#[derive(Debug)]
pub(super) struct Doc {
    pub(super) file: String,
    pub(super) key: Key,
    /// Port, server names, lookups and hosts.
    pub(super) names: String,
    /// The application as nDPI and tshark call it, with its kind and its risks.
    pub(super) dpi: String,
}

/// What tshark saw in one capture.
#[derive(Debug, Default, Clone)]
pub(super) struct Truth {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) flows: u64,
    pub(super) dns: BTreeSet<String>,
    pub(super) sni: BTreeSet<String>,
    pub(super) hosts: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) id: String,
    pub(super) words: String,
    pub(super) kind: String,
    /// Grade of each relevant capture.
    pub(super) files: HashMap<String, u32>,
    /// Relevant flows: capture, key, grade.
    pub(super) flows: Vec<(String, Key, u32)>,
}

impl Corpus {
    pub(super) fn read(folder: &Path) -> Outcome<Corpus> {
        let mut corpus = Corpus { captures: folder.join("pcap"), ..Corpus::default() };
        for line in read(&folder.join("truth.jsonl"))?.lines() {
            let value = parse(line)?;
            corpus.truth.insert(text(&value["file"]), Truth::of(&value));
        }
        for line in unpacked(&folder.join("flows.jsonl.gz"))?.lines() {
            let flow = parse(line)?;
            let file = text(&flow["file"]);
            let ends = [&flow["src"], &flow["sport"], &flow["dst"], &flow["dport"], &flow["proto"]];
            corpus.docs.push(Doc::of(&flow, key(ends)));
            corpus.flows.entry(file.clone()).or_default().insert(key(ends));
            if let (Some(6 | 17 | 132), Some(id)) = (flow["proto"].as_u64(), flow["cid"].as_str()) {
                corpus.community_ids.entry(file).or_default().insert(id.to_owned());
            }
        }
        corpus.queries = queries(folder)?;
        corpus.labels = labels(folder)?;
        Ok(corpus)
    }

    /// The same with those captures alone; what is relevant elsewhere is relevant no more.
    pub(super) fn of_captures(&self, keep: impl Fn(&str) -> bool) -> Corpus {
        let mut part = Corpus { captures: self.captures.clone(), ..Corpus::default() };
        part.truth.extend(
            self.truth.iter().filter(|(f, _)| keep(f)).map(|(f, t)| (f.clone(), t.clone())),
        );
        part.flows.extend(
            self.flows.iter().filter(|(f, _)| keep(f)).map(|(f, k)| (f.clone(), k.clone())),
        );
        part.labels.extend(
            self.labels.iter().filter(|(f, _)| keep(f)).map(|(f, l)| (f.clone(), l.clone())),
        );
        part.queries = self.queries.iter().map(|query| query.of_captures(&keep)).collect();
        part
    }
}

impl Doc {
    fn of(flow: &Value, key: Key) -> Doc {
        let mut names = vec![port_name(&flow["dport"]), port_name(&flow["sport"])];
        names.extend(["sni", "dns", "host"].iter().flat_map(|field| texts(&flow[*field])));
        let mut dpi = vec![text(&flow["ndpi"]), text(&flow["ndpi_cat"])];
        dpi.extend(["protos", "ndpi_risk"].iter().flat_map(|field| texts(&flow[*field])));
        Doc { file: text(&flow["file"]), key, names: names.join(" "), dpi: dpi.join(" ") }
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map(|list| list.iter().map(text).collect()).unwrap_or_default()
}

/// What a port is registered for; "" for one that is taken by chance.
fn port_name(port: &Value) -> String {
    const NAMES: &[(u64, &str)] = &[
        (20, "ftp-data"),
        (21, "ftp"),
        (22, "ssh"),
        (23, "telnet"),
        (25, "smtp"),
        (53, "domain dns"),
        (67, "bootps dhcp"),
        (68, "bootpc dhcp"),
        (69, "tftp"),
        (80, "http"),
        (88, "kerberos"),
        (110, "pop3"),
        (111, "sunrpc"),
        (119, "nntp"),
        (123, "ntp"),
        (135, "msrpc"),
        (137, "netbios-ns"),
        (138, "netbios-dgm"),
        (139, "netbios-ssn"),
        (143, "imap"),
        (161, "snmp"),
        (162, "snmp-trap"),
        (179, "bgp"),
        (389, "ldap"),
        (443, "https"),
        (445, "microsoft-ds"),
        (465, "submissions"),
        (500, "isakmp"),
        (502, "modbus"),
        (514, "syslog"),
        (515, "printer"),
        (520, "route"),
        (554, "rtsp"),
        (587, "submission"),
        (631, "ipp"),
        (636, "ldaps"),
        (853, "domain-s"),
        (989, "ftps-data"),
        (990, "ftps"),
        (993, "imaps"),
        (995, "pop3s"),
        (1080, "socks"),
        (1194, "openvpn"),
        (1433, "ms-sql-s"),
        (1434, "ms-sql-m"),
        (1521, "oracle"),
        (1723, "pptp"),
        (1812, "radius"),
        (1883, "mqtt"),
        (1900, "ssdp"),
        (2049, "nfs"),
        (3128, "squid"),
        (3268, "msft-gc"),
        (3306, "mysql"),
        (3389, "ms-wbt-server"),
        (4500, "ipsec-nat-t"),
        (5060, "sip"),
        (5061, "sips"),
        (5222, "xmpp-client"),
        (5353, "mdns"),
        (5355, "llmnr"),
        (5432, "postgresql"),
        (5672, "amqp"),
        (5900, "vnc"),
        (6379, "redis"),
        (6653, "openflow"),
        (6667, "irc"),
        (8080, "http-alt"),
        (9092, "kafka"),
        (9100, "jetdirect"),
        (11211, "memcache"),
        (20000, "dnp"),
        (27017, "mongodb"),
        (51820, "wireguard"),
    ];
    let port = port.as_u64().unwrap_or(0);
    NAMES.iter().find(|(p, _)| *p == port).map_or_else(String::new, |(_, name)| (*name).to_owned())
}

/// What the captures are said to be; nothing where there is no such table.
fn labels(folder: &Path) -> Outcome<BTreeMap<String, Label>> {
    let path = folder.join("labels.csv");
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let table = Table::read(&path)?;
    let (file, attack, tags, source) = (
        table.column("file")?,
        table.column("attack")?,
        table.column("tags")?,
        table.column("source_repo")?,
    );
    let label = |row: &Vec<String>| {
        let cell = |at: usize| row.get(at).cloned().unwrap_or_default();
        let tags = cell(tags).split_whitespace().map(str::to_owned).collect();
        (cell(file), Label { attack: cell(attack) == "1", tags, source: cell(source) })
    };
    Ok(table.rows.iter().map(label).collect())
}

/// A comma-separated table and its header.
pub(super) struct Table {
    path: PathBuf,
    header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn read(path: &Path) -> Outcome<Table> {
        let mut rows = csv(&read(path)?);
        let header = if rows.is_empty() { Vec::new() } else { rows.remove(0) };
        Ok(Table { path: path.to_owned(), header, rows })
    }

    pub(super) fn column(&self, name: &str) -> Outcome<usize> {
        let at = self.header.iter().position(|h| h == name);
        at.ok_or_else(|| format!("{}: no column {name}", self.path.display()))
    }
}

impl Truth {
    fn of(value: &Value) -> Truth {
        let number = |key: &str| value[key].as_u64().unwrap_or(0);
        let names = |key: &str| {
            let list = value[key].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().map(|n| canonical(&text(n))).filter(|n| !n.is_empty()).collect()
        };
        Truth {
            packets: number("packets"),
            bytes: number("bytes_wire"),
            flows: number("flows_5tuple"),
            dns: names("dns_names"),
            sni: names("tls_sni"),
            hosts: names("http_hosts"),
        }
    }
}

fn queries(folder: &Path) -> Outcome<Vec<Query>> {
    let path = folder.join("queries.csv");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let table = Table::read(&path)?;
    let (id, words) = (table.column("query_id")?, table.column("query")?);
    let kind = table.column("kind")?;
    let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
    let mut queries: Vec<Query> = table
        .rows
        .iter()
        .map(|row| Query {
            id: cell(row, id),
            words: cell(row, words),
            kind: cell(row, kind),
            ..Query::default()
        })
        .collect();
    for line in unpacked(&folder.join("qrels.jsonl.gz"))?.lines() {
        let grades = parse(line)?;
        let id = text(&grades["query_id"]);
        if let Some(query) = queries.iter_mut().find(|q| q.id == id) {
            query.grade(&grades);
        }
    }
    Ok(queries)
}

impl Query {
    pub(super) fn of_captures(&self, keep: &impl Fn(&str) -> bool) -> Query {
        Query {
            id: self.id.clone(),
            words: self.words.clone(),
            kind: self.kind.clone(),
            files: self
                .files
                .iter()
                .filter(|(f, _)| keep(f))
                .map(|(f, g)| (f.clone(), *g))
                .collect(),
            flows: self.flows.iter().filter(|(f, _, _)| keep(f)).cloned().collect(),
        }
    }

    fn grade(&mut self, grades: &Value) {
        let objects = |key: &str| grades[key].as_object().cloned().unwrap_or_default();
        for (file, grade) in objects("files") {
            self.files.insert(file, small(&grade));
        }
        for (file, flows) in objects("flows") {
            for flow in flows.as_array().map(Vec::as_slice).unwrap_or_default() {
                let t = &flow["t"];
                let key = key([&t[0], &t[1], &t[2], &t[3], &t[4]]);
                self.flows.push((file.clone(), key, small(&flow["g"])));
            }
        }
    }
}

/// A flow's key of source, its port, target, its port, and protocol.
pub(super) fn key([src, sport, dst, dport, proto]: [&Value; 5]) -> Key {
    let number = |v: &Value| v.as_u64().unwrap_or(0);
    let (a, b) = ((address(src), number(sport)), (address(dst), number(dport)));
    if a <= b { (number(proto), a, b) } else { (number(proto), b, a) }
}

/// An address in one spelling.
fn address(value: &Value) -> String {
    let written = value.as_str().unwrap_or_default();
    written.parse::<IpAddr>().map_or_else(|_| written.to_owned(), |ip| ip.to_string())
}

/// A host name in one spelling: lower case, no final dot.
pub(super) fn canonical(name: &str) -> String {
    name.trim().trim_end_matches('.').to_lowercase()
}

fn small(value: &Value) -> u32 {
    value.as_u64().and_then(|g| u32::try_from(g).ok()).unwrap_or(0)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn parse(line: &str) -> Outcome<Value> {
    serde_json::from_str(line).map_err(|e| format!("{e} in {line:.80}"))
}

fn unpacked(path: &Path) -> Outcome<String> {
    sh::output(sh::command("gzip").arg("-dc").arg(path))
}

/// Rows of a comma-separated table with RFC 4180 quotes.
fn csv(table: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    let mut chars = table.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(row) = rows.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(row, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\r' if !quoted => {}
            '\n' if !quoted => rows.push(vec![String::new()]),
            c => push(row, c),
        }
    }
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    rows
}

fn push(row: &mut [String], c: char) {
    if let Some(cell) = row.last_mut() {
        cell.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_quotes_inside_quotes_are_text() {
        let table = "a,b\n\"x,y\",\"he said \"\"no\"\"\"\n";
        assert_eq!(csv(table), [["a", "b"], ["x,y", "he said \"no\""]]);
    }

    #[test]
    fn a_flow_has_one_key_in_both_directions_and_spellings() {
        let flow = |t: Value| key([&t[0], &t[1], &t[2], &t[3], &t[4]]);
        assert_eq!(
            flow(serde_json::json!(["2001:DB8:0::1", 5, "10.0.0.1", 53, 17])),
            flow(serde_json::json!(["10.0.0.1", 53, "2001:db8::1", 5, 17]))
        );
    }
}
