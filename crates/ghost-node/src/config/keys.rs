//! Every key: its name, what it means, how it is read and printed, and whether a reload takes it.
//!
//! One table; the file's reader, the shipped example, the reference and `config show` all walk it.

use std::path::PathBuf;

use ghost_embed::Profile;
use ghost_host::Mode;

use super::settings::Value;
use super::units::{bytes, bytes_in_words, nanoseconds, nanoseconds_in_words};
use super::{Config, DiskCap, Granularity, Sealing};

/// When a changed value is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// By SIGHUP, at once.
    Now,
    /// At the next start.
    Restart,
}

/// One key.
pub struct Key {
    /// With its table: `flow.idle_tcp`.
    pub name: &'static str,
    /// What it means, in sentences for an operator.
    pub what: &'static str,
    pub reload: Reload,
    pub(super) get: fn(&Config) -> Value,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), String>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Key {
    /// The value as it stands in a file.
    #[must_use]
    pub fn value(&self, config: &Config) -> String {
        (self.get)(config).to_string()
    }
}

/// The words of a closed choice, each with its value.
type Choice<T> = &'static [(&'static str, T)];

const MODES: Choice<Mode> = &[
    ("ghost", Mode::Ghost),
    ("ghost-fast", Mode::GhostFast),
    ("inline", Mode::Inline),
    ("mirror", Mode::Mirror),
];
const GRANULARITIES: Choice<Granularity> =
    &[("flow", Granularity::Flow), ("packet", Granularity::Packet)];
const PROFILES: Choice<Profile> =
    &[("fast", Profile::Fast), ("balanced", Profile::Balanced), ("high", Profile::High)];

const SEALINGS: Choice<Sealing> = &[
    ("priority", Sealing::Priority),
    ("batch", Sealing::Batch),
    ("realtime", Sealing::Realtime),
    ("off", Sealing::Off),
];

/// All keys, in the order of the file.
#[must_use]
pub fn keys() -> &'static [Key] {
    KEYS
}

