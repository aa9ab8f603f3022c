//! Which element a message is about, and what became of it.
//!
//! A table of the sentences that the kernel, systemd, NetworkManager, Open vSwitch and OpenSSH
//! write, by program. A message of none of them is about nothing that is known here, and is kept
//! all the same.

use crate::record::Record;

/// What a message says of an element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// `interface:eth0`, `bridge:br0`, `port:br0/eth1`, `unit:nginx.service`, `connection:home`.
    pub element: String,
    /// `appeared`, `went`, `up`, `down`, `failed`, `started`, `stopped`, `changed`, …
    pub action: &'static str,
    /// The field that changed, where one did, as it was and as it is.
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

/// What `record` says of an element; `None` where no sentence fits.
#[must_use]
pub fn told(record: &Record) -> Option<Told> {
    let message = record.message.as_str();
    let program = record.program.rsplit('/').next().unwrap_or_default();
    match program {
        "kernel" => kernel(message),
        "systemd" => systemd(message),
        "systemd-networkd" => networkd(message),
        "NetworkManager" => network_manager(message),
        "org.freedesktop.NetworkManager.Device" => network_manager(message),
        "bridge" => switch(message),
        "netdev_linux" | "netdev" | "dpif" => device(message),
        "vsctl" | "ovs-vsctl" => vsctl(message),
        _ => unit_of(record),
    }
}

fn of(element: String, action: &'static str) -> Told {
    Told { element, action, ..Told::default() }
}

fn changed(element: String, field: &'static str, before: &str, after: &str) -> Told {
    Told { element, action: "changed", field, before: before.to_owned(), after: after.to_owned() }
}

