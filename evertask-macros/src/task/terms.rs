//! What a task says of its attempts, of the keys of its limits, and of where it may follow.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::model::{Kind, Task};
use crate::krate::Krate;
use crate::names;

/// What says whether an attempt is repeated: the function of `retry_if`, or the error.
pub(super) fn advice(task: &Task) -> TokenStream {
    // Where a task without an error says so already.
    let span = match &task.kind {
        Kind::Function(call) => call.returned().map_or_else(|| task.ident.span(), syn::spanned::Spanned::span),
        Kind::Struct(_) => task.ident.span(),
    };
    let (krate, private) = (task.krate.at(span), task.krate.private(span));
    let Some(check) = &task.options.retry_if else {
        // It does not name the error: a task without a handler has none, and its implementation says so.
        let ident = &task.ident;
        return quote_spanned! {span=>
            fn hint() -> #private::Hint {
                #[allow(unused_imports)]
                use #private::NoHint as _;
                #private::HintsOf::<#ident>::NEW.hint()
            }
        };
    };
    let error = names::local("error", Span::mixed_site());
    let private = task.krate.private(check.span());
    let said = quote_spanned!(check.span()=> #private::ask::<Self::Error, _>(#check, #error));
    quote_spanned! {span=>
        fn retry_advice(#error: &Self::Error) -> #krate::RetryAdvice {
            #said
        }
    }
}

/// The rate of its limit as a constant, which the compiler reads: a mistake in it is an error at the text.
pub(super) fn rate(task: &Task) -> Option<TokenStream> {
    let text = &task.options.rate_limit.as_ref()?.rate;
    let span = text.span();
    let (name, krate, private) = (names::rate(span), task.krate.at(span), task.krate.private(span));
    Some(quote_spanned!(span=> const #name: #krate::store::Rate = #private::rate(#text);))
}

/// The keys of its limits, made of the payload's fields by reference.
pub(super) fn limit_keys(task: &Task) -> Option<TokenStream> {
    let options = &task.options;
    let rate = options.rate_limit.as_ref().and_then(|limit| limit.key.as_ref());
    let concurrency = options.concurrency.as_ref().and_then(|limit| limit.key.as_ref());
    if rate.is_none() && concurrency.is_none() {
        return None;
    }
    let fields: Vec<&Ident> = match &task.kind {
        Kind::Function(call) => call.fields().into_iter().map(|(field, _)| field).collect(),
        Kind::Struct(item) => item.fields.iter().filter_map(|field| field.ident.as_ref()).collect(),
    };
    let this = Ident::new("self", Span::call_site());
    let bound = (!fields.is_empty()).then(|| quote!(let Self { #(#fields,)* } = #this;));
    let key = |key: Option<&syn::Expr>| match key {
        None => quote!(::core::option::Option::None),
        Some(key) => {
            let span = key.span();
            let private = task.krate.private(span);
            quote_spanned!(span=> #private::limit_key(&(#key)))
        }
    };
    let (rate, concurrency) = (key(rate), key(concurrency));
    let private = task.krate.private(Span::mixed_site());
    Some(quote! {
        #[allow(unused_variables, clippy::needless_borrows_for_generic_args)]
        fn limit_keys(&#this) -> #private::LimitKeys {
            #bound
            #private::LimitKeys { rate: #rate, concurrency: #concurrency }
        }
    })
}

/// What says that arms may lead to this task, and whether its limits have keys.
pub(super) fn followed(krate: &Krate, ident: &Ident, keyed: bool) -> TokenStream {
    let span = ident.span();
    let private = krate.private(span);
    let of = |gate: &str, itself: &str, kind: TokenStream| {
        let (gate, itself) = (Ident::new(gate, span), Ident::new(itself, span));
        quote_spanned! {span=>
            #[automatically_derived]
            impl #private::#gate for #ident {
                type #itself = Self;
                #kind
            }
        }
    };
    let limits = Ident::new(if keyed { "Keyed" } else { "Unkeyed" }, span);
    let kind = quote_spanned!(span=> type Kind = #private::OfTask<#private::#limits>;);
    let none = TokenStream::new;
    [of("Step", "Work", kind), of("First", "Task", none()), of("Follower", "Work", none())].into_iter().collect()
}
