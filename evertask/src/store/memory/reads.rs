//! Questions.

use crate::id::{RunId, TaskId};
use crate::store::{AttemptRecord, LogLine, RunFilter, RunRecord, TaskFilter, TaskRecord};

use super::state::{Row, State};

const PAGE: u32 = 100;

impl State {
    pub(super) fn task(&self, id: TaskId) -> Option<TaskRecord> {
        self.tasks.get(&id).map(|row| self.record(row))
    }

    pub(super) fn run(&self, id: RunId) -> Option<RunRecord> {
        self.runs.get(&id).map(|run| run.record.clone())
    }

    pub(super) fn log(&self, id: TaskId) -> Vec<LogLine> {
        self.tasks.get(&id).map(|row| row.lines.clone()).unwrap_or_default()
    }

    pub(super) fn attempts(&self, id: TaskId) -> Vec<AttemptRecord> {
        self.tasks.get(&id).map(|row| row.attempts.clone()).unwrap_or_default()
    }

    /// By arrival. What is not there has nothing after it.
    pub(super) fn tasks(&self, filter: &TaskFilter) -> Vec<TaskRecord> {
        let matches = |row: &&Row| {
            let kind = self.kinds.get(row.kind);
            (filter.states.is_empty() || filter.states.contains(&row.state))
                && filter.name.as_ref().is_none_or(|name| kind.name == *name)
                && filter.queue.as_ref().is_none_or(|queue| self.queues[row.queue].name == *queue)
                && filter.correlation.as_ref().is_none_or(|value| row.correlation.as_ref() == Some(value))
        };
        let number = |id: &TaskId| self.tasks.get(id).map(|row| row.number);
        let ids: Box<dyn Iterator<Item = TaskId>> = match filter.run {
            Some(run) => {
                let members = self.runs.get(&run).map_or(&[][..], |run| &run.members);
                Box::new(after(members, filter.after.as_ref(), number).iter().copied())
            }
            None => Box::new(self.task_ids.from(first(filter.after.as_ref(), number))),
        };
        let rows = ids.filter_map(|id| self.tasks.get(&id));
        rows.filter(matches).take(page(filter.limit)).map(|row| self.record(row)).collect()
    }

    /// By arrival, too.
    pub(super) fn runs(&self, filter: &RunFilter) -> Vec<RunRecord> {
        let matches = |record: &&RunRecord| {
            (filter.states.is_empty() || filter.states.contains(&record.state))
                && filter.workflow.as_ref().is_none_or(|workflow| record.workflow == *workflow)
                && filter.correlation.as_ref().is_none_or(|value| record.correlation.as_ref() == Some(value))
        };
        let number = |id: &RunId| self.runs.get(id).map(|run| run.number);
        let ids = self.run_ids.from(first(filter.after.as_ref(), number));
        let records = ids.filter_map(|id| self.runs.get(&id)).map(|run| &run.record);
        records.filter(matches).take(page(filter.limit)).cloned().collect()
    }

    fn record(&self, row: &Row) -> TaskRecord {
        let kind = self.kinds.get(row.kind);
        TaskRecord {
            deadline: row.deadline,
            id: row.id,
            name: kind.name.clone(),
            queue: self.queues[row.queue].name.clone(),
            state: row.state,
            priority: row.priority,
            run_at: row.run_at,
            payload: row.payload.clone(),
            output: row.output.clone(),
            failure: row.failure.clone(),
            error: row.error.clone(),
            parked: row.parked.clone(),
            fence: row.fence,
            failures: row.failures,
            crashes: row.crashes,
            interrupts: row.interrupts,
            worker: row.worker,
            cancel_requested: row.cancel_requested,
            key: row.key.clone(),
            correlation: row.correlation.clone(),
            parent: row.parent,
            run: row.run,
            workflow: kind.workflow.clone(),
            step: kind.step.clone(),
            wait: row.wait,
            item: row.item.map(|(_, item)| item),
            is_undo: row.is_undo,
            progress: row.progress,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

/// The first number after this one's: none, where it is not there.
fn first<I>(last: Option<&I>, number: impl Fn(&I) -> Option<usize>) -> usize {
    last.map_or(0, |last| number(last).map_or(usize::MAX, |number| number + 1))
}

/// The ids that came after this one, of ids by arrival.
fn after<'a, I>(ids: &'a [I], last: Option<&I>, number: impl Fn(&I) -> Option<usize>) -> &'a [I] {
    let Some(last) = last else { return ids };
    let last = number(last);
    let from = last.map_or(ids.len(), |_| ids.partition_point(|id| number(id) <= last));
    &ids[from..]
}

fn page(limit: Option<u32>) -> usize {
    limit.unwrap_or(PAGE) as usize
}
