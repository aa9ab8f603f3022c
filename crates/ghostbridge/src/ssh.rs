//! The way to replicas: the system's `ssh`, started with words and never by a shell.
//!
//! It reads no configuration of anybody's, asks nobody anything, and believes the host keys alone
//! that a person confirmed. It has one key, made here for nothing else, and asks for one command,
//! which the other side's restricted key allows.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ghost_node::DataDir;
use ghost_node::daemon::{Address, Carrier, Connection, HostKey, ReplicaConfig, ssh_folder};
use ghost_node::proofs;

/// What is asked for on the other side; a restricted key allows nothing else.
pub(crate) const SERVE: &str = "ghostbridge replica serve";

/// Of what `ssh` says, the end is kept.
const WORDS_BYTES: usize = 2048;

/// How long `ssh` may take to bring the last words across.
const GRACE: Duration = Duration::from_millis(300);
const STEP: Duration = Duration::from_millis(5);

/// What a host may answer to the question for its keys.
const SCAN_BYTES_MAX: u64 = 64 << 10;

fn key_path(data: &Path) -> PathBuf {
    ssh_folder(data).join("id_ed25519")
}

/// The words of the connection to a replica.
fn words(address: &Address, data: &Path) -> Vec<OsString> {
    let option = |name: &str, value: &Path| {
        let mut word = OsString::from(format!("-o{name}="));
        word.push(value);
        word
    };
    let mut words: Vec<OsString> = ["-T", "-x", "-a", "-Fnone"].map(OsString::from).to_vec();
    for plain in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "PermitLocalCommand=no",
        "ClearAllForwardings=yes",
        "ControlMaster=no",
        "ControlPath=none",
        "Compression=no",
        "ConnectTimeout=15",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=3",
        "LogLevel=ERROR",
    ] {
        words.push(format!("-o{plain}").into());
    }
    words.push(option("UserKnownHostsFile", &ssh_folder(data).join("known_hosts")));
    words.push(option("GlobalKnownHostsFile", Path::new("/dev/null")));
    words.push(option("IdentityFile", &key_path(data)));
    words.push(format!("-p{}", address.port()).into());
    if let Some(user) = address.user() {
        words.push(format!("-l{user}").into());
    }
    words.push("--".into());
    words.push(address.host().into());
    words.push(SERVE.into());
    words
}

#[expect(clippy::disallowed_methods, reason = "the program reaches replicas by ssh")]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for variable in [
        "SSH_AUTH_SOCK",
        "SSH_ASKPASS",
        "DISPLAY",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
    ] {
        command.env_remove(variable);
    }
    // A process group of its own: Ctrl-C is for the engine, which says goodbye first.
    command.process_group(0);
    command
}

/// `ssh` and the connection that it carries.
pub(crate) fn connect(replica: &ReplicaConfig, data: &Path) -> io::Result<Connection> {
    let mut child = command("ssh")
        .args(words(&replica.address, data))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| {
            io::Error::new(e.kind(), format!("can't start ssh: {e}; install openssh-client"))
        })?;
    let (write, read) = (child.stdin.take(), child.stdout.take());
    let mut carrier = Ssh::new(child)?;
    match (read, write) {
        (Some(read), Some(write)) => Ok(Connection {
            read: OwnedFd::from(read),
            write: OwnedFd::from(write),
            child: Some(Box::new(carrier)),
        }),
        _ => Err(io::Error::other(carrier.end())),
    }
}

/// The child, and the thread that hears what it says.
struct Ssh {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
    hears: Option<JoinHandle<()>>,
}

impl Ssh {
    fn new(mut child: Child) -> io::Result<Ssh> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take();
        let mut ssh = Ssh { child, said: Arc::clone(&said), hears: None };
        if let Some(mut stderr) = stderr {
            let hear = move || {
                let mut piece = [0; 512];
                while let Ok(n) = stderr.read(&mut piece) {
                    if n == 0 {
                        return;
                    }
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.extend_from_slice(piece.get(..n).unwrap_or_default());
                    let more = said.len().saturating_sub(WORDS_BYTES);
                    said.drain(..more);
                }
            };
            ssh.hears = Some(std::thread::Builder::new().name("ssh".to_owned()).spawn(hear)?);
        }
        Ok(ssh)
    }
}

impl Carrier for Ssh {
    fn end(&mut self) -> String {
        let mut waited = Duration::ZERO;
        while waited < GRACE && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(STEP);
            waited += STEP;
        }
        // Of a child that has ended by itself nothing is left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(hears) = self.hears.take() {
            let _ = hears.join();
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let plain = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
        lines.map(plain).collect::<Vec<_>>().join("; ")
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.end();
    }
}

