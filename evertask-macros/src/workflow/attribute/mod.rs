//! `#[workflow(start => First, ..)]` on a payload struct.

pub(crate) mod check;
pub(crate) mod expand;
pub(crate) mod model;

use proc_macro2::TokenStream;

use crate::errors::Errors;
use crate::fallback;

/// The whole of it.
pub(crate) fn attribute(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let Some(workflow) = model::read(options, item, &mut errors) else {
        return fallback::item(errors, item);
    };
    check::check(&workflow, &mut errors);
    let expanded = expand::expand(&workflow);
    match (errors.finish(), expanded) {
        (None, Some(expanded)) => expanded,
        (errors, _) => {
            let stub = expand::stub(&workflow);
            quote::quote!(#errors #stub)
        }
    }
}
