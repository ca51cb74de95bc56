//! A hook of the handler sees how the task ends: here a cancel, and an error after a retry.
//!
//! ```text
//! started import of lists/1
//! on_error of lists/1: cancelled
//! started import of lists/2
//! on_retry of lists/2: no such list
//! started import of lists/2
//! on_error of lists/2: no such list
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use evertask::Dispatcher;
use evertask::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

#[task(needs(Notify), retry(times = 1, backoff = fixed("5ms")))]
#[derive(Serialize, Deserialize)]
struct ImportList {
    list: u32,
}

impl Handler for ImportList {
    type Output = ();
    type Error = String;

    async fn run(self, cx: &Context) -> Result<(), String> {
        if self.list == 2 {
            return Err("no such list".into());
        }
        if let Some(begun) = cx.data::<Notify>() {
            begun.notify_one();
        }
        cx.cancelled().await;
        Err("stopped in the middle".into())
    }

    async fn on_started(&self, _cx: &Context) {
        println!("started import of lists/{}", self.list);
    }

    async fn on_retry(&self, cause: &Cause<String>, _delay: Duration, _cx: &Context) {
        println!("on_retry of lists/{}: {cause}", self.list);
    }

    async fn on_error(&self, cause: &Cause<String>, _cx: &Context) {
        println!("on_error of lists/{}: {cause}", self.list);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let begun = Arc::new(Notify::new());
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().data_dyn(begun.clone()).start().await?;
    let first = dispatcher.dispatch(ImportList { list: 1 }).await?;
    begun.notified().await;
    first.cancel().await?;
    assert!(first.wait().await.is_err());
    assert!(dispatcher.dispatch(ImportList { list: 2 }).await?.wait().await.is_err());
    worker.shutdown().await;
    Ok(())
}
