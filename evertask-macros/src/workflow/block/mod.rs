//! `workflow! { pub Name<In -> Out> { steps } }`.

pub(crate) mod check;
pub(crate) mod expand;
pub(crate) mod model;
pub(crate) mod parse;
mod statements;
pub(crate) mod ways;

use proc_macro2::TokenStream;

use crate::errors::Errors;

/// The whole of it.
pub(crate) fn block(tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let Some(parsed) = parse::parse(tokens, &mut errors) else {
        return errors.finish().unwrap_or_default();
    };
    let workflow = model::model(parsed, &mut errors);
    check::check(&workflow, &mut errors);
    match errors.finish() {
        None => expand::expand(&workflow),
        Some(errors) => {
            let stub = expand::stub(&workflow);
            quote::quote!(#errors #stub)
        }
    }
}
