//! The outside world, simulated: each answer follows from the order, and takes some milliseconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evertask::TaskId;

use crate::workflow::{Charge, Delivery, Paid, PaymentError, PlaceOrder, Reservation};

/// How long the outside world takes for one answer.
#[derive(Debug, Clone, Copy)]
pub struct Pace(pub Duration);

impl Pace {
    async fn keep(self) {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
    }
}

pub struct Bank(pub Pace);

impl Bank {
    /// The task's id is the idempotency key: a bank that sees it twice charges once.
    pub async fn charge(&self, order: PlaceOrder, key: TaskId, attempt: u32) -> Result<Charge, PaymentError> {
        self.0.keep().await;
        match order.card.get(..4) {
            Some("5000") => {
                let reason = "the card was declined".to_owned();
                Ok(Charge::Declined { order: order.id, reason })
            }
            Some("6000") => Err(PaymentError::Stolen { card: order.card }),
            Some("7000") if attempt < 3 => Err(PaymentError::Unreachable),
            _ => Ok(Charge::Captured(Paid { amount: order.total(), receipt: format!("R-{key}"), order })),
        }
    }

    pub async fn refund(&self, _paid: &Paid, _key: TaskId) {
        self.0.keep().await;
    }
}

pub struct Warehouse(pub Pace);

impl Warehouse {
    pub async fn reserve(&self, paid: Paid) -> Reservation {
        self.0.keep().await;
        match paid.order.lines.iter().find(|line| line.sku == "samovar") {
            Some(line) => Reservation::OutOfStock { sku: line.sku.clone(), paid },
            None => Reservation::Held(paid.order),
        }
    }
}

pub struct Courier(pub Pace);

impl Courier {
    pub async fn ship(&self, order: PlaceOrder) -> Delivery {
        self.0.keep().await;
        Delivery { parcel: format!("P-{}", order.id), seller: order.seller, order: order.id }
    }
}

/// A trait, so that a test can put a double in.
pub trait Mailer: Send + Sync {
    fn send(&self, to: &str, subject: &str) -> String;
}

#[derive(Default)]
pub struct Outbox(AtomicU64);

impl Mailer for Outbox {
    fn send(&self, to: &str, _subject: &str) -> String {
        format!("{}-{to}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}
