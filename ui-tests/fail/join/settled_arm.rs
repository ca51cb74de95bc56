// A settled member with an arm for its failure.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task]
async fn notify(text: String) -> Result<(), String> {
    let _ = text;
    Ok(())
}

#[task]
async fn refund(order: u64) -> Result<(), String> {
    let _ = order;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(_) => [ship { to: String::new() }, notify { text: String::new() }] }
        ship { on_err => rollback }
        join all settled (ship, notify) => refund;
    }
}

fn main() {}
