//! The one who hears of every flow and says what it was part of.

use std::net::IpAddr;

use ghost_event::{AppBy, Behaviours, EndReason, Features, Party, Timestamp, Zone};

use crate::beacon::Beacons;
use crate::brute::Brutes;
use crate::domains::Domains;
use crate::flood::Floods;
use crate::habits::Habits;
use crate::known::Known;
use crate::limits::Limits;
use crate::scan::Scans;
use crate::shell::Shells;
use crate::spoof::Spoofs;
use crate::windows::Intrusions;
use crate::zone::zone;
use crate::{brand, category, certificate, facts, folded, web};

/// Behaviours, roles and names over the flows of one table.
///
/// Call [`started`](Detector::started), [`field`](Detector::field) and
/// [`learned`](Detector::learned) as a flow table tells them, [`settling`](Detector::settling)
/// for every open flow before the first of them ends at a shutdown, and
/// [`ended`](Detector::ended) for each flow that ends. Without `settling` the first flows of a
/// scan in a short capture know nothing of the results of the later ones.
#[derive(Debug)]
pub struct Detector {
    scans: Scans,
    floods: Floods,
    brutes: Brutes,
    beacons: Beacons,
    domains: Domains,
    shells: Shells,
    intrusions: Intrusions,
    spoofs: Spoofs,
    habits: Habits,
    known: Known,
    /// Flows that were observed at settling and have not ended yet.
    settled: u64,
}

impl Detector {
    #[must_use]
    pub fn new(limits: Limits) -> Detector {
        Detector {
            scans: Scans::new(limits.pairs_max),
            floods: Floods::new(limits.targets_max),
            brutes: Brutes::new(limits.pairs_max),
            beacons: Beacons::new(limits.rhythms_max),
            domains: Domains::new(limits.domains_max),
            shells: Shells::new(limits.names_max),
            intrusions: Intrusions::new(limits.rhythms_max),
            spoofs: Spoofs::new(limits.names_max),
            habits: Habits::new(limits.names_max),
            known: Known::new(limits.names_max),
            settled: 0,
        }
    }

    /// A flow began; its first packet is counted.
    pub fn started(&mut self, f: &Features) {
        self.scans.started(f);
        self.floods.started(f);
        self.beacons.started(f);
        self.spoofs.started(f);
        self.habits.started(f);
        self.known.started(f);
    }

    /// A message told something; gives what that alone shows.
    pub fn field(&mut self, f: &Features, path: &str, value: &[u8]) -> Behaviours {
        let found = self.heard(f, path, value);
        if found.contains(Behaviours::REMOTE_CODE) {
            self.shells.attacked(f);
        }
        found
    }

    fn heard(&mut self, f: &Features, path: &str, value: &[u8]) -> Behaviours {
        match path {
            "http.url" => web::target(value).with(program(value)),
            "http.request_header" => web::header(value),
            "http.http_user_agent" => web::agent(value),
            "http.http_content_type" => content(value),
            "dns.queries.rrname" => self.domains.asked(f, value),
            "dns.rcodes" => {
                self.domains.answered(f, value);
                Behaviours::NONE
            }
            "http.status" if !matches!(value, b"400" | b"401" | b"403" | b"407" | b"429") => {
                self.brutes.granted(f);
                Behaviours::NONE
            }
            "arp.claims" | "dhcp.lease" | "dns.transaction" | "dns.answers" => {
                self.spoofs.heard(f, path, value)
            }
            "clear_login" => Behaviours::CLEARTEXT_CREDENTIALS,
            "login_failed" => self.brutes.refused(f, value),
            "ghost.objects" | "ghost.commands" if is_windows(f.app) => {
                self.intrusions.named(f, value)
            }
            "ghost.commands"
                if value.starts_with(b"mining.") || value.starts_with(b"eth_submit") =>
            {
                Behaviours::MINING
            }
            _ => Behaviours::NONE,
        }
    }

    /// `address` is called `name`; `source` is `dhcp`, `mdns`, `netbios` or `dns`.
    pub fn learned(&mut self, address: IpAddr, name: &str, source: &'static str, _ts: Timestamp) {
        self.known.learn(address, name, source);
    }

    /// The flow will end with all the others: what became of it counts for their judgement.
    pub fn settling(&mut self, f: &Features) {
        self.observe(f);
        self.settled += 1;
    }

    fn observe(&mut self, f: &Features) {
        if f.folded.is_some() {
            return;
        }
        self.scans.observe(f);
        self.floods.observe(f);
        self.brutes.observe(f);
        self.intrusions.observe(f);
        self.habits.observe(f);
        self.known.observe(f);
    }

    /// The flow ended (or is reported while open): sets all that it looked like.
    pub fn ended(&mut self, f: &mut Features) {
        if f.end != EndReason::Update {
            match self.settled.checked_sub(1) {
                Some(left) => self.settled = left,
                None => self.observe(f),
            }
        }
        self.name(f);
        if let Some(folded) = &f.folded {
            f.behaviours.insert(folded::judge(f, folded));
            return;
        }
        let mut found = facts::judge(f)
            .with(certificate::judge(f))
            .with(self.scans.judge(f))
            .with(self.floods.judge(f))
            .with(self.brutes.judge(f))
            .with(self.beacons.judge(f))
            .with(self.domains.judge(f))
            .with(self.shells.judge(f))
            .with(self.intrusions.judge(f))
            .with(self.spoofs.judge(f))
            .with(self.habits.judge(f));
        // A scan is also many conversations without answers: it is called by its own name.
        if found.contains(Behaviours::PORT_SCAN) && !found.contains(Behaviours::AMPLIFICATION) {
            found = Behaviours(found.0 & !Behaviours::FLOOD.0);
        }
        let whole = found.with(f.behaviours);
        if controls(f, whole) {
            found.insert(Behaviours::COMMAND_AND_CONTROL);
        }
        f.behaviours.insert(found);
        if !got_it(f) {
            f.behaviours = Behaviours(f.behaviours.0 & !Behaviours::PROGRAM_DOWNLOAD.0);
        }
    }

