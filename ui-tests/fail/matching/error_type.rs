// A pattern of another error.
use evertask::{prelude::*, workflow};

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

#[derive(Debug)]
enum MailError {
    Refused,
}

workflow! {
    Fulfil<u64> {
        pay {
            on_ok => end,
            on_err(MailError::Refused) => end,
            on_failure(_) => end,
        }
    }
}

fn main() {}
