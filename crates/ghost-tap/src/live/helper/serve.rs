//! The helper's end: one engine, one tap.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::super::accounts::{Accounts, PORTS_MAX, Port};
use super::super::rings::{Layout, Maps};
use super::super::{Direction, RingSizes, TapError, open_socket, sys};
use super::load;
use super::message::{Answer, Request, Unreadable, VERSION};
use super::pins::Pins;
use super::raise;
use super::socket;

/// The kernel that brought tcx.
const KERNEL_MIN: (u32, u32) = (6, 6);

/// Serves one engine on a connected SOCK_SEQPACKET socket until it hangs up; then everything that
/// is not pinned is gone. Needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, for inline CAP_NET_RAW too.
pub fn serve(socket: OwnedFd) -> Result<(), TapError> {
    let mut session = Session::default();
    loop {
        let received = socket::receive(&socket)
            .map_err(|error| TapError::of("read what the engine asks", error))?;
        // Descriptors that come with a request are none of ours, and closed.
        let Some((bytes, _)) = received else { return Ok(()) };
        let reply = match Request::parse(&bytes) {
            Ok(request) => session.answer(request),
            Err(Unreadable::Version(theirs)) => {
                Err(TapError::OtherVersion { ours: VERSION, theirs })
            }
            Err(Unreadable::Length | Unreadable::Magic | Unreadable::Verb) => {
                Err(TapError::Malformed { what: "no request of ours" })
            }
        };
        let (answer, descriptors) = match reply {
            Ok(reply) => reply,
            Err(error) => (Answer::Failed(error), Vec::new()),
        };
        let beside: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        match socket::send(&socket, &answer.bytes(), &beside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(TapError::of("answer the engine", error)),
        }
    }
}

type Reply = Result<(Answer, Vec<OwnedFd>), TapError>;

#[derive(Default)]
enum Session {
    #[default]
    Nothing,
    Ghost(Ghost),
    /// Links and maps are in the folder; the lock is what is held.
    Wire(Pins),
}

struct Ghost {
    ingress: OwnedFd,
    egress: OwnedFd,
    ports: OwnedFd,
    accounts: Accounts,
    links: BTreeMap<Port, OwnedFd>,
}

impl Session {
    fn answer(&mut self, request: Request) -> Reply {
        match request {
            Request::Hello => check_kernel()?,
            Request::OpenGhost(sizes) => return self.open_ghost(sizes),
            Request::OpenFast { a, b, sizes } => return self.open_fast(a, b, sizes),
            Request::OpenInline { a, b } => return self.open_inline(a, b),
            Request::Attach { ifindex, direction } => self.ghost()?.attach(ifindex, direction)?,
            Request::Detach { ifindex, direction } => self.ghost()?.detach(ifindex, direction)?,
            Request::DetachAll => self.detach_all()?,
            Request::RaiseMirror { ifindex } => raise::mirror(ifindex)?,
        }
        Ok((Answer::Done, Vec::new()))
    }

    fn ghost(&mut self) -> Result<&mut Ghost, TapError> {
        match self {
            Self::Ghost(ghost) => Ok(ghost),
            Self::Nothing | Self::Wire(_) => Err(TapError::WrongOrder),
        }
    }

    fn check_unused(&self) -> Result<(), TapError> {
        if matches!(self, Self::Nothing) { Ok(()) } else { Err(TapError::WrongOrder) }
    }

    fn open_ghost(&mut self, sizes: RingSizes) -> Reply {
        self.check_unused()?;
        let mut loaded = load::tap(sizes, (0, 0))?;
        let maps = loaded.maps()?;
        *self = Self::Ghost(Ghost {
            ingress: loaded.program("ghost_ingress")?,
            egress: loaded.program("ghost_egress")?,
            ports: loaded.map("ghost_ports")?,
            accounts: accounts(&maps)?,
            links: BTreeMap::new(),
        });
        Ok(rings(maps, loaded.layout, false))
    }