const KEYS: &[Key] = &[
    Key {
        name: "interfaces",
        what: "Bridges or interfaces to tap, by name. Empty: every Open vSwitch and Linux bridge \
               that is found, else the interface of the default route.",
        reload: Reload::Now,
        get: |c| Value::List(c.interfaces.clone()),
        set: |c, v| names(v).map(|list| c.interfaces = list),
    },
    Key {
        name: "mode",
        what: "How frames are come by. ghost: the kernel forwards, a copy comes up. ghost-fast: \
               one program forwards between two ports and copies. inline: user space forwards \
               between two ports. mirror: Open vSwitch copies, for ports that tc can't see.",
        reload: Reload::Restart,
        get: |c| one_of(MODES, c.mode),
        set: |c, v| choose(MODES, v).map(|mode| c.mode = mode),
    },
    Key {
        name: "granularity",
        what: "What becomes an event: each flow, or each packet as well.",
        reload: Reload::Restart,
        get: |c| one_of(GRANULARITIES, c.granularity),
        set: |c, v| choose(GRANULARITIES, v).map(|g| c.granularity = g),
    },
    Key {
        name: "filter",
        what: "BPF filter words, such as \"not port 22\"; what they leave out is not remembered. \
               Empty: everything is.",
        reload: Reload::Now,
        get: |c| Value::Text(c.filter.clone()),
        set: |c, v| filter(text(v)?).map(|words| c.filter = words),
    },
    Key {
        name: "profile",
        what: "How much meaning the machine can pay for: fast (256 dimensions), balanced \
               (MiniLM's 384) or high (a 768-dimensional model that you put in place).",
        reload: Reload::Restart,
        get: |c| one_of(PROFILES, c.profile),
        set: |c, v| choose(PROFILES, v).map(|profile| c.profile = profile),
    },
    Key {
        name: "data_dir",
        what: "Folder of log, index and state. \"auto\": /var/lib/ghostbridge for root and for \
               the service, else the XDG data folder.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.data_dir.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.data_dir = path),
    },
    Key {
        name: "model_dir",
        what: "Folder of the full language model. \"auto\": the usual ones.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.model_dir.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.model_dir = path),
    },
    Key {
        name: "tags",
        what: "File that names groups of hosts. \"auto\": tags.toml in the data folder, then \
               /etc/ghostbridge/tags.toml.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.tags.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.tags = path),
    },
    Key {
        name: "identity",
        what: "Name under which the log's checkpoints are signed: letters a to z, digits, dots and \
               hyphens. A log keeps the one it began with. \"auto\": the host's name.",
        reload: Reload::Restart,
        get: |c| c.identity.clone().map_or_else(auto, Value::Text),
        set: |c, v| identity(text(v)?).map(|name| c.identity = name),
    },
    Key {
        name: "tap.enabled",
        what: "false: nothing is tapped; log, index and API alone.",
        reload: Reload::Restart,
        get: |c| Value::Bool(c.tap.enabled),
        set: |c, v| flag(v).map(|on| c.tap.enabled = on),
    },
    Key {
        name: "tap.ring_bytes",
        what: "Memory of the rings between kernel and daemon, all together; it decides how long \
               a burst may last. \"auto\": 64 MiB, or a sixteenth of a small machine's memory.",
        reload: Reload::Restart,
        get: |c| c.tap.ring_bytes.map_or_else(auto, |n| Value::Text(bytes_in_words(n))),
        set: |c, v| {
            c.tap.ring_bytes = match text(v)? {
                "auto" => None,
                words => Some(at_least(bytes(words)?, 256 << 10, "256 KiB")?),
            };
            Ok(())
        },
    },
    Key {
        name: "tap.helper",
        what: "Socket of the attach helper. \"auto\": a helper of its own where this runs as root, \
               else /run/ghostbridge/attach.sock.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.tap.helper.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.tap.helper = path),
    },
    Key {
        name: "ovs.socket",
        what: "Socket of Open vSwitch's database. \"auto\": the usual places.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.ovs.socket.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.ovs.socket = path),
    },
    Key {
        name: "flow.flows_max",
        what: "Flows kept open at the same time; above it the longest-quiet one is logged early. \
               200,000 take 150 to 330 MB.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.flow.flows_max as u64),
        set: |c, v| {
            let n = at_least(number(v)?, 1024, "1024")?;
            c.flow.flows_max = usize::try_from(n).map_err(|e| e.to_string())?;
            Ok(())
        },
    },
    Key {
        name: "flow.idle_tcp",
        what: "Quiet time that ends an open TCP connection's record.",
        reload: Reload::Restart,
        get: |c| time(c.flow.idle_tcp_ns),
        set: |c, v| positive(v).map(|ns| c.flow.idle_tcp_ns = ns),
    },
    Key {
        name: "flow.idle_tcp_closed",
        what: "Quiet time that ends it after both FINs or a RST.",
        reload: Reload::Restart,
        get: |c| time(c.flow.idle_tcp_closed_ns),
        set: |c, v| positive(v).map(|ns| c.flow.idle_tcp_closed_ns = ns),
    },
    Key {
        name: "flow.idle_udp",
        what: "Quiet time that ends a UDP flow.",
        reload: Reload::Restart,
        get: |c| time(c.flow.idle_udp_ns),
        set: |c, v| positive(v).map(|ns| c.flow.idle_udp_ns = ns),
    },
    Key {
        name: "flow.idle_other",
        what: "Quiet time that ends every other flow, and handshakes that come to nothing.",
        reload: Reload::Restart,
        get: |c| time(c.flow.idle_other_ns),
        set: |c, v| positive(v).map(|ns| c.flow.idle_other_ns = ns),
    },
    Key {
        name: "flow.active",
        what: "A flow that lasts longer is logged, and goes on in another record.",
        reload: Reload::Restart,
        get: |c| time(c.flow.active_ns),
        set: |c, v| positive(v).map(|ns| c.flow.active_ns = ns),
    },
    Key {
        name: "flow.fold_above_per_s",
        what: "Unanswered one-packet flows a second above which they are folded into one record \
               with exact counts, as in a flood. 0: never.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.flow.fold_above_per_s.unwrap_or(0).into()),
        set: |c, v| {
            let n = u32::try_from(number(v)?).map_err(|_| "at most 4294967295".to_owned())?;
            c.flow.fold_above_per_s = (n > 0).then_some(n);
            Ok(())
        },
    },
    Key {
        name: "packet.digest",
        what: "With granularity = \"packet\": each event carries the SHA-256 of its captured bytes.",
        reload: Reload::Restart,
        get: |c| Value::Bool(c.packet.digest),
        set: |c, v| flag(v).map(|on| c.packet.digest = on),
    },
    Key {
        name: "log.segment_bytes",
        what: "A segment of the log is sealed before it exceeds this.",
        reload: Reload::Restart,
        get: |c| Value::Text(bytes_in_words(c.log.segment_bytes)),
        set: |c, v| {
            c.log.segment_bytes = at_least(bytes(text(v)?)?, 64 << 10, "64 KiB")?;
            Ok(())
        },
    },
    Key {
        name: "log.disk_cap",
        what: "Disk that log, blocks and what blocks pin may take: a size, or a part of the disk \
               such as \"10 %\". Above it the oldest segments go. \"auto\": the smaller of 10 % \
               and 20 GiB.",
        reload: Reload::Restart,
        get: |c| match c.log.disk_cap {
            DiskCap::Auto => auto(),
            DiskCap::Percent(n) => Value::Text(format!("{n} %")),
            DiskCap::Bytes(n) => Value::Text(bytes_in_words(n)),
        },
        set: |c, v| disk_cap(text(v)?).map(|cap| c.log.disk_cap = cap),
    },
    Key {
        name: "blocks.strategy",
        what: "When the log is sealed into a block. priority: the sooner, the more an event \
               presses (critical at once, high 0.5s, medium 5s, low 30s). batch: by max_events and \
               max_delay. realtime: after every event. off: when asked for, and at the end.",
        reload: Reload::Restart,
        get: |c| one_of(SEALINGS, c.blocks.strategy),
        set: |c, v| choose(SEALINGS, v).map(|strategy| c.blocks.strategy = strategy),
    },
    Key {
        name: "blocks.max_events",
        what: "With strategy = \"batch\": so many events make a block.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.blocks.max_events),
        set: |c, v| at_least(number(v)?, 1, "1").map(|n| c.blocks.max_events = n),
    },
    Key {
        name: "blocks.max_delay",
        what: "With strategy = \"batch\": no event waits longer for its block.",
        reload: Reload::Restart,
        get: |c| time(c.blocks.max_delay_ns),
        set: |c, v| positive(v).map(|ns| c.blocks.max_delay_ns = ns),
    },
    Key {
        name: "blocks.keep_last",
        what: "Newest blocks that are kept; older ones go, their signed checkpoints stay.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.blocks.keep_last.into()),
        set: |c, v| few(v, 1).map(|n| c.blocks.keep_last = n),
    },
    Key {
        name: "blocks.keep_hourly",
        what: "Blocks kept besides, the last one of each of so many hours.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.blocks.keep_hourly.into()),
        set: |c, v| few(v, 0).map(|n| c.blocks.keep_hourly = n),
    },
    Key {
        name: "blocks.keep_daily",
        what: "Blocks kept besides, the last one of each of so many days.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.blocks.keep_daily.into()),
        set: |c, v| few(v, 0).map(|n| c.blocks.keep_daily = n),
    },
    Key {
        name: "blocks.helper",
        what: "Socket of the block helper, which makes snapshots on btrfs. \"auto\": a helper of \
               its own where this runs as root, else /run/ghostbridge/block.sock.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.blocks.helper.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.blocks.helper = path),
    },
    Key {
        name: "replica.accept",
        what: "Whether this host holds logs of others: whoever may use replica.sock, as forced \
               commands of ssh keys do, may bring one.",
        reload: Reload::Restart,
        get: |c| Value::Bool(c.replica.accept),
        set: |c, v| flag(v).map(|on| c.replica.accept = on),
    },
    Key {
        name: "replica.keep_hourly",
        what: "Blocks kept of each log that is held, besides its last two: the last one of each of \
               so many hours.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.replica.keep_hourly.into()),
        set: |c, v| few(v, 0).map(|n| c.replica.keep_hourly = n),
    },
    Key {
        name: "replica.keep_daily",
        what: "And the last one of each of so many days.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.replica.keep_daily.into()),
        set: |c, v| few(v, 0).map(|n| c.replica.keep_daily = n),
    },
    Key {
        name: "anomalies.enabled",
        what: "Whether flows are scored by how unlike everything before they are.",
        reload: Reload::Restart,
        get: |c| Value::Bool(c.anomalies.enabled),
        set: |c, v| flag(v).map(|on| c.anomalies.enabled = on),
    },
    Key {
        name: "anomalies.rule",
        what: "How: \"learned\", or \"cosine:0.7\" for the customary rule (an alert where no shape \
               met before has that cosine), which finds next to nothing.",
        reload: Reload::Restart,
        get: |c| Value::Text(c.anomalies.rule.clone()),
        set: |c, v| {
            let words = text(v)?;
            crate::anomaly::rule(words).map(|_| c.anomalies.rule = words.to_owned())
        },
    },
    Key {
        name: "anomalies.novelty",
        what: "Whether addresses, hardware addresses and names that were not met before count.",
        reload: Reload::Restart,
        get: |c| Value::Bool(c.anomalies.novelty),
        set: |c, v| flag(v).map(|on| c.anomalies.novelty = on),
    },
    Key {
        name: "anomalies.learn_flows",
        what: "Flows that are learned before what was learned counts in full.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.anomalies.learn_flows.into()),
        set: |c, v| {
            let n = at_least(number(v)?, 1, "1")?;
            u32::try_from(n).map(|n| c.anomalies.learn_flows = n).map_err(|e| e.to_string())
        },
    },
    Key {
        name: "anomalies.learn_time",
        what: "And the time that they must span.",
        reload: Reload::Restart,
        get: |c| time(c.anomalies.learn_ns),
        set: |c, v| positive(v).map(|ns| c.anomalies.learn_ns = ns),
    },
    Key {
        name: "alerts.webhook",
        what: "http:// or https:// address that gets a JSON object by POST for each incident and \
               digest. Empty: none.",
        reload: Reload::Restart,
        get: |c| Value::Text(c.alerts.webhook.clone()),
        set: |c, v| address(text(v)?).map(|url| c.alerts.webhook = url),
    },
    Key {
        name: "alerts.webhook_token_file",
        what: "File whose first line is sent to it as a bearer token; read anew each time. \
               \"auto\": none.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.alerts.webhook_token.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.alerts.webhook_token = path),
    },
    Key {
        name: "alerts.syslog",
        what: "Where RFC 5424 is spoken: \"unix\" for /dev/log, \"unix:/path\", \
               \"udp://host:514\". Empty: nowhere.",
        reload: Reload::Restart,
        get: |c| Value::Text(c.alerts.syslog.clone()),
        set: |c, v| {
            let words = text(v)?;
            let to = crate::anomaly::alerts::SyslogTo::parse(words)?;
            c.alerts.syslog = to.map(|to| to.words()).unwrap_or_default();
            Ok(())
        },
    },
    Key {
        name: "alerts.ntfy",
        what: "Address of an ntfy topic, such as \"https://ntfy.sh/a-name-nobody-guesses\". \
               Empty: none.",
        reload: Reload::Restart,
        get: |c| Value::Text(c.alerts.ntfy.clone()),
        set: |c, v| address(text(v)?).map(|url| c.alerts.ntfy = url),
    },
    Key {
        name: "alerts.ntfy_token_file",
        what: "File whose first line is sent to it as a bearer token. \"auto\": none.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.alerts.ntfy_token.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.alerts.ntfy_token = path),
    },
    Key {
        name: "alerts.ca_file",
        what: "PEM file of certificates that https:// addresses must lead to. \"auto\": those that \
               the system trusts.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.alerts.ca.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.alerts.ca = path),
    },
    Key {
        name: "alerts.min_score",
        what: "Incidents below this score, in hundredths, are told nowhere; the log has them.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.alerts.min_score.into()),
        set: |c, v| match number(v)? {
            n @ 0..=100 => {
                u8::try_from(n).map(|n| c.alerts.min_score = n).map_err(|e| e.to_string())
            }
            _ => Err("at most 100".to_owned()),
        },
    },
    Key {
        name: "alerts.digest",
        what: "For so long the same (a kind between two hosts) is not told again; what came \
               meanwhile is told together. \"0s\": no digests, everything new at once.",
        reload: Reload::Restart,
        get: |c| time(c.alerts.digest_ns),
        set: |c, v| nanoseconds(text(v)?).map(|ns| c.alerts.digest_ns = ns),
    },
    Key {
        name: "alerts.burst",
        what: "Incidents told at once within that time; more go into the digest.",
        reload: Reload::Restart,
        get: |c| Value::Number(c.alerts.burst.into()),
        set: |c, v| few(v, 1).map(|n| c.alerts.burst = n),
    },
    Key {
        name: "metrics.listen",
        what: "Address for Prometheus on loopback, such as \"127.0.0.1:9465\". Empty: metrics \
               are on the API's socket only.",
        reload: Reload::Restart,
        get: |c| Value::Text(c.metrics.listen.map(|a| a.to_string()).unwrap_or_default()),
        set: |c, v| listen(text(v)?).map(|address| c.metrics.listen = address),
    },
    Key {
        name: "api.socket",
        what: "The API's Unix socket. \"auto\": /run/ghostbridge/api.sock for the default data \
               folder, else state/api.sock in it.",
        reload: Reload::Restart,
        get: |c| path_or_auto(c.api.socket.as_ref()),
        set: |c, v| auto_or_path(v).map(|path| c.api.socket = path),
    },
    Key {
        name: "api.group",
        what: "Group whose members may ask over the API's socket. Empty: its owner alone.",
        reload: Reload::Restart,
        get: |c| Value::Text(c.api.group.clone()),
        set: |c, v| text(v).map(|group| c.api.group = group.to_owned()),
    },
];

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("expected text in quotes, not {}", other.kind())),
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(on) => Ok(*on),
        // The environment and the command line have no other way to say it.
        Value::Text(t) if t == "true" => Ok(true),
        Value::Text(t) if t == "false" => Ok(false),
        other => Err(format!("expected true or false, not {}", other.kind())),
    }
}

