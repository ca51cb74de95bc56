//! What a block becomes: the payload that starts a run, an entry and a route for each step.

use std::cell::RefCell;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::LitStr;
use syn::spanned::Spanned as _;

use super::model::{Does, Join, Step, Workflow};
use crate::arms::edges::edges;
use crate::arms::expand::{Arrives, PastStep, Promise, Scope, Source, StepFacts, route};
use crate::arms::target::pause;
use crate::arms::written::written_type;
use crate::arms::{Linked, Past, last_word};
use crate::names;
use crate::task::expand::{codec, field_texts, implement, was};
use crate::workflow::implement::{follower, implement_workflow, recurs, work};
use crate::workflow::picture::of_block;

/// All of it.
pub(crate) fn expand(workflow: &Workflow) -> TokenStream {
    let scope = scope(workflow);
    let aliases = aliases(workflow, &scope);
    let steps: TokenStream =
        workflow.steps.iter().enumerate().map(|(number, step)| step_items(workflow, &scope, number, step)).collect();
    let joins: TokenStream =
        workflow.joins.iter().enumerate().map(|(number, join)| join_item(workflow, number, join)).collect();
    let payload = payload(workflow);
    let first = workflow.steps.first().map_or_else(Span::mixed_site, |step| step.name.span());
    let prepare = prepare(workflow, first);
    let work = work_impl(workflow, &prepare);
    let entry = entry(workflow, &scope);
    let workflow_impl = workflow_impl(workflow, &entry);
    let (krate, name) = (&workflow.krate, &workflow.name);
    let private = krate.private(Span::mixed_site());
    let structure = structure(workflow);
    let followed = follower(krate, name);
    let (first_task, mentions, signals) = (first_task(workflow), mentions(workflow), signals(workflow));
    let durations = scope.durations();
    quote! {
        #structure

        const _: () = {
            #durations
            #aliases
            #steps
            #joins
            #first_task
            #mentions
            #signals
            #payload
            #work
            #workflow_impl

            #followed
            #private::inventory::submit! {
                #private::Submission(<#name as #krate::Work>::registered)
            }
        };
    }
}

/// The payload and impls that do nothing, for a block with mistakes.
pub(crate) fn stub(workflow: &Workflow) -> TokenStream {
    let structure = structure(workflow);
    let payload = payload(workflow);
    let unwritten = quote!(::core::unreachable!());
    let work = work_impl(workflow, &unwritten);
    let implementation = workflow_impl(workflow, &unwritten);
    let followed = follower(&workflow.krate, &workflow.name);
    let (mentions, signals) = (mentions(workflow), signals(workflow));
    quote! {
        #structure

        #[allow(unused_variables, dead_code)]
        const _: () = { #payload #work #implementation #followed #mentions #signals };
    }
}

fn scope(workflow: &Workflow) -> Scope<'_> {
    let promise = workflow.output.as_ref().map(|output| Promise { workflow: &workflow.name, span: output.span() });
    let steps = workflow.steps.iter().map(|step| facts(workflow, step)).collect();
    let (krate, input) = (&workflow.krate, Some(&workflow.input));
    Scope { krate, in_block: true, steps, promise, input, durations: RefCell::default() }
}

fn facts<'a>(workflow: &'a Workflow, step: &'a Step) -> StepFacts<'a> {
    let waits_for = match &step.does {
        Does::Wait { of, .. } => Some(of.as_ref()),
        Does::Work { .. } => None,
    };
    let arrives = step.member.map(|(join, member)| Arrives { join, member, settled: workflow.joins[join].settled });
    StepFacts { waits_for, arrives, is_undo: step.is_undo }
}

