//! What has ended, oldest first, and how it goes.

use std::collections::BTreeMap;

use crate::id::{RunId, TaskId};
use crate::schedule::Timestamp;
use crate::store::{Keep, LogLine, Prune, RunRecord, RunState, TaskState};

use super::state::{Row, State};

/// By when it ended, then by arrival.
type Ended<I> = BTreeMap<(Timestamp, usize), I>;

/// Tasks outside of runs, and runs, that have ended: by their state.
#[derive(Debug, Default)]
pub(super) struct Archive {
    tasks: [Ended<TaskId>; 3],
    runs: [Ended<RunId>; 3],
    /// Tasks with log lines, by the oldest.
    logged: BTreeMap<(Timestamp, usize), TaskId>,
}

const fn task_shelf(state: TaskState) -> Option<usize> {
    match state {
        TaskState::Succeeded => Some(0),
        TaskState::Failed => Some(1),
        TaskState::Cancelled => Some(2),
        _ => None,
    }
}

const fn run_shelf(state: RunState) -> Option<usize> {
    match state {
        RunState::Succeeded => Some(0),
        RunState::Failed => Some(1),
        RunState::Cancelled => Some(2),
        _ => None,
    }
}

fn oldest(lines: &[LogLine]) -> Option<Timestamp> {
    lines.iter().map(|line| line.at).min()
}

impl Archive {
    pub(super) fn keep_task(&mut self, row: &Row) {
        if let (None, Some(shelf), Some(at)) = (row.run, task_shelf(row.state), row.finished_at) {
            self.tasks[shelf].insert((at, row.number), row.id);
        }
    }

    pub(super) fn forget_task(&mut self, row: &Row) {
        if let (None, Some(shelf), Some(at)) = (row.run, task_shelf(row.state), row.finished_at) {
            self.tasks[shelf].remove(&(at, row.number));
        }
    }

    pub(super) fn keep_run(&mut self, run: &RunRecord, number: usize) {
        if let (Some(shelf), Some(at)) = (run_shelf(run.state), run.finished_at) {
            self.runs[shelf].insert((at, number), run.id);
        }
    }

    pub(super) fn forget_run(&mut self, run: &RunRecord, number: usize) {
        if let (Some(shelf), Some(at)) = (run_shelf(run.state), run.finished_at) {
            self.runs[shelf].remove(&(at, number));
        }
    }

    /// The log of a task changes, from what it was before.
    pub(super) fn relog(&mut self, before: Option<Timestamp>, row: &Row) {
        if let Some(at) = before {
            self.logged.remove(&(at, row.number));
        }
        if let Some(at) = oldest(&row.lines) {
            self.logged.insert((at, row.number), row.id);
        }
    }

    pub(super) fn tasks_kept(&self) -> usize {
        self.tasks.iter().map(BTreeMap::len).sum()
    }

    pub(super) fn runs_kept(&self) -> usize {
        self.runs.iter().map(BTreeMap::len).sum()
    }
}

/// What goes of what has ended in one state, oldest first.
fn over<I: Copy>(ended: &Ended<I>, keep: Keep) -> impl Iterator<Item = I> + '_ {
    let most = keep.most.map_or(ended.len(), |most| usize::try_from(most).unwrap_or(usize::MAX));
    let too_many = ended.len().saturating_sub(most);
    let goes = move |index: usize, at: Timestamp| index < too_many || keep.since.is_some_and(|since| at < since);
    ended.iter().enumerate().take_while(move |(index, ((at, _), _))| goes(*index, *at)).map(|(_, (_, &id))| id)
}

impl State {
    pub(super) fn prune(&mut self, prune: &Prune) -> u64 {
        let most = prune.most as usize;
        let keeps = [prune.succeeded, prune.failed, prune.cancelled];
        let shelves = self.archive.tasks.iter().zip(keeps);
        let tasks: Vec<TaskId> = shelves.flat_map(|(ended, keep)| over(ended, keep)).take(most).collect();
        let shelves = self.archive.runs.iter().zip(keeps);
        let runs: Vec<RunId> = shelves.flat_map(|(ended, keep)| over(ended, keep)).take(most).collect();
        let mut gone = 0;
        for id in tasks {
            gone += u64::from(self.remove_task(id));
        }
        for id in runs {
            gone += u64::from(self.remove_run(id));
        }
        gone += self.prune_logs(prune.logs_since, most) + self.prune_occurrences(prune.succeeded.since, most);
        self.limits.forget_full(self.now);
        gone
    }

    fn prune_logs(&mut self, since: Option<Timestamp>, most: usize) -> u64 {
        let Some(since) = since else { return 0 };
        let mut room = most;
        while room > 0 {
            let Some((&(at, _), id)) = self.archive.logged.first_key_value() else { break };
            let Some(row) = self.tasks.get_mut(id).filter(|_| at < since) else { break };
            row.lines.retain(|line| {
                let goes = line.at < since && room > 0;
                room -= usize::from(goes);
                !goes
            });
            self.archive.relog(Some(at), row);
        }
        (most - room) as u64
    }

    /// The newest of each schedule stays.
    fn prune_occurrences(&mut self, since: Option<Timestamp>, most: usize) -> u64 {
        let Some(since) = since else { return 0 };
        let mut room = most;
        for schedule in self.schedules.values_mut() {
            while room > 0 && schedule.occurrences.len() > 1 {
                let Some(first) = schedule.occurrences.first_entry().filter(|first| *first.key() < since) else {
                    break;
                };
                first.remove();
                room -= 1;
            }
        }
        (most - room) as u64
    }

    /// Takes a task away that has ended, is parked, or was never to be done. Says whether it was there.
    pub(super) fn remove_task(&mut self, id: TaskId) -> bool {
        let Some(row) = self.tasks.remove(&id) else { return false };
        self.task_ids.remove(row.number);
        self.inner_runs.remove(&id);
        self.kinds.parked[row.kind].remove(&id);
        self.queues[row.queue].standing.leave(&row);
        self.archive.forget_task(&row);
        if let Some(at) = oldest(&row.lines) {
            self.archive.logged.remove(&(at, row.number));
        }
        if let Some((keys, key)) = self.task_keys.get_mut(&self.kinds.get(row.kind).name).zip(row.key.as_ref()) {
            keys.remove(key);
        }
        if let Some((id, _)) = row.item
            && let Some(group) = self.groups.get_mut(&id)
        {
            group.gone += 1;
            if row.is_open() {
                group.open -= 1;
                self.turns.push(id);
            }
            if group.gone == group.tasks.len() {
                self.groups.remove(&id);
            }
        }
        if !row.state.is_terminal() {
            self.task_ended(id);
        }
        true
    }

    /// Takes a run away that has ended, with all that is its. Says whether it was there.
    pub(super) fn remove_run(&mut self, id: RunId) -> bool {
        let Some(run) = self.runs.remove(&id) else { return false };
        self.run_ids.remove(run.number);
        self.archive.forget_run(&run.record, run.number);
        if let Some((keys, key)) = self.run_keys.get_mut(&run.record.workflow).zip(run.record.key.as_ref()) {
            keys.remove(key);
        }
        if let Some(step) = run.inner_of {
            self.inner_runs.remove(&step);
        }
        for group in run.without_items {
            self.groups.remove(&group);
        }
        for task in run.members {
            self.remove_task(task);
        }
        true
    }
}

impl Row {
    /// Its oldest log line.
    pub(super) fn logged(&self) -> Option<Timestamp> {
        oldest(&self.lines)
    }
}