    fn open_fast(&mut self, a: u32, b: u32, sizes: RingSizes) -> Reply {
        self.check_unused()?;
        check_ports(a, b)?;
        let pins = Pins::open("fast", a, b)?;
        let there = adopt(&pins, a, b);
        let adopted = there.is_some();
        let (maps, layout) = match there {
            Some(there) => there,
            None => made_or_removed(
                pins_for_new_wire(&pins, a, b, || new_fast(&pins, a, b, sizes)),
                &pins,
            )?,
        };
        *self = Self::Wire(pins);
        Ok(rings(maps, layout, adopted))
    }

    fn open_inline(&mut self, a: u32, b: u32) -> Reply {
        self.check_unused()?;
        check_ports(a, b)?;
        let pins = Pins::open("inline", a, b)?;
        let adopted = match (pins.get("beat"), live_links(&pins, a, b)) {
            (Some(beat), true) => Some(beat),
            _ => None,
        };
        let beat = match adopted {
            Some(beat) => beat,
            None => made_or_removed(
                pins_for_new_wire(&pins, a, b, || {
                    let (program, beat) = load::fail_open((a.min(b), a.max(b)))?;
                    pins.put("beat", beat.as_fd())?;
                    attach_wire(&pins, program.as_fd(), a, b)?;
                    Ok(beat)
                }),
                &pins,
            )?,
        };
        let open = || open_socket().map_err(|error| TapError::of("open a packet socket", error));
        let descriptors = vec![open()?, open()?, beat];
        *self = Self::Wire(pins);
        Ok((Answer::Sockets, descriptors))
    }

    fn detach_all(&mut self) -> Result<(), TapError> {
        match std::mem::take(self) {
            Self::Nothing | Self::Ghost(_) => Ok(()),
            Self::Wire(pins) => pins.remove(),
        }
    }
}

impl Ghost {
    fn attach(&mut self, ifindex: u32, direction: Direction) -> Result<(), TapError> {
        let port = Port::new(ifindex, direction);
        if let Some(link) = self.links.get(&port) {
            // An interface that went and came back under its old index has no link any more.
            if sys::link_info(link.as_fd()).is_ok_and(|info| info.ifindex == ifindex) {
                return Err(TapError::AlreadyAttached { ifindex, direction });
            }
            self.links.remove(&port);
        }
        enter(&self.accounts, self.ports.as_fd(), port)?;
        let program = match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        };
        match link(program.as_fd(), ifindex, direction) {
            Ok(link) => {
                self.links.insert(port, link);
                Ok(())
            }
            Err(error) => {
                self.forget(port);
                Err(error)
            }
        }
    }

    fn detach(&mut self, ifindex: u32, direction: Direction) -> Result<(), TapError> {
        let port = Port::new(ifindex, direction);
        self.links.remove(&port).ok_or(TapError::NotAttached { ifindex, direction })?;
        self.forget(port);
        Ok(())
    }

    fn forget(&self, port: Port) {
        self.accounts.leave(port);
        // Not there: then it is forgotten.
        drop(sys::map_delete(self.ports.as_fd(), port.0));
    }
}

fn rings(maps: Maps, layout: Layout, adopted: bool) -> (Answer, Vec<OwnedFd>) {
    let Maps { heads, plain, telling, accounts } = maps;
    (Answer::Rings { layout, adopted }, vec![heads, plain, telling, accounts])
}

fn accounts(maps: &Maps) -> Result<Accounts, TapError> {
    Accounts::write(maps.accounts.as_fd())
        .map_err(|error| TapError::of("map the ports' accounts", error))
}

fn enter(accounts: &Accounts, ports: BorrowedFd<'_>, port: Port) -> Result<(), TapError> {
    let entry = accounts.enter(port).ok_or(TapError::TooManyPorts { max: PORTS_MAX })?;
    sys::map_update(ports, port.0, &entry.to_ne_bytes())
        .map_err(|error| TapError::of("enter a port", error))
}

