//! Decisions that every store makes alike, as plain functions: what follows an ended task, what a stopped
//! task becomes, what a join brings, and how a run ends. In files of their own: who is claimed first ([`rank`]),
//! how many may start ([`rate`]), what a queue takes ([`room`]), what a taken key means ([`key`]), and what can be
//! tried again ([`revival`]).

use std::time::Duration;

use crate::failure::{FailureKind, FailureReport};
use crate::id::{RunId, TaskId};
use crate::schedule::{Backoff, Timestamp};
use crate::workflow::end::{Ending, end_payload, end_task};

use super::{Follow, LogLine, NewTask, NewWork, ParkReason, RunRecord, RunState, SignalOutcome, TaskState, Wait};

pub(crate) mod key;
pub(crate) mod rank;
pub(crate) mod rate;
pub(crate) mod revival;
pub(crate) mod room;

/// When the time in all of a task is up that is first due then. Nothing is due for ever.
pub(crate) fn deadline(first_due: Timestamp, within: Option<Duration>) -> Option<Timestamp> {
    within.map(|within| first_due.plus(within)).filter(|deadline| deadline.as_millis() < i64::MAX)
}

/// How many log lines of a task are kept; one more says that there were others.
pub(crate) const LOG_LINES: usize = 1_000;

/// Which of `lines` are kept beside the `kept` ones: those that fit, and once a last line that says so.
pub(crate) fn lines_to_keep(kept: usize, mut lines: Vec<LogLine>) -> Vec<LogLine> {
    let room = LOG_LINES.saturating_sub(kept);
    if lines.len() > room {
        let first_lost = lines.get(room).map(|line| (line.at, line.fence));
        lines.truncate(room);
        if let Some((at, fence)) = first_lost.filter(|_| kept <= LOG_LINES) {
            lines.push(LogLine { at, fence, text: format!("more than {LOG_LINES} lines: the rest is not kept") });
        }
    }
    lines
}

/// What becomes of a running task that a worker gives back without an end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutBack {
    /// It is ready, when it was to be.
    Ready,
    /// It is ready now, and its next claim only routes its cancel.
    ReadyToCancel,
    /// It ends as cancelled.
    Cancelled,
}

/// A retry, a snooze, a hand-back and a lost lease give way to a cancel that was asked for.
pub(crate) const fn put_back(cancel_requested: bool, cancel_routed: bool) -> PutBack {
    match (cancel_requested, cancel_routed) {
        (false, _) => PutBack::Ready,
        (true, true) => PutBack::ReadyToCancel,
        (true, false) => PutBack::Cancelled,
    }
}

/// The state of a task that could be claimed now, or later: that of a run that is held waits.
pub(crate) const fn ready(run: Option<RunState>) -> (TaskState, Option<Wait>) {
    match run {
        Some(RunState::Paused) => (TaskState::Waiting, Some(Wait::Pause)),
        _ => (TaskState::Ready, None),
    }
}

/// What a cancel does to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing: it had ended.
    Nothing,
    /// It ends as cancelled.
    End,
    /// The cancel is noted, and it is ready now: a worker ends it.
    Route,
    /// The cancel is noted, and its worker is told.
    Tell,
    /// The cancel is noted, and the run that it waits for is cancelled; its end ends the task.
    Inner,
}

/// What a cancel does to a task in this state. The end of its run's work does nothing to what undoes it:
/// then this is not asked.
pub(crate) const fn stop(state: TaskState, wait: Option<Wait>, cancel_routed: bool) -> Stop {
    match (state, wait) {
        (TaskState::Succeeded | TaskState::Failed | TaskState::Cancelled, _) => Stop::Nothing,
        (TaskState::Running, _) => Stop::Tell,
        (TaskState::Waiting, Some(Wait::Run)) => Stop::Inner,
        // What is not to be undone has no cancel of its own to route.
        (TaskState::Waiting, Some(Wait::Undo)) => Stop::End,
        (TaskState::Waiting | TaskState::Ready | TaskState::Parked, _) if cancel_routed => Stop::Route,
        (TaskState::Waiting | TaskState::Ready | TaskState::Parked, _) => Stop::End,
    }
}

/// Whether work is added to a run in this state, and its joins go on.
pub(crate) const fn goes_on(run: RunState) -> bool {
    matches!(run, RunState::Running | RunState::Paused)
}

