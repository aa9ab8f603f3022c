//! The demo without root: what the shipped captures hold.

use super::{Demo, relative};
use crate::Done;
use crate::sh;

/// What the demo calls production; the addresses are those of the made captures.
const TAGS: &str = "[tags]\nproduction = [\"10.10.0.0/24\"]\n";

/// Each with what its best hit must tell.
const QUESTIONS: &[(&str, &str)] = &[
    ("show me SSH traffic to production servers", "ssh"),
    ("find unusual DNS queries", "dns"),
    ("traffic patterns similar to DDoS attack", "flood"),
    ("someone guessing passwords", "brute_force"),
    ("commands sent to industrial controllers", ""),
];

pub(super) fn play(demo: &Demo) -> Done {
    let tags = demo.data.join("tags.toml");
    sh::write(&tags, TAGS)?;
    println!("{} holds:\n{TAGS}", relative(&tags));
    demo.step(&["import", "tests/fixtures/pcap"])?;
    for (question, expected) in QUESTIONS {
        demo.ask(question, "5", expected)?;
    }
    demo.step(&["flows", "--limit", "5", "app:tls"])?;
    demo.step(&["status"])?;
    demo.step(&["log", "verify"])?;
    demo.step(&["block", "list"])?;
    Ok(())
}
