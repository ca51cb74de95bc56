//! `#[task]`: parse -> model -> check -> expand.

pub(crate) mod check;
pub(crate) mod expand;
pub(crate) mod limits;
pub(crate) mod model;
pub(crate) mod options;
pub(crate) mod parse;
mod stub;
mod terms;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::errors::Errors;
use crate::fallback;

/// The whole of `#[task(options)] item`.
pub(crate) fn task(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let Some(parsed) = parse::parse(options, item.clone(), &mut errors) else {
        return fallback::item(errors, item);
    };
    let task = model::model(parsed);
    check::check(&task, &mut errors);
    match errors.finish() {
        None => expand::expand(&task),
        Some(errors) => {
            let stub = stub::stub(&task);
            quote::quote!(#errors #stub)
        }
    }
}
