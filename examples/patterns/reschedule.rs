//! A task puts itself off, each time for longer, until what it waits for is there. No attempt is used, no
//! slot is held, and the pauses survive a restart.
//!
//! ```text
//! look 1 (attempt 1): not there, again in 10ms
//! look 2 (attempt 1): not there, again in 20ms
//! look 3 (attempt 1): not there, again in 40ms
//! look 4 (attempt 1): the report is there
//! put off 3 times, failed 0 times
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use evertask::Dispatcher;
use evertask::prelude::*;

/// Another system, which needs a while.
struct Reports {
    looks: AtomicU32,
}

#[task]
async fn fetch_report(name: String, reports: &Reports, cx: &Context) -> Result<String, Infallible> {
    let look = reports.looks.fetch_add(1, Ordering::Relaxed) + 1;
    let attempt = cx.attempt();
    if look < 4 {
        let pause = Duration::from_millis(10) * 2_u32.pow(look - 1);
        println!("look {look} (attempt {attempt}): not there, again in {pause:?}");
        return cx.reschedule(pause).await;
    }
    println!("look {look} (attempt {attempt}): the {name} is there");
    Ok(name)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().data(Reports { looks: AtomicU32::new(0) }).start().await?;
    let report = dispatcher.dispatch(fetch_report { name: "report".into() }).await?;
    report.wait().await?;
    if let Some(record) = dispatcher.get(report.id()).await? {
        println!("put off {} times, failed {} times", record.interrupts, record.failures);
    }
    worker.shutdown().await;
    Ok(())
}
