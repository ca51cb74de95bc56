//! Questions: records, lists, logs, and waiting for an end.

use crate::id::{RunId, TaskId, WorkId};
use crate::store::{Claim, LogLine, NewRun, NewTask, Notes, RunFilter, RunState, TaskFilter, TaskRecord, TaskState};

use super::bench::{Bench, asked, done, fails, flow, ok, secs, send, step, succeeded, task, then, works};

pub(super) async fn what_is_not_there_is_none(bench: Bench) {
    assert_eq!(bench.store.task(TaskId::new()).await, Ok(None));
    assert_eq!(bench.store.run(RunId::new()).await, Ok(None));
    assert_eq!(bench.store.log(TaskId::new()).await, Ok(Vec::new()));
    assert_eq!(bench.store.attempts(TaskId::new()).await, Ok(Vec::new()));
    assert_eq!(bench.store.tasks(TaskFilter::default()).await, Ok(Vec::new()));
    assert_eq!(bench.store.runs(RunFilter::default()).await, Ok(Vec::new()));
}

async fn listed(bench: &Bench, filter: TaskFilter) -> Vec<TaskId> {
    let tasks: Vec<TaskRecord> = bench.store.tasks(filter).await.unwrap();
    tasks.into_iter().map(|task| task.id).collect()
}

pub(super) async fn tasks_are_listed_oldest_first(bench: Bench) {
    let mut added = Vec::new();
    for priority in [3, 1, 2] {
        added.push(bench.add(NewTask { priority, ..send() }).await);
    }
    assert_eq!(listed(&bench, TaskFilter::default()).await, added);
}

pub(super) async fn tasks_are_listed_by_when_they_came_whatever_their_ids(bench: Bench) {
    let parent = bench.add(send()).await;
    let other = bench.add(send()).await;
    let mut added = vec![parent, other];
    for index in 0..8 {
        // A continuation's id has its parent's time in front.
        let id = TaskId::from(crate::id::derive(parent.uuid(), "next", index));
        added.push(bench.add(NewTask { id, ..send() }).await);
    }
    assert_eq!(listed(&bench, TaskFilter::default()).await, added);
    assert_eq!(listed(&bench, TaskFilter { after: Some(added[4]), ..TaskFilter::default() }).await, added[5..]);
    assert_eq!(listed(&bench, TaskFilter { after: Some(TaskId::new()), ..TaskFilter::default() }).await, []);
}

pub(super) async fn tasks_are_listed_by_what_they_are(bench: Bench) {
    let mail = bench.add(NewTask { queue: "mail".into(), ..send() }).await;
    let mine = bench.add(NewTask { correlation: Some("c".to_owned()), ..task("ship") }).await;
    let run = flow();
    let first = run.first.id;
    let run = bench.start(run).await;
    let all = TaskFilter::default();
    let queue = TaskFilter { queue: Some("mail".to_owned()), ..all.clone() };
    assert_eq!(listed(&bench, queue.clone()).await, [mail]);
    let name = TaskFilter { name: Some("ship".to_owned()), ..all.clone() };
    assert_eq!(listed(&bench, name.clone()).await, [mine]);
    assert_eq!(listed(&bench, TaskFilter { correlation: Some("c".to_owned()), ..all.clone() }).await, [mine]);
    assert_eq!(listed(&bench, TaskFilter { run: Some(run), ..all.clone() }).await, [first]);
    assert_eq!(listed(&bench, TaskFilter { queue: queue.queue, ..name }).await, [], "every field must match");
    assert_eq!(listed(&bench, TaskFilter { name: Some("%".to_owned()), ..all }).await, []);
}

pub(super) async fn tasks_are_listed_by_their_states(bench: Bench) {
    let mut worker = bench.worker().await;
    let done = bench.add(send()).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    let running = bench.add(send()).await;
    worker.claim().await;
    let cancelled = bench.add(send()).await;
    bench.cancel(cancelled).await;
    let ready = bench.add(NewTask { delay: secs(5), ..send() }).await;
    let of = |states: &[TaskState]| TaskFilter { states: states.to_vec(), ..TaskFilter::default() };
    assert_eq!(listed(&bench, of(&[TaskState::Succeeded])).await, [done]);
    assert_eq!(listed(&bench, of(&[TaskState::Running])).await, [running]);
    assert_eq!(listed(&bench, of(&[TaskState::Ready, TaskState::Cancelled])).await, [cancelled, ready]);
    assert_eq!(listed(&bench, of(&[TaskState::Failed, TaskState::Parked])).await, []);
    assert_eq!(listed(&bench, of(&TaskState::ALL)).await.len(), 4);
}

