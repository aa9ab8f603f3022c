//! What is like a host, a window and an element; what a minute looks like; what two differ in: on a
//! small log.

mod common;

use common::{Words, direction, now};
use ghost_event::ShapeId;
use ghost_index::{Index, OracleIndex, Position};
use ghost_query::{
    Answer, Ask, Cell, Like, Part, PatternAsk, QueryError, Sources, Tags, compare, patterns,
    similar,
};

#[derive(Default)]
struct Log {
    index: OracleIndex,
    lines: u64,
}

/// What a flow is: application, port, shape, behaviour.
type Is = (&'static str, u16, u64, &'static str);

const WEB: Is = ("tls", 443, 1, "");
const DNS: Is = ("dns", 53, 2, "");
const PRINT: Is = ("ipp", 631, 3, "");
const SCAN: Is = ("", 4444, 4, "port_scan");
const GUESS: Is = ("ssh", 22, 5, "brute_force");

impl Log {
    fn new() -> Log {
        let mut log = Log::default();
        for (id, tuple, text) in [
            (1, "app=tls|transport=tcp", "web browsing over TLS"),
            (2, "app=dns|transport=udp", "DNS domain name lookup"),
            (3, "app=ipp|transport=tcp|dst=internal.printer", "printing on a printer"),
            (4, "transport=tcp|behaviours=port_scan", "port scan reconnaissance probes"),
            (
                5,
                "app=ssh|transport=tcp|behaviours=brute_force",
                "brute force password guessing SSH",
            ),
            (6, "app=ssh|transport=tcp", "SSH secure shell remote login"),
        ] {
            log.shape(id, tuple, text);
        }
        log
    }

    fn line(&mut self, body: &str) {
        self.lines += 1;
        let seq = self.lines;
        let line = format!("{body},\"seq\":{seq},\"prev\":\"00\"}}}}\n");
        let len = u32::try_from(line.len()).unwrap();
        self.index.add(line.as_bytes(), Position { segment: 1, offset: seq, len }).unwrap();
    }

    fn shape(&mut self, id: u64, tuple: &str, text: &str) {
        let vector = direction(text);
        let shape = ghost_event::line::ShapeLine {
            id: ShapeId(id),
            tuple,
            text,
            glossary: 1,
            model: "test",
            vector: &vector,
        };
        let mut body = Vec::new();
        ghost_event::line::shape_body(&mut body, &shape);
        self.line(&String::from_utf8(body).unwrap());
    }

