//! A document waits for a person: a signal from outside, a time-out that escalates, and a loop with a limit.
//!
//! ```text
//! asked Ada about budget.pdf
//! Ada: Delivered
//! budget.pdf is approved by Ada
//! asked Ada about party.pdf
//! asked her manager about party.pdf
//! too late: Ended
//! party.pdf was not approved in time
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::prelude::*;
use evertask::store::TaskFilter;
use evertask::{Dispatcher, RunError, workflow};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
}

#[task]
async fn ask(document: String) -> Result<String, Infallible> {
    println!("asked Ada about {document}");
    Ok(document)
}

#[task]
async fn escalate(document: String) -> Result<String, Infallible> {
    println!("asked her manager about {document}");
    Ok(document)
}

workflow! {
    /// Gets a document approved, within its patience.
    Approve<String -> String> {
        ask { on_ok => approval }
        wait approval<Approval> for "200ms" {
            on_ok(approval) with input(document) => done(format!("{document} is approved by {}", approval.by)),
            on_timeout with input(document)      => escalate { document },
        }
        escalate { on_ok => last_word }
        wait last_word<Approval> for "20ms" {
            on_ok(approval) with input(document) => done(format!("{document} is approved by {}", approval.by)),
            on_timeout with input(document)      => fail(format!("{document} was not approved in time")),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;

    let budget = dispatcher.dispatch(Approve("budget.pdf".into())).await?;
    let asked = dispatcher.list(TaskFilter::new().run(budget.id()).name("ask")).await?;
    dispatcher.handle::<ask>(asked[0].id).wait().await?;
    let approval = Approval { by: "Ada".into() };
    println!("Ada: {:?}", dispatcher.signal(budget.id(), Approve::approval, &approval).await?);
    println!("{}", budget.wait().await?);

    let party = dispatcher.dispatch(Approve("party.pdf".into())).await?;
    let ended = party.wait().await;
    println!("too late: {:?}", dispatcher.signal(party.id(), Approve::approval, &approval).await?);
    if let Err(RunError::Failed { report, .. }) = ended {
        println!("{}", report.message);
    }
    worker.shutdown().await;
    Ok(())
}