fn number(value: &Value) -> Result<u64, String> {
    match value {
        Value::Number(n) => Ok(*n),
        Value::Text(t) if t.parse::<u64>().is_ok() => t.parse().map_err(|_| String::new()),
        other => Err(format!("expected a whole number, not {}", other.kind())),
    }
}

fn names(value: &Value) -> Result<Vec<String>, String> {
    let list = match value {
        Value::List(list) => list.clone(),
        Value::Text(words) => words.split([',', ' ']).map(str::to_owned).collect(),
        other => return Err(format!("expected a list such as [\"br0\"], not {}", other.kind())),
    };
    let list: Vec<String> = list.into_iter().filter(|name| !name.is_empty()).collect();
    for (at, name) in list.iter().enumerate() {
        // What the kernel takes as an interface's name.
        let odd =
            name.len() > 15 || name.contains(['/', ':']) || name.contains(char::is_whitespace);
        if odd || name == "." || name == ".." {
            return Err(format!("{name:?} can't be an interface's name"));
        }
        if list.iter().take(at).any(|before| before == name) {
            return Err(format!("{name:?} stands there twice"));
        }
    }
    Ok(list)
}

fn filter(words: &str) -> Result<String, String> {
    let words = words.trim();
    if !words.is_empty() {
        ghost_wire::filter::Filter::compile(words).map_err(|e| e.to_string())?;
    }
    Ok(words.to_owned())
}

