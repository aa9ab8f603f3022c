//! What the page shows and how keys change it; no terminal here.

use ghost_node::api::{ClientError, Code, TopAnswer};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use serde_json::Value;

use crate::render::safe_text;

/// Longest filter that can be typed.
const FILTER_BYTES_MAX: usize = 512;

/// What a key asks of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    /// Ask with this filter from now on.
    Ask(String),
}

/// By what the flows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Bytes,
    Packets,
    Oldest,
    Newest,
}

/// A flow that lives, escaped.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Flow {
    pub(super) start: String,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) proto: String,
    pub(super) app: String,
    pub(super) note: String,
    pub(super) bytes: u64,
    pub(super) packets: u64,
    id: String,
    /// Every fact, as `path value`.
    pub(super) facts: Vec<(String, String)>,
}

/// The page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) data: TopAnswer,
    pub(super) flows: Vec<Flow>,
    pub(super) sort: Sort,
    pub(super) paused: bool,
    pub(super) help: bool,
    /// The filter while it is typed.
    pub(super) typed: Option<String>,
    pub(super) selected: usize,
    /// The flow that is looked at, and the first fact shown.
    pub(super) opened: Option<(Flow, usize)>,
    /// A word to the user, until the next key.
    pub(super) notice: String,
    filter: String,
    ended: Option<String>,
}

impl Page {
    pub(super) fn new(filter: String, first: TopAnswer) -> Page {
        let mut page = Page {
            data: TopAnswer::default(),
            flows: Vec::new(),
            sort: Sort::Bytes,
            paused: false,
            help: false,
            typed: None,
            selected: 0,
            opened: None,
            notice: String::new(),
            filter,
            ended: None,
        };
        page.take(first);
        page
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    /// Why there is nothing more to show, once that is so.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// Takes what the daemon answered; whether the page is another now.
    pub(super) fn take(&mut self, answer: TopAnswer) -> bool {
        if self.paused {
            return false;
        }
        let chosen = self.chosen();
        let lines = answer.live.iter();
        self.flows = lines
            .filter_map(|l| serde_json::from_str(l.get()).ok())
            .map(|v| Flow::of(&v))
            .collect();
        self.data = answer;
        self.order(chosen.as_deref());
        true
    }

    /// Takes a failure: a filter that is off is told, a daemon that is gone ends the page.
    pub(super) fn fail(&mut self, error: &ClientError) -> bool {
        match error {
            ClientError::Refused(refusal) if refusal.code == Code::Usage => {
                self.notice = safe_text(&refusal.error);
            }
            ClientError::Refused(refusal) if refusal.code == Code::Busy => {
                self.notice = "the daemon is busy; this is of a moment ago".to_owned();
            }
            other => self.ended = Some(other.to_string()),
        }
        true
    }

    /// Does what a key says.
    pub(super) fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Wish {
        self.notice.clear();
        if modifiers.contains(KeyModifiers::CONTROL) {
            return if code == KeyCode::Char('c') { Wish::Quit } else { Wish::Nothing };
        }
        if self.help {
            self.help = false;
            return Wish::Nothing;
        }
        if self.typed.is_some() {
            return self.type_filter(code);
        }
        if let Some((flow, first)) = &mut self.opened {
            let last = flow.facts.len().saturating_sub(1);
            match code {
                KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => self.opened = None,
                KeyCode::Down | KeyCode::Char('j') => *first = (*first + 1).min(last),
                KeyCode::Up | KeyCode::Char('k') => *first = first.saturating_sub(1),
                KeyCode::PageDown => *first = (*first + 10).min(last),
                KeyCode::PageUp => *first = first.saturating_sub(10),
                _ => {}
            }
            return Wish::Nothing;
        }
        let last = self.flows.len().saturating_sub(1);
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('/') => self.typed = Some(self.filter.clone()),
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => {
                self.sort = match self.sort {
                    Sort::Bytes => Sort::Packets,
                    Sort::Packets => Sort::Oldest,
                    Sort::Oldest => Sort::Newest,
                    Sort::Newest => Sort::Bytes,
                };
                let chosen = self.chosen();
                self.order(chosen.as_deref());
            }
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected = (self.selected + 10).min(last),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(10),
            KeyCode::Enter => {
                self.opened = self.flows.get(self.selected).map(|flow| (flow.clone(), 0));
            }
            _ => {}
        }
        Wish::Nothing
    }

