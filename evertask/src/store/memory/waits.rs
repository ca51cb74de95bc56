//! What tasks wait for: signals, turns, and runs that are held.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::id::{RunId, TaskId};
use crate::store::rules;
use crate::store::{Got, RunState, SignalOutcome, TaskState, Wait};

use super::state::{Row, State};

/// The tasks of one `each`.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) limit: Option<u32>,
    /// All of them, in the order of the items.
    pub(super) tasks: Vec<TaskId>,
    /// How many have not ended.
    pub(super) open: usize,
    /// Those that wait for their turn, by item.
    pub(super) waiting: BTreeMap<u32, TaskId>,
    /// How many of its tasks were taken away.
    pub(super) gone: usize,
}

impl Group {
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self { limit, tasks: Vec::new(), open: 0, waiting: BTreeMap::new(), gone: 0 }
    }

    /// One more task of it.
    pub(super) fn join(&mut self, id: TaskId) {
        self.tasks.push(id);
        self.open += 1;
    }

    /// Whether one more may be ready or running.
    pub(super) fn has_turn(&self) -> bool {
        // None at all would wait for ever.
        self.limit.is_none_or(|limit| self.open - self.waiting.len() < limit.max(1) as usize)
    }
}

impl State {
    /// A task can be claimed when it is due, or waits if its run is held.
    pub(super) fn make_ready(&mut self, id: TaskId, change: impl FnOnce(&mut Row)) {
        let Some(row) = self.tasks.get(&id) else { return };
        let (state, wait) = rules::ready(row.run.and_then(|run| self.state_of(run)));
        self.change(id, |row| {
            row.state = state;
            row.wait = wait;
            change(row);
        });
    }

    /// Those whose turn it is are ready. Those of a run that stops have ended, but for what follows its cancel.
    pub(super) fn give_turns(&mut self, id: Uuid) {
        while let Some(group) = self.groups.get(&id).filter(|group| group.has_turn()) {
            let Some((_, &next)) = group.waiting.first_key_value() else { return };
            self.make_ready(next, |_| ());
        }
    }

    pub(super) fn signal(&mut self, id: RunId, step: String, was: &[&str], value: Vec<u8>) -> SignalOutcome {
        let now = self.now;
        let run = self.runs.get(&id);
        let waits = run.and_then(|run| {
            let live = run.live.iter().filter_map(|id| self.tasks.get(id));
            let waiting = live.filter(|row| {
                let at = self.kinds.get(row.kind).step.as_deref();
                row.wait == Some(Wait::Signal) && at.is_some_and(|at| at == step || was.contains(&at))
            });
            waiting.min_by_key(|row| row.number).map(|row| row.id)
        });
        let before = run.is_some_and(|run| run.signals.keys().any(|name| *name == step || was.contains(&&**name)));
        let outcome = rules::signal(run.map(|run| run.record.state), waits.is_some(), before);
        match (outcome, self.runs.get_mut(&id)) {
            (SignalOutcome::Kept, Some(run)) => {
                run.signals.insert(step, Some(value));
            }
            (SignalOutcome::Delivered, Some(run)) => {
                run.signals.insert(step, None);
                if let Some(id) = waits {
                    self.make_ready(id, |row| {
                        row.payload = value;
                        row.got = Some(Got::Signal);
                        row.run_at = now;
                    });
                }
            }
            _ => {}
        }
        outcome
    }

    pub(super) fn pause(&mut self, id: RunId) -> bool {
        let these = |row: &Row| row.state == TaskState::Ready || row.wait == Some(Wait::Slot);
        self.hold(id, RunState::Running, RunState::Paused, these)
    }

    pub(super) fn resume(&mut self, id: RunId) -> bool {
        self.hold(id, RunState::Paused, RunState::Running, |row| row.wait == Some(Wait::Pause))
    }

    /// A run goes from the one state to the other, and so do these tasks of it.
    fn hold(&mut self, id: RunId, from: RunState, to: RunState, these: impl Fn(&Row) -> bool) -> bool {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.record.state == from) else { return false };
        run.record.state = to;
        let live: Vec<TaskId> = run.live.iter().copied().collect();
        for id in live {
            if self.tasks.get(&id).is_some_and(&these) {
                self.make_ready(id, |_| ());
            }
        }
        true
    }
}