/// The part of `next` that holds, where a task of `run` has ended like this while the run was in this state.
pub(crate) fn follow(next: Follow, run: Option<(RunId, RunState)>, ended: TaskState, is_undo: bool) -> Follow {
    let Some((run, state)) = run else {
        return Follow { work: next.work, ..Follow::default() };
    };
    let stopped = matches!(state, RunState::Cancelling | RunState::Compensating);
    let keep_own =
        if stopped { ended == TaskState::Cancelled && !is_undo } else { goes_on(state) && next.failure.is_none() };
    let mut work = next.work;
    if !keep_own {
        work.retain(|work| !is_of(work, run));
    }
    // What has been done can be undone, whatever became of its run meanwhile.
    let undo = next.undo.filter(|_| ended == TaskState::Succeeded && !is_undo);
    if !goes_on(state) {
        return Follow { work, undo, ..Follow::default() };
    }
    let arrival =
        next.arrival.filter(|arrival| next.failure.is_none() && (ended == TaskState::Succeeded || arrival.settled));
    Follow { work, output: next.output, failure: next.failure, undo, arrival, ..Follow::default() }
}

/// Whether this work is of this run: a task of it, or a run that is a step of it.
pub(crate) fn is_of(work: &NewWork, run: RunId) -> bool {
    run_of(work) == Some(run)
}

/// The run that this work is of.
pub(crate) fn run_of(work: &NewWork) -> Option<RunId> {
    let task = match work {
        NewWork::Task(task) => Some(task),
        NewWork::Run(run) => run.step.as_ref(),
        NewWork::Each(each) => each.tasks.first().or_else(|| each.arrival.as_ref().map(|arrival| &arrival.then)),
    };
    task?.of.as_ref().map(|of| of.run)
}

/// What becomes of a signal: whether a step waits for one now, and whether the step had one before.
pub(crate) fn signal(run: Option<RunState>, waits: bool, before: bool) -> SignalOutcome {
    match run {
        None => SignalOutcome::NotFound,
        Some(state) if state.is_terminal() => SignalOutcome::Ended,
        Some(_) if waits => SignalOutcome::Delivered,
        Some(_) if before => SignalOutcome::Repeated,
        Some(_) => SignalOutcome::Kept,
    }
}

/// What an ended task brings to a join: its output, or why there is none. Nothing if it has not ended.
pub(crate) fn outcome(
    state: TaskState,
    output: Option<&[u8]>,
    failure: Option<&FailureReport>,
    cancelled: impl FnOnce() -> FailureReport,
) -> Option<Outcome> {
    match state {
        TaskState::Succeeded => Some(Ok(output.unwrap_or(b"null").to_vec())),
        TaskState::Failed => Some(Err(failure.cloned().unwrap_or_else(cancelled))),
        TaskState::Cancelled => Some(Err(cancelled())),
        TaskState::Waiting | TaskState::Ready | TaskState::Running | TaskState::Parked => None,
    }
}

/// An output as JSON, or why there is none.
pub(crate) type Outcome = Result<Vec<u8>, FailureReport>;

/// What a member brings to its join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Brought {
    /// The outcome of its last task: the last that succeeded, unless the join is settled.
    One(Option<Outcome>),
    /// The outcomes of an `each`, in the order of the items.
    Each(Vec<Outcome>),
}

/// The payload of a joined task: the JSON array of what its members bring.
///
/// Where the join is not settled, an item of an `each` that did not succeed brings nothing.
pub(crate) fn joined(members: impl IntoIterator<Item = Brought>, settled: bool) -> Vec<u8> {
    let element = |outcome: Outcome| match (outcome, settled) {
        (Ok(output), false) => Some(output),
        (Ok(output), true) => Some([b"{\"Ok\":", &output[..], b"}"].concat()),
        (Err(_), false) => None,
        (Err(report), true) => {
            let report = serde_json::to_vec(&report).unwrap_or_else(|_| b"null".to_vec());
            Some([b"{\"Err\":", &report[..], b"}"].concat())
        }
    };
    array(members.into_iter().map(|member| match member {
        Brought::One(outcome) => outcome.and_then(element).unwrap_or_else(|| b"null".to_vec()),
        Brought::Each(outcomes) => array(outcomes.into_iter().filter_map(element)),
    }))
}

fn array(elements: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut json = vec![b'['];
    for (index, element) in elements.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend(element);
    }
    json.push(b']');
    json
}

