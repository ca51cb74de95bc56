// A failure that goes to several steps.
use evertask::{prelude::*, workflow};
use serde::{Deserialize, Serialize};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[derive(Serialize, Deserialize)]
#[task]
struct Report {
    failure: String,
}

impl From<Failure<validate>> for Report {
    fn from(failure: Failure<validate>) -> Self {
        Self { failure: failure.to_string() }
    }
}

impl Handler for Report {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Err(self.failure)
    }
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => end,
            on_err => [Report, ship { to: String::new() }],
        }
    }
}

fn main() {}
