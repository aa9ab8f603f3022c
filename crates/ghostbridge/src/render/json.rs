//! `json` and `jsonl`: the logged line itself, and for a hit what the search says of it.
//!
//! The values are those of the log, byte for byte after decoding. The spelling differs in one
//! thing: characters that could steer a terminal or open a tag in a page are written as `\uXXXX`.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Hit;
use super::safe::is_hostile;

/// One object and a newline.
pub(super) fn line(out: &mut impl Write, line: &[u8], hit: Option<Hit<'_>>) -> io::Result<()> {
    object(out, line, hit)?;
    out.write_all(b"\n")
}

/// A value of our own making, spelled as lines are: names in it may come from anywhere.
pub(crate) fn value(value: &Value) -> String {
    let mut out = Vec::new();
    // Writing into memory fails for nobody.
    drop(spelled(&mut out, &value.to_string()));
    String::from_utf8_lossy(&out).into_owned()
}

/// The state of an array that is being written.
#[derive(Debug, Default)]
pub(super) struct Array {
    rows: u64,
}

impl Array {
    pub(super) fn row(
        &mut self,
        out: &mut impl Write,
        line: &[u8],
        hit: Option<Hit<'_>>,
    ) -> io::Result<()> {
        out.write_all(if self.rows == 0 { b"[\n" } else { b",\n" })?;
        self.rows += 1;
        object(out, line, hit)
    }

    pub(super) fn finish(self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(if self.rows == 0 { b"[]\n" } else { b"\n]\n" })
    }
}

fn object(out: &mut impl Write, line: &[u8], hit: Option<Hit<'_>>) -> io::Result<()> {
    let text = std::str::from_utf8(line)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("log line: {e}")))?
        .trim_end_matches(['\n', '\r']);
    let Some(hit) = hit else { return spelled(out, text) };
    let score = json!(round(hit.score));
    let why = Value::from(hit.why.to_vec());
    let mut tail = format!(",\"rank\":{}", hit.rank);
    if let Some(id) = hit.query_id {
        tail.push_str(&format!(",\"query_id\":{}", Value::from(id)));
    }
    if let Some(body) = open_end(text) {
        let more = more(&hit);
        // A line tells a key once: what scoring said of the flow stands beside it as `anomaly`.
        let body = body.replacen(",\"score\":", ",\"anomaly\":", 1);
        spelled(out, &format!("{body},\"score\":{score},\"why\":{why}{more}}}{tail}}}"))
    } else {
        let mut value: Value = serde_json::from_str(text)?;
        let Value::Object(map) = &mut value else { return spelled(out, text) };
        map.insert("rank".into(), hit.rank.into());
        if let Some(id) = hit.query_id {
            map.insert("query_id".into(), id.into());
        }
        let ghost = map.entry("ghost").or_insert_with(|| json!({}));
        if let Value::Object(ghost) = ghost {
            if let Some(logged) = ghost.remove("score") {
                ghost.insert("anomaly".into(), logged);
            }
            ghost.insert("score".into(), score);
            ghost.insert("why".into(), why);
            if hit.also > 0 {
                ghost.insert("also".into(), hit.also.into());
            }
            if !hit.parts.is_empty() {
                ghost.insert("parts".into(), parts(&hit));
            }
        }
        spelled(out, &value.to_string())
    }
}

/// What a hit tells only where it was asked for: how many say the same, and the parts of its score.
fn more(hit: &Hit<'_>) -> String {
    let mut out = String::new();
    if hit.also > 0 {
        out += &format!(",\"also\":{}", hit.also);
    }
    if !hit.parts.is_empty() {
        out += &format!(",\"parts\":{}", parts(hit));
    }
    out
}

fn parts(hit: &Hit<'_>) -> Value {
    let each = hit.parts.iter().map(|part| {
        json!({
            "name": part.name,
            "value": round(part.value),
            "weight": round(part.weight),
            "adds": round(part.adds),
            "why": part.why,
        })
    });
    each.collect()
}

