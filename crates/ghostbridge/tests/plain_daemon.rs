//! The program beside a running daemon that taps nothing: what it asks of it, and when it can't.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{House, fixture, text};

const FORMS: [&str; 6] = ["table", "json", "jsonl", "csv", "eve", "zeek"];
const CAPTURES: [&str; 3] =
    ["made__ssh-brute-force.pcap", "made__dns-tunnel.pcap", "tcpdump__ntp.pcap"];

/// A daemon on the folder of a house. Killed when dropped.
struct Daemon(Child);

impl Daemon {
    #[track_caller]
    fn start(house: &House) -> Daemon {
        let mut command = house.command(&["run", "--no-tap"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = Daemon(command.spawn().unwrap());
        for _ in 0..600 {
            if house.run(&["metrics"]).code == 0 {
                return daemon;
            }
            assert!(daemon.0.try_wait().unwrap().is_none(), "the daemon ended");
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the daemon does not answer within a minute");
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(&self.0), signal).unwrap();
    }

    /// Ends it as a service manager does.
    fn stop(mut self) {
        self.signal(Signal::TERM);
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

#[test]
fn plain_the_same_question_prints_the_same_from_the_files_and_from_the_daemon() {
    let captures = CAPTURES.map(fixture);
    let house = House::with(&captures.each_ref().map(|c| c.as_path()));
    let first = house.run(&["flows", "--limit", "1", "-o", "jsonl"]).ends(0).jsonl().remove(0);
    let seq = first["ghost"]["seq"].to_string();
    let batch = house.file("batch.tsv", "d01\tpassword guessing\nd02\tap:ssh\nd03\tclocks\n");
    let tags = house.file("words.toml", "[tags]\nlab = [\"10.10.0.0/16\"]\n");
    let questions: [&[&str]; 9] = [
        &["query", "password", "guessing", "--limit", "7"],
        &["query", "unusual DNS queries", "-behaviour:unanswered", "--since", "2020-01-01"],
        &["query", "--batch", text(&batch), "--limit", "3"],
        &["flows", "app:ssh,ntp"],
        &["flows", "-app:dns", "--limit", "5", "--until", "2026-12-31"],
        &["flows", "app:gopher"],
        &["flows", "plain words"],
        &["similar", &seq, "--limit", "4"],
        &["--tags", text(&tags), "flows", "tag:lab"],
    ];
    let ask = |house: &House| -> Vec<_> {
        let of = |words: &[&str]| {
            FORMS.map(|form| {
                let ran = house.run(&[words, &["-o", form]].concat());
                assert!(!ran.err.contains("panicked"), "{}", ran.err);
                (form, ran.code, ran.out, ran.err)
            })
        };
        questions.iter().map(|words| (words.join(" "), of(words))).collect()
    };
    let of_files = ask(&house);
    let daemon = Daemon::start(&house);
    let of_daemon = ask(&house);
    for ((words, files), (_, live)) in of_files.iter().zip(&of_daemon) {
        for (file, live) in files.iter().zip(live) {
            assert_eq!(file, live, "{words}");
        }
    }
    assert!(of_files[0].1[0].2.lines().count() > 2, "something was found: {of_files:?}");
    // It was the daemon that answered.
    let status = house.run(&["status", "-o", "json"]).ends(0).json();
    assert!(status["daemon"]["questions"].as_u64().unwrap() >= 40, "{status}");
    assert_eq!(status["events"], status["daemon"]["index"]["events"]);
    daemon.stop();
    assert_eq!(house.run(&["status", "-o", "json"]).ends(0).json()["daemon"], Value::Null);
}

#[test]
fn plain_an_import_through_the_daemon_is_that_of_the_program() {
    let (alone, served) = (House::new(), House::new());
    let daemon = Daemon::start(&served);
    let whole = std::fs::read(fixture("tcpdump__ntp.pcap")).unwrap();
    let import = |house: &House| {
        let cut = house.file("cut.pcap", &whole[..400]);
        let captures = CAPTURES.map(fixture);
        let [ssh, dns, ntp] = captures.each_ref().map(text);
        let missing = house.path("missing.pcap");
        let paths = [ssh, dns, ntp, ssh, text(&cut), text(&missing)];
        let ran = house.run(&[&["import", "-o", "jsonl"], &paths[..]].concat()).ends(1);
        let lines = ran.out.replace(text(&house.dir.path()), "");
        let piped = house.run_on(&captures[2], &["import", "-", "-o", "jsonl"]).ends(0);
        let words = ["import", "-o", "jsonl", "--again", ssh, "--", "tcp port 22"];
        let filtered = house.run(&words).ends(0);
        let off = house.run(&["import", ssh, "--again", "--", "tcp prt 22"]).ends(2);
        (lines, piped.out, filtered.out, off.err)
    };
    let (of_files, of_daemon) = (import(&alone), import(&served));
    let bare = |lines: &str| -> Vec<Value> {
        let mut all: Vec<Value> =
            lines.lines().map(|l| serde_json::from_str(l).expect(l)).collect();
        for one in &mut all {
            if one["error"].as_str().is_some_and(|e| e.contains("imported already")) {
                one["error"] = "imported already".into();
            }
        }
        all
    };
    assert_eq!(bare(&of_files.0), bare(&of_daemon.0));
    assert_eq!(bare(&of_files.0).len(), 6);
    assert_eq!((&of_files.1, &of_files.2, &of_files.3), (&of_daemon.1, &of_daemon.2, &of_daemon.3));
    daemon.stop();
    // Names of captures are as they were given, and these lie in two places; incidents bear the line
    // at which their import began.
    let events = |house: &House| -> Vec<String> {
        let place = text(&house.dir.path()).to_owned();
        let event = |line: &String| match line.split_once("\"incident\":{\"id\":\"i") {
            None => line.replace(&place, ""),
            Some((before, id)) => {
                let of_import = id.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{}incident {of_import}", before.replace(&place, ""))
            }
        };
        house.events().iter().map(event).collect()
    };
    assert_eq!(events(&alone), events(&served));
    served.run(&["log", "verify"]).ends(0);
}

#[test]
fn plain_a_daemon_that_can_not_be_asked_is_told_by_the_exit_code() {
    let house = House::with(&[&fixture("tcpdump__ntp.pcap")]);
    house.run(&["metrics"]).ends(3).says("no daemon");
    let daemon = Daemon::start(&house);
    house.run(&["run", "--no-tap"]).ends(1).says("pid");
    daemon.signal(Signal::STOP);
    house.run(&["flows"]).ends(3).says("no answer within");
    daemon.signal(Signal::CONT);
    house.run(&["flows"]).ends(0);
    let holds = house.data().join("state/api.sock");
    std::fs::rename(&holds, house.path("aside")).unwrap();
    house.run(&["flows"]).ends(3).says("holds the log");
    std::fs::rename(house.path("aside"), &holds).unwrap();
    // As a crash leaves it: the name is there, nobody answers, and the files do.
    daemon.signal(Signal::KILL);
    drop(daemon);
    assert!(holds.exists());
    house.run(&["flows"]).ends(0);
    Daemon::start(&house).stop();
    assert!(!holds.exists());
}

#[test]
fn root_a_user_outside_the_group_is_not_permitted() {
    if !rustix::process::geteuid().is_root() {
        let words = b"SKIPPED: root is needed to become another user\n";
        std::io::stderr().write_all(words).unwrap();
        return;
    }
    let house = House::with(&[&fixture("tcpdump__ntp.pcap")]);
    let _daemon = Daemon::start(&house);
    let program = house.path("ghostbridge");
    std::fs::copy(env!("CARGO_BIN_EXE_ghostbridge"), &program).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(house.dir.path(), mode).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test starts the program")]
    let mut command = std::process::Command::new(&program);
    command
        .args(["flows"])
        .env("GHOSTBRIDGE_DATA_DIR", house.data())
        .current_dir("/")
        .uid(65_534)
        .gid(65_534);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("not permitted"), "{said}");
}

/// Follows, lets `import` go on, and gives back what was printed until Ctrl-C.
fn followed(house: &House, words: &[&str], wanted: usize, import: impl FnOnce()) -> Vec<String> {
    let mut child = house.command(&[&["flows", "-f"], words].concat()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = std::sync::mpsc::sync_channel(1000);
    let reading = thread::spawn(move || {
        for line in out.lines() {
            tell.send(line.unwrap()).unwrap();
        }
    });
    // Until it listens, there is nothing that tells so.
    thread::sleep(Duration::from_secs(2));
    import();
    let mut lines = Vec::new();
    while lines.len() < wanted {
        lines.push(told.recv_timeout(Duration::from_secs(60)).expect("a line within a minute"));
    }
    kill_process(pid(&child), Signal::INT).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success(), "{err}");
    reading.join().unwrap();
    lines.extend(told.try_iter());
    lines
}

#[test]
fn plain_flows_are_followed_with_a_daemon_and_without() {
    let house = House::with(&[&fixture("made__ssh-brute-force.pcap")]);
    let ntp = fixture("tcpdump__ntp.pcap");
    let import = || drop(house.run(&["import", "--again", text(&ntp)]).ends(0));
    let alone = followed(&house, &["app:ntp", "-o", "jsonl"], 4, import);
    assert_eq!(alone.len(), 4, "{alone:#?}");
    let daemon = Daemon::start(&house);
    let served = followed(&house, &["app:ntp", "-o", "jsonl"], 4, import);
    assert_eq!(served.len(), 4, "{served:#?}");
    let mut seqs: Vec<u64> = [&alone[..], &served[..]]
        .concat()
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["ghost"]["seq"].as_u64().unwrap())
        .collect();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), 8);
    // What is there already comes first, and once.
    let past = ["app:ntp", "-o", "csv", "--since", "2000-01-01"];
    let lines = followed(&house, &past, 1 + 8 + 4, import);
    assert_eq!(lines.len(), 1 + 8 + 4, "{lines:#?}");
    house.run(&["flows", "-f", "ap:ntp"]).ends(2).says("did you mean");
    daemon.stop();
}

