//! What is written of a change is valid JSON on one line, and is read back as it was.

use ghost_event::line::{
    self, CHANGE_FACTS_MAX, Change, Fact, LINE_BYTES_MAX, LineKind, TAIL_BYTES_MAX, View, hidden,
};
use ghost_event::{Digest, Priority, ShapeId, Timestamp};

fn change<'a>(before: &'a [(&'a str, Fact<'a>)], after: &'a [(&'a str, Fact<'a>)]) -> Change<'a> {
    Change {
        at: Timestamp(1_795_154_201_123_456_000),
        prio: Priority::Medium,
        shape: Some(ShapeId(0xfe)),
        in_iface: Some("eth0"),
        bridge: Some("br0"),
        action: "down",
        changed: &["mtu", "up"],
        before,
        after,
    }
}

fn line_of(change: &Change<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    line::change_body(&mut out, change);
    line::element_part(&mut out, "port:eth0", "port", 3, &Digest([7; 32]));
    line::close(&mut out, 12, &Digest([8; 32]));
    out
}

#[test]
fn a_change_is_read_as_it_was_written() {
    let before = [("mtu", Fact::Whole(1500)), ("up", Fact::Flag(true))];
    let after = [("mtu", Fact::Whole(9000)), ("master", Fact::Text("br0".into()))];
    let line = line_of(&change(&before, &after));
    let text = std::str::from_utf8(&line).unwrap();
    let expected = "{\"timestamp\":\"2026-11-20T05:56:41.123456+0000\",\"event_type\":\"change\",\
        \"in_iface\":\"eth0\",\"ghost\":{\"v\":1,\"prio\":\"medium\",\"shape\":\"00000000000000fe\",\
        \"bridge\":\"br0\",\"change\":{\"action\":\"down\",\"changed\":[\"mtu\",\"up\"],\
        \"before\":{\"mtu\":1500,\"up\":true},\"after\":{\"mtu\":9000,\"master\":\"br0\"}},\
        \"element\":{\"id\":\"port:eth0\",\"type\":\"port\",\"height\":3,\"prev\":\"";
    assert!(text.starts_with(expected), "{text}");
    let view = View::parse(&line).unwrap();
    assert_eq!((view.kind, view.ghost.shape), (LineKind::Change, Some(ShapeId(0xfe))));
    assert_eq!(
        (view.in_iface.as_deref(), view.ghost.bridge.as_deref()),
        (Some("eth0"), Some("br0"))
    );
    let element = view.ghost.element.unwrap();
    assert_eq!((&*element.id, &*element.kind), ("port:eth0", "port"));
    assert_eq!((element.height, element.prev), (3, Digest([7; 32])));
    let told = view.change.unwrap();
    assert_eq!((&*told.action, told.changed), ("down", vec!["mtu".into(), "up".into()]));
    assert_eq!(
        told.before,
        [("mtu".to_owned(), Fact::Whole(1500)), ("up".to_owned(), Fact::Flag(true))]
    );
    assert_eq!(told.after[1], ("master".to_owned(), Fact::Text("br0".into())));
    assert_eq!(view.note, None);
    assert!(view.names.is_empty(), "{:?}", view.names);
}

#[test]
fn a_change_with_nothing_to_tell_is_short() {
    let line = line_of(&Change {
        shape: None,
        in_iface: None,
        bridge: None,
        action: "went",
        changed: &[],
        ..change(&[], &[])
    });
    let view = View::parse(&line).unwrap();
    assert_eq!(
        view.change.unwrap(),
        line::ChangePart { action: "went".into(), ..Default::default() }
    );
    assert!(line.len() < 400, "{} bytes", line.len());
}

#[test]
fn hostile_facts_come_back_as_they_were_told_and_always_fit_a_line() {
    bolero::check!().with_iterations(1000).with_type::<(Vec<(Vec<u8>, Vec<u8>)>, bool)>().for_each(
        |(facts, long)| {
            let texts: Vec<(String, String)> = facts
                .iter()
                .map(|(k, v)| {
                    let text =
                        |b: &[u8]| String::from_utf8_lossy(b).chars().take(15).collect::<String>();
                    let value = text(v);
                    (text(k), if *long { value.repeat(400) } else { value })
                })
                .collect();
            let facts: Vec<(&str, Fact<'_>)> =
                texts.iter().map(|(k, v)| (k.as_str(), Fact::Text(v.as_str().into()))).collect();
            let line = line_of(&change(&facts, &facts));
            assert!(line.len() + TAIL_BYTES_MAX < LINE_BYTES_MAX);
            assert!(!std::str::from_utf8(&line).unwrap().trim_end().chars().any(hidden));
            let view = View::parse(&line).unwrap();
            let told = view.change.unwrap();
            let kept = facts.len().min(CHANGE_FACTS_MAX);
            assert_eq!((told.before.len(), told.after.len()), (kept, kept));
            if !long {
                for ((key, fact), (told_key, told_fact)) in facts.iter().zip(&told.before) {
                    assert_eq!((*key, fact), (told_key.as_str(), told_fact));
                }
            }
        },
    );
}

#[test]
fn the_longest_change_fits_a_line() {
    let long = "\u{1}".repeat(100_000);
    let facts: Vec<(&str, Fact<'_>)> =
        (0..200).map(|_| (long.as_str(), Fact::Text(long.as_str().into()))).collect();
    let changed = vec![long.as_str(); 200];
    let all = Change {
        in_iface: Some(&long),
        bridge: Some(&long),
        action: &long,
        changed: &changed,
        ..change(&facts, &facts)
    };
    let mut out = Vec::new();
    line::change_body(&mut out, &all);
    assert!(out.len() < LINE_BYTES_MAX - 4096, "{} bytes", out.len());
}
