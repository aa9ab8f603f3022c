//! What the anomaly scorer promises, on streams made by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ghost_detect::anomaly::{
    Learning, Mute, Muted, Reason, Rule, STATE_BYTES_MAX, Scored, Scorer, Settings, Shapes,
    StateError,
};
use ghost_event::{
    AppBy, Behaviours, EndReason, Features, Names, Party, Port, Proto, ShapeId, Side, Stats,
    Subject, Tcp, TcpState, Timestamp, Vlans,
};

const MS: i64 = 1_000_000;
const S: i64 = 1000 * MS;

fn flow(ts: i64, src: IpAddr, dst: IpAddr, ports: (u16, u16)) -> Features {
    Features {
        subject: Subject::Flow,
        port: Port::default(),
        first: Timestamp(ts),
        last: Timestamp(ts + 200 * MS),
        src_ip: Some(src),
        dst_ip: Some(dst),
        src_port: ports.0,
        dst_port: ports.1,
        proto: Proto::Ip(6),
        icmp: None,
        src_mac: None,
        dst_mac: None,
        vlans: Vlans::default(),
        to_server: Side { packets: 6, bytes: 900, payload_bytes: 500 },
        to_client: Side { packets: 6, bytes: 6400, payload_bytes: 6000 },
        sizes: Stats { count: 12, min: 60, max: 1514, mean: 600.0, m2: 1e6 },
        gaps_us: Stats { count: 11, min: 10, max: 90_000, mean: 18_000.0, m2: 1e9 },
        tcp: Some(Tcp { state: TcpState::Closed, ..Tcp::default() }),
        fragments: 0,
        end: EndReason::Closed,
        community_id: None,
        app: "http",
        app_by: AppBy::Signature,
        names: Names { pairs: vec![("http.hostname", "www.example.org".into())], dropped: 0 },
        tunnels: Vec::new(),
        malformed: 0,
        behaviours: Behaviours::NONE,
        src: Party::default(),
        dst: Party::default(),
        brand: "",
        category: "",
        src_name: None,
        dst_name: None,
        folded: None,
        score: None,
    }
}

/// The other side's first packet came.
fn answered(scorer: &mut Scorer, f: &Features) {
    let to_client = Side { packets: 1, bytes: 60, payload_bytes: 0 };
    scorer.packet(&Features { to_client, ..f.clone() }, false);
}

fn inside(n: u8) -> IpAddr {
    Ipv4Addr::new(192, 168, 0, n).into()
}

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// Ten hosts that fetch pages from one server, a flow every half second.
fn usual(scorer: &mut Scorer, from_s: i64, flows: u16) -> Vec<Scored> {
    (0..flows)
        .map(|n| {
            let ts = from_s * S + i64::from(n) * 500 * MS;
            let mut f = flow(ts, inside(1 + (n % 10) as u8), SERVER, (20_000 + n, 80));
            f.to_client.payload_bytes += u64::from(n % 7) * 300;
            scorer.started(&f);
            answered(scorer, &f);
            scorer.look(&f, Some(ShapeId(1)), &())
        })
        .collect()
}

fn trained() -> Scorer {
    let mut scorer = Scorer::new(Settings::default());
    usual(&mut scorer, 0, 2200);
    scorer
}

fn probe(ts: i64, n: u16) -> Features {
    let mut f = flow(ts, inside(3), inside(200), (40_000, n));
    (f.app, f.app_by) = ("", AppBy::Nothing);
    f.names.pairs.clear();
    f.last = f.first;
    f.end = EndReason::Update;
    f.to_server = Side { packets: 1, bytes: 60, payload_bytes: 0 };
    f.to_client = Side::default();
    f.tcp = Some(Tcp { state: TcpState::SynSent, ..Tcp::default() });
    f
}

