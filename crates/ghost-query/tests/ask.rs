//! Questions on a small log: what is understood, what is found, and why.

mod common;

use common::{Words, direction, now, tags};
use ghost_index::{Index, OracleIndex, Order, Position};
use ghost_query::{
    Answer, Ask, Encode, Key, Like, Meant, Mode, QueryError, Sources, Tags, answer, list, similar,
    understand,
};
use jiff::Zoned;

struct Log {
    index: OracleIndex,
    lines: Vec<Vec<u8>>,
}

impl Log {
    fn new() -> Log {
        Log { index: OracleIndex::new(), lines: Vec::new() }
    }

    fn line(&mut self, body: &str) {
        let seq = self.lines.len() as u64 + 1;
        let line = format!("{body},\"seq\":{seq},\"prev\":\"00\"}}}}\n").into_bytes();
        let len = u32::try_from(line.len()).unwrap();
        self.index.add(&line, Position { segment: 1, offset: seq, len }).unwrap();
        self.lines.push(line);
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

    fn flow(&mut self, dest: &str, port: u16, app: &str, shape: u64, more: &str) {
        let n = self.lines.len();
        self.line(&format!(
            r#"{{"timestamp":"2026-11-19T14:{:02}:00.000000+0000","flow_id":{n},"event_type":"flow","src_ip":"192.168.1.5","src_port":40000,"dest_ip":"{dest}","dest_port":{port},"proto":"TCP","app_proto":"{app}","community_id":"1:{n}","flow":{{"pkts_toserver":3,"bytes_toserver":{}000,"start":"2026-11-19T14:00:00.000000+0000","end":"2026-11-19T14:01:00.000000+0000"}},"ghost":{{"v":1,"shape":"{shape:016x}"{more}"#,
            n % 60,
            n,
        ));
    }

    fn ask(&self, words: &str) -> Answer {
        let (now, tags) = (now(), tags());
        let sources = Sources { index: &self.index, tail: None };
        answer(words, &Ask::new(&now, &tags), &sources, &mut Words).unwrap()
    }
}

fn sample() -> Log {
    let mut log = Log::new();
    log.shape(1, "SSH secure shell remote login");
    log.shape(2, "brute force attack, password guessing, SSH secure shell remote login");
    log.shape(3, "DNS domain name lookup");
    log.shape(4, "PostgreSQL postgres SQL database queries");
    log.flow("10.9.1.1", 22, "ssh", 1, "");
    log.flow("10.1.1.1", 22, "ssh", 1, "");
    log.flow("10.1.1.2", 22, "ssh", 2, r#","behaviours":["brute_force"]"#);
    log.flow("8.8.8.8", 53, "dns", 3, "");
    log.flow("10.9.1.2", 5432, "pgsql", 4, "");
    log.flow("203.0.113.9", 443, "tls", 0, r#","dest_name":"www.example.com""#);
    log
}

fn seqs(answer: &Answer) -> Vec<u64> {
    answer.hits.iter().map(|h| h.seq).collect()
}

#[test]
fn guessed_passwords_come_before_other_logins() {
    let answer = sample().ask("someone guessing ssh passwords");
    assert_eq!(seqs(&answer)[0], 7, "{answer:?}");
    assert!(answer.hits[0].why.iter().any(|w| w == "behaviour:brute_force"), "{answer:?}");
    assert!(answer.understood.contains("~behaviour:brute_force"), "{}", answer.understood);
}

impl Log {
    fn link(&mut self, proto: &str, app: &str, addresses: &str, more: &str) {
        let n = self.lines.len();
        self.line(&format!(
            r#"{{"timestamp":"2026-11-19T14:{:02}:00.000000+0000","flow_id":{n},"event_type":"flow",{addresses}"proto":"{proto}","app_proto":"{app}","vlan":[7],"flow":{{"pkts_toserver":3,"start":"2026-11-19T14:00:00.000000+0000","end":"2026-11-19T14:01:00.000000+0000"}},"ghost":{{"v":1,"shape":"0000000000000000"{more}"#,
            n % 60,
        ));
    }
}

/// The sample, and behind it an ARP record (11), a frame of nothing known (12), a spanning tree
/// (13), an ARP scan (14) and a flow with a VLAN tag (15).
fn with_link_records() -> Log {
    let mut log = sample();
    let addresses = r#""src_ip":"192.168.1.5","dest_ip":"192.168.1.6","#;
    log.link("ARP", "arp", addresses, "");
    log.link("0x00aa", "", "", "");
    log.link("STP", "stp", "", "");
    let network = r#""src_ip":"192.168.1.9","dest_ip":"192.168.1.0","#;
    log.link("ARP", "arp", network, r#","behaviours":["arp_scan"]"#);
    log.link("UDP", "dns", addresses, "");
    log
}

#[test]
fn records_below_ip_answer_only_who_asks_for_them() {
    let log = with_link_records();
    assert_eq!(seqs(&log.ask("tagged VLAN frames"))[0], 15);
    let below = [11, 12, 13, 14];
    assert!(seqs(&log.ask("tagged VLAN frames")).iter().all(|s| !below[..3].contains(s)));
    assert!(seqs(&log.ask("name lookups")).iter().all(|s| !below.contains(s)));
    assert_eq!(seqs(&log.ask("spanning tree"))[0], 13);
    assert_eq!(seqs(&log.ask("ARP scan of the LAN")), [14]);
    assert!(seqs(&log.ask("who has asked by ARP")).starts_with(&[14, 11]));
    assert_eq!(seqs(&log.ask("vlan:7")).len(), 5);
}

#[test]
fn a_slip_of_the_pen_is_read_as_what_it_was_meant_for() {
    let (now, tags) = (now(), tags());
    let check = |words: &str, want: &str, not: bool| {
        let got = understand(words, &now, &tags).unwrap().to_string();
        assert_eq!(got.contains(want), !not, "{words}: {got}");
    };
    check("wirguard peers", "app:wireguard", false);
    check("kerbreos tickets", "app:krb5", false);
    check("bittorent downloads", "app:bittorrent", false);
    // Words of their own are no slips.
    check("rooting an android", "app:bgp", true);
}

#[test]
fn an_application_called_by_its_name_stands_before_its_kind() {
    let (now, tags) = (now(), tags());
    let got = understand("MPLS labels", &now, &tags).unwrap().to_string();
    assert!(got.contains("~app:mpls,ldp,rsvp") && got.contains("~app:mpls^0.4"), "{got}");
    let got = understand("label switching", &now, &tags).unwrap().to_string();
    assert!(!got.contains("~app:mpls^0.4"), "{got}");
}

#[test]
fn a_tag_in_the_words_is_a_condition_on_its_side() {
    let answer = sample().ask("show me SSH traffic to production servers");
    assert!(answer.understood.contains("dst:tag:production"), "{}", answer.understood);
    assert_eq!(seqs(&answer)[0], 5);
    assert!(!seqs(&answer).contains(&6), "{:?}", seqs(&answer));
}

#[test]
fn entities_are_conditions() {
    let log = sample();
    assert_eq!(seqs(&log.ask("traffic to 8.8.8.8")), [8]);
    assert_eq!(seqs(&log.ask("anything on port 5432")), [9]);
    assert_eq!(seqs(&log.ask("requests for *.example.com")), [10]);
    assert_eq!(seqs(&log.ask("dst:10.9.0.0/16 -app:ssh")), [9]);
    assert_eq!(seqs(&log.ask("ssh since yesterday 15:00")), [] as [u64; 0]);
    assert!(!seqs(&log.ask("ssh last night")).contains(&5));
}

#[test]
fn what_was_understood_asks_the_same_again() {
    let log = sample();
    for words in [
        "someone guessing ssh passwords",
        "show me SSH traffic to production servers",
        "database connections more than 1 kB yesterday",
        "lookups except dns",
        "strange \"quoted words\" about netflix",
        "bytes:>1kB ~app:ssh^0.5 port:22",
    ] {
        let first = log.ask(words);
        let again = log.ask(&first.understood);
        assert_eq!(again.understood, first.understood, "{words}");
        assert_eq!(again.hits, first.hits, "{words}");
    }
}

#[test]
fn exclusions_exclude() {
    let answer = sample().ask("remote logins but not ssh");
    assert!(answer.understood.contains("-app:ssh"), "{}", answer.understood);
    assert!(seqs(&answer).iter().all(|s| ![5, 6, 7].contains(s)), "{answer:?}");
}

#[test]
fn an_unknown_key_is_an_error_with_a_hint() {
    let (now, tags) = (now(), tags());
    let check = |words: &str, want: &str| {
        let error = understand(words, &now, &tags).unwrap_err().to_string();
        assert!(error.contains(want), "{words}: {error}");
    };
    check("ap:ssh", "did you mean app:?");
    check("behaviour:dancing", "port_scan");
    check("src:tag:nowhere", "tags.toml");
    check("port:70000", "65535");
    check("host:10.0.0.0/40", "CIDR");
    check("since:sometime", "2026-11-20");
    check("\"open", "quotation");
}

#[test]
fn times_and_sizes_in_words_become_filters() {
    let (now, tags) = (now(), tags());
    let check = |words: &str, want: &str| {
        let got = understand(words, &now, &tags).unwrap().to_string();
        assert!(got.contains(want), "{words}: {got}");
    };
    check("uploads of more than 1 GB", "bytes_out:>1gb");
    check("flows of more than 1 GB", "bytes:>1gb");
    check("sessions longer than an hour", "duration:>1hour");
    check("fewer than 10 packets", "packets:<10");
    check("at least 5 minutes", "duration:>=5minutes");
    check("yesterday 14:00-15:00", "since:2026-11-19T14:00:00Z until:2026-11-19T15:00:00Z");
    check("in the last 2 hours", "since:2026-11-20T08:30:00Z");
    check("ports 80 and 443", "port:80,443");
    check("from 10.0.0.1 to 10.0.0.2", "src:10.0.0.1 dst:10.0.0.2");
    check("from 10.0.0.1 or 10.0.0.2", "src:10.0.0.1,10.0.0.2");
    check("vlan 12 on eth0", "vlan:12 iface:eth0");
    check("02:00:00:00:00:01", "mac:02:00:00:00:00:01");
    check("fe80::1", "host:fe80::1");
    check("443/tcp", "port:443 proto:tcp");
}

#[test]
fn no_question_is_about_today_by_itself() {
    let (now, tags) = (now(), tags());
    let got = understand("time synchronisation with the time server", &now, &tags).unwrap();
    assert_eq!(got.on(&Key::Since).count() + got.on(&Key::Until).count(), 0);
}

#[test]
fn similar_events_are_of_the_shape_first_and_not_the_event_itself() {
    let log = sample();
    let (now, tags) = (now(), tags());
    let sources = Sources { index: &log.index, tail: None };
    let mut line = |at: Position| log.lines.get(usize::try_from(at.offset).ok()? - 1).cloned();
    let ask = Ask::new(&now, &tags);
    let found = similar(&Like::parse("5"), &ask, &sources, &mut line).unwrap();
    assert_eq!(seqs(&found)[..2], [6, 7], "{found:?}");
    assert!(!seqs(&found).contains(&5));
    let found = similar(&Like::parse("1:4"), &ask, &sources, &mut line).unwrap();
    assert_eq!(seqs(&found)[0], 6);
    assert!(matches!(
        similar(&Like::parse("999"), &ask, &sources, &mut line),
        Err(QueryError::NoEvent(_))
    ));
}

#[test]
fn a_list_is_in_the_order_asked_for() {
    let log = sample();
    let (now, tags) = (now(), tags());
    let sources = Sources { index: &log.index, tail: None };
    let ask = Ask { order: Order::Oldest, limit: 100, ..Ask::new(&now, &tags) };
    let found = list("app:ssh", &ask, &sources).unwrap();
    assert_eq!(seqs(&found), [5, 6, 7]);
}

#[test]
fn the_tail_answers_with_the_index_and_its_newer_event_of_a_flow_wins() {
    let mut log = sample();
    let full = std::mem::take(&mut log.index);
    let mut tail = OracleIndex::new();
    for (seq, line) in [(11_u64, 22_u16), (12, 23)] {
        let body = format!(
            r#"{{"timestamp":"2026-11-20T10:00:00.000000+0000","flow_id":{seq},"event_type":"flow","dest_port":{line},"app_proto":"ssh","community_id":"1:{}","flow":{{}},"ghost":{{"v":1,"shape":"0000000000000001","seq":{seq},"prev":"00"}}}}"#,
            seq - 7
        );
        tail.add(body.as_bytes(), Position { segment: 1, offset: seq, len: 1 }).unwrap();
    }
    let (now, tags) = (now(), tags());
    let sources = Sources { index: &full, tail: Some(&tail) };
    let found = answer("app:ssh", &Ask::new(&now, &tags), &sources, &mut Words).unwrap();
    assert_eq!(seqs(&found), [12, 11, 7]);
    assert_eq!(found.searched.matched, 5);
}

#[test]
fn words_without_the_model_are_told() {
    struct Table;
    impl Encode for Table {
        fn encode(&mut self, words: &str) -> Meant {
            Meant { vector: direction(words), by_model: false, trouble: None }
        }
    }
    let log = sample();
    let (now, tags) = (now(), tags());
    let sources = Sources { index: &log.index, tail: None };
    let found = answer("secure shell", &Ask::new(&now, &tags), &sources, &mut Table).unwrap();
    assert_eq!(found.notes, ["matched without the model"]);
    let found = answer("app:ssh", &Ask::new(&now, &tags), &sources, &mut Table).unwrap();
    assert_eq!(found.notes, [] as [String; 0]);
}

#[test]
fn the_query_language_never_panics_and_prints_what_it_understands() {
    let (now, tags) = (now(), tags());
    bolero::check!().with_type::<String>().with_iterations(3000).for_each(|text: &String| {
        round_trip(text, &now, &tags);
    });
}

#[test]
fn random_questions_of_real_words_print_what_they_understand() {
    const WORDS: &[&str] = &[
        "ssh",
        "to",
        "from",
        "10.0.0.1",
        "10.0.0.0/8",
        "not",
        "except",
        "since",
        "yesterday",
        "last",
        "night",
        "more",
        "than",
        "1",
        "GB",
        "hour",
        "an",
        "port",
        "22",
        "and",
        "443",
        "or",
        "between",
        "app:tls",
        "-port:53",
        "~name:\"a b\"",
        "example.com",
        "*.cdn.net",
        "tag",
        "production",
        "scan",
        "brute",
        "force",
        "\"x y\"",
        "vlan",
        "7",
        "fe80::1",
        "02:00:00:00:00:01",
        "eth0",
        "in",
        "the",
        "2h",
        "instead",
        "of",
        "dns",
        "=cmd",
        "<script>",
        "\u{1b}[2J",
        "日本",
        "bytes:>1MB",
        "^",
        "~",
        "-",
        ":",
        "~-app:dns^2",
        "meaning:\"what \\\" else\"",
        "1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "until",
        "14:00",
        "tls.version:\"TLS 1.0\"",
    ];
    let (now, tags) = (now(), tags());
    let mut state = 42_u64;
    let mut next = |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % n
    };
    for _ in 0..4000 {
        let text: Vec<&str> = (0..=next(12)).map(|_| WORDS[next(WORDS.len())]).collect();
        round_trip(&text.join(" "), &now, &tags);
    }
}

#[test]
fn what_is_not_wanted_is_left_out_however_it_is_said() {
    let (now, tags) = (now(), tags());
    for text in [
        "ssh but not password guessing",
        "ssh without brute force",
        "ssh, no brute force",
        "ssh that is not guessing passwords",
        "ssh without any failed logins",
    ] {
        let told = understand(text, &now, &tags).unwrap().to_string();
        assert!(told.contains("-behaviour:brute_force"), "{text:?} is {told}");
        assert!(!told.contains("~behaviour:brute_force"), "{text:?} is {told}");
        assert!(told.contains("~app:ssh"), "{text:?} is {told}");
    }
    let told = understand("connections with no answer", &now, &tags).unwrap().to_string();
    assert!(told.contains("~behaviour:unanswered"), "{told}");
}

fn round_trip(text: &str, now: &Zoned, tags: &Tags) {
    let Ok(first) = understand(text, now, tags) else { return };
    let printed = first.to_string();
    let again = understand(&printed, now, tags).unwrap_or_else(|e| panic!("{printed:?}: {e}"));
    assert_eq!(again, first, "{text:?} printed {printed:?}");
    for part in &first.parts {
        assert!(part.filter.clause(tags).is_ok(), "{part}");
        assert!((0.0..=10.0).contains(&part.weight), "{part}");
        assert!(matches!(part.mode, Mode::Must | Mode::MustNot | Mode::Prefer | Mode::Avoid));
    }
}