/// A name of an interface: what the kernel allows.
fn interface(name: &str) -> Option<String> {
    let name = name.trim_end_matches([':', ',', '.']);
    let fits = !name.is_empty()
        && name.len() <= 15
        && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'(' | b')' | b'\''));
    fits.then(|| format!("interface:{name}"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

fn kernel(message: &str) -> Option<Told> {
    // `[   12.345678] …`, where the console's stamp is kept.
    let message = match message.strip_prefix('[').and_then(|m| m.split_once("] ")) {
        Some((stamp, rest)) if stamp.trim().parse::<f64>().is_ok() => rest,
        _ => message,
    };
    // `device eth0 entered promiscuous mode`; from Linux 6.4 on `eth0: entered promiscuous mode`.
    for (mark, before, after) in
        [("entered promiscuous mode", "false", "true"), ("left promiscuous mode", "true", "false")]
    {
        if let Some(name) = message.strip_suffix(mark) {
            let name = name.trim().trim_start_matches("device ").split(' ').next()?;
            return Some(changed(interface(name)?, "promiscuous", before, after));
        }
    }
    // `br0: port 2(veth1) entered blocking state`.
    if let Some((bridge, rest)) = message.split_once(": port ")
        && let Some(port) = between(rest, "(", ")")
        && let Some(state) = between(rest, ") entered ", " state")
    {
        let mut told = changed(format!("port:{bridge}/{port}"), "stp_state", "", state);
        if state == "disabled" {
            told.action = "down";
        }
        return Some(told);
    }
    let (name, rest) = message.rsplit_once(": ")?;
    let name = name.rsplit(' ').next()?;
    let rest = rest.to_ascii_lowercase();
    let name = || interface(name);
    if rest.starts_with("link becomes ready") {
        return Some(of(name()?, "up"));
    }
    if rest.starts_with("renamed from ") {
        let before = rest.trim_start_matches("renamed from ").to_owned();
        return Some(Told { before, field: "name", ..of(name()?, "changed") });
    }
    if rest.contains("link is up") || rest.contains("carrier on") {
        return Some(of(name()?, "up"));
    }
    if rest.contains("link is down") || rest.contains("carrier lost") {
        return Some(of(name()?, "down"));
    }
    None
}

/// Ends of names of units.
const UNIT_KINDS: [&str; 10] = [
    ".service", ".socket", ".target", ".mount", ".timer", ".device", ".slice", ".scope", ".path",
    ".swap",
];

fn unit(name: &str) -> Option<String> {
    let name = name.trim_end_matches([':', '.', ',']);
    UNIT_KINDS.iter().any(|kind| name.ends_with(kind)).then(|| format!("unit:{name}"))
}

fn systemd(message: &str) -> Option<Told> {
    // `nginx.service: Main process exited, code=exited, status=1/FAILURE`.
    if let Some((name, rest)) = message.split_once(": ")
        && let Some(unit) = unit(name)
    {
        let action = match rest {
            r if r.starts_with("Failed with result")
                || r.contains("status=") && r.contains("FAIL") =>
            {
                "failed"
            }
            r if r.starts_with("Scheduled restart job") => "restarted",
            r if r.starts_with("Succeeded") || r.starts_with("Deactivated") => "stopped",
            r if r.starts_with("Killing process") || r.contains("killed") => "killed",
            _ => "told",
        };
        let after = rest.trim_end_matches('.').to_owned();
        return Some(Told { field: "result", after, ..of(unit, action) });
    }
    // Sentences with the unit's description, or (systemd 249 and later) its name first.
    for (start, action) in [
        ("Failed to start ", "failed"),
        ("Failed to mount ", "failed"),
        ("Dependency failed for ", "failed"),
        ("Timed out waiting for ", "failed"),
        ("Started ", "started"),
        ("Starting ", "starting"),
        ("Finished ", "started"),
        ("Stopping ", "stopping"),
        ("Stopped ", "stopped"),
        ("Mounted ", "started"),
        ("Unmounted ", "stopped"),
        ("Listening on ", "started"),
        ("Closed ", "stopped"),
        ("Reached target ", "started"),
        ("Stopped target ", "stopped"),
        ("Reloading ", "reloading"),
        ("Reloaded ", "reloaded"),
    ] {
        let Some(rest) = message.strip_prefix(start) else { continue };
        let rest = rest.trim_end_matches('.');
        let named = rest.split(" - ").next().and_then(unit);
        return Some(of(named.unwrap_or_else(|| format!("unit:{rest}")), action));
    }
    None
}

fn networkd(message: &str) -> Option<Told> {
    let (name, rest) = message.split_once(": ")?;
    let action = match rest {
        r if r.starts_with("Gained carrier") => "up",
        r if r.starts_with("Lost carrier") => "down",
        r if r.starts_with("Link UP") => "up",
        r if r.starts_with("Link DOWN") => "down",
        r if r.starts_with("Gained IPv6LL") || r.starts_with("DHCPv4 address") => "addressed",
        r if r.starts_with("Configured") => "configured",
        r if r.starts_with("Failed") || r.starts_with("Could not") => "failed",
        _ => "told",
    };
    Some(Told { field: "state", after: rest.to_owned(), ..of(interface(name)?, action) })
}

fn network_manager(message: &str) -> Option<Told> {
    if let Some(device) = between(message, "device (", ")") {
        let element = if device.starts_with('/') {
            format!("device:{device}")
        } else {
            format!("interface:{device}")
        };
        if let Some((_, states)) = message.split_once("state change: ")
            && let Some((before, rest)) = states.split_once(" -> ")
        {
            let after = rest.split([' ', ',']).next().unwrap_or_default();
            let mut told = changed(element, "state", before, after);
            if after == "failed" {
                told.action = "failed";
            }
            return Some(told);
        }
        if let Some(connection) = between(message, "failed for connection '", "'") {
            return Some(of(format!("connection:{connection}"), "failed"));
        }
        if let Some(connection) = between(message, "starting connection '", "'") {
            return Some(of(format!("connection:{connection}"), "starting"));
        }
        if message.contains("carrier: link connected") {
            return Some(of(element, "up"));
        }
        if message.contains("carrier: link disconnected") {
            return Some(of(element, "down"));
        }
        return Some(of(element, "told"));
    }
    let connection = between(message, "connection '", "'")?;
    Some(of(format!("connection:{connection}"), "told"))
}

fn switch(message: &str) -> Option<Told> {
    let (bridge, rest) = message.strip_prefix("bridge ")?.split_once(": ")?;
    for (start, action) in [("added interface ", "appeared"), ("deleted interface ", "went")] {
        if let Some(rest) = rest.strip_prefix(start) {
            let port = rest.split(' ').next()?;
            return Some(of(format!("port:{bridge}/{port}"), action));
        }
    }
    Some(of(format!("bridge:{bridge}"), "told"))
}

fn device(message: &str) -> Option<Told> {
    let name = message.strip_prefix("failed to set MTU for network device ");
    if let Some(name) = name.and_then(|m| m.split(':').next()) {
        return Some(Told { field: "mtu", ..of(interface(name)?, "failed") });
    }
    let (name, rest) = message.split_once(": ")?;
    let named = interface(name)?;
    (rest.contains("failed") || rest.contains("could not")).then(|| of(named, "failed"))
}

fn vsctl(message: &str) -> Option<Told> {
    let words: Vec<&str> = message.split_whitespace().filter(|w| !w.starts_with("--")).collect();
    let after = |verb: &str, n: usize| {
        let at = words.iter().position(|w| *w == verb)?;
        words.get(at + n).copied()
    };
    let port = |verb: &str| Some((after(verb, 1)?, after(verb, 2)?));
    if let Some((bridge, port)) = port("add-port") {
        return Some(of(format!("port:{bridge}/{port}"), "appeared"));
    }
    if let Some((bridge, port)) = port("del-port") {
        return Some(of(format!("port:{bridge}/{port}"), "went"));
    }
    for (verb, action) in [("add-br", "appeared"), ("del-br", "went")] {
        if let Some(bridge) = after(verb, 1) {
            return Some(of(format!("bridge:{bridge}"), action));
        }
    }
    for verb in ["set", "clear", "remove", "add"] {
        let (Some(table), Some(row)) = (after(verb, 1), after(verb, 2)) else { continue };
        let kind = match table.to_ascii_lowercase().as_str() {
            "bridge" => "bridge",
            "interface" => "interface",
            "port" => "port",
            _ => continue,
        };
        let after = after(verb, 3).unwrap_or_default().to_owned();
        return Some(Told { field: "column", after, ..of(format!("{kind}:{row}"), "changed") });
    }
    None
}

/// A message of a unit that the journal names, where it complains.
fn unit_of(record: &Record) -> Option<Told> {
    let name = unit(&record.unit)?;
    record.level.filter(|l| *l <= crate::record::Level::Warning).map(|_| of(name, "complained"))
}