    fn type_filter(&mut self, code: KeyCode) -> Wish {
        let Some(typed) = &mut self.typed else { return Wish::Nothing };
        match code {
            KeyCode::Char(c) if typed.len() < FILTER_BYTES_MAX && !c.is_control() => typed.push(c),
            KeyCode::Backspace => drop(typed.pop()),
            KeyCode::Esc => self.typed = None,
            KeyCode::Enter => {
                self.filter = self.typed.take().unwrap_or_default().trim().to_owned();
                self.paused = false;
                return Wish::Ask(self.filter.clone());
            }
            _ => {}
        }
        Wish::Nothing
    }

    /// The flow that is selected, if the user moved to one.
    fn chosen(&self) -> Option<String> {
        self.flows.get(self.selected).filter(|_| self.selected > 0).map(|f| f.id.clone())
    }

    /// Orders the flows; the chosen one stays selected where it is there yet.
    fn order(&mut self, chosen: Option<&str>) {
        match self.sort {
            Sort::Bytes => self.flows.sort_by_key(|f| std::cmp::Reverse(f.bytes)),
            Sort::Packets => self.flows.sort_by_key(|f| std::cmp::Reverse(f.packets)),
            Sort::Oldest => self.flows.sort_by(|a, b| a.start.cmp(&b.start)),
            Sort::Newest => self.flows.sort_by(|a, b| b.start.cmp(&a.start)),
        }
        let at = chosen.and_then(|id| self.flows.iter().position(|f| f.id == id));
        let last = self.flows.len().saturating_sub(1);
        self.selected = at.unwrap_or(self.selected).min(last);
    }
}

impl Flow {
    /// From a line as the log writes it; what is missing is empty.
    fn of(line: &Value) -> Flow {
        let text = |path: &str| line.pointer(path).map(plain).unwrap_or_default();
        let number = |path: &str| line.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        let end = |ip: &str, port: &str, mac: &str| match (text(ip), number(port)) {
            (address, _) if address.is_empty() => text(mac),
            (address, 0) => address,
            (address, port) if address.contains(':') => format!("[{address}]:{port}"),
            (address, port) => format!("{address}:{port}"),
        };
        let names =
            ["/tls/sni", "/http/hostname", "/dns/rrname", "/ghost/dest_name", "/ghost/brand"];
        let name = names.iter().map(|path| text(path)).find(|t| !t.is_empty());
        let behaviours = line.pointer("/ghost/behaviours").and_then(Value::as_array);
        let behaviours: Vec<_> = behaviours.into_iter().flatten().map(plain).collect();
        let mut note = name.unwrap_or_default();
        if !behaviours.is_empty() {
            note = format!("{note} {}", behaviours.join(","));
        }
        let mut facts = Vec::new();
        spread("", line, &mut facts);
        Flow {
            start: safe_text(&text("/flow/start")),
            source: safe_text(&end("/src_ip", "/src_port", "/ether/src_mac")),
            target: safe_text(&end("/dest_ip", "/dest_port", "/ether/dest_mac")),
            proto: safe_text(&text("/proto")),
            app: safe_text(&text("/app_proto")),
            note: safe_text(note.trim()),
            bytes: number("/flow/bytes_toserver").saturating_add(number("/flow/bytes_toclient")),
            packets: number("/flow/pkts_toserver").saturating_add(number("/flow/pkts_toclient")),
            id: text("/flow_id"),
            facts,
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Every scalar of an object by its dotted path, escaped.
fn spread(path: &str, value: &Value, facts: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                spread(&path, value, facts);
            }
        }
        other => facts.push((safe_text(path), safe_text(&plain(other)))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    pub(in crate::commands::top) fn answer(flows: &[(&str, u64)]) -> TopAnswer {
        let live = flows.iter().enumerate().map(|(at, (name, bytes))| {
            let line = json!({
                "flow_id": at, "src_ip": "10.0.0.1", "src_port": 40_000 + at, "proto": "TCP",
                "dest_ip": "2001:db8::1", "dest_port": 443, "app_proto": "tls",
                "flow": {"bytes_toserver": bytes, "pkts_toserver": 100 - at,
                         "start": format!("2026-11-20T05:56:{:02}", at)},
                "tls": {"sni": name}, "ghost": {"behaviours": ["beacon"]},
            });
            RawValue::from_string(line.to_string()).unwrap()
        });
        TopAnswer { live: live.collect(), ..TopAnswer::default() }
    }

    fn press(page: &mut Page, keys: &str) -> Wish {
        let mut wish = Wish::Nothing;
        for c in keys.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\u{8}' => KeyCode::Backspace,
                '\u{1b}' => KeyCode::Esc,
                c => KeyCode::Char(c),
            };
            wish = page.key(code, KeyModifiers::NONE);
        }
        wish
    }

