//! The helper on a real btrfs, with an engine that is nobody: which of the two may do what.
//!
//! Both ends are this test program, started again as children with other rights by `setpriv`.

mod block;

use std::fs;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use block::{House, OPTIONS, check_block};
use ghost_block::helper::{ReceivesNothing, RemoteVolume, serve};
use ghost_block::{
    BlockError, BlockName, Made, Sealer, SendOptions, Volume, VolumeKind, make_subvolumes,
    open_volume,
};
use ghost_lab::LoopFs;
use ghost_log::Layout;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// Nobody in particular.
const UID: &str = "65534";

fn pair() -> (OwnedFd, OwnedFd) {
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    socketpair(AddressFamily::UNIX, kind, flags, None).unwrap()
}

/// Starts this program's test `name` as [`UID`] with these capabilities (`-all,+sys_admin`).
#[expect(clippy::disallowed_methods, reason = "another process is what is tested")]
fn start(name: &str, capabilities: &str, data: &Path, socket: Option<OwnedFd>) -> Child {
    // A copy where everybody may look.
    let program = data.with_file_name("program");
    if !program.exists() {
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", UID, "--regid", UID, "--clear-groups"])
        .args(["--inh-caps", capabilities, "--ambient-caps", capabilities])
        .arg(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("GHOST_HELPER_DATA", data)
        .stdin(socket.map_or_else(Stdio::null, Stdio::from))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .process_group(0);
    command.spawn().unwrap()
}

fn data() -> Option<std::path::PathBuf> {
    std::env::var_os("GHOST_HELPER_DATA").map(Into::into)
}

fn stdin() -> OwnedFd {
    std::io::stdin().as_fd().try_clone_to_owned().unwrap()
}

/// Ended well; what it said.
fn ended(mut child: Child) -> String {
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("1 passed"), "the child ran nothing: {said}");
    said
}

/// A btrfs that allows what usual mounts do, whose data folder belongs to nobody in particular.
fn volume() -> (LoopFs, std::path::PathBuf) {
    let fs = LoopFs::btrfs(0, OPTIONS).unwrap();
    let data = fs.path().join("data");
    fs::create_dir(&data).unwrap();
    let id = UID.parse().ok();
    for path in [fs.path(), &data] {
        std::os::unix::fs::chown(path, id, id).unwrap();
    }
    (fs, data)
}

/// Not a test: the helper.
#[test]
fn the_helper_itself() {
    if let Some(data) = data() {
        serve(stdin(), &data, &ReceivesNothing).unwrap();
    }
}

/// Not a test: an engine without any capability, with a helper on its standard input.
#[test]
fn an_engine_with_a_helper() {
    let Some(data) = data() else { return };
    let remote = RemoteVolume::connect(stdin(), &data).unwrap();
    let mut house = House::open(&data, 32 << 10);
    let layout = Layout::new(&data);
    (house.sealer, _) = Sealer::open(block::disk(), Box::new(remote), layout).unwrap();
    for _ in 0..5 {
        house.events(200);
        let block = house.seal().unwrap().unwrap();
        check_block(&house, &block);
        let tended = house.tend(u64::MAX).unwrap();
        assert!(tended.usage.exact, "the helper looks at compression");
        assert!(tended.deleted.is_some(), "one was there before");
        assert_eq!(house.names(), [block.name.to_string()]);
    }
    let block = *house.sealer.blocks().last().unwrap();
    let out = fs::File::create(data.join("stream")).unwrap();
    let options = SendOptions { compressed: true };
    house.sealer.volume().send(&block.name, None, out.as_fd(), options).unwrap();
    assert!(out.metadata().unwrap().len() > 1000);
    let none = BlockName { number: 99, root: [1; 6] };
    let error = house.sealer.volume().delete(&none.to_string()).unwrap_err();
    assert!(matches!(error, BlockError::NoSuchBlock { .. }), "{error}");
}

/// Not a test: an engine without any capability, and without a helper.
#[test]
fn an_engine_on_its_own() {
    let Some(data) = data() else { return };
    assert_eq!(make_subvolumes(&data).unwrap(), Made::Subvolume);
    assert_eq!(open_volume(&data).kind(), VolumeKind::Btrfs);
    let mut house = House::open(&data, 32 << 10);
    for n in 1..=5u64 {
        house.events(200);
        let block = house.seal().unwrap().unwrap();
        check_block(&house, &block);
        let tended = house.tend(u64::MAX).unwrap();
        assert!(!tended.usage.exact && tended.usage.log_bytes > 0);
        assert_eq!(tended.deleted.is_some(), n > 1);
        assert_eq!(house.names(), [block.name.to_string()]);
    }
    let block = *house.sealer.blocks().last().unwrap();
    let out = fs::File::create(data.join("stream")).unwrap();
    let options = SendOptions { compressed: false };
    let error = house.sealer.volume().send(&block.name, None, out.as_fd(), options).unwrap_err();
    assert!(matches!(error, BlockError::NotPermitted { .. }), "{error}");
}

#[test]
fn loop_an_engine_that_is_nobody_makes_subvolumes_seals_and_deletes_on_its_own() {
    if LoopFs::skipped(&["setpriv"]) {
        return;
    }
    let (_fs, data) = volume();
    ended(start("an_engine_on_its_own", "-all", &data, None));
}

#[test]
fn loop_one_capability_is_what_the_helper_needs_and_the_engine_needs_none() {
    if LoopFs::skipped(&["setpriv"]) {
        return;
    }
    let (_fs, data) = volume();
    ended(start("an_engine_on_its_own", "-all", &data, None));
    let (theirs, ours) = pair();
    let helper = start("the_helper_itself", "-all,+sys_admin", &data, Some(theirs));
    let engine = start("an_engine_with_a_helper", "-all", &data, Some(ours));
    // The engine numbers its events anew; the log goes on.
    ended(engine);
    ended(helper);
}

#[test]
fn loop_a_helper_that_goes_is_gone_without() {
    if LoopFs::skipped(&[]) {
        return;
    }
    let (_fs, data) = volume();
    make_subvolumes(&data).unwrap();
    let (theirs, ours) = pair();
    let serving = {
        let data = data.clone();
        std::thread::spawn(move || serve(theirs, &data, &ReceivesNothing))
    };
    let mut remote = RemoteVolume::connect(ours.try_clone().unwrap(), &data).unwrap();
    let name = |number| BlockName { number, root: [7; 6] };
    for number in 1..=3 {
        remote.freeze(&name(number)).unwrap();
    }
    remote.delete(&name(1).to_string()).unwrap();
    assert!(remote.is_connected() && remote.usage().unwrap().exact);
    rustix::net::shutdown(&ours, rustix::net::Shutdown::Write).unwrap();
    serving.join().unwrap().unwrap();
    remote.delete(&name(2).to_string()).unwrap();
    assert!(!remote.is_connected());
    assert_eq!(remote.names().unwrap().len(), 1);
    remote.usage().unwrap();
    let out = fs::File::create(data.join("stream")).unwrap();
    let error = remote.send(&name(3), None, out.as_fd(), SendOptions { compressed: false });
    assert!(matches!(error, Err(BlockError::HelperGone)), "{error:?}");
}

#[test]
fn loop_what_is_no_request_is_refused_and_the_next_one_served() {
    use rustix::net::{RecvFlags, SendFlags, recv, send};
    if LoopFs::skipped(&[]) {
        return;
    }
    let (_fs, data) = volume();
    make_subvolumes(&data).unwrap();
    let (theirs, ours) = pair();
    let serving = {
        let data = data.clone();
        std::thread::spawn(move || serve(theirs, &data, &ReceivesNothing))
    };
    let mut answer = [0; 1024];
    for bytes in [&b"x"[..], &[0; 48], &[0xff; 4096], b"../../../etc/passwd"] {
        send(&ours, bytes, SendFlags::NOSIGNAL).unwrap();
        let (n, _) = recv(&ours, &mut answer, RecvFlags::empty()).unwrap();
        let said = String::from_utf8_lossy(&answer[..n]);
        assert!(said.contains("none of its messages"), "{said}");
    }
    let remote = RemoteVolume::connect(ours, &data).unwrap();
    drop(remote);
    serving.join().unwrap().unwrap();
}
