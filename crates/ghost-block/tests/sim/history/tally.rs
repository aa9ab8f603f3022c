//! Counts of what histories did.

/// What histories did, to see that they do not all stop at the door.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub lives: u64,
    pub power_cuts: u64,
    pub kills: u64,
    pub full: u64,
    pub failed: u64,
    pub checkpoints: u64,
    pub blocks: u64,
    pub retired: u64,
    pub restored: u64,
    pub forgeries: u64,
    pub lines: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        for (mine, theirs) in [
            (&mut self.lives, other.lives),
            (&mut self.power_cuts, other.power_cuts),
            (&mut self.kills, other.kills),
            (&mut self.full, other.full),
            (&mut self.failed, other.failed),
            (&mut self.checkpoints, other.checkpoints),
            (&mut self.blocks, other.blocks),
            (&mut self.retired, other.retired),
            (&mut self.restored, other.restored),
            (&mut self.forgeries, other.forgeries),
            (&mut self.lines, other.lines),
        ] {
            *mine += theirs;
        }
    }
}
