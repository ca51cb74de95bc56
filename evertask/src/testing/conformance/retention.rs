//! How long what has ended is kept.

use crate::id::TaskId;
use crate::schedule::Timestamp;
use crate::store::{
    Finished, Firing, Follow, Keep, LogLine, NewRun, NewSchedule, NewTask, NewWork, Notes, OnKey, Prune, RunState,
    Settled, TaskState, Turn, Verdict,
};

use super::bench::{Bench, cancelled, done, failed, fails, flow, ok, secs, send, step, succeeded, then, undecodable};
use super::parts::{awaiting, begun};
use super::terms::keyed;

fn since(since: Timestamp) -> Keep {
    Keep { since: Some(since), most: None }
}

fn newest(most: u64) -> Keep {
    Keep { since: None, most: Some(most) }
}

fn all(keep: Keep) -> Prune {
    Prune { succeeded: keep, failed: keep, cancelled: keep, logs_since: None, most: 1_000 }
}

impl Bench {
    /// So many tasks, one second after the other, that end like this.
    async fn ended(&self, count: usize, verdict: Verdict) -> Vec<TaskId> {
        let mut worker = self.worker().await;
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.add(NewTask { priority: 99, ..send() }).await);
            let claim = worker.claim().await.claim;
            assert_eq!(worker.finish(claim, verdict.clone()).await, Settled::Committed);
            self.clock.advance(secs(1));
        }
        worker.retire().await;
        ids
    }

    async fn prune(&self, prune: Prune) -> u64 {
        self.store.prune(prune).await.expect("the store is pruned")
    }

    async fn left(&self) -> Vec<TaskId> {
        self.all_tasks().await.into_iter().map(|task| task.id).collect()
    }
}

pub(super) async fn what_ended_before_goes(bench: Bench) {
    let begin = bench.now();
    let ids = bench.ended(5, ok()).await;
    assert_eq!(bench.prune(all(since(begin))).await, 0, "what ended then stays");
    assert_eq!(bench.prune(all(since(begin.plus(secs(2))))).await, 2);
    assert_eq!(bench.left().await, ids[2..]);
    assert_eq!(bench.prune(all(since(begin.plus(secs(2))))).await, 0);
}

pub(super) async fn the_newest_stay(bench: Bench) {
    let ids = bench.ended(5, ok()).await;
    assert_eq!(bench.prune(all(newest(2))).await, 3);
    assert_eq!(bench.left().await, ids[3..]);
    assert_eq!(bench.prune(all(newest(2))).await, 0);
    assert_eq!(bench.prune(all(newest(0))).await, 2);
}

pub(super) async fn the_newest_are_those_that_ended_last(bench: Bench) {
    let early = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.ended(2, ok()).await;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.prune(all(newest(1))).await, 2);
    assert_eq!(bench.left().await, [early]);
}

pub(super) async fn what_ended_at_once_goes_by_arrival(bench: Bench) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(bench.add(send()).await);
    }
    let mut worker = bench.worker().await;
    worker.free(6);
    for claimed in worker.take(6).await.into_iter().rev() {
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.prune(Prune { most: 2, ..all(newest(3)) }).await, 2);
    assert_eq!(bench.prune(Prune { most: 2, ..all(newest(3)) }).await, 1);
    assert_eq!(bench.prune(Prune { most: 2, ..all(newest(3)) }).await, 0);
    assert_eq!(bench.left().await, ids[3..]);
    let later = bench.ended(1, ok()).await;
    assert_eq!(bench.prune(all(newest(3))).await, 1);
    assert_eq!(bench.left().await, [ids[4], ids[5], later[0]]);
}

pub(super) async fn two_at_once_take_no_more(bench: Bench) {
    let ids = bench.ended(8, ok()).await;
    let (first, second) = (bench.store.prune(all(newest(3))), bench.store.prune(all(newest(3))));
    assert_eq!(first.await.unwrap() + second.await.unwrap(), 5);
    assert_eq!(bench.left().await, ids[5..]);
}

pub(super) async fn either_lets_it_go(bench: Bench) {
    let begin = bench.now();
    let ids = bench.ended(6, ok()).await;
    let keep = Keep { since: Some(begin.plus(secs(1))), most: Some(3) };
    assert_eq!(bench.prune(all(keep)).await, 3);
    let keep = Keep { since: Some(begin.plus(secs(5))), most: Some(3) };
    assert_eq!(bench.prune(all(keep)).await, 2);
    assert_eq!(bench.left().await, ids[5..]);
}

