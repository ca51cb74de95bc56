// A future that can not go to another thread.
use evertask::prelude::*;

use std::rc::Rc;

#[task]
async fn count(to: u32) -> Result<(), String> {
    let shared = Rc::new(to);
    std::future::ready(()).await;
    drop(shared);
    Ok(())
}

fn main() {}
