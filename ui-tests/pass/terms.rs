//! Limits with keys, deadlines, and what errors say of another attempt.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use evertask::{OnKey, Retry, RetryAdvice, RetryHint, prelude::*};
use serde::{Deserialize, Serialize};

/// What can go wrong with a gateway.
#[derive(Debug)]
pub enum GatewayError {
    /// It said so.
    Refused,
    /// It is busy for so long.
    Busy(Duration),
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl RetryHint for GatewayError {
    fn retry(&self) -> RetryAdvice {
        match self {
            Self::Refused => RetryAdvice::Never,
            Self::Busy(pause) => RetryAdvice::After(*pause),
        }
    }
}

/// Charges an account.
#[task(
    deadline = "1h",
    retry(times = 5),
    rate_limit("100/s", key = tenant, burst = 10),
    concurrency(1, key = format!("{tenant}/{account}")),
    on_timeout => charge after "1m"
)]
pub async fn charge(tenant: String, account: u64, amount: u64) -> Result<(), GatewayError> {
    match amount {
        0 => Err(GatewayError::Refused),
        _ => Err(GatewayError::Busy(Duration::from_secs(account + tenant.len() as u64))),
    }
}

impl From<evertask::Failure<charge>> for charge {
    fn from(failure: evertask::Failure<charge>) -> Self {
        failure.payload
    }
}

/// Whom to greet.
#[task(concurrency(3), rate_limit("10/5s", key = self.0), retry_if = advice)]
#[derive(Debug, Serialize, Deserialize)]
pub struct Greet(pub String);

fn advice(error: &GatewayError) -> RetryAdvice {
    matches!(error, GatewayError::Busy(_)).into()
}

impl Handler for Greet {
    type Output = ();
    type Error = GatewayError;

    async fn run(self, _: &Context) -> Result<(), GatewayError> {
        Err(GatewayError::Refused)
    }
}

/// No limits, no advice.
#[task(retry_if = |error| error.is_empty())]
pub async fn plain(text: String) -> Result<(), String> {
    Err(text)
}

fn main() {
    let busy = GatewayError::Busy(Duration::from_secs(9));
    assert_eq!(charge::retry_advice(&busy), RetryAdvice::After(Duration::from_secs(9)));
    assert_eq!(charge::retry_advice(&GatewayError::Refused), RetryAdvice::Never);
    assert_eq!(Greet::retry_advice(&busy), RetryAdvice::Usual);
    assert_eq!(plain::retry_advice(&"x".to_owned()), RetryAdvice::Never);
    let options = charge::entry().options;
    assert_eq!(options.deadline, Some(Duration::from_secs(3600)));
    assert_eq!(options.rate_limit.map(|limit| (limit.most.tasks, limit.most.burst, limit.keyed)), Some((100, 10, true)));
    assert_eq!(options.concurrency.map(|limit| (limit.most, limit.keyed)), Some((1, true)));
    assert_eq!(Greet::entry().options.concurrency.map(|limit| (limit.most, limit.keyed)), Some((3, false)));
    let payload = charge { tenant: "acme".into(), account: 7, amount: 3 };
    let keys = payload.limit_keys();
    assert_eq!((keys.rate.as_deref(), keys.concurrency.as_deref()), (Some("acme"), Some("acme/7")));
    assert_eq!(Greet("ada".into()).limit_keys().rate.as_deref(), Some("ada"));
    let dispatch = payload.retry(Retry::NONE).timeout("30s").deadline("10m").wait_for_room("5s");
    drop(dispatch.key("charge-7").on_key(OnKey::Renew(Duration::from_secs(60))));
}
