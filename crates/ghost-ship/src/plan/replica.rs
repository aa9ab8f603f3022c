//! What the plan knows of one replica, and how it learns it.
//!
//! Each method tells what happened; none decides anything.

use super::{Bandwidth, Bucket, Quiet, Sealed, backoff};
use crate::limits::{COSIGN_NS, LATER_NS, REFUSED_NS};
use crate::wire::{BlockTold, Code, Health, Hello, Kind, Place, Refusal};

/// What an operator says of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    pub paused: bool,
    /// Bytes a second.
    pub rate_limit: Option<u64>,
    pub quiet: Option<Quiet>,
}

/// The connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Not there; to be tried again.
    Down {
        again_ns: u64,
    },
    /// Being made, or hellos are not exchanged yet.
    Meeting {
        since_ns: u64,
    },
    Open,
}

/// A block on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    pub number: u64,
    pub size: u64,
    /// `None`: all of it.
    pub parent: Option<u64>,
    /// All its bytes went out; its verification is awaited.
    pub all_sent: bool,
    pub since_ns: u64,
}

/// One replica.
#[derive(Debug, Clone)]
pub struct Replica {
    pub settings: Settings,
    pub link: Link,
    /// Connections that failed in a row.
    failures: u32,
    /// The newest line that it acknowledged, of tail and blocks.
    pub held: u64,
    /// The newest line that went out to it on this connection.
    pub sent: u64,
    /// Verified blocks that it has, oldest first.
    pub blocks: Vec<BlockTold>,
    pub sending: Option<Sending>,
    pub bandwidth: Bandwidth,
    pub(super) bucket: Option<Bucket>,
    pub health: Option<Health>,
    /// Lines of the newest checkpoint of which its cosignature came.
    pub cosigned: u64,
    /// A cosignature that is missing is asked for then.
    pub(super) cosign_ns: u64,
    pub(super) trouble: Option<(Code, u64)>,
    /// A block or a tail is not offered again before.
    pub(super) not_before_ns: u64,
    pub(super) tail_not_before_ns: u64,
    pub(super) acknowledged_ns: Option<u64>,
    pub(super) heard_ns: u64,
    /// When anything went out to it.
    pub(super) spoke_ns: u64,
}

impl Replica {
    #[must_use]
    pub fn new(settings: Settings, now_ns: u64) -> Replica {
        Replica {
            settings,
            link: Link::Down { again_ns: now_ns },
            failures: 0,
            held: 0,
            sent: 0,
            blocks: Vec::new(),
            sending: None,
            bandwidth: Bandwidth::new(),
            bucket: settings.rate_limit.map(|rate| Bucket::new(rate, now_ns)),
            health: None,
            cosigned: 0,
            cosign_ns: 0,
            trouble: None,
            not_before_ns: 0,
            tail_not_before_ns: 0,
            acknowledged_ns: None,
            heard_ns: now_ns,
            spoke_ns: now_ns,
        }
    }

    /// The operator changed something.
    pub fn configure(&mut self, settings: Settings, now_ns: u64) {
        if settings.rate_limit != self.settings.rate_limit {
            self.bucket = settings.rate_limit.map(|rate| Bucket::new(rate, now_ns));
        }
        self.settings = settings;
    }

    /// The operator settled what was in the way: it is tried again at once.
    pub fn settle(&mut self, now_ns: u64) {
        self.trouble = None;
        self.failures = 0;
        if matches!(self.link, Link::Down { .. }) {
            self.link = Link::Down { again_ns: now_ns };
        }
    }

    /// A connection is being made.
    pub fn connecting(&mut self, now_ns: u64) {
        self.link = Link::Meeting { since_ns: now_ns };
        self.bandwidth.reconnected(now_ns);
        (self.heard_ns, self.spoke_ns) = (now_ns, now_ns);
        self.sending = None;
    }

