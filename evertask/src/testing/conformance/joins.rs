//! Joins: steps that all end before one task follows.

use crate::failure::{FailureKind, FailureReport};
use crate::id::RunId;
use crate::store::{Claimed, Finished, Follow, Got, NewTask, NewWork, Notes, RunState, TaskState, Verdict};

use super::bench::{Bench, done, failed, fails, flow, ok, report, send, step, succeeded, task, then};
use super::parts::{Join, begun, easy, gave, join, led_to, payload, undone_by};
use super::worker::TestWorker;

/// A run whose steps, one of each of these, a worker has.
async fn branches(bench: &Bench, steps: &[&'static str]) -> (RunId, TestWorker, Vec<Claimed>) {
    let (run, mut worker) = led_to(bench, easy(), |run| then(steps.iter().map(|&name| step(run, name)))).await;
    worker.free(u32::try_from(steps.len()).unwrap());
    let claimed = worker.take(steps.len()).await;
    (run, worker, claimed)
}

fn failed_at(join: &Join, member: u32) -> (Verdict, FailureReport) {
    let why = report("out of stock");
    (Verdict::Failed { report: why.clone(), error: None, next: join.at(member) }, why)
}

pub(super) async fn the_last_to_arrive_adds_the_joined_task(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three", "four"]).await;
    let all = join(run, &["two", "three", "four"]);
    let then_id = all.then.id;
    for (place, json) in [(2, "[3]"), (0, "{\"a\": 1 }")] {
        worker.finish(claimed[place].claim, gave(json, all.at(u32::try_from(place).unwrap()))).await;
        assert_eq!(bench.find(then_id).await, None);
        assert_eq!(bench.run_state(run).await, RunState::Running);
    }
    worker.finish_and_free(claimed[1].claim, gave("\"2\"", all.at(1))).await;
    assert_eq!(bench.run(run).await.open_tasks, 1);
    let joined = worker.next().await;
    assert_eq!((joined.claim.id, joined.got), (then_id, Some(Got::Join)));
    assert_eq!(payload(&joined), "[{\"a\": 1 },\"2\",[3]]", "in the order of the members, byte for byte");
    assert_eq!(joined.of.as_ref().and_then(|of| of.step.as_deref()), Some("gather"));
    worker.finish(joined.claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn the_joined_task_is_kept_as_it_was_given(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two"]).await;
    let mut one = join(run, &["two"]);
    one.then = NewTask {
        priority: 4,
        queue: "slow".into(),
        correlation: Some("c".to_owned()),
        parent: Some(claimed[0].claim.id),
        delay: super::bench::secs(9),
        ..one.then
    };
    worker.finish(claimed[0].claim, gave("7", one.at(0))).await;
    let kept = bench.task(one.then.id).await;
    assert_eq!((kept.priority, kept.queue.as_str(), kept.correlation.as_deref()), (4, "slow", Some("c")));
    assert_eq!((kept.parent, kept.run_at), (one.then.parent, bench.now().plus(super::bench::secs(9))));
    assert_eq!((kept.state, kept.payload, kept.item), (TaskState::Ready, b"[7]".to_vec(), None));
}

pub(super) async fn the_joined_task_is_handed_over(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    bench.add(send()).await;
    let both = join(run, &["two", "three"]);
    worker.finish(claimed[0].claim, gave("1", both.at(0))).await;
    worker.finish_and_free(claimed[1].claim, gave("2", both.at(1))).await;
    let joined = worker.next().await;
    assert_eq!((joined.claim.id, payload(&joined)), (both.then.id, "[1,2]"), "before what waited in the queue");
}

pub(super) async fn all_members_may_arrive_in_one_call(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    let both = join(run, &["two", "three"]);
    let ends = [(1, "3"), (0, "2")].map(|(place, json)| Finished {
        claim: claimed[place].claim,
        verdict: gave(json, both.at(u32::try_from(place).unwrap())),
        notes: Notes::default(),
    });
    worker.settle(ends.into(), 1).await;
    assert_eq!(payload(&worker.next().await), "[2,3]");
}

pub(super) async fn what_it_got_stays_over_a_retry(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two"]).await;
    worker.finish_and_free(claimed[0].claim, gave("1", join(run, &["two"]).at(0))).await;
    let claim = worker.next().await.claim;
    worker.finish_and_free(claim, super::bench::retry(super::bench::secs(0))).await;
    let again = worker.next().await;
    assert_eq!((again.got, payload(&again)), (Some(Got::Join), "[1]"));
}

pub(super) async fn a_member_that_arrives_twice_counts_once(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "two", "three"]).await;
    let both = join(run, &["two", "three"]);
    worker.finish(claimed[1].claim, gave("\"second\"", both.at(0))).await;
    worker.finish(claimed[0].claim, gave("\"first\"", both.at(0))).await;
    assert_eq!(bench.find(both.then.id).await, None);
    worker.finish_and_free(claimed[2].claim, gave("3", both.at(1))).await;
    assert_eq!(payload(&worker.next().await), "[\"second\",3]", "the last by arrival, not by its end");
}

pub(super) async fn a_lost_claim_does_not_arrive(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    let both = join(run, &["two", "three"]);
    worker.finish(claimed[0].claim, gave("1", both.at(0))).await;
    let stale = crate::store::Claim { fence: 9, ..claimed[1].claim };
    assert_eq!(worker.finish(stale, gave("2", both.at(1))).await, crate::store::Settled::Fenced);
    assert_eq!(bench.find(both.then.id).await, None);
    worker.finish(claimed[1].claim, gave("3", both.at(1))).await;
    assert_eq!(bench.task(both.then.id).await.payload, b"[1,3]");
}

pub(super) async fn each_round_is_a_new_join(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    let mut claims = [claimed[0].claim, claimed[1].claim];
    for round in 0..3 {
        let both = join(run, &["two", "three"]);
        worker.finish(claims[0], gave(&round.to_string(), both.at(0))).await;
        assert_eq!(bench.find(both.then.id).await, None, "those of the round before are gone");
        worker.finish_and_free(claims[1], gave(&(round + 10).to_string(), both.at(1))).await;
        let joined = worker.next().await;
        assert_eq!((joined.claim.id, payload(&joined)), (both.then.id, format!("[{round},{}]", round + 10).as_str()));
        worker.finish(joined.claim, succeeded(then([step(run, "two"), step(run, "three")]))).await;
        worker.free(2);
        claims = [worker.next().await.claim, worker.next().await.claim];
    }
    bench.cancel(run).await;
    for claim in claims {
        worker.finish(claim, super::bench::cancelled(Follow::default())).await;
    }
}

pub(super) async fn two_joins_do_not_mix(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three", "four"]).await;
    let first = join(run, &["two", "three"]);
    let second = Join { then: step(run, "gather"), ..join(run, &["four", "three"]) };
    let other = |member| {
        let arrival = crate::store::Arrival { join: "other".into(), ..second.arrival(member) };
        Follow { arrival: Some(arrival), ..Follow::default() }
    };
    worker.finish(claimed[0].claim, gave("2", first.at(0))).await;
    worker.finish(claimed[1].claim, gave("3", other(1))).await;
    assert_eq!((bench.find(first.then.id).await, bench.find(second.then.id).await), (None, None));
    let next = Follow { work: then([step(run, "three")]).work, ..other(0) };
    worker.finish_and_free(claimed[2].claim, gave("4", next)).await;
    assert_eq!(bench.task(second.then.id).await.payload, b"[4,3]");
    let again = worker.next().await;
    worker.finish(again.claim, gave("5", first.at(1))).await;
    assert_eq!(bench.task(first.then.id).await.payload, b"[2,5]");
}

pub(super) async fn two_runs_do_not_mix(bench: Bench) {
    let (first, mut worker, of_first) = branches(&bench, &["two", "three"]).await;
    let (second, _, of_second) = branches(&bench, &["two", "three"]).await;
    let joins = [join(first, &["two", "three"]), join(second, &["two", "three"])];
    worker.finish(of_first[0].claim, gave("1", joins[0].at(0))).await;
    worker.finish(of_second[1].claim, gave("22", joins[1].at(1))).await;
    assert_eq!(bench.find(joins[0].then.id).await, None);
    assert_eq!(bench.find(joins[1].then.id).await, None);
    worker.finish(of_first[1].claim, gave("2", joins[0].at(1))).await;
    worker.finish(of_second[0].claim, gave("11", joins[1].at(0))).await;
    assert_eq!(bench.task(joins[0].then.id).await.payload, b"[1,2]");
    assert_eq!(bench.task(joins[1].then.id).await.payload, b"[11,22]");
}

pub(super) async fn a_settled_join_takes_failures(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    let both = join(run, &["two", "three"]).settled();
    let (verdict, why) = failed_at(&both, 0);
    worker.finish(claimed[0].claim, verdict).await;
    assert_eq!(bench.run_state(run).await, RunState::Running);
    worker.finish_and_free(claimed[1].claim, gave("{ \"b\": 2}", both.at(1))).await;
    let why = serde_json::to_string(&why).unwrap();
    assert_eq!(payload(&worker.next().await), format!("[{{\"Err\":{why}}},{{\"Ok\":{{ \"b\": 2}}}}]"));
}

pub(super) async fn a_settled_join_takes_a_cancel(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    let both = join(run, &["two", "three"]).settled();
    worker.finish(claimed[0].claim, Verdict::Cancelled { next: both.at(0) }).await;
    worker.finish_and_free(claimed[1].claim, gave("2", both.at(1))).await;
    let joined = worker.next().await;
    let outcomes: Vec<Result<u8, FailureReport>> = serde_json::from_slice(&joined.payload).unwrap();
    let failure = outcomes[0].as_ref().unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Cancelled, "cancelled"));
    assert_eq!((failure.task.as_str(), failure.id), ("send", claimed[0].claim.id.uuid()));
    assert_eq!(outcomes[1], Ok(2));
}

