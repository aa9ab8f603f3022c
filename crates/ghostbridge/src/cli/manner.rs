//! How hits are told: the like of them once or each, with or without what their scores are made of.

use clap::Args;
use ghost_node::api::Question;

use crate::render::Output;

/// How hits are told.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Manner {
    /// Tell every part of every score
    #[arg(long)]
    pub(crate) explain: bool,
    /// Of hits that say the same again only the best, with their number (a table does)
    #[arg(long, conflicts_with = "no_group")]
    pub(crate) group: bool,
    /// Each hit by itself (every form but a table does)
    #[arg(long)]
    pub(crate) no_group: bool,
}

impl Manner {
    /// The question, asked in this manner, to be printed as `output`.
    pub(crate) fn asked(self, question: Question, output: Output) -> Question {
        Question { grouped: self.groups(output), explained: self.explain, ..question }
    }

    fn groups(self, output: Output) -> bool {
        self.group || (output == Output::Table && !self.no_group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_groups_and_other_forms_do_not_unless_told_otherwise() {
        let group = Manner { group: true, ..Manner::default() };
        let no_group = Manner { no_group: true, ..Manner::default() };
        assert!(Manner::default().groups(Output::Table));
        assert!(!Manner::default().groups(Output::Jsonl));
        assert!(group.groups(Output::Jsonl));
        assert!(!no_group.groups(Output::Table));
    }
}
