//! The status, a change of the configuration, and the end.
//!
//! The end comes in the order of the data: imports are told to end, ports are let go of, the tap is
//! drained and its flows are ended, the writer makes the log durable, the index is committed. Each
//! is waited for, but not for ever: what did not end in time is told, and nothing durable is lost
//! by it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::bounded;
use ghost_event::Seq;

use super::gap::LastSeen;
use super::pipeline::Control;
use super::ports::PortsControl;
use super::queues::Queue;
use super::status::{BlocksStatus, Flows, LogStatus, Loss, QueueStatus, Status, Traffic};
use super::writer::Command;
use super::{DaemonError, Inner, Reloaded, Stopped, TapWaker, compile};
use crate::config::{Config, Granularity};
use crate::limits::{SHIP_PATIENCE, STOP_PATIENCE};

/// Ends the tap thread and the writer: how many flows were ended, the last durable line, and what
/// went wrong.
pub(crate) fn tap_and_writer(
    tap: &TapWaker,
    writer: &Queue<Command>,
) -> (u64, Option<Seq>, Vec<String>) {
    let mut trouble = Vec::new();
    let (reply, ended) = bounded(1);
    tap.tell(Control::Stop(reply));
    let flows = ended.recv_timeout(STOP_PATIENCE).unwrap_or_else(|_| {
        trouble.push("the taps were not drained in time".to_owned());
        0
    });
    let (reply, synced) = bounded(1);
    let told = writer.put_within(Command::Stop(reply), STOP_PATIENCE).is_ok();
    let durable = if told { synced.recv_timeout(STOP_PATIENCE).ok() } else { None };
    let durable = match durable {
        Some(Ok(durable)) => Some(durable),
        Some(Err(error)) => {
            trouble.push(error);
            None
        }
        None => {
            trouble.push("the log was not made durable in time".to_owned());
            None
        }
    };
    (flows, durable, trouble)
}

