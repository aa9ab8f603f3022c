//! `replica add`, `sync`, `pause`, `resume`, `limit`, `remove`, `key`: this host's log on others.
//!
//! The daemon does it: its key it is that others let in, and its user whose files these are.

use std::io::{self, BufRead, IsTerminal, Write as _};
use std::time::Duration;

use ghost_node::api::{Client, ReplicaLimit, ReplicasAsk};
use ghost_node::config::bytes;
use ghost_node::daemon::{HostKey, ReplicaAsk, ReplicaStatus};

use super::list;
use crate::cli::{Place, ReplicaAdd};
use crate::commands::memory::{daemon, unanswered};
use crate::outcome::{Done, Failed, printed, say};
use crate::render::safe_text as safe;
use crate::ssh::restricted;

/// How long the first connection is waited for.
const WAIT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(100);

fn client(place: &Place) -> Result<Client, Failed> {
    daemon(place)?.ok_or_else(|| {
        Failed::unreachable(
            "the daemon sends the log to its replicas, and none runs here: `ghostbridge run`, or \
             `systemctl start ghostbridge`",
        )
    })
}

fn one(client: &mut Client, ask: &ReplicasAsk) -> Result<Option<ReplicaStatus>, Failed> {
    let told = client.replicas(ask).map_err(unanswered)?;
    Ok(told.replicas.unwrap_or_default().into_iter().next())
}

/// Bytes a second, of words.
fn rate(words: Option<&str>) -> Result<Option<u64>, Failed> {
    match words {
        None => Ok(None),
        Some("0") => Ok(Some(0)),
        Some(words) => bytes(words).map(Some).map_err(Failed::usage),
    }
}

pub(super) fn add(place: &Place, asked: &ReplicaAdd) -> Result<Done, Failed> {
    let rate_limit = rate(asked.rate.as_deref())?;
    let mut client = client(place)?;
    let key = client.replicas(&ReplicasAsk::Key).map_err(unanswered)?.key.unwrap_or_default();
    let host_keys = confirmed(&mut client, asked)?;
    let ask = ReplicaAsk {
        name: asked.name.clone(),
        address: asked.address.clone(),
        host_keys,
        rate_limit,
        quiet: asked.quiet.clone(),
    };
    one(&mut client, &ReplicasAsk::Add(ask))?;
    say(format_args!(
        "{}: added. On the other host this line lets the log in, in the authorized_keys of a user \
         of the group ghostbridge:\n",
        asked.name
    ));
    printed(writeln!(io::stdout(), "{}", safe(&restricted(&key))))?;
    say("");
    if asked.no_wait {
        return Ok(Done::Well);
    }
    wait(&mut client, &asked.name)
}

/// The host keys that are believed from now on: those that were named, or that a person confirms.
fn confirmed(client: &mut Client, asked: &ReplicaAdd) -> Result<Vec<String>, Failed> {
    let ask = ReplicasAsk::HostKeys(asked.address.clone());
    let shown = client.replicas(&ask).map_err(unanswered)?.host_keys.unwrap_or_default();
    let lines = |keys: &[&HostKey]| keys.iter().map(|key| key.line.clone()).collect();
    let tell = || {
        for key in &shown {
            say(format_args!("host key  {} {}", safe(&key.kind), safe(&key.fingerprint)));
        }
    };
    if let Some(wanted) = &asked.host_key {
        let same: Vec<_> = shown.iter().filter(|key| key.fingerprint == *wanted).collect();
        if same.is_empty() {
            tell();
            return Err(Failed::new(
                "no host key has the fingerprint that was named: this is another host, or somebody \
                 stands between",
            ));
        }
        return Ok(lines(&same));
    }
    tell();
    if asked.accept_new || (io::stdin().is_terminal() && says_yes()?) {
        return Ok(lines(&shown.iter().collect::<Vec<_>>()));
    }
    Err(Failed::usage(
        "nobody confirmed the host key: compare it with `ssh-keygen -lf \
         /etc/ssh/ssh_host_ed25519_key.pub` there, then name it (--host-key SHA256:…) or believe \
         what is shown (--accept-new)",
    ))
}

