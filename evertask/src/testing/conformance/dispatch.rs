//! Adding work.

use std::time::Duration;

use crate::id::{RunId, TaskId};
use crate::schedule::Timestamp;
use crate::store::{NewRun, NewTask, NewWork, RunState, StepOf, TaskState};

use super::bench::{Bench, flow, ok, secs, send, step, task, works};

pub(super) async fn a_task_is_kept_as_it_was_given(bench: Bench) {
    let parent = TaskId::new();
    let given = NewTask {
        queue: "mail".into(),
        priority: -3,
        payload: b"{\"to\":\"a@b.c\"}".to_vec(),
        key: Some("welcome-7".to_owned()),
        correlation: Some("customer-9".to_owned()),
        parent: Some(parent),
        ..task("send")
    };
    let id = bench.add(given.clone()).await;
    let kept = bench.task(id).await;
    assert_eq!((kept.id, kept.name.as_str(), kept.queue.as_str()), (id, "send", "mail"));
    assert_eq!((kept.state, kept.priority, kept.payload), (TaskState::Ready, -3, given.payload));
    assert_eq!((kept.key, kept.correlation, kept.parent), (given.key, given.correlation, Some(parent)));
    assert_eq!((kept.run_at, kept.created_at, kept.finished_at), (bench.now(), bench.now(), None));
    assert_eq!((kept.fence, kept.failures, kept.crashes, kept.interrupts), (0, 0, 0, 0));
    assert_eq!((kept.output, kept.failure, kept.error, kept.parked), (None, None, None, None));
    assert_eq!((kept.worker, kept.cancel_requested, kept.progress), (None, false, None));
    assert_eq!((kept.run, kept.workflow, kept.step), (None, None, None));
}

pub(super) async fn a_run_is_kept_as_it_was_given(bench: Bench) {
    let parent = TaskId::new();
    let given = NewRun {
        output: Some(b"null".to_vec()),
        key: Some("order-7".to_owned()),
        correlation: Some("customer-9".to_owned()),
        parent: Some(parent),
        ..flow()
    };
    let id = bench.start(given.clone()).await;
    let kept = bench.run(id).await;
    assert_eq!((kept.id, kept.workflow.as_str(), kept.version), (id, "flow", 3));
    assert_eq!((kept.state, kept.open_tasks), (RunState::Running, 1));
    assert_eq!(kept.fingerprint, given.fingerprint);
    assert_eq!((kept.input, kept.output, kept.failure), (given.input, given.output, None));
    assert_eq!((kept.key, kept.correlation, kept.parent), (given.key, given.correlation, Some(parent)));
    assert_eq!((kept.deadline, kept.created_at, kept.finished_at), (None, bench.now(), None));
    let first = bench.task(given.first.id).await;
    assert_eq!((first.run, first.workflow.as_deref(), first.step.as_deref()), (Some(id), Some("flow"), Some("one")));
    assert_eq!(first.state, TaskState::Ready);
}

pub(super) async fn a_task_of_a_chain_has_no_step(bench: Bench) {
    let id = RunId::new();
    let of = Some(StepOf { run: id, workflow: "flow".into(), step: None });
    let first = NewTask { of, ..send() };
    let task = first.id;
    bench.start(NewRun { id, first, ..flow() }).await;
    let kept = bench.task(task).await;
    assert_eq!((kept.run, kept.workflow.as_deref(), kept.step), (Some(id), Some("flow"), None));
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    assert_eq!(claimed.of, Some(StepOf { run: id, workflow: "flow".into(), step: None }));
}

pub(super) async fn no_work_is_no_answer(bench: Bench) {
    assert_eq!(bench.store.dispatch(Vec::new()).await, Ok(Vec::new()));
}

pub(super) async fn answers_come_in_the_order_of_the_work(bench: Bench) {
    let run = flow();
    let tasks = [send(), send(), send()];
    let expected = [tasks[0].id.into(), run.id.into(), tasks[1].id.into(), tasks[2].id.into()];
    let mut work = works(tasks);
    work.insert(1, NewWork::Run(Box::new(run)));
    let dispatched = bench.store.dispatch(work).await.unwrap();
    assert_eq!(dispatched.iter().map(|one| one.id).collect::<Vec<_>>(), expected);
    assert!(dispatched.iter().all(|one| !one.existing));
}

pub(super) async fn a_delay_says_when_it_is_due(bench: Bench) {
    let id = bench.add(NewTask { delay: secs(90), ..send() }).await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.run_at), (TaskState::Ready, bench.now().plus(secs(90))));
    assert_eq!(kept.created_at, bench.now());
}

pub(super) async fn a_time_says_when_it_is_due_instead_of_a_delay(bench: Bench) {
    let at = bench.now().plus(secs(5));
    let id = bench.add(NewTask { at: Some(at), delay: secs(90), ..send() }).await;
    assert_eq!(bench.task(id).await.run_at, at);
}