pub(super) async fn each_state_has_its_own(bench: Bench) {
    let succeeded = bench.ended(2, ok()).await;
    let failed = bench.ended(2, failed(Follow::default())).await;
    let cancelled = bench.ended(2, cancelled(Follow::default())).await;
    let none = Prune { most: 100, ..Prune::default() };
    assert_eq!(bench.prune(none).await, 0, "nothing is limited");
    assert_eq!(bench.prune(Prune { failed: newest(0), ..none }).await, 2);
    assert_eq!(bench.left().await, [&succeeded[..], &cancelled[..]].concat());
    assert!(bench.find(failed[0]).await.is_none());
    assert_eq!(bench.prune(Prune { cancelled: newest(1), ..none }).await, 1);
    assert_eq!(bench.prune(Prune { succeeded: since(bench.now()), ..none }).await, 2);
    assert_eq!(bench.left().await, cancelled[1..]);
}

pub(super) async fn live_work_never_goes(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, succeeded(then([awaiting(run, "two")]))).await;
    let ready = bench.add(NewTask { delay: secs(500), ..send() }).await;
    bench.add(send()).await;
    let running = worker.claim().await.claim;
    bench.add(send()).await;
    let parked = worker.claim().await.claim;
    worker.finish(parked, undecodable()).await;
    bench.clock.advance(secs(100));
    assert_eq!(bench.prune(all(newest(0))).await, 0);
    assert_eq!(bench.prune(all(since(bench.later(secs(1_000))))).await, 0);
    assert_eq!(bench.all_tasks().await.len(), 5, "the ended step of a live run stays");
    assert_eq!((bench.state(ready).await, bench.state(parked.id).await), (TaskState::Ready, TaskState::Parked));
    assert_eq!(worker.finish(running, ok()).await, Settled::Committed);
}

