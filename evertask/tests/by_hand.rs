//! A task written without the macros: the plain trait API, on a worker of its own registry.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use evertask::__private::{Location, NoArms, TaskEntry};
use evertask::prelude::*;
use evertask::registry::Registry;
use evertask::store::{TaskFilter, TaskState};
use evertask::{Backoff, Dispatcher, Retry, RunError, TaskOptions};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Divide {
    number: i64,
    by: i64,
}

impl Handler for Divide {
    type Output = i64;
    type Error = String;

    async fn run(self, cx: &Context) -> Result<i64, String> {
        cx.log(format!("attempt {}", cx.attempt()));
        self.number.checked_div(self.by).ok_or_else(|| format!("{} can't be divided by {}", self.number, self.by))
    }
}

impl Task for Divide {
    const NAME: &'static str = "divide";

    fn entry() -> &'static TaskEntry {
        const OPTIONS: TaskOptions = TaskOptions {
            retry: Some(Retry { times: 2, backoff: Backoff::Fixed(Duration::from_millis(1)) }),
            ..TaskOptions::DEFAULT
        };
        static ENTRY: TaskEntry =
            TaskEntry::of::<Divide, NoArms>(Location { file: file!(), line: line!() }, OPTIONS, Vec::new, &[]);
        &ENTRY
    }
}

async fn started() -> (Dispatcher, evertask::Worker) {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let worker = dispatcher.worker().registry(Registry::default().add::<Divide>()).start().await.unwrap();
    (dispatcher, worker)
}

#[tokio::test]
async fn gives_its_output() {
    let (dispatcher, worker) = started().await;
    let task = dispatcher.dispatch(Divide { number: 84, by: 2 }).await.unwrap();
    assert_eq!(task.wait().await.unwrap(), 42);
    worker.shutdown().await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn is_retried_and_then_fails_with_its_history() {
    let (dispatcher, worker) = started().await;
    let task = dispatcher.dispatch(Divide { number: 1, by: 0 }.correlation_id("sums")).await.unwrap();
    let Err(RunError::Failed { report, .. }) = task.wait().await else { panic!("it can't succeed") };
    assert_eq!((report.attempts, report.message.as_str()), (3, "1 can't be divided by 0"));
    worker.shutdown().await;
    assert_eq!(dispatcher.attempts(task.id()).await.unwrap().len(), 3);
    let lines: Vec<_> = dispatcher.log(task.id()).await.unwrap().into_iter().map(|line| line.text).collect();
    assert_eq!(lines, ["attempt 1", "attempt 2", "attempt 3"]);
    let failed = dispatcher.list(TaskFilter::new().state(TaskState::Failed).correlation_id("sums")).await.unwrap();
    assert_eq!(failed.len(), 1);
}
