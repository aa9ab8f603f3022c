//! Whoever has the key that the primary's line lets in: the forced command, and nothing else.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::lanes::PRESSING;
use crate::pair::{Pair, skipped};

/// Runs `ssh` with what follows, `input` on its standard input, to its end.
#[expect(clippy::disallowed_methods, reason = "the test is the attacker")]
fn ssh(words: &[String], more: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("20").args(words).args(more);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = input.to_vec();
    let fed = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    fed.join().unwrap();
    output
}

const LINE: &str = "restrict,command=\"ghostbridge replica serve\" ";

#[test]
fn loop_nothing_runs_but_the_forced_command_whatever_is_asked_for() {
    if skipped() {
        return;
    }
    let mut pair = Pair::new("");
    let words = pair.ssh_with(LINE);
    let mark = pair.replica.house.path("pwned");
    let mark = mark.to_str().unwrap();
    fs::set_permissions(
        pair.replica.house.dir.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    for asked in [
        format!("touch {mark}"),
        format!("ghostbridge replica serve; touch {mark}"),
        format!("ghostbridge replica serve && touch {mark}"),
        format!("$(touch {mark})"),
        format!("`touch {mark}`"),
        format!("ghostbridge replica serve | tee {mark}"),
        format!("ghostbridge replica serve > {mark}"),
        format!("ghostbridge replica serve --data-dir /{mark}"),
        "ghostbridge replica serve\ntouch x".to_owned(),
        "ghostbridge log export".to_owned(),
        "cat /etc/passwd".to_owned(),
        "../../../../bin/sh".to_owned(),
        "\u{1b}[2J".to_owned(),
        "x".repeat(60_000),
    ] {
        let ran = ssh(&words, &[&asked], b"");
        assert!(!ran.status.success(), "{asked:.80}: {:?}", ran.status);
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(!said.contains("root:") && !said.contains("event_type"), "{asked:.80}: {said}");
        assert!(!fs::exists(mark).unwrap(), "{asked:.80} was run");
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!told.contains("panicked") && !told.contains('\u{1b}'), "{told}");
    }
    // Nor anything else that ssh can do.
    let subsystem = ssh(&words, &["-s", "sftp"], b"");
    assert!(!subsystem.status.success());
    let forwarded = ssh(&words, &["-oExitOnForwardFailure=yes", "-W", "127.0.0.1:22"], b"");
    assert!(!forwarded.status.success());
    pair.primary.import(PRESSING);
    pair.converges();
}

#[test]
fn loop_bytes_that_no_primary_sends_are_refused_and_told_and_the_daemon_goes_on() {
    if skipped() {
        return;
    }
    let mut pair = Pair::new("");
    let words = pair.ssh_with(LINE);
    let preamble =
        |newest: u8, oldest: u8| [&b"GBship\r\x8a"[..], &[0, newest, 0, oldest]].concat();
    let bomb = [&preamble(1, 1)[..], &[4, 1, 0, 0, 0xff, 0xff, 0xff, 0xff], &[0; 100_000]].concat();
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("a shell line", b"; touch x\n"),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n"),
        ("a version to come", &preamble(9, 7)),
        ("a frame that is too long", &bomb),
        ("half a preamble", b"GBsh"),
        ("noise", &[0xa5; 300_000]),
    ] {
        let ran = ssh(&words, &[], bytes);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!told.contains("panicked"), "{what}: {told}");
        assert_ne!(ran.status.code(), Some(124), "{what}: it hangs");
        if !matches!(what, "nothing" | "half a preamble") {
            assert!(!ran.status.success(), "{what}: {:?}, {told}", ran.status);
        }
    }
    let said = pair.replica.said();
    assert!(!said.contains("panicked"), "{said}");
    assert!(said.contains("version"), "refusals are told: {said}");
    pair.primary.import(PRESSING);
    pair.converges();
}
