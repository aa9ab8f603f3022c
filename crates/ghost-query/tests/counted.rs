//! Answers that count, group and explain, on a small log: what the figures are, and that what was
//! understood gives the same answer again.

mod common;

use common::{Words, direction, now, tags};
use ghost_index::{Index, OracleIndex, Position};
use ghost_query::{Answer, Ask, Cell, Sources, Table, answer, list};

#[derive(Default)]
struct Log {
    index: OracleIndex,
    lines: u64,
}

struct Flow<'a> {
    src: &'a str,
    dst: &'a str,
    port: u16,
    app: &'a str,
    shape: u64,
    hour: u32,
    bytes: u64,
    more: &'a str,
}

const PLAIN: Flow<'static> = Flow {
    src: "192.168.1.5",
    dst: "10.9.1.1",
    port: 443,
    app: "tls",
    shape: 1,
    hour: 9,
    bytes: 1000,
    more: "",
};

impl Log {
    fn line(&mut self, body: &str) {
        self.lines += 1;
        let line = format!("{body},\"seq\":{},\"prev\":\"00\"}}}}\n", self.lines).into_bytes();
        let len = u32::try_from(line.len()).unwrap();
        self.index.add(&line, Position { segment: 1, offset: self.lines, len }).unwrap();
    }

    fn shape(&mut self, id: u64, text: &str) {
        let shape = ghost_event::line::ShapeLine {
            id: ghost_event::ShapeId(id),
            tuple: text,
            text,
            glossary: 1,
            model: "test",
            vector: &direction(text),
        };
        let mut body = Vec::new();
        ghost_event::line::shape_body(&mut body, &shape);
        self.line(&String::from_utf8(body).unwrap());
    }

    fn flow(&mut self, flow: &Flow<'_>) {
        let Flow { src, dst, port, app, shape, hour, bytes, more } = flow;
        let n = self.lines;
        let names = more.strip_prefix("dns:").map_or(String::new(), |names| {
            let queries: Vec<String> =
                names.split(' ').map(|name| format!("{{\"rrname\":\"{name}\"}}")).collect();
            format!("\"dns\":{{\"queries\":[{}]}},", queries.join(","))
        });
        let behaviours = more
            .strip_prefix("behaviour:")
            .map_or(String::new(), |name| format!(",\"behaviours\":[\"{name}\"]"));
        self.line(&format!(
            "{{\"timestamp\":\"2026-11-19T{hour:02}:01:00.000000+0000\",\"flow_id\":{n},\
             \"event_type\":\"flow\",\"src_ip\":\"{src}\",\"src_port\":40000,\"dest_ip\":\"{dst}\",\
             \"dest_port\":{port},\"proto\":\"TCP\",\"app_proto\":\"{app}\",\"community_id\":\
             \"1:{n}\",\"flow\":{{\"pkts_toserver\":3,\"pkts_toclient\":2,\"bytes_toserver\":{bytes},\
             \"bytes_toclient\":10,\"start\":\"2026-11-19T{hour:02}:00:00.000000+0000\",\
             \"end\":\"2026-11-19T{hour:02}:01:00.000000+0000\"}},{names}\"ghost\":{{\"v\":1,\
             \"shape\":\"{shape:016x}\"{behaviours}"
        ));
    }

    fn change(&mut self, element: &str, action: &str, minute: u32) {
        self.line(&format!(
            "{{\"timestamp\":\"2026-11-19T12:{minute:02}:00.000000+0000\",\"event_type\":\
             \"change\",\"ghost\":{{\"v\":1,\"prio\":\"high\",\"change\":{{\"action\":\"{action}\",\
             \"changed\":[\"up\"]}},\"element\":{{\"id\":\"{element}\",\"type\":\"interface\",\
             \"height\":1,\"prev\":\"00\"}}"
        ));
    }

    fn ask(&self, words: &str) -> Answer {
        self.asked(words, |ask| ask)
    }

