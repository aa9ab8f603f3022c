//! The demo on a live bridge: enabled, asked, killed, started again.

use std::time::Duration;

use ghost_lab::Process;

use super::network::Network;
use super::{Demo, relative};
use crate::Done;
use crate::sh::{self, Outcome};

/// Each with what its best hit must tell.
const QUESTIONS: &[(&str, &str)] = &[
    ("who is scanning ports", "port_scan"),
    ("someone guessing SSH passwords", "brute_force"),
    ("web pages fetched with curl", "http"),
    ("which host pings the whole network", "sweep"),
];

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn play(demo: &Demo) -> Done {
    println!("Two hosts and a bridge between them, in namespaces:");
    println!("  office 10.77.0.1 ── port1 [br0] port2 ── server 10.77.0.2\n");
    let network = Network::make()?;
    let scratch = demo.data.join("scratch");
    std::fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    let _services = network.serve(&scratch)?;

    let mut daemon = start(demo, &network)?;
    talk(&network, &scratch.join("wrong_key").display().to_string())?;
    println!("What a connection was part of is told when it has ended, and been quiet for 20 s.\n");
    for (question, expected) in QUESTIONS {
        wait_for(demo, question, expected)?;
        demo.ask(question, "3", expected)?;
    }
    demo.step(&["flows", "app:dns", "--limit", "3"])?;
    demo.step(&["status"])?;

    println!("The daemon is killed while a download and a ping go through the bridge:\n");
    kill_under_load(&network, &daemon)?;
    println!("\nAgain; what passed meanwhile is told as a gap:\n");
    daemon = start(demo, &network)?;
    gap(demo)?;
    println!("$ kill -TERM {}", daemon.id());
    daemon.stop(PATIENCE);
    println!("{}", daemon.output());
    demo.step(&["log", "verify"])?;
    demo.step(&["block", "list"])?;
    demo.step(&["flows", "app:http", "--limit", "3"])?;
    Ok(())
}

/// `ghostbridge run` on the bridge, until it says how to ask.
fn start(demo: &Demo, network: &Network) -> Outcome<Process> {
    let data = relative(&demo.data);
    println!("$ ghostbridge --data-dir {data} run -i br0");
    let (binary, data) = (demo.binary.display().to_string(), demo.data.display().to_string());
    let mut daemon = network
        .bridge
        .spawn(&[&binary, "--data-dir", &data, "run", "-i", "br0"])
        .map_err(|e| e.to_string())?;
    daemon.says("asking", PATIENCE).map_err(|e| e.to_string())?;
    println!("{}", daemon.output());
    Ok(daemon)
}

/// Real programs of the office talk to the server.
fn talk(network: &Network, key: &str) -> Done {
    let shown = |line: &str| println!("office$ {line}");
    shown("curl http://10.77.0.2/            (5 times)");
    for _ in 0..5 {
        network.office("curl", &["-sS", "-o/dev/null", "http://10.77.0.2/"])?;
    }
    shown("dig @10.77.0.2 www.example.org    (and mail, shop, ftp)");
    for name in ["www", "mail", "shop", "ftp"] {
        network.office("dig", &["@10.77.0.2", "+short", &format!("{name}.example.org")])?;
    }
    shown("ssh root@10.77.0.2                (12 times, with a key that nobody knows)");
    let mut keygen = sh::command("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
    sh::output(&mut keygen)?;
    for _ in 0..12 {
        network.office_tries(
            "ssh",
            &[
                "-F/dev/null",
                "-oBatchMode=yes",
                "-oStrictHostKeyChecking=no",
                "-oUserKnownHostsFile=/dev/null",
                "-oIdentitiesOnly=yes",
                "-i",
                key,
                "root@10.77.0.2",
                "true",
            ],
        );
    }
    shown("nmap -n -Pn -p 1-500 10.77.0.2");
    network.office("nmap", &["-n", "-Pn", "-p", "1-500", "10.77.0.2"])?;
    shown("nmap -n -sn -PE 10.77.1.0/26\n");
    network.office("nmap", &["-n", "-sn", "-PE", "10.77.1.0/26"])?;
    Ok(())
}

/// Kills the daemon in the middle; every ping must come back, and the file must arrive whole.
fn kill_under_load(network: &Network, daemon: &Process) -> Done {
    let line = ["ping", "-i0.01", "-c200", "-W5", "10.77.0.2"];
    println!("office$ {}", line.join(" "));
    println!("office$ curl --limit-rate 16M http://10.77.0.2/big | wc -c");
    let ping = network.office.spawn(&line).map_err(|e| e.to_string())?;
    let load = network
        .office
        .spawn(&[
            "curl",
            "-sS",
            "--limit-rate",
            "16M",
            "-o/dev/null",
            "-w%{size_download}",
            "http://10.77.0.2/big",
        ])
        .map_err(|e| e.to_string())?;
    std::thread::sleep(Duration::from_millis(700));
    println!("$ kill -KILL {}", daemon.id());
    sh::output(sh::command("kill").args(["-KILL", &daemon.id().to_string()]))?;
    let pinged = ping.wait(PATIENCE).map_err(|e| e.to_string())?;
    let summary = pinged.lines().find(|l| l.contains("packet loss")).unwrap_or_default();
    println!("{summary}");
    if !summary.contains(" 0% packet loss") {
        return Err(format!("pings were lost when the daemon was killed: {summary}"));
    }
    let loaded = load.wait(PATIENCE).map_err(|e| e.to_string())?;
    println!("{} bytes arrived", loaded.trim());
    if loaded.trim() != (32 << 20).to_string() {
        return Err(format!("the download did not arrive whole: {loaded}"));
    }
    Ok(())
}

/// Waits, without a word, until the best hit tells what is expected; `ask` then says if it never did.
fn wait_for(demo: &Demo, question: &str, expected: &str) -> Done {
    for _ in 0..60 {
        let mut query = sh::command(&demo.binary);
        query.arg("--data-dir").arg(&demo.data).args(["query", "--limit", "1", question]);
        if sh::capture(&mut query)?.stdout.contains(expected) {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// Shows the newest line of the log that tells of what was not seen.
fn gap(demo: &Demo) -> Done {
    let data = relative(&demo.data);
    println!(
        "$ ghostbridge --data-dir {data} log export | grep '\"event_type\":\"gap\"' | tail -1"
    );
    let mut export = sh::command(&demo.binary);
    let log = sh::output(export.args(["--data-dir", &data, "log", "export"]))?;
    let gap = log.lines().rfind(|line| line.contains("\"event_type\":\"gap\""));
    println!("{}\n", gap.unwrap_or("(none)"));
    match gap {
        Some(line) if line.contains("\"stopped\"") => Ok(()),
        _ => Err("the log has no gap line for the time without the daemon".to_owned()),
    }
}
