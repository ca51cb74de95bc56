// `with` a step that one way leaves out; the way is shown.
use evertask::{prelude::*, workflow};

#[task]
async fn find(order: u64) -> Result<Option<u64>, String> {
    Ok(order.checked_sub(1))
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
        find {
            on_ok(Some(order)) => quote { order },
            on_ok(None) => ship { to: String::new() },
        }
        quote { on_ok => ship }
        ship { on_ok with quote(price) => notify(price) }
    }
}

fn main() {}
