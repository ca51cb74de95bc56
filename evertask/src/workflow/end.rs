//! The end of a run of a workflow that has edges of its own: one more task, added by the transaction that
//! ends the run, so that what follows the workflow can't be lost. A worker that knows the workflow runs it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, derive};
use crate::store::{NewTask, RunState};

/// A run that has just ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending<'a> {
    pub(crate) run: RunId,
    pub(crate) workflow: &'a str,
    pub(crate) correlation: Option<&'a str>,
    pub(crate) parent: Option<TaskId>,
    pub(crate) input: &'a [u8],
    pub(crate) state: RunState,
    pub(crate) output: Option<&'a [u8]>,
    pub(crate) failure: Option<&'a FailureReport>,
}

/// What the end task carries.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EndPayload<'a> {
    pub(crate) run: RunId,
    #[serde(borrow)]
    pub(crate) input: &'a RawValue,
    pub(crate) state: RunState,
    #[serde(borrow)]
    pub(crate) output: Option<&'a RawValue>,
    pub(crate) failure: Option<FailureReport>,
}

/// The end of the run, as JSON. What is no JSON itself can't be carried, and is left out.
pub(crate) fn end_payload(ending: &Ending<'_>) -> Vec<u8> {
    let raw = |json| serde_json::from_slice::<&RawValue>(json).ok();
    let payload = EndPayload {
        run: ending.run,
        input: raw(ending.input).unwrap_or(RawValue::NULL),
        state: ending.state,
        output: ending.output.and_then(raw),
        failure: ending.failure.cloned(),
    };
    // Text, a number and what is JSON already: there is nothing in it that can't be written.
    serde_json::to_vec(&payload).unwrap_or_default()
}

/// The task that follows the run.
pub(crate) fn end_task(ending: &Ending<'_>) -> NewTask {
    NewTask {
        terms: None,
        id: derive(ending.run.uuid(), "end", 0).into(),
        name: ending.workflow.to_owned().into(),
        queue: crate::DEFAULT_QUEUE.into(),
        priority: 0,
        delay: std::time::Duration::ZERO,
        at: None,
        payload: end_payload(ending),
        key: None,
        correlation: ending.correlation.map(str::to_owned),
        parent: ending.parent,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
    }
}
