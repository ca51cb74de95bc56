// An earlier name that another step has.
use evertask::{prelude::*, workflow};

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
        quote { on_ok => ship }
        #[step(was = "quote")]
        ship { on_ok => end }
    }
}

fn main() {}
