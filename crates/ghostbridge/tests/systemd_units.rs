//! The units that are shipped, as systemd itself judges them: what they say is understood, and
//! what they leave open is little.

#![expect(clippy::disallowed_methods, reason = "tests start systemd's own tools")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: &[&str] = &[
    "ghostbridge.service",
    "ghostbridge-attach.service",
    "ghostbridge-attach.socket",
    "ghostbridge-block.service",
    "ghostbridge-block.socket",
    "ghostbridge-ovsdb.service",
    "ghostbridge-ovsdb.socket",
];

/// The highest exposure that a unit may have, as `systemd-analyze` counts it: tenths.
const EXPOSURE_MAX: &str = "30";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd")
}

/// Whether the tools can't be asked, told as loudly as a skipped test must be; in CI a failure.
#[expect(clippy::print_stderr, reason = "a test that was left out must be seen to be")]
fn skipped() -> bool {
    let there = Command::new("systemd-analyze").arg("--version").output();
    let skip = !there.is_ok_and(|ran| ran.status.success());
    if skip {
        assert!(std::env::var_os("CI").is_none(), "systemd-analyze is missing in CI");
        eprintln!("SKIPPED: systemd-analyze is missing (apt-get install systemd)");
    }
    skip
}

/// Runs to the end; what both streams say, and whether it went well.
fn ask(command: &mut Command) -> (bool, String) {
    let ran = command.output().unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn systemd_finds_every_service_well_closed() {
    if skipped() {
        return;
    }
    for unit in UNITS.iter().filter(|unit| unit.ends_with(".service")) {
        let (well, said) = ask(Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={EXPOSURE_MAX}"))
            .arg(folder().join(unit)));
        assert!(well, "{unit} is open wider than {EXPOSURE_MAX} tenths:\n{said}");
        assert!(said.contains("Overall exposure level"), "{unit} was not judged:\n{said}");
    }
}

#[test]
fn systemd_judges_a_unit_that_is_not_closed_otherwise() {
    if skipped() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open.service");
    fs::write(&open, "[Service]\nExecStart=/bin/true\n").unwrap();
    let (well, _) = ask(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE_MAX}"))
        .arg(&open));
    assert!(!well, "the threshold is not minded");
}

#[test]
fn systemd_understands_every_unit() {
    if skipped() {
        return;
    }
    // The program is not installed where the units look for it; here the one just built is.
    let dir = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for unit in UNITS {
        let text = fs::read_to_string(folder().join(unit)).unwrap();
        let built = text.replace("/usr/bin/ghostbridge", env!("CARGO_BIN_EXE_ghostbridge"));
        let path = dir.path().join(unit);
        fs::write(&path, built).unwrap();
        units.push(path);
    }
    let (well, said) =
        ask(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units));
    assert!(well, "{said}");
    let of_ours: Vec<_> = said.lines().filter(|line| line.contains("ghostbridge")).collect();
    assert!(of_ours.is_empty(), "{}", of_ours.join("\n"));
}

#[test]
fn every_option_that_a_unit_gives_is_one_of_ours() {
    for unit in UNITS {
        let text = fs::read_to_string(folder().join(unit)).unwrap();
        for line in
            text.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/ghostbridge"))
        {
            let (well, said) = ask(Command::new(env!("CARGO_BIN_EXE_ghostbridge"))
                .args(line.split_whitespace())
                .arg("--help"));
            assert!(well, "{unit}: {line}: {said}");
        }
    }
}
