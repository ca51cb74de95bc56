// A guard stands before `with`, and does not see what it binds.
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

workflow! {
    Fulfil<u64> {
        validate { on_ok => quote }
        quote {
            on_ok(text) if order > 3 with validate(order) => ship { to: format!("{text} {order}") },
            on_ok => ship,
        }
    }
}

fn main() {}