    /// Its hello came and was found to be of this history.
    pub fn met(&mut self, hello: &Hello, now_ns: u64) {
        self.link = Link::Open;
        self.heard_ns = now_ns;
        self.trouble = None;
        // A replica that was made anew has less than it acknowledged once.
        (self.held, self.sent) = (hello.held.size, hello.held.size);
        self.blocks.clone_from(&hello.blocks);
        self.sending = None;
        (self.not_before_ns, self.tail_not_before_ns) = (0, 0);
        self.cosign_ns = now_ns;
    }

    /// The connection is gone. `roll` is any random number.
    pub fn lost(&mut self, now_ns: u64, roll: u64) {
        let wait = match self.trouble {
            Some(_) => REFUSED_NS / 2 + roll % REFUSED_NS,
            None => backoff(self.failures, roll),
        };
        self.failures = self.failures.saturating_add(1);
        self.link = Link::Down { again_ns: now_ns.saturating_add(wait) };
        self.sent = self.held;
        self.sending = None;
    }

    /// Anything came from it.
    pub fn heard(&mut self, now_ns: u64) {
        self.heard_ns = now_ns;
    }

    /// Bytes of any frame went out.
    pub fn sent_bytes(&mut self, bytes: u64, now_ns: u64) {
        self.bandwidth.sent(bytes, now_ns);
        self.spoke_ns = now_ns;
        if let Some(bucket) = &mut self.bucket {
            bucket.take(bytes, now_ns);
        }
    }

    /// Lines up to here went out on the tail lane.
    pub fn sent_tail(&mut self, upto: u64) {
        self.sent = self.sent.max(upto);
    }

    /// It told how many bytes it has read.
    pub fn received(&mut self, total: u64, now_ns: u64) {
        self.bandwidth.received(total, now_ns);
    }

    /// It has all lines up to here, durable. Only a success ends the waiting after failures.
    pub fn holds(&mut self, place: Place, now_ns: u64) {
        self.held = self.held.max(place.size);
        self.sent = self.sent.max(self.held);
        self.acknowledged_ns = Some(now_ns);
        self.failures = 0;
    }

    pub fn block_begun(&mut self, block: &Sealed, parent: Option<u64>, now_ns: u64) {
        let (number, size) = (block.number, block.size);
        self.sending = Some(Sending { number, size, parent, all_sent: false, since_ns: now_ns });
    }

    pub fn block_sent(&mut self) {
        if let Some(sending) = &mut self.sending {
            sending.all_sent = true;
        }
    }

    /// A block lies there, verified.
    pub fn verified(&mut self, block: BlockTold, now_ns: u64) {
        if self.blocks.last().is_none_or(|newest| newest.number < block.number) {
            self.blocks.push(block);
        }
        if self.sending.is_some_and(|s| s.number == block.number) {
            self.sending = None;
        }
        self.cosign_ns = now_ns.saturating_add(COSIGN_NS);
        self.holds(Place { size: block.size, ..Place::default() }, now_ns);
    }

    /// A cosignature over so many lines came and was found right.
    pub fn cosigned(&mut self, size: u64) {
        self.cosigned = self.cosigned.max(size);
    }

    /// A missing cosignature was asked for.
    pub fn asked(&mut self, now_ns: u64) {
        self.cosign_ns = now_ns.saturating_add(10 * COSIGN_NS);
    }

    pub fn told_health(&mut self, health: Health, now_ns: u64) {
        self.health = Some(health);
        // It lives and answers, whether or not there was anything to acknowledge.
        self.acknowledged_ns = Some(now_ns);
    }

    /// It refused something, or this side refused it.
    pub fn refused(&mut self, refusal: &Refusal, now_ns: u64) {
        let code = refusal.code;
        if !code.is_of_one_thing() {
            self.trouble = Some((code, now_ns));
            self.sending = None;
        } else if refusal.is_of_block() {
            let parent = self.sending.take().and_then(|s| s.parent);
            if code == Code::NoParent {
                self.blocks.retain(|b| Some(b.number) != parent);
            } else {
                self.not_before_ns = now_ns.saturating_add(LATER_NS);
            }
        } else if refusal.about == Kind::Tail as u8 {
            self.sent = self.held;
            if code != Code::Gap {
                self.tail_not_before_ns = now_ns.saturating_add(LATER_NS);
            }
        }
    }
}
