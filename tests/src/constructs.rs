//! A course for each construct of the workflow language, and who guides it: what is killed at every point it passes.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{RunState, StoreError, TaskFilter};
use evertask::{DispatchError, Dispatcher, FailureReport, RunId, WorkId, workflow};

use crate::laps::Track;
use crate::record::{Record, idle};
use crate::witness::{Line, Word};

type Result<T, E = Infallible> = std::result::Result<T, E>;

/// Since when `revoke_late` works again.
const MENDED: &str = "mended";

/// A course, and the end that it must come to.
#[derive(Debug)]
pub struct Course {
    /// What it is about.
    pub name: &'static str,
    /// Its run's state in the end.
    pub state: RunState,
    /// Its run's output.
    pub output: Option<&'static str>,
}

const fn course(name: &'static str, state: RunState, output: Option<&'static str>) -> Course {
    Course { name, state, output }
}

/// Every course.
pub const COURSES: &[Course] = &[
    course("with", RunState::Succeeded, Some("11")),
    course("each", RunState::Succeeded, Some("12")),
    course("each fails", RunState::Failed, None),
    course("join", RunState::Succeeded, Some("9")),
    course("join each", RunState::Succeeded, Some("17")),
    course("join settled", RunState::Succeeded, Some("[0, -1, 4] 5")),
    course("rollback", RunState::Failed, None),
    course("undo fails", RunState::Failed, None),
    course("wait", RunState::Succeeded, Some("42")),
    course("wait times out", RunState::Succeeded, Some("3")),
    course("after", RunState::Succeeded, Some("3")),
    course("loop", RunState::Succeeded, Some("0")),
    course("loop limit", RunState::Failed, None),
    course("sub", RunState::Succeeded, Some("3")),
    course("sub undone", RunState::Failed, None),
    course("sub fails", RunState::Succeeded, Some("3")),
    course("sub cancelled", RunState::Cancelled, None),
    course("pause", RunState::Succeeded, Some("42")),
    course("time-out", RunState::Failed, None),
    course("cancel", RunState::Cancelled, None),
];

fn say<T>(track: &Track, cx: &Context, value: T) -> T {
    track.begin(cx);
    track.end(cx);
    value
}

/// Gives its number.
#[task]
async fn pass(n: u32, track: &Track, cx: &Context) -> Result<u32> {
    Ok(say(track, cx, n))
}

/// So many items.
#[task]
async fn list(n: u32, track: &Track, cx: &Context) -> Result<Vec<u32>> {
    Ok(say(track, cx, (0..n).map(|item| 2 * item).collect()))
}

/// One number fails, each time.
#[task(retry(times = 1, backoff = fixed("5ms")))]
async fn pick(n: u32, bad: u32, track: &Track, cx: &Context) -> Result<u32, String> {
    say(track, cx, ());
    if n == bad { Err(format!("{n} is bad")) } else { Ok(n) }
}

#[task]
async fn sum(counts: Vec<u32>, track: &Track, cx: &Context) -> Result<u32> {
    Ok(say(track, cx, counts.iter().sum()))
}

#[task]
async fn add(left: u32, right: u32, track: &Track, cx: &Context) -> Result<u32> {
    Ok(say(track, cx, left + right))
}

#[task]
async fn weigh(counts: Vec<u32>, more: u32, track: &Track, cx: &Context) -> Result<u32> {
    Ok(say(track, cx, counts.iter().sum::<u32>() + more))
}

type Settled = (Vec<Result<u32, FailureReport>>, Result<u32, FailureReport>);

#[task]
async fn settle(outcomes: Settled, track: &Track, cx: &Context) -> Result<String, String> {
    say(track, cx, ());
    let (counts, one) = outcomes;
    let counts: Vec<_> = counts.into_iter().map(|count| count.map_or(-1, i64::from)).collect();
    Ok(format!("{counts:?} {}", one.map_err(|report| report.message)?))
}

