// 4 errors: Four mistakes in one block.
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

workflow! {
    Fulfil<u64> {
        validate {
            on_okk => end,
            on_ok() => end,
            undo => rollback,
        }
        ship { on_ok => [] }
    }
}

fn main() {}
