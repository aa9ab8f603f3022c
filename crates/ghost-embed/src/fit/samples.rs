//! Random but plausible shapes, the same for the same seed.

use ghost_event::{Behaviours, Party, Role, Zone};

use crate::glossary::{self, ACTS, APPS, BEHAVIOURS, BRANDS, CATEGORIES, TRANSPORTS, TUNNELS};
use crate::packet::{Act, Fill, Look};
use crate::shape::{Course, Shape, Size, Transport};

/// A small generator (SplitMix64): equal seeds give equal numbers everywhere.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    /// A number below `end` (0 where `end` is 0).
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % (end.max(1) as u64)).unwrap_or(0)
    }

    /// One of `all`, which is not empty.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Applications behind which brands hide.
const BRANDED: &[&str] = &["tls", "quic", "http", "http2", "dns", "stun", "dtls", "rtp", "doh"];

/// `count` shapes. The first name every phrase once, so that each has a row.
pub(super) fn shapes(count: usize, seed: u64) -> Vec<Shape> {
    let mut random = Random(seed);
    let mut shapes = every_phrase_once(&mut random);
    while shapes.len() < count {
        shapes.push(one(&mut random));
    }
    shapes
}

/// `count` shapes of packets; the first name every act and fill once.
pub(super) fn packets(count: usize, seed: u64) -> Vec<Shape> {
    let mut random = Random(seed);
    let mut shapes = Vec::with_capacity(count);
    for (act, _, back) in ACTS {
        for to_server in [true, false] {
            if to_server || !back.is_empty() {
                let look = Look { act: *act, to_server, fill: Fill::Medium };
                shapes.push(Shape { packet: Some(look), ..of_app("http") });
            }
        }
    }
    for fill in Fill::ALL {
        let look = Look { act: Act::Data, to_server: true, fill: *fill };
        shapes.push(Shape { packet: Some(look), ..of_app("tls") });
    }
    while shapes.len() < count {
        let look = Look {
            act: random.pick(Act::ALL),
            to_server: random.chance(50),
            fill: random.pick(Fill::ALL),
        };
        shapes.push(Shape {
            packet: Some(look),
            brand: "",
            size: Size::Ordinary,
            course: Course::Ordinary,
            tunnel: "",
            vlan: false,
            ..one(&mut random)
        });
    }
    shapes
}

fn plain() -> Shape {
    Shape {
        app: "",
        transport: Transport::Tcp,
        behaviours: Behaviours::NONE,
        brand: "",
        category: "",
        src: Party::default(),
        dst: Party::default(),
        size: Size::Ordinary,
        course: Course::Ordinary,
        tunnel: "",
        vlan: false,
        fragments: false,
        encrypted: false,
        packet: None,
    }
}

fn of_app(app: &'static str) -> Shape {
    let transport = match app {
        "icmp" | "icmpv6" => Transport::Echo,
        _ => Transport::Tcp,
    };
    let category = glossary::app(app).map_or("", |w| w.category);
    Shape { app, category, transport, ..plain() }
}

fn every_phrase_once(random: &mut Random) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = APPS.iter().map(|w| of_app(w.name)).collect();
    for (transport, _) in TRANSPORTS {
        shapes.push(Shape { transport: *transport, ..plain() });
    }
    for word in BEHAVIOURS {
        shapes.push(Shape { behaviours: word.behaviour, ..plain() });
    }
    for brand in BRANDS {
        shapes.push(Shape { brand, ..of_app(random.pick(BRANDED)) });
    }
    for (category, _) in CATEGORIES {
        shapes.push(Shape { category, ..of_app(random.pick(BRANDED)) });
    }
    for (tunnel, _) in TUNNELS {
        shapes.push(Shape { tunnel, ..of_app("http") });
    }
    for course in Course::ALL {
        shapes.push(Shape { course: *course, ..plain() });
    }
    for size in Size::ALL {
        shapes.push(Shape { size: *size, ..of_app("tls") });
    }
    for role in Role::ALL {
        let party = Party { role: *role, zone: Zone::Unknown };
        shapes.push(Shape { src: party, ..of_app("http") });
        shapes.push(Shape { dst: party, ..of_app("http") });
    }
    shapes
}

fn one(random: &mut Random) -> Shape {
    let mut shape = match random.below(100) {
        0..13 => {
            let (transport, _) = random.pick(TRANSPORTS);
            let usual = [Transport::Tcp, Transport::Tcp, Transport::Udp];
            Shape {
                transport: if random.chance(50) { random.pick(&usual) } else { transport },
                ..plain()
            }
        }
        13..18 => {
            let kinds = [
                Transport::Echo,
                Transport::Unreachable,
                Transport::TimeExceeded,
                Transport::Redirect,
                Transport::Neighbour,
                Transport::RouterAdvert,
                Transport::IcmpOther,
            ];
            Shape { transport: random.pick(&kinds), ..of_app(random.pick(&["icmp", "icmpv6"])) }
        }
        18..48 => of_app(random.pick(BRANDED)),
        _ => of_app(random.pick(APPS).name),
    };
    if BRANDED.contains(&shape.app) && random.chance(60) {
        shape.brand = random.pick(BRANDS);
        if random.chance(80) {
            shape.category = random.pick(CATEGORIES).0;
        }
    } else if !shape.app.is_empty() && random.chance(4) {
        shape.category = random.pick(CATEGORIES).0;
    }
    let behaviours = match random.below(100) {
        0..55 => 0,
        55..85 => 1,
        85..97 => 2,
        _ => 3,
    };
    for _ in 0..behaviours {
        shape.behaviours.insert(random.pick(BEHAVIOURS).behaviour);
    }
    (shape.src.zone, shape.dst.zone) = match random.below(100) {
        0..20 => (Zone::Unknown, Zone::Unknown),
        20..47 => (Zone::Internal, Zone::Internet),
        47..72 => (Zone::Internal, Zone::Internal),
        72..82 => (Zone::Internet, Zone::Internal),
        82..90 => (Zone::Internal, Zone::Multicast),
        90..95 => (Zone::Internal, Zone::Broadcast),
        _ => (Zone::Host, Zone::Host),
    };
    if random.chance(6) {
        shape.src.role = random.pick(Role::ALL);
    }
    if random.chance(6) {
        shape.dst.role = random.pick(Role::ALL);
    }
    if random.chance(12) {
        shape.size = random.pick(Size::ALL);
    }
    if random.chance(22) {
        shape.course = random.pick(Course::ALL);
    }
    if random.chance(6) {
        shape.tunnel = random.pick(TUNNELS).0;
    }
    shape.vlan = random.chance(8);
    shape.fragments = random.chance(5);
    shape
}
