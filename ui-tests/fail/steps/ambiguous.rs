// Two tasks under the name of one step.
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

mod mail {
    use super::*;

    #[task]
    pub async fn ship(to: String) -> Result<(), String> {
        let _ = to;
        Ok(())
    }
}

workflow! {
    Fulfil<u64> {
        quote { on_ok => [ship, mail::ship] }
    }
}

fn main() {}