    /// Zones, roles, learned names, brand and category.
    fn name(&self, f: &mut Features) {
        let place = |address: Option<IpAddr>| address.map_or(Zone::Unknown, zone);
        f.src = Party { role: self.known.source_role(f), zone: place(f.src_ip) };
        f.dst = Party { role: self.known.target_role(f), zone: place(f.dst_ip) };
        f.src_name = self.known.name(f.src_ip).map(Into::into);
        f.dst_name = self.known.name(f.dst_ip).map(Into::into);
        if said_nothing(f) {
            return;
        }
        let known = brand_of(f);
        f.brand = known.map_or_else(|| category::brand_of_app(f.app), |b| b.name);
        let of_app = category::of_app(f.app);
        f.category = match known {
            // A lookup of a video service's name is a lookup.
            Some(_) if of_app == "name lookup" => of_app,
            Some(brand) => brand.category,
            None => brand::named(f.brand).map_or(of_app, |b| b.category),
        };
    }
}

/// Domains that makers of security products publish so that others may test with them.
const TEST_DOMAINS: &[&str] = &[
    "internetbadguys.com",
    "examplemalwaredomain.com",
    "examplebotnetdomain.com",
    "malware.testcategory.com",
    "phishing.testcategory.com",
    "malware.wicar.org",
    "testmyids.com",
    "amtso.org",
];

fn is_below(name: &str, domain: &str) -> bool {
    let end = name.len().checked_sub(domain.len());
    end.and_then(|end| Some((name.get(..end)?, name.get(end..)?))).is_some_and(|(head, tail)| {
        tail.eq_ignore_ascii_case(domain) && (head.is_empty() || head.ends_with('.'))
    })
}

const NAMES: &[&str] = &["tls.sni", "http.hostname", "dns.queries.rrname", "quic.sni"];

fn brand_of(f: &Features) -> Option<&'static brand::Brand> {
    let told = NAMES.iter().flat_map(|path| f.names.all(path).take(4)).find_map(brand::of);
    // Without a name of its own, the name under which the server was looked up.
    told.or_else(|| match f.app {
        "dns" | "mdns" | "llmnr" | "nbns" => None,
        _ => brand::of(f.dst_name.as_deref()?),
    })
}

fn is_windows(app: &str) -> bool {
    matches!(app, "smb" | "dcerpc" | "nbss" | "")
}

/// A port that nobody spoke on tells no purpose.
fn said_nothing(f: &Features) -> bool {
    f.app_by != AppBy::Signature && f.to_server.payload_bytes + f.to_client.payload_bytes == 0
}

/// Something of a program's size came back, and no answer said that all requests failed.
fn got_it(f: &Features) -> bool {
    if f.to_client.payload_bytes < 1000 {
        return false;
    }
    let mut answers = f.names.all("http.status").peekable();
    answers.peek().is_none() || answers.any(|status| status.starts_with('2'))
}

/// A steady caller of a nameless service, or a name that exists to test for such callers.
fn controls(f: &Features, found: Behaviours) -> bool {
    let beacon = found.contains(Behaviours::BEACON);
    let odd = found.contains(Behaviours::ODD_CERTIFICATE);
    let encrypted = matches!(f.app, "tls" | "http" | "");
    let tests = ["tls.sni", "http.hostname", "dns.queries.rrname"]
        .iter()
        .flat_map(|path| f.names.all(path).take(8))
        .any(|name| TEST_DOMAINS.iter().any(|domain| is_below(name, domain)));
    tests || (beacon && (odd || encrypted) && f.brand.is_empty())
}

/// A request for a program.
fn program(target: &[u8]) -> Behaviours {
    const ENDINGS: &[&[u8]] = &[
        b".exe", b".msi", b".scr", b".dll", b".hta", b".bat", b".ps1", b".vbs", b".elf", b".class",
    ];
    let path = target.split(|b| *b == b'?').next().unwrap_or(target);
    let path = match path.strip_prefix(b"http://") {
        // An absolute target whose host ends like a program does is no program.
        Some(rest) => match rest.iter().position(|b| *b == b'/') {
            Some(at) => rest.get(at..).unwrap_or(&[]),
            None => &[],
        },
        None => path,
    };
    let cgi = path.windows(9).any(|w| w.eq_ignore_ascii_case(b"/cgi-bin/"));
    let ends = |ending: &[u8]| {
        let tail = path.len().checked_sub(ending.len()).and_then(|at| path.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
    };
    if !cgi && ENDINGS.iter().any(|ending| ends(ending)) {
        Behaviours::PROGRAM_DOWNLOAD
    } else {
        Behaviours::NONE
    }
}

/// A content type that says program.
fn content(value: &[u8]) -> Behaviours {
    const TYPES: &[&str] = &[
        "application/x-dosexec",
        "application/x-msdownload",
        "application/x-msdos-program",
        "application/x-msi",
        "application/x-executable",
        "application/vnd.microsoft.portable-executable",
        "application/exe",
        "application/x-exe",
        "application/x-elf",
        "application/java-vm",
    ];
    let text = String::from_utf8_lossy(value.get(..128).unwrap_or(value)).to_ascii_lowercase();
    let kind = text.split(';').next().unwrap_or("").trim();
    if TYPES.contains(&kind) { Behaviours::PROGRAM_DOWNLOAD } else { Behaviours::NONE }
}