pub(super) async fn a_settled_join_takes_the_last_task_of_a_step(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "two", "three"]).await;
    let both = join(run, &["two", "three"]).settled();
    let (verdict, why) = failed_at(&both, 0);
    worker.finish(claimed[1].claim, verdict).await;
    worker.finish(claimed[0].claim, gave("1", both.at(0))).await;
    worker.finish(claimed[2].claim, gave("3", both.at(1))).await;
    let why = serde_json::to_string(&why).unwrap();
    let json = bench.task(both.then.id).await.payload;
    assert_eq!(String::from_utf8(json).unwrap(), format!("[{{\"Err\":{why}}},{{\"Ok\":3}}]"));
}

pub(super) async fn a_failed_member_does_not_arrive_unless_it_is_settled(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "two", "three"]).await;
    let both = join(run, &["two", "three"]);
    worker.finish(claimed[1].claim, failed_at(&both, 0).0).await;
    worker.finish(claimed[2].claim, gave("3", both.at(1))).await;
    assert_eq!(bench.find(both.then.id).await, None);
    worker.finish(claimed[0].claim, gave("1", both.at(0))).await;
    assert_eq!(bench.task(both.then.id).await.payload, b"[1,3]", "the last that succeeded");
}

pub(super) async fn a_run_fails_where_a_join_was_never_complete(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    let both = join(run, &["two", "three"]);
    worker.finish(claimed[0].claim, gave("1", both.at(0))).await;
    worker.finish(claimed[1].claim, failed_at(&both, 1).0).await;
    let ended = bench.run(run).await;
    let failure = ended.failure.expect("it says why");
    assert_eq!((ended.state, failure.kind, failure.task.as_str()), (RunState::Failed, FailureKind::Declared, "flow"));
    assert_eq!((failure.id, failure.message.as_str()), (run.uuid(), "the join `gather` was never complete"));
    assert_eq!(bench.find(both.then.id).await, None);
}