    /// A flow of `second` past nine.
    fn flow(&mut self, second: u32, src: &str, dst: &str, is: Is, more: &str) {
        let (app, port, shape, behaviour) = is;
        let n = self.lines;
        let at = |s: u32| {
            format!("2026-11-20T{:02}:{:02}:{:02}.000000+0000", 9 + s / 3600, s / 60 % 60, s % 60)
        };
        let behaviours = if behaviour.is_empty() {
            String::new()
        } else {
            format!(r#","behaviours":["{behaviour}"]"#)
        };
        self.line(&format!(
            r#"{{"timestamp":"{end}","flow_id":{n},"event_type":"flow","in_iface":"eth0","src_ip":"{src}","src_port":40000,"dest_ip":"{dst}","dest_port":{port},"proto":"TCP","app_proto":"{app}","community_id":"1:{n}","flow":{{"pkts_toserver":3,"bytes_toserver":1000,"bytes_toclient":500,"start":"{start}","end":"{end}"}}{more},"ghost":{{"v":1,"shape":"{shape:016x}"{behaviours}"#,
            start = at(second),
            end = at(second + 1),
        ));
    }

    fn change(&mut self, id: &str, action: &str) {
        self.line(&format!(
            r#"{{"timestamp":"2026-11-20T09:00:00.000000+0000","event_type":"change","ghost":{{"v":1,"change":{{"action":"{action}","changed":["up"]}},"element":{{"id":"{id}","type":"interface"}}"#
        ));
    }

    fn ask<T>(&self, limit: usize, ask: impl FnOnce(&Ask<'_>, &Sources<'_>) -> T) -> T {
        let (now, tags) = (now(), Tags::default());
        let sources = Sources { index: &self.index, tail: None };
        ask(&Ask { limit, ..Ask::new(&now, &tags) }, &sources)
    }

    fn patterns(&self, text: &str) -> Answer {
        let asked = PatternAsk::parse(text).unwrap();
        self.ask(20, |ask, sources| patterns(&asked, ask, sources, &mut Words)).unwrap()
    }

    fn like(&self, text: &str) -> Result<Answer, QueryError> {
        self.ask(20, |ask, sources| similar(&Like::parse(text), ask, sources, &mut |_| None))
    }

    fn compare(&self, text: &str) -> Answer {
        self.ask(40, |ask, sources| compare(text, ask, sources)).unwrap()
    }
}

/// An hour: browsing and lookups in every minute, a scan in minute 20, guessing in minute 40.
fn an_hour() -> Log {
    let mut log = Log::new();
    for minute in 0..60 {
        for n in 0..10 {
            let second = minute * 60 + n * 5;
            log.flow(
                second,
                "10.0.0.5",
                "93.184.216.34",
                WEB,
                r#","tls":{"sni":"www.example.com"}"#,
            );
            log.flow(second, "10.0.0.5", "10.0.0.1", DNS, "");
        }
        if minute == 20 {
            for n in 0..40 {
                log.flow(minute * 60 + n, "10.0.0.66", "10.0.0.9", SCAN, "");
            }
        }
        if minute == 40 {
            for n in 0..25 {
                log.flow(minute * 60 + n, "10.0.0.77", "10.0.0.8", GUESS, "");
            }
        }
        if minute == 45 {
            // One that is marked by mistake.
            log.flow(minute * 60, "10.0.0.5", "10.0.0.8", GUESS, "");
        }
    }
    log
}

/// A column of an answer's table as text.
fn column(answer: &Answer, name: &str) -> Vec<String> {
    let table = answer.table.as_ref().expect("a table");
    let at = table.columns.iter().position(|c| c.name == name).expect(name);
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(n) => n.to_string(),
        Cell::Time(ns) => jiff::Timestamp::from_nanosecond((*ns).into()).unwrap().to_string(),
        Cell::Thousandths(n) => n.to_string(),
    };
    table.rows.iter().map(|row| text(&row[at])).collect()
}

/// Whether the flows that a row lists are there.
fn listed(log: &Log, filters: &str) -> u64 {
    let (now, tags) = (now(), Tags::default());
    let sources = Sources { index: &log.index, tail: None };
    ghost_query::list(filters, &Ask::new(&now, &tags), &sources).unwrap().searched.matched
}

