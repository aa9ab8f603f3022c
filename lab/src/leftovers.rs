//! What a killed run left behind: found by its name, removed by the next run.
//!
//! Names hold the process id and its start time, so that a living run's things are never taken for
//! a dead one's, even when the id was given out again.

use std::path::PathBuf;
use std::sync::OnceLock;

const MARK: &str = "gblab-";

/// What every namespace and folder of this process begins with.
pub(crate) fn own_prefix() -> &'static str {
    static PREFIX: OnceLock<String> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let pid = std::process::id();
        format!("{MARK}{pid}-{}-", started(pid).unwrap_or(0))
    })
}

/// A private folder of this process, short enough for the path of a Unix socket.
pub(crate) fn folder(purpose: &str, number: u32) -> PathBuf {
    std::env::temp_dir().join(format!("{}{number}-{purpose}", own_prefix()))
}

/// Removes the namespaces, file systems and folders of runs that are dead; how many there were.
pub fn remove_leftovers() -> usize {
    let mut removed = 0;
    for name in names(&PathBuf::from("/run/netns")).filter(|name| is_dead(name)) {
        crate::namespace::remove(&name);
        removed += 1;
    }
    let temporary = std::env::temp_dir();
    for name in names(&temporary).filter(|name| is_dead(name)) {
        let folder = temporary.join(name);
        crate::loop_fs::unmount_below(&folder);
        let _ = std::fs::remove_dir_all(folder);
        removed += 1;
    }
    removed
}

fn names(folder: &std::path::Path) -> impl Iterator<Item = String> + use<> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// True for a name of ours whose process is no more.
fn is_dead(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(MARK) else { return false };
    let mut parts = rest.split('-');
    let (Some(pid), Some(start)) = (parts.next(), parts.next()) else { return false };
    let (Ok(pid), Ok(start)) = (pid.parse(), start.parse()) else { return false };
    started(pid) != Some(start)
}

/// When a process started, in the kernel's ticks since boot: field 22 of /proc/PID/stat, counted
/// from behind its name, which may hold anything.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_run_is_not_dead_and_a_strange_name_is_not_ours() {
        assert!(!is_dead(&format!("{}0-x", own_prefix())));
        assert!(is_dead(&format!("{MARK}{}-1-0-x", std::process::id())), "another life of this id");
        assert!(is_dead(&format!("{MARK}4294967294-5-0-x")));
        assert!(!is_dead("somebody-elses"));
        assert!(!is_dead("gblab-words-0"));
    }
}
