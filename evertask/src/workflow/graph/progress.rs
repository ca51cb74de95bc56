//! How far a run is, step by step.

use std::collections::BTreeMap;
use std::fmt;

use super::GraphStep;
use crate::id::RunId;
use crate::store::{RunRecord, RunState, TaskRecord, TaskState, Wait};

/// How far a run is, step by step: [`Dispatcher::progress`](crate::Dispatcher::progress) reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunProgress {
    /// The run.
    pub run: RunId,
    /// The workflow's name, as it is stored.
    pub workflow: String,
    /// The run's state.
    pub state: RunState,
    /// What became of each step that the run has reached, by the name under which it is stored. A task of a standing
    /// chain is there by its own name.
    pub steps: BTreeMap<String, StepProgress>,
}

/// What became of the tasks of one step: there are many of an `each` and of a loop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepProgress {
    /// Tasks that wait: for a signal, their turn, or to undo.
    pub waiting: u64,
    /// Tasks that are ready, delayed or wait to retry.
    pub ready: u64,
    /// Tasks that run, and workflows that are a step.
    pub running: u64,
    /// Tasks that ended well.
    pub succeeded: u64,
    /// Tasks that failed for good.
    pub failed: u64,
    /// Tasks that were cancelled.
    pub cancelled: u64,
    /// Tasks that can't be read by any worker yet.
    pub parked: u64,
    /// How often a worker has begun one of them.
    pub attempts: u64,
    /// How the last one ended, or, where it is one of the items of an `each`, the worst of all.
    pub(super) ended: Option<StepState>,
}

/// The state of a step in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StepState {
    /// The run has not come to it, and may not.
    NotReached,
    /// All that was begun of it ended well.
    Succeeded,
    /// It was cancelled.
    Cancelled,
    /// It failed for good.
    Failed,
    /// It waits: for a signal, its turn, or to undo.
    Waiting,
    /// It runs as soon as it is due and a slot is free.
    Ready,
    /// A worker has it.
    Running,
    /// It can't be read; it resumes when a worker knows it.
    Parked,
}

impl RunProgress {
    pub(crate) fn new(run: &RunRecord) -> Self {
        Self { run: run.id, workflow: run.workflow.clone(), state: run.state, steps: BTreeMap::new() }
    }

    /// Counts one task of the run. They come oldest first.
    pub(crate) fn add(&mut self, task: &TaskRecord) {
        // An undo waits from its step's success on. It is reached when the run fails, not before.
        let undoes = matches!(self.state, RunState::Compensating | RunState::Failed);
        if task.is_undo && task.fence == 0 && (!undoes || task.state == TaskState::Cancelled) {
            return;
        }
        let name = task.step.as_ref().unwrap_or(&task.name);
        self.steps.entry(name.clone()).or_default().add(task);
    }

    /// What became of a step, under any name that it had.
    pub fn of(&self, step: &GraphStep) -> StepProgress {
        let mut found = StepProgress::default();
        for name in step.was.iter().chain([&step.name]) {
            if let Some(part) = self.steps.get(name) {
                found.join(part);
            }
        }
        found
    }

    /// What stands over a picture.
    pub(super) fn title(&self) -> String {
        format!("{}: {}", self.workflow, self.state)
    }
}

impl StepProgress {
    fn add(&mut self, task: &TaskRecord) {
        let (count, ended) = match task.state {
            // It waits for the end of the run that it is.
            TaskState::Waiting if task.wait == Some(Wait::Run) => (&mut self.running, None),
            TaskState::Waiting => (&mut self.waiting, None),
            TaskState::Ready => (&mut self.ready, None),
            TaskState::Running => (&mut self.running, None),
            TaskState::Parked => (&mut self.parked, None),
            TaskState::Succeeded => (&mut self.succeeded, Some(StepState::Succeeded)),
            TaskState::Failed => (&mut self.failed, Some(StepState::Failed)),
            TaskState::Cancelled => (&mut self.cancelled, Some(StepState::Cancelled)),
        };
        *count += 1;
        self.attempts += u64::try_from(task.fence).unwrap_or(0);
        if ended.is_some() {
            self.ended = if task.item.is_some() { self.ended.max(ended) } else { ended };
        }
    }

    fn join(&mut self, later: &Self) {
        self.waiting += later.waiting;
        self.ready += later.ready;
        self.running += later.running;
        self.succeeded += later.succeeded;
        self.failed += later.failed;
        self.cancelled += later.cancelled;
        self.parked += later.parked;
        self.attempts += later.attempts;
        self.ended = later.ended.or(self.ended);
    }

    /// How many tasks the run has of this step.
    pub fn tasks(&self) -> u64 {
        self.counts().iter().map(|(_, count)| count).sum()
    }

    /// The state of the whole: of what is open, that which is nearest to running; or how the last visit ended; or, of
    /// an `each`, how its worst item ended.
    pub fn state(&self) -> StepState {
        let open = self.counts().into_iter().filter(|(state, count)| *state >= StepState::Waiting && *count > 0);
        open.map(|(state, _)| state).next().or(self.ended).unwrap_or(StepState::NotReached)
    }

    /// What is open first, nearest to running.
    fn counts(&self) -> [(StepState, u64); 7] {
        [
            (StepState::Running, self.running),
            (StepState::Ready, self.ready),
            (StepState::Waiting, self.waiting),
            (StepState::Parked, self.parked),
            (StepState::Succeeded, self.succeeded),
            (StepState::Failed, self.failed),
            (StepState::Cancelled, self.cancelled),
        ]
    }
}

/// `succeeded`, or `2 running, 3 succeeded`, and how many attempts, where these are more than tasks.
impl fmt::Display for StepProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.tasks();
        if tasks < 2 {
            f.write_str(self.state().as_str())?;
        } else {
            let there = self.counts().into_iter().filter(|(_, count)| *count > 0);
            for (nth, (state, count)) in there.enumerate() {
                write!(f, "{}{count} {state}", if nth == 0 { "" } else { ", " })?;
            }
        }
        if self.attempts > tasks {
            write!(f, " ({} attempts)", self.attempts)?;
        }
        Ok(())
    }
}

impl StepState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::NotReached,
        Self::Succeeded,
        Self::Cancelled,
        Self::Failed,
        Self::Waiting,
        Self::Ready,
        Self::Running,
        Self::Parked,
    ];

    /// As a picture says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReached => "not reached",
            Self::Succeeded => "succeeded",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Parked => "parked",
        }
    }

    /// Fill, border and text: each text has a contrast of at least 4.5 to its fill.
    pub(super) const fn colours(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::NotReached => ("#eeeeee", "#8c959f", "#57606a"),
            Self::Succeeded => ("#d1f0d8", "#1a7f37", "#0b4019"),
            Self::Cancelled => ("#d8dee4", "#424a53", "#32383f"),
            Self::Failed => ("#ffd8d3", "#cf222e", "#6e1016"),
            Self::Waiting => ("#fff3c4", "#9a6700", "#533700"),
            Self::Ready => ("#eadcff", "#8250df", "#3d1f78"),
            Self::Running => ("#cfe8ff", "#0969da", "#0a3069"),
            Self::Parked => ("#ffdfc4", "#bc4c00", "#5c2400"),
        }
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