    fn asked(&self, words: &str, how: impl Fn(Ask<'_>) -> Ask<'_>) -> Answer {
        let (now, tags) = (now(), tags());
        let sources = Sources { index: &self.index, tail: None };
        answer(words, &how(Ask::new(&now, &tags)), &sources, &mut Words).unwrap()
    }
}

/// Two talkers, three servers, names, guessing, and an interface that failed at 12:30.
fn sample() -> Log {
    let mut log = Log::default();
    log.shape(1, "TLS encrypted web");
    log.shape(2, "DNS name lookup");
    log.shape(3, "brute force attack, password guessing, SSH");
    for hour in [9, 9, 13] {
        log.flow(&Flow { hour, ..PLAIN });
    }
    log.flow(&Flow { src: "192.168.1.6", bytes: 50_000, dst: "10.9.1.2", ..PLAIN });
    let dns = Flow { port: 53, app: "dns", shape: 2, dst: "10.1.0.1", ..PLAIN };
    log.flow(&Flow { more: "dns:www.example.com example.com", ..dns });
    log.flow(&Flow { more: "dns:www.example.com", hour: 13, ..dns });
    log.flow(&Flow { more: "dns:api.example.org", hour: 12, src: "192.168.1.7", ..dns });
    let ssh = Flow { port: 22, app: "ssh", shape: 3, dst: "10.1.0.2", bytes: 200, ..PLAIN };
    for _ in 0..40 {
        log.flow(&Flow { src: "203.0.113.1", more: "behaviour:brute_force", ..ssh });
    }
    for _ in 0..7 {
        log.flow(&Flow { src: "203.0.113.2", more: "behaviour:brute_force", hour: 13, ..ssh });
    }
    log.change("interface:eth0", "down", 10);
    log.change("interface:eth1", "down", 30);
    log.change("interface:eth1", "up", 40);
    log
}

fn table(answer: &Answer) -> &Table {
    answer.table.as_ref().unwrap_or_else(|| panic!("no table: {}", answer.understood))
}

/// The first two columns of the rows.
fn rows(answer: &Answer) -> Vec<(String, u64)> {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Time(ns) => (ns / 3_600_000_000_000 % 24).to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Thousandths(of) => of.to_string(),
    };
    let number = |cell: Option<&Cell>| match cell {
        Some(Cell::Number(number)) => *number,
        other => panic!("{other:?}"),
    };
    table(answer).rows.iter().map(|row| (text(&row[0]), number(row.get(1)))).collect()
}

fn row(name: &str, number: u64) -> (String, u64) {
    (name.to_owned(), number)
}

#[test]
fn who_talks_most_is_told_in_bytes_and_largest_first() {
    let log = sample();
    let found = log.ask("who talks most to production");
    assert_eq!(found.understood, "dst:tag:production by:src sum:bytes");
    assert_eq!(rows(&found), [row("192.168.1.6", 50_010), row("192.168.1.5", 3030)]);
    assert!(found.hits.is_empty());
    assert!(table(&found).told.starts_with("2 different src; in all 4 flows, 53,040 bytes"));
    let found = log.ask("which host sends the most data");
    assert_eq!(rows(&found)[0], row("192.168.1.6", 50_000));
}

#[test]
fn top_names_are_whole_names_and_not_the_domains_above_them() {
    let found = sample().ask("top DNS names");
    assert_eq!(rows(&found), [row("www.example.com", 2), row("api.example.org", 1)]);
}

#[test]
fn how_many_counts_what_was_named_and_nothing_else() {
    let log = sample();
    let found = log.ask("how many brute force attempts");
    assert_eq!(found.understood, "behaviour:brute_force sum:flows");
    assert_eq!(table(&found).rows[0][0], Cell::Number(47));
    let found = log.ask("how many hosts use ssh");
    assert_eq!(rows(&found).len(), 2);
    assert!(table(&found).told.starts_with("2 different src"), "{}", table(&found).told);
    let found = log.ask("how many purple sessions");
    assert!(found.notes.iter().any(|note| note.contains("purple")), "{:?}", found.notes);
    let found = log.ask("how many telnet sessions");
    assert_eq!(found.notes, ["nothing meets the conditions"]);
}

#[test]
fn a_course_over_time_has_a_row_for_every_stretch_even_without_a_flow() {
    let found = sample().ask("tls flows per hour");
    assert_eq!(rows(&found), [row("9", 3), row("10", 0), row("11", 0), row("12", 0), row("13", 1)]);
    let found = sample().ask("trend of brute force");
    assert!(found.understood.ends_with("per:10m"), "{}", found.understood);
}

#[test]
fn several_dimensions_and_facts_are_counted_together() {
    let log = sample();
    let found = log.ask("by:src,dst sum:flows top:1");
    let first = &table(&found).rows[0];
    assert_eq!(first[..2], [Cell::Text("203.0.113.1".into()), Cell::Text("10.1.0.2".into())]);
    assert_eq!((first[2].clone(), table(&found).rows.len()), (Cell::Number(40), 1));
    let found = log.ask("app:ssh by:src,dport per:1h");
    assert_eq!(table(&found).columns[0].name, "from");
    assert_eq!(table(&found).rows.len(), 2);
    let found = log.ask("by:app least:1");
    assert_eq!(rows(&found), [row("dns", 3)]);
    let (now, tags) = (now(), tags());
    let sources = Sources { index: &log.index, tail: None };
    let found = list("app:tls by:dst", &Ask::new(&now, &tags), &sources).unwrap();
    assert_eq!(rows(&found), [row("10.9.1.1", 3), row("10.9.1.2", 1)]);
}

