//! Whether what has failed for good can be tried again, and what a failed run must keep for that.

use crate::id::RunId;
use crate::store::rules::is_of;
use crate::store::{Follow, Revived, RunState, TaskState, Wait};

/// What is known of the run of a failed task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
// Each of them is a fact of its own.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct RunFacts {
    pub(crate) state: RunState,
    /// Its end adds a task.
    pub(crate) end_routed: bool,
    /// It is a step of another run.
    pub(crate) is_step: bool,
    /// Something that undoes a step of it is ready or running, or was ever claimed.
    pub(crate) undone: bool,
    /// While it stopped, something happened that can't be taken up again; see [`loses`].
    pub(crate) lost: bool,
}

/// Whether a task can be tried again. `followed` says that something followed its failure.
pub(crate) fn revival(state: TaskState, followed: bool, run: Option<RunFacts>) -> Revived {
    if state != TaskState::Failed {
        return Revived::NotFailed;
    }
    match run {
        Some(run) if run.undone => Revived::Undone,
        _ if followed => Revived::Followed,
        Some(run) if run.end_routed || run.is_step || run.lost => Revived::Followed,
        Some(RunFacts { state: RunState::Compensating, .. }) => Revived::Stopping,
        // A run that goes on, or has ended otherwise, has done without it.
        Some(run) if run.state != RunState::Failed => Revived::Followed,
        _ => Revived::Ready,
    }
}

/// Whether a run that has failed could be taken up again: then what has arrived at its joins, and its signals, stay.
pub(crate) const fn may_revive(run: RunFacts) -> bool {
    matches!(run.state, RunState::Failed) && !(run.end_routed || run.is_step || run.undone || run.lost)
}

/// Whether something follows this end of a task, of what [`follow`](super::follow) has left: then the task is not
/// tried again.
pub(crate) fn is_followed(kept: &Follow) -> bool {
    !kept.work.is_empty() || kept.arrival.is_some()
}

/// Whether the end of a task in a run that stops because it fails can't be taken up again: what should follow a
/// success is left out, or something followed a cancel. `next` is what was given, before
/// [`follow`](super::follow). What has failed or was cancelled is tried again.
pub(crate) fn loses(next: &Follow, run: Option<(RunId, RunState)>, ended: TaskState, is_undo: bool) -> bool {
    let Some((run, RunState::Compensating)) = run else { return false };
    let own = next.work.iter().any(|work| is_of(work, run));
    match ended {
        _ if is_undo => false,
        TaskState::Succeeded => own || next.output.is_some() || next.failure.is_some() || next.arrival.is_some(),
        TaskState::Cancelled => own,
        _ => false,
    }
}

/// What a task is again that its run's failure has stopped, by what it waited for then. A run that is taken up
/// again runs, so that nothing of it is held.
pub(crate) const fn waits_again(wait: Option<Wait>) -> Option<Wait> {
    match wait {
        Some(Wait::Signal) => Some(Wait::Signal),
        Some(Wait::Turn) => Some(Wait::Turn),
        Some(Wait::Undo | Wait::Run | Wait::Pause | Wait::Slot) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(state: RunState) -> RunFacts {
        RunFacts { state, end_routed: false, is_step: false, undone: false, lost: false }
    }

    #[test]
    fn only_what_nothing_has_followed_is_tried_again() {
        let failed = TaskState::Failed;
        assert_eq!(revival(failed, false, None), Revived::Ready);
        assert_eq!(revival(failed, true, None), Revived::Followed);
        assert_eq!(revival(TaskState::Cancelled, false, None), Revived::NotFailed);
        let run = facts(RunState::Failed);
        assert_eq!(revival(failed, false, Some(run)), Revived::Ready);
        assert_eq!(revival(failed, true, Some(run)), Revived::Followed);
        assert_eq!(revival(failed, false, Some(RunFacts { undone: true, ..run })), Revived::Undone);
        for run in [
            RunFacts { end_routed: true, ..run },
            RunFacts { is_step: true, ..run },
            RunFacts { lost: true, ..run },
            facts(RunState::Running),
            facts(RunState::Succeeded),
            facts(RunState::Cancelled),
        ] {
            assert_eq!(revival(failed, false, Some(run)), Revived::Followed);
            assert!(!may_revive(run));
        }
        assert_eq!(revival(failed, false, Some(facts(RunState::Compensating))), Revived::Stopping);
        assert!(may_revive(run));
    }

    #[test]
    fn what_was_left_out_after_a_success_is_lost() {
        let run = RunId::new();
        let output = || Follow { output: Some(b"1".to_vec()), ..Follow::default() };
        let in_state = |state| Some((run, state));
        let stopping = in_state(RunState::Compensating);
        assert!(loses(&output(), stopping, TaskState::Succeeded, false));
        assert!(!loses(&output(), stopping, TaskState::Succeeded, true));
        assert!(!loses(&output(), stopping, TaskState::Failed, false));
        assert!(!loses(&output(), stopping, TaskState::Cancelled, false));
        assert!(!loses(&Follow::default(), stopping, TaskState::Succeeded, false));
        assert!(!loses(&output(), in_state(RunState::Running), TaskState::Succeeded, false));
        assert!(!loses(&output(), None, TaskState::Succeeded, false));
    }
}
