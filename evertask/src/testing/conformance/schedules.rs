//! Recurring work: kept over deploys, and started once for each slot.

use std::sync::Arc;

use crate::DEFAULT_QUEUE;
use crate::id::TaskId;
use crate::schedule::Timestamp;
use crate::store::{
    Dispatched, Firing, NewSchedule, NewTask, NewWork, OnKey, QueueRules, QueueState, ScheduleRecord, TaskState, Turn,
};

use super::bench::{Bench, flow, on_threads, secs, send, step};
use super::terms::keyed;

fn daily(next: Option<Timestamp>) -> NewSchedule {
    NewSchedule {
        id: "report".to_owned(),
        name: "send".to_owned(),
        spec: b"\"daily\"".to_vec(),
        template: b"{\"queue\":\"mail\"}".to_vec(),
        next,
    }
}

fn fire(slot: Timestamp, task: NewTask) -> Firing {
    Firing { slot, work: NewWork::Task(task) }
}

impl Bench {
    async fn keep(&self, schedule: NewSchedule) -> ScheduleRecord {
        let id = schedule.id.clone();
        self.store.keep_schedules(vec![schedule]).await.expect("the schedule is kept");
        self.schedule(&id).await
    }

    async fn schedule(&self, id: &str) -> ScheduleRecord {
        let all = self.store.schedules().await.expect("the schedules are listed");
        all.into_iter().find(|schedule| schedule.id == id).expect("the schedule is there")
    }

    /// Starts these slots of `report`, as its revision is now.
    async fn turn(&self, fire: Vec<Firing>, skipped: u64, next: Option<Timestamp>) -> Vec<Dispatched> {
        let revision = self.schedule("report").await.revision;
        let turn = Turn { id: "report".to_owned(), revision, fire, skipped, next };
        self.store.turn_schedule(turn).await.expect("the schedule is turned")
    }
}

pub(super) async fn a_new_one_is_kept_as_it_was_given(bench: Bench) {
    assert_eq!(bench.store.schedules().await, Ok(Vec::new()));
    let next = bench.later(secs(60));
    let kept = bench.keep(daily(Some(next))).await;
    assert_eq!((kept.name.as_str(), &kept.spec[..]), ("send", &b"\"daily\""[..]));
    assert_eq!((&kept.template[..], kept.next), (&b"{\"queue\":\"mail\"}"[..], Some(next)));
    assert_eq!((kept.fired, kept.skipped, kept.paused, kept.last), (0, 0, false, None));
    assert_eq!(kept.created_at, bench.now());
    bench.keep(NewSchedule { id: "a".to_owned(), ..daily(None) }).await;
    let ids: Vec<_> = bench.store.schedules().await.unwrap().into_iter().map(|schedule| schedule.id).collect();
    assert_eq!(ids, ["a", "report"], "by id");
}

pub(super) async fn the_same_again_changes_nothing(bench: Bench) {
    let kept = bench.keep(daily(Some(bench.later(secs(60))))).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.keep(daily(Some(bench.later(secs(99))))).await, kept, "its slot is not moved by a deploy");
}

pub(super) async fn another_spec_sets_its_next_slot(bench: Bench) {
    let kept = bench.keep(daily(Some(bench.later(secs(60))))).await;
    let next = bench.later(secs(7));
    let changed = bench.keep(NewSchedule { spec: b"\"hourly\"".to_vec(), ..daily(Some(next)) }).await;
    assert_eq!((&changed.spec[..], changed.next), (&b"\"hourly\""[..], Some(next)));
    assert!(changed.revision > kept.revision);
}

pub(super) async fn another_template_keeps_its_next_slot(bench: Bench) {
    let next = bench.later(secs(60));
    let kept = bench.keep(daily(Some(next))).await;
    let changed = bench.keep(NewSchedule { template: b"{}".to_vec(), ..daily(Some(bench.later(secs(7)))) }).await;
    assert_eq!((&changed.template[..], changed.next), (&b"{}"[..], Some(next)));
    assert!(changed.revision > kept.revision);
    let renamed = bench.keep(NewSchedule { name: "charge".to_owned(), template: b"{}".to_vec(), ..daily(None) }).await;
    assert_eq!((renamed.name.as_str(), renamed.next), ("charge", Some(next)));
}

pub(super) async fn a_deploy_keeps_what_it_counted(bench: Bench) {
    let slot = bench.now();
    bench.keep(daily(Some(slot))).await;
    let started = bench.turn(vec![fire(slot, send())], 2, Some(bench.later(secs(60)))).await;
    bench.store.hold_schedule("report".to_owned(), true, None).await.unwrap();
    bench.clock.advance(secs(5));
    let kept = bench.keep(NewSchedule { spec: b"\"hourly\"".to_vec(), ..daily(None) }).await;
    assert_eq!((kept.fired, kept.skipped, kept.paused), (1, 2, true));
    assert_eq!((kept.last, kept.created_at), (Some((slot, started[0].id)), slot));
}

