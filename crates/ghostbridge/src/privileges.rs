//! What this process may do, made less.
//!
//! Called before the first thread is started: what a thread gave up, those it starts never have.
//! Nothing given up can be had again, by no exec and by no set-user-id program.
//!
//! **Invariant:** after [`keep_only`] returned well, no set of this process (bounding, permitted,
//! effective, inheritable, ambient) holds a capability that was not named; the kernel is asked.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use crate::outcome::Failed;

/// What loading and attaching take: without CAP_PERFMON the kernel guards the program against
/// speculation, at more than the price of the program itself, or refuses it.
pub(crate) const ATTACH: CapabilitySet =
    CapabilitySet::BPF.union(CapabilitySet::NET_ADMIN).union(CapabilitySet::PERFMON);
/// What opening a packet socket takes, besides.
pub(crate) const RAW: CapabilitySet = CapabilitySet::NET_RAW;

/// What deleting a snapshot and sending one take on btrfs.
pub(crate) const SNAPSHOT: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// Gives up every capability but those of `keep` that are there, for good.
pub(crate) fn keep_only(keep: CapabilitySet) -> Result<(), Failed> {
    lower(keep).map_err(|e| Failed::new(format!("can't give up privileges: {e}")))
}

fn lower(keep: CapabilitySet) -> rustix::io::Result<()> {
    set_no_new_privs(true)?;
    let before = capabilities(None)?;
    // Without this capability the bounding set can't be lowered; nor can anything be gained from
    // it, as no exec grants what is not permitted already.
    if before.effective.contains(CapabilitySet::SETPCAP) {
        for bit in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << bit);
            if keep.contains(one) {
                continue;
            }
            match capability_is_in_bounding_set(one) {
                Ok(true) => remove_capability_from_bounding_set(one)?,
                Ok(false) => {}
                // Beyond the last one that this kernel knows.
                Err(Errno::INVAL) => break,
                Err(other) => return Err(other),
            }
        }
    }
    clear_ambient_capability_set()?;
    let kept = before.permitted & keep;
    let wanted =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, wanted)?;
    let after = capabilities(None)?;
    if after.permitted != kept || after.effective != kept || !after.inheritable.is_empty() {
        return Err(Errno::PERM);
    }
    Ok(())
}

/// Does something (starts a program) while this thread hands a capability down to what it starts,
/// where it has them itself and is not root.
pub(crate) fn handing_down<T>(
    capability: CapabilitySet,
    work: impl FnOnce() -> std::io::Result<T>,
) -> std::io::Result<T> {
    let sets = capabilities(None)?;
    // Of root's programs the kernel grants what is left in the bounding set.
    let hands = sets.permitted.contains(capability) && !rustix::process::geteuid().is_root();
    if !hands {
        return work();
    }
    set_capabilities(None, CapabilitySets { inheritable: capability, ..sets })?;
    configure_capability_in_ambient_set(capability, true)?;
    let done = work();
    clear_ambient_capability_set()?;
    set_capabilities(None, sets)?;
    done
}

/// Whether this process has all of `wanted`.
pub(crate) fn has(wanted: CapabilitySet) -> bool {
    capabilities(None).is_ok_and(|sets| sets.permitted.contains(wanted))
}

/// Joins `group` where it exists, so that files can be given to it when no capability is left.
pub(crate) fn join_group(group: &str) -> Result<(), Failed> {
    let Some(gid) = group_id(group) else { return Ok(()) };
    let mut groups = rustix::process::getgroups()
        .map_err(|e| Failed::new(format!("can't read the groups of this process: {e}")))?;
    let gid = rustix::process::Gid::from_raw(gid);
    if groups.contains(&gid) || !has(CapabilitySet::SETGID) {
        return Ok(());
    }
    groups.push(gid);
    rustix::thread::set_thread_groups(&groups)
        .map_err(|e| Failed::new(format!("can't join group {group}: {e}")))
}

/// A group's number, from /etc/group.
fn group_id(name: &str) -> Option<u32> {
    numbered(&std::fs::read_to_string("/etc/group").ok()?, name)
}

/// A user's number, from /etc/passwd.
pub(crate) fn user_id(name: &str) -> Option<u32> {
    numbered(&std::fs::read_to_string("/etc/passwd").ok()?, name)
}

/// The third field of the line whose first is `name`.
fn numbered(table: &str, name: &str) -> Option<u32> {
    let mut lines = table.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        (fields.next() == Some(name) && !name.is_empty()).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line `name` of this thread's status, as a number.
    fn set(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
    }

    #[test]
    fn what_was_not_kept_is_in_no_set() {
        // Capabilities are a thread's; this one ends with the test.
        std::thread::spawn(|| {
            let before = set("CapPrm");
            lower(ATTACH).unwrap();
            let kept = before & ATTACH.bits();
            assert_eq!([set("CapPrm"), set("CapEff")], [kept, kept]);
            assert_eq!([set("CapInh"), set("CapAmb"), set("NoNewPrivs")], [0, 0, 1]);
            if before & CapabilitySet::SETPCAP.bits() != 0 {
                assert_eq!(set("CapBnd") & !ATTACH.bits(), 0);
                lower(CapabilitySet::empty()).unwrap();
                assert_eq!([set("CapPrm"), set("CapEff"), set("CapAmb")], [0, 0, 0]);
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_name_is_found_whole_and_not_in_part() {
        let table = "root:x:0:\nghost:x:7:\nghostbridge:x:107:ada\nodd\n";
        assert_eq!(numbered(table, "ghostbridge"), Some(107));
        assert_eq!(numbered(table, "bridge"), None);
        assert_eq!(numbered(table, "odd"), None);
        assert_eq!(numbered(table, ""), None);
    }
}
