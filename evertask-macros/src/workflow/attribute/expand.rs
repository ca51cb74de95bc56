//! What a workflow of the attribute form becomes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};

use super::model::Workflow;
use crate::arms::edges::edges;
use crate::arms::expand::{Scope, Source, route};
use crate::arms::target::{made_of, pause};
use crate::arms::{Linked, Payload, aliases, pattern};
use crate::names::{self, at};
use crate::task::expand::{constructor, field_texts, fields_of, serde_texts};
use crate::workflow::implement::{follower, implement_workflow, recurs, work};
use crate::workflow::picture::of_attribute;

/// All of it, or `None` where there is no start.
pub(crate) fn expand(workflow: &Workflow) -> Option<TokenStream> {
    let (krate, item, ident) = (&workflow.krate, &workflow.item, workflow.ident());
    let scope = Scope::standing(krate);
    let private = krate.private(Span::mixed_site());
    let (prepare, bound) = (prepare(workflow, &scope)?, bound(workflow));
    let (entry, entry_name) = (entry(workflow, &scope)?, names::entry());
    let paths = workflow.works.iter().map(|work| &work.path).enumerate();
    let aliases = aliases(&scope, paths);
    let first = first_alias(workflow)?;
    let itself = ident.to_token_stream();
    let route = (!workflow.arms.is_empty()).then(|| {
        let name = names::route(0, Span::mixed_site());
        route(&scope, &Source::standing(&itself, ident.span(), &name), &workflow.arms)
    });
    let work = work(krate, ident, &workflow.stored_name(), &quote!(Self), &prepare, Some(&bound));
    let implementation = implement_workflow(krate, ident, &quote!(#entry_name()), Some(&bound));
    let followed = follower(krate, ident);
    let cfgs = workflow.item.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let durations = scope.durations();
    let constructor = constructor(item);
    let mut item = item.clone();
    // Without docs of its author's there is none: the lint on missing ones is theirs.
    if item.attrs.iter().any(|attribute| attribute.path().is_ident("doc")) {
        let picture = of_attribute(workflow);
        item.attrs.push(syn::parse_quote!(#[doc = #picture]));
    }
    Some(quote! {
        #item

        #(#cfgs)*
        const _: () = {
            #durations
            #aliases
            #first
            #constructor
            #route
            #entry
            #work
            #implementation
            #followed

            #private::inventory::submit! {
                #private::Submission(|| #private::Registered::Workflow(#entry_name()))
            }
        };
    })
}

/// The item and impls that do nothing, for one with mistakes.
pub(crate) fn stub(workflow: &Workflow) -> TokenStream {
    let (krate, item, ident) = (&workflow.krate, &workflow.item, workflow.ident());
    if !item.generics.params.is_empty() {
        return item.to_token_stream();
    }
    let (unwritten, bound) = (quote!(::core::unreachable!()), bound(workflow));
    let work = work(krate, ident, &workflow.stored_name(), &quote!(Self), &unwritten, Some(&bound));
    let implementation = implement_workflow(krate, ident, &unwritten, Some(&bound));
    let followed = follower(krate, ident);
    quote! {
        #item

        #[allow(unused_variables)]
        const _: () = { #work #implementation #followed };
    }
}

/// What the payload must be. It is said as a bound, so that one that can't be stored is one error, at its name.
fn bound(workflow: &Workflow) -> TokenStream {
    let ident = workflow.ident();
    let krate = workflow.krate.at(ident.span());
    quote_spanned!(ident.span()=> where #ident: #krate::Payload)
}

/// What makes a run from a stored payload. It asks for no bound: that the payload can be stored is said once, at the
/// implementations.
fn prepare_stored(workflow: &Workflow) -> TokenStream {
    let ident = workflow.ident();
    let private = workflow.krate.private(ident.span());
    quote_spanned! {ident.span()=>
        {
            #[allow(unused_imports)]
            use #private::NotPrepared as _;
            <#private::PreparedOf<#ident>>::PREPARE
        }
    }
}

/// The body of `prepare`: the first task's payload is made of the workflow's own.
fn prepare(workflow: &Workflow, scope: &Scope<'_>) -> Option<TokenStream> {
    let krate = &workflow.krate;
    let private = krate.private(Span::mixed_site());
    let (arm, to, payload) = workflow.start()?;
    let [draft, input, first] = ["draft", "input", "first"].map(|name| names::local(name, Span::mixed_site()));
    let this = Ident::new("self", Span::call_site());
    let itself = names::shown("itself", to.span);
    let bind = arm.pattern.as_ref().map(|pattern| quote!(let #pattern = #itself;));
    let flows = match &arm.pattern {
        None => itself.to_token_stream(),
        Some(pattern) => {
            let bound = pattern::bindings(pattern);
            match bound.as_slice() {
                [only] => at(only, to.span).into_token_stream(),
                several => quote_spanned!(to.span=> (#(#several),*)),
            }
        }
    };
    let first_payload = made(workflow, scope, to, payload, &flows);
    let span = to.first;
    let task = names::first(span);
    Some(quote! {
        let #input = #private::encode(&#this)?;
        let #itself = #this;
        #bind
        let #first: #task = #first_payload;
        #private::start(#draft, <Self as #krate::Workflow>::entry(), #input, ::core::option::Option::None, &#first)
    })
}

/// The first task, which a workflow may start with.
fn first_alias(workflow: &Workflow) -> Option<TokenStream> {
    let (_, to, _) = workflow.start()?;
    let private = workflow.krate.private(to.first);
    let path = &workflow.works.get(to.number)?.path;
    let alias = names::first(to.first);
    let gated = quote_spanned!(to.first=> <#path as #private::First>::Task);
    Some(quote!(type #alias = #gated;))
}

fn made(workflow: &Workflow, scope: &Scope<'_>, to: &Linked, payload: &Payload, flows: &TokenStream) -> TokenStream {
    let private = workflow.krate.private(to.span);
    match payload {
        Payload::Fields(fields) => {
            let written = names::payload(to.number, to.span);
            quote!(#written #fields)
        }
        Payload::Values(values) => made_of(scope, to, values),
        Payload::Flows => {
            quote_spanned!(to.span=> #private::accept(#flows))
        }
    }
}

fn entry(workflow: &Workflow, scope: &Scope<'_>) -> Option<TokenStream> {
    let krate = &workflow.krate;
    let private = krate.private(Span::mixed_site());
    let (name, ident) = (workflow.stored_name(), workflow.ident());
    let version = workflow.options.version.unwrap_or(1);
    let timeout = pause(scope, workflow.options.timeout.as_ref());
    let (_, to, _) = workflow.start()?;
    let function = names::entry();
    let (fields, was) = (field_texts(&fields_of(&workflow.item.fields)), &workflow.options.was);
    let serde = serde_texts(&workflow.item);
    let (first, at_first) = (names::first(to.first), krate.at(to.first));
    let registered = quote_spanned!(to.first=> <#first as #at_first::Work>::registered);
    let recurs = recurs(scope, workflow.options.schedule.as_ref(), ident, &quote!(#ident {}));
    let location = quote!(#private::Location { file: ::core::file!(), line: ::core::line!() });
    let end = if workflow.arms.is_empty() {
        quote!(::core::option::Option::None)
    } else {
        let route = names::route(0, Span::mixed_site());
        let edges = edges(scope, &workflow.arms, |_| String::new());
        quote!(::core::option::Option::Some(#private::TaskEntry::end_of::<#ident, #route>(#location, &[#edges])))
    };
    let prepare_stored = prepare_stored(workflow);
    Some(quote! {
        fn #function() -> &'static #private::WorkflowEntry {
        static ENTRY: #private::WorkflowEntry = #private::WorkflowEntry {
            name: #name,
            location: #location,
            version: #version,
            timeout: #timeout,
            output: #private::InitialOutput::Input,
            body: #private::Body::Chain(#registered),
            joins: &[],
            end: #end,
            fields: &[#fields],
            serde: &[#serde],
            promises: ::core::option::Option::None,
            was: &[#(#was),*],
            recurs: #recurs,
            fingerprint: #private::Fingerprint::NEW,
            prepare: #prepare_stored,
        };
        &ENTRY
        }
    })
}