    #[test]
    fn keys_sort_select_open_and_quit() {
        let mut page = Page::new(String::new(), answer(&[("a", 1), ("b", 3), ("c", 2)]));
        let notes = |page: &Page| page.flows.iter().map(|f| f.note.clone()).collect::<Vec<_>>();
        assert_eq!(notes(&page), ["b beacon", "c beacon", "a beacon"]);
        press(&mut page, "j");
        press(&mut page, "s");
        assert_eq!(notes(&page), ["a beacon", "b beacon", "c beacon"]);
        assert_eq!(page.flows[page.selected].note, "c beacon", "it is followed");
        press(&mut page, "\n");
        let facts = &page.opened.as_ref().unwrap().0.facts;
        assert!(facts.contains(&("tls.sni".to_owned(), "c".to_owned())), "{facts:?}");
        assert_eq!(press(&mut page, "q"), Wish::Nothing);
        assert_eq!(press(&mut page, "q"), Wish::Quit);
        assert_eq!(page.key(KeyCode::Char('c'), KeyModifiers::CONTROL), Wish::Quit);
    }

    #[test]
    fn a_filter_is_typed_corrected_given_up_and_asked() {
        let mut page = Page::new("app:dns".to_owned(), answer(&[]));
        press(&mut page, "/x\u{1b}");
        assert_eq!(page.filter(), "app:dns");
        assert_eq!(press(&mut page, "/ -q\u{8}\u{8}\u{8}s\n"), Wish::Ask("app:dnss".to_owned()));
        let off = ClientError::Refused(ghost_node::api::Refusal {
            error: "no \u{1b} such".to_owned(),
            hint: String::new(),
            code: Code::Usage,
        });
        page.fail(&off);
        assert_eq!((page.notice.as_str(), page.ended()), ("no \\x1b such", None));
    }

    #[test]
    fn a_page_that_pauses_stands_still_and_a_daemon_that_ends_is_told() {
        let mut page = Page::new(String::new(), answer(&[("a", 1)]));
        press(&mut page, "p");
        assert!(!page.take(answer(&[("b", 1)])));
        assert_eq!(page.flows[0].note, "a beacon");
        press(&mut page, "p");
        assert!(page.take(answer(&[])));
        press(&mut page, "j\n");
        assert!(page.opened.is_none(), "there is nothing to open");
        page.fail(&ClientError::Cut("gone".to_owned()));
        assert!(page.ended().is_some());
    }
}
