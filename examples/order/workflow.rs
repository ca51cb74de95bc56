//! The order's way from the basket to the doorstep: payloads, tasks, and the chain that ties them.

use evertask::prelude::*;
use evertask::workflow;
use serde::{Deserialize, Serialize};

use crate::world::{Bank, Courier, Mailer, Warehouse};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    pub id: String,
    pub customer: String,
    pub email: String,
    pub address: String,
    pub seller: String,
    pub card: String,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    pub sku: String,
    pub quantity: u32,
    pub unit_price: u64,
}

impl PlaceOrder {
    pub fn total(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity) * line.unit_price).sum()
    }
}

/// What the bank says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Charge {
    Captured(Paid),
    Declined { order: String, reason: String },
}

/// A paid order, with what a refund needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paid {
    pub order: PlaceOrder,
    pub receipt: String,
    pub amount: u64,
}

/// What the warehouse says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reservation {
    Held(PlaceOrder),
    OutOfStock { paid: Paid, sku: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    pub order: String,
    pub seller: String,
    pub parcel: String,
}

/// Why an order was not fulfilled, for the customer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rejection {
    pub order: String,
    pub reason: String,
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
pub enum OrderError {
    #[error("nothing was ordered")]
    Empty,
    #[error("`{0}` is no e-mail address")]
    Email(String),
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
pub enum PaymentError {
    #[error("the bank does not answer")]
    Unreachable,
    #[error("card {card} was reported stolen")]
    Stolen { card: String },
}

impl PaymentError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable)
    }
}

pub type Result<T, E = std::convert::Infallible> = std::result::Result<T, E>;

#[task]
pub async fn validate_order(order: PlaceOrder) -> Result<PlaceOrder, OrderError> {
    if order.lines.is_empty() {
        return Err(OrderError::Empty);
    }
    if !order.email.contains('@') {
        return Err(OrderError::Email(order.email));
    }
    Ok(order)
}

#[task(queue = "payments", timeout = "5s", retry(times = 5, backoff = exponential("10ms", max = "200ms")),
       retry_if = PaymentError::is_transient)]
pub async fn charge_card(order: PlaceOrder, bank: &Bank, cx: &Context) -> Result<Charge, PaymentError> {
    cx.log(format!("charging {} for {}", order.total(), order.id));
    bank.charge(order, cx.id(), cx.attempt()).await
}

#[task]
pub async fn reserve_stock(paid: Paid, warehouse: &Warehouse) -> Result<Reservation> {
    Ok(warehouse.reserve(paid).await)
}

#[task(queue = "payments")]
pub async fn refund_card(paid: Paid, sku: String, bank: &Bank, cx: &Context) -> Result<Rejection> {
    bank.refund(&paid, cx.id()).await;
    Ok(Rejection { order: paid.order.id, reason: format!("`{sku}` is out of stock; {} was refunded", paid.amount) })
}

#[task]
pub async fn ship_order(order: PlaceOrder, courier: &Courier) -> Result<Delivery> {
    Ok(courier.ship(order).await)
}

#[task]
pub async fn close_order(delivery: Delivery) -> Result<Delivery> {
    Ok(delivery)
}

#[task]
pub async fn send_email(to: String, subject: String, mailer: &dyn Mailer) -> Result<String> {
    Ok(mailer.send(&to, &subject))
}

#[task]
pub async fn reject_order(order: String, reason: String) -> Result<String> {
    Ok(format!("order {order} was rejected: {reason}"))
}

workflow! {
    /// Takes an order from the basket to the doorstep.
    #[workflow(version = 1, timeout = "7d")]
    pub FulfilOrder<PlaceOrder -> Delivery> {
        validate_order {
            on_ok         => charge_card,
            on_failure(f) => reject_order { reason: f.to_string(), order: f.payload.order.id },
        }
        charge_card {
            on_ok(Charge::Captured(paid))             => reserve_stock,
            on_ok(Charge::Declined { order, reason }) => reject_order { order, reason },
            on_err(PaymentError::Stolen { card }) => flag_fraud { to: "fraud@example.org".into(), subject: card },
            on_failure(f) => reject_order { reason: f.to_string(), order: f.payload.order.id },
        }
        reserve_stock {
            on_ok(Reservation::Held(order)) => [
                send_confirmation { to: order.email.clone(), subject: format!("your order {}", order.id) },
                ship_order { order },
            ],
            on_ok(Reservation::OutOfStock { paid, sku }) => refund_card { paid, sku },
        }
        refund_card { on_ok(rejection) => reject_order { order: rejection.order, reason: rejection.reason } }
        ship_order  { on_ok => close_order }
        close_order {
            on_ok(delivery) => [
                notify_seller { to: format!("{}@example.org", delivery.seller), subject: delivery.parcel.clone() },
                done(delivery),
            ],
        }
        send_confirmation = send_email { on_ok => end }
        notify_seller     = send_email { on_ok => end }
        flag_fraud        = send_email { on_ok => fail("the card was reported stolen") }
        reject_order { on_ok(reason) => fail(reason) }
    }
}
