//! What the workflows of a test came to: a test in which nothing was undone, or nobody died, has shown little.

use std::collections::BTreeMap;

use evertask::store::{RunState, TaskRecord, TaskState};

use crate::drive::Record;
use crate::graph::{Graph, Kind, Step};
use crate::said::STEP_NAMES;

/// From so many workflows on, all of it must be there.
const ENOUGH: u32 = 200;

/// How many of each there were.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    pub(crate) fn add(&mut self, graph: &Graph, record: &Record) {
        let runs = |state| record.runs.iter().filter(|run| run.state == state).count();
        self.count("runs that succeeded", runs(RunState::Succeeded));
        self.count("runs that failed", runs(RunState::Failed));
        self.count("runs within runs", record.runs.iter().filter(|run| run.parent.is_some()).count());
        let mut tasks = |what, is: &dyn Fn(&TaskRecord, &Step) -> bool| {
            let step = |task: &TaskRecord| {
                let number = STEP_NAMES.iter().position(|name| task.step.as_deref() == Some(*name));
                number.map(|number| &graph.steps[number])
            };
            self.count(what, record.tasks.iter().filter(|task| step(task).is_some_and(|step| is(task, step))).count());
        };
        tasks("tasks that succeeded", &|task, _| task.state == TaskState::Succeeded);
        tasks("tasks that failed", &|task, _| task.state == TaskState::Failed);
        tasks("tasks that were cancelled", &|task, _| task.state == TaskState::Cancelled);
        tasks("tasks that were tried again", &|task, _| task.failures > 0 && task.state == TaskState::Succeeded);
        tasks("tasks whose worker died", &|task, _| task.crashes > 0);
        tasks("undone steps", &|task, _| task.is_undo && task.state == TaskState::Succeeded);
        tasks("joins", &|_, step| step.follows.is_some());
        tasks("items", &|task, _| task.item.is_some());
        tasks("signals", &|task, step| matches!(step.kind, Kind::Wait(_)) && task.state == TaskState::Succeeded);
        tasks("looks back", &|_, step| step.asks.is_some());
    }

    fn count(&mut self, what: &'static str, more: usize) {
        *self.0.entry(what).or_default() += more;
    }

    /// Fails if something never was.
    pub(crate) fn check(&self, cases: u32) {
        println!("{:#?}", self.0);
        let never: Vec<_> = self.0.iter().filter(|(_, count)| **count == 0).collect();
        assert!(cases < ENOUGH || never.is_empty(), "never in {cases} workflows: {never:?}");
    }
}
