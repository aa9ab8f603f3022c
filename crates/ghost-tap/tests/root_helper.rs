//! The helper as a process of its own: what it may do, what it needs, how it ends.

#![expect(clippy::disallowed_methods, reason = "starts the helper as a child")]

mod rig;

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ghost_lab::{Frame, send_frames, skipped, until};
use ghost_tap::live::{Direction, Helper, Tap, TapError, serve, traces};
use rig::{Rig, pair, read_all, sizes};

const CAP_BPF: &str = "cap_39";
const CAP_PERFMON: &str = "cap_38";
const AS_HELPER: &str = "GHOST_TAP_TEST_HELPER";

/// Not a test: what the child runs. Its socket is its standard input.
#[test]
fn helper_process() {
    if std::env::var_os(AS_HELPER).is_some() {
        let socket: OwnedFd = rustix::io::dup(std::io::stdin()).unwrap();
        serve(socket).unwrap();
    }
}

/// This test program as a helper with these capabilities and no other, in the switch's namespace.
fn start(rig: &Rig, capabilities: &[&str]) -> (OwnedFd, Child) {
    let (ours, theirs) = pair();
    let bounds = capabilities.iter().fold("-all".to_owned(), |all, one| format!("{all},+{one}"));
    let child = rig
        .switch
        .within(|| {
            Command::new("setpriv")
                .args(["--bounding-set", &bounds, "--inh-caps=-all", "--no-new-privs"])
                .arg(std::env::current_exe().unwrap())
                .args(["--exact", "helper_process", "--nocapture"])
                .env(AS_HELPER, "1")
                .stdin(Stdio::from(theirs))
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .unwrap();
    (ours, child)
}

fn sees_one_frame(rig: &Rig, tap: &mut Tap) {
    read_all(tap);
    let frame = Frame::new([0xff; 6], [2, 0, 0, 0, 0, 1]);
    let frame = frame.udp4(([10, 77, 0, 1], 40_000), ([10, 77, 0, 255], 40_001), &[1; 40]);
    send_frames(&rig.left, "e0", &[frame]).unwrap();
    assert_eq!(read_all(tap).len(), 1);
}

#[test]
fn root_a_helper_with_three_capabilities_loads_attaches_and_detaches() {
    if skipped(&["setpriv"]) {
        return;
    }
    let rig = Rig::bridged();
    let (socket, mut child) = start(&rig, &[CAP_BPF, CAP_PERFMON, "net_admin"]);
    let mut helper = Helper::connect(socket).unwrap();
    let mut tap = helper.open_ghost(sizes()).unwrap();
    helper.attach(rig.port("p0"), Direction::Ingress).unwrap();
    sees_one_frame(&rig, &mut tap);
    helper.detach(rig.port("p0"), Direction::Ingress).unwrap();
    helper.attach(rig.port("p0"), Direction::Ingress).unwrap();
    drop(helper);
    assert!(child.wait().unwrap().success(), "it ends when the engine hangs up");
    assert_eq!(rig.switch.within(traces).unwrap().unwrap(), []);
    // The rings live on as long as they are read.
    assert_eq!(read_all(&mut tap).len(), 0);
}

#[test]
fn root_a_helper_without_a_capability_says_which_and_lives_on() {
    if skipped(&["setpriv"]) {
        return;
    }
    let rig = Rig::bridged();
    for capabilities in [
        &[CAP_BPF, "net_admin"][..],
        &[CAP_PERFMON, "net_admin"],
        &[CAP_BPF, CAP_PERFMON],
        &["chown"],
    ] {
        let (socket, mut child) = start(&rig, capabilities);
        let mut helper = Helper::connect(socket).unwrap();
        for _ in 0..2 {
            let error = helper.open_ghost(sizes()).unwrap_err();
            assert!(matches!(error, TapError::NotPermitted { .. }), "{capabilities:?}: {error:?}");
            assert!(error.to_string().contains("CAP_BPF"), "{error}");
        }
        drop(helper);
        child.wait().unwrap();
    }
}

#[test]
fn root_when_the_helper_is_killed_its_links_go_and_the_engine_is_told() {
    if skipped(&["setpriv"]) {
        return;
    }
    let rig = Rig::bridged();
    let (socket, mut child) = start(&rig, &[CAP_BPF, CAP_PERFMON, "net_admin"]);
    let mut helper = Helper::connect(socket).unwrap();
    let mut tap = helper.open_ghost(sizes()).unwrap();
    helper.attach(rig.port("p0"), Direction::Ingress).unwrap();
    sees_one_frame(&rig, &mut tap);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(helper.attach(rig.port("p1"), Direction::Ingress), Err(TapError::HelperGone)));
    let left = || rig.switch.within(traces).unwrap().unwrap();
    until("its links to go", Duration::from_secs(5), || left().is_empty()).unwrap();
    assert!(rig.ping(), "the bridge goes on");
}

#[test]
fn a_helper_that_is_asked_nonsense_says_so_and_goes_on_and_one_left_alone_ends() {
    use rustix::net::{RecvFlags, SendFlags, recv, send};
    let (ours, theirs) = pair();
    let served = std::thread::spawn(move || serve(theirs));
    for nonsense in [&[0u8; 1][..], &[0xff; 36], &[7; 4000]] {
        send(&ours, nonsense, SendFlags::empty()).unwrap();
        let mut answer = [0u8; 2000];
        let (_, bytes) = recv(&ours, &mut answer, RecvFlags::empty()).unwrap();
        assert!(bytes >= 44);
    }
    let mut helper = Helper::connect(ours).unwrap();
    assert!(matches!(helper.attach(1, Direction::Ingress), Err(TapError::WrongOrder)));
    assert!(matches!(
        helper.open_ghost(ghost_tap::live::RingSizes { ring_bytes: 1, ..sizes() }),
        Err(TapError::RingSizes)
    ));
    drop(helper);
    served.join().unwrap().unwrap();
}
