//! What traffic looked like it was doing, as a small closed set.

use std::fmt;

/// A set of behaviours; each has a name that stands in events, filters and answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Behaviours(pub u64);

macro_rules! behaviours {
    ($($(#[$doc:meta])* $konst:ident = $bit:literal, $name:literal;)*) => {
        impl Behaviours {
            $($(#[$doc])* pub const $konst: Behaviours = Behaviours(1 << $bit);)*
            /// Every behaviour with its name, in the order of their bits.
            pub const ALL: &'static [(Behaviours, &'static str)] = &[$((Behaviours::$konst, $name),)*];
        }
    };
}

behaviours! {
    /// One source tries many ports of one target.
    PORT_SCAN = 0, "port_scan";
    /// Half-open or odd-flag probes: SYN then reset, FIN, NULL, Xmas.
    STEALTH_SCAN = 1, "stealth_scan";
    /// One source tries the same port on many targets.
    SWEEP = 2, "sweep";
    /// One source asks for the hardware address of many targets.
    ARP_SCAN = 3, "arp_scan";
    /// Repeated short sessions with a service that asks for a password.
    BRUTE_FORCE = 4, "brute_force";
    /// Far more packets or new flows at one target than it answers.
    FLOOD = 5, "flood";
    /// Replies much larger than requests, sent to one who did not ask.
    AMPLIFICATION = 6, "amplification";
    /// Data carried in the names or answers of DNS.
    DNS_TUNNEL = 7, "dns_tunnel";
    /// Lookups unlike a person's: random, very long, refused in numbers.
    UNUSUAL_DNS = 8, "unusual_dns";
    /// Data carried inside ICMP echo.
    ICMP_TUNNEL = 9, "icmp_tunnel";
    /// SQL in a request line.
    SQL_INJECTION = 10, "sql_injection";
    /// Script in a request line.
    CROSS_SITE_SCRIPTING = 11, "cross_site_scripting";
    /// Shell, JNDI or template code in a request line or header.
    REMOTE_CODE = 12, "remote_code";
    /// `../` walks and requests for files no page names.
    PATH_TRAVERSAL = 13, "path_traversal";
    /// The user agent of a scanner, or its pace of errors.
    WEB_SCAN = 14, "web_scan";
    /// Much more sent out than taken in, to the internet.
    BIG_UPLOAD = 15, "big_upload";
    /// Contacts at a steady period.
    BEACON = 16, "beacon";
    /// A password or its hash passed unencrypted.
    CLEARTEXT_CREDENTIALS = 17, "cleartext_credentials";
    /// A certificate that its own subject signed, or whose names make no sense.
    ODD_CERTIFICATE = 18, "odd_certificate";
    /// A program fetched without encryption.
    PROGRAM_DOWNLOAD = 19, "program_download";
    /// Remote execution or administration between workstations and servers.
    LATERAL_MOVEMENT = 20, "lateral_movement";
    /// Secrets asked of a domain controller.
    CREDENTIAL_THEFT = 21, "credential_theft";
    /// A shell or tunnel opened from the inside out.
    REVERSE_SHELL = 22, "reverse_shell";
    /// A service on a port that is not its own.
    ODD_PORT = 23, "odd_port";
    /// A command that changes an industrial controller.
    INDUSTRIAL_WRITE = 24, "industrial_write";
    /// Contact with a control server's known manners.
    COMMAND_AND_CONTROL = 25, "command_and_control";
    /// Nothing came back.
    UNANSWERED = 26, "unanswered";
    /// The other side refused.
    REFUSED = 27, "refused";
    /// Datagrams came in fragments.
    FRAGMENTED = 28, "fragmented";
    /// Frames that no sane sender makes.
    MALFORMED = 29, "malformed";
    /// Open for longer than an hour.
    LONG_LIVED = 30, "long_lived";
    /// Coins are mined.
    MINING = 31, "mining";
    /// One hardware address claims what is another's.
    ARP_SPOOFING = 32, "arp_spoofing";
    /// A second server gives addresses out.
    ROGUE_DHCP = 33, "rogue_dhcp";
    /// A second router announces itself.
    ROGUE_ROUTER = 34, "rogue_router";
    /// Two answers to one lookup that cannot both be true.
    DNS_SPOOFING = 35, "dns_spoofing";
    /// Lookups of names that a program made up, most of which do not exist.
    GENERATED_NAMES = 36, "generated_names";
    /// A device that was not there before, after a time of learning.
    NEW_DEVICE = 37, "new_device";
    /// A device answers at a port at which it never did.
    NEW_SERVICE = 38, "new_service";
    /// A device is active at an hour at which it never was.
    UNUSUAL_TIME = 39, "unusual_time";
}

impl Behaviours {
    pub const NONE: Behaviours = Behaviours(0);

    #[must_use]
    pub fn contains(self, other: Behaviours) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub fn intersects(self, other: Behaviours) -> bool {
        self.0 & other.0 != 0
    }

    pub fn insert(&mut self, other: Behaviours) {
        self.0 |= other.0;
    }

    #[must_use]
    pub fn with(self, other: Behaviours) -> Behaviours {
        Behaviours(self.0 | other.0)
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the members, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Behaviours::ALL.iter().filter(move |(b, _)| self.contains(*b)).map(|(_, name)| *name)
    }

    /// The behaviour of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Behaviours> {
        Behaviours::ALL.iter().find(|(_, n)| *n == name).map(|(b, _)| *b)
    }
}

impl fmt::Debug for Behaviours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
