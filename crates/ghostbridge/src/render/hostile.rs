//! Names made to harm, through every form.

use super::{Hit, Layout, Output, render};

const HOSTILE: &[&str] = &[
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "\u{9b}31mred",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "+1\r\n-2",
    "<script>alert(1)</script>",
    "line\nbreak\ttab\u{85}next\u{2028}sep",
    "gpj.\u{202e}exe\u{2066}",
    "\u{7f}\u{0}\u{200f}",
    "\"quoted\", 'and', \\back",
];

const FORMS: &[Output] =
    &[Output::Table, Output::Json, Output::Jsonl, Output::Csv, Output::Eve, Output::Zeek];

fn line(name: &str) -> Vec<u8> {
    let value = serde_json::json!({
        "timestamp": "2026-11-20T05:56:41.123456+0000", "flow_id": 1, "event_type": "flow",
        "src_ip": "10.0.0.1", "dest_ip": "10.0.0.2", "proto": "TCP", "app_proto": name,
        "flow": {"pkts_toserver": 1, "start": name, "state": name},
        "tls": {"sni": name}, "dns": {"rrname": name, "queries": [{"rrname": name}]},
        "http": {"hostname": name, "http_user_agent": name},
        "ghost": {"v": 1, "behaviours": [name], "seq": 1},
    });
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

fn rendered(output: Output, name: &str) -> String {
    let line = line(name);
    let why = [name.to_owned()];
    let hit = Hit { score: 0.5, why: &why, rank: 1, query_id: Some(name), also: 0, parts: &[] };
    let layout = Layout { output, width: Some(200), hits: true, logs: false };
    let out = render(Vec::new(), layout, [(line.as_slice(), Some(hit))]).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn no_form_lets_a_name_steer_the_terminal() {
    for (form, name) in FORMS.iter().flat_map(|f| HOSTILE.iter().map(move |n| (*f, *n))) {
        let text = rendered(form, name);
        let own = |c: char| c == '\n' || (form == Output::Csv && c == '\r');
        let zeek = |c: char| form == Output::Zeek && c == '\t';
        let found = text.chars().find(|c| super::safe::is_hostile(*c) && !own(*c) && !zeek(*c));
        assert_eq!(found, None, "{form:?} of {name:?}: {text}");
    }
}

#[test]
fn no_form_lets_a_name_begin_a_line_of_its_own() {
    let lines = |form| rendered(form, "plain").lines().count();
    for (form, name) in FORMS.iter().flat_map(|f| HOSTILE.iter().map(move |n| (*f, *n))) {
        assert_eq!(rendered(form, name).lines().count(), lines(form), "{form:?} of {name:?}");
    }
}

#[test]
fn no_json_form_lets_a_name_open_a_tag() {
    for form in [Output::Json, Output::Jsonl, Output::Eve] {
        assert!(!rendered(form, "<script>").contains('<'));
    }
}

#[test]
fn json_forms_keep_the_very_name_that_was_sent() {
    for name in HOSTILE {
        let value: serde_json::Value =
            serde_json::from_str(&rendered(Output::Jsonl, name)).unwrap();
        assert_eq!(value["tls"]["sni"], *name);
        assert_eq!(value["query_id"], *name);
        assert_eq!(value["ghost"]["why"][0], *name);
        let array: serde_json::Value = serde_json::from_str(&rendered(Output::Json, name)).unwrap();
        assert_eq!(array[0]["tls"]["sni"], *name);
    }
}

#[test]
fn no_cell_of_a_spreadsheet_begins_a_formula() {
    for name in HOSTILE {
        let text = rendered(Output::Csv, name);
        let row = text.lines().nth(1).unwrap();
        // Cells that were guarded stand in quotes; so a bare cell shows its first letter here.
        for cell in row.split(',') {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell:?} in {row}");
        }
    }
}

#[test]
fn a_line_that_is_cut_off_is_an_error_in_the_forms_that_read_it() {
    for output in [Output::Table, Output::Csv, Output::Eve, Output::Zeek] {
        let layout = Layout { output, width: None, hits: false, logs: false };
        assert!(render(Vec::new(), layout, [(&b"{\"a\":"[..], None)]).is_err());
    }
}