pub(super) async fn it_is_due_when_its_slot_has_come(bench: Bench) {
    bench.keep(daily(Some(bench.later(secs(60))))).await;
    let other = bench.later(secs(90));
    bench.keep(NewSchedule { id: "other".to_owned(), ..daily(Some(other)) }).await;
    bench.keep(NewSchedule { id: "over".to_owned(), ..daily(None) }).await;
    let due = || async {
        let (due, next) = bench.store.due_schedules().await.unwrap();
        (due.into_iter().map(|schedule| schedule.id).collect::<Vec<_>>(), next)
    };
    assert_eq!(due().await, (Vec::new(), Some(bench.later(secs(60)))));
    bench.clock.advance(secs(60));
    assert_eq!(due().await, (vec!["report".to_owned()], Some(other)));
    bench.clock.advance(secs(30));
    assert_eq!(due().await, (vec!["other".to_owned(), "report".to_owned()], None));
    bench.store.hold_schedule("report".to_owned(), true, None).await.unwrap();
    assert_eq!(due().await.0, ["other"], "one that is held is not due");
    bench.store.hold_schedule("other".to_owned(), true, Some(bench.later(secs(9)))).await.unwrap();
    assert_eq!(due().await, (Vec::new(), None));
}

pub(super) async fn a_turn_starts_its_slots_and_moves_on(bench: Bench) {
    let first = bench.now();
    let second = bench.later(secs(60));
    bench.keep(daily(Some(first))).await;
    bench.clock.advance(secs(70));
    let tasks = [send(), NewTask { payload: b"[2]".to_vec(), ..send() }];
    let ids = [tasks[0].id, tasks[1].id];
    let [a, b] = tasks;
    let next = bench.later(secs(50));
    let started = bench.turn(vec![fire(first, a), fire(second, b)], 4, Some(next)).await;
    assert_eq!(started.iter().map(|one| (one.id, one.existing)).collect::<Vec<_>>(), ids.map(|id| (id.into(), false)));
    assert_eq!((bench.state(ids[0]).await, &bench.task(ids[1]).await.payload[..]), (TaskState::Ready, &b"[2]"[..]));
    let kept = bench.schedule("report").await;
    assert_eq!((kept.fired, kept.skipped, kept.next), (2, 4, Some(next)));
    assert_eq!(kept.last, Some((second, ids[1].into())));
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(super::claim::ids(&worker.take(2).await), ids);
}

pub(super) async fn a_turn_may_start_a_run(bench: Bench) {
    bench.keep(daily(Some(bench.now()))).await;
    let run = flow();
    let id = run.id;
    let firing = Firing { slot: bench.now(), work: NewWork::Run(Box::new(run)) };
    assert_eq!(bench.turn(vec![firing], 0, None).await[0].id, id.into());
    assert_eq!(bench.schedule("report").await.last, Some((bench.now(), id.into())));
    assert_eq!(bench.run(id).await.open_tasks, 1);
}

pub(super) async fn a_turn_of_another_revision_does_nothing(bench: Bench) {
    let kept = bench.keep(daily(Some(bench.now()))).await;
    let turn = |revision| Turn {
        id: "report".to_owned(),
        revision,
        fire: vec![fire(bench.now(), send())],
        skipped: 1,
        next: None,
    };
    assert_eq!(bench.store.turn_schedule(turn(kept.revision + 1)).await, Ok(Vec::new()));
    bench.store.hold_schedule("report".to_owned(), true, None).await.unwrap();
    let held = bench.schedule("report").await;
    assert_eq!(bench.store.turn_schedule(turn(kept.revision)).await, Ok(Vec::new()));
    assert_eq!(bench.store.turn_schedule(turn(held.revision)).await, Ok(Vec::new()), "one that is held starts nothing");
    let none = Turn { id: "none".to_owned(), ..turn(0) };
    assert_eq!(bench.store.turn_schedule(none).await, Ok(Vec::new()));
    assert_eq!((bench.schedule("report").await, bench.all_tasks().await.len()), (held, 0));
}

pub(super) async fn a_slot_is_started_once(bench: Bench) {
    let slot = bench.now();
    bench.keep(daily(Some(slot))).await;
    assert_eq!(bench.turn(vec![fire(slot, send()), fire(slot, send())], 0, Some(slot)).await.len(), 1);
    let other = bench.later(secs(1));
    assert_eq!(bench.turn(vec![fire(slot, send()), fire(other, send())], 0, None).await.len(), 1);
    let kept = bench.schedule("report").await;
    assert_eq!((kept.fired, kept.last.map(|last| last.0)), (2, Some(other)));
    assert_eq!(bench.all_tasks().await.len(), 2);
}

