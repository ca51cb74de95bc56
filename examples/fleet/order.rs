//! An order: paid, then packed and invoiced side by side, then shipped. Each seventh card is declined.

use std::convert::Infallible;
use std::time::Duration;

use evertask::prelude::*;
use evertask::workflow;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    pub number: u32,
}

impl Order {
    pub fn is_declined(&self) -> bool {
        self.number.is_multiple_of(7)
    }
}

/// What the bank says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Charge {
    Paid(Order),
    Declined(Order),
}

/// Somebody works on it for some time, which the order decides.
async fn take_time(order: &Order, longest: u32) {
    let millis = 50 + order.number.wrapping_mul(2_654_435_761) % longest;
    tokio::time::sleep(Duration::from_millis(millis.into())).await;
}

#[task]
async fn charge(order: Order) -> Result<Charge, Infallible> {
    take_time(&order, 200).await;
    Ok(if order.is_declined() { Charge::Declined(order) } else { Charge::Paid(order) })
}

#[task]
async fn pack(order: Order) -> Result<String, Infallible> {
    take_time(&order, 600).await;
    Ok(format!("parcel {}", order.number))
}

#[task]
async fn invoice(order: Order) -> Result<String, Infallible> {
    take_time(&order, 150).await;
    Ok(format!("invoice {}", order.number))
}

#[task]
async fn ship(parcel: String, invoice: String) -> Result<String, Infallible> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(format!("{parcel} with {invoice}"))
}

workflow! {
    /// Takes an order from the basket to the doorstep.
    #[workflow(version = 1, timeout = "1h")]
    pub Deliver<Order -> String> {
        charge {
            on_ok(Charge::Paid(order))     => [pack { order: order.clone() }, invoice { order }],
            on_ok(Charge::Declined(order)) => fail(format!("the card of order {} is declined", order.number)),
        }
        pack {}
        invoice {}
        join (pack, invoice) => ship;
        ship { on_ok => done }
    }
}
