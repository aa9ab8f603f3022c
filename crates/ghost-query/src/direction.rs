//! Which side an address, a name or a port stands for, by the words before it.

use crate::filter::Key;

/// Words looked back over at most.
const REACH: usize = 3;

/// The side of an address by the words before `at`.
pub(crate) fn direction(all: &[&str], at: usize) -> Key {
    for word in all.get(..at).unwrap_or_default().iter().rev().take(REACH) {
        match *word {
            "from" | "by" | "source" | "src" | "client" | "originating" | "leaving" => {
                return Key::Src;
            }
            "to" | "towards" | "toward" | "against" | "at" | "dst" | "destination" | "into"
            | "target" | "targeting" | "on" | "server" | "reaching" | "hitting" | "contacting"
            | "visiting" => {
                return Key::Dst;
            }
            // What stands before is about something else.
            "and" | "or" | "between" | "with" | "involving" | "host" | "for" => return Key::Host,
            _ => {}
        }
    }
    Key::Host
}

/// The side of a port by the words before `at`.
pub(crate) fn port_side(all: &[&str], at: usize) -> Key {
    match at.checked_sub(1).and_then(|at| all.get(at)) {
        Some(&"from" | &"source" | &"src" | &"client" | &"local") => Key::SrcPort,
        Some(&"to" | &"destination" | &"dst" | &"dest" | &"server" | &"remote") => Key::DstPort,
        _ => Key::Port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepositions_tell_the_side() {
        let check = |text: &str, want: &Key| {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(direction(&words, words.len() - 1), *want, "{text}");
        };
        check("ssh from x", &Key::Src);
        check("sent by the x", &Key::Src);
        check("uploads to x", &Key::Dst);
        check("from a to x", &Key::Dst);
        check("between a and x", &Key::Host);
        check("traffic of x", &Key::Host);
        assert_eq!(port_side(&["source", "port"], 1), Key::SrcPort);
        assert_eq!(port_side(&["to", "port"], 1), Key::DstPort);
        assert_eq!(port_side(&["on", "port"], 1), Key::Port);
    }
}
