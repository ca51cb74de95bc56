// `with` a step that failed on the way.
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
async fn notify(text: String) -> Result<(), String> {
    let _ = text;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => quote,
            on_err => notify { text: String::new() },
        }
        quote { on_ok => notify }
        notify { on_ok with validate(order) => ship { to: order.to_string() } }
    }
}

fn main() {}
