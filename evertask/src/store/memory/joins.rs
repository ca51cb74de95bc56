//! Joins, and what a run had before.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::id::{RunId, TaskId, WorkerId};
use crate::store::rules::{self, Brought, Outcome};
use crate::store::{Arrival, Earlier, Got, Member, NewTask};

use super::add::Adding;
use super::state::{RunRow, State, StepRow};

/// The members of a join that have arrived, each with its `each`.
pub(super) type Arrived = BTreeMap<u32, Option<Uuid>>;

impl State {
    /// A member has arrived. The last one adds the joined task.
    pub(super) fn arrive(&mut self, id: RunId, arrival: Arrival, group: Option<Uuid>, by: Option<WorkerId>) {
        if group.and_then(|group| self.groups.get(&group)).is_some_and(|group| group.open > 0) {
            return;
        }
        let Some(run) = self.runs.get_mut(&id).filter(|run| rules::goes_on(run.record.state)) else { return };
        let Arrival { join, member, members, settled, then } = arrival;
        // Who arrived under a name that the join had.
        let before: Vec<_> = then.was.iter().filter_map(|was| run.joins.remove(*was)).flatten().collect();
        let arrived = run.joins.entry(join.clone().into_owned()).or_default();
        for (member, group) in before {
            arrived.entry(member).or_insert(group);
        }
        arrived.insert(member, group);
        if !(0..).zip(&members).all(|(member, _)| arrived.contains_key(&member)) {
            return;
        }
        let Some(arrived) = run.joins.remove(&*join) else { return };
        let brought = (0..).zip(&members).map(|(place, member)| {
            let group = arrived.get(&place).copied().flatten();
            self.brought(id, member, group, settled)
        });
        let payload = rules::joined(brought, settled);
        self.add_task(NewTask { payload, ..then }, Adding { by, got: Some(Got::Join), ..Adding::default() });
    }

    fn brought(&self, run: RunId, member: &Member, group: Option<Uuid>, settled: bool) -> Brought {
        if member.each {
            let tasks = group.and_then(|group| self.groups.get(&group)).map_or(&[][..], |group| &group.tasks);
            return Brought::Each(tasks.iter().filter_map(|&id| self.outcome(id)).collect());
        }
        let last = |step: &StepRow| if settled { step.ended } else { step.succeeded };
        let found = member.step_names().find_map(|step| self.last(run, step, last));
        Brought::One(found.and_then(|id| self.outcome(id)))
    }

    /// The last task of a step of a run, by arrival.
    fn last(&self, run: RunId, step: &str, of: impl Fn(&StepRow) -> Option<(usize, TaskId)>) -> Option<TaskId> {
        let steps = self.runs.get(&run).map_or(&[][..], |run| &run.steps);
        let same = steps.iter().filter(|had| self.kinds.get(had.kind).step.as_deref() == Some(step));
        same.filter_map(of).max().map(|(_, id)| id)
    }

    fn outcome(&self, id: TaskId) -> Option<Outcome> {
        let row = self.tasks.get(&id)?;
        let cancelled = || rules::step_cancelled(&self.kinds.get(row.kind).name, id, row.failures);
        rules::outcome(row.state, row.output.as_deref(), row.failure.as_ref(), cancelled)
    }

    pub(super) fn earlier(&self, run: RunId, steps: &[String]) -> Earlier {
        let output = |step: &String| {
            let last = self.last(run, step, |had| had.succeeded)?;
            self.tasks.get(&last)?.output.clone()
        };
        Earlier {
            input: self.runs.get(&run).map(|run| run.record.input.clone()).unwrap_or_default(),
            outputs: steps.iter().map(output).collect(),
        }
    }
}

impl RunRow {
    /// The first join where somebody waits in vain, if the run has nothing left to do.
    pub(super) fn incomplete(&self) -> Option<&str> {
        self.joins.keys().next().map(String::as_str)
    }
}