/// Fails, each time.
#[task(retry(times = 1, backoff = fixed("5ms")))]
async fn refuse(n: u32, track: &Track, cx: &Context) -> Result<u32, String> {
    say(track, cx, ());
    Err(format!("{n} is refused"))
}

#[task]
async fn revoke(n: u32, track: &Track, cx: &Context) -> Result<()> {
    let _ = n;
    say(track, cx, ());
    Ok(())
}

/// Fails until somebody has mended what it needs.
#[task]
async fn revoke_late(n: u32, track: &Track, cx: &Context) -> Result<(), String> {
    say(track, cx, ());
    if track.witness.is_set(MENDED) { Ok(()) } else { Err(format!("{n} is not mended")) }
}

/// Goes on until it is told to stop.
#[task]
async fn linger(n: u32, track: &Track, cx: &Context) -> Result<u32, Cancelled> {
    track.begin(cx);
    cx.cancelled().await;
    track.end(cx);
    let _ = n;
    Err(Cancelled)
}

/// Cancels the run that it is of, or the run that has this as a step, and stops when it is told.
#[task]
async fn stop(n: u32, track: &Track, cx: &Context) -> Result<u32, Cancelled> {
    track.begin(cx);
    if let Some(run) = cx.run_id() {
        cancel_outermost(&track.dispatcher, run).await.map_err(|error| {
            cx.log(error.to_string());
            Cancelled
        })?;
    }
    cx.cancelled().await;
    track.end(cx);
    let _ = n;
    Err(Cancelled)
}

async fn cancel_outermost(dispatcher: &Dispatcher, mut run: RunId) -> Result<(), StoreError> {
    while let Some(found) = dispatcher.get_run(run).await? {
        let step = match found.parent {
            Some(step) => dispatcher.get(step).await?,
            None => None,
        };
        if let Some(parent) = step.and_then(|step| step.run) {
            run = parent;
            continue;
        }
        // A second cancel would end what follows the first.
        if found.state == RunState::Running {
            dispatcher.cancel(run).await?;
        }
        break;
    }
    Ok(())
}

#[task]
async fn poll(left: u32, track: &Track, cx: &Context) -> Result<u32> {
    Ok(say(track, cx, left))
}

workflow! {
    /// Outputs of earlier steps, and the input.
    Reads<u32 -> u32> {
        pass { on_ok(n) => more { n: n + 1 } }
        more = pass { on_ok(n) => last { n: n + 1 } }
        last = pass { on_ok(n) with input(first), more(second) => done(n + second + first - 1) }
    }
}

workflow! {
    /// Two items at a time.
    Each<u32 -> u32> {
        list { on_ok(items) => each pass(items) limit 2 }
        join (each pass) => sum;
        sum {}
    }
}

workflow! {
    /// One item fails; those after it never had their turn.
    EachFails<u32 -> u32> {
        list { on_ok(items) => each pick(items.into_iter().map(|n| pick { n, bad: 2 })) limit 1 }
        join (each pick) => sum;
        sum {}
    }
}

workflow! {
    Join<u32 -> u32> {
        pass { on_ok(n) => [left { n: n + 1 }, right { n: n + 2 }] }
        left = pass {}
        right = pass {}
        join (left, right) => add;
        add {}
    }
}

workflow! {
    JoinEach<u32 -> u32> {
        list { on_ok(items) => [each item(items) limit 2, one { n: 5 }] }
        item = pass {}
        one = pass {}
        join (each item, one) => weigh;
        weigh {}
    }
}

workflow! {
    /// A member fails.
    JoinSettled<u32 -> String> {
        list { on_ok(items) => [each pick(items.into_iter().map(|n| pick { n, bad: 2 })), one { n: 5 }] }
        one = pass {}
        join all settled (each pick, one) => settle;
        settle {}
    }
}

workflow! {
    Rollback<u32 -> u32> {
        first = pass {
            on_ok(n) => second { n: n + 1 },
            undo(n)  => undo_first { n },
        }
        second = pass {
            on_ok   => refuse,
            undo(n) => undo_second { n },
        }
        refuse { on_err => rollback }
        undo_first = revoke {}
        undo_second = revoke {}
    }
}