pub(super) async fn of_eight_that_turn_it_at_once_one_does(bench: Bench) {
    const SLOTS: i64 = 20;
    let begin = bench.now();
    let slot = move |number: i64| begin.plus(secs(number.unsigned_abs()));
    bench.keep(daily(Some(begin))).await;
    bench.clock.advance(secs(60));
    let store = Arc::clone(&bench.store);
    let started = on_threads(8, move |_| {
        let store = Arc::clone(&store);
        async move {
            let mut started = 0;
            loop {
                let (due, _) = store.due_schedules().await.unwrap();
                let Some(schedule) = due.into_iter().next() else { return started };
                let number = schedule.next.map_or(0, |next| (next.as_millis() - begin.as_millis()) / 1_000);
                let turn = Turn {
                    id: schedule.id,
                    revision: schedule.revision,
                    fire: vec![fire(slot(number), send())],
                    skipped: 0,
                    next: (number + 1 < SLOTS).then(|| slot(number + 1)),
                };
                started += store.turn_schedule(turn).await.unwrap().len();
            }
        }
    })
    .await;
    assert_eq!(started.into_iter().sum::<usize>(), 20);
    assert_eq!((bench.schedule("report").await.fired, bench.all_tasks().await.len()), (20, 20));
}

pub(super) async fn one_without_a_next_slot_is_over_and_stays(bench: Bench) {
    bench.keep(daily(Some(bench.now()))).await;
    bench.turn(vec![fire(bench.now(), send())], 0, None).await;
    bench.clock.advance(secs(1_000_000));
    assert_eq!(bench.store.due_schedules().await, Ok((Vec::new(), None)));
    assert_eq!(bench.schedule("report").await.next, None);
}

pub(super) async fn it_is_held_and_let_go(bench: Bench) {
    let next = bench.later(secs(60));
    bench.keep(daily(Some(next))).await;
    let turned = |paused, next| bench.store.hold_schedule("report".to_owned(), paused, next);
    assert_eq!(turned(false, None).await, Ok(false));
    assert_eq!(turned(true, None).await, Ok(true));
    let held = bench.schedule("report").await;
    assert_eq!((held.paused, held.next), (true, Some(next)));
    assert_eq!(turned(true, None).await, Ok(false));
    assert_eq!(bench.schedule("report").await.revision, held.revision);
    let later = bench.later(secs(99));
    assert_eq!(turned(false, Some(later)).await, Ok(true));
    let open = bench.schedule("report").await;
    assert_eq!((open.paused, open.next), (false, Some(later)));
    assert!(open.revision > held.revision);
    assert_eq!(bench.store.hold_schedule("none".to_owned(), true, None).await, Ok(false));
}

pub(super) async fn one_that_is_dropped_is_gone_with_its_occurrences(bench: Bench) {
    let slot = bench.now();
    bench.keep(daily(Some(slot))).await;
    let started = bench.turn(vec![fire(slot, send())], 0, None).await;
    assert_eq!(bench.store.drop_schedule("report".to_owned()).await, Ok(true));
    assert_eq!(bench.store.drop_schedule("report".to_owned()).await, Ok(false));
    assert_eq!(bench.store.schedules().await, Ok(Vec::new()));
    let crate::id::WorkId::Task(id) = started[0].id else { panic!("it is a task") };
    assert_eq!(bench.state(id).await, TaskState::Ready, "what it has started stays");
    assert_eq!(bench.keep(daily(Some(slot))).await.fired, 0);
    assert_eq!(bench.turn(vec![fire(slot, send())], 0, None).await.len(), 1, "it is another");
}

pub(super) async fn occurrences_are_not_kept_out_of_a_full_queue(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, QueueRules { depth: Some(0), ..QueueRules::default() }).await;
    bench.set_state(DEFAULT_QUEUE, QueueState::Draining).await;
    bench.keep(daily(Some(bench.now()))).await;
    assert_eq!(bench.turn(vec![fire(bench.now(), send())], 0, None).await.len(), 1);
}

pub(super) async fn an_occurrence_whose_key_is_taken_is_the_work_that_has_it(bench: Bench) {
    let holder: TaskId = bench.add(keyed("k", OnKey::Return, send())).await;
    bench.keep(daily(Some(bench.now()))).await;
    for (second, policy) in (0..).zip([OnKey::Return, OnKey::Refuse]) {
        let slot = bench.later(secs(second));
        let started = bench.turn(vec![fire(slot, keyed("k", policy, send()))], 0, Some(slot)).await;
        assert_eq!((started[0].id, started[0].existing), (holder.into(), true));
        assert_eq!(bench.schedule("report").await.last, Some((slot, holder.into())));
    }
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn one_may_be_started_now_beside_its_slots(bench: Bench) {
    let next = bench.later(secs(60));
    bench.keep(daily(Some(next))).await;
    assert_eq!(bench.turn(vec![fire(bench.now(), send())], 0, Some(next)).await.len(), 1);
    let kept = bench.schedule("report").await;
    assert_eq!((kept.fired, kept.next), (1, Some(next)));
}

pub(super) async fn a_part_of_a_run_is_no_occurrence(bench: Bench) {
    let kept = bench.keep(daily(Some(bench.now()))).await;
    let run = bench.start(flow()).await;
    let turn = Turn {
        id: "report".to_owned(),
        revision: kept.revision,
        fire: vec![fire(bench.now(), send()), fire(bench.later(secs(1)), step(run, "two"))],
        skipped: 0,
        next: None,
    };
    assert!(bench.store.turn_schedule(turn).await.is_err());
    assert_eq!((bench.schedule("report").await, bench.all_tasks().await.len()), (kept, 1), "nothing of it is done");
}
