//! Joins whose members end at the same time in different processes: each has one joined task.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::Instant;

use evertask::Dispatcher;
use evertask::prelude::*;
use evertask::store::RunState;
use evertask::testing::postgres::Server;
use evertask_tests::chorus::{Chorus, sum};
use evertask_tests::process::{Place, Program};
use evertask_tests::record::{Record, idle};
use evertask_tests::{full, rounds};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const WORKERS: usize = 3;
/// So many are dispatched in one transaction.
const BATCH: u64 = 50;

#[test]
fn a_join_of_eight_has_one_joined_task() {
    let runs = if full() { 2_000 } else { u64::from(rounds(200)) };
    let (server, runtime) = (Server::start().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let place = Place::on_server(&server.url());
    let dispatcher = runtime.block_on(Dispatcher::open(&place.store())).unwrap();
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| Program::start(WORKER, &place, &["serve", "--lease", "5s", "--slots", "16"], None))
        .collect();
    for worker in &workers {
        worker.hear("serving");
    }
    let begun = Instant::now();
    let (record, deadlocks) = runtime.block_on(async {
        let numbers: Vec<_> = (0..runs).collect();
        for batch in numbers.chunks(usize::try_from(BATCH).unwrap()) {
            dispatcher.dispatch_all(batch.iter().map(|number| Chorus(*number).key(number.to_string()))).await.unwrap();
        }
        idle(&dispatcher).await.unwrap();
        let mut conn = PgConnection::connect(&place.store()).await.unwrap();
        // They are counted with a delay, but before a session ends.
        let count = "SELECT sum(deadlocks)::bigint FROM pg_stat_database";
        let deadlocks: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        (Record::read(&dispatcher).await.unwrap(), deadlocks)
    });
    let took = begun.elapsed();
    for worker in workers {
        // An error that a worker can't mend ends it.
        assert!(worker.finish().success());
    }
    let mut joined = HashMap::<_, usize>::new();
    for task in record.tasks.iter().filter(|task| task.name == "tutti") {
        *joined.entry(task.run.unwrap()).or_default() += 1;
    }
    let of_two = record.tasks.iter().filter(|task| task.failures + task.crashes + task.interrupts > 0).count();
    println!(
        "{runs} joins of 8 in {WORKERS} processes: {} joined tasks, {} tasks in {:.1} s, {deadlocks} deadlocks in the database, 0 of them seen outside",
        joined.values().sum::<usize>(),
        record.tasks.len(),
        took.as_secs_f64()
    );
    assert_eq!(of_two, 0, "tasks ran twice, or failed");
    assert_eq!((record.runs.len(), record.tasks.len()), (runs.try_into().unwrap(), (runs * 10).try_into().unwrap()));
    for run in &record.runs {
        assert_eq!((run.state, joined.get(&run.id)), (RunState::Succeeded, Some(&1)));
        let number: u64 = serde_json::from_slice(&run.input).unwrap();
        assert_eq!(serde_json::from_slice::<u64>(run.output.as_deref().unwrap()).unwrap(), sum(number));
    }
    runtime.block_on(async {
        assert_eq!(dispatcher.verify().await.unwrap(), []);
        dispatcher.close().await.unwrap();
    });
}