pub(super) async fn a_time_in_the_past_is_due_now(bench: Bench) {
    let id = bench.add(NewTask { at: Some(Timestamp::from_millis(1)), ..send() }).await;
    let mut worker = bench.worker().await;
    assert_eq!(worker.claim().await.claim.id, id);
}

pub(super) async fn times_at_the_ends_of_the_calendar_are_kept(bench: Bench) {
    let year_one = Timestamp::from_millis(-62_135_596_800_000);
    let far = [Timestamp::from_millis(253_402_300_799_000), Timestamp::from_millis(i64::MAX)];
    let old = bench.add(NewTask { at: Some(year_one), ..send() }).await;
    for at in far {
        let id = bench.add(NewTask { at: Some(at), ..send() }).await;
        assert_eq!(bench.task(id).await.run_at, at);
    }
    let never = bench.add(NewTask { delay: Duration::MAX, ..send() }).await;
    assert_eq!(bench.task(never).await.run_at, Timestamp::from_millis(i64::MAX));
    let mut worker = bench.worker().await;
    worker.free(4);
    assert_eq!(worker.next().await.claim.id, old);
    worker.quiet().await;
}

pub(super) async fn an_id_that_is_there_adds_nothing(bench: Bench) {
    let first = NewTask { payload: b"1".to_vec(), ..send() };
    let again = NewTask { payload: b"2".to_vec(), ..first.clone() };
    let id = bench.add(first).await;
    let dispatched = bench.store.dispatch(works([again])).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
    assert_eq!(bench.task(id).await.payload, b"1");
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn a_run_that_is_there_adds_nothing(bench: Bench) {
    let run = flow();
    let again = NewRun { first: step(run.id, "two"), input: b"2".to_vec(), ..run.clone() };
    let id = bench.start(run.clone()).await;
    let dispatched = bench.store.dispatch(vec![NewWork::Run(Box::new(again))]).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
    assert_eq!(bench.run(id).await.input, run.input);
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn work_that_ended_is_still_there(bench: Bench) {
    let first = send();
    let id = bench.add(first.clone()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    worker.finish(claimed.claim, ok()).await;
    let dispatched = bench.store.dispatch(works([first])).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
    assert_eq!(bench.state(id).await, TaskState::Succeeded);
}

pub(super) async fn all_of_it_or_none(bench: Bench) {
    let (good, also_good, run) = (send(), flow(), bench.start(flow()).await);
    let bad = step(run, "two");
    let (good_id, also_good_id, bad_id) = (good.id, also_good.id, bad.id);
    let work = vec![NewWork::Task(good), NewWork::Run(Box::new(also_good)), NewWork::Task(bad)];
    let answer = bench.store.dispatch(work).await;
    assert!(answer.is_err(), "a step is added by its run only, which counts it: {answer:?}");
    assert_eq!(bench.find(good_id).await, None);
    assert_eq!(bench.store.run(also_good_id).await, Ok(None));
    assert_eq!(bench.find(bad_id).await, None);
    assert_eq!(bench.run(run).await.open_tasks, 1);
}

pub(super) async fn a_deadline_counts_from_when_the_first_task_is_due(bench: Bench) {
    let mut run = NewRun { timeout: Some(secs(60)), ..flow() };
    run.first.delay = secs(10);
    let id = bench.start(run).await;
    assert_eq!(bench.run(id).await.deadline, Some(bench.now().plus(secs(70))));
}

pub(super) async fn whatever_text_is_given_is_kept(bench: Bench) {
    let nasty = [" ", "'; DROP TABLE tasks; --", "\"<img onerror>\n\0\u{202e}", "%_\\", &"k".repeat(10_000)];
    for text in nasty {
        let given = NewTask {
            name: text.to_owned().into(),
            queue: text.to_owned().into(),
            key: Some(text.to_owned()),
            correlation: Some(text.to_owned()),
            ..send()
        };
        let id = bench.add(given).await;
        let kept = bench.task(id).await;
        assert_eq!((kept.name.as_str(), kept.queue.as_str()), (text, text));
        assert_eq!((kept.key.as_deref(), kept.correlation.as_deref()), (Some(text), Some(text)));
    }
}

pub(super) async fn a_large_payload_is_kept_byte_for_byte(bench: Bench) {
    let payload: Vec<u8> = (0..4_u32 << 20).map(|byte| u8::try_from(byte % 256).unwrap()).collect();
    let id = bench.add(NewTask { payload: payload.clone(), ..send() }).await;
    assert!(bench.task(id).await.payload == payload, "the payload is kept");
    let mut worker = bench.worker().await;
    assert!(worker.claim().await.payload == payload, "the payload is claimed");
}

pub(super) async fn many_at_once_are_all_added(bench: Bench) {
    let tasks: Vec<NewTask> = (0..2_500).map(|_| send()).collect();
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    let dispatched = bench.store.dispatch(works(tasks)).await.unwrap();
    assert!(dispatched.iter().zip(&ids).all(|(one, id)| one.id == (*id).into() && !one.existing));
    assert_eq!(bench.all_tasks().await.len(), ids.len());
}