impl Inner {
    pub(crate) fn stop(&self) -> Stopped {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return Stopped { durable: self.shared.log_durable.get(), ..Stopped::default() };
        }
        // Imports end at their next batch; what they logged is kept.
        self.shared.stopping.store(true, Ordering::Release);
        let mut stopped = Stopped::default();
        if let Some(ports) = &self.ports {
            let (reply, ended) = bounded(1);
            let told = ports.send_timeout(PortsControl::Stop(reply), Duration::from_secs(1));
            if told.is_err() || ended.recv_timeout(Duration::from_secs(5)).is_err() {
                stopped.trouble.push("the ports were not let go of in time".to_owned());
            }
        }
        let (flows, durable, trouble) = tap_and_writer(&self.tap, &self.writer);
        stopped.flows_ended = flows;
        if durable.is_some() {
            LastSeen::forget_open(&LastSeen::path(&self.data.root().join("state")));
        }
        stopped.durable = durable.unwrap_or_else(|| self.shared.log_durable.get());
        stopped.trouble.extend(trouble);
        self.shipping.end(SHIP_PATIENCE);
        self.shared.log_ended.store(true, Ordering::Release);
        self.index.wake();
        self.held_logs.stop();
        let deadline = self.clock.monotonic_ns().saturating_add(STOP_PATIENCE.as_nanos() as u64);
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            // The model's thread may be amid a text; nothing of it is worth a wait.
            while name != "refine" && !thread.is_finished() && self.clock.monotonic_ns() < deadline
            {
                self.index.wake();
                std::thread::park_timeout(Duration::from_millis(5));
            }
            if name == "refine" {
                continue;
            }
            if !thread.is_finished() {
                stopped.trouble.push(format!("the thread {name} did not end in time"));
            } else if thread.join().is_err() {
                stopped
                    .trouble
                    .push(format!("the thread {name} ended by a fault; please report it"));
            }
        }
        stopped
    }

    fn queues(&self) -> Vec<QueueStatus> {
        let mut queues = vec![self.writer.status()];
        // What the writer has to tell replicas: four marks, joined where nobody takes them.
        queues.extend(self.shipping.has_any().then(|| QueueStatus {
            name: "replicas".to_owned(),
            length: 0,
            capacity: 4,
            full: self.shipping.missed(),
        }));
        queues
    }

    pub(crate) fn alive(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // The model's thread ends where there is no model.
        !threads.is_empty()
            && threads
                .iter()
                .filter(|t| t.thread().name() != Some("refine"))
                .all(|t| !t.is_finished())
    }

    pub(crate) fn reload(&self, new: Config) -> Result<Reloaded, DaemonError> {
        if self.shared.stopping() {
            return Err(DaemonError::Stopping);
        }
        // All that can fail comes first.
        let filter = compile(&new.filter)?;
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = Reloaded::default();
        if new.filter.trim() != config.filter.trim() {
            if !self.tell_tap(Control::Filter(filter)) {
                return Err(DaemonError::Busy);
            }
            config.filter = new.filter.clone();
            done.applied.push("filter".to_owned());
        }
        if new.interfaces != config.interfaces
            && let Some(ports) = &self.ports
        {
            config.interfaces = new.interfaces.clone();
            if ports
                .send_timeout(PortsControl::Wish(config.wish()), Duration::from_secs(1))
                .is_err()
            {
                return Err(DaemonError::Busy);
            }
            done.applied.push("interfaces".to_owned());
        }
        if new.tags != config.tags {
            config.tags = new.tags.clone();
            done.applied.push("tags".to_owned());
        }
        let later = [
            ("mode", new.mode != config.mode),
            ("granularity", new.granularity != config.granularity),
            ("profile", new.profile != config.profile),
            ("flow", new.flow != config.flow),
            ("data_dir", new.data_dir != config.data_dir),
            ("model_dir", new.model_dir != config.model_dir),
            ("tap", new.tap != config.tap),
            ("packet", new.packet != config.packet),
            ("identity", new.identity != config.identity),
            ("log", new.log != config.log),
            ("blocks", new.blocks != config.blocks),
            ("anomalies", new.anomalies != config.anomalies),
            ("alerts", new.alerts != config.alerts),
            ("metrics", new.metrics != config.metrics),
            ("api", new.api != config.api),
        ];
        done.needs_restart =
            later.iter().filter(|l| l.1).map(|(name, _)| (*name).to_owned()).collect();
        Ok(done)
    }

    pub(crate) fn status(&self) -> Status {
        let s = &self.shared;
        let texts = s.texts().clone();
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let head = s.log_head.get();
        let mut index = texts.index;
        index.behind = head.saturating_sub(index.indexed_to);
        let mut warnings = texts.warnings;
        if !self.stopped.load(Ordering::Relaxed) && !self.alive() {
            warnings.push("a thread of the daemon has ended: restart it, and report this".into());
        }
        Status {
            now_ns: self.clock.wall_ns(),
            started_ns: self.started_ns,
            log_id: texts.log_id,
            epoch: s.epoch.get(),
            pid: std::process::id(),
            mode: if config.tap.enabled { config.mode.to_string() } else { "none".to_owned() },
            granularity: match config.granularity {
                Granularity::Flow => "flow",
                Granularity::Packet => "packet",
            }
            .to_owned(),
            profile: config.profile.name().to_owned(),
            filter: config.filter,
            traffic: Traffic {
                packets: s.packets.get(),
                bytes: s.bytes.get(),
                frames: s.frames.get(),
                unparsed: s.unparsed.get(),
                malformed: s.malformed.get(),
                filtered: s.filtered.get(),
            },
            flows: Flows {
                open: s.flows_open.get(),
                open_max: s.flows_open_max.get(),
                started: s.flows_started.get(),
                ended: s.flows_ended.get(),
                evicted: s.flows_evicted.get(),
                folded: s.flows_folded.get(),
                names_dropped: s.names_dropped.get(),
            },
            loss: Loss {
                ring_frames: s.ring_frames_lost.get(),
                ring_bytes: s.ring_bytes_lost.get(),
                queue_events: s.queue_events_lost.get(),
                queue_packets: s.queue_packets_lost.get(),
                queue_bytes: s.queue_bytes_lost.get(),
                log_events: s.log_events_lost.get(),
                log_packets: s.log_packets_lost.get(),
                log_bytes: s.log_bytes_lost.get(),
                gaps: s.gaps.get(),
            },
            log: LogStatus {
                head,
                durable: s.log_durable.get(),
                segment: s.log_segment.get(),
                waiting_bytes: s.log_waiting.get(),
                events: s.events.get(),
                bytes: s.log_bytes.get(),
                kinds: texts.kinds,
                sync: s.syncs.told(),
                trouble: texts.log_trouble,
            },
            blocks: BlocksStatus { seal: s.seals.told(), ..texts.blocks },
            index,
            model: texts.model,
            queues: self.queues(),
            replicas: self.shipping.statuses(),
            bridges: s.ports().bridges.clone(),
            ports: s.port_statuses(),
            anomalies: self.anomalies_standing(),
            alerts: self.alerted.status(),
            imports_running: s.imports_running.get(),
            questions: s.questions.get(),
            warnings,
        }
    }
}