/// Why a run whose last task has ended can't succeed, if it can't: a join of it that is not complete, or its
/// output. `carried` says whether its end goes on as JSON: to the run that it is a step of, or over its edges.
pub(crate) fn falls_short(run: &RunRecord, incomplete: Option<&str>, carried: bool) -> Option<FailureReport> {
    if !goes_on(run.state) {
        return None;
    }
    if let Some(join) = incomplete {
        return Some(declared(&run.workflow, run.id, format!("the join `{join}` was never complete")));
    }
    let Some(output) = &run.output else { return Some(no_output(&run.workflow, run.id)) };
    let is_json = !carried || serde_json::from_slice::<&serde_json::value::RawValue>(output).is_ok();
    (!is_json).then(|| declared(&run.workflow, run.id, "the run's output is no JSON".to_owned()))
}

/// Ends a run whose last task has ended, and that has nothing left to undo: its state, and the one task that
/// follows it, if any does. What [`falls_short`] has failed before.
pub(crate) fn end_run(run: &mut RunRecord, end_routed: bool, now: Timestamp) -> Option<NewTask> {
    run.state = match run.state {
        RunState::Cancelling => RunState::Cancelled,
        RunState::Running | RunState::Paused if run.output.is_some() => RunState::Succeeded,
        RunState::Running | RunState::Paused | RunState::Compensating => RunState::Failed,
        ended @ (RunState::Succeeded | RunState::Failed | RunState::Cancelled) => ended,
    };
    run.finished_at = Some(now);
    if run.state == RunState::Failed && run.failure.is_none() {
        run.failure = Some(no_output(&run.workflow, run.id));
    }
    end_routed.then(|| end_task(&ending(run)))
}

/// What the step gets that waits for the end of this run.
pub(crate) fn end_of_run(run: &RunRecord) -> Vec<u8> {
    end_payload(&ending(run))
}

/// What undoes a step has failed for good, or was cancelled: its run fails at once, from whatever state.
pub(crate) fn undo_failed(run: &mut RunRecord, report: FailureReport) {
    run.state = RunState::Compensating;
    run.failure.get_or_insert(report);
}

fn ending(run: &RunRecord) -> Ending<'_> {
    Ending {
        run: run.id,
        workflow: &run.workflow,
        correlation: run.correlation.as_deref(),
        parent: run.parent,
        input: &run.input,
        state: run.state,
        output: run.output.as_deref(),
        failure: run.failure.as_ref(),
    }
}

/// Why a run failed that ended without the output it promised.
pub(crate) fn no_output(workflow: &str, run: RunId) -> FailureReport {
    declared(workflow, run, "the run ended without an output".to_owned())
}

/// A failure that the workflow itself, or its store, declares.
pub(crate) fn declared(workflow: &str, run: RunId, message: String) -> FailureReport {
    FailureReport::new(workflow, run.uuid(), FailureKind::Declared, message, 0)
}

/// Why a run failed one of whose steps ran too often.
pub(crate) fn too_many_visits(run: RunId, step: &str, limit: u32) -> FailureReport {
    declared(step, run, format!("the step `{step}` has run {limit} times, its limit"))
}

/// Why a run failed whose time was up.
pub(crate) fn out_of_time(workflow: &str, run: RunId) -> FailureReport {
    FailureReport::new(
        workflow,
        run.uuid(),
        FailureKind::Timeout,
        "the run took longer than its `timeout`".to_owned(),
        0,
    )
}

/// Why a run failed one of whose steps was cancelled alone.
pub(crate) fn step_cancelled(name: &str, id: TaskId, failures: u32) -> FailureReport {
    FailureReport::new(name, id.uuid(), FailureKind::Cancelled, "cancelled".to_owned(), failures)
}

/// Why an attempt ended that a dead worker had.
pub(crate) fn crashed(name: &str, id: TaskId, failures: u32, place: &str) -> FailureReport {
    FailureReport::new(name, id.uuid(), FailureKind::Crash, format!("its worker died: {place}"), failures)
}

/// The pause before a task is claimed again whose worker died, so many times now. None after the first: most of
/// them are innocent. Then longer each time, and different for each task: what dies with others is found alone.
pub(crate) fn crash_pause(crashes: u32, id: TaskId) -> Duration {
    const FIRST: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(30);
    let Some(again) = crashes.checked_sub(1).filter(|again| *again > 0) else { return Duration::ZERO };
    let least = FIRST.saturating_mul(2_u32.saturating_pow(again - 1)).min(MAX);
    least + Backoff::Exponential { first: FIRST, max: MAX }.pause(again, id).unwrap_or_default()
}