pub(super) async fn of_two_incomplete_joins_the_first_by_name_is_named(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two", "three"]).await;
    for (one, name) in claimed.into_iter().zip(["b", "a"]) {
        let arrival = crate::store::Arrival { join: name.into(), ..join(run, &["two", "four"]).arrival(0) };
        worker.finish(one.claim, succeeded(Follow { arrival: Some(arrival), ..Follow::default() })).await;
    }
    assert_eq!(bench.run(run).await.failure.unwrap().message, "the join `a` was never complete");
}

pub(super) async fn an_incomplete_join_comes_before_a_missing_output(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, gave("1", join(run, &["one", "two"]).at(0))).await;
    assert_eq!(bench.run(run).await.failure.unwrap().message, "the join `gather` was never complete");
}

pub(super) async fn a_run_whose_join_was_never_complete_is_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let next = undone_by(run, "1", join(run, &["one", "two"]).at(0));
    worker.finish_and_free(claim, gave("1", next)).await;
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    let undo = worker.next().await;
    assert_eq!(payload(&undo), "1");
    worker.finish(undo.claim, ok()).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.contains("join `gather`")), (RunState::Failed, true));
}

pub(super) async fn a_run_that_stops_has_no_joins(bench: Bench) {
    for cancel in [false, true] {
        let (run, mut worker, claimed) = branches(&bench, &["two", "three", "four"]).await;
        let both = join(run, &["two", "three"]).settled();
        worker.finish(claimed[0].claim, gave("1", both.at(0))).await;
        if cancel {
            bench.cancel(run).await;
        } else {
            worker.finish(claimed[2].claim, failed(fails("no"))).await;
        }
        worker.finish(claimed[1].claim, gave("2", both.at(1))).await;
        assert_eq!(bench.find(both.then.id).await, None);
        if cancel {
            worker.finish(claimed[2].claim, Verdict::Cancelled { next: both.at(1) }).await;
            assert_eq!(bench.find(both.then.id).await, None, "not over its cancel either");
        }
        let state = if cancel { RunState::Cancelled } else { RunState::Failed };
        assert_eq!(bench.run_state(run).await, state);
    }
}

