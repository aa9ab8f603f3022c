//! A line of `journalctl -o json`.

use ghost_event::Timestamp;
use serde_json::{Map, Value};

use super::{Level, Record};

pub(super) fn read(line: &str) -> Option<Record> {
    let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
    let message = text(&fields, "MESSAGE")?;
    let at = ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"].iter().find_map(|key| {
        let us: i64 = text(&fields, key)?.parse().ok()?;
        us.checked_mul(1000).map(Timestamp)
    });
    let program = ["SYSLOG_IDENTIFIER", "_COMM"].iter().find_map(|key| text(&fields, key));
    let unit = ["UNIT", "_SYSTEMD_UNIT"].iter().find_map(|key| text(&fields, key));
    Some(Record {
        at,
        host: text(&fields, "_HOSTNAME").unwrap_or_default(),
        program: program.unwrap_or_default(),
        pid: text(&fields, "_PID").and_then(|pid| pid.parse().ok()),
        unit: unit.unwrap_or_default(),
        level: text(&fields, "PRIORITY").and_then(|p| p.parse().ok()).and_then(Level::of),
        message,
        ..Record::default()
    })
}

/// A field; what is no UTF-8 stands there as an array of bytes, what came twice as one of texts.
fn text(fields: &Map<String, Value>, key: &str) -> Option<String> {
    match fields.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(parts) => match parts.first()? {
            Value::String(first) => Some(first.clone()),
            _ => {
                let byte = |v: &Value| v.as_u64().and_then(|b| u8::try_from(b).ok());
                let bytes: Option<Vec<u8>> = parts.iter().map(byte).collect();
                Some(String::from_utf8_lossy(&bytes?).into_owned())
            }
        },
        _ => None,
    }
}