pub(super) async fn a_run_goes_whole(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let lines = vec![LogLine { at: bench.now(), fence: 1, text: "hello".to_owned() }];
    bench.store.note(claim, Notes { progress: None, lines }).await.unwrap();
    bench.signal(run, "three", "1").await;
    worker.finish_and_free(claim, succeeded(then([step(run, "two")]))).await;
    let two = worker.next().await.claim;
    worker.finish(two, failed(fails("no"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    bench.clock.advance(secs(1));
    assert_eq!(bench.prune(all(since(bench.now()))).await, 1, "a run is one, with all that is its");
    assert_eq!((bench.store.run(run).await, bench.left().await), (Ok(None), Vec::new()));
    assert_eq!(bench.store.log(claim.id).await, Ok(Vec::new()));
    assert_eq!(bench.store.attempts(two.id).await, Ok(Vec::new()));
}

pub(super) async fn tasks_and_runs_are_counted_apart(bench: Bench) {
    bench.ended(2, ok()).await;
    for _ in 0..2 {
        let (run, mut worker, claim) = begun(&bench, flow()).await;
        worker.finish(claim, succeeded(done("1"))).await;
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
        worker.retire().await;
        bench.clock.advance(secs(1));
    }
    assert_eq!(bench.prune(all(newest(1))).await, 2, "one of each");
    assert_eq!(bench.all_tasks().await.len(), 2);
}

pub(super) async fn it_goes_in_small_batches(bench: Bench) {
    let ids = bench.ended(7, ok()).await;
    let prune = Prune { most: 3, ..all(newest(0)) };
    assert_eq!(bench.prune(prune).await, 3);
    assert_eq!(bench.left().await, ids[3..], "the oldest first");
    assert_eq!((bench.prune(prune).await, bench.prune(prune).await, bench.prune(prune).await), (3, 1, 0));
}

pub(super) async fn a_key_goes_with_its_work(bench: Bench) {
    bench.add(keyed("k", OnKey::Return, send())).await;
    bench.start(NewRun { key: Some("k".to_owned()), ..flow() }).await;
    let mut worker = bench.worker().await;
    for verdict in [ok(), succeeded(done("1"))] {
        let claim = worker.claim().await.claim;
        worker.finish(claim, verdict).await;
    }
    bench.prune(all(newest(0))).await;
    bench.add(keyed("k", OnKey::Refuse, send())).await;
    bench.start(NewRun { key: Some("k".to_owned()), ..flow() }).await;
}

pub(super) async fn log_lines_that_are_older_go(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    for number in 0..6 {
        let lines = vec![LogLine { at: bench.now(), fence: 1, text: number.to_string() }];
        bench.store.note(claim, Notes { progress: None, lines }).await.unwrap();
        bench.clock.advance(secs(1));
    }
    let verdict = super::bench::retry(secs(0));
    worker.settle(vec![Finished { claim, verdict, notes: Notes::default() }], 0).await;
    let prune = |most| Prune { logs_since: Some(bench.later(secs(0))), most, ..Prune::default() };
    let older = Prune { logs_since: Some(Timestamp::from_millis(bench.now().as_millis() - 4_000)), ..prune(100) };
    assert_eq!(bench.prune(older).await, 2);
    let texts: Vec<_> = bench.store.log(claim.id).await.unwrap().into_iter().map(|line| line.text).collect();
    assert_eq!(texts, ["2", "3", "4", "5"]);
    assert_eq!((bench.prune(prune(3)).await, bench.prune(prune(3)).await, bench.prune(prune(3)).await), (3, 1, 0));
    assert_eq!(bench.store.attempts(claim.id).await.unwrap().len(), 1, "the reports of attempts stay");
}

pub(super) async fn occurrences_go_but_for_the_newest(bench: Bench) {
    let begin = bench.now();
    let slot = |number: u64| begin.plus(secs(number));
    for id in ["a", "b"] {
        let schedule = NewSchedule {
            id: id.to_owned(),
            name: "send".to_owned(),
            spec: b"1".to_vec(),
            template: b"{}".to_vec(),
            next: Some(begin),
        };
        bench.store.keep_schedules(vec![schedule]).await.unwrap();
        let fire = (0..4).map(|number| Firing { slot: slot(number), work: NewWork::Task(send()) }).collect();
        let turn = Turn { id: id.to_owned(), revision: 0, fire, skipped: 0, next: None };
        let revision = bench.store.schedules().await.unwrap().iter().find(|kept| kept.id == id).unwrap().revision;
        assert_eq!(bench.store.turn_schedule(Turn { revision, ..turn }).await.unwrap().len(), 4);
    }
    let prune = |keep| Prune { succeeded: keep, most: 100, ..Prune::default() };
    assert_eq!(bench.prune(prune(since(slot(2)))).await, 4);
    assert_eq!(bench.prune(prune(since(slot(100)))).await, 2, "the newest of each stays");
    assert_eq!(bench.prune(prune(since(slot(100)))).await, 0);
    let revision = bench.store.schedules().await.unwrap()[0].revision;
    let again = Firing { slot: slot(3), work: NewWork::Task(send()) };
    let turn = Turn { id: "a".to_owned(), revision, fire: vec![again], skipped: 0, next: None };
    assert_eq!(bench.store.turn_schedule(turn).await, Ok(Vec::new()), "it is not started twice");
    assert_eq!(bench.all_tasks().await.len(), 8);
}

pub(super) async fn what_is_left_is_listed_in_pages(bench: Bench) {
    let ids = bench.ended(9, ok()).await;
    let live = bench.add(send()).await;
    bench.prune(all(newest(2))).await;
    let filter = crate::store::TaskFilter { limit: Some(2), ..crate::store::TaskFilter::default() };
    let page = bench.store.tasks(filter.clone()).await.unwrap();
    assert_eq!(page.iter().map(|task| task.id).collect::<Vec<_>>(), ids[7..]);
    let rest = bench.store.tasks(crate::store::TaskFilter { after: Some(ids[8]), ..filter }).await.unwrap();
    assert_eq!(rest.iter().map(|task| task.id).collect::<Vec<_>>(), [live]);
}

pub(super) async fn a_revived_task_is_not_pruned(bench: Bench) {
    let ids = bench.ended(1, failed(Follow::default())).await;
    bench.store.revive(ids.clone(), None).await.unwrap();
    assert_eq!(bench.prune(all(newest(0))).await, 0);
    assert_eq!(bench.left().await, ids);
}

pub(super) async fn whoever_waits_for_what_was_pruned_is_answered(bench: Bench) {
    let ids = bench.ended(1, ok()).await;
    bench.prune(all(newest(0))).await;
    bench.store.ended(ids[0].into()).await.unwrap();
    assert_eq!(bench.find(ids[0]).await, None);
}
