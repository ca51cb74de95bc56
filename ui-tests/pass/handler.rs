//! A struct with a handler of its own, hooks, needs and a standing chain.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![allow(clippy::unused_async)]

use std::time::Duration;

use evertask::prelude::*;
use serde::{Deserialize, Serialize};

/// A connection.
#[derive(Debug)]
pub struct Mailer;

/// What is known of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderId(pub u64);

/// Sends the receipt of an order.
#[task(
    queue = "mail",
    needs(Mailer),
    retry(times = 1, backoff = fixed("250ms")),
    on_ok => [Archive after "10m", note after "1h"],
    on_err(MailError::Refused(why)) if why.is_empty() => note { text: "refused".to_owned() },
    on_err(MailError::Refused(why)) => note { text: why },
    on_failure(f) => Alert { reason: f.to_string() },
    on_cancel => note { text: "cancelled".to_owned() }
)]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendReceipt {
    /// Of which order.
    pub order: OrderId,
}

/// What can go wrong with mail.
#[derive(Debug)]
pub enum MailError {
    /// Nobody there.
    Refused(String),
    /// No answer.
    Silent,
}

impl std::fmt::Display for MailError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Handler for SendReceipt {
    type Output = String;
    type Error = MailError;

    async fn run(self, cx: &Context) -> Result<String, MailError> {
        match cx.data::<Mailer>() {
            Some(mailer) => Ok(format!("{mailer:?}")),
            None => Err(MailError::Silent),
        }
    }

    async fn on_retry(&self, _: &Cause<MailError>, delay: Duration, cx: &Context) {
        cx.log(format!("again in {delay:?}"));
    }
}

/// A unit struct is a task as well.
#[task]
#[derive(Debug, Serialize, Deserialize)]
pub struct Tidy;

impl Handler for Tidy {
    type Output = ();
    type Error = std::convert::Infallible;

    async fn run(self, _: &Context) -> Result<(), std::convert::Infallible> {
        Ok(())
    }
}

/// Puts it away.
#[task]
async fn archive(receipt: String) -> Result<(), String> {
    Err(receipt)
}

use archive as Archive;

#[task]
async fn note(text: String) -> Result<(), String> {
    Err(text)
}

/// Wakes somebody up.
#[task]
#[derive(Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Why.
    pub reason: String,
}

impl Handler for Alert {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Err(self.reason)
    }
}

/// Two fields, by position.
#[task(on_ok(sum) => Sum(sum, 1))]
#[derive(Debug, Serialize, Deserialize)]
pub struct Sum(u32, u32);

impl Handler for Sum {
    type Output = u32;
    type Error = String;

    async fn run(self, _: &Context) -> Result<u32, String> {
        Ok(self.0 + self.1)
    }
}

/// One field, which a chain gives as the constructor does.
#[task(on_ok(order) => [Refund(order.clone()), SendReceipt { order }])]
#[derive(Debug, Serialize, Deserialize)]
pub struct Refund(pub OrderId);

impl Handler for Refund {
    type Output = OrderId;
    type Error = String;

    async fn run(self, _: &Context) -> Result<OrderId, String> {
        Ok(self.0)
    }
}

fn main() {
    let entry = SendReceipt::entry();
    assert!(entry.on_cancel);
    let hooks = [<SendReceipt as Task>::HOOKS, <note as Task>::HOOKS];
    assert_eq!(hooks, [true, false]);
    assert_eq!(entry.edges.len(), 6);
    assert_eq!(entry.edges[0].after, Some("10m"));
}
