//! A message as `dbus-monitor` prints it: a head, and its arguments on lines of their own.

use super::clock::epoch;
use super::{Level, Record};

/// States of a NetworkManager device (NMDeviceState).
const DEVICE_STATES: [(u32, &str); 13] = [
    (0, "unknown"),
    (10, "unmanaged"),
    (20, "unavailable"),
    (30, "disconnected"),
    (40, "prepare"),
    (50, "config"),
    (60, "need-auth"),
    (70, "ip-config"),
    (80, "ip-check"),
    (90, "secondaries"),
    (100, "activated"),
    (110, "deactivating"),
    (120, "failed"),
];

/// `signal time=… sender=… path=…; interface=…; member=…`.
pub(super) fn read(line: &str) -> Option<Record> {
    let kind = ["signal ", "method call ", "method return ", "error "]
        .iter()
        .find(|kind| line.starts_with(**kind))?;
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}="))?;
        rest.split([' ', ';']).next()
    };
    let at = epoch(field("time")?)?;
    let (path, interface) =
        (field("path").unwrap_or_default(), field("interface").unwrap_or_default());
    let member = field("member").or_else(|| field("error_name")).unwrap_or_default();
    Some(Record {
        at: Some(at),
        program: interface.to_owned(),
        level: (*kind == "error ").then_some(Level::Error),
        message: format!("{path} {member}"),
        ..Record::default()
    })
}

/// Says in words what the arguments of a complete message say in numbers.
pub(super) fn settle(record: &mut Record) {
    if record.program != "org.freedesktop.NetworkManager.Device"
        || !record.message.contains(" StateChanged")
    {
        return;
    }
    let numbers: Vec<u32> = record
        .message
        .split(" uint32 ")
        .skip(1)
        .filter_map(|n| n.split(' ').next()?.parse().ok())
        .collect();
    let named = |n: u32| DEVICE_STATES.iter().find(|(state, _)| *state == n).map(|(_, name)| *name);
    if let [new, old, ..] = numbers[..]
        && let (Some(new), Some(old)) = (named(new), named(old))
    {
        let device = record.message.split(' ').next().unwrap_or_default().to_owned();
        record.message = format!("device ({device}): state change: {old} -> {new}");
    }
}
