//! A real OpenSSH server of a test's own: on a loopback port, with its own keys, users and
//! configuration, and nothing of the host's changed.
//!
//! It runs in its own mount and process namespaces: there, and only there, `/etc/passwd` knows an
//! unprivileged user ([`Sshd::USER`]) beside root, and programs under test stand in one folder that
//! everybody may enter. Its whole process namespace ends with the value.

use crate::{LabError, Namespace, Process, command, leftovers, needs, until};
use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The programs that [`Sshd`] drives.
pub const SSH_TOOLS: &[&str] = &["sshd", "ssh", "ssh-keygen", "unshare", "mount"];

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// The unprivileged user's number: far from those that machines give out.
const UID: u32 = 474_747;

/// What stands around a session.
#[derive(Debug, Clone, Copy, Default)]
pub struct SshdSetup<'a> {
    /// Where it listens; `None`: on the host's loopback, at a port that was free.
    pub namespace: Option<&'a Namespace>,
    /// Variables of every session: no spaces.
    pub env: &'a [(&'a str, OsString)],
    /// Programs of every session, by name, before all others.
    pub programs: &'a [(&'a str, &'a Path)],
    /// The group of the unprivileged user, by the host's number.
    pub group: Option<u32>,
}

/// The server. Ended with all its sessions when dropped.
#[derive(Debug)]
pub struct Sshd {
    process: Process,
    folder: PathBuf,
    address: SocketAddr,
    host_key: String,
}

impl Sshd {
    /// The unprivileged user that it knows beside root.
    pub const USER: &'static str = "gblab";

    /// Starts one and waits until it listens. Nobody may log in yet: see
    /// [`authorize`](Self::authorize).
    ///
    /// # Errors
    ///
    /// What `ssh-keygen`, `unshare` or `sshd` says; see [`Sshd::skipped`].
    pub fn start(setup: &SshdSetup<'_>) -> Result<Sshd, LabError> {
        let folder = new_folder()?;
        let started = Sshd::start_in(&folder, setup);
        if started.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        started
    }

    fn start_in(folder: &Path, setup: &SshdSetup<'_>) -> Result<Sshd, LabError> {
        let host_key = make_key(&folder.join("host_key"))?;
        let port = match setup.namespace {
            Some(_) => 22,
            None => free_port().map_err(LabError::io("a free port"))?,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        write_users(folder, setup.group.unwrap_or(UID))?;
        fs::write(folder.join("sshd_config"), config(folder, port, setup))
            .map_err(LabError::io("write sshd_config"))?;
        let script = script(folder, setup);
        let argv = [
            "unshare",
            "--mount",
            "--propagation",
            "slave",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "sh",
            "-ec",
            &script,
        ];
        let mut process = match setup.namespace {
            Some(namespace) => namespace.spawn(&argv)?,
            None => Process::outside(&argv)?,
        };
        process.says("Server listening on", PATIENCE)?;
        Ok(Sshd { process, folder: folder.to_owned(), address, host_key })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its public key: type and base64.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.host_key
    }

    /// The same as `ssh` shows it to a person: `SHA256:…`.
    ///
    /// # Errors
    ///
    /// What `ssh-keygen` says.
    pub fn fingerprint(&self) -> Result<String, LabError> {
        let key = self.folder.join("host_key.pub");
        let said = command::run(None, &["ssh-keygen", "-lf", &key.to_string_lossy()])?;
        let print = said.split_ascii_whitespace().nth(1).map(str::to_owned);
        print.ok_or_else(|| LabError::Wrong(format!("no fingerprint in {said:?}")))
    }

    /// Lets whoever has these keys log in as `user` (`root` or [`Sshd::USER`]): lines as of an
    /// `authorized_keys`, in the place of those before.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub fn authorize(&self, user: &str, lines: &str) -> Result<(), LabError> {
        let path = self.folder.join("keys").join(user);
        fs::write(&path, format!("{}\n", lines.trim_end())).map_err(LabError::io("write a key"))?;
        open_to_all(&path, 0o644)
    }

    /// The lines of [`authorize`](Self::authorize), as they stand.
    #[must_use]
    pub fn authorized(&self, user: &str) -> String {
        fs::read_to_string(self.folder.join("keys").join(user)).unwrap_or_default()
    }

