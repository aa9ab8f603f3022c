//! Programs, run inside a namespace: to their end with their words captured, or beside the test.

use crate::{LabError, Namespace, needs, until};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A program started beside the test. Ended (TERM, then KILL) and reaped when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    output: File,
}

impl Process {
    /// Starts `argv` in the namespace; what it writes goes to a file of its own.
    pub(crate) fn start(
        namespace: &Namespace,
        argv: &[&str],
        env: &[(&str, OsString)],
    ) -> Result<Process, LabError> {
        let mut command = inside(namespace.name(), argv);
        command.envs(env.iter().map(|(key, value)| (key, value)));
        Process::of(command, argv)
    }

    /// Starts `argv` where this process stands.
    pub(crate) fn outside(argv: &[&str]) -> Result<Process, LabError> {
        Process::of(program(argv), argv)
    }

    fn of(mut command: Command, argv: &[&str]) -> Result<Process, LabError> {
        let name = argv.join(" ");
        let start = |source| LabError::Start { command: name.clone(), source };
        let output = sys_file().map_err(start)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(start)?)
            .stderr(output.try_clone().map_err(start)?);
        let child = command.spawn().map_err(start)?;
        Ok(Process { child, name, output })
    }

    /// Its process id: `nsenter` becomes the program, so this is the program's own.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far, to either output.
    pub fn output(&mut self) -> String {
        let mut text = Vec::new();
        let read =
            self.output.seek(SeekFrom::Start(0)).and_then(|_| self.output.read_to_end(&mut text));
        match read {
            Ok(_) => String::from_utf8_lossy(&text).into_owned(),
            Err(err) => format!("(output can't be read: {err})"),
        }
    }

    /// False once it has ended.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until its output holds `text`.
    ///
    /// # Errors
    ///
    /// [`LabError::Late`] when it never does, or [`LabError::Failed`] when the program ends first.
    pub fn says(&mut self, text: &str, limit: Duration) -> Result<(), LabError> {
        let mut ended = false;
        let _ = until(text, limit, || {
            ended = !self.runs();
            self.output().contains(text) || ended
        });
        let output = self.output();
        if output.contains(text) {
            return Ok(());
        }
        if ended {
            let status = self.child.try_wait().ok().flatten();
            return Err(failed(&self.name, status, output));
        }
        let what = format!("`{}` to say {text:?}", self.name);
        Err(LabError::Late { what, limit, detail: format!("; it said:\n{output}") })
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`LabError::Late`] when it goes on (and is ended by the drop), [`LabError::Failed`] when it
    /// ended with an error.
    pub fn wait(mut self, limit: Duration) -> Result<String, LabError> {
        let what = format!("the end of `{}`", self.name);
        if until(&what, limit, || !self.runs()).is_err() {
            return Err(LabError::Late {
                what,
                limit,
                detail: format!("; it said:\n{}", self.output()),
            });
        }
        let output = self.output();
        match self.child.try_wait() {
            Ok(Some(status)) if status.success() => Ok(output),
            status => Err(failed(&self.name, status.ok().flatten(), output)),
        }
    }

    /// Sends a signal to it.
    ///
    /// # Errors
    ///
    /// When it has gone already.
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<(), LabError> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal)
            .map_err(|err| LabError::io(format!("signal to `{}`", self.name))(err.into()))
    }

    /// Ends it: TERM, and KILL when that does not help within `patience`.
    pub fn stop(&mut self, patience: Duration) {
        if !self.runs() {
            return;
        }
        let _ = self.signal(rustix::process::Signal::TERM);
        if until("its end", patience, || !self.runs()).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(2));
    }
}

/// Runs `argv` to its end: in the namespace, or (to set things up) outside of any.
pub(crate) fn run(namespace: Option<&str>, argv: &[&str]) -> Result<String, LabError> {
    let name = argv.join(" ");
    let mut command = match namespace {
        Some(namespace) => inside(namespace, argv),
        None => program(argv),
    };
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LabError::Start { command: name.clone(), source })?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let said = said + &String::from_utf8_lossy(&output.stderr);
    let name = namespace.map_or(name.clone(), |namespace| format!("{name}` in `{namespace}"));
    Err(failed(&name, Some(output.status), said))
}

fn failed(name: &str, status: Option<ExitStatus>, output: String) -> LabError {
    let status = status.map_or("no known status".to_owned(), |status| status.to_string());
    LabError::Failed { command: name.to_owned(), status, output }
}

/// `nsenter`, not `ip netns exec`, which would hide /sys/fs/bpf (and what is pinned there) behind
/// a mount of its own. /sys/class/net stays the host's for that; /proc/net is the namespace's.
fn inside(namespace: &str, argv: &[&str]) -> Command {
    let mut command = program(&["nsenter", &format!("--net=/run/netns/{namespace}"), "--"]);
    if let Some((name, rest)) = argv.split_first() {
        command.arg(path_of(name)).args(rest);
    }
    command
}

#[expect(clippy::disallowed_methods, reason = "the laboratory drives the machine's own tools")]
fn program(argv: &[&str]) -> Command {
    let (name, rest) = argv.split_first().unwrap_or((&"", &[]));
    let mut command = Command::new(path_of(name));
    command.args(rest);
    command
}

fn path_of(name: &str) -> std::path::PathBuf {
    needs::find(name).unwrap_or_else(|| name.into())
}

/// An unnamed file in the temporary folder.
fn sys_file() -> std::io::Result<File> {
    crate::sys::unnamed_file()
}
