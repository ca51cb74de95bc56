//! Priority with ageing: what is urgent comes first, and what is not gets its turn.

use std::time::Duration;

use evertask::prelude::*;
use evertask::{DispatchError, Queue, workflow};

use crate::bench::{Bench, by_the_clock, holding, named, secs, stage};

workflow! {
    /// Steps that follow each other without a pause.
    Chain<u32> {
        turn {
            on_ok(left) if left > 0 => turn(left) limit 1000,
            on_ok(_)                => end,
        }
    }
}

#[task(queue = "stage")]
async fn turn(left: u32, cx: &Context) -> Result<u32, DispatchError> {
    stage(cx).begin("turn");
    if left == 30 {
        cx.dispatch(named("urgent").priority(1))?;
    }
    Ok(left - 1)
}

/// A queue that has always something urgent to do: after how many of those the one that is not urgent starts.
async fn rounds(bench: &Bench, ageing: Duration, priority: i16, most: usize) -> Option<usize> {
    let worker = bench.worker(Queue::new().concurrency(1).ageing(ageing)).await;
    let urgent = |number: usize| holding(format!("urgent {number}")).priority(priority);
    bench.dispatcher.dispatch_all((0..3).map(urgent)).await.unwrap();
    bench.dispatcher.dispatch(holding("patient")).await.unwrap();
    let mut found = None;
    for round in 1..=most {
        let names = bench.stage.names(round).await;
        found = names.iter().position(|name| name == "patient");
        if found.is_some() {
            break;
        }
        // One more comes before one ends, each second.
        bench.clock.advance(secs(1));
        bench.dispatcher.dispatch(urgent(round + 2)).await.unwrap();
        bench.stage.let_go(1);
    }
    bench.stage.let_go(10_000);
    bench.play().await;
    worker.shutdown().await;
    found
}

by_the_clock! {
    async fn what_is_urgent_comes_first(bench) {
        bench.dispatcher.pause_queue("stage").await.unwrap();
        for (name, priority) in [("c", 0), ("a", 9), ("d", -3), ("b", 1), ("e", -3)] {
            bench.dispatcher.dispatch(named(name).priority(priority)).await.unwrap();
        }
        let worker = bench.worker(Queue::new().concurrency(1)).await;
        bench.dispatcher.resume_queue("stage").await.unwrap();
        assert_eq!(bench.stage.names(5).await, ["a", "b", "c", "d", "e"]);
        bench.play().await;
        worker.shutdown().await;
    }

    async fn what_waits_gets_its_turn(bench) {
        let turn = rounds(&bench, secs(10), 5, 200).await.unwrap();
        println!("ageing 10 s, five levels below one a second: its turn after {turn} s");
        // Five levels are 50 s; two were before it at the start.
        assert!((48..=56).contains(&turn), "{turn}");
    }

    async fn without_ageing_it_would_starve(bench) {
        assert_eq!(rounds(&bench, Duration::MAX, 5, 200).await, None);
    }

    async fn with_none_at_all_it_is_first_come_first_served(bench) {
        assert_eq!(rounds(&bench, Duration::ZERO, 5, 200).await, Some(3));
    }

    async fn nothing_starves_under_a_load_of_all_priorities(bench) {
        const LEVELS: u64 = 6;
        const BACKLOG: usize = 12;
        let worker = bench.worker(Queue::new().concurrency(1).ageing(secs(5))).await;
        let begun = bench.now();
        // A fixed sequence of priorities, without an order.
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = |number: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let level = state % LEVELS;
            holding(format!("{level} {number}")).priority(i16::try_from(level).unwrap())
        };
        let mut number = 0;
        for _ in 0..BACKLOG {
            bench.dispatcher.dispatch(next(0)).await.unwrap();
        }
        // One comes and one goes each second, for five minutes.
        while number < 300 {
            bench.stage.starts(usize::try_from(number).unwrap() + 1).await;
            bench.clock.advance(secs(1));
            number += 1;
            bench.dispatcher.dispatch(next(number)).await.unwrap();
            bench.stage.let_go(1);
        }
        bench.stage.let_go(10_000);
        let starts = bench.stage.starts(300 + BACKLOG).await;
        let mut longest = [0; 6];
        for start in &starts {
            let (level, came) = start.name.split_once(' ').unwrap();
            let (level, came): (usize, u64) = (level.parse().unwrap(), came.parse().unwrap());
            longest[level] = longest[level].max(begun.until(start.at).as_secs() - came);
        }
        println!("one a second, {BACKLOG} waiting, six priorities, ageing 5 s: longest waits by priority {longest:?} s");
        // A level is worth five seconds, and those before it are twelve.
        assert!(longest.iter().all(|waited| *waited <= 5 * (LEVELS - 1) + BACKLOG as u64 + 1), "{longest:?}");
        assert!(longest[0] > longest[5], "{longest:?}");
        bench.play().await;
        worker.shutdown().await;
    }

    async fn a_chain_lets_what_is_urgent_in(bench) {
        let worker = bench.worker(Queue::new().concurrency(1)).await;
        bench.dispatcher.dispatch(Chain(50)).await.unwrap();
        bench.play().await;
        let names = bench.stage.names(0).await;
        assert_eq!(names.len(), 51);
        let urgent = names.iter().position(|name| name == "urgent");
        // The 21st step dispatched it. What follows that step in the same transaction may have been handed over before.
        assert!(matches!(urgent, Some(21 | 22)), "{urgent:?}");
        worker.shutdown().await;
    }
}
