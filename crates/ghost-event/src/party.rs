//! Who takes part in a flow: a role, and where it stands.

/// What a host was seen to be. `Unknown` until something tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    #[default]
    Unknown,
    Client,
    Server,
    Gateway,
    NameServer,
    Printer,
    Camera,
    Phone,
    Controller,
    Group,
    Workstation,
    Hypervisor,
}

/// Where an address stands, seen from the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Zone {
    #[default]
    Unknown,
    /// Loopback and this-host addresses.
    Host,
    /// Private, link-local and unique-local addresses.
    Internal,
    Internet,
    Multicast,
    Broadcast,
}

/// One side of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Party {
    pub role: Role,
    pub zone: Zone,
}

impl Role {
    pub const ALL: &'static [Role] = &[
        Role::Unknown,
        Role::Client,
        Role::Server,
        Role::Gateway,
        Role::NameServer,
        Role::Printer,
        Role::Camera,
        Role::Phone,
        Role::Controller,
        Role::Group,
        Role::Workstation,
        Role::Hypervisor,
    ];

    /// The name that stands in events and filters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Unknown => "unknown",
            Role::Client => "client",
            Role::Server => "server",
            Role::Gateway => "gateway",
            Role::NameServer => "name_server",
            Role::Printer => "printer",
            Role::Camera => "camera",
            Role::Phone => "phone",
            Role::Controller => "controller",
            Role::Group => "group",
            Role::Workstation => "workstation",
            Role::Hypervisor => "hypervisor",
        }
    }
}

impl Zone {
    pub const ALL: &'static [Zone] = &[
        Zone::Unknown,
        Zone::Host,
        Zone::Internal,
        Zone::Internet,
        Zone::Multicast,
        Zone::Broadcast,
    ];

    /// The name that stands in events and filters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Zone::Unknown => "unknown",
            Zone::Host => "host",
            Zone::Internal => "internal",
            Zone::Internet => "internet",
            Zone::Multicast => "multicast",
            Zone::Broadcast => "broadcast",
        }
    }
}