pub(super) async fn tasks_are_listed_in_pages(bench: Bench) {
    let mut added = Vec::new();
    for number in 0..250 {
        let name = if number % 2 == 0 { "send" } else { "ship" };
        added.push(bench.add(task(name)).await);
    }
    assert_eq!(listed(&bench, TaskFilter::default()).await, added[..100], "a page has 100 if nobody says");
    let mut pages = Vec::new();
    let mut filter = TaskFilter { limit: Some(80), ..TaskFilter::default() };
    loop {
        let page = listed(&bench, filter.clone()).await;
        assert!(page.len() <= 80);
        let Some(&last) = page.last() else { break };
        filter.after = Some(last);
        pages.extend(page);
        assert!(pages.len() <= added.len(), "a page repeats what came before");
    }
    assert_eq!(pages, added);
    let odd =
        TaskFilter { name: Some("ship".to_owned()), after: Some(added[100]), limit: Some(2), ..TaskFilter::default() };
    assert_eq!(listed(&bench, odd).await, [added[101], added[103]]);
    assert_eq!(listed(&bench, TaskFilter { limit: Some(0), ..TaskFilter::default() }).await, []);
}

pub(super) async fn runs_are_listed_by_what_they_are(bench: Bench) {
    let named = |workflow: &'static str| NewRun { workflow: workflow.into(), ..flow() };
    let one = bench.start(flow()).await;
    let two = bench.start(NewRun { correlation: Some("c".to_owned()), ..flow() }).await;
    let other = bench.start(named("other")).await;
    bench.cancel(one).await;
    let listed = |filter: RunFilter| {
        let store = bench.store.clone();
        async move { store.runs(filter).await.unwrap().into_iter().map(|run| run.id).collect::<Vec<_>>() }
    };
    let all = RunFilter::default();
    assert_eq!(listed(all.clone()).await, [one, two, other]);
    assert_eq!(listed(RunFilter { workflow: Some("flow".to_owned()), ..all.clone() }).await, [one, two]);
    assert_eq!(listed(RunFilter { correlation: Some("c".to_owned()), ..all.clone() }).await, [two]);
    assert_eq!(listed(RunFilter { states: vec![RunState::Cancelled], ..all.clone() }).await, [one]);
    assert_eq!(listed(RunFilter { states: RunState::ALL.to_vec(), ..all.clone() }).await.len(), 3);
    assert_eq!(listed(RunFilter { after: Some(one), limit: Some(1), ..all.clone() }).await, [two]);
    assert_eq!(listed(RunFilter { after: Some(other), ..all }).await, []);
}

pub(super) async fn the_tasks_of_a_run_are_its_own(bench: Bench) {
    let run = bench.start(flow()).await;
    bench.start(flow()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let next = [step(run, "two"), send()];
    let next_id = next[0].id;
    worker.finish(claim, succeeded(then(next))).await;
    let filter = TaskFilter { run: Some(run), ..TaskFilter::default() };
    assert_eq!(listed(&bench, filter.clone()).await, [claim.id, next_id]);
    assert_eq!(listed(&bench, TaskFilter { states: vec![TaskState::Ready], ..filter.clone() }).await, [next_id]);
    assert_eq!(listed(&bench, TaskFilter { after: Some(claim.id), ..filter }).await, [next_id]);
}

async fn running(bench: &Bench) -> (super::TestWorker, Claim) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    (worker, claim)
}

fn lines(bench: &Bench, claim: Claim, texts: impl IntoIterator<Item = String>) -> Vec<LogLine> {
    texts.into_iter().map(|text| LogLine { at: bench.now(), fence: claim.fence, text }).collect()
}

pub(super) async fn a_note_is_kept_while_the_task_runs(bench: Bench) {
    let (_worker, claim) = running(&bench).await;
    let first = lines(&bench, claim, ["one".to_owned(), "'two'\n\0".to_owned()]);
    bench.store.note(claim, Notes { progress: Some((1, 3)), lines: first.clone() }).await.unwrap();
    assert_eq!(bench.task(claim.id).await.progress, Some((1, 3)));
    bench.clock.advance(secs(1));
    let second = lines(&bench, claim, ["three".to_owned()]);
    bench
        .store
        .note(claim, Notes { progress: Some((u64::MAX >> 1, u64::MAX >> 1)), lines: second.clone() })
        .await
        .unwrap();
    bench.store.note(claim, Notes::default()).await.unwrap();
    let kept = bench.task(claim.id).await;
    assert_eq!((kept.state, kept.progress), (TaskState::Running, Some((u64::MAX >> 1, u64::MAX >> 1))));
    assert_eq!(bench.store.log(claim.id).await.unwrap(), [first, second].concat());
}

pub(super) async fn a_note_without_a_claim_is_ignored(bench: Bench) {
    let (mut worker, claim) = running(&bench).await;
    let notes = Notes { progress: Some((1, 2)), lines: lines(&bench, claim, ["late".to_owned()]) };
    bench.store.note(Claim { fence: 7, ..claim }, notes.clone()).await.unwrap();
    bench.store.note(Claim { id: TaskId::new(), fence: 1 }, notes.clone()).await.unwrap();
    worker.finish(claim, ok()).await;
    bench.store.note(claim, notes).await.unwrap();
    assert_eq!(bench.store.log(claim.id).await, Ok(Vec::new()));
    assert_eq!(bench.task(claim.id).await.progress, None);
}