fn link(program: BorrowedFd<'_>, ifindex: u32, direction: Direction) -> Result<OwnedFd, TapError> {
    sys::link_create(program, ifindex, direction).map_err(|error| match error.raw_os_error() {
        Some(libc::ENODEV) => TapError::NoInterface { ifindex },
        Some(libc::EEXIST) => TapError::AlreadyAttached { ifindex, direction },
        _ => TapError::of(format!("attach to interface {ifindex}"), error),
    })
}

fn check_ports(a: u32, b: u32) -> Result<(), TapError> {
    if a == b { Err(TapError::SamePort) } else { Ok(()) }
}

fn live_links(pins: &Pins, a: u32, b: u32) -> bool {
    [a, b].iter().all(|&port| pins.live_link(&link_name(port), port).is_some())
}

fn link_name(ifindex: u32) -> String {
    format!("link-{ifindex}")
}

/// What a daemon before left running, if all of it is there.
fn adopt(pins: &Pins, a: u32, b: u32) -> Option<(Maps, Layout)> {
    if !live_links(pins, a, b) {
        return None;
    }
    let [rings, plain_chunks, telling_chunks] = pins.noted("layout")?;
    let layout = Layout { rings, plain_chunks, telling_chunks }.checked()?;
    let maps = Maps {
        heads: pins.get("heads")?,
        plain: pins.get("plain")?,
        telling: pins.get("telling")?,
        accounts: pins.get("accounts")?,
    };
    Some((maps, layout))
}

/// Readies the folder for a new wire and makes it. Refuses where other programs sit.
fn pins_for_new_wire<T>(
    pins: &Pins,
    a: u32,
    b: u32,
    make: impl FnOnce() -> Result<T, TapError>,
) -> Result<T, TapError> {
    // What is left of a wire that is not whole.
    pins.clear()?;
    for ifindex in [a, b] {
        let programs = sys::chain(ifindex, Direction::Ingress)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENODEV) => TapError::NoInterface { ifindex },
                _ => TapError::of(format!("look at the programs of interface {ifindex}"), error),
            })?
            .len() as u32;
        if programs > 0 {
            return Err(TapError::OtherPrograms { ifindex, programs });
        }
    }
    make()
}

fn made_or_removed<T>(made: Result<T, TapError>, pins: &Pins) -> Result<T, TapError> {
    if made.is_err() {
        // The first error is the one to tell.
        drop(pins.clear());
        pins.leave();
    }
    made
}

fn new_fast(pins: &Pins, a: u32, b: u32, sizes: RingSizes) -> Result<(Maps, Layout), TapError> {
    let mut loaded = load::tap(sizes, (a, b))?;
    let maps = loaded.maps()?;
    let program = loaded.program("ghost_fast")?;
    let (accounts, ports) = (accounts(&maps)?, loaded.map("ghost_ports")?);
    for ifindex in [a, b] {
        enter(&accounts, ports.as_fd(), Port::new(ifindex, Direction::Ingress))?;
    }
    for (name, map) in [
        ("heads", &maps.heads),
        ("plain", &maps.plain),
        ("telling", &maps.telling),
        ("accounts", &maps.accounts),
    ] {
        pins.put(name, map.as_fd())?;
    }
    let Layout { rings, plain_chunks, telling_chunks } = loaded.layout;
    pins.note("layout", [rings, plain_chunks, telling_chunks])?;
    attach_wire(pins, program.as_fd(), a, b)?;
    Ok((maps, loaded.layout))
}

fn attach_wire(pins: &Pins, program: BorrowedFd<'_>, a: u32, b: u32) -> Result<(), TapError> {
    for ifindex in [a, b] {
        let link = link(program, ifindex, Direction::Ingress)?;
        pins.put(&link_name(ifindex), link.as_fd())?;
    }
    Ok(())
}

fn check_kernel() -> Result<(), TapError> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|n| n.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < KERNEL_MIN => {
            Err(TapError::KernelTooOld { release: release.trim().to_owned() })
        }
        // Of an odd name nothing is known; the kernel itself will say no.
        _ => Ok(()),
    }
}