workflow! {
    /// The second of three undos fails, until it is resumed.
    UndoFails<u32 -> u32> {
        first = pass {
            on_ok   => second,
            undo(n) => revoke { n },
        }
        second = pass {
            on_ok   => third,
            undo(n) => revoke_late { n },
        }
        third = pass {
            on_ok   => refuse,
            undo(n) => undo_third { n },
        }
        refuse { on_err => rollback }
        undo_third = revoke {}
    }
}

workflow! {
    /// Waits until somebody answers; held meanwhile, or not.
    Waits<u32 -> u32> {
        pass { on_ok => answer }
        wait answer<u32> { on_ok => last }
        last = pass {}
    }
}

workflow! {
    /// Does not wait long.
    WaitsInVain<u32 -> u32> {
        pass { on_ok => answer }
        wait answer<u32> for "20ms" {
            on_ok => done,
            on_timeout with pass(n) => done(n),
        }
    }
}

workflow! {
    After<u32 -> u32> {
        pass { on_ok(n) => last { n } after Duration::from_millis(10 * u64::from(n)) }
        last = pass {}
    }
}

workflow! {
    Loop<u32 -> u32> {
        poll {
            on_ok(left) if left > 0 => poll { left: left - 1 } limit 4,
            on_ok => done,
        }
    }
}

workflow! {
    /// With an undo of its own.
    Part<u32 -> u32> {
        pass {
            on_ok   => last,
            undo(n) => revoke { n },
        }
        last = pass {}
    }
}

workflow! {
    Sub<u32 -> u32> {
        before = pass { on_ok => Part }
        Part { on_ok => after }
        after = pass {}
    }
}

workflow! {
    /// What the run within has done is undone.
    SubUndone<u32 -> u32> {
        before = pass {
            on_ok   => Part,
            undo(n) => undo_before { n },
        }
        Part { on_ok => refuse }
        refuse { on_err => rollback }
        undo_before = revoke {}
    }
}

workflow! {
    FailingPart<u32 -> u32> {
        pass {
            on_ok   => refuse,
            undo(n) => revoke { n },
        }
        refuse { on_err => rollback }
    }
}

workflow! {
    /// Goes on by another way.
    SubFails<u32 -> u32> {
        before = pass { on_ok => FailingPart }
        FailingPart {
            on_ok  => done,
            on_err(_) with before(n) => other { n },
        }
        other = pass {}
    }
}

workflow! {
    StoppedPart<u32 -> u32> {
        pass {
            on_ok   => stop,
            undo(n) => revoke { n },
        }
        stop {}
    }
}

workflow! {
    /// Is cancelled while the run within it runs.
    SubCancelled<u32 -> u32> {
        before = pass {
            on_ok   => StoppedPart,
            undo(n) => undo_before { n },
        }
        StoppedPart {}
        undo_before = revoke {}
    }
}

workflow! {
    #[workflow(timeout = "60ms")]
    TimesOut<u32 -> u32> {
        linger {}
    }
}

workflow! {
    /// Clears up, and then undoes.
    IsCancelled<u32 -> u32> {
        pass {
            on_ok   => stop,
            undo(n) => revoke { n },
        }
        stop {
            on_ok        => done,
            on_cancel(f) => clear_up { n: f.payload.n },
        }
        clear_up = pass {}
    }
}

/// Dispatches a course, guides it and waits for its end. Done again after a death, it comes to the same.
pub async fn drive(dispatcher: &Dispatcher, track: &Track, name: &str) -> Result<(), Box<dyn Error>> {
    let run = dispatch(dispatcher, name).await?;
    let ended = || dispatcher.store().ended(WorkId::from(run));
    match name {
        "wait" => {
            first_step_ended(dispatcher, run).await?;
            dispatcher.signal(run, Waits::answer, &42).await?;
        }
        "pause" => {
            first_step_ended(dispatcher, run).await?;
            dispatcher.pause(run).await?;
            dispatcher.signal(run, Waits::answer, &42).await?;
            dispatcher.resume(run).await?;
        }
        "undo fails" => {
            ended().await?;
            track.witness.set(MENDED)?;
            dispatcher.resume_undo(run).await?;
        }
        _ => {}
    }
    ended().await?;
    idle(dispatcher).await?;
    Ok(())
}