    /// A new key of a client: the path of its private half, and the line of its public one.
    ///
    /// # Errors
    ///
    /// What `ssh-keygen` says.
    pub fn client_key(&self, name: &str) -> Result<(PathBuf, String), LabError> {
        let path = self.folder.join(format!("client_{name}"));
        let line = make_key(&path)?;
        Ok((path, line))
    }

    /// The words of an `ssh` that reaches it with that key, at `address` (its own, or a relay's),
    /// asking nobody anything; a command may follow.
    ///
    /// # Errors
    ///
    /// When its key can't be written down for `ssh`.
    pub fn ssh(
        &self,
        user: &str,
        key: &Path,
        address: SocketAddr,
    ) -> Result<Vec<String>, LabError> {
        let known = self.folder.join("known_hosts");
        fs::write(&known, format!("lab {}\n", self.host_key))
            .map_err(LabError::io("write known_hosts"))?;
        let words = [
            "ssh".to_owned(),
            "-T".into(),
            "-F/dev/null".into(),
            "-oBatchMode=yes".into(),
            "-oIdentitiesOnly=yes".into(),
            "-oHostKeyAlias=lab".into(),
            "-oStrictHostKeyChecking=yes".into(),
            format!("-oUserKnownHostsFile={}", known.display()),
            format!("-i{}", key.display()),
            format!("-p{}", address.port()),
            format!("{user}@{}", address.ip()),
        ];
        Ok(words.to_vec())
    }

    /// What it said so far.
    pub fn output(&mut self) -> String {
        self.process.output()
    }

    /// True when a test must be left out, loudly, as [`skipped`](crate::skipped) does.
    ///
    /// # Panics
    ///
    /// When `CI` is set, this is root, and something is missing.
    #[must_use]
    pub fn skipped() -> bool {
        needs::left_out(Sshd::missing_needs())
    }

    /// Why no server can be had here, or `None`.
    #[must_use]
    pub fn missing_needs() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("needs root (an SSH server with users of its own)".into());
        }
        let missing: Vec<&str> =
            SSH_TOOLS.iter().copied().filter(|tool| needs::find(tool).is_none()).collect();
        (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.process.stop(Duration::from_secs(2));
        // A session that still ends may write into it.
        let _ = until("the folder to be gone", Duration::from_secs(2), || {
            let _ = fs::remove_dir_all(&self.folder);
            !self.folder.exists()
        });
    }
}

/// What is done inside the namespaces before the server takes the shell's place. All words in it are
/// made here or are paths without quotes.
fn script(folder: &Path, setup: &SshdSetup<'_>) -> String {
    let folder = folder.display();
    let mut script = String::from("mkdir -p /run/sshd\n");
    for file in ["passwd", "group", "shadow"] {
        script += &format!("mount --bind '{folder}/{file}' /etc/{file}\n");
    }
    for (name, path) in setup.programs {
        script += &format!("touch '{folder}/bin/{name}'\n");
        script += &format!("mount --bind '{}' '{folder}/bin/{name}'\n", path.display());
    }
    let sshd = needs::find("sshd").unwrap_or_else(|| "/usr/sbin/sshd".into());
    script + &format!("exec '{}' -D -e -f '{folder}/sshd_config'\n", sshd.display())
}

fn config(folder: &Path, port: u16, setup: &SshdSetup<'_>) -> String {
    let folder = folder.display();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut env = format!("PATH={folder}/bin:{path}");
    for (name, value) in setup.env {
        env += &format!(" {name}={}", value.to_string_lossy());
    }
    format!(
        "Port {port}\n\
         ListenAddress 127.0.0.1\n\
         HostKey {folder}/host_key\n\
         PidFile none\n\
         AuthorizedKeysFile {folder}/keys/%u\n\
         StrictModes no\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         UsePAM no\n\
         PermitRootLogin prohibit-password\n\
         UseDNS no\n\
         PrintMotd no\n\
         MaxStartups 100:30:200\n\
         SetEnv {env}\n\
         LogLevel VERBOSE\n"
    )
}

