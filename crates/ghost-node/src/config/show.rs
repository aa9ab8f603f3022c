//! The keys as files and tables: the shipped example, the reference, what is in force.

use std::fmt::Write;

use super::Config;
use super::keys::{Key, Reload, keys};
use super::settings::{Origin, Settings};

/// The example that is shipped: every key, commented out, with its default.
#[must_use]
pub fn example() -> String {
    let mut out = String::from(
        "# GhostBridge. Every key is optional; what is commented out is the default.\n\
         # `ghostbridge run -T` checks this file, `ghostbridge config show --effective` tells\n\
         # what is in force and why. Marked (reload): taken by SIGHUP; the rest by a restart.\n",
    );
    let config = Config::default();
    file(&mut out, |out, key| {
        let reload = if key.reload == Reload::Now { " (reload)" } else { "" };
        for line in wrapped(&format!("{}{reload}", key.what)) {
            let _ = writeln!(out, "# {line}");
        }
        let _ = writeln!(out, "#{} = {}", last(key), key.value(&config));
    });
    out
}

/// The reference for the documents: a table of Markdown.
#[must_use]
pub fn reference() -> String {
    let config = Config::default();
    let mut out = String::from("| key | default | what |\n| --- | --- | --- |\n");
    for key in keys() {
        let reload = if key.reload == Reload::Now { " Taken by a reload." } else { "" };
        let _ =
            writeln!(out, "| `{}` | `{}` | {}{reload} |", key.name, key.value(&config), key.what);
    }
    out
}

impl Settings {
    /// The configuration as a file: what was set, or with `effective` every key and who said it.
    #[must_use]
    pub fn show(&self, effective: bool) -> String {
        let mut out = String::new();
        file(&mut out, |out, key| {
            let origin = self.origin(key.name);
            if !effective && *origin == Origin::Default {
                return;
            }
            let _ = write!(out, "{} = {}", last(key), key.value(&self.config));
            let _ = if effective { writeln!(out, "  # {origin}") } else { writeln!(out) };
        });
        out
    }
}

/// Writes each key by `each`, under the heads of their tables; a table without any has no head.
fn file(out: &mut String, mut each: impl FnMut(&mut String, &Key)) {
    let mut table = "";
    let mut headed = false;
    for key in keys() {
        let mut text = String::new();
        each(&mut text, key);
        if text.is_empty() {
            continue;
        }
        let of = key.name.split_once('.').map_or("", |(table, _)| table);
        if of != table {
            let _ = writeln!(out, "{}[{of}]", if out.is_empty() { "" } else { "\n" });
            table = of;
            headed = true;
        }
        if text.starts_with('#') && !headed {
            out.push('\n');
        }
        headed = false;
        *out += &text;
    }
}

/// The key's name in its table.
fn last(key: &Key) -> &'static str {
    key.name.split_once('.').map_or(key.name, |(_, last)| last)
}

/// Lines of at most 96 characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < 96 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(text: &str) -> Settings {
        let mut settings = Settings::new();
        settings.file("x", text).unwrap();
        settings
    }

    #[test]
    fn the_shipped_example_is_the_generated_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/ghostbridge.toml");
        let shipped = std::fs::read_to_string(&path).unwrap();
        assert!(
            shipped == example(),
            "{} is not what the table of keys gives; write it anew with `ghostbridge config \
             example`",
            path.display()
        );
    }

    #[test]
    fn the_documented_keys_are_the_tables() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
        let operating = std::fs::read_to_string(&path).unwrap();
        assert!(
            operating.contains(&reference()),
            "{} lacks the table:\n{}",
            path.display(),
            reference()
        );
    }

    #[test]
    fn the_example_says_nothing_and_with_its_comments_taken_off_says_the_defaults() {
        assert_eq!(of(&example()), Settings::new());
        let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ");
        let all: Vec<_> = example()
            .lines()
            .map(|line| if is_key(line) { line[1..].to_owned() } else { line.to_owned() })
            .collect();
        let settings = of(&all.join("\n"));
        assert_eq!(settings.config, Config::default());
        assert!(keys().iter().all(|key| *settings.origin(key.name) != Origin::Default));
    }

    #[test]
    fn what_is_shown_is_read_back_as_the_same() {
        let text = "interfaces = [\"br0\", \"br1\"]\nfilter = \"not port 22\"\n\
                    [flow]\nactive = \"40m\"\nfold_above_per_s = 0\n[metrics]\nlisten = \"[::1]:9465\"";
        let settings = of(text);
        assert_eq!(of(&settings.show(false)).config, settings.config);
        assert_eq!(of(&settings.show(true)).config, settings.config);
        assert!(settings.show(true).contains("active = \"40m\"  # x:4"), "{}", settings.show(true));
        assert!(settings.show(true).contains("idle_tcp = \"5m\"  # default"));
        assert!(!settings.show(false).contains("idle_tcp"));
    }
}
