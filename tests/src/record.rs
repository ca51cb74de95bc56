//! Everything that a store holds, read page by page.

use std::collections::BTreeMap;

use evertask::store::{RunFilter, RunRecord, StoreError, TaskFilter, TaskRecord, TaskState};
use evertask::{Dispatcher, TaskId};

const PAGE: u32 = 1_000;

/// Everything that a store holds.
#[derive(Debug, Default)]
pub struct Record {
    /// Every run.
    pub runs: Vec<RunRecord>,
    /// Every task.
    pub tasks: Vec<TaskRecord>,
}

impl Record {
    /// Reads it.
    pub async fn read(dispatcher: &Dispatcher) -> Result<Self, StoreError> {
        let mut record = Self::default();
        loop {
            let mut filter = RunFilter::new().limit(PAGE);
            filter.after = record.runs.last().map(|run| run.id);
            let mut page = dispatcher.list_runs(filter).await?;
            if page.is_empty() {
                break;
            }
            record.runs.append(&mut page);
        }
        loop {
            let mut filter = TaskFilter::new().limit(PAGE);
            filter.after = record.tasks.last().map(|task| task.id);
            let mut page = dispatcher.list(filter).await?;
            if page.is_empty() {
                break;
            }
            record.tasks.append(&mut page);
        }
        Ok(record)
    }

    /// What came of each lap, by its key: a line for each run and task of it, sorted, without ids and times.
    pub fn shapes(&self) -> BTreeMap<String, Vec<String>> {
        let tasks: BTreeMap<TaskId, &TaskRecord> = self.tasks.iter().map(|task| (task.id, task)).collect();
        let mut shapes = BTreeMap::<String, Vec<String>>::new();
        for run in &self.runs {
            let output = match &run.output {
                Some(output) if *output == run.input => "its input",
                Some(_) => "another output",
                None => "no output",
            };
            let failure = run.failure.as_ref().map_or_else(|| "no failure".into(), |failure| failure.kind.to_string());
            let line = format!("run {} {}: {output}, {failure}", run.workflow, run.state);
            shapes.entry(run.correlation.clone().unwrap_or_default()).or_default().push(line);
        }
        for task in &self.tasks {
            let parent =
                task.parent.map(|parent| tasks.get(&parent).map_or_else(|| "?".into(), |parent| label(parent)));
            let parent = parent.unwrap_or_else(|| "nothing".into());
            let line = format!("task {} after {parent} {}: {} failures", label(task), task.state, task.failures);
            shapes.entry(task.correlation.clone().unwrap_or_default()).or_default().push(line);
        }
        for shape in shapes.values_mut() {
            shape.sort();
        }
        shapes
    }
}

fn label(task: &TaskRecord) -> String {
    let step = task.step.as_ref().unwrap_or(&task.name);
    task.workflow.as_ref().map_or_else(|| step.clone(), |workflow| format!("{workflow}/{step}"))
}

/// Waits until no task is ready or running. What is parked is left.
pub async fn idle(dispatcher: &Dispatcher) -> Result<(), StoreError> {
    loop {
        let live = TaskFilter::new().state(TaskState::Ready).state(TaskState::Running).limit(PAGE);
        let live = dispatcher.list(live).await?;
        if live.is_empty() {
            return Ok(());
        }
        for task in live {
            dispatcher.store().ended(task.id.into()).await?;
        }
    }
}