/// Why a task is parked that no listed worker can run.
pub(crate) fn park_detail(reason: ParkReason, name: &str, step: Option<(&str, &str)>) -> String {
    match (reason, step) {
        (ParkReason::UnknownStep, Some((workflow, step))) => {
            format!("no worker has the step `{step}` of the workflow `{workflow}`")
        }
        _ => format!("no worker knows the task `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { at: Timestamp::from_millis(1), fence: 1, text: text.to_owned() }
    }

    fn run(state: RunState, output: Option<&str>) -> RunRecord {
        RunRecord {
            id: RunId::new(),
            workflow: "flow".to_owned(),
            version: 1,
            fingerprint: 0,
            state,
            input: b"1".to_vec(),
            output: output.map(|json| json.as_bytes().to_vec()),
            failure: None,
            open_tasks: 0,
            key: None,
            correlation: None,
            parent: None,
            deadline: None,
            created_at: Timestamp::from_millis(0),
            finished_at: None,
        }
    }

    fn step_of(run: RunId) -> NewWork {
        let of = super::super::StepOf { run, workflow: "flow".into(), step: Some("one".into()) };
        NewWork::Task(NewTask {
            terms: None,
            id: TaskId::new(),
            name: "one".into(),
            queue: "default".into(),
            priority: 0,
            delay: std::time::Duration::ZERO,
            at: None,
            payload: b"null".to_vec(),
            key: None,
            correlation: None,
            parent: None,
            of: Some(of),
            cancel_routed: false,
            wait: None,
            visits: None,
            was: &[],
        })
    }

    #[test]
    fn the_log_is_bounded_and_says_so_once() {
        assert_eq!(lines_to_keep(0, vec![line("a")]), [line("a")]);
        let kept = lines_to_keep(LOG_LINES - 1, vec![line("a"), line("b")]);
        assert_eq!(kept.len(), 2);
        assert!(kept[1].text.starts_with("more than"));
        assert!(lines_to_keep(LOG_LINES, Vec::new()).is_empty());
        assert_eq!(lines_to_keep(LOG_LINES, vec![line("a")]).len(), 1);
        assert!(lines_to_keep(LOG_LINES + 1, vec![line("a")]).is_empty());
    }

    #[test]
    fn a_run_ends_by_its_state_and_its_output() {
        let now = Timestamp::from_millis(7);
        let cases = [
            (RunState::Running, Some("1"), RunState::Succeeded),
            (RunState::Paused, Some("1"), RunState::Succeeded),
            (RunState::Running, None, RunState::Failed),
            (RunState::Cancelling, Some("1"), RunState::Cancelled),
            (RunState::Compensating, Some("1"), RunState::Failed),
        ];
        for (before, output, after) in cases {
            let mut run = run(before, output);
            assert_eq!(end_run(&mut run, false, now), None);
            assert_eq!((run.state, run.finished_at), (after, Some(now)));
            assert_eq!(run.failure.is_some(), after == RunState::Failed);
        }
    }

    #[test]
    fn a_run_falls_short_of_its_output_and_its_joins() {
        let message = |run: &RunRecord, join, carried| falls_short(run, join, carried).map(|failure| failure.message);
        for state in [RunState::Running, RunState::Paused] {
            assert_eq!(message(&run(state, Some("1")), None, true), None);
            assert!(message(&run(state, Some("1")), Some("j"), true).is_some_and(|text| text.contains("join `j`")));
            assert!(message(&run(state, None), None, false).is_some_and(|text| text.contains("without an output")));
            assert!(message(&run(state, Some("{")), None, true).is_some_and(|text| text.contains("no JSON")));
            assert_eq!(message(&run(state, Some("{")), None, false), None);
        }
        assert_eq!(message(&run(RunState::Cancelling, None), Some("j"), true), None);
        assert_eq!(message(&run(RunState::Compensating, None), Some("j"), true), None);
    }

    #[test]
    fn a_routed_end_is_one_task_even_where_its_parts_are_no_json() {
        let mut sound = run(RunState::Running, Some("1"));
        assert!(end_run(&mut sound, true, Timestamp::from_millis(7)).is_some());
        let mut broken = RunRecord { input: b"{".to_vec(), ..run(RunState::Compensating, Some("{")) };
        let end = end_run(&mut broken, true, Timestamp::from_millis(7));
        assert!(end.is_some_and(|task| task.payload == end_of_run(&broken)));
        let json = end_of_run(&broken);
        let payload: crate::workflow::end::EndPayload<'_> = serde_json::from_slice(&json).unwrap();
        assert_eq!((payload.input.get(), payload.output.is_none()), ("null", true));
    }

    #[test]
    fn what_follows_depends_on_the_run() {
        let id = RunId::new();
        let arrival = |settled| {
            let NewWork::Task(then) = step_of(id) else { unreachable!() };
            Some(super::super::Arrival { join: "j".into(), member: 0, members: Vec::new(), settled, then })
        };
        let next = || {
            let NewWork::Task(undo) = step_of(id) else { unreachable!() };
            let work = vec![step_of(id), step_of(RunId::new())];
            let output = Some(b"1".to_vec());
            Follow { work, output, undo: Some(undo), arrival: arrival(false), ..Follow::default() }
        };
        let kept = |next: Follow| {
            (
                next.work.len(),
                next.output.is_some(),
                next.failure.is_some(),
                next.undo.is_some(),
                next.arrival.is_some(),
            )
        };
        let of = |state| Some((id, state));
        assert_eq!(kept(follow(next(), None, TaskState::Succeeded, false)), (2, false, false, false, false));
        for state in [RunState::Running, RunState::Paused] {
            assert_eq!(kept(follow(next(), of(state), TaskState::Succeeded, false)), (2, true, false, true, true));
            assert_eq!(kept(follow(next(), of(state), TaskState::Failed, false)), (2, true, false, false, false));
            let settled = Follow { arrival: arrival(true), ..next() };
            assert_eq!(kept(follow(settled, of(state), TaskState::Failed, false)), (2, true, false, false, true));
            let failing = Follow { failure: Some(out_of_time("flow", id)), ..next() };
            assert_eq!(kept(follow(failing, of(state), TaskState::Succeeded, false)), (1, true, true, true, false));
        }
        for state in [RunState::Cancelling, RunState::Compensating] {
            assert_eq!(kept(follow(next(), of(state), TaskState::Succeeded, false)), (1, false, false, true, false));
            assert_eq!(kept(follow(next(), of(state), TaskState::Cancelled, false)), (2, false, false, false, false));
            assert_eq!(kept(follow(next(), of(state), TaskState::Cancelled, true)), (1, false, false, false, false));
            assert_eq!(kept(follow(next(), of(state), TaskState::Succeeded, true)), (1, false, false, false, false));
        }
    }

    #[test]
    fn a_join_brings_what_its_members_brought_byte_for_byte() {
        let ok = |json: &str| Ok(json.as_bytes().to_vec());
        let report = out_of_time("flow", RunId::new());
        let members = || {
            let each = vec![ok("1"), Err(report.clone()), ok("3")];
            vec![Brought::One(Some(ok("{ \"a\": 1 }"))), Brought::Each(each), Brought::One(None), Brought::Each(vec![])]
        };
        assert_eq!(joined(members(), false), b"[{ \"a\": 1 },[1,3],null,[]]");
        let error = serde_json::to_string(&report).unwrap();
        let settled = format!("[{{\"Ok\":{{ \"a\": 1 }}}},[{{\"Ok\":1}},{{\"Err\":{error}}},{{\"Ok\":3}}],null,[]]");
        assert_eq!(String::from_utf8(joined(members(), true)).unwrap(), settled);
    }

    #[test]
    fn a_cancel_reaches_what_waits_by_what_it_waits_for() {
        use TaskState::{Parked, Ready, Running, Succeeded, Waiting};
        assert_eq!(stop(Succeeded, None, true), Stop::Nothing);
        assert_eq!(stop(Running, None, true), Stop::Tell);
        assert_eq!(stop(Waiting, Some(Wait::Run), true), Stop::Inner);
        assert_eq!(stop(Waiting, Some(Wait::Undo), true), Stop::End);
        for (state, wait) in
            [(Waiting, Some(Wait::Signal)), (Waiting, Some(Wait::Pause)), (Ready, None), (Parked, None)]
        {
            assert_eq!(stop(state, wait, true), Stop::Route);
            assert_eq!(stop(state, wait, false), Stop::End);
        }
    }
}
