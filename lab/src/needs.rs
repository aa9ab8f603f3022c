//! What a machine must have for the laboratory, and what to say when it has not.

use std::path::PathBuf;

/// Why tests in namespaces can't run here, or `None`. `tools` are programs beyond `ip` and `nsenter`.
pub fn missing_needs(tools: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root (network namespaces)".into());
    }
    let missing: Vec<&str> = ["ip", "nsenter"]
        .iter()
        .chain(tools)
        .copied()
        .filter(|tool| find(tool).is_none())
        .collect();
    if !missing.is_empty() {
        return Some(format!("not installed: {}", missing.join(", ")));
    }
    crate::namespace::usable().err().map(|why| format!("no network namespaces here: {why}"))
}

/// True when a test must be left out; says so loudly, by the test's name. In CI as root that is a
/// failure, not a reason to skip: a test that never runs there protects nothing.
///
/// # Panics
///
/// When `CI` is set, this is root, and something is missing.
pub fn skipped(tools: &[&str]) -> bool {
    left_out(missing_needs(tools))
}

/// True, and told, where something is missing.
#[expect(clippy::print_stderr, reason = "a test that was left out must be seen to be")]
pub(crate) fn left_out(missing: Option<String>) -> bool {
    let Some(why) = missing else { return false };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let in_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    assert!(!(in_ci && rustix::process::geteuid().is_root()), "{test} can't run in CI: {why}");
    eprintln!("SKIPPED {test}: {why}");
    true
}

/// The program's path, looked for as a shell does, and where root's programs are even when the
/// search path lacks them.
pub(crate) fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(tool))
        .find(|path| path.is_file())
}
