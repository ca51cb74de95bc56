// A block without steps.
use evertask::workflow;

workflow! {
    Fulfil<u64> {}
}

fn main() {}
