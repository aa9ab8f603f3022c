//! Open vSwitch of one's own: database and switch in private folders, in a namespace, with the
//! userspace datapath, so that neither a kernel module nor the host's own switch is touched.

use crate::{LabError, Namespace, Process, command, leftovers, until};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
const PATIENCE: Duration = Duration::from_secs(20);

/// What [`missing_needs`](crate::missing_needs) must find for it.
pub const OVS_TOOLS: &[&str] = &["ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl"];

/// A running Open vSwitch. Its processes end and its folder goes when dropped; keep it no longer
/// than its namespace.
#[derive(Debug)]
pub struct Ovs {
    folder: PathBuf,
    namespace: String,
    switch: Option<Process>,
    database: Option<Process>,
}

impl Ovs {
    /// Starts one in a namespace.
    ///
    /// # Errors
    ///
    /// When a tool is missing or a daemon does not come up; what it said is in the error.
    pub fn start(namespace: &Namespace) -> Result<Ovs, LabError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = leftovers::folder("ovs", COUNT.fetch_add(1, Ordering::Relaxed));
        std::fs::create_dir_all(&folder).map_err(LabError::io(folder.display().to_string()))?;
        let mut ovs =
            Ovs { folder, namespace: namespace.name().to_owned(), switch: None, database: None };
        let database = ovs.file("conf.db");
        command::run(None, &["ovsdb-tool", "create", &database, SCHEMA])?;
        ovs.resume(namespace)?;
        Ok(ovs)
    }

    /// The database's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("db.sock")
    }

    /// Runs `ovs-vsctl` with these words and waits until the switch has done it.
    ///
    /// # Errors
    ///
    /// What it says.
    pub fn vsctl(&self, words: &[&str]) -> Result<String, LabError> {
        let database = format!("--db=unix:{}", self.socket().display());
        let argv: Vec<&str> = ["ovs-vsctl", &database, "--timeout=20"]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        command::run(Some(&self.namespace), &argv)
    }

    /// Makes a bridge (userspace datapath) of interfaces that exist, its LOCAL port up.
    ///
    /// # Errors
    ///
    /// What `ovs-vsctl` says.
    pub fn bridge(&self, name: &str, ports: &[&str]) -> Result<(), LabError> {
        let mut words =
            vec!["--", "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev"];
        for port in ports {
            words.extend(["--", "add-port", name, port]);
        }
        self.vsctl(&words)?;
        command::run(Some(&self.namespace), &["ip", "link", "set", name, "up"]).map(drop)
    }

    /// Ends the database alone. The switch keeps what it knew; its userspace datapath forwards
    /// nothing until the database is there again.
    pub fn stop_database(&mut self) {
        if let Some(mut database) = self.database.take() {
            database.stop(Duration::from_secs(5));
        }
        let _ = std::fs::remove_file(self.socket());
    }

    /// Starts the database, as it was.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub fn start_database(&mut self, namespace: &Namespace) -> Result<(), LabError> {
        let (database, remote) =
            (self.file("conf.db"), format!("--remote=punix:{}", self.file("db.sock")));
        let control = format!("--unixctl={}", self.file("db.ctl"));
        let argv = ["ovsdb-server", &database, &remote, &control];
        let mut server = Process::start(namespace, &argv, &self.variables())?;
        answers(&mut server, &self.socket())?;
        self.database = Some(server);
        Ok(())
    }

    /// Ends the database and the switch, as a service stop does; bridges come back with
    /// [`resume`](Ovs::resume).
    pub fn pause(&mut self) {
        if let Some(mut switch) = self.switch.take() {
            switch.stop(Duration::from_secs(5));
        }
        self.stop_database();
    }

    /// Starts what [`pause`](Ovs::pause) ended, on the same database.
    ///
    /// # Errors
    ///
    /// When a daemon does not come up.
    pub fn resume(&mut self, namespace: &Namespace) -> Result<(), LabError> {
        self.start_database(namespace)?;
        self.vsctl(&["--no-wait", "init"])?;
        let (remote, control) = (
            format!("unix:{}", self.file("db.sock")),
            format!("--unixctl={}", self.file("sw.ctl")),
        );
        let argv = ["ovs-vswitchd", &remote, &control];
        let mut switch = Process::start(namespace, &argv, &self.variables())?;
        // Comes back when the switch has taken up the configuration.
        let up = self.vsctl(&["set", "Open_vSwitch", ".", "external_ids:lab=up"]);
        let told = switch.output();
        self.switch = Some(switch);
        up.map(drop).map_err(|err| LabError::Wrong(format!("{err}\novs-vswitchd said:\n{told}")))
    }

    /// Where its programs keep their files.
    fn variables(&self) -> Vec<(&'static str, OsString)> {
        let folder = self.folder.as_os_str();
        ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"]
            .map(|name| (name, folder.to_owned()))
            .to_vec()
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

fn answers(server: &mut Process, socket: &Path) -> Result<(), LabError> {
    let waited = until("its socket", PATIENCE, || {
        !server.runs() || std::os::unix::net::UnixStream::connect(socket).is_ok()
    });
    if waited.is_ok() && server.runs() {
        return Ok(());
    }
    let detail = format!(" of ovsdb-server; it said:\n{}", server.output());
    Err(LabError::Late { what: socket.display().to_string(), limit: PATIENCE, detail })
}

impl Drop for Ovs {
    fn drop(&mut self) {
        self.pause();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
