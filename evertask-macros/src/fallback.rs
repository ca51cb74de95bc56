//! What a macro gives when it found mistakes: those, and enough for the rest of the program to compile.

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

/// The mistakes, and an item that nothing could be made of.
pub(crate) fn item(errors: Errors, item: &TokenStream) -> TokenStream {
    let errors = errors.finish();
    quote!(#errors #item)
}
