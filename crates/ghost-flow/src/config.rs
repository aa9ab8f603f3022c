//! What an operator may set, and every limit with its reason.

/// Limits that are not configured; each with its reason.
pub mod limits {
    /// Names in one flow. A DNS tunnel puts a thousand distinct names into one flow, and all of
    /// them are evidence.
    pub const NAMES_PER_FLOW_MAX: usize = 2048;
    /// One name; longer values (cookies, endless agents) are cut at a character.
    pub const NAME_BYTES_MAX: usize = 2048;
    /// Below this many names a scan of the list is faster than a hash set.
    pub const NAMES_SCANNED_MAX: usize = 12;
    /// Distinct inner flows remembered by one tunnel; the packets of later ones are only counted
    /// to the tunnel.
    pub const INNER_FLOWS_MAX: usize = 64;
    /// Inner flows of one tunnel whose application is followed at the same time.
    pub const INNER_DISSECTORS_MAX: usize = 16;
    /// Fragmented datagrams whose flow is remembered.
    pub const FRAGMENTS_MAX: usize = 4096;
    /// How long the fragments of a datagram may be apart (RFC 791 and RFC 8200 say 15 s to 60 s).
    pub const FRAGMENT_NS: i64 = 60_000_000_000;
    /// Fragmented UDP datagrams put together at the same time; a resolver's big answers come singly.
    pub const DATAGRAMS_MAX: usize = 64;
    /// One of them: the largest payload IP can carry.
    pub const DATAGRAM_BYTES_MAX: usize = 65_536;
    /// All of them.
    pub const DATAGRAMS_BYTES_MAX: usize = 1 << 20;
    /// Separate stretches of one: 64 KiB in pieces of 1280 octets, every other one missing.
    pub const DATAGRAM_PIECES_MAX: usize = 32;
    /// How long the octets of one wait for the rest (as Linux does; the accounting waits longer).
    pub const DATAGRAM_NS: i64 = 30_000_000_000;
    /// Distinct ARP targets counted exactly for one sender: a /16 scanned in full.
    pub const ARP_TARGETS_MAX: usize = 65_536;
    /// How long a flow waits for an answer in a flood: longer than any way on earth there and back.
    pub const PROBATION_NS: i64 = 1_000_000_000;
    /// Packets kept of a flow on probation: a SYN, its answer and the reset of it.
    pub const PROBATION_PACKETS_MAX: usize = 3;
    /// Flows on probation, as a share of all: at 800,000 a second the default holds a sixth of one.
    pub const PROBATION_SHARE: usize = 2;
    /// Records of flows that nobody answered, as a share of all, while folding is on: a quarter.
    pub const UNANSWERED_SHARE: usize = 4;
    /// Room that records of answered flows leave to new ones: a sixteenth.
    pub const NEW_SHARE: usize = 16;
    /// How often a group of folded flows is told.
    pub const FOLD_NS: i64 = 1_000_000_000;
    /// Groups at a time: each stands for more flows a second than an operator allows.
    pub const FOLDS_MAX: usize = 4096;
    /// Ports of one address that have a group of their own; more are a scan.
    pub const FOLD_PORTS_MAX: usize = 4;
    /// Flows of one protocol without a common address are folded above this many times the limit.
    pub const FOLD_PROTOCOL_TIMES: u32 = 2;
    /// What a daemon folds above, where it is not told: no service has so many callers in vain.
    pub const FOLD_ABOVE_PER_S: u32 = 2000;
    /// A step backwards beyond this is another capture or a clock set anew, not disorder.
    pub const CLOCK_STEP_NS: i64 = 3_600_000_000_000;

    const _: () = assert!(NAMES_SCANNED_MAX < NAMES_PER_FLOW_MAX);
    const _: () = assert!(UNANSWERED_SHARE < NEW_SHARE && PROBATION_NS <= FOLD_NS);
    const _: () = assert!(INNER_DISSECTORS_MAX <= INNER_FLOWS_MAX);
    const _: () = assert!(DATAGRAM_NS <= FRAGMENT_NS && FRAGMENT_NS < CLOCK_STEP_NS);
    const _: () = assert!(DATAGRAMS_MAX <= FRAGMENTS_MAX);
    const _: () = assert!(DATAGRAM_BYTES_MAX <= DATAGRAMS_BYTES_MAX);
}

const S: i64 = 1_000_000_000;

/// What an operator may set. Times are nanoseconds of packet time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowConfig {
    /// Live records (flows and link records together); above it the longest-quiet one is evicted.
    pub flows_max: usize,
    /// Quiet time that ends an open TCP connection.
    pub idle_tcp_ns: i64,
    /// Quiet time that ends a TCP connection after both FINs or a RST.
    pub idle_tcp_closed_ns: i64,
    pub idle_udp_ns: i64,
    /// Every other protocol, and TCP handshakes that come to nothing.
    pub idle_other_ns: i64,
    /// A record that lasts longer is ended, and the flow goes on in another.
    pub active_ns: i64,
    /// Exactly one record a key: no split by quiet, by FIN or RST, or by age.
    pub no_idle_timeout: bool,
    /// Report open flows this often (as [`ghost_event::EndReason::Update`]).
    pub updates_ns: Option<i64>,
    /// Bytes of names kept for one flow.
    pub name_bytes_per_flow_max: usize,
    /// Bytes of names kept by all live flows together.
    pub name_bytes_total_max: usize,
    /// Fold the unanswered flows of a flood into counted records where more than this many a second
    /// begin at one address, or come from one; `None` never folds.
    pub fold_above_per_s: Option<u32>,
    /// Seed of the table's hash, so that nobody can choose colliding flows. Does not change what
    /// is reported, nor its order.
    pub hash_seed: u64,
}

impl Default for FlowConfig {
    fn default() -> Self {
        FlowConfig {
            flows_max: 1 << 18,
            idle_tcp_ns: 300 * S,
            idle_tcp_closed_ns: 20 * S,
            idle_udp_ns: 120 * S,
            idle_other_ns: 60 * S,
            active_ns: 1800 * S,
            no_idle_timeout: false,
            updates_ns: None,
            name_bytes_per_flow_max: 256 << 10,
            name_bytes_total_max: 64 << 20,
            fold_above_per_s: None,
            hash_seed: 0,
        }
    }
}
