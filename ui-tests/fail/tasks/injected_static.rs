// An injected argument for ever.
use evertask::prelude::*;

struct Mailer;

#[task]
async fn greet(mailer: &'static Mailer) -> Result<(), String> {
    let _ = mailer;
    Ok(())
}

fn main() {}