fn listen(words: &str) -> Result<Option<std::net::SocketAddr>, String> {
    if words.is_empty() {
        return Ok(None);
    }
    let address: std::net::SocketAddr = words
        .parse()
        .map_err(|_| format!("{words:?} is no address with a port, as 127.0.0.1:9465"))?;
    if !address.ip().is_loopback() {
        return Err(format!("{words} is not a loopback address: metrics have no password"));
    }
    Ok(Some(address))
}

fn address(words: &str) -> Result<String, String> {
    let rest = words.strip_prefix("https://").or_else(|| words.strip_prefix("http://"));
    let odd = |c: char| !c.is_ascii_graphic();
    match rest {
        None if words.is_empty() => Ok(String::new()),
        Some(rest) if !rest.is_empty() && words.len() <= 2048 && !rest.contains(odd) => {
            Ok(words.to_owned())
        }
        _ => Err(format!("{words:?} is no address, as https://example.com/hook")),
    }
}

/// A number of blocks: each of them is a snapshot, and a thousand slow every commit down.
fn few(value: &Value, least: u64) -> Result<u32, String> {
    match number(value)? {
        n if n < least => Err(format!("at least {least}")),
        n if n > 500 => Err("at most 500".to_owned()),
        n => u32::try_from(n).map_err(|e| e.to_string()),
    }
}

