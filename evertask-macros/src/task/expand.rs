//! What a task becomes. It only names things; the runtime does them.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{LitStr, Type};

use super::model::{Argument, Call, Kind, Task};
use super::options::Backoff;
use super::terms::{advice, followed, limit_keys, rate};
use crate::arms::aliases;
use crate::arms::edges::edges;
use crate::arms::expand::{Scope, Source, route};
use crate::arms::target::pause;
use crate::krate::Krate;
use crate::names;

/// All of it.
pub(crate) fn expand(task: &Task) -> TokenStream {
    let (item, cfgs, krate) = (&task.item, &task.cfgs, &task.krate);
    let scope = Scope::standing(krate);
    let (payload, handler) = match &task.kind {
        Kind::Function(call) => (payload_struct(task, call), function_impls(task, call)),
        Kind::Struct(item) => (TokenStream::new(), constructor(item)),
    };
    let works = aliases(&scope, task.works.iter().map(|work| &work.path).enumerate());
    let ident = task.ident.to_token_stream();
    let (route_name, route) = if task.arms.is_empty() {
        let private = krate.private(Span::mixed_site());
        (quote!(#private::NoArms), TokenStream::new())
    } else {
        let name = names::route(0, Span::mixed_site());
        let source = Source::standing(&ident, task.ident.span(), &name);
        (name.to_token_stream(), route(&scope, &source, &task.arms))
    };
    let implementation = task_impl(task, &scope, &route_name);
    let private = krate.private(Span::mixed_site());
    let entry = names::entry();
    let (durations, rate) = (scope.durations(), rate(task));
    quote! {
        #item
        #payload

        #(#cfgs)*
        const _: () = {
            #durations
            #rate
            #works
            #route
            #handler
            #implementation

            #private::inventory::submit! {
                #private::Submission(|| #private::Registered::Task(#entry()))
            }
        };
    }
}

/// The attributes of the generated struct and its fields.
pub(super) fn payload_struct(task: &Task, call: &Call) -> TokenStream {
    let (ident, visibility, cfgs) = (&task.ident, &task.visibility, &task.cfgs);
    let name = ident.unraw().to_string();
    let docs = if task.docs.is_empty() {
        let text = format!("The payload of the task `{name}`.");
        quote!(#[doc = #text])
    } else {
        let docs = &task.docs;
        quote!(#(#docs)*)
    };
    let derive = (!task.options.derive.is_empty()).then(|| {
        let paths = &task.options.derive;
        quote!(#[derive(#(#paths),*)])
    });
    let fields = call.fields().into_iter().map(|(field, of)| {
        let text = format!("The argument `{}` of `{name}`.", field.unraw());
        quote!(#[doc = #text] #visibility #field: #of,)
    });
    // The compiler shows the type where the function is.
    let mut fields = Group::new(Delimiter::Brace, fields.collect());
    fields.set_span(ident.span());
    let item = quote_spanned!(ident.span()=> #visibility struct #ident #fields);
    quote! {
        #(#cfgs)*
        #docs
        #derive
        #[allow(
            non_camel_case_types,
            private_interfaces,
            missing_debug_implementations,
            missing_copy_implementations,
            clippy::struct_field_names,
            clippy::struct_excessive_bools
        )]
        #item
    }
}

/// What a function's payload and handler are.
fn function_impls(task: &Task, call: &Call) -> TokenStream {
    let payload = payload_impl(task, call);
    let from = from_impl(task, call);
    let handler = handler_impl(task, call);
    quote!(#payload #from #handler)
}

fn payload_impl(task: &Task, call: &Call) -> TokenStream {
    let (krate, ident) = (&task.krate, &task.ident);
    let private = krate.private(Span::mixed_site());
    let [into, writer, stored, reader] =
        ["into", "writer", "stored", "reader"].map(|name| names::local(name, Span::mixed_site()));
    let fields = call.fields();
    let encoded = fields.iter().map(|(field, of)| {
        let key = field.unraw().to_string();
        let encode = codec(krate, of, "encode");
        quote!(#writer.field(#key, &self.#field, #encode)?;)
    });
    let decoded = fields.iter().map(|(field, of)| {
        let key = field.unraw().to_string();
        let decode = codec(krate, of, "decode");
        quote!(#field: #reader.field(#key, #decode)?,)
    });
    let read = if fields.is_empty() {
        quote!(#private::FieldReader::new(<Self as #krate::Task>::NAME, #stored)?;)
    } else {
        quote!(let #reader = #private::FieldReader::new(<Self as #krate::Task>::NAME, #stored)?;)
    };
    let mutable = (!fields.is_empty()).then(|| quote!(mut));
    let methods = quote! {
            fn encode(
                &self,
                #into: &mut ::std::vec::Vec<::core::primitive::u8>,
            ) -> ::core::result::Result<(), #krate::CodecError> {
                let #mutable #writer = #private::FieldWriter::new(#into);
                #(#encoded)*
                #writer.end();
                ::core::result::Result::Ok(())
            }

            fn decode(#stored: &[::core::primitive::u8]) -> ::core::result::Result<Self, #krate::CodecError> {
                #read
                ::core::result::Result::Ok(Self { #(#decoded)* })
            }
    };
    implement(krate, "Payload", ident, &methods)
}

/// What `Name(value)` on an edge calls, for a tuple struct. It is as visible as the fields are.
pub(crate) fn constructor(item: &syn::ItemStruct) -> TokenStream {
    let syn::Fields::Unnamed(fields) = &item.fields else { return TokenStream::new() };
    let Some(first) = fields.unnamed.first() else { return TokenStream::new() };
    if fields.unnamed.iter().any(|field| field.vis != first.vis) {
        return TokenStream::new();
    }
    let (ident, visibility) = (&item.ident, &first.vis);
    let types: Vec<&Type> = fields.unnamed.iter().map(|field| &field.ty).collect();
    let value = names::local("value", Span::mixed_site());
    let (of, made) = match types.as_slice() {
        [only] => (quote!((#only,)), quote!(Self(#value.0))),
        several => {
            let fields = (0..several.len()).map(syn::Index::from);
            (quote!(((#(#several),*),)), quote!(Self(#(#value.0.#fields),*)))
        }
    };
    quote! {
        #[allow(dead_code, private_interfaces, unreachable_pub)]
        impl #ident {
            #[doc(hidden)]
            #visibility fn __evertask_of(#value: #of) -> Self {
                #made
            }
        }
    }
}

/// An implementation that the compiler shows at the name of the type.
pub(crate) fn implement(krate: &Krate, of: &str, ident: &Ident, items: &TokenStream) -> TokenStream {
    let span = ident.span();
    let (krate, of) = (krate.at(span), Ident::new(of, span));
    quote_spanned! {span=>
        #[automatically_derived]
        impl #krate::#of for #ident { #items }
    }
}

/// `<T as Payload>::encode`, all of it shown at the type: what can't be stored is said there, and once.
pub(crate) fn codec(krate: &Krate, of: &Type, method: &str) -> TokenStream {
    let span = of.span();
    let krate = krate.at(span);
    let method = Ident::new(method, span);
    quote_spanned!(span=> <#of as #krate::Payload>::#method)
}

fn from_impl(task: &Task, call: &Call) -> TokenStream {
    let ident = &task.ident;
    let value = names::local("value", Span::mixed_site());
    let fields = call.fields();
    let (from, made) = match fields.as_slice() {
        [] => (quote!(()), quote!(Self {})),
        [(field, of)] => (of.to_token_stream(), quote!(Self { #field: #value })),
        several => {
            let types = several.iter().map(|(_, of)| of);
            let made = several.iter().enumerate().map(|(at, (field, _))| {
                let at = syn::Index::from(at);
                quote!(#field: #value.#at)
            });
            (quote!((#(#types),*)), quote!(Self { #(#made),* }))
        }
    };
    let value_pattern = if fields.is_empty() { quote!((): ()) } else { quote!(#value: #from) };
    quote! {
        #[automatically_derived]
        impl ::core::convert::From<#from> for #ident {
            fn from(#value_pattern) -> Self {
                #made
            }
        }
    }
}

fn handler_impl(task: &Task, call: &Call) -> TokenStream {
    let (krate, ident) = (&task.krate, &task.ident);
    let [cx, value] = ["cx", "value"].map(|name| names::local(name, Span::mixed_site()));
    let this = Ident::new("self", Span::call_site());
    let (output, error) = results(krate, call);
    let arguments = call.arguments.iter().map(|argument| match argument {
        Argument::Payload(typed) => {
            let field = crate::arms::pattern::plain_name(&typed.pat);
            let field = field.to_token_stream();
            quote!(#this.#field)
        }
        Argument::Injected(_, reference) => {
            let of = &reference.elem;
            let inject = Ident::new(if is_dyn(of) { "inject_dyn" } else { "inject" }, of.span());
            let private = krate.private(of.span());
            quote_spanned!(of.span()=> #private::#inject::<#of>(#cx))
        }
        Argument::Receiver(_) => TokenStream::new(),
    });
    let span = ident.span();
    let returned = call.returned().map_or(span, syn::spanned::Spanned::span);
    let at_returned = krate.at(returned);
    let result = result(krate, call);
    let call_it = quote!(#ident(#(#arguments),*));
    let body = if call.signature.asyncness.is_some() {
        quote_spanned!(span=> async move {
            let #value = #call_it.await;
            #result
        })
    } else {
        let private = krate.private(span);
        quote_spanned!(span=> #private::blocking(#cx, move |#cx: &#krate::Context| {
            let #value = #call_it;
            #result
        }))
    };
    let cx_used = call.signature.asyncness.is_none()
        || call.arguments.iter().any(|argument| matches!(argument, Argument::Injected(..)));
    let unused = (!cx_used).then(|| quote!(let _ = #cx;));
    let frame = quote_spanned! {returned=>
        fn run(#this, #cx: &#at_returned::Context) -> impl ::core::future::Future<
            Output = ::core::result::Result<#output, #error>
        > + ::core::marker::Send {
            #unused
            #body
        }
    };
    quote! {
        #[automatically_derived]
        #[allow(deprecated, clippy::manual_async_fn)]
        impl #krate::Handler for #ident {
            type Output = #output;
            type Error = #error;

            #frame
        }
    }
}

/// What the function's result holds, shown at its return type.
pub(super) fn results(krate: &Krate, call: &Call) -> (TokenStream, TokenStream) {
    let Some(returned) = call.returned() else {
        return (quote!(()), quote!(::core::convert::Infallible));
    };
    let span = returned.span();
    let private = krate.private(span);
    let of = |name: &str| {
        let name = Ident::new(name, span);
        quote_spanned!(span=> <#returned as #private::TaskResult>::#name)
    };
    (of("Output"), of("Error"))
}

/// A `Result` of what the function returned, shown at its return type.
fn result(krate: &Krate, call: &Call) -> TokenStream {
    let Some(returned) = call.returned() else { return TokenStream::new() };
    let span = returned.span();
    let (private, value) = (krate.private(span), names::local("value", span));
    quote_spanned!(span=> <#returned as #private::TaskResult>::result(#value))
}

fn is_dyn(of: &Type) -> bool {
    match of {
        Type::TraitObject(_) => true,
        Type::Paren(inner) => is_dyn(&inner.elem),
        Type::Group(inner) => is_dyn(&inner.elem),
        _ => false,
    }
}

fn task_impl(task: &Task, scope: &Scope<'_>, route: &TokenStream) -> TokenStream {
    let (krate, ident) = (&task.krate, &task.ident);
    let private = krate.private(Span::mixed_site());
    let name = task.stored_name();
    let hooks = matches!(task.kind, Kind::Struct(_));
    let options = options(task, scope);
    let needs = needs(task);
    let edges = edges(scope, &task.arms, |_| String::new());
    let advice = advice(task);
    let limit_keys = limit_keys(task);
    let entry = names::entry();
    let (fields, was) = (fields(task), was(&task.options.was));
    let followed = followed(krate, ident, limit_keys.is_some());
    let schedule = task.options.schedule.as_ref().map(|schedule| {
        let recurs = schedule.expand(scope, ident, &quote!(#ident {}));
        quote!(.with_schedule(#recurs))
    });
    quote! {
        fn #entry() -> &'static #private::TaskEntry {
            static ENTRY: #private::TaskEntry = #private::TaskEntry::of::<#ident, #route>(
                #private::Location { file: ::core::file!(), line: ::core::line!() },
                #options,
                #needs,
                &[#edges],
            )
            #fields
            #was
            #schedule;
            &ENTRY
        }

        #followed

        #[automatically_derived]
        impl #krate::Task for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            const HOOKS: ::core::primitive::bool = #hooks;

            fn entry() -> &'static #private::TaskEntry {
                #entry()
            }

            #advice
            #limit_keys

            fn error_codec() -> #private::ErrorCodec {
                #[allow(unused_imports)]
                use #private::NotStored as _;
                #private::ErrorsOf::<#ident>::NEW.codec()
            }
        }
    }
}

/// The fields of the payload, as text.
fn fields(task: &Task) -> TokenStream {
    let fields = match &task.kind {
        Kind::Function(call) => call.fields().into_iter().map(|(name, of)| (name.unraw().to_string(), of)).collect(),
        Kind::Struct(item) => fields_of(&item.fields),
    };
    let fields = field_texts(&fields);
    let serde = match &task.kind {
        Kind::Function(_) => TokenStream::new(),
        Kind::Struct(item) => serde_texts(item),
    };
    let serde = (!serde.is_empty()).then(|| quote!(.with_serde(&[#serde])));
    quote!(.with_fields(&[#fields]) #serde)
}

/// What `#[serde(..)]` says of a struct, by the empty name, and of each of its fields, as it is written.
pub(crate) fn serde_texts(item: &syn::ItemStruct) -> TokenStream {
    let of_fields = fields_of(&item.fields).into_iter().map(|(name, _)| name);
    let attributes = item.fields.iter().map(|field| field.attrs.as_slice());
    let named = [(String::new(), item.attrs.as_slice())].into_iter().chain(of_fields.zip(attributes));
    let texts = named.filter_map(|(name, attributes)| {
        let said: Vec<String> = attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("serde"))
            .filter_map(|attribute| attribute.meta.require_list().ok())
            .map(|list| crate::arms::written::written(list.tokens.clone()))
            .collect();
        let said = said.join(", ");
        (!said.is_empty()).then(|| quote!((#name, #said)))
    });
    quote!(#(#texts),*)
}

/// The fields of a struct; those of a tuple struct have numbers.
pub(crate) fn fields_of(fields: &syn::Fields) -> Vec<(String, &Type)> {
    let name = |at: usize, field: &syn::Field| {
        field.ident.as_ref().map_or_else(|| at.to_string(), |name| name.unraw().to_string())
    };
    fields.iter().enumerate().map(|(at, field)| (name(at, field), &field.ty)).collect()
}

pub(crate) fn field_texts(fields: &[(String, &Type)]) -> TokenStream {
    let texts = fields.iter().map(|(name, of)| {
        let of = crate::arms::written::written_type(of);
        quote!((#name, #of))
    });
    quote!(#(#texts),*)
}

/// The names that something had before, if any.
pub(crate) fn was(names: &[LitStr]) -> TokenStream {
    if names.is_empty() { TokenStream::new() } else { quote!(.with_was(&[#(#names),*])) }
}

fn options(task: &Task, scope: &Scope<'_>) -> TokenStream {
    let krate = &task.krate;
    let options = &task.options;
    let queue = options.queue.as_ref().map_or_else(|| quote!(#krate::DEFAULT_QUEUE), ToTokens::to_token_stream);
    let priority = options.priority.unwrap_or(0);
    let timeout = pause(scope, options.timeout.as_ref());
    let retry = match &options.retry {
        None => quote!(::core::option::Option::None),
        Some(retry) => {
            let times = retry.times;
            let backoff = match &retry.backoff {
                Backoff::Fixed(pause) => {
                    let pause = scope.duration(pause);
                    quote!(Fixed(#pause))
                }
                Backoff::Linear(first, max) => growing(scope, "Linear", first, max),
                Backoff::Exponential(first, max) => growing(scope, "Exponential", first, max),
                Backoff::List(pauses) => {
                    let pauses = pauses.iter().map(|pause| scope.duration(pause));
                    quote!(List(#krate::Pauses::new(&[#(#pauses),*])))
                }
            };
            quote!(::core::option::Option::Some(#krate::Retry { times: #times, backoff: #krate::Backoff::#backoff }))
        }
    };
    let deadline = pause(scope, options.deadline.as_ref());
    let limit = |most: Option<TokenStream>, keyed: bool| match most {
        None => quote!(::core::option::Option::None),
        Some(most) => quote!(::core::option::Option::Some(#krate::Limit { most: #most, keyed: #keyed })),
    };
    let rate_limit = options.rate_limit.as_ref().map(|limit| {
        let rate = names::rate(limit.rate.span());
        limit.burst.map_or_else(|| quote!(#rate), |burst| quote!(#rate.burst(#burst)))
    });
    let rate_limit = limit(rate_limit, options.rate_limit.as_ref().is_some_and(|limit| limit.key.is_some()));
    let concurrency = options.concurrency.as_ref().map(|limit| limit.most.to_token_stream());
    let concurrency = limit(concurrency, options.concurrency.as_ref().is_some_and(|limit| limit.key.is_some()));
    quote! {
        #krate::TaskOptions {
            queue: #queue,
            priority: #priority,
            timeout: #timeout,
            deadline: #deadline,
            retry: #retry,
            rate_limit: #rate_limit,
            concurrency: #concurrency,
        }
    }
}

fn growing(scope: &Scope<'_>, kind: &str, first: &LitStr, max: &LitStr) -> TokenStream {
    let kind = Ident::new(kind, Span::mixed_site());
    let (first, max) = (scope.duration(first), scope.duration(max));
    quote!(#kind { first: #first, max: #max })
}

/// What the worker must have been given.
fn needs(task: &Task) -> TokenStream {
    let krate = &task.krate;
    let needs: Vec<&Type> = match &task.kind {
        Kind::Struct(_) => task.options.needs.iter().collect(),
        Kind::Function(call) => call
            .arguments
            .iter()
            .filter_map(|argument| match argument {
                Argument::Injected(_, reference) => Some(reference.elem.as_ref()),
                _ => None,
            })
            .collect(),
    };
    if needs.is_empty() {
        return quote!(::std::vec::Vec::new);
    }
    let needs = needs.iter().map(|of| {
        let private = krate.private(of.span());
        quote_spanned!(of.span()=> #private::Need::of::<#of>())
    });
    quote!(|| ::core::convert::From::from([#(#needs),*]))
}