/// The host's users, root with a shell that runs commands, and one more.
fn write_users(folder: &Path, group: u32) -> Result<(), LabError> {
    let user = Sshd::USER;
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let others = |text: String| -> String {
        let ours = |line: &&str| line.starts_with("root:") || line.starts_with(user);
        text.lines().filter(|line| !ours(line)).map(|line| format!("{line}\n")).collect()
    };
    let home = folder.join("home");
    let passwd = format!(
        "root:x:0:0:root:/root:/bin/sh\n{}{user}:x:{UID}:{group}::{}:/bin/sh\n",
        others(read("/etc/passwd")),
        home.display()
    );
    let groups = format!("root:x:0:\n{}{user}:x:{UID}:\n", others(read("/etc/group")));
    // No password fits, and nobody is locked.
    let shadow = format!("root:*:19000:0:99999:7:::\n{user}:*:19000:0:99999:7:::\n");
    for (name, text, mode) in
        [("passwd", passwd, 0o644), ("group", groups, 0o644), ("shadow", shadow, 0o600)]
    {
        let path = folder.join(name);
        fs::write(&path, text).map_err(LabError::io("write users"))?;
        open_to_all(&path, mode)?;
    }
    Ok(())
}

/// Makes a key pair; its public line, without the comment.
fn make_key(path: &Path) -> Result<String, LabError> {
    let shown = path.to_string_lossy();
    command::run(
        None,
        &["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", &shown],
    )?;
    let public = fs::read_to_string(path.with_extension("pub"))
        .map_err(LabError::io("read a public key"))?;
    let mut words = public.split_ascii_whitespace();
    Ok(format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default()))
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn open_to_all(path: &Path, mode: u32) -> Result<(), LabError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(LabError::io("set permissions"))
}

fn new_folder() -> Result<PathBuf, LabError> {
    static CLEAN: Once = Once::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    CLEAN.call_once(|| {
        leftovers::remove_leftovers();
    });
    let folder = leftovers::folder("sshd", COUNT.fetch_add(1, Ordering::Relaxed));
    for name in ["", "keys", "bin", "home"] {
        let path = folder.join(name);
        fs::create_dir(&path).map_err(LabError::io("make a folder for sshd"))?;
        open_to_all(&path, 0o755)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_a_key_runs_its_forced_command_as_an_unprivileged_user_and_nothing_else() {
        if Sshd::skipped() {
            return;
        }
        let tool = needs::find("id").unwrap();
        let setup = SshdSetup {
            env: &[("LAB_WORD", "seen".into())],
            programs: &[("whoami-in-the-lab", &tool)],
            ..SshdSetup::default()
        };
        let sshd = Sshd::start(&setup).unwrap();
        let (key, line) = sshd.client_key("a").unwrap();
        let words = sshd.ssh(Sshd::USER, &key, sshd.address()).unwrap();
        let run = |more: &[&str]| {
            let mut argv: Vec<&str> = words.iter().map(String::as_str).collect();
            argv.extend(more);
            command::run(None, &argv)
        };
        assert!(run(&["true"]).is_err(), "nobody was let in yet");
        sshd.authorize(
            Sshd::USER,
            &format!("restrict,command=\"whoami-in-the-lab -u; echo $LAB_WORD\" {line}"),
        )
        .unwrap();
        for more in [&[][..], &["cat /etc/shadow"]] {
            assert_eq!(run(more).unwrap(), format!("{UID}\nseen\n"));
        }
        sshd.authorize("root", &line).unwrap();
        let words = sshd.ssh("root", &key, sshd.address()).unwrap();
        let mut argv: Vec<&str> = words.iter().map(String::as_str).collect();
        argv.push("id -u");
        assert_eq!(command::run(None, &argv).unwrap(), "0\n");
        assert!(sshd.fingerprint().unwrap().starts_with("SHA256:"));
        assert!(!fs::read_to_string("/etc/passwd").unwrap().contains(Sshd::USER));
        let (address, folder) = (sshd.address(), sshd.folder.clone());
        drop(sshd);
        let gone = || std::net::TcpStream::connect(address).is_err() && !folder.exists();
        until("the server to be gone", Duration::from_secs(20), gone).unwrap();
    }
}
