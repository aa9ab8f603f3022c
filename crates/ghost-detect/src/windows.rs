//! Administration of Windows machines that attackers use: remote execution and asked-for secrets.
//!
//! By the names of remote interfaces and pipes, as dissectors tell them (`ghost.objects`,
//! `ghost.commands`). The interfaces are also an administrator's: these behaviours say what was
//! done, not who did it.

use ghost_event::Behaviours;

/// Interfaces, pipes and calls that start a program elsewhere.
const EXECUTION: &[&str] = &[
    "svcctl", "atsvc", "itaskschedulerservice", "iremotescmactivator", "isystemactivator",
    "iwbemservices", "iwbemlevel1login", "iwbemloginclientid", "psexesvc", "paexec", "remcom",
    "csexec", "winreg", "wmi",
];

/// Interfaces and calls that give away secrets, or make a server log in where it is told.
const SECRETS: &[&str] = &[
    "drsuapi", "dsgetncchanges", "drsgetncchanges", "getncchanges", "backupkey", "lsadump",
    "efsrpc", "lsarpc_efs", "rpcremotefindfirstprinterchangenotification",
    "netrserverpasswordset2", "spoolss", "dfsnm", "fssagentrpc",
];

/// What the name of an interface, pipe or call tells.
pub(crate) fn named(value: &[u8]) -> Behaviours {
    let Ok(text) = std::str::from_utf8(value) else { return Behaviours::NONE };
    if text.len() > 256 {
        return Behaviours::NONE;
    }
    let lower = text.to_ascii_lowercase();
    let says = |list: &[&str]| {
        lower
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .any(|word| list.contains(&word))
    };
    let mut found = Behaviours::NONE;
    if says(EXECUTION) {
        found.insert(Behaviours::LATERAL_MOVEMENT);
    }
    if says(SECRETS) {
        found.insert(Behaviours::CREDENTIAL_THEFT);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_known_by_their_names() {
        assert_eq!(named(b"\\PIPE\\svcctl"), Behaviours::LATERAL_MOVEMENT);
        assert_eq!(named(b"drsuapi"), Behaviours::CREDENTIAL_THEFT);
        assert_eq!(named(b"DRSUAPI:DsGetNCChanges"), Behaviours::CREDENTIAL_THEFT);
        assert!(named(b"srvsvc").is_empty());
        assert!(named(b"\xff\xfe").is_empty());
    }
}
