//! The code of what follows: one statement for each target.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Expr, LitStr, Token};

use super::expand::{Scope, Source, number};
use super::{After, Arm, Linked, Outcome, Past, Payload, Target, TargetKind};
use crate::names::{self, at};

/// What flows along an arm's edges.
pub(super) enum Flow {
    /// The value of this local.
    Whole(Ident),
    /// The failure in this local.
    Failure(Ident),
    /// What the pattern binds.
    Bound(Vec<Ident>),
}

impl Flow {
    /// The expression of what flows; all but the last target get clones.
    fn value(&self, scope: &Scope<'_>, last: bool, span: Span) -> TokenStream {
        let one = |name: &Ident| {
            let name = at(name, span);
            if last {
                return quote_spanned!(span=> #name);
            }
            // All of the call is the macro's, or the compiler would propose to borrow the target.
            let call = Span::mixed_site().located_at(span);
            let (private, shared) = (scope.krate.private(call), names::local("shared", span));
            quote_spanned!(call=> { let #shared = &#name; #private::share(#shared) })
        };
        match self {
            Self::Whole(name) | Self::Failure(name) => one(name),
            Self::Bound(names) => {
                let mut values: Vec<TokenStream> = names.iter().map(one).collect();
                match values.pop() {
                    Some(only) if values.is_empty() => only,
                    Some(last) => quote_spanned!(span=> (#(#values,)* #last)),
                    None => quote_spanned!(span=> ()),
                }
            }
        }
    }
}

/// When a step of an edge begins, and how often it may.
fn edge(scope: &Scope<'_>, target: &Target<Linked>) -> TokenStream {
    let private = scope.krate.private(Span::mixed_site());
    let after = match &target.after {
        Some(After::Value(value)) => {
            let span = value.span();
            let at = scope.krate.private(span);
            quote_spanned!(span=> ::core::option::Option::Some(#at::pause(#value)?))
        }
        Some(After::Text(text)) => pause(scope, Some(text)),
        None => pause(scope, None),
    };
    let limit = limit(target);
    quote!(#private::NextEdge { after: #after, limit: #limit })
}

/// The limit of an edge, if it has one.
pub(super) fn limit(target: &Target<Linked>) -> TokenStream {
    if let Some(limit) = &target.limit {
        let number = limit.number;
        quote!(::core::option::Option::Some(#number))
    } else {
        quote!(::core::option::Option::None)
    }
}

/// A duration, as an `Option<Duration>`.
pub(crate) fn pause(scope: &Scope<'_>, after: Option<&LitStr>) -> TokenStream {
    match after {
        None => quote!(::core::option::Option::None),
        Some(text) => {
            let duration = scope.duration(text);
            quote!(::core::option::Option::Some(#duration))
        }
    }
}

/// The function that an edge to the `number`th work goes through. Its signature, other than a `let` in the middle of
/// the arms, is where a name that is no task stops: no edge repeats that mistake.
pub(crate) fn way(scope: &Scope<'_>, number: usize, first: Span) -> TokenStream {
    let private = scope.krate.private(first);
    let (way, work) = (names::way(number, first), names::work(number, first));
    let [payload, edge, next] = ["payload", "edge", "next"].map(|name| names::local(name, first));
    let follow = if scope.in_block {
        let step = names::step(number, first);
        quote_spanned!(first=> #private::follow(#next, &#step, #payload, #edge))
    } else {
        quote_spanned!(first=> #next.work(#payload, #edge.after))
    };
    quote_spanned! {first=>
        #[allow(dead_code)]
        fn #way(
            #payload: #work,
            #edge: #private::NextEdge,
            #next: &mut #private::Next<'_>,
        ) -> ::core::result::Result<(), #private::RouteError> {
            #follow
        }
    }
}

/// The statements of an arm.
pub(super) fn targets(scope: &Scope<'_>, source: &Source<'_>, arm: &Arm<Linked>, flow: &Flow) -> TokenStream {
    let last = arm.targets.len().saturating_sub(1);
    let past: TokenStream = arm.with.iter().map(|with| taken(scope, source, with)).collect();
    let targets = arm.targets.iter().enumerate().map(|(at, target)| match &target.kind {
        TargetKind::Work { to, payload } if arm.outcome == Outcome::Undo => undo(scope, to, payload, flow),
        _ => one(scope, source, target, flow, at == last),
    });
    std::iter::once(past).chain(targets).collect()
}

/// What `with` takes of the run's past. That its pattern takes everything is for the compiler to say.
fn taken(scope: &Scope<'_>, source: &Source<'_>, with: &super::With) -> TokenStream {
    let (span, stored) = (with.word.span(), names::local("stored", Span::mixed_site()));
    let pattern = &with.pattern;
    if let Some(Past::Step(step)) = with.from {
        let (work, krate) = (names::work(step, span), scope.krate.at(span));
        let Some(past) = source.past.iter().find(|past| past.step == step) else { return TokenStream::new() };
        let (first, behind) = (past.first, past.first + past.names);
        let of = quote_spanned!(span=> <#work as #krate::Work>::Output);
        return quote!(let #pattern: #of = #stored.earlier(#first..#behind)?;);
    }
    let Some(input) = scope.input else { return TokenStream::new() };
    quote!(let #pattern: #input = #stored.input()?;)
}

/// A step that undoes the one that has ended.
fn undo(scope: &Scope<'_>, to: &Linked, payload: &Payload, flow: &Flow) -> TokenStream {
    let next = names::local("next", Span::mixed_site());
    let value = payload_of(scope, to, payload, flow, true);
    let (private, step) = (scope.krate.private(to.span), names::step(to.number, to.span));
    let (payload, work) = (names::shown("payload", to.span), names::work(to.number, to.span));
    let call = quote_spanned!(to.span=> #private::undo(#next, &#step, &#payload)?;);
    quote! {{
        let #payload: #work = #value;
        #call
    }}
}

/// A step for each item.
fn each(scope: &Scope<'_>, to: &Linked, items: &Expr, target: &Target<Linked>) -> TokenStream {
    let next = names::local("next", Span::mixed_site());
    let (private, step) = (scope.krate.private(to.span), names::step(to.number, to.span));
    let work = names::work(to.number, to.span);
    let limit = limit(target);
    let join = if let Some(arrives) = scope.steps.get(to.number).and_then(|facts| facts.arrives) {
        let (join, member) = (names::join(arrives.join, Span::mixed_site()), number(arrives.member));
        quote!(::core::option::Option::Some((&#join, #member)))
    } else {
        quote!(::core::option::Option::None)
    };
    quote_spanned!(to.span=> #private::each::<#work, _>(#next, &#step, #items, #limit, #join)?;)
}

fn one(scope: &Scope<'_>, source: &Source<'_>, target: &Target<Linked>, flow: &Flow, last: bool) -> TokenStream {
    let next = names::local("next", Span::mixed_site());
    match &target.kind {
        TargetKind::Work { to, .. } if scope.waits(to.number) => {
            let (step, edge) = (names::step(to.number, Span::mixed_site()), edge(scope, target));
            quote!(#next.wait(&#step, #edge);)
        }
        TargetKind::Each { to, items } => each(scope, to, items, target),
        TargetKind::Work { to, payload } => {
            let value = payload_of(scope, to, payload, flow, last);
            let way = names::way(to.number, to.first);
            let payload = names::shown("payload", to.first);
            let (edge, when) = (edge(scope, target), names::local("edge", Span::mixed_site()));
            let call = quote_spanned!(to.first=> #way(#payload, #when, #next));
            // The pause first: the payload may use up what it is computed of.
            quote! {{
                let #when = #edge;
                let #payload = #value;
                #call?;
            }}
        }
        TargetKind::Done { word, output } => {
            let value = if let Some(output) = output {
                quote!(#output)
            } else {
                let private = scope.krate.private(word.span());
                let value = flow.value(scope, last, word.span());
                quote_spanned!(word.span()=> #private::output(#value))
            };
            // The checks have seen that there is a promise.
            let Some(promise) = &scope.promise else { return TokenStream::new() };
            let (workflow, at_promise) = (promise.workflow(), scope.krate.at(promise.span));
            let promised = quote_spanned!(promise.span=> <#workflow as #at_promise::Work>::Output);
            let output = names::local("output", Span::mixed_site());
            let private = scope.krate.private(Span::mixed_site());
            quote! {{
                let #output: #promised = #value;
                #private::done::<#workflow>(&#output, #next)?;
            }}
        }
        TargetKind::Fail { word, reason } => {
            let work = &source.work;
            if let Some(reason) = reason {
                let krate = scope.krate;
                let shown = quote_spanned!(reason.span()=> &#reason);
                quote!(#next.fail(<#work as #krate::Work>::NAME, #shown);)
            } else {
                let report = names::local("report", word.span());
                quote_spanned!(word.span()=> #next.unrouted(::core::clone::Clone::clone(&#report));)
            }
        }
        TargetKind::Rollback { word } => {
            let report = names::local("report", word.span());
            quote_spanned!(word.span()=> #next.unrouted(::core::clone::Clone::clone(&#report));)
        }
        TargetKind::End { .. } => TokenStream::new(),
    }
}

/// `Step(value)`: the constructor of a tuple struct, or what the task accepts.
pub(crate) fn made_of(scope: &Scope<'_>, to: &Linked, values: &Punctuated<Expr, Token![,]>) -> TokenStream {
    let private = scope.krate.private(to.span);
    let written = names::payload(to.number, to.span);
    let value = match values.first() {
        Some(only) if values.len() == 1 => quote!(#only),
        _ => quote!((#values)),
    };
    let call = quote_spanned!(to.span=> <#written>::__evertask_of((#value,)));
    quote! {{
        #[allow(unused_imports)]
        use #private::Made as _;
        #call
    }}
}

fn payload_of(scope: &Scope<'_>, to: &Linked, payload: &Payload, flow: &Flow, last: bool) -> TokenStream {
    let private = scope.krate.private(to.span);
    match (payload, flow) {
        (Payload::Fields(fields), _) => {
            let written = names::payload(to.number, to.span);
            quote!(#written #fields)
        }
        (Payload::Values(values), _) => made_of(scope, to, values),
        (Payload::Flows, Flow::Failure(failure)) => {
            let failure = at(failure, to.span);
            if last {
                quote_spanned!(to.span=> #private::accept_failure(#failure))
            } else {
                quote_spanned!(to.span=> #private::accept_shared_failure(&#failure))
            }
        }
        (Payload::Flows, _) => {
            let value = flow.value(scope, last, to.span);
            quote_spanned!(to.span=> #private::accept(#value))
        }
    }
}