/// The public half of this host's key, made where there is none.
pub(crate) fn key(data: &Path) -> io::Result<String> {
    let path = key_path(data);
    let public = path.with_extension("pub");
    if !path.exists() {
        let folder = ssh_folder(data);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        // Its name comes last: after a power cut there is a whole key, or none.
        let (new, new_public) = (path.with_extension("new"), path.with_extension("new.pub"));
        for left in [&new, &new_public] {
            match fs::remove_file(left) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let made = command("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C"])
            .arg(format!("ghostbridge:{}", identity(data)))
            .arg("-f")
            .arg(&new)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| {
                io::Error::new(
                    e.kind(),
                    format!("can't start ssh-keygen: {e}; install openssh-client"),
                )
            })?;
        if !made.status.success() {
            let words = String::from_utf8_lossy(&made.stderr);
            return Err(io::Error::other(format!("ssh-keygen: {}", words.trim())));
        }
        for (from, to) in [(&new_public, &public), (&new, &path)] {
            fs::File::open(from)?.sync_all()?;
            fs::rename(from, to)?;
        }
        fs::File::open(&folder)?.sync_all()?;
    }
    let line = fs::read_to_string(&public)?;
    let line = line.trim();
    match line.starts_with("ssh-ed25519 ") && !line.contains(['\n', '"']) {
        true => Ok(line.to_owned()),
        false => Err(io::Error::other(format!("{}: this is no key of ours", public.display()))),
    }
}

/// As the log calls itself, or this host, in plain letters.
fn identity(data: &Path) -> String {
    let key = proofs::signing_key(&DataDir::new(data));
    let name = key.map(|(key, _)| key.verifying_key().name.clone()).unwrap_or_default();
    let name = match name.split('/').next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => proofs::host_identity(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.chars().filter(|c| plain(*c)).take(64).collect()
}

/// The keys that a host shows.
pub(crate) fn host_keys(address: &Address) -> io::Result<Vec<HostKey>> {
    let mut child = command("ssh-keyscan")
        .args(["-T", "10", "-t", "ed25519,ecdsa,rsa", "-p"])
        .arg(address.port().to_string())
        .arg("--")
        .arg(address.host())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| {
            io::Error::new(
                e.kind(),
                format!("can't start ssh-keyscan: {e}; install openssh-client"),
            )
        })?;
    let mut text = String::new();
    let read = match child.stdout.take() {
        Some(out) => out.take(SCAN_BYTES_MAX).read_to_string(&mut text),
        None => Ok(0),
    };
    let _ = child.kill();
    child.wait()?;
    read?;
    let keys: Vec<HostKey> = text.lines().filter_map(host_key).collect();
    if keys.is_empty() {
        return Err(io::Error::other(format!(
            "no ssh server answers at {}, port {}",
            address.host(),
            address.port()
        )));
    }
    Ok(keys)
}

/// A line of `ssh-keyscan`.
fn host_key(line: &str) -> Option<HostKey> {
    let mut parts = line.split_ascii_whitespace().filter(|_| !line.starts_with('#'));
    let (host, kind, key) = (parts.next()?, parts.next()?, parts.next()?);
    let fingerprint = proofs::ssh_fingerprint(key)?;
    Some(HostKey { line: format!("{host} {kind} {key}"), fingerprint, kind: kind.to_owned() })
}

/// The line for the other side's `authorized_keys`: this key may do one thing.
pub(crate) fn restricted(key: &str) -> String {
    format!("restrict,command=\"{SERVE}\" {key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_told_words_of_which_no_address_makes_an_option() {
        let address: Address = "ssh://ghost@backup.example:2222".parse().unwrap();
        let words = words(&address, Path::new("/var/lib/ghostbridge"));
        let text: Vec<_> = words.iter().map(|w| w.to_string_lossy().into_owned()).collect();
        let end = text.iter().position(|w| w == "--").unwrap();
        assert_eq!(&text[end + 1..], ["backup.example", "ghostbridge replica serve"]);
        assert!(text[..end].iter().all(|w| w.starts_with('-')), "{text:?}");
        for word in [
            "-Fnone",
            "-oBatchMode=yes",
            "-oStrictHostKeyChecking=yes",
            "-oUserKnownHostsFile=/var/lib/ghostbridge/state/ssh/known_hosts",
            "-oIdentityFile=/var/lib/ghostbridge/state/ssh/id_ed25519",
            "-p2222",
            "-lghost",
        ] {
            assert!(text[..end].iter().any(|w| w == word), "{word}");
        }
    }

    #[test]
    fn a_key_that_a_host_shows_has_the_fingerprint_that_ssh_shows() {
        // As `ssh-keygen -lf` printed it for this key.
        let line = "[backup]:2222 ssh-ed25519 \
                    AAAAC3NzaC1lZDI1NTE5AAAAICppPlU1YL+UK3R29c86GdkpoWCznrwrKmGLcf7hB5jf";
        let key = host_key(line).unwrap();
        assert_eq!((key.kind.as_str(), key.line.as_str()), ("ssh-ed25519", line));
        assert_eq!(key.fingerprint, "SHA256:+fssnW69WhpZ1tBKTpTy7Ii+zXeVm0FVz3XodJOhVvI");
        assert_eq!(host_key("# backup:22 SSH-2.0-OpenSSH_9.7"), None);
        assert_eq!(host_key("backup ssh-ed25519 ***"), None);
    }

    #[test]
    fn the_restricted_line_allows_one_command() {
        let line = restricted("ssh-ed25519 AAAA ghostbridge:home");
        let expected = "restrict,command=\"ghostbridge replica serve\" ssh-ed25519 AAAA \
                        ghostbridge:home";
        assert_eq!(line, expected);
    }
}
