// A first task that is a workflow.
use evertask::prelude::task;
use evertask::workflow;

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Inner<Import> {
        validate { on_ok => end }
    }
}

impl From<Import> for validate {
    fn from(import: Import) -> Self {
        Self { order: import.day }
    }
}

#[evertask::prelude::workflow(start => Inner)]
#[derive(serde::Serialize, serde::Deserialize)]
struct Import {
    day: u64,
}

fn main() {}
