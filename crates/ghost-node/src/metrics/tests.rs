//! The exposition against the grammar of OpenMetrics, read by a strict reader of our own.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::daemon::{QueueStatus, Traffic};

/// What a reader makes of an exposition: samples by name and labels.
#[derive(Debug, Default)]
struct Read {
    types: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

/// Reads by OpenMetrics 1.0, refusing whatever is not allowed by it.
fn read(text: &str) -> Result<Read, String> {
    let mut read = Read::default();
    let mut family = String::new();
    let mut described = BTreeSet::new();
    let body = text.strip_suffix("# EOF\n").ok_or("no # EOF at the end")?;
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let (kind, rest) = rest.split_once(' ').ok_or(line)?;
            let (name, value) = rest.split_once(' ').ok_or(line)?;
            name_is_fine(name)?;
            if name != family {
                family = name.to_owned();
                if read.types.contains_key(name) {
                    return Err(format!("{name} twice"));
                }
            }
            match kind {
                "HELP" if !value.is_empty() => {}
                "TYPE" => drop(read.types.insert(name.to_owned(), value.to_owned())),
                "UNIT" if name.ends_with(&format!("_{value}")) => {}
                _ => return Err(format!("not allowed: {line}")),
            }
            if !described.insert((name.to_owned(), kind.to_owned())) {
                return Err(format!("{kind} of {name} twice"));
            }
            continue;
        }
        let (name, rest) = line.split_at(line.find(['{', ' ']).ok_or(line)?);
        name_is_fine(name)?;
        let (labels, value) = labels(rest).ok_or_else(|| format!("labels: {line}"))?;
        let value: f64 = value.trim().parse().map_err(|e| format!("{line}: {e}"))?;
        let kind = read.types.get(&family).ok_or_else(|| format!("no TYPE before {line}"))?;
        let suffix = name.strip_prefix(family.as_str()).ok_or_else(|| format!("stray {line}"))?;
        let fits = match kind.as_str() {
            "counter" => suffix == "_total" && value >= 0.0,
            "gauge" => suffix.is_empty(),
            "info" => suffix == "_info" && (value - 1.0).abs() < f64::EPSILON,
            "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
            _ => false,
        };
        if !fits {
            return Err(format!("{kind}: {line}"));
        }
        let of: BTreeSet<_> = labels.iter().map(|(key, _)| key).collect();
        if of.len() != labels.len() {
            return Err(format!("a label twice: {line}"));
        }
        if read.samples.insert(format!("{name}{labels:?}"), value).is_some() {
            return Err(format!("twice: {line}"));
        }
    }
    Ok(read)
}

fn name_is_fine(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.starts_with("ghostbridge_") && name.chars().all(fine) {
        true => Ok(()),
        false => Err(format!("name {name:?}")),
    }
}

type Pairs = Vec<(String, String)>;

/// `{key="value",…} ` and what stands behind.
fn labels(text: &str) -> Option<(Pairs, &str)> {
    let Some(mut rest) = text.strip_prefix('{') else {
        return Some((Vec::new(), text.strip_prefix(' ')?));
    };
    let mut pairs = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix("} ") {
            return Some((pairs, rest));
        }
        rest = rest.strip_prefix(',').unwrap_or(rest);
        let (key, quoted) = rest.split_once("=\"")?;
        key.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(())?;
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    c @ ('"' | '\\') => c,
                    _ => return None,
                }),
                (_, c) if c.is_control() => return None,
                (_, c) => value.push(c),
            }
        };
        pairs.push((key.to_owned(), value));
        rest = &quoted[end..];
    }
}