#[test]
fn before_the_failure_is_before_the_newest_one_or_that_of_the_element_named() {
    let log = sample();
    let found = log.ask("dns an hour before the failure");
    assert!(
        found.understood.contains("since:2026-11-19T11:30:00Z until:2026-11-19T12:30:00Z"),
        "{}",
        found.understood
    );
    assert!(found.notes.iter().any(|note| note.contains("event 59")), "{:?}", found.notes);
    let found = log.ask("dns 20 minutes before eth0 went down");
    assert!(found.understood.contains("until:2026-11-19T12:10:00Z"), "{}", found.understood);
    let found = log.ask("dns before br7 went down");
    assert!(found.notes.iter().any(|note| note.contains("no failure of br7")), "{:?}", found.notes);
    assert!(!found.understood.contains("failure"), "{}", found.understood);
}

#[test]
fn hits_that_say_the_same_are_one_with_their_exact_number() {
    let log = sample();
    let each = log.ask("someone guessing ssh passwords");
    assert_eq!(each.hits.len(), 20);
    assert!(each.hits.iter().all(|hit| hit.also == 0));
    let grouped = log.asked("someone guessing ssh passwords", |ask| Ask { grouped: true, ..ask });
    let also: Vec<u64> = grouped.hits.iter().map(|hit| hit.also).collect();
    assert_eq!(also[..2], [6, 39], "{grouped:?}");
    assert_eq!(grouped.hits[0].seq, each.hits[0].seq);
    let keys: std::collections::HashSet<u64> = grouped.hits.iter().map(|h| h.group_key).collect();
    assert_eq!(keys.len(), grouped.hits.len());
    // However few are shown, the number is of all.
    let one =
        log.asked("someone guessing ssh passwords", |ask| Ask { grouped: true, limit: 1, ..ask });
    assert_eq!((one.hits.len(), one.hits[0].also), (1, 6));
}

#[test]
fn the_parts_of_a_score_sum_to_it() {
    let log = sample();
    for words in [
        "someone guessing ssh passwords",
        "ordinary tls sessions",
        "name lookups",
        "dns but not www.example.com",
        "encrypted web instead of ssh",
    ] {
        let found = log.asked(words, |ask| Ask { explained: true, ..ask });
        assert!(!found.hits.is_empty(), "{words}");
        for hit in &found.hits {
            let sum: f32 = hit.parts.iter().map(ghost_query::ScorePart::adds).sum();
            assert!((sum - hit.score).abs() < 1e-3, "{words}: {sum} {hit:?}");
            assert!(hit.parts.iter().all(|part| !part.name.is_empty() && !part.why.is_empty()));
        }
    }
    assert!(log.ask("name lookups").hits.iter().all(|hit| hit.parts.is_empty()));
}

/// Pieces of questions, of every kind of understanding.
const PIECES: &[&str] = &[
    "ssh",
    "dns",
    "guessing passwords",
    "encrypted web",
    "from 192.168.1.5",
    "to production",
    "not dns",
    "except tls",
    "port 443",
    "udp port 53",
    "more than 1 kB",
    "less than 2 kB",
    "yesterday",
    "last night",
    "since yesterday 10am",
    "before the failure",
    "how many",
    "top 3 talkers",
    "top DNS names",
    "per hour",
    "who talks most",
    "by bytes",
    "*.example.com",
    "www.example.com",
    "longer than 5 seconds",
    "inbound",
    "least used protocols",
    "over time",
    "~app:ssh^0.7",
    "-port:22",
    "by:dport",
    "sum:packets",
    "\"quoted words\"",
    "strange",
    "and the like",
    "traffic",
    "sessions",
    "failure:around@eth0",
    "vlan 7",
    "is:ipv4",
];

#[test]
fn what_was_understood_gives_the_same_answer_again() {
    let log = sample();
    bolero::check!().with_type::<[u8; 4]>().with_iterations(600).for_each(|picks| {
        let words: Vec<&str> =
            picks.iter().map(|pick| PIECES[usize::from(*pick) % PIECES.len()]).collect();
        let words = words.join(" ");
        let first = log.asked(&words, |ask| Ask { grouped: true, explained: true, ..ask });
        let again =
            log.asked(&first.understood, |ask| Ask { grouped: true, explained: true, ..ask });
        assert_eq!(again.understood, first.understood, "{words}");
        assert_eq!(again.table, first.table, "{words}");
        assert_eq!(again.hits, first.hits, "{words}");
    });
}
