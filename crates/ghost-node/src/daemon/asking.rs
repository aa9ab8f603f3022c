//! Questions to the replicas of the daemon's own log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ghost_event::Seq;
use ghost_index::{Clause, Index, Measure, Position, Walk};

use super::{Daemon, ReplicaError, ReplicaStatus};
use crate::api::written::{Written, write_answer};
use crate::api::{Backend, Question};
use crate::follow;
use crate::replicas::answering::Answering;
use crate::replicas::fan::{Fan, Hears, OwnLog, Reach, Replica};
use crate::replicas::limits::REPLICA_PATIENCE;
use crate::replicas::logs::HeldLogs;
use crate::replicas::{FanError, Merged};
use crate::store::StoreError;

/// Lines that are looked for by their number one by one, where no index has them.
const SOUGHT_MAX: usize = 32;

impl Daemon {
    /// Asks the replicas that the question names, and makes one answer of theirs.
    ///
    /// # Errors
    /// None of them can be asked, or none answered.
    pub fn ask_replicas(&self, question: &Question) -> Result<Merged, FanError> {
        let question = &self.complete(question);
        let fan = Fan {
            fans: &self.inner.fans,
            reach: Arc::new(self.clone()),
            own: self,
            clock: &*self.inner.clock,
            patience: REPLICA_PATIENCE,
        };
        fan.ask(question)
    }

    /// The question with all that its answer depends on: it is understood elsewhere as here.
    fn complete(&self, question: &Question) -> Question {
        let mut question = question.clone();
        question.now.get_or_insert_with(|| self.inner.now());
        question.tags.get_or_insert_with(|| self.inner.named_tags());
        question
    }

    pub(crate) fn answering(&self) -> &Answering {
        &self.inner.answering
    }

    pub(crate) fn held_logs(&self) -> &HeldLogs {
        &self.inner.held_logs
    }
}

impl Reach for Daemon {
    fn replicas(&self) -> Vec<Replica> {
        Daemon::replicas(self).into_iter().map(Replica::from).collect()
    }

    fn ask(
        &self,
        name: &str,
        question: &[u8],
        patience: Duration,
        out: Hears<'_>,
    ) -> Result<(), String> {
        self.ask_replica(name, question, patience, out)
            .map_err(|error: ReplicaError| error.to_string())
    }
}

impl From<ReplicaStatus> for Replica {
    fn from(status: ReplicaStatus) -> Replica {
        let away = (!status.is_connected()).then(|| match status.last_failure.as_str() {
            "" => status.state.clone(),
            failure => format!("{} ({failure})", status.state),
        });
        Replica {
            away,
            name: status.name,
            indexed: status.indexed,
            load_permille: status.load_permille,
        }
    }
}

impl OwnLog for Daemon {
    fn id(&self) -> String {
        self.inner.shared.texts().log_id.clone()
    }

    fn ends(&self) -> (Seq, Seq) {
        (self.inner.shared.log_first.get(), self.inner.shared.log_head.get())
    }

    fn ask(&self, question: &Question) -> Result<Vec<u8>, StoreError> {
        let answers = Backend::ask(self, question)?;
        let mut body = Vec::new();
        match write_answer(&*answers, &mut body) {
            // Memory takes all; what failed is seen by the end that is missing.
            Ok(()) | Err(Written::Gone | Written::Failed(_)) => Ok(body),
        }
    }

    fn lines(&self, seqs: &HashSet<Seq>) -> Vec<(Seq, Vec<u8>)> {
        let (Some(min), Some(max)) = (seqs.iter().min(), seqs.iter().max()) else {
            return Vec::new();
        };
        let Ok(held) = self.inner.searched.hold() else { return Vec::new() };
        let filter = vec![Clause::Number { of: Measure::Seq, min: *min, max: *max }];
        let walk = Walk { filter, ..Walk::default() };
        let mut places: Vec<(Seq, Position)> = Vec::new();
        for index in held.index().into_iter().chain([held.tail() as &dyn Index]) {
            let walked = index.events(&walk, &mut |met| {
                if seqs.contains(&met.seq()) {
                    places.push((met.seq(), met.position()));
                }
            });
            // What an index can't tell is compared with nothing, and the answer says so.
            drop(walked);
        }
        drop(held);
        let reader = self.inner.searched.reader();
        let mut lines: Vec<(Seq, Vec<u8>)> = places
            .into_iter()
            .filter_map(|(seq, at)| Some((seq, follow::read(reader, at).ok()?)))
            .collect();
        let found: HashSet<Seq> = lines.iter().map(|(seq, _)| *seq).collect();
        for seq in seqs.difference(&found).take(SOUGHT_MAX) {
            if let Ok(Some(line)) = reader.lines(*seq).next()
                && line.seq == *seq
            {
                lines.push((*seq, line.bytes.to_vec()));
            }
        }
        lines
    }
}