fn standing() -> Standing {
    let mut standing = Standing { program: "ghostbridge 0.1.0".to_owned(), ..Standing::default() };
    standing.memory_bytes = 7 << 20;
    let status = &mut standing.status;
    status.mode = "ghost".to_owned();
    status.started_ns = 1_795_000_000_500_000_000;
    status.traffic = Traffic { packets: 11, bytes: 1100, unparsed: 2, ..Traffic::default() };
    status.bridges = vec!["br0".to_owned()];
    status.queues =
        vec![QueueStatus { name: "writer".to_owned(), length: 3, capacity: 64, full: 2 }];
    status.ports = vec![
        PortStatus { name: "eth1".to_owned(), seen: 10, lost: 1, ..PortStatus::default() },
        PortStatus { name: "eth2".to_owned(), seen: 20, attached: true, ..PortStatus::default() },
    ];
    status.loss.ring_frames = 1;
    standing
}

fn value(read: &Read, sample: &str) -> f64 {
    *read.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", read.samples))
}

#[test]
fn the_exposition_keeps_to_the_grammar_and_says_what_is() {
    let read = read(&exposition(&standing())).unwrap();
    let is = |sample: &str, expected: f64| {
        assert!((value(&read, sample) - expected).abs() < 1e-6, "{sample}");
    };
    is("ghostbridge_packets_total[]", 11.0);
    is("ghostbridge_packet_bytes_total[]", 1100.0);
    is("ghostbridge_start_time_seconds[]", 1_795_000_000.5);
    is("ghostbridge_resident_memory_bytes[]", 7_340_032.0);
    is(r#"ghostbridge_port_frames_total[("bridge", "br0"), ("port", "eth2")]"#, 20.0);
    is(
        r#"ghostbridge_port_lost_frames_total[("bridge", "br0"), ("port", "eth1"), ("reason", "ring_full")]"#,
        1.0,
    );
    is(r#"ghostbridge_lost_packets_total[("reason", "ring_full")]"#, 1.0);
    is(r#"ghostbridge_queue_entries[("queue", "writer")]"#, 3.0);
    is(r#"ghostbridge_packets_set_aside_total[("reason", "unparsed")]"#, 2.0);
    let built = read.samples.keys().find(|k| k.starts_with("ghostbridge_build_info")).unwrap();
    assert!(built.contains(r#"("version", "0.1.0")"#) && built.contains(r#"("mode", "ghost")"#));
}

#[test]
fn ports_beyond_the_bound_are_summed_and_twins_do_not_collide() {
    let mut standing = standing();
    let port = |n: usize| PortStatus {
        // Names repeat: a port that went and came again has another number.
        name: format!("port{}", n % 200),
        seen: 1,
        ..PortStatus::default()
    };
    standing.status.ports = (0..1000).map(port).collect();
    let read = read(&exposition(&standing)).unwrap();
    let of_ports: Vec<_> =
        read.samples.iter().filter(|(k, _)| k.contains("port_frames_total")).collect();
    assert_eq!(of_ports.len(), 201);
    assert!((of_ports.iter().map(|(_, v)| **v).sum::<f64>() - 1000.0).abs() < 1e-9);
}

#[test]
fn no_name_breaks_the_exposition() {
    bolero::check!().with_type::<(String, String, String)>().with_iterations(500).for_each(
        |(bridge, port, queue)| {
            let mut standing = standing();
            standing.status.bridges = vec![bridge.clone()];
            standing.status.ports[0].name = port.clone();
            standing.status.queues[0].name = queue.clone();
            standing.status.mode = port.clone();
            let text = exposition(&standing);
            if let Err(error) = read(&text) {
                panic!("{error}\n{text}");
            }
        },
    );
}

#[test]
fn the_reader_refuses_what_is_no_exposition() {
    for bad in [
        "",
        "# TYPE ghostbridge_a counter\nghostbridge_a 1\n# EOF\n",
        "# TYPE ghostbridge_a gauge\nghostbridge_a{b=\"c} 1\n# EOF\n",
        "# TYPE ghostbridge_a gauge\nghostbridge_a 1\nghostbridge_a 1\n# EOF\n",
        "ghostbridge_a 1\n# EOF\n",
        "# TYPE a gauge\na 1\n# EOF\n",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}
