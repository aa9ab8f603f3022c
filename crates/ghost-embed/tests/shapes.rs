//! Shapes: what they keep, what they leave out, and what the cache says of them.

use ghost_embed::{FieldRows, PacketFacts, Shape, ShapeCache, glossary};
use ghost_event::{
    AppBy, Behaviours, EndReason, Features, Names, Party, Port, Proto, Role, Side, Stats, Subject,
    Tcp, TcpState, Tier, Timestamp, Tunnel, Vlans, Zone,
};

fn flow(app: &'static str) -> Features {
    let zone = |zone, role| Party { role, zone };
    Features {
        subject: Subject::Flow,
        port: Port::default(),
        first: Timestamp(0),
        last: Timestamp(1_000_000),
        src_ip: "10.0.0.7".parse().ok(),
        dst_ip: "192.0.2.9".parse().ok(),
        src_port: 50_123,
        dst_port: 22,
        proto: Proto::Ip(6),
        icmp: None,
        src_mac: None,
        dst_mac: None,
        vlans: Vlans::default(),
        to_server: Side { packets: 10, bytes: 2_000, payload_bytes: 1_200 },
        to_client: Side { packets: 9, bytes: 4_000, payload_bytes: 3_000 },
        sizes: Stats::default(),
        gaps_us: Stats::default(),
        tcp: Some(Tcp { state: TcpState::Closed, ..Tcp::default() }),
        fragments: 0,
        end: EndReason::Closed,
        community_id: None,
        app,
        app_by: AppBy::Signature,
        names: Names::default(),
        tunnels: Vec::new(),
        malformed: 0,
        behaviours: Behaviours::NONE,
        src: zone(Zone::Internal, Role::Client),
        dst: zone(Zone::Internet, Role::Server),
        brand: "",
        category: "",
        src_name: None,
        dst_name: None,
        folded: None,
        score: None,
    }
}

#[test]
fn a_tuple_names_what_is_not_ordinary_in_a_fixed_order() {
    let mut f = flow("ssh");
    f.behaviours = Behaviours::BRUTE_FORCE.with(Behaviours::LONG_LIVED);
    f.vlans.push(7);
    let tuple = Shape::of(&f).tuple();
    assert_eq!(
        tuple,
        "app=ssh|transport=tcp|behaviours=brute_force,long_lived|category=remote shell\
         |src=internal.client|dst=internet.server|vlan=yes|encrypted=yes"
    );
    assert_eq!(Shape::of(&f).id().0, xxhash_rust::xxh3::xxh3_64(tuple.as_bytes()));
}

#[test]
fn addresses_ports_and_exact_sizes_do_not_make_another_shape() {
    let mut other = flow("ssh");
    other.src_ip = "10.99.0.1".parse().ok();
    (other.src_port, other.to_server.bytes) = (1, 77_000);
    other.first = Timestamp(5);
    assert_eq!(Shape::of(&flow("ssh")).id(), Shape::of(&other).id());
}

#[test]
fn the_text_says_the_most_telling_first_and_names_no_one() {
    let mut f = flow("mysql");
    f.behaviours = Behaviours::UNANSWERED.with(Behaviours::SQL_INJECTION);
    f.dst_name = Some("db7.example.org".into());
    let text = glossary::text(&Shape::of(&f));
    assert!(text.contains("MySQL") && text.contains("SQL injection"), "{text}");
    assert!(text.find("SQL injection") < text.find("MySQL"), "{text}");
    assert!(!text.contains("example") && !text.contains("192.0.2"), "{text}");
}

#[test]
fn only_the_most_telling_behaviours_are_kept() {
    let mut f = flow("http");
    f.behaviours = Behaviours(u64::from(u32::MAX));
    let kept: Vec<_> = Shape::of(&f).behaviours.names().collect();
    assert_eq!(kept, ["sql_injection", "cross_site_scripting", "remote_code"]);
}

