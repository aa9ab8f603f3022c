//! The demo's own small network: an office host, a server host, and the bridge between them.
//!
//! Three namespaces and two cables; nothing of the machine's own network is touched, and all of it
//! is gone when the value is dropped.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ghost_lab::{LabError, Namespace, Process, link_pair, linux_bridge, missing_needs, until};

use crate::sh::{self, Outcome};

/// Programs that talk through the bridge.
const TOOLS: &[&str] =
    &["python3", "curl", "dnsmasq", "dig", "sshd", "ssh", "ssh-keygen", "nmap", "ping"];

/// Why there can be no live bridge here; `None` where there can.
pub(super) fn missing() -> Option<String> {
    missing_needs(TOOLS)
}

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Network {
    pub(super) office: Namespace,
    pub(super) bridge: Namespace,
    pub(super) server: Namespace,
}

/// Programs of the server; dropped, they end.
pub(super) struct Services {
    _running: Vec<Process>,
}

fn told(error: LabError) -> String {
    error.to_string()
}

impl Network {
    pub(super) fn make() -> Outcome<Network> {
        let made = || -> Result<Network, LabError> {
            let network = Network {
                office: Namespace::new("office")?,
                bridge: Namespace::new("bridge")?,
                server: Namespace::new("server")?,
            };
            link_pair(&network.office, "eth0", &network.bridge, "port1")?;
            link_pair(&network.server, "eth0", &network.bridge, "port2")?;
            linux_bridge(&network.bridge, "br0", &["port1", "port2"])?;
            network.office.address("eth0", "10.77.0.1/24")?;
            network.server.address("eth0", "10.77.0.2/24")?;
            // A street of houses behind the server, for the sweep: it answers for all of them.
            let houses = "10.77.1.0/24";
            network.server.run(&["ip", "route", "add", "local", houses, "dev", "lo"])?;
            network.office.run(&["ip", "route", "add", houses, "via", "10.77.0.2"])?;
            Ok(network)
        };
        let network = made().map_err(told)?;
        network.office("ping", &["-c1", "-W5", "10.77.0.2"])?;
        Ok(network)
    }

    /// Starts what the server serves: web pages, names, remote logins.
    pub(super) fn serve(&self, folder: &Path) -> Outcome<Services> {
        let text = |path: &Path| path.display().to_string();
        let pages = folder.join("pages");
        std::fs::create_dir_all(&pages).map_err(|e| format!("{}: {e}", pages.display()))?;
        sh::write(&pages.join("index.html"), "<h1>It is a bridge, and it remembers.</h1>\n")?;
        sh::write(&pages.join("big"), vec![7; 32 << 20])?;
        let key = folder.join("host_key");
        let mut keygen = sh::command("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
        sh::output(&mut keygen)?;
        // Where the SSH server keeps its unprivileged half; systemd makes it elsewhere.
        std::fs::create_dir_all("/run/sshd").map_err(|e| format!("/run/sshd: {e}"))?;
        let start = |argv: &[&str]| self.server.spawn(argv).map_err(told);
        let running = vec![
            start(&["python3", "-m", "http.server", "80", "--directory", &text(&pages)])?,
            start(&[
                "dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--pid-file=",
                "--user=root",
                "--no-resolv",
                "--no-hosts",
                "--listen-address=10.77.0.2",
                "--bind-interfaces",
                "--address=/example.org/10.77.0.2",
            ])?,
            start(&[
                &sshd(),
                "-D",
                "-e",
                "-f/dev/null",
                "-h",
                &text(&key),
                "-oPidFile=none",
                "-oUsePAM=no",
                "-oPasswordAuthentication=no",
                "-oKbdInteractiveAuthentication=no",
                "-oMaxStartups=100",
            ])?,
        ];
        for port in [80, 53, 22] {
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)), port);
            let answers = || {
                let patience = Duration::from_secs(1);
                std::net::TcpStream::connect_timeout(&address, patience).is_ok()
            };
            // From the server itself: the bridge has seen nothing of it.
            let open = self.server.within(|| until("the server's programs", PATIENCE, answers));
            open.map_err(told)?.map_err(told)?;
        }
        Ok(Services { _running: running })
    }

    /// Runs a program on the office host, shown as it is typed there; a bad end is an error.
    pub(super) fn office(&self, program: &str, words: &[&str]) -> Outcome<String> {
        self.office.run(&[&[program], words].concat()).map_err(told)
    }

    /// The same where a bad end is what is expected: a refused login, an open door not found.
    pub(super) fn office_tries(&self, program: &str, words: &[&str]) {
        drop(self.office(program, words));
    }
}

/// The SSH server wants to be called by its whole name.
fn sshd() -> String {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin"];
    let paths = folders.iter().map(|folder| format!("{folder}/sshd"));
    paths.into_iter().find(|path| Path::new(path).is_file()).unwrap_or("/usr/sbin/sshd".to_owned())
}