/// An alias for each step's task, so that a name that is none is one error, at its word.
fn aliases(workflow: &Workflow, scope: &Scope<'_>) -> TokenStream {
    let works = workflow.steps.iter().enumerate().filter_map(|(number, step)| Some((number, step.work()?)));
    let works = crate::arms::aliases(scope, works);
    let waits = workflow.steps.iter().enumerate().filter_map(|(number, step)| {
        let Does::Wait { of, .. } = &step.does else { return None };
        let span = of.span();
        let (work, private) = (names::work(number, step.first()), workflow.krate.private(span));
        let key = names::signal(&step.name);
        let awaited = quote_spanned!(span=> impl #private::Awaited for #key { type Value = #of; });
        Some(quote! {
            #[allow(dead_code, non_camel_case_types)]
            enum #key {}
            #awaited
            #[allow(dead_code)]
            type #work = #private::Signal<#key>;
        })
    });
    quote!(#works #(#waits)*)
}

/// A run starts with a task.
fn first_task(workflow: &Workflow) -> TokenStream {
    let Some(first) = workflow.steps.first().filter(|first| !first.is_wait()) else { return TokenStream::new() };
    let span = first.first();
    let (first, work, private) = (names::first(span), names::work(0, span), workflow.krate.private(span));
    let gated = quote_spanned!(span=> <#work as #private::First>::Task);
    quote!(type #first = #gated;)
}

/// A step's route and entry.
fn step_items(workflow: &Workflow, scope: &Scope<'_>, number: usize, step: &Step) -> TokenStream {
    let span = step.first();
    let work = names::work(number, span).into_token_stream();
    let route_name = names::route(number, span);
    let (past, input) = step.past();
    // Under each of the names that a step has had, for runs that an earlier version began.
    let names_of = |step: &usize| {
        let step = &workflow.steps[*step];
        [step.stored_name()].into_iter().chain(step.was.iter().map(LitStr::value)).collect::<Vec<_>>()
    };
    let names: Vec<Vec<String>> = past.iter().map(names_of).collect();
    let past: Vec<PastStep> = past
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let first = names[..at].iter().map(Vec::len).sum();
            PastStep { step: *step, first, names: names[at].len() }
        })
        .collect();
    let source = Source { work: &work, span, route: &route_name, facts: facts(workflow, step), past: &past };
    let route = route(scope, &source, &step.arms);
    let (entry, private) = (names::step(number, Span::mixed_site()), workflow.krate.private(span));
    let name = step.stored_name();
    let mut edges = edges(scope, &step.arms, |number| workflow.name_of(number));
    if let Some(join) = workflow.join_of(number) {
        let then = workflow.name_of(join.then.number);
        let on = if join.settled { "settled" } else { "on_ok" };
        let none = quote!(::core::option::Option::None);
        edges.extend(quote!(
            #private::EdgeEntry { on: #on, to: #private::Target::Join(#then), after: #none, limit: #none },
        ));
    }
    let of = quote_spanned!(span=> #private::StepEntry::step::<#work, #route_name>);
    let mut value = quote!(#of(#name, &[#edges]));
    if !past.is_empty() {
        let names = names.iter().flatten();
        value.extend(quote!(.with_earlier(&[#(#names),*])));
    }
    if input {
        value.extend(quote!(.with_input()));
    }
    value.extend(was(&step.was));
    if let Does::Wait { of, patience, .. } = &step.does {
        let text = written_type(of);
        value.extend(quote!(.with_value(#text)));
        if let Some(patience) = patience {
            let patience = scope.duration(patience);
            value.extend(quote!(.with_patience(#patience)));
        }
    }
    if let Some(join) = step.follows {
        value.extend(joined(workflow, &workflow.joins[join], &work));
    }
    let entry_item = quote_spanned!(span=> static #entry: #private::StepEntry = #value;);
    quote! {
        #route
        #entry_item
    }
}

/// What a step is given that follows a join, shown where the join leads to it.
fn joined(workflow: &Workflow, join: &Join, work: &TokenStream) -> TokenStream {
    let span = join.then.span;
    let (private, at_krate) = (workflow.krate.private(span), workflow.krate.at(span));
    let members = join.members.iter().map(|member| {
        let of = names::work(member.step, span);
        let output = quote_spanned!(span=> <#of as #at_krate::Work>::Output);
        let kind = Ident::new(if join.settled { "Settled" } else { "One" }, span);
        let one = quote_spanned!(span=> #private::#kind<#output>);
        if member.is_each { quote_spanned!(span=> #private::EachOf<#one>) } else { one }
    });
    let work = crate::krate::respan(work.clone(), span);
    quote_spanned!(span=> .joined::<#work, (#(#members,)*)>())
}

/// The entry of a join.
fn join_item(workflow: &Workflow, number: usize, join: &Join) -> TokenStream {
    let private = workflow.krate.private(Span::mixed_site());
    let (entry, then) = (names::join(number, Span::mixed_site()), names::step(join.then.number, Span::mixed_site()));
    let (name, settled) = (workflow.name_of(join.then.number), join.settled);
    let members = join.members.iter().map(|member| {
        let (step, is_each) = (names::step(member.step, Span::mixed_site()), member.is_each);
        quote!((&#step, #is_each))
    });
    quote! {
        static #entry: #private::JoinEntry = #private::JoinEntry {
            name: #name,
            members: &[#(#members),*],
            settled: #settled,
            then: &#then,
        };
    }
}

/// Every place where a step is named, so that an editor leads from there to the step. It does nothing.
fn mentions(workflow: &Workflow) -> TokenStream {
    let is_plain = |name: &&Ident| !["self", "Self", "super", "crate"].contains(&name.to_string().as_str());
    let arms = || workflow.steps.iter().flat_map(|step| &step.arms);
    let named = |linked: &Linked| names::at(&workflow.steps[linked.number].name, linked.span);
    let targets = arms().flat_map(|arm| &arm.targets).filter_map(|target| target.to()).map(named);
    let pasts = arms().flat_map(|arm| &arm.with).filter_map(|with| match with.from {
        Some(Past::Step(_)) => Some(with.word.clone()),
        _ => None,
    });
    let joins = workflow.joins.iter().flat_map(|join| {
        join.members.iter().map(|member| member.word.clone()).chain([named(&join.then)]).collect::<Vec<_>>()
    });
    let mentions: Vec<Ident> = targets.chain(pasts).chain(joins).filter(|name| is_plain(&name)).collect();
    let (steps, variants) = (names::steps(), workflow.steps.iter().map(|step| &step.name).filter(is_plain));
    quote! {
        #[allow(non_camel_case_types, dead_code, clippy::enum_variant_names)]
        enum #steps { #(#variants,)* }
        const _: &[#steps] = &[#(#steps::#mentions),*];
    }
}

/// The keys of the signals that a run waits for: `Review::approval`.
fn signals(workflow: &Workflow) -> TokenStream {
    let (name, visibility) = (&workflow.name, &workflow.visibility);
    let keys: Vec<TokenStream> = workflow
        .steps
        .iter()
        .filter_map(|step| {
            let Does::Wait { of, .. } = &step.does else { return None };
            let (key, stored, was) = (&step.name, step.stored_name(), &step.was);
            let private = workflow.krate.private(key.span());
            let doc = format!("The signal that the step `{stored}` of a run waits for: `dispatcher.signal(run.id(), {name}::{key}, &value)`.");
            Some(quote_spanned! {key.span()=>
                #[doc = #doc]
                #[allow(non_upper_case_globals, private_interfaces, dead_code)]
                #visibility const #key: #private::SignalKey<Self, #of> = #private::SignalKey::new(#stored, &[#(#was),*]);
            })
        })
        .collect();
    if keys.is_empty() { TokenStream::new() } else { quote!(impl #name { #(#keys)* }) }
}

fn structure(workflow: &Workflow) -> TokenStream {
    let Workflow { attributes, visibility, name, input, .. } = workflow;
    let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    let doc = (!documented).then(|| {
        let text = format!("Starts a run of the workflow `{}`.", workflow.stored_name());
        quote!(#[doc = #text])
    });
    let picture = of_block(workflow);
    let field_doc = "What the run is given.";
    let item = quote_spanned!(name.span()=> #visibility struct #name(#[doc = #field_doc] pub #input););
    quote! {
        #doc
        #(#attributes)*
        #[doc = #picture]
        #[allow(private_interfaces, missing_debug_implementations, missing_copy_implementations)]
        #item
    }
}

/// The payload is what the workflow takes.
fn payload(workflow: &Workflow) -> TokenStream {
    let Workflow { krate, name, input, .. } = workflow;
    let [into, stored, value] = ["into", "stored", "value"].map(|name| names::local(name, Span::mixed_site()));
    let (encode, decode) = (codec(krate, input, "encode"), codec(krate, input, "decode"));
    let methods = quote! {
            fn encode(
                &self,
                #into: &mut ::std::vec::Vec<::core::primitive::u8>,
            ) -> ::core::result::Result<(), #krate::CodecError> {
                #encode(&self.0, #into)
            }

            fn decode(#stored: &[::core::primitive::u8]) -> ::core::result::Result<Self, #krate::CodecError> {
                ::core::result::Result::Ok(Self(#decode(#stored)?))
            }
    };
    let payload = implement(krate, "Payload", name, &methods);
    quote! {
        #payload

        #[automatically_derived]
        impl ::core::convert::From<#input> for #name {
            fn from(#value: #input) -> Self {
                Self(#value)
            }
        }
    }
}

/// The body of `prepare`: the first step's payload is made of what the workflow takes.
fn prepare(workflow: &Workflow, first: Span) -> TokenStream {
    let krate = &workflow.krate;
    let private = krate.private(Span::mixed_site());
    let [draft, input, payload] = ["draft", "input", "payload"].map(|name| names::local(name, Span::mixed_site()));
    let at_first = krate.private(first);
    let step = names::step(0, Span::mixed_site());
    let work = workflow.steps.first().and_then(Step::work).map(|path| names::first(last_word(path).span()));
    let (this, given) = (Ident::new("self", Span::call_site()), names::shown("input", first));
    let accept = { quote_spanned!(first=> #at_first::accept(#given)) };
    quote! {
        let #input = #private::encode(&#this)?;
        let #given = #this.0;
        let #payload: #work = #accept;
        #private::start(
            #draft,
            <Self as #krate::Workflow>::entry(),
            #input,
            ::core::option::Option::Some(&#step),
            &#payload,
        )
    }
}

fn work_impl(workflow: &Workflow, prepare: &TokenStream) -> TokenStream {
    let output = workflow.output.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    work(&workflow.krate, &workflow.name, &workflow.stored_name(), &output, prepare, None)
}

fn entry(workflow: &Workflow, scope: &Scope<'_>) -> TokenStream {
    let private = workflow.krate.private(Span::mixed_site());
    let (name, payload) = (workflow.stored_name(), &workflow.name);
    let version = workflow.options.version.unwrap_or(1);
    let timeout = pause(scope, workflow.options.timeout.as_ref());
    let output = if workflow.output.is_some() { quote!(Promised) } else { quote!(Unit) };
    let fields = field_texts(&[("0".to_owned(), &workflow.input)]);
    let promises = if let Some(output) = &workflow.output {
        let output = written_type(output);
        quote!(::core::option::Option::Some(#output))
    } else {
        quote!(::core::option::Option::None)
    };
    let was = &workflow.options.was;
    let recurs = recurs(scope, workflow.options.schedule.as_ref(), payload, &quote!(#payload(())));
    let steps = (0..workflow.steps.len()).map(|number| names::step(number, Span::mixed_site()));
    let joins = (0..workflow.joins.len()).map(|number| names::join(number, Span::mixed_site()));
    quote! {
        static ENTRY: #private::WorkflowEntry = #private::WorkflowEntry {
            name: #name,
            location: #private::Location { file: ::core::file!(), line: ::core::line!() },
            version: #version,
            timeout: #timeout,
            output: #private::InitialOutput::#output,
            body: #private::Body::Block(&[#(&#steps),*]),
            joins: &[#(&#joins),*],
            end: ::core::option::Option::None,
            fields: &[#fields],
            serde: &[],
            promises: #promises,
            was: &[#(#was),*],
            recurs: #recurs,
            fingerprint: #private::Fingerprint::NEW,
            prepare: #private::prepare_stored::<#payload>,
        };
        &ENTRY
    }
}

fn workflow_impl(workflow: &Workflow, entry: &TokenStream) -> TokenStream {
    let Workflow { krate, name, .. } = workflow;
    implement_workflow(krate, name, entry, None)
}
