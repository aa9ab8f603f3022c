//! Starting other programs, and where the project stands on disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// A result whose error is a sentence for the terminal.
pub(crate) type Outcome<T> = Result<T, String>;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's target folder, as the environment or the default says.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program run in the repository's root.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end, output shown as it comes.
pub(crate) fn run(command: &mut Command) -> Outcome<()> {
    let shown = describe(command);
    let status = command.status().map_err(|e| format!("{shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} ended with {status}")) }
}

/// What a program wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn ok(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs to the end and keeps both outputs; a failing exit is not an error here.
pub(crate) fn capture(command: &mut Command) -> Outcome<Ran> {
    let shown = describe(command);
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{shown}: {e}"))?;
    Ok(Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs to the end; anything but success is an error that shows what was written.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let ran = capture(command)?;
    if ran.ok() {
        return Ok(ran.stdout);
    }
    let code = ran.code.map_or_else(|| "a signal".to_owned(), |c| c.to_string());
    Err(format!("{} ended with {code}:\n{}{}", describe(command), ran.stdout, ran.stderr))
}

/// The command line as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| quoted(&w.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// One word of a shell line.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.contains(['\'', '$', '`', '\\', '!', '"']) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    format!("\"{word}\"")
}

/// True where `program` is on the path, or where root's programs are.
pub(crate) fn have(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let root = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(root).any(|folder| folder.join(program).is_file())
}

/// True where this process runs as root.
pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|l| l.strip_prefix("Uid:"));
    uids.and_then(|u| u.split_whitespace().nth(1)) == Some("0")
}

/// Reads a file, naming it in the error.
pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Writes a file, naming it in the error.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Outcome<()> {
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// An empty folder at `path`; what stood there is removed.
pub(crate) fn fresh_folder(path: &Path) -> Outcome<()> {
    if path.exists() {
        fs::remove_dir_all(path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    fs::create_dir_all(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The files right inside `folder`, sorted by name.
pub(crate) fn files_in(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| p.is_file()).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_typed_again() {
        assert_eq!(quoted("plain-word"), "plain-word");
        assert_eq!(quoted("two words"), "\"two words\"");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "\"\"");
    }
}
