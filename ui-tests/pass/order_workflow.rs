//! The order workflow: patterns, guards, lists, aliases, typed errors, ends.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![allow(clippy::unused_async)]

use evertask::{prelude::*, workflow};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// Which.
    pub id: u64,
    /// Where to.
    pub address: String,
    /// Whom to tell.
    pub email: String,
}

/// What was paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// In cents.
    pub total: u64,
}

/// How the bank answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Charge {
    /// Paid.
    Captured(Receipt),
    /// Not paid.
    Declined(String),
}

/// What can go wrong with a card.
#[derive(Debug, Serialize, Deserialize)]
pub enum PaymentError {
    /// The bank does not answer.
    Unreachable,
    /// Somebody else's card.
    Fraud(String),
}

impl PaymentError {
    /// Whether to try again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable)
    }
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("payment")
    }
}

/// What arrives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// Who sold it.
    pub seller: String,
}

/// The bank.
#[derive(Debug)]
pub struct CardGateway;

/// Looks at an order.
#[task]
pub async fn validate_order(order: PlaceOrder) -> Result<PlaceOrder, String> {
    if order.id == 0 { Err("no id".into()) } else { Ok(order) }
}

/// Takes the money.
#[task(
    queue = "payments",
    priority = -3,
    timeout = "30s",
    retry(times = 5, backoff = exponential("1s", max = "5m")),
    retry_if = PaymentError::is_transient
)]
pub async fn charge_card(order: PlaceOrder, _cards: &CardGateway, cx: &Context) -> Result<Charge, PaymentError> {
    cx.log("charging");
    if order.id == 7 { Err(PaymentError::Fraud("seven".into())) } else { Ok(Charge::Captured(Receipt { total: 1 })) }
}

/// Takes it from the shelf.
#[task(derive(Debug, Clone))]
pub async fn reserve_stock(receipt: Receipt) -> Result<u64, String> {
    Ok(receipt.total)
}

/// Sends it.
#[task]
pub async fn ship_order(to: String, stock: u64) -> Result<Delivery, String> {
    Ok(Delivery { seller: format!("{to}{stock}") })
}

/// Gives the money back.
#[task]
pub async fn refund_card(receipt: Receipt) -> Result<(), String> {
    println!("{}", receipt.total);
    Ok(())
}

/// Looks at what was sent.
#[task]
pub async fn close_order(sent: Delivery, mail: u64) -> Result<Delivery, std::convert::Infallible> {
    println!("{mail}");
    Ok(sent)
}

/// Sends a mail.
#[task]
pub async fn send_email(to: String) -> Result<u64, String> {
    Ok(to.len() as u64)
}

/// Tells somebody.
#[task]
pub fn flag_fraud(why: String) -> Result<(), std::convert::Infallible> {
    println!("{why}");
    Ok(())
}

/// Says no.
#[task]
pub async fn reject_order(reason: String) -> Result<String, std::convert::Infallible> {
    Ok(reason)
}

workflow! {
    /// Takes an order from the basket to the doorstep.
    #[workflow(version = 2, timeout = "7d", name = "fulfil-order")]
    #[derive(Debug)]
    pub FulfilOrder<PlaceOrder -> Delivery> {
        validate_order {
            on_ok         => charge_card,
            on_failure(f) => reject_order { reason: f.to_string() },
        }
        charge_card {
            on_ok(Charge::Captured(receipt)) if receipt.total > 1_000 => [reserve_stock after "1m", send_email { to: "boss".to_owned() }],
            on_ok(Charge::Captured(receipt), charge_card { order }) => [reserve_stock { receipt }, send_email { to: order.email }],
            on_ok(Charge::Declined(reason)) => reject_order,
            undo(Charge::Captured(receipt)) => refund_card { receipt },
            on_err(PaymentError::Fraud(why)) => flag_fraud,
            on_timeout(t) if t.attempts > 3 => fail("too slow"),
            on_failure(f) if f.attempts > 9 => reject_order { reason: "often".to_owned() },
            on_failure(f) => reject_order { reason: f.to_string() },
            on_cancel => end,
        }
        reserve_stock {
            on_ok(stock) with validate_order(order) =>
                [ship_order { to: order.address, stock }, send_confirmation { to: order.email }],
            on_err(error, reserve_stock { receipt }) if receipt.total == 0 => fail(error),
            on_err => rollback,
        }
        send_confirmation = send_email {}
        join (ship_order, send_confirmation) => close_order;
        close_order {
            on_ok(delivery) => [done(delivery.clone()), notify_seller { to: delivery.seller }],
        }
        notify_seller = send_email { on_ok => end }
        send_email { on_ok(_) => end }
        flag_fraud { on_ok => fail("fraud") }
        reject_order { on_ok(reason) => fail(reason) }
    }
}

fn main() {
    assert_eq!(<FulfilOrder as Work>::NAME, "fulfil-order");
    let entry = <FulfilOrder as Workflow>::entry();
    assert_eq!(entry.version, 2);
    let evertask::registry::Body::Block(steps) = entry.body else { panic!("a block") };
    let charge = steps.iter().find(|step| step.name == "charge_card").unwrap();
    assert!(charge.on_cancel);
    assert_eq!(
        charge.edges[0].on,
        "on_ok(Charge::Captured(receipt)) if receipt.total > 1_000"
    );
    assert_eq!(charge.edges[0].after, Some("1m"));
    let order = PlaceOrder { id: 1, address: "a".into(), email: "b".into() };
    let mut stored = Vec::new();
    evertask::Payload::encode(&charge_card::from(order), &mut stored).unwrap();
    let read = <charge_card as evertask::Payload>::decode(&stored).unwrap();
    assert_eq!(read.order.id, 1);
    let entry = charge_card::entry();
    assert_eq!(entry.options.queue, "payments");
    assert_eq!(entry.options.priority, -3);
    assert_eq!((entry.needs)().len(), 2);
}