/// The line without its last two braces, where it ends as the log writes it: with the `ghost`
/// object, and that with the digest of the line before. Only there may bytes be added unparsed.
fn open_end(text: &str) -> Option<&str> {
    let body = text.strip_suffix("}}")?;
    let (head, digest) = body.strip_suffix('"')?.rsplit_once("\"prev\":\"")?;
    let whole = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    (whole && head.ends_with(',')).then_some(body)
}

/// Four decimals are what a rank can be told by; more would be noise of the platform.
pub(super) fn round(score: f32) -> f64 {
    (f64::from(score) * 10_000.0).round() / 10_000.0
}

/// Writes JSON text; what is hostile stands inside its strings only, and there as an escape.
pub(super) fn spelled(out: &mut impl Write, text: &str) -> io::Result<()> {
    let harmful = |c: char| is_hostile(c) || c == '<';
    let mut rest = text;
    while let Some(at) = rest.find(harmful) {
        let (clean, tail) = rest.split_at(at);
        out.write_all(clean.as_bytes())?;
        let mut units = [0; 2];
        let c = tail.chars().next().unwrap_or_default();
        for unit in c.encode_utf16(&mut units) {
            write!(out, "\\u{unit:04x}")?;
        }
        rest = tail.get(c.len_utf8()..).unwrap_or_default();
    }
    out.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str, hit: Option<Hit<'_>>) -> String {
        let mut out = Vec::new();
        line(&mut out, text.as_bytes(), hit).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_line_is_printed_as_it_stands_in_the_log() {
        let logged = "{\"event_type\":\"flow\",\"ghost\":{\"v\":1,\"seq\":7}}\n";
        assert_eq!(printed(logged, None), logged);
    }

    #[test]
    fn what_scoring_said_of_a_hit_stands_beside_its_rank() {
        let prev = "0".repeat(64);
        let tail = format!("\"seq\":7,\"prev\":\"{prev}\"}}}}");
        let hit = Hit { score: 0.5, why: &[], rank: 1, query_id: None, also: 0, parts: &[] };
        for end in [tail.as_str(), "\"seq\":7}}"] {
            let text = format!("{{\"ghost\":{{\"v\":1,\"score\":0.9312,\"alert\":true,{end}");
            let value: Value = serde_json::from_str(&printed(&text, Some(hit))).unwrap();
            assert_eq!(
                (&value["ghost"]["score"], &value["ghost"]["anomaly"]),
                (&json!(0.5), &json!(0.9312))
            );
        }
    }

    #[test]
    fn a_hit_carries_score_reasons_rank_and_query() {
        let why = ["app ssh".to_owned(), "a \"quoted\" name".to_owned()];
        let hit = Hit {
            score: 0.123_456,
            why: &why,
            rank: 2,
            query_id: Some("d01"),
            also: 0,
            parts: &[],
        };
        let digest = "0f".repeat(32);
        let as_logged = format!(r#"{{"a":1,"ghost":{{"seq":7,"prev":"{digest}"}}}}"#);
        let other = [r#"{"a":1,"ghost":{"seq":7},"z":2}"#, r#"{"ghost":{"seq":7},"z":{"y":1}}"#];
        for logged in other.into_iter().chain([as_logged.as_str()]) {
            let value: Value = serde_json::from_str(&printed(logged, Some(hit))).unwrap();
            assert_eq!(value["rank"], 2);
            assert_eq!(value["query_id"], "d01");
            assert_eq!(value["ghost"]["score"], 0.1235);
            assert_eq!(value["ghost"]["why"][1], "a \"quoted\" name");
            assert_eq!(value["ghost"]["seq"], 7);
        }
    }

    #[test]
    fn spelling_changes_no_value() {
        bolero::check!().with_type::<String>().with_iterations(2000).for_each(|text| {
            let written = Value::from(text.as_str()).to_string();
            let mut out = Vec::new();
            spelled(&mut out, &written).unwrap();
            let read: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(&read, text);
        });
    }

    #[test]
    fn an_array_of_nothing_is_still_an_array() {
        let mut out = Vec::new();
        Array::default().finish(&mut out).unwrap();
        assert_eq!(out, b"[]\n");
    }
}
