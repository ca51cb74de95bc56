// 2 errors: Two mistakes that only the compiler sees.
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

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => ship,
            on_err => notify,
        }
    }
}

fn main() {}
