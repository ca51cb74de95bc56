// An error that no arm takes.
use evertask::{prelude::*, workflow};

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[derive(Debug)]
enum PaymentError {
    Unreachable,
    Fraud(String),
}

impl std::fmt::Display for PaymentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

#[task]
async fn pay(order: u64) -> Result<(), PaymentError> {
    if order == 0 { Err(PaymentError::Unreachable) } else { Err(PaymentError::Fraud(String::new())) }
}

workflow! {
    Fulfil<u64> {
        pay {
            on_ok => end,
            on_err(PaymentError::Fraud(why)) => ship,
        }
    }
}

fn main() {}
