//! What a task with mistakes becomes: the item, and impls that do nothing, so that nothing else fails because of it.

use proc_macro2::{Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::Type;

use super::expand::results;
use super::model::{Call, Kind, Task};

/// The item and its stubs.
pub(super) fn stub(task: &Task) -> TokenStream {
    let item = &task.item;
    match &task.kind {
        // A method: no item can stand beside it.
        Kind::Function(call) if call.signature.receiver().is_some() => item.clone(),
        Kind::Function(call) => {
            let function = function(task, call);
            quote!(#item #function)
        }
        // Its handler is the user's, so that it can be a task all the same.
        Kind::Struct(of) if of.generics.params.is_empty() => {
            let implementation = task_impl(task);
            quote!(#item const _: () = { #implementation };)
        }
        Kind::Struct(_) => item.clone(),
    }
}

fn function(task: &Task, call: &Call) -> TokenStream {
    let (krate, ident, visibility, cfgs) = (&task.krate, &task.ident, &task.visibility, &task.cfgs);
    let generic: Vec<&Ident> = call.signature.generics.type_params().map(|param| &param.ident).collect();
    let fields: Vec<(&Ident, TokenStream)> = call
        .fields()
        .into_iter()
        .filter(|(_, of)| !matches!(of, Type::ImplTrait(_)) && !names(of, &generic))
        .map(|(field, of)| (field, owned(of.to_token_stream())))
        .collect();
    let names = fields.iter().map(|(field, _)| field);
    let types = fields.iter().map(|(_, of)| of);
    let from = match fields.as_slice() {
        [(field, of)] => quote! {
            impl ::core::convert::From<#of> for #ident {
                fn from(value: #of) -> Self {
                    Self { #field: value }
                }
            }
        },
        [] => quote! {
            impl ::core::convert::From<()> for #ident {
                fn from((): ()) -> Self {
                    Self {}
                }
            }
        },
        _ => TokenStream::new(),
    };
    let (output, error) = match call.returned() {
        None => (quote!(()), quote!(::core::convert::Infallible)),
        Some(returned) if super::check::is_no_result(returned) || matches!(returned, Type::ImplTrait(_)) => {
            (quote!(()), quote!(::core::convert::Infallible))
        }
        Some(returned) if names_in(returned.to_token_stream(), &generic) => {
            (quote!(()), quote!(::core::convert::Infallible))
        }
        Some(_) => results(krate, call),
    };
    let implementation = task_impl(task);
    let unwritten = quote!(::core::unreachable!());
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, private_interfaces, dead_code)]
        #visibility struct #ident { #(#visibility #names: #types,)* }

        #(#cfgs)*
        #[allow(unused_variables)]
        const _: () = {
            impl #krate::Payload for #ident {
                fn encode(
                    &self,
                    into: &mut ::std::vec::Vec<::core::primitive::u8>,
                ) -> ::core::result::Result<(), #krate::CodecError> {
                    #unwritten
                }
                fn decode(stored: &[::core::primitive::u8]) -> ::core::result::Result<Self, #krate::CodecError> {
                    #unwritten
                }
            }
            #from
            impl #krate::Handler for #ident {
                type Output = #output;
                type Error = #error;
                #[allow(clippy::manual_async_fn)]
                fn run(self, cx: &#krate::Context) -> impl ::core::future::Future<
                    Output = ::core::result::Result<Self::Output, Self::Error>
                > + ::core::marker::Send {
                    async { #unwritten }
                }
            }
            #implementation
        };
    }
}

fn task_impl(task: &Task) -> TokenStream {
    let (krate, ident) = (&task.krate, &task.ident);
    let private = krate.private(Span::mixed_site());
    let name = task.stored_name();
    let followed = super::terms::followed(krate, ident, false);
    quote! {
        #followed
        impl #krate::Task for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            fn entry() -> &'static #private::TaskEntry {
                ::core::unreachable!()
            }
        }
    }
}

fn names(of: &Type, words: &[&Ident]) -> bool {
    names_in(of.to_token_stream(), words)
}

fn names_in(tokens: TokenStream, words: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => words.contains(&&ident),
        TokenTree::Group(group) => names_in(group.stream(), words),
        _ => false,
    })
}

/// The type with every lifetime `'static`, so that it may be a field.
fn owned(tokens: TokenStream) -> TokenStream {
    let mut owned = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    let lifetime = |span: Span| {
        let mut apostrophe = Punct::new('\'', Spacing::Joint);
        apostrophe.set_span(span);
        [TokenTree::Punct(apostrophe), TokenTree::Ident(Ident::new("static", span))]
    };
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                tokens.next();
                owned.extend(lifetime(punct.span()));
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                let span = punct.span();
                owned.extend([TokenTree::Punct(punct)]);
                if !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'') {
                    owned.extend(lifetime(span));
                }
            }
            TokenTree::Group(group) => {
                let mut inner = proc_macro2::Group::new(group.delimiter(), self::owned(group.stream()));
                inner.set_span(group.span());
                owned.extend([TokenTree::Group(inner)]);
            }
            other => owned.extend([other]),
        }
    }
    owned
}
