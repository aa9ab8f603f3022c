//! The keys of replicas' hosts that a person confirmed, as `ssh` reads them.
//!
//! **Invariant:** a line is only taken for the very host and port that it is confirmed for, and holds
//! nothing but a name, a kind and a key.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::{Address, ReplicaError};

/// As a host stands in the file.
pub(super) fn host_of(address: &Address) -> String {
    match address.port() {
        22 => address.host().to_owned(),
        port => format!("[{}]:{port}", address.host()),
    }
}

/// A line for this address, in its plain form.
fn checked(line: &str, host: &str) -> Option<String> {
    let mut parts = line.split_ascii_whitespace();
    let (named, kind, key) = (parts.next()?, parts.next()?, parts.next()?);
    let is_kind = kind.len() <= 64
        && kind
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-@.".contains(&c));
    let is_key = (16..=4096).contains(&key.len())
        && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=".contains(&c));
    (named == host && is_kind && is_key && parts.next().is_none())
        .then(|| format!("{host} {kind} {key}"))
}

/// Keeps the confirmed keys of one host in place of those that were there.
pub(super) fn confirm(
    folder: &Path,
    address: &Address,
    lines: &[String],
) -> Result<(), ReplicaError> {
    let host = host_of(address);
    let checked: Option<Vec<_>> = lines.iter().map(|line| checked(line, &host)).collect();
    let Some(checked) = checked.filter(|lines| !lines.is_empty() && lines.len() <= 16) else {
        return Err(ReplicaError::HostKey(host));
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join("known_hosts");
    let before = match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let others = before.lines().filter(|l| l.split_ascii_whitespace().next() != Some(&*host));
    let mut text: Vec<&str> = others.collect();
    text.extend(checked.iter().map(String::as_str));
    let new = folder.join("known_hosts.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all((text.join("\n") + "\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    Ok(std::fs::File::open(folder)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7k";

    #[test]
    fn a_confirmed_key_replaces_the_hosts_old_one_and_no_other_hosts() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("ssh");
        let a: Address = "ssh://a".parse().unwrap();
        let b: Address = "ssh://g@b:2222".parse().unwrap();
        confirm(&folder, &a, &[format!("a {KEY}old")]).unwrap();
        confirm(&folder, &b, &[format!("[b]:2222 {KEY}")]).unwrap();
        confirm(&folder, &a, &[format!("a {KEY}new")]).unwrap();
        let text = std::fs::read_to_string(folder.join("known_hosts")).unwrap();
        assert_eq!(text, format!("[b]:2222 {KEY}\na {KEY}new\n"));
    }

    #[test]
    fn a_line_that_is_not_this_hosts_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let a: Address = "ssh://a".parse().unwrap();
        for bad in [
            String::new(),
            format!("b {KEY}"),
            format!("* {KEY}"),
            format!("@cert-authority a {KEY}"),
            format!("a {KEY} more"),
            "a ssh-ed25519 AAAA\u{1b}".to_owned(),
            "a SSH AAAAC3NzaC1lZDI1NTE5AAAAIJ7k".to_owned(),
        ] {
            assert!(confirm(dir.path(), &a, std::slice::from_ref(&bad)).is_err(), "{bad}");
        }
        assert!(confirm(dir.path(), &a, &[]).is_err());
        assert!(!dir.path().join("known_hosts").exists());
    }
}