fn identity(words: &str) -> Result<Option<String>, String> {
    let odd = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-');
    match words {
        "auto" | "" => Ok(None),
        _ if words.len() > 63 || words.contains(odd) => Err(format!(
            "{words:?} can't name a log: at most 63 letters a to z, digits, dots and hyphens"
        )),
        _ => Ok(Some(words.to_owned())),
    }
}

fn disk_cap(words: &str) -> Result<DiskCap, String> {
    if words == "auto" {
        return Ok(DiskCap::Auto);
    }
    if let Some(percent) = words.strip_suffix('%') {
        let n: Option<u8> = percent.trim().parse().ok().filter(|n| (1..=95).contains(n));
        return n.map(DiskCap::Percent).ok_or_else(|| {
            format!("{words:?}: write a part between \"1 %\" and \"95 %\", or a size")
        });
    }
    Ok(DiskCap::Bytes(at_least(bytes(words)?, 1 << 20, "1 MiB")?))
}

fn positive(value: &Value) -> Result<i64, String> {
    let ns = nanoseconds(text(value)?)?;
    if ns < 1_000_000 { Err("at least 1ms".to_owned()) } else { Ok(ns) }
}

fn at_least(n: u64, least: u64, words: &str) -> Result<u64, String> {
    if n < least { Err(format!("at least {words}")) } else { Ok(n) }
}

fn auto() -> Value {
    Value::Text("auto".to_owned())
}

fn time(ns: i64) -> Value {
    Value::Text(nanoseconds_in_words(ns))
}

fn path_or_auto(path: Option<&PathBuf>) -> Value {
    path.map_or_else(auto, |path| Value::Text(path.display().to_string()))
}

fn auto_or_path(value: &Value) -> Result<Option<PathBuf>, String> {
    match text(value)? {
        "auto" | "" => Ok(None),
        path => Ok(Some(PathBuf::from(path))),
    }
}

fn one_of<T: PartialEq>(choice: Choice<T>, value: T) -> Value {
    let word = choice.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| word);
    Value::Text(word.to_owned())
}

fn choose<T: Copy>(choice: Choice<T>, value: &Value) -> Result<T, String> {
    let word = text(value)?;
    let found = choice.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = choice.iter().map(|(name, _)| *name).collect();
        format!("{word:?} is none of {}", words.join(", "))
    })
}
