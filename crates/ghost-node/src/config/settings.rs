//! Values and where they came from: built in, a file, the environment, the command line.
//!
//! Later words win: a file over what is built in, the environment over the file, the command line
//! over all. Each layer is set whole or an error says where it is off; what an error left half done
//! is thrown away with the [`Settings`] that it happened to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ghost_host::Mode;
use toml::de::{DeTable, DeValue};

use super::keys::{Key, keys};
use super::{Config, Granularity};

/// A value as files and command lines give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
        }
    }
}

/// As TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(on) => write!(f, "{on}"),
            Value::Number(n) => write!(f, "{n}"),
            Value::Text(text) => f.write_str(&quoted(text)),
            Value::List(list) => {
                let list: Vec<_> = list.iter().map(|text| quoted(text)).collect();
                write!(f, "[{}]", list.join(", "))
            }
        }
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out += &format!("\\u{:04X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// The file, and its line.
    File(String, usize),
    /// An environment variable.
    Environment(String),
    /// An option of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line) => write!(f, "{path}:{line}"),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => write!(f, "command line {name}"),
        }
    }
}

/// Why a configuration can't be taken; each is a message that says where and what.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error("{path}: {error}")]
    Unreadable { path: String, error: String },
    #[error("{path}:{line}: {message}")]
    Syntax { path: String, line: usize, message: String },
    #[error("{path}:{line}: unknown key `{key}`{hint}")]
    Unknown { path: String, line: usize, key: String, hint: String },
    #[error("{origin}: `{key}`: {message}")]
    Value { origin: String, key: String, message: String },
    #[error("{0}")]
    Contradiction(String),
}

/// A configuration in the making.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    pub config: Config,
    origins: BTreeMap<&'static str, Origin>,
}

/// Bytes of a configuration file that are read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl Settings {
    /// What is built in.
    #[must_use]
    pub fn new() -> Settings {
        Settings::default()
    }

    /// Takes the file at `path`. A missing one is an error only where it `must_exist`.
    pub fn read(&mut self, path: &Path, must_exist: bool) -> Result<(), ConfigError> {
        use std::io::Read;
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| ConfigError::Unreadable {
            path: name.clone(),
            error: error.to_string(),
        };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            let error = format!("more than {FILE_BYTES_MAX} bytes: this is no configuration");
            return Err(ConfigError::Unreadable { path: name, error });
        }
        self.file(&name, &text)
    }

    /// Takes the words of a file called `path`.
    pub fn file(&mut self, path: &str, text: &str) -> Result<(), ConfigError> {
        let line_at = |at: usize| 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| line_at(span.start)),
            message: error.message().to_owned(),
        })?;
        let mut found = Vec::new();
        leaves("", table.get_ref(), &mut found);
        for (name, at, value) in found {
            let line = line_at(at);
            let Some(key) = keys().iter().find(|key| key.name == name) else {
                return Err(ConfigError::Unknown {
                    path: path.to_owned(),
                    line,
                    hint: hint(&name),
                    key: name,
                });
            };
            let origin = Origin::File(path.to_owned(), line);
            let value = plain(value).map_err(|message| wrong(key, &origin, message))?;
            self.take(key, &value, origin)?;
        }
        Ok(())
    }

    /// Takes one value, said by `origin`.
    pub fn set(&mut self, name: &str, value: &Value, origin: Origin) -> Result<(), ConfigError> {
        match keys().iter().find(|key| key.name == name) {
            Some(key) => self.take(key, value, origin),
            None => Err(ConfigError::Value {
                origin: origin.to_string(),
                key: name.to_owned(),
                message: format!("unknown key{}", hint(name)),
            }),
        }
    }

    fn take(
        &mut self,
        key: &'static Key,
        value: &Value,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        (key.set)(&mut self.config, value).map_err(|message| wrong(key, &origin, message))?;
        self.origins.insert(key.name, origin);
        Ok(())
    }

    /// Where the value of a key came from.
    #[must_use]
    pub fn origin(&self, name: &str) -> &Origin {
        self.origins.get(name).unwrap_or(&Origin::Default)
    }

    /// Whether the values go together.
    pub fn check(&self) -> Result<(), ConfigError> {
        let config = &self.config;
        let against = |words: String| Err(ConfigError::Contradiction(words));
        let said = |name: &str| format!("`{name}` ({})", self.origin(name));
        let joins_two = matches!(config.mode, Mode::GhostFast | Mode::Inline);
        if joins_two && config.tap.enabled && config.interfaces.len() != 2 {
            return against(format!(
                "{} joins two interfaces, but {} names {}: name both, as in interfaces = \
                 [\"eth1\", \"eth2\"] or -i eth1 -i eth2",
                said("mode"),
                said("interfaces"),
                config.interfaces.len()
            ));
        }
        if config.packet.digest && config.granularity != Granularity::Packet {
            return against(format!(
                "{} is about packet events, but {} is \"flow\": say granularity = \"packet\" too",
                said("packet.digest"),
                said("granularity")
            ));
        }
        let flow = &config.flow;
        for (name, idle) in [
            ("flow.idle_tcp", flow.idle_tcp_ns),
            ("flow.idle_tcp_closed", flow.idle_tcp_closed_ns),
            ("flow.idle_udp", flow.idle_udp_ns),
            ("flow.idle_other", flow.idle_other_ns),
        ] {
            if idle > flow.active_ns {
                return against(format!(
                    "{} is longer than {}: a flow would be logged as active while it is idle",
                    said(name),
                    said("flow.active")
                ));
            }
        }
        Ok(())
    }

    /// Names of keys in which `new` differs and which only a restart takes.
    #[must_use]
    pub fn needs_restart(&self, new: &Settings) -> Vec<&'static str> {
        let differs = |key: &&Key| (key.get)(&self.config) != (key.get)(&new.config);
        let later = keys().iter().filter(|key| key.reload == super::Reload::Restart);
        later.filter(differs).map(|key| key.name).collect()
    }
}

