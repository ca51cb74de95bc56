//! Tasks that come and go with `cfg`, other attributes, and raw names.
#![deny(warnings, missing_docs)]

use evertask::prelude::*;

#[task]
#[cfg(any())]
async fn never(name: NoSuchType) -> Result<(), String> {
    Ok(())
}

/// An old one.
#[task]
#[deprecated]
#[must_use = "it is old"]
async fn old(name: String) -> Result<(), String> {
    Err(name)
}

#[task]
#[allow(unused_variables)]
async fn r#loop(#[allow(dead_code)] r#in: u8) -> Result<(), String> {
    Ok(())
}

fn main() {
    assert_eq!(<r#loop as Task>::NAME, "loop");
}
