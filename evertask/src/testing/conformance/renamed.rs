//! Steps that have a new name, in runs that were begun under the old one.

use crate::id::RunId;
use crate::store::{Arrival, Claimed, Follow, Got, NewTask, NewWork, RunState, SignalOutcome, TaskState};

use super::bench::{Bench, step, succeeded, then};
use super::parts::{Join, awaiting, begun, each, easy, for_each, gave, join, led_to, payload};
use super::worker::TestWorker;

const WAS: &[&str] = &["inner", "two"];

/// What is `three` now, and was `two`.
fn three(run: RunId) -> NewTask {
    NewTask { was: WAS, ..step(run, "three") }
}

/// A join of what is `three` now, and was `two`, with `four`.
fn joined(run: RunId) -> Join {
    let mut joined = join(run, &["three", "four"]);
    joined.members[0].was = WAS;
    joined
}

/// A run where a worker has these steps.
async fn at(bench: &Bench, steps: &[&'static str]) -> (RunId, TestWorker, Vec<Claimed>) {
    let (run, mut worker) = led_to(bench, easy(), |run| then(steps.iter().map(|&name| step(run, name)))).await;
    worker.free(u32::try_from(steps.len()).unwrap());
    let claimed = worker.take(steps.len()).await;
    (run, worker, claimed)
}

pub(super) async fn a_signal_reaches_who_waits_under_an_earlier_name(bench: Bench) {
    let (run, mut worker) = led_to(&bench, easy(), |run| then([awaiting(run, "two")])).await;
    assert_eq!(bench.signal_renamed(run, "three", WAS, "1").await, SignalOutcome::Delivered);
    let claimed = worker.claim().await;
    assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Signal), "1"));
    assert_eq!(bench.signal_renamed(run, "three", WAS, "2").await, SignalOutcome::Repeated);
}

pub(super) async fn the_oldest_under_any_of_its_names_gets_it(bench: Bench) {
    let steps = |run| then([awaiting(run, "two"), awaiting(run, "three")]);
    let (run, mut worker) = led_to(&bench, easy(), steps).await;
    assert_eq!(bench.signal_renamed(run, "three", WAS, "1").await, SignalOutcome::Delivered);
    assert_eq!(bench.signal_renamed(run, "three", WAS, "2").await, SignalOutcome::Delivered);
    worker.free(2);
    let claimed = worker.take(2).await;
    let at = |claimed: &Claimed| claimed.of.as_ref().and_then(|of| of.step.clone());
    assert_eq!((at(&claimed[0]).as_deref(), payload(&claimed[0])), (Some("two"), "1"));
    assert_eq!((at(&claimed[1]).as_deref(), payload(&claimed[1])), (Some("three"), "2"));
}

pub(super) async fn a_signal_kept_under_an_earlier_name_is_for_its_step(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept);
    assert_eq!(bench.signal_renamed(run, "three", WAS, "2").await, SignalOutcome::Repeated);
    let waits = NewTask { was: WAS, ..awaiting(run, "three") };
    let again = NewTask { was: WAS, ..awaiting(run, "three") };
    let again_id = again.id;
    worker.finish_and_free(claim, succeeded(then([waits, again]))).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Signal), "1"));
    assert_eq!(bench.state(again_id).await, TaskState::Waiting, "it is used once");
    assert_eq!(bench.signal_renamed(run, "three", WAS, "3").await, SignalOutcome::Delivered);
}

pub(super) async fn a_join_finds_members_under_earlier_names(bench: Bench) {
    for settled in [false, true] {
        let (run, mut worker, claimed) = at(&bench, &["two", "four"]).await;
        let joined = Join { settled, ..joined(run) };
        worker.finish(claimed[0].claim, gave("2", joined.at(0))).await;
        worker.finish_and_free(claimed[1].claim, gave("4", joined.at(1))).await;
        let expected = if settled { r#"[{"Ok":2},{"Ok":4}]"# } else { "[2,4]" };
        assert_eq!(payload(&worker.next().await), expected);
    }
}

pub(super) async fn a_member_that_ran_under_both_names_gives_what_it_did_last(bench: Bench) {
    let (run, mut worker, claimed) = at(&bench, &["two", "four"]).await;
    worker.finish_and_free(claimed[0].claim, gave("2", then([three(run)]))).await;
    let last = worker.next().await.claim;
    worker.finish(last, gave("3", joined(run).at(0))).await;
    worker.finish_and_free(claimed[1].claim, gave("4", joined(run).at(1))).await;
    assert_eq!(payload(&worker.next().await), "[3,4]");
}

pub(super) async fn a_join_finds_items_under_an_earlier_name(bench: Bench) {
    let run = easy();
    let mut next = for_each(each(run.id, "two", 3, None));
    next.work.push(NewWork::Task(step(run.id, "four")));
    let (run, mut worker) = led_to(&bench, run, |_| next).await;
    let joined = joined(run).each(0);
    worker.free(4);
    for claimed in worker.take(4).await {
        let is_item = claimed.of.as_ref().is_some_and(|of| of.step.as_deref() == Some("two"));
        let output = if is_item { payload(&claimed).to_owned() } else { "\"four\"".to_owned() };
        worker.finish(claimed.claim, gave(&output, joined.at(u32::from(!is_item)))).await;
    }
    worker.free(1);
    assert_eq!(payload(&worker.next().await), "[[0,1,2],\"four\"]");
}

pub(super) async fn who_arrived_at_a_join_of_an_earlier_name_has_arrived(bench: Bench) {
    let (run, mut worker, claimed) = at(&bench, &["two", "four"]).await;
    let before = join(run, &["two", "four"]);
    worker.finish(claimed[0].claim, gave("2", before.at(0))).await;
    let then = NewTask { was: &["gather"], ..step(run, "three") };
    let arrival = Arrival { join: "three".into(), then, ..before.arrival(1) };
    let last = Follow { arrival: Some(arrival), ..Follow::default() };
    worker.finish_and_free(claimed[1].claim, gave("4", last)).await;
    let joined = worker.next().await;
    assert_eq!((payload(&joined), joined.got), ("[2,4]", Some(Got::Join)));
    worker.finish(joined.claim, gave("7", Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded, "nobody waits at the old one");
}

pub(super) async fn who_arrived_under_both_names_has_arrived_once(bench: Bench) {
    let (run, mut worker, claimed) = at(&bench, &["two", "two", "four"]).await;
    let before = join(run, &["two", "four"]);
    let now = |member| {
        let then = NewTask { was: &["gather"], ..step(run, "three") };
        let arrival = Arrival { join: "three".into(), then, ..before.arrival(member) };
        Follow { arrival: Some(arrival), ..Follow::default() }
    };
    worker.finish(claimed[0].claim, gave("2", now(0))).await;
    worker.finish(claimed[1].claim, gave("22", before.at(0))).await;
    worker.finish_and_free(claimed[2].claim, gave("4", now(1))).await;
    let joined = worker.next().await;
    assert_eq!(payload(&joined), "[22,4]");
    worker.finish(joined.claim, gave("7", Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn visits_under_an_earlier_name_count(bench: Bench) {
    let (run, mut worker, claimed) = at(&bench, &["two", "two"]).await;
    let limited = NewTask { visits: Some(2), ..three(run) };
    worker.finish(claimed[0].claim, succeeded(then([limited]))).await;
    assert!(bench.run(run).await.failure.unwrap().message.contains("2 times"));
}