pub(super) async fn a_log_is_bounded_and_says_so(bench: Bench) {
    let (mut worker, claim) = running(&bench).await;
    let given = lines(&bench, claim, (0..3_000).map(|number| number.to_string()));
    for chunk in given.chunks(700) {
        bench.store.note(claim, Notes { progress: None, lines: chunk.to_vec() }).await.unwrap();
    }
    let kept = bench.store.log(claim.id).await.unwrap();
    assert!((1_000..=1_001).contains(&kept.len()), "{} lines", kept.len());
    let (last, rest) = kept.split_last().unwrap();
    assert_eq!(rest, &given[..rest.len()], "the oldest are kept");
    assert!(!given.contains(last), "the last one says that there were more");
    let again = Notes { progress: None, lines: lines(&bench, claim, ["one more".to_owned()]) };
    worker.settle(vec![crate::store::Finished { claim, verdict: ok(), notes: again }], 0).await;
    assert_eq!(bench.store.log(claim.id).await.unwrap(), kept);
}

pub(super) async fn the_log_says_which_attempt(bench: Bench) {
    let (mut worker, claim) = running(&bench).await;
    let mut expected = lines(&bench, claim, ["first".to_owned()]);
    bench.store.note(claim, Notes { progress: None, lines: expected.clone() }).await.unwrap();
    worker.finish(claim, super::bench::retry(secs(0))).await;
    let again = worker.claim().await.claim;
    let second = lines(&bench, again, ["second".to_owned()]);
    bench.store.note(again, Notes { progress: None, lines: second.clone() }).await.unwrap();
    expected.extend(second);
    assert_eq!(bench.store.log(claim.id).await.unwrap(), expected);
}

/// Looks, and waits, until it has ended: an answer may come early.
async fn wait(bench: &Bench, id: WorkId) {
    loop {
        let live = match id {
            WorkId::Task(id) => !bench.state(id).await.is_terminal(),
            WorkId::Run(id) => !bench.run_state(id).await.is_terminal(),
        };
        if !live {
            return;
        }
        bench.store.ended(id).await.unwrap();
    }
}

pub(super) async fn what_has_ended_needs_no_waiting(bench: Bench) {
    let id = bench.add(send()).await;
    let run = bench.start(flow()).await;
    bench.cancel(id).await;
    bench.cancel(run).await;
    bench.store.ended(id.into()).await.unwrap();
    bench.store.ended(run.into()).await.unwrap();
    bench.store.ended(TaskId::new().into()).await.unwrap();
    bench.store.ended(RunId::new().into()).await.unwrap();
}

pub(super) async fn whoever_waits_is_told_of_each_end(bench: Bench) {
    let mut worker = bench.worker().await;
    for end in [ok(), super::bench::failed(then([])), super::bench::cancelled(then([]))] {
        let id = bench.add(send()).await;
        let claim = worker.claim().await.claim;
        let waiters: Vec<_> = (0..3).map(|_| asked(bench.store.ended(id.into()))).collect();
        worker.finish(claim, end).await;
        for waiter in waiters {
            waiter.await.unwrap();
        }
        wait(&bench, id.into()).await;
    }
    let id = bench.add(send()).await;
    let waiter = asked(bench.store.ended(id.into()));
    bench.cancel(id).await;
    waiter.await.unwrap();
    wait(&bench, id.into()).await;
}

pub(super) async fn whoever_waits_is_told_of_the_end_of_a_run(bench: Bench) {
    let mut worker = bench.worker().await;
    for next in [done("1"), fails("no")] {
        let run = bench.start(flow()).await;
        let waiter = asked(bench.store.ended(run.into()));
        let claim = worker.claim().await.claim;
        worker.finish(claim, succeeded(next)).await;
        waiter.await.unwrap();
        wait(&bench, run.into()).await;
    }
    let run = bench.start(NewRun { timeout: Some(secs(5)), ..flow() }).await;
    let waiter = asked(bench.store.ended(run.into()));
    bench.clock.advance(secs(5));
    bench.store.expire_runs().await.unwrap();
    waiter.await.unwrap();
    wait(&bench, run.into()).await;
}

pub(super) async fn waiting_for_many_is_waiting_for_each(bench: Bench) {
    let tasks: Vec<NewTask> = (0..200).map(|_| send()).collect();
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    bench.store.dispatch(works(tasks)).await.unwrap();
    let waiters: Vec<_> = ids.iter().map(|&id| asked(bench.store.ended(id.into()))).collect();
    let mut worker = bench.worker().await;
    worker.free(200);
    for claimed in worker.take(200).await {
        worker.finish(claimed.claim, ok()).await;
    }
    for waiter in waiters {
        waiter.await.unwrap();
    }
    for id in ids {
        wait(&bench, id.into()).await;
    }
}

pub(super) async fn whoever_gives_up_waiting_disturbs_nobody(bench: Bench) {
    let id = bench.add(send()).await;
    for _ in 0..100 {
        drop(asked(bench.store.ended(id.into())));
        drop(bench.store.ended(id.into()));
    }
    let waiter = asked(bench.store.ended(id.into()));
    bench.cancel(id).await;
    waiter.await.unwrap();
    wait(&bench, id.into()).await;
}

pub(super) async fn an_empty_store_is_sound(bench: Bench) {
    assert_eq!(bench.store.verify().await, Ok(Vec::new()));
}