#[test]
fn the_minute_of_an_attack_is_the_first_that_looks_like_its_name() {
    let log = an_hour();
    for (words, minute, pattern) in [
        ("port scan", "20", "port scan"),
        ("nmap", "20", "port scan"),
        ("brute force", "40", "brute force"),
        ("guessed passwords app:ssh", "40", "brute force"),
    ] {
        let answer = log.patterns(&format!("match {words}"));
        assert_eq!(column(&answer, "from")[0], format!("2026-11-20T09:{minute}:00Z"), "{words}");
        assert_eq!(column(&answer, "pattern")[0], pattern);
        let scores: Vec<i64> =
            column(&answer, "score").iter().map(|s| s.parse().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        assert!(scores[0] > 500, "{scores:?}");
        let list = &column(&answer, "list")[0];
        let flows: u64 = column(&answer, "flows")[0].parse().unwrap();
        assert_eq!(listed(&log, list), flows, "{list}");
        // The evidence is one of them.
        let seq = &column(&answer, "seq")[0];
        assert_eq!(listed(&log, &format!("{list} seq:{seq}")), 1, "{list} {seq}");
    }
}

#[test]
fn words_that_name_no_pattern_are_found_by_what_they_mean() {
    let log = an_hour();
    let answer = log.patterns("match remote login by SSH");
    assert_eq!(column(&answer, "from")[0], "2026-11-20T09:40:00Z", "{answer:?}");
}

#[test]
fn a_flow_that_is_marked_by_mistake_stands_far_behind() {
    let answer = an_hour().patterns("match brute force");
    let scores: Vec<i64> = column(&answer, "score").iter().map(|s| s.parse().unwrap()).collect();
    assert_eq!(column(&answer, "from")[1], "2026-11-20T09:45:00Z");
    assert!(scores[1] * 3 < scores[0], "{scores:?}");
}

#[test]
fn now_is_told_beside_what_was_before() {
    let log = an_hour();
    let answer = log.patterns("now at 2026-11-20T09:20");
    assert_eq!(column(&answer, "pattern")[0], "port scan");
    assert_eq!(column(&answer, "earlier")[0], "in none of 20 earlier windows");
    assert!(column(&answer, "pattern").contains(&"web browsing".to_owned()), "{answer:?}");
    assert!(answer.notes.iter().any(|n| n.starts_with("most like it were ")), "{:?}", answer.notes);
    // The newest there is; ten o'clock, where the questions are asked half an hour later.
    let answer = log.patterns("now");
    assert!(!column(&answer, "pattern").contains(&"port scan".to_owned()));
    assert!(answer.notes.iter().any(|n| n == "nothing is newer than this window"));
}

#[test]
fn a_trend_tells_when_and_how_often() {
    let log = an_hour();
    let answer = log.patterns("trend");
    let at = column(&answer, "pattern").iter().position(|p| p == "port scan").unwrap();
    assert_eq!(column(&answer, "windows")[at], "1");
    assert_eq!(column(&answer, "peak")[at], "2026-11-20T09:20:00Z");
    assert_eq!(column(&answer, "trend")[at], "");
    let web = column(&answer, "pattern").iter().position(|p| p == "web browsing");
    assert!(web.is_none() || column(&answer, "trend")[web.unwrap()] == "steady");
    let answer = log.patterns("trend port scan window 10m");
    assert_eq!(column(&answer, "flows"), ["0", "0", "40", "0", "0", "0"]);
    assert_eq!(
        column(&answer, "of"),
        ["200", "200", "240", "200", "225", "200"][..]
            .iter()
            .enumerate()
            .map(|(i, s)| if i == 4 { "226".to_owned() } else { (*s).to_owned() })
            .collect::<Vec<_>>()
    );
}

#[test]
fn the_library_is_listed_with_its_marks() {
    let answer = Log::new().patterns("list");
    let at = column(&answer, "pattern").iter().position(|p| p == "ddos").unwrap();
    assert_eq!(column(&answer, "marks")[at], "behaviour:flood behaviour:amplification");
}

#[test]
fn hosts_are_like_those_that_do_the_same_and_not_like_their_partners() {
    let mut log = an_hour();
    // Two printers in two nets, another scanner, another server of the web.
    for n in 0..20 {
        log.flow(n, "10.0.0.5", "10.0.0.200", PRINT, "");
        log.flow(n, "172.16.0.7", "172.16.0.201", PRINT, "");
        log.flow(n, "172.16.0.66", "10.0.0.5", SCAN, "");
        log.flow(n, "172.16.0.7", "203.0.113.9", WEB, "");
    }
    let first = |host: &str| column(&log.like(host).unwrap(), "host")[0].clone();
    assert_eq!(first("host:10.0.0.200"), "172.16.0.201");
    assert_eq!(first("host:10.0.0.66"), "172.16.0.66");
    assert_eq!(first("host:93.184.216.34"), "203.0.113.9");
    assert_eq!(first("host:www.example.com"), "203.0.113.9");
    let answer = log.like("10.0.0.200").unwrap();
    assert!(column(&answer, "why")[0].contains("both are asked for: ipp"), "{answer:?}");
    assert_eq!(column(&answer, "list")[0], "host:172.16.0.201");
    let scores: Vec<i64> = column(&answer, "score").iter().map(|s| s.parse().unwrap()).collect();
    assert!(scores[0] > 900 && scores[1] < 700, "{scores:?}");
    let missing = log.like("host:10.99.99.99").unwrap_err().to_string();
    assert!(missing.contains("10.99.99.99"), "{missing}");
}

#[test]
fn windows_are_like_those_in_which_the_same_went_on() {
    let mut log = an_hour();
    for n in 0..30 {
        log.flow(50 * 60 + n, "10.0.0.67", "10.0.0.9", SCAN, "");
    }
    let answer = log.like("2026-11-20T09:20..09:21").unwrap();
    assert_eq!(column(&answer, "from")[0], "2026-11-20T09:50:00Z");
    assert!(column(&answer, "why")[0].starts_with("both: tcp port_scan"), "{answer:?}");
    let around = log.like("around 2026-11-20T09:20:30 window 1m").unwrap();
    assert_eq!(around.table, answer.table);
    assert!(log.like("2026-11-21T09:20..09:21").is_err());
    assert!(log.like("whenever").is_err());
}

#[test]
fn elements_are_like_those_of_which_the_same_became() {
    let mut log = an_hour();
    for (id, actions) in [
        ("interface:eth0", ["up", "down", "up"]),
        ("interface:eth1", ["up", "down", "up"]),
        ("bridge:br0", ["added", "changed", "removed"]),
    ] {
        actions.iter().for_each(|action| log.change(id, action));
    }
    let answer = log.like("element:interface:eth1").unwrap();
    assert_eq!(column(&answer, "element"), ["interface:eth0", "bridge:br0"]);
    assert!(column(&answer, "why")[0].contains("both were: down, up"), "{answer:?}");
    assert!(log.like("element:interface:eth9").is_err());
}

#[test]
fn a_comparison_tells_the_attack_first_and_takes_lengths_out() {
    let log = an_hour();
    let answer = log.compare("2026-11-20T09:00..09:20 vs 2026-11-20T09:20..09:21");
    let of = |name: &str| column(&answer, name);
    let rows: Vec<String> =
        of("what").iter().zip(of("value")).map(|(a, b)| format!("{a} {b}")).collect();
    assert_eq!((rows[0].as_str(), of("change")[0].as_str()), ("behaviour port_scan", "new"));
    assert!(rows[..5].contains(&"source 10.0.0.66".to_owned()), "{rows:?}");
    // Ten lookups a minute before and after are no difference, twenty times as many though they be.
    assert!(!rows.contains(&"application dns".to_owned()), "{rows:?}");
    assert_eq!((of("a_flows")[0].as_str(), of("b_flows")[0].as_str()), ("0", "40"));
    for (list, flows) in of("list").iter().zip(of("b_flows")).take(5) {
        assert_eq!(listed(&log, list).to_string(), flows, "{list}");
    }
    let turned = log.compare("2026-11-20T09:20..09:21 vs 2026-11-20T09:00..09:20");
    assert_eq!(column(&turned, "change")[0], "gone");
}

#[test]
fn two_hosts_are_compared_by_what_they_ask_and_serve() {
    let log = an_hour();
    let answer = log.compare("host:10.0.0.5 vs host:10.0.0.66");
    let rows: Vec<String> = ["change", "what", "value"]
        .map(|name| column(&answer, name))
        .into_iter()
        .reduce(|a, b| a.iter().zip(b).map(|(a, b)| format!("{a} {b}")).collect())
        .unwrap();
    assert_eq!(rows[0], "new behaviour port_scan");
    for row in [
        "new asks 10.0.0.9",
        "gone asks 10.0.0.1",
        "gone application dns",
        "gone name www.example.com",
    ] {
        assert!(rows.contains(&row.to_owned()), "{row}: {rows:?}");
    }
    assert!(!rows.iter().any(|row| row.contains("name example.com") || row.contains("10.0.0.66")));
    let at = rows.iter().position(|row| row == "new asks 10.0.0.9").unwrap();
    assert_eq!(column(&answer, "list")[at], "src:10.0.0.66 dst:10.0.0.9");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let log = an_hour();
    for text in ["10:00..10:05", "host:10.0.0.5 vs 10:00..10:05", "a vs b", ""] {
        let refused = log.ask(10, |ask, sources| compare(text, ask, sources));
        assert!(refused.is_err(), "{text}");
    }
}

#[test]
fn a_span_and_a_filter_narrow_every_answer() {
    let log = an_hour();
    let (now, tags) = (now(), Tags::default());
    let sources = Sources { index: &log.index, tail: None };
    let also = vec![Part::parse("since:2026-11-20T09:30", &now, &tags).unwrap().unwrap()];
    let ask = Ask { also, limit: 20, ..Ask::new(&now, &tags) };
    let asked = PatternAsk::parse("match port scan").unwrap();
    let answer = patterns(&asked, &ask, &sources, &mut Words).unwrap();
    assert!(!column(&answer, "from").contains(&"2026-11-20T09:20:00Z".to_owned()));
    let answer = log.patterns("match port scan src:10.0.0.5");
    assert_ne!(column(&answer, "from").first().map(String::as_str), Some("2026-11-20T09:20:00Z"));
}

#[test]
fn no_text_makes_a_question_panic() {
    let log = an_hour();
    bolero::check!().with_type::<String>().with_iterations(300).for_each(|text| {
        let _ = log.like(text);
        let _ = log.ask(5, |ask, sources| compare(text, ask, sources));
        if let Ok(asked) = PatternAsk::parse(&format!("match {text}")) {
            let _ = log.ask(5, |ask, sources| patterns(&asked, ask, sources, &mut Words));
        }
    });
}