async fn dispatch(dispatcher: &Dispatcher, name: &str) -> Result<RunId, Box<dyn Error>> {
    Ok(match name {
        "with" => once(dispatcher, Reads(3)).await?,
        "each" => once(dispatcher, Each(4)).await?,
        "each fails" => once(dispatcher, EachFails(3)).await?,
        "join" => once(dispatcher, Join(3)).await?,
        "join each" => once(dispatcher, JoinEach(4)).await?,
        "join settled" => once(dispatcher, JoinSettled(3)).await?,
        "rollback" => once(dispatcher, Rollback(3)).await?,
        "undo fails" => once(dispatcher, UndoFails(3)).await?,
        "wait" | "pause" => once(dispatcher, Waits(3)).await?,
        "wait times out" => once(dispatcher, WaitsInVain(3)).await?,
        "after" => once(dispatcher, After(3)).await?,
        "loop" => once(dispatcher, Loop(3)).await?,
        "loop limit" => once(dispatcher, Loop(9)).await?,
        "sub" => once(dispatcher, Sub(3)).await?,
        "sub undone" => once(dispatcher, SubUndone(3)).await?,
        "sub fails" => once(dispatcher, SubFails(3)).await?,
        "sub cancelled" => once(dispatcher, SubCancelled(3)).await?,
        "time-out" => once(dispatcher, TimesOut(3)).await?,
        "cancel" => once(dispatcher, IsCancelled(3)).await?,
        _ => return Err(format!("no course is called `{name}`").into()),
    })
}

async fn once<W: Workflow>(dispatcher: &Dispatcher, work: W) -> Result<RunId, DispatchError> {
    Ok(dispatcher.dispatch(work.key("once")).await?.id())
}

async fn first_step_ended(dispatcher: &Dispatcher, run: RunId) -> Result<(), StoreError> {
    let tasks = dispatcher.list(TaskFilter::new().run(run)).await?;
    if let Some(first) = tasks.iter().find(|task| task.parent.is_none()) {
        dispatcher.store().ended(WorkId::from(first.id)).await?;
    }
    Ok(())
}

/// What a course came to: a line for each run and each task, sorted, and the undos in the order in which they were done.
pub fn shape(record: &Record, witnessed: &[Line]) -> Vec<String> {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    let mut lines = Vec::new();
    for run in &record.runs {
        let failure = run.failure.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
        lines.push(format!("run {} {}: {} {failure}", run.workflow, run.state, text(&run.output)));
    }
    for task in &record.tasks {
        let (workflow, step) = (task.workflow.as_deref().unwrap_or_default(), task.step.as_deref().unwrap_or_default());
        let item = task.item.map(|item| format!(" item {item}")).unwrap_or_default();
        let undo = if task.is_undo { " undo" } else { "" };
        let (state, failures, output) = (task.state, task.failures, text(&task.output));
        lines.push(format!("task {workflow}/{step}{item}{undo} {state}: {failures} failures, output {output}"));
    }
    lines.sort();
    let undone = |line: &&Line| record.tasks.iter().any(|task| task.is_undo && task.id.to_string() == line.task);
    let mut undos: Vec<&Line> = Vec::new();
    for line in witnessed.iter().filter(|line| line.word == Word::End).filter(undone) {
        // What ran again after a death counts where it ended at last.
        undos.retain(|before| before.task != line.task);
        undos.push(line);
    }
    let step = |line: &Line| {
        record.tasks.iter().find(|task| task.id.to_string() == line.task).and_then(|task| task.step.clone())
    };
    lines.push(format!("undone: {:?}", undos.into_iter().map(step).collect::<Vec<_>>()));
    lines
}