fn wrong(key: &Key, origin: &Origin, message: String) -> ConfigError {
    ConfigError::Value { origin: origin.to_string(), key: key.name.to_owned(), message }
}

/// Every value that is no table, with the dotted name of its key and where the key begins.
fn leaves<'t>(
    prefix: &str,
    table: &'t DeTable<'_>,
    found: &mut Vec<(String, usize, &'t DeValue<'t>)>,
) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            // An empty table is nothing said; one that no key stands in is named as unknown.
            DeValue::Table(inner) if known_table(&name) => {
                leaves(&format!("{name}."), inner, found);
            }
            other => found.push((name, key.span().start, other)),
        }
    }
    found.sort_by_key(|(_, at, _)| *at);
}

fn known_table(name: &str) -> bool {
    keys().iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

fn plain(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::Boolean(on) => Value::Bool(*on),
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(n) => Value::Number(
            u64::from_str_radix(n.as_str(), n.radix())
                .map_err(|_| format!("{} is no number that can stand here", n.as_str()))?,
        ),
        DeValue::Array(list) => Value::List(
            list.iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Ok(text.clone().into_owned()),
                    other => Err(format!("expected texts in the list, not {}", other.type_str())),
                })
                .collect::<Result<_, _>>()?,
        ),
        other => return Err(format!("{} can't stand here", other.type_str())),
    })
}

/// What was meant, perhaps: the nearest key, or the same one in its table.
fn hint(name: &str) -> String {
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    let tables = keys().iter().filter_map(|key| key.name.split_once('.')).map(|(table, _)| table);
    if let Some(table) = tables.clone().find(|table| *table == name) {
        return format!("; `{table}` is a table: write [{table}]");
    }
    let elsewhere = keys().iter().find(|key| key.name.contains('.') && last(key.name) == name);
    if let Some(key) = elsewhere {
        return format!("; did you mean `{}`?", key.name);
    }
    let words = keys().iter().map(|key| key.name).chain(tables);
    let near = words.map(|word| (distance(name, word), word)).min();
    match near {
        Some((steps, word)) if steps <= 2.max(word.len() / 4) => {
            format!("; did you mean `{word}`?")
        }
        _ => "; `ghostbridge config show --effective` lists the keys".to_owned(),
    }
}

