//! The order of claims: a level of priority is a head start, so that nothing starves.

use std::time::Duration;

use crate::DEFAULT_QUEUE;
use crate::store::{NewTask, QueueRules};

use super::bench::{Bench, ok, retry, secs, send, snoozed, succeeded, task, then};
use super::claim::ids;

fn prior(priority: i16) -> NewTask {
    NewTask { priority, ..send() }
}

fn ageing(ageing: Duration) -> QueueRules {
    QueueRules { ageing: Some(ageing), ..QueueRules::default() }
}

pub(super) async fn nothing_starves(bench: Bench) {
    let low = bench.add(prior(0)).await;
    let mut worker = bench.worker().await;
    for second in 0..=300 {
        // There is always one of a higher priority.
        bench.add(prior(5)).await;
        let claimed = worker.claim().await;
        worker.finish(claimed.claim, ok()).await;
        if claimed.claim.id == low {
            assert_eq!(second, 300, "five levels are five minutes");
            return;
        }
        bench.clock.advance(secs(1));
    }
    panic!("it starved");
}

pub(super) async fn a_level_is_a_head_start_of_a_minute(bench: Bench) {
    let mut worker = bench.worker().await;
    for (wait, first_wins) in [(59, false), (60, true), (61, true)] {
        let low = bench.add(prior(0)).await;
        bench.clock.advance(secs(wait));
        let high = bench.add(prior(1)).await;
        let expected = if first_wins { [low, high] } else { [high, low] };
        worker.free(2);
        let taken = worker.take(2).await;
        assert_eq!(ids(&taken), expected, "after {wait} s");
    }
}

pub(super) async fn a_queue_says_what_a_level_is_worth(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, ageing(secs(2))).await;
    let low = bench.add(prior(-3)).await;
    bench.clock.advance(secs(5));
    let early = bench.add(prior(0)).await;
    bench.clock.advance(secs(2));
    let late = bench.add(prior(0)).await;
    let mut worker = bench.worker().await;
    worker.free(3);
    assert_eq!(ids(&worker.take(3).await), [early, low, late]);
}

pub(super) async fn without_ageing_it_is_the_time_alone(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, ageing(Duration::ZERO)).await;
    let low = bench.add(prior(-9)).await;
    bench.clock.advance(Duration::from_millis(1));
    let high = bench.add(prior(9)).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(ids(&worker.take(2).await), [low, high]);
}

pub(super) async fn an_ageing_for_ever_is_a_strict_order(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, ageing(Duration::MAX)).await;
    let low = bench.add(prior(3)).await;
    bench.clock.advance(Duration::from_hours(24 * 365));
    let high = bench.add(prior(4)).await;
    let highest = bench.add(prior(i16::MAX)).await;
    let mut worker = bench.worker().await;
    worker.free(3);
    assert_eq!(ids(&worker.take(3).await), [highest, high, low]);
}

pub(super) async fn a_changed_ageing_holds_from_then_on(bench: Bench) {
    let high = bench.add(prior(1)).await;
    bench.set_rules(DEFAULT_QUEUE, ageing(secs(1))).await;
    bench.clock.advance(secs(10));
    let other = bench.add(prior(9)).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(ids(&worker.take(2).await), [high, other], "a minute's head start against nine seconds'");
}

pub(super) async fn what_is_put_back_forgets_how_long_it_waited(bench: Bench) {
    let mut worker = bench.worker().await;
    for back in [retry(secs(0)), snoozed(secs(0)), crate::store::Verdict::Interrupted] {
        let first = bench.add(prior(0)).await;
        bench.clock.advance(secs(10));
        let second = bench.add(prior(0)).await;
        bench.clock.advance(secs(10));
        let claim = worker.claim().await.claim;
        assert_eq!(claim.id, first);
        worker.finish(claim, back).await;
        worker.free(2);
        assert_eq!(ids(&worker.take(2).await), [second, first]);
    }
}

pub(super) async fn a_delayed_task_waits_from_when_it_is_due(bench: Bench) {
    let delayed = bench.add(NewTask { delay: secs(100), ..prior(0) }).await;
    bench.clock.advance(secs(50));
    let plain = bench.add(prior(0)).await;
    bench.clock.advance(secs(100));
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(ids(&worker.take(2).await), [plain, delayed]);
}

pub(super) async fn of_one_rank_the_first_to_come_is_first(bench: Bench) {
    let mut added = Vec::new();
    for _ in 0..5 {
        added.push(bench.add(prior(0)).await);
        bench.clock.advance(secs(60));
        added.push(bench.add(prior(1)).await);
    }
    let mut worker = bench.worker().await;
    worker.free(10);
    assert_eq!(ids(&worker.take(10).await), added);
}

pub(super) async fn a_chain_is_handed_over_unless_the_first_has_a_higher_priority(bench: Bench) {
    bench.add(prior(0)).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let aged = bench.add(prior(-1)).await;
    bench.clock.advance(secs(300));
    let next = NewTask { priority: 0, ..task("ship") };
    let id = next.id;
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    let claim = worker.next().await.claim;
    assert_eq!(claim.id, id, "a chain goes on, for chains end");
    worker.finish_and_free(claim, ok()).await;
    assert_eq!(worker.next().await.claim.id, aged);
}
