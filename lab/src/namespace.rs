//! A network namespace with a name of its own: a host, or the inside of a switch.

use crate::{LabError, Process, command, counters::Counters, leftovers};
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};
use std::time::Duration;

/// A network namespace. Dropping it ends every process in it and removes it with its interfaces.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, with `lo` up. `purpose` is for whoever reads `ip netns`.
    ///
    /// # Errors
    ///
    /// When it can't be made; see [`missing_needs`](crate::missing_needs).
    pub fn new(purpose: &str) -> Result<Namespace, LabError> {
        static CLEAN: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        CLEAN.call_once(|| {
            leftovers::remove_leftovers();
        });
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{number}-{purpose}", leftovers::own_prefix());
        // The first `ip netns add` of a machine sets up a mount, and two at once may collide.
        let made = command::run(None, &["ip", "netns", "add", &name]);
        if made.is_err() {
            std::thread::sleep(Duration::from_millis(50));
            command::run(None, &["ip", "netns", "add", &name])?;
        }
        let namespace = Namespace { name };
        namespace.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name under /run/netns.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program in it to the end; its standard output, when it ended well.
    ///
    /// # Errors
    ///
    /// [`LabError::Failed`] with everything the program said.
    pub fn run(&self, argv: &[&str]) -> Result<String, LabError> {
        command::run(Some(&self.name), argv)
    }

    /// Starts a program in it, beside the test.
    ///
    /// # Errors
    ///
    /// When it can't be started.
    pub fn spawn(&self, argv: &[&str]) -> Result<Process, LabError> {
        Process::start(self, argv, &[])
    }

    /// Runs `work` on a thread that stands in this namespace: sockets it opens, and threads it
    /// starts, are of this namespace for good.
    ///
    /// # Errors
    ///
    /// When the thread can't enter, or panicked.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let target = File::open(self.path()).map_err(LabError::io(self.path()))?;
        let done = std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    let network = Some(rustix::thread::LinkNameSpaceType::Network);
                    rustix::thread::move_into_link_name_space(target.as_fd(), network)?;
                    Ok::<T, rustix::io::Errno>(work())
                })
                .join()
        });
        match done {
            Ok(entered) => entered
                .map_err(|err| LabError::io(format!("enter namespace {}", self.name))(err.into())),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Gives an interface an address (`10.0.0.1/24`, `fd00::1/64`); an IPv6 one is usable at once.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn address(&self, interface: &str, address: &str) -> Result<(), LabError> {
        let mut argv = vec!["ip", "addr", "add", address, "dev", interface];
        if address.contains(':') {
            argv.push("nodad");
        }
        self.run(&argv).map(drop)
    }

    /// Sets an interface's MTU.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn mtu(&self, interface: &str, mtu: u32) -> Result<(), LabError> {
        self.run(&["ip", "link", "set", interface, "mtu", &mtu.to_string()]).map(drop)
    }

    /// Sets a kernel setting of this namespace, by its path below /proc/sys (`net/ipv4/ip_forward`).
    ///
    /// # Errors
    ///
    /// When the kernel has no such setting, or refuses the value.
    pub fn sysctl(&self, path: &str, value: &str) -> Result<(), LabError> {
        let path = format!("/proc/sys/{path}");
        self.within(|| std::fs::write(&path, value))?.map_err(LabError::io(path.clone()))
    }

    /// The kernel's number of an interface here.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn ifindex(&self, interface: &str) -> Result<u32, LabError> {
        let what = format!("interface {interface} in {}", self.name);
        self.within(|| crate::sys::ifindex(interface))?.map_err(LabError::io(what))
    }

    /// The Ethernet address of an interface here.
    ///
    /// # Errors
    ///
    /// When there is no such interface, or it has none.
    pub fn mac(&self, interface: &str) -> Result<[u8; 6], LabError> {
        let said = self.run(&["ip", "-o", "link", "show", "dev", interface])?;
        let mut words = said.split_ascii_whitespace().skip_while(|word| *word != "link/ether");
        let octets = words.nth(1).unwrap_or_default().split(':');
        let octets: Vec<u8> =
            octets.map_while(|octet| u8::from_str_radix(octet, 16).ok()).collect();
        octets.try_into().map_err(|_| LabError::Wrong(format!("no address of {interface}: {said}")))
    }

    /// The counters of an interface here.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn counters(&self, interface: &str) -> Result<Counters, LabError> {
        let table = self
            .within(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?
            .map_err(LabError::io("/proc/thread-self/net/dev"))?;
        Counters::find(&table, interface)
            .ok_or_else(|| LabError::Wrong(format!("no interface {interface} in {}", self.name)))
    }

    fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Ends what runs in a namespace and removes it.
pub(crate) fn remove(name: &str) {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
        let inside = processes(name);
        for pid in &inside {
            let _ = rustix::process::kill_process(*pid, signal);
        }
        if inside.is_empty() {
            break;
        }
        let _ = crate::until("their end", Duration::from_secs(2), || processes(name).is_empty());
    }
    let _ = command::run(None, &["ip", "netns", "del", name]);
}

/// The processes that stand in a namespace; never this one.
fn processes(name: &str) -> Vec<rustix::process::Pid> {
    let own = rustix::process::getpid();
    command::run(None, &["ip", "netns", "pids", name])
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?))
        .filter(|pid| *pid != own)
        .collect()
}

/// Whether namespaces can be made on this machine; tried once.
pub(crate) fn usable() -> Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    TRIED.get_or_init(|| Namespace::new("try").map(drop).map_err(|err| err.to_string())).clone()
}