fn said(scored: &Scored) -> String {
    scored.reasons.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_goes_on_as_always_is_no_alert_and_scores_low() {
    let mut scorer = trained();
    let scores = usual(&mut scorer, 1100, 500);
    assert!(scores.iter().all(|s| !s.alert));
    let mean = scores.iter().map(|s| s.score).sum::<f32>() / 500.0;
    assert!(mean < 0.25, "{mean}");
}

#[test]
fn a_scan_is_one_incident_while_it_still_goes_on_and_says_how_much_it_tried() {
    let mut scorer = trained();
    let mut first = None;
    let mut last = None;
    for n in 0..60_u16 {
        let f = probe(1101 * S + i64::from(n) * 200 * MS, n + 1);
        scorer.started(&f);
        let scored = scorer.look(&f, None, &());
        if scored.alert && first.is_none() {
            first = Some(n);
        }
        last = Some(scored);
    }
    assert!(first.is_some_and(|n| n < 30), "{first:?}");
    let last = last.unwrap();
    assert_eq!(scorer.incidents().count(), 1);
    let incident = scorer.incident(last.incident.unwrap()).unwrap();
    assert!(incident.flows() >= 25 && incident.targets() == 1, "{incident:?}");
    assert_eq!(incident.witnesses.len(), 8);
    assert!(incident.witnesses.windows(2).all(|w| w[0].first < w[1].first));
    assert!(said(&last).contains("ports of one host within 20 s"), "{}", said(&last));
}

#[test]
fn a_flood_of_made_up_sources_is_one_incident() {
    let mut scorer = trained();
    for n in 0..3000_u32 {
        let mut f = probe(1101 * S + i64::from(n) * MS, 443);
        f.src_ip = Some(Ipv4Addr::from(0x0a00_0000 + n * 7919).into());
        scorer.started(&f);
        scorer.look(&f, None, &());
    }
    assert_eq!(scorer.incidents().count(), 1);
    assert!(scorer.incidents().all(|i| i.sources() > 100));
}

#[test]
fn a_server_that_is_down_and_called_again_and_again_is_no_alert() {
    let mut scorer = trained();
    for n in 0..40_u16 {
        let ts = 1101 * S + i64::from(n) * 400 * MS;
        let f = Features { src_port: 50_000 + n, ..probe(ts, 443) };
        let f = Features { src_ip: Some(inside(1 + (n % 20) as u8)), ..f };
        scorer.started(&f);
        assert!(!scorer.look(&f, None, &()).alert, "{n}");
    }
}

#[test]
fn a_burst_of_connections_that_are_answered_is_no_alert() {
    let mut scorer = trained();
    for n in 0..50_u16 {
        let f = probe(1101 * S + i64::from(n) * MS, 443);
        let f = Features { dst_ip: Some(inside(100 + n as u8)), src_port: n, ..f };
        scorer.started(&f);
        answered(&mut scorer, &f);
        assert!(!scorer.look(&f, None, &()).alert, "{n}");
    }
}

#[test]
fn what_is_unlike_its_service_says_so_in_figures() {
    let mut scorer = trained();
    let mut f = flow(1200 * S, inside(4), SERVER, (30_000, 80));
    f.to_server.payload_bytes = 80_000_000;
    f.to_server.packets = 60_000;
    let odd = scorer.look(&f, Some(ShapeId(2)), &());
    let plain =
        scorer.look(&flow(1201 * S, inside(4), SERVER, (30_001, 80)), Some(ShapeId(1)), &());
    assert!(odd.score > 2.0 * plain.score, "{} {}", odd.score, plain.score);
    assert!(said(&odd).contains("99 % of flows of its service stay below"), "{}", said(&odd));
}

#[test]
fn no_reason_says_that_most_stay_on_the_side_where_the_flow_is_itself() {
    let mut scorer = trained();
    let mut said = [0; 3];
    for n in 0..400_u32 {
        let mut f = flow(1200 * S + i64::from(n) * S, inside(4), SERVER, (30_000, 80));
        f.to_client.payload_bytes = u64::from(n) * 25;
        f.to_server.payload_bytes = u64::from(n % 20) * 60;
        let scored = scorer.look(&f, Some(ShapeId(1)), &());
        for reason in scored.reasons.iter().flatten() {
            match *reason {
                Reason::Unlike { value, usual, little: false, share, .. } => {
                    assert!(value >= usual && share > 0.5, "{reason} ({share})");
                    said[0] += 1;
                }
                Reason::Unlike { value, usual, little: true, share, .. } => {
                    assert!(value <= usual && share > 0.5, "{reason} ({share})");
                    assert!(reason.to_string().contains("stay above"), "{reason}");
                    said[1] += 1;
                }
                Reason::Tried { tried, usual, .. } => {
                    assert!(f64::from(usual) <= f64::from(tried), "{reason}");
                    said[2] += 1;
                }
                _ => {}
            }
        }
    }
    assert!(said[0] > 20 && said[1] > 5, "{said:?}");
}

#[test]
fn behaviours_are_evidence_and_heat_their_hosts_for_a_while() {
    let mut scorer = trained();
    let mut f = flow(1200 * S, inside(4), SERVER, (30_000, 80));
    f.behaviours = Behaviours::SQL_INJECTION;
    let attack = scorer.look(&f, Some(ShapeId(1)), &());
    assert!(attack.alert && attack.opens && attack.score > 0.9);
    assert!(said(&attack).starts_with("looks like sql injection"), "{}", said(&attack));
    let look = |scorer: &mut Scorer, at: i64| {
        scorer.look(&flow(at * S, inside(4), SERVER, (30_001, 80)), Some(ShapeId(1)), &())
    };
    let soon = look(&mut scorer, 1202);
    assert!(!soon.alert && soon.incident == attack.incident && soon.parts.heat > 0.5);
    assert!(said(&soon).contains("just part of incident"), "{}", said(&soon));
    assert!(look(&mut scorer, 2000).parts.heat < 0.01);
}

#[test]
fn a_weak_behaviour_weighs_less_where_it_is_usual() {
    let mut rare = trained();
    let mut common = Scorer::new(Settings::default());
    for n in 0..2000_u16 {
        let mut f = flow(i64::from(n) * 500 * MS, inside(5), SERVER, (n, 80));
        f.behaviours = Behaviours::CLEARTEXT_CREDENTIALS;
        common.look(&f, Some(ShapeId(1)), &());
    }
    let mut f = flow(1200 * S, inside(5), SERVER, (30_000, 80));
    f.behaviours = Behaviours::CLEARTEXT_CREDENTIALS;
    let (rare, common) = (rare.look(&f, None, &()), common.look(&f, None, &()));
    assert!(rare.parts.evidence > 3.0 * common.parts.evidence && !rare.alert);
}

#[test]
fn what_is_muted_keeps_its_score_and_is_no_alert_until_the_mute_ends() {
    let mut scorer = trained();
    let mut f = flow(1200 * S, inside(4), SERVER, (30_000, 80));
    f.behaviours = Behaviours::PORT_SCAN;
    for what in [
        Muted::Address(inside(4)),
        Muted::Domain("example.org".into()),
        Muted::Kind(Behaviours::PORT_SCAN.with(Behaviours::SWEEP)),
    ] {
        let until = Some(Timestamp(1250 * S));
        scorer.mute(Mute { what: what.clone(), until }).unwrap();
        let scored = scorer.look(&f, None, &());
        assert!(scored.muted && !scored.alert && scored.score > 0.8, "{what:?}");
        assert_eq!(scorer.incidents().count(), 0);
        let late = Features { last: Timestamp(1300 * S), ..f.clone() };
        assert!(scorer.look(&late, None, &()).alert, "{what:?}");
        assert!(scorer.unmute(&what));
        scorer.reset();
    }
    assert!(scorer.look(&f, None, &()).alert);
}

#[test]
fn what_is_frozen_learns_nothing_and_what_is_reset_begins_anew() {
    let mut scorer = trained();
    let before = scorer.save();
    scorer.freeze(true);
    usual(&mut scorer, 2000, 300);
    scorer.freeze(false);
    assert_eq!(scorer.save(), before);
    let Learning { flows, progress, frozen, shapes, windows, .. } = scorer.learning();
    assert!(flows == 2200 && progress >= 1.0 && !frozen && shapes == 1 && windows > 100);
    scorer.reset();
    assert_eq!(scorer.learning().flows, 0);
    assert!(scorer.learning().progress.abs() < f32::EPSILON);
}

#[test]
fn without_novelty_new_addresses_and_names_change_nothing() {
    let score = |novelty: bool, known: bool| {
        let mut scorer = Scorer::new(Settings { novelty, ..Settings::default() });
        usual(&mut scorer, 0, 2200);
        let (src, name) =
            if known { (inside(1), "www.example.org") } else { (inside(99), "www.example.net") };
        let mut f = flow(1200 * S, src, SERVER, (30_000, 80));
        f.names.pairs = vec![("http.hostname", name.into())];
        scorer.started(&f);
        answered(&mut scorer, &f);
        scorer.look(&f, Some(ShapeId(1)), &()).score
    };
    assert!(score(true, false) > score(true, true));
    assert_eq!(score(false, false).to_bits(), score(false, true).to_bits());
}

/// Shapes 1 to 9 are alike, all others are apart from everything.
struct Alike;

impl Shapes for Alike {
    fn cosine(&self, a: ShapeId, b: ShapeId) -> Option<f32> {
        Some(if a.0 < 10 && b.0 < 10 { 0.95 } else { 0.2 })
    }
}

#[test]
fn a_shape_far_from_all_others_is_rarer_than_one_near_them() {
    let mut scorer = Scorer::new(Settings::default());
    for n in 0..2000_u16 {
        let f = flow(i64::from(n) * 500 * MS, inside(5), SERVER, (n, 80));
        scorer.look(&f, Some(ShapeId(u64::from(n % 8))), &Alike);
    }
    let f = flow(1200 * S, inside(5), SERVER, (30_000, 80));
    scorer.freeze(true);
    let near = scorer.look(&f, Some(ShapeId(9)), &Alike);
    let far = scorer.look(&f, Some(ShapeId(77)), &Alike);
    assert!(far.parts.shape > near.parts.shape, "{far:?} {near:?}");
    assert!(far.score > near.score, "{far:?} {near:?}");
    let nearest = scorer.nearest(ShapeId(9), &Alike, f.last).map(|n| n.map(|(id, _)| id.0));
    assert!(nearest.iter().all(|id| id.is_some_and(|id| id < 8)), "{nearest:?}");
    assert_eq!(scorer.nearest(ShapeId(9), &(), f.last), [None; 3]);
    assert!(far.reasons.iter().flatten().any(|r| matches!(r, Reason::Shape { .. })));
}

#[test]
fn the_cosine_rule_alerts_below_its_threshold_only() {
    let mut scorer = Scorer::new(Settings { rule: Rule::Cosine(0.7), ..Settings::default() });
    let f = flow(S, inside(5), SERVER, (30_000, 80));
    scorer.look(&f, Some(ShapeId(1)), &Alike);
    let near = scorer.look(&f, Some(ShapeId(2)), &Alike);
    let far = scorer.look(&f, Some(ShapeId(70)), &Alike);
    let again = scorer.look(&f, Some(ShapeId(70)), &Alike);
    assert!(!near.alert && far.alert && !again.alert);
    assert!((far.score - 0.8).abs() < 1e-6);
}

#[test]
fn what_was_learned_goes_on_where_it_was_saved() {
    let mut scorer = trained();
    scorer.mute(Mute { what: Muted::Address(inside(9)), until: None }).unwrap();
    scorer.mute(Mute { what: Muted::Domain("x.org".into()), until: Some(Timestamp(5)) }).unwrap();
    let bytes = scorer.save();
    assert!(bytes.len() < STATE_BYTES_MAX);
    let mut again = Scorer::load(Settings::default(), &bytes).unwrap();
    assert_eq!(again.save(), bytes);
    assert_eq!(again.mutes(), scorer.mutes());
    assert_eq!(again.learning(), scorer.learning());
    // Windows that were open are not part of the state: give both the same new ones.
    let (a, b) = (usual(&mut scorer, 5000, 50), usual(&mut again, 5000, 50));
    for (a, b) in a.iter().zip(&b).skip(1) {
        assert!((a.score - b.score).abs() < 0.05, "{a:?} {b:?}");
    }
}

#[test]
fn a_damaged_state_is_refused() {
    let bytes = trained().save();
    let load = |bytes: &[u8]| Scorer::load(Settings::default(), bytes).map(|_| ());
    assert_eq!(load(b"something else"), Err(StateError::NotAState));
    assert_eq!(load(&[]), Err(StateError::NotAState));
    let mut other = bytes.clone();
    other[6] = 9;
    assert_eq!(load(&other), Err(StateError::Version(9)));
    for at in (8..bytes.len()).step_by(997) {
        let mut bent = bytes.clone();
        bent[at] ^= 0x40;
        assert_eq!(load(&bent), Err(StateError::Damaged), "byte {at}");
        assert_eq!(load(&bytes[..at]), Err(StateError::Damaged), "cut at {at}");
    }
}

/// A flow out of bytes: any address, port, number and behaviour.
fn any(bytes: &[u8; 24], ts: i64) -> Features {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (a, b) = (word(0), word(8));
    let six = |n: u64| IpAddr::V6(Ipv6Addr::from(u128::from(n) << 64));
    let four = |n: u64| IpAddr::V4(Ipv4Addr::from(n as u32));
    let address = |n: u64| if n & 1 == 0 { four(n) } else { six(n) };
    let mut f = flow(ts, address(a), address(b), (a as u16, b as u16));
    f.proto = if a & 6 == 0 { Proto::Ether(b as u16) } else { Proto::Ip((a >> 9) as u8) };
    f.to_server = Side { packets: a >> 3, bytes: a, payload_bytes: b };
    f.to_client = Side { packets: b >> 50, bytes: b, payload_bytes: a };
    f.sizes.mean = f64::from_bits(b);
    f.gaps_us.m2 = f64::from_bits(a);
    f.behaviours = Behaviours(word(16) & word(8) & word(0));
    f.end = if b & 16 == 0 { EndReason::Update } else { EndReason::Idle };
    f.src_ip = f.src_ip.filter(|_| b & 0x700 != 0);
    f.app = if a & 0x60 == 0 { "dns" } else { "" };
    f
}

#[test]
fn no_flow_panics_and_the_same_flows_give_the_same_scores() {
    bolero::check!().with_iterations(100).with_type::<Vec<([u8; 24], i64)>>().for_each(|flows| {
        let run = || {
            let mut scorer = Scorer::new(Settings { tallies_max: 32, ..Settings::default() });
            let mut scores = Vec::new();
            for (bytes, ts) in flows {
                let f = any(bytes, *ts);
                scorer.started(&f);
                if bytes[0] & 3 == 0 {
                    answered(&mut scorer, &f);
                }
                let shape = Some(ShapeId(u64::from(bytes[1])));
                let scored = scorer.look(&f, shape, &Alike);
                assert!((0.0..=1.0).contains(&scored.score), "{scored:?}");
                assert!(!said(&scored).contains("NaN"));
                scores.push(scored.score.to_bits());
            }
            (scores, scorer.save())
        };
        let (first, second) = (run(), run());
        assert_eq!(first, second);
        assert!(Scorer::load(Settings::default(), &first.1).is_ok());
    });
}

#[test]
fn any_bytes_are_refused_or_are_a_state_and_never_panic() {
    let good = trained().save();
    bolero::check!().with_iterations(500).for_each(|bytes: &[u8]| {
        let _ = Scorer::load(Settings::default(), bytes);
        // A valid frame around any body.
        let mut framed = good[..8].to_vec();
        framed.extend_from_slice(bytes);
        let sum = xxhash_rust::xxh3::xxh3_64(&framed);
        framed.extend_from_slice(&sum.to_le_bytes());
        let _ = Scorer::load(Settings::default(), &framed);
    });
}

#[test]
fn the_state_of_many_hosts_and_shapes_is_bounded() {
    let mut scorer =
        Scorer::new(Settings { tallies_max: 1000, hot_max: 100, ..Settings::default() });
    for n in 0..80_000_u32 {
        let src = IpAddr::V4(Ipv4Addr::from(n.wrapping_mul(2_654_435_761)));
        let mut f = flow(i64::from(n) * MS, src, SERVER, (n as u16, (n >> 3) as u16));
        f.app = "";
        f.names.pairs = vec![("tls.sni", format!("host{n}.example{n}").into())];
        f.behaviours = if n % 5 == 0 { Behaviours::BRUTE_FORCE } else { Behaviours::NONE };
        scorer.started(&f);
        scorer.look(&f, Some(ShapeId(n.into())), &());
    }
    let bytes = scorer.save();
    assert!(bytes.len() < STATE_BYTES_MAX / 2, "{}", bytes.len());
    assert!(scorer.incidents().count() <= 1024);
    assert!(Scorer::load(Settings::default(), &bytes).is_ok());
}