#[test]
fn parents_have_ever_fewer_fields_and_end_with_the_application() {
    let mut f = flow("tls");
    (f.brand, f.category) = ("Netflix", "video streaming");
    f.behaviours = Behaviours::BEACON;
    f.to_client.bytes = 5_000_000;
    let mut shape = Shape::of(&f);
    let mut tuples = vec![shape.tuple()];
    while let Some(parent) = shape.parent() {
        assert!(parent.tuple().len() < shape.tuple().len());
        shape = parent;
        tuples.push(shape.tuple());
    }
    assert_eq!(tuples.len(), 4, "{tuples:#?}");
    assert_eq!(tuples[3], "app=tls|transport=tcp|encrypted=yes");
}

#[test]
fn the_cache_tells_a_shape_as_new_once_and_agrees_with_the_shape() {
    let mut cache = ShapeCache::default();
    let first = cache.see(&flow("dns"));
    assert_eq!(first.new.as_deref(), Some(&Shape::of(&flow("dns"))));
    assert_eq!(first.id, Shape::of(&flow("dns")).id());
    assert!(cache.see(&flow("dns")).new.is_none());
    assert!(cache.see(&flow("ssh")).new.is_some());
    assert_eq!(cache.len(), 2);
}

#[test]
fn a_shape_that_the_log_already_names_is_not_new() {
    let mut cache = ShapeCache::default();
    cache.remember(Shape::of(&flow("dns")).id());
    assert!(cache.see(&flow("dns")).new.is_none());
}

#[test]
fn a_full_cache_calls_new_shapes_by_their_parents() {
    let mut cache = ShapeCache::new(2);
    cache.see(&flow("dns"));
    cache.see(&flow("ssh"));
    let mut large = flow("ssh");
    large.vlans.push(3);
    large.behaviours = Behaviours::BRUTE_FORCE;
    let seen = cache.see(&large);
    assert_eq!(cache.generalised(), 1);
    let bare = seen.new.expect("the bare application is named in any case");
    assert_eq!(bare.tuple(), "app=ssh|transport=tcp|category=remote shell|encrypted=yes");
    assert!(cache.see(&large).new.is_none());
}

#[test]
fn a_packet_says_first_that_it_is_one_and_what_it_did() {
    let facts = PacketFacts { to_server: true, tcp_flags: Some(2), ..PacketFacts::default() };
    let shape = Shape::of_packet(&flow("ssh"), &facts);
    let text = glossary::text(&shape);
    assert!(text.starts_with("single packet: TCP connection request, SSH"), "{text}");
    assert_eq!(
        shape.tuple(),
        "app=ssh|transport=tcp|category=remote shell|src=internal.client|dst=internet.server\
         |encrypted=yes|packet=request|direction=to_server|fill=empty"
    );
    assert_ne!(shape.id(), Shape::of(&flow("ssh")).id());
    let back = PacketFacts { tcp_flags: Some(0x18), payload_len: 1448, ..PacketFacts::default() };
    let text = glossary::text(&Shape::of_packet(&flow("http"), &back));
    assert!(text.starts_with("single packet: data sent back, large payload"), "{text}");
}

#[test]
fn a_packets_parents_forget_the_packet_last() {
    let facts = PacketFacts { tcp_flags: Some(0x10), ..PacketFacts::default() };
    let mut shape = Shape::of_packet(&flow("ssh"), &facts);
    let mut acts = vec![shape.packet.map(|look| look.act)];
    while let Some(parent) = shape.parent() {
        assert!(parent.tuple().len() < shape.tuple().len());
        shape = parent;
        acts.push(shape.packet.map(|look| look.act));
    }
    assert_eq!(acts.pop(), Some(None));
    assert!(acts.len() >= 3 && acts.iter().all(Option::is_some), "{acts:?}");
}