/// Letters to insert, remove, replace or swap with their neighbour to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |rows: &[Vec<usize>], i: usize, j: usize| {
                rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(usize::MAX / 2)
            };
            let mut least = (at(&rows, i, j) + usize::from(x != y)).min(at(&rows, i, j + 1) + 1);
            least = least.min(row.last().copied().unwrap_or(0) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&rows, i - 1, j - 1) + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Settings, String> {
        let mut settings = Settings::new();
        settings
            .file("gb.toml", text)
            .and_then(|()| settings.check())
            .map_err(|e| e.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_file_sets_what_it_names_and_nothing_else() {
        let text = "interfaces = [\"br0\"]\nmode = \"ghost\"\n[flow]\nidle_tcp = \"2m\"\n\
                    [tap]\nring_bytes = \"1 MiB\"\n";
        let settings = of(text).unwrap();
        assert_eq!(settings.config.interfaces, ["br0"]);
        assert_eq!(settings.config.flow.idle_tcp_ns, 120_000_000_000);
        assert_eq!(settings.config.tap.ring_bytes, Some(1 << 20));
        assert_eq!(settings.config.flow.idle_udp_ns, Config::default().flow.idle_udp_ns);
        assert_eq!(settings.origin("flow.idle_tcp").to_string(), "gb.toml:4");
        assert_eq!(settings.origin("filter"), &Origin::Default);
    }

    #[test]
    fn an_error_names_file_line_and_key() {
        for (text, told) in [
            ("mode = \"ghots\"", "gb.toml:1: `mode`: \"ghots\" is none of ghost, ghost-fast"),
            ("\n\n[flow]\nidle_tcp = \"5\"", "gb.toml:4: `flow.idle_tcp`: \"5\" is no duration"),
            ("[flow]\nidle_tcp = 5", "gb.toml:2: `flow.idle_tcp`: expected text in quotes"),
            ("[log]\nsegment_bytes = \"1 B\"", "gb.toml:2: `log.segment_bytes`: at least 64 KiB"),
            ("interfaces = \"a b a\"", "gb.toml:1: `interfaces`: \"a\" stands there twice"),
            ("interfaces = [1]", "gb.toml:1: `interfaces`: expected texts in the list"),
            ("filter = \"tcp prot 1\"", "gb.toml:1: `filter`: "),
            ("[metrics]\nlisten = \"0.0.0.0:1\"", "not a loopback address"),
            ("mode = ", "gb.toml:1: "),
            ("mode = \"ghost\"\nmode = \"ghost\"", "gb.toml:2: "),
            ("[packet]\ndigest = 1979-05-27", "gb.toml:2: `packet.digest`: "),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(told), "{text:?} told {error:?}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_with_what_was_meant() {
        for (text, told) in [
            (
                "interface = [\"br0\"]",
                "gb.toml:1: unknown key `interface`; did you mean `interfaces`?",
            ),
            (
                "[flow]\nidle_tpc = \"5m\"",
                "gb.toml:2: unknown key `flow.idle_tpc`; did you mean `flow.idle_tcp`?",
            ),
            ("digest = true", "; did you mean `packet.digest`?"),
            ("[flows]\nactive = \"5m\"", "unknown key `flows`; did you mean `flow`?"),
            ("flow = 3", "`flow` is a table: write [flow]"),
            ("[zebra]\nx = 1", "`ghostbridge config show --effective` lists the keys"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(told), "{text:?} told {error:?}");
        }
    }

    #[test]
    fn values_that_do_not_go_together_are_told_with_where_they_stand() {
        for (text, told) in [
            ("mode = \"inline\"", "`mode` (gb.toml:1) joins two interfaces"),
            ("[packet]\ndigest = true", "`packet.digest` (gb.toml:2) is about packet events"),
            ("[flow]\nactive = \"1m\"", "`flow.idle_tcp` (default) is longer than `flow.active`"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(told), "{text:?} told {error:?}");
        }
        of("mode = \"inline\"\ninterfaces = [\"a\", \"b\"]").unwrap();
    }

    #[test]
    fn the_command_line_beats_the_environment_which_beats_the_file() {
        let mut settings = of("profile = \"fast\"\nfilter = \"tcp\"").unwrap();
        let text = |t: &str| Value::Text(t.to_owned());
        let env = Origin::Environment("GHOSTBRIDGE_PROFILE".to_owned());
        settings.set("profile", &text("high"), env).unwrap();
        settings.set("filter", &text("udp"), Origin::Flag("FILTER".to_owned())).unwrap();
        assert_eq!(settings.config.filter, "udp");
        assert_eq!(settings.origin("profile").to_string(), "environment GHOSTBRIDGE_PROFILE");
        let bad = settings.set("mode", &text("x"), Origin::Flag("--mode".to_owned())).unwrap_err();
        assert!(bad.to_string().starts_with("command line --mode: `mode`: "), "{bad}");
    }

    #[test]
    fn what_only_a_restart_takes_is_named() {
        let old = of("").unwrap();
        let new = of("interfaces = [\"br0\"]\ngranularity = \"packet\"").unwrap();
        assert_eq!(old.needs_restart(&new), ["granularity"]);
    }

    #[test]
    fn no_file_makes_it_panic() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = of(text);
        });
    }

    #[test]
    fn values_are_printed_as_they_are_read() {
        let odd = Value::List(vec!["a\"b\\c\n\u{7f}".to_owned(), "x".to_owned()]);
        let text = format!("v = {odd}");
        let table = DeTable::parse(&text).unwrap();
        let value = table.get_ref().values().next().unwrap();
        assert_eq!(plain(value.get_ref()), Ok(odd));
    }
}
