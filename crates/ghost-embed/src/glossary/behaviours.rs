//! What engineers say about each behaviour.

use ghost_event::Behaviours;

/// One behaviour in words.
#[derive(Debug, Clone, Copy)]
pub struct BehaviourWord {
    pub behaviour: Behaviours,
    pub text: &'static str,
}

const fn word(behaviour: Behaviours, text: &'static str) -> BehaviourWord {
    BehaviourWord { behaviour, text }
}

/// The most telling first: a shape keeps the first few, and its text says them in this order.
pub const BEHAVIOURS: &[BehaviourWord] = &[
    word(
        Behaviours::REMOTE_CODE,
        "web application attack, remote code execution exploit, command injection, Log4Shell JNDI lookup",
    ),
    word(
        Behaviours::SQL_INJECTION,
        "web application attack, SQL injection in the request to a web server",
    ),
    word(
        Behaviours::CROSS_SITE_SCRIPTING,
        "web application attack, cross site scripting XSS, script injected in the request",
    ),
    word(
        Behaviours::PATH_TRAVERSAL,
        "web application attack, directory path traversal, reading files outside the web root",
    ),
    word(
        Behaviours::REVERSE_SHELL,
        "reverse shell, remote shell or reverse tunnel opened from the inside out, backdoor",
    ),
    word(
        Behaviours::COMMAND_AND_CONTROL,
        "malware calling home to its command and control server, botnet C2 traffic",
    ),
    word(
        Behaviours::CREDENTIAL_THEFT,
        "stealing credentials and password hashes from the domain controller, DCSync, NTLM relay",
    ),
    word(
        Behaviours::LATERAL_MOVEMENT,
        "lateral movement, attacker moving sideways between Windows machines, remote execution",
    ),
    word(
        Behaviours::BRUTE_FORCE,
        "brute force attack, password guessing, password spraying, many failed logins",
    ),
    word(
        Behaviours::DNS_TUNNEL,
        "DNS tunnel, data exfiltration hidden in DNS queries with long random names",
    ),
    word(
        Behaviours::ARP_SPOOFING,
        "ARP spoofing, ARP cache poisoning, man in the middle on the local network",
    ),
    word(
        Behaviours::DNS_SPOOFING,
        "DNS spoofing, forged DNS answer, DNS cache poisoning, name hijacked",
    ),
    word(
        Behaviours::ROGUE_DHCP,
        "rogue DHCP server, unauthorised address leases, man in the middle",
    ),
    word(
        Behaviours::ROGUE_ROUTER,
        "rogue IPv6 router advertisement, false default gateway, man in the middle",
    ),
    word(
        Behaviours::GENERATED_NAMES,
        "DGA, domain generation algorithm, malware looking up random generated domain names",
    ),
    word(Behaviours::ICMP_TUNNEL, "ICMP tunnel, data hidden inside pings"),
    word(
        Behaviours::AMPLIFICATION,
        "amplification and reflection DDoS attack, denial of service with spoofed requests",
    ),
    word(
        Behaviours::STEALTH_SCAN,
        "stealth port scan, half-open SYN probes by nmap, reconnaissance",
    ),
    word(
        Behaviours::PORT_SCAN,
        "port scan, reconnaissance probing many ports of one host with nmap",
    ),
    word(
        Behaviours::ARP_SCAN,
        "ARP scan of the local network, host discovery asking for every address",
    ),
    word(
        Behaviours::SWEEP,
        "network sweep, scanning many hosts for the same open port, host discovery",
    ),
    word(Behaviours::FLOOD, "flood, denial of service DoS and DDoS attack"),
    word(Behaviours::WEB_SCAN, "web vulnerability scanner crawling a web server, nikto, dirb"),
    word(Behaviours::MINING, "crypto currency mining, coin miner in a mining pool"),
    word(
        Behaviours::INDUSTRIAL_WRITE,
        "write command that changes an industrial controller, PLC set point",
    ),
    word(
        Behaviours::BIG_UPLOAD,
        "very large upload out of the network, possible data exfiltration or leak",
    ),
    word(Behaviours::BEACON, "beacon, periodic contacts at a steady interval"),
    word(
        Behaviours::PROGRAM_DOWNLOAD,
        "downloading an executable program, exe malware file over plain HTTP",
    ),
    word(
        Behaviours::CLEARTEXT_CREDENTIALS,
        "user name and password sent in clear text, unencrypted login",
    ),
    word(Behaviours::ODD_CERTIFICATE, "self-signed, suspicious or invalid TLS certificate"),
    word(Behaviours::UNUSUAL_DNS, "unusual suspicious DNS queries, weird long or random names"),
    word(Behaviours::ODD_PORT, "service on an unusual non-standard port"),
    word(Behaviours::NEW_SERVICE, "new service, a port opened that was not served before"),
    word(Behaviours::NEW_DEVICE, "new unknown device joined the network"),
    word(Behaviours::UNUSUAL_TIME, "activity at an unusual time of day, outside usual hours"),
    word(Behaviours::LONG_LIVED, "long lasting connection"),
    word(Behaviours::MALFORMED, "malformed broken packets"),
    word(Behaviours::FRAGMENTED, "packets arriving in IP fragments, fragmentation"),
    word(Behaviours::REFUSED, "connection refused"),
    word(Behaviours::UNANSWERED, "no answer"),
];