#[test]
fn the_cache_gives_every_packet_the_id_of_its_own_shape() {
    const APPS: &[&str] = &["", "ssh", "dns", "tls", "icmp", "nobody-knows"];
    bolero::check!().with_type::<(u64, [u8; 9], u32)>().with_iterations(3000).for_each(
        |(behaviours, b, payload_len)| {
            thread_local! {
                static CACHE: std::cell::RefCell<ShapeCache> = std::cell::RefCell::default();
            }
            let mut f = flow(APPS[usize::from(b[0]) % APPS.len()]);
            f.behaviours = Behaviours(behaviours & 0xffff_ffff);
            f.src.zone = Zone::ALL[usize::from(b[1]) % Zone::ALL.len()];
            f.dst.zone = Zone::ALL[usize::from(b[2]) % Zone::ALL.len()];
            f.src.role = Role::ALL[usize::from(b[3]) % Role::ALL.len()];
            f.dst.role = Role::ALL[usize::from(b[4]) % Role::ALL.len()];
            f.proto = Proto::Ip(b[5]);
            f.brand = "Netflix";
            let facts = PacketFacts {
                to_server: b[6] & 1 > 0,
                tcp_flags: (b[6] & 2 > 0).then_some(b[7]),
                payload_len: payload_len >> (b[8] % 32),
                fragment: b[6] & 4 > 0,
                malformed: b[6] & 8 > 0,
            };
            CACHE.with_borrow_mut(|cache| {
                assert_eq!(cache.see_packet(&f, &facts).id, Shape::of_packet(&f, &facts).id());
                assert!(cache.see_packet(&f, &facts).new.is_none());
                assert_eq!(cache.see(&f).id, Shape::of(&f).id());
            });
            let vector = FieldRows::embedded().embed(&Shape::of_packet(&f, &facts));
            assert_eq!((vector.components.len(), vector.tier), (384, Tier::Fast));
        },
    );
}

/// The cache's key must tell apart whatever the shape tells apart.
#[test]
fn the_cache_gives_every_flow_the_id_of_its_own_shape() {
    const APPS: &[&str] = &["", "ssh", "dns", "tls", "icmp", "gre", "nobody-knows"];
    const BRANDS: &[&str] = &["", "Netflix", "nobody-knows"];
    const KINDS: &[&str] = &["", "video streaming", "ssh"];
    bolero::check!().with_type::<(u64, [u8; 12], u64, u64)>().with_iterations(3000).for_each(
        |(behaviours, b, up, down)| {
            thread_local! {
                static CACHE: std::cell::RefCell<ShapeCache> = std::cell::RefCell::default();
            }
            let of = |n: u8, all: &[&'static str]| all[usize::from(n) % all.len()];
            let mut f = flow(of(b[0], APPS));
            f.brand = of(b[1], BRANDS);
            f.category = of(b[2], KINDS);
            f.behaviours = Behaviours(behaviours & 0xffff_ffff);
            f.src.zone = Zone::ALL[usize::from(b[3]) % Zone::ALL.len()];
            f.dst.zone = Zone::ALL[usize::from(b[4]) % Zone::ALL.len()];
            f.src.role = Role::ALL[usize::from(b[5]) % Role::ALL.len()];
            f.dst.role = Role::ALL[usize::from(b[6]) % Role::ALL.len()];
            f.proto =
                [Proto::Ip(b[7]), Proto::Ether(0x0800 | u16::from(b[7]))][usize::from(b[8] & 1)];
            f.icmp = (b[8] & 2 > 0).then_some((b[9], 0));
            f.fragments = u32::from(b[8] & 4);
            f.vlans.count = b[8] >> 3 & 1;
            f.tcp = (b[8] & 16 > 0).then(|| Tcp {
                flags_to_client: b[10],
                state: [TcpState::SynSent, TcpState::SynRecv, TcpState::Reset]
                    [usize::from(b[11]) % 3],
                ..Tcp::default()
            });
            (f.to_server.bytes, f.to_client.bytes) = (*up, *down);
            (f.to_client.packets, f.to_client.payload_bytes) = (down & 1, down & 2);
            f.to_server.payload_bytes = up & 1;
            if b[8] & 32 > 0 {
                f.tunnels.push(Tunnel {
                    kind: of(b[9], &["gre", "vxlan", "ssh"]),
                    id: None,
                    src_ip: None,
                    dst_ip: None,
                    src_port: 0,
                    dst_port: 0,
                    proto: 6,
                    packets: 1,
                });
            }
            CACHE.with_borrow_mut(|cache| assert_eq!(cache.see(&f).id, Shape::of(&f).id()));
            let vector = FieldRows::embedded().embed(&Shape::of(&f));
            assert_eq!((vector.components.len(), vector.tier), (384, Tier::Fast));
            assert!((vector.cosine(&vector) - 1.0).abs() < 0.02, "{}", vector.cosine(&vector));
        },
    );
}