fn says_yes() -> Result<bool, Failed> {
    let mut out = io::stderr();
    printed(write!(out, "are these the keys of that host? (yes/no) ").and_then(|()| out.flush()))?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|e| Failed::new(format!("standard input: {e}")))?;
    Ok(line.trim() == "yes")
}

/// Waits for the first connection, and says what the other side answered.
fn wait(client: &mut Client, name: &str) -> Result<Done, Failed> {
    let mut waited = Duration::ZERO;
    loop {
        let all = client.replicas(&ReplicasAsk::List).map_err(unanswered)?;
        let status = all.replicas.unwrap_or_default().into_iter().find(|r| r.name == name);
        let Some(status) = status else {
            return Err(Failed::new(format!("replica {name} was removed meanwhile")));
        };
        let over = waited >= WAIT;
        if status.is_connected() {
            say(format_args!(
                "connected to {} ({}), which holds {} lines",
                safe(&status.identity),
                safe(&status.program),
                status.held
            ));
            return Ok(Done::Well);
        }
        if !status.refused.is_empty() || over {
            let why = match status.refused_words.is_empty() {
                false => format!("{}: {}", status.refused, status.refused_words),
                true => status.last_failure,
            };
            say(format_args!(
                "not connected yet: {}\nit is tried again and again; `ghostbridge replica status \
                 {name}` tells how it stands, `ghostbridge replica sync {name}` tries at once",
                safe(&why)
            ));
            return Ok(Done::Nothing);
        }
        std::thread::sleep(STEP);
        waited += STEP;
    }
}

pub(super) fn key(place: &Place) -> Result<Done, Failed> {
    let told = client(place)?.replicas(&ReplicasAsk::Key).map_err(unanswered)?;
    let line = restricted(&told.key.unwrap_or_default());
    printed(writeln!(io::stdout(), "{}", safe(&line)))?;
    Ok(Done::Well)
}

pub(super) fn sync(place: &Place, name: String) -> Result<Done, Failed> {
    let mut client = client(place)?;
    let Some(before) = one(&mut client, &ReplicasAsk::Sync(name.clone()))? else {
        return Ok(Done::Nothing);
    };
    let mut waited = Duration::ZERO;
    loop {
        let all = client.replicas(&ReplicasAsk::List).map_err(unanswered)?;
        let all = all.replicas.unwrap_or_default();
        let Some(status) = all.into_iter().find(|r| r.name == name) else {
            return Ok(Done::Nothing);
        };
        let newest = client.status().map_err(unanswered)?.status.blocks.last;
        if status.is_connected() && status.verified_block >= newest {
            say(format_args!(
                "{name}: block {} is verified there, {} lines",
                status.verified_block, status.verified_size
            ));
            return Ok(Done::Well);
        }
        let failed = !status.is_connected() && status.failures > before.failures;
        if failed || waited >= WAIT {
            list::print(&[status], list::Form::Whole)?;
            return Ok(Done::Nothing);
        }
        std::thread::sleep(STEP);
        waited += STEP;
    }
}

pub(super) fn pause(place: &Place, name: String) -> Result<Done, Failed> {
    one(&mut client(place)?, &ReplicasAsk::Pause(name.clone()))?;
    say(format_args!("{}: paused; its parent block is kept as long as there is room", safe(&name)));
    Ok(Done::Well)
}

pub(super) fn resume(place: &Place, name: String) -> Result<Done, Failed> {
    one(&mut client(place)?, &ReplicasAsk::Resume(name.clone()))?;
    say(format_args!("{}: sending again", safe(&name)));
    Ok(Done::Well)
}

pub(super) fn limit(
    place: &Place,
    name: String,
    words: Option<&str>,
    quiet: Option<String>,
) -> Result<Done, Failed> {
    let limit = ReplicaLimit { rate_limit: rate(words)?, quiet };
    one(&mut client(place)?, &ReplicasAsk::Limit(name, limit))?;
    Ok(Done::Well)
}

pub(super) fn remove(place: &Place, name: String) -> Result<Done, Failed> {
    one(&mut client(place)?, &ReplicasAsk::Remove(name.clone()))?;
    say(format_args!("{}: removed; what it holds stays there", safe(&name)));
    Ok(Done::Well)
}
