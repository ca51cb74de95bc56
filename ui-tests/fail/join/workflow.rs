// What follows a join is a task.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task]
async fn close(both: ((), String)) -> Result<(), String> {
    let _ = both;
    Ok(())
}

workflow! {
    Both<((), String)> {
        close {}
    }
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => [ship { to: String::new() }, quote { order }] }
        join (ship, quote) => Both;
    }
}

fn main() {}