#[test]
fn plain_metrics_and_status_tell_of_the_daemon() {
    let house = House::with(&[&fixture("tcpdump__ntp.pcap")]);
    let daemon = Daemon::start(&house);
    let metrics = house.run(&["metrics"]).ends(0);
    assert!(metrics.out.contains("\nghostbridge_index_lag_lines "), "{}", metrics.out);
    assert!(metrics.out.ends_with("# EOF\n"));
    let status = house.run(&["status"]).ends(0);
    for line in ["daemon     ghostbridge", "tapping ", "queue ", "head ", "model ", "events     4"]
    {
        assert!(status.out.contains(line), "{line:?} is not in: {}", status.out);
    }
    let json = house.run(&["status", "-o", "json"]).ends(0).json();
    assert_eq!((&json["events"], &json["gaps"]), (&4.into(), &0.into()), "{json}");
    assert!(json["daemon"]["memory_bytes"].as_u64().unwrap() > 0);
    house.run(&["doctor"]).ends(0);
    daemon.stop();
}

/// A terminal of 80 columns and 24 lines, in which a shell runs. Ended when dropped.
struct Terminal<'h>(&'h House);

impl Terminal<'_> {
    #[expect(clippy::disallowed_methods, reason = "the test starts a terminal")]
    fn tmux(&self, words: &[&str]) -> Option<String> {
        let mut command = std::process::Command::new("tmux");
        command.arg("-S").arg(self.0.path("tmux")).args(["-f", "/dev/null"]).args(words);
        let output = command.env_remove("TMUX").env("TZ", "UTC").output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn press(&self, keys: &str) {
        self.tmux(&["send-keys", "-t", "top", keys]).expect("the terminal takes keys");
    }

    #[track_caller]
    fn shows(&self, words: &str) -> String {
        let mut shown = String::new();
        for _ in 0..300 {
            shown = self.tmux(&["capture-pane", "-p", "-t", "top"]).unwrap_or_default();
            if shown.contains(words) {
                return shown;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{words:?} is not on the page:\n{shown}");
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn tmux_top_shows_what_passes_obeys_keys_and_gives_the_terminal_back() {
    let house = House::new();
    let terminal = Terminal(&house);
    if terminal.tmux(&["-V"]).is_none() {
        let words = b"SKIPPED: tmux is not installed\n";
        std::io::stderr().write_all(words).unwrap();
        return;
    }
    let daemon = Daemon::start(&house);
    house.run(&["top"]).ends(2).says("needs a terminal");
    terminal.tmux(&["new-session", "-d", "-s", "top", "-x", "80", "-y", "24", "sh"]).unwrap();
    let program = env!("CARGO_BIN_EXE_ghostbridge");
    let data = house.data();
    let start = |t: &Terminal<'_>| {
        t.press(&format!("clear; {program} --data-dir {} top; echo left-$?", text(&data)));
        t.press("Enter");
        t.shows("live flows");
    };
    start(&terminal);
    house.run(&["import", text(&fixture("made__ssh-brute-force.pcap"))]).ends(0);
    terminal.shows("brute_force");
    assert!(terminal.shows("ssh").contains("q quit"));
    terminal.press("?");
    terminal.shows("pause, and go on");
    terminal.press("?");
    terminal.press("/");
    terminal.press("ap:ssh");
    terminal.press("Enter");
    terminal.shows("did you mean");
    terminal.press("/");
    for _ in 0..6 {
        terminal.press("BSpace");
    }
    terminal.press("app:ssh");
    terminal.press("Enter");
    terminal.shows("by bytes, app:ssh");
    terminal.press("s");
    terminal.shows("by packets");
    terminal.press("q");
    terminal.shows("left-0");
    // The daemon's end is told, and the terminal is the shell's again.
    start(&terminal);
    daemon.stop();
    terminal.shows("left-3");
}