pub(super) async fn what_fails_the_run_does_not_arrive(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two"]).await;
    let one = join(run, &["two"]);
    let next = Follow { arrival: Some(one.arrival(0)), ..fails("no") };
    worker.finish(claimed[0].claim, gave("1", next)).await;
    assert_eq!((bench.find(one.then.id).await, bench.run_state(run).await), (None, RunState::Failed));
}

pub(super) async fn a_task_of_no_run_arrives_nowhere(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let one = join(run, &["one"]);
    bench.add(task("ship")).await;
    let loose = worker.claim().await.claim;
    worker.finish(loose, gave("1", one.at(0))).await;
    assert_eq!(bench.find(one.then.id).await, None);
    worker.finish(claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn work_beside_an_arrival_is_added(bench: Bench) {
    let (run, mut worker, claimed) = branches(&bench, &["two"]).await;
    let one = join(run, &["two"]);
    let next = Follow {
        work: vec![NewWork::Task(step(run, "four")), NewWork::Task(send())],
        output: Some(b"5".to_vec()),
        ..one.at(0)
    };
    worker.finish(claimed[0].claim, gave("1", next)).await;
    let kept = bench.run(run).await;
    assert_eq!((kept.open_tasks, kept.output.as_deref()), (2, Some(&b"5"[..])));
    assert_eq!(bench.task(one.then.id).await.payload, b"[1]");
}

pub(super) async fn what_undoes_a_step_is_no_member(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let next = undone_by(run, "9", then([step(run, "two")]));
    worker.finish_and_free(claim, gave("1", next)).await;
    let both = join(run, &["undo", "two"]);
    let claim = worker.next().await.claim;
    let next = Follow { work: then([step(run, "three")]).work, ..both.at(0) };
    worker.finish_and_free(claim, gave("2", next)).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, gave("3", both.at(1))).await;
    assert_eq!(bench.task(both.then.id).await.payload, b"[null,2]");
}
