//! A program that knows evertask as `et`.

use et::prelude::*;
use serde::{Deserialize, Serialize};

/// Adds one.
#[task(on_ok => show, timeout = "1s")]
#[allow(clippy::unused_async)]
pub async fn add_one(to: u32) -> Result<u32, std::convert::Infallible> {
    Ok(to + 1)
}

/// Shows a number.
#[task]
pub fn show(number: u32) -> Result<(), String> {
    println!("{number}");
    Ok(())
}

et::workflow! {
    /// Adds and shows.
    pub AddAndShow<u32> {
        add_one { on_ok => show }
    }
}

/// Counts a day.
#[workflow(start(Count { from }) => add_one { to: from })]
#[derive(Serialize, Deserialize)]
pub struct Count {
    /// Where it begins.
    pub from: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_names() {
        assert_eq!(<AddAndShow as Work>::NAME, "AddAndShow");
        assert_eq!(<add_one as Task>::NAME, "add_one");
        assert_eq!(AddAndShow::graph().name, "AddAndShow");
    }
}
