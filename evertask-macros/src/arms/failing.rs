//! The code of the failing side, in the order of the language: a cancel has its own arms and no others; a time-out
//! has its own and then the rest; an error is matched by its type; what is left goes to the arms that catch all;
//! and what no arm takes fails the run.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote};

use super::expand::{Scope, Source, arrival, case, scrutinee, uses_flow};
use super::target::{Flow, targets};
use super::{Arm, Linked, Outcome, TargetKind, pattern};
use crate::names;

fn local(name: &str) -> Ident {
    names::local(name, Span::mixed_site())
}

/// Whether the arm needs a `Failure`, with the payload.
fn needs_failure(arm: &Arm<Linked>) -> bool {
    arm.pattern.is_some() || uses_flow(arm)
}

/// All that follows a failure.
pub(super) fn failing(scope: &Scope<'_>, source: &Source<'_>, arms: &[Arm<Linked>]) -> TokenStream {
    let private = scope.krate.private(Span::mixed_site());
    let krate = scope.krate;
    let (next, fault) = (local("next"), local("fault"));
    let mut unrouted = quote!(#next.unrouted(#fault.report()););
    if let Some(arrives) = source.facts.arrives.filter(|arrives| arrives.settled) {
        let arrival = arrival(arrives);
        unrouted = quote!(if let #krate::Cause::Cancelled = #fault.cause { #unrouted } else { #arrival });
    }
    let of = |outcome: Outcome| arms.iter().filter(|arm| arm.outcome == outcome).collect::<Vec<_>>();
    let (cancels, timeouts) = (of(Outcome::Cancel), of(Outcome::Timeout));
    let typed: Vec<&Arm<Linked>> = arms.iter().filter(|arm| arm.is_typed_error()).collect();
    let catches: Vec<&Arm<Linked>> = arms.iter().filter(|arm| arm.is_catch()).collect();

    let mut code = TokenStream::new();
    if !(timeouts.is_empty() && typed.is_empty() && catches.is_empty() && cancels.is_empty()) {
        let group = Group::of(scope, source, &cancels);
        let left = (!group.total).then(|| unrouted.clone());
        let leave = (!group.total).then(leave);
        let taken = group.code;
        code.extend(quote! {
            if let #krate::Cause::Cancelled = #fault.cause { #taken #left #leave }
        });
    }
    if !timeouts.is_empty() {
        let group = Group::of(scope, source, &timeouts);
        let taken = group.code;
        if group.total {
            code.extend(
                quote!(if let #krate::Cause::TimedOut(_) | #krate::Cause::DeadlinePassed = #fault.cause { #taken }),
            );
        } else {
            code.extend(quote! {
                let #fault = if let #krate::Cause::TimedOut(_) | #krate::Cause::DeadlinePassed = #fault.cause { #taken #fault } else { #fault };
            });
        }
    }
    if !typed.is_empty() {
        code.extend(errors(scope, source, &typed, &private, !catches.is_empty()));
    }
    let group = Group::of(scope, source, &catches);
    code.extend(group.code);
    if !group.total {
        code.extend(unrouted);
    }
    code
}

fn leave() -> TokenStream {
    quote!(return ::core::result::Result::Ok(());)
}

/// The arms that take a failure of some kind.
struct Group {
    /// They return, or leave `fault` for what comes after them.
    code: TokenStream,
    /// Whether they take every failure, so that nothing comes after them.
    total: bool,
}

impl Group {
    fn of(scope: &Scope<'_>, source: &Source<'_>, arms: &[&Arm<Linked>]) -> Self {
        let Some(first) = arms.first() else { return Self { code: TokenStream::new(), total: false } };
        let (fault, failure, stored) = (local("fault"), source.local("failure"), local("stored"));
        let report = report(arms);
        let total = arms.iter().any(|arm| arm.takes_all());
        let leave = leave();
        let private = scope.krate.private(Span::mixed_site());
        if let [only] = arms
            && only.guard.is_none()
            && !needs_failure(only)
        {
            let statements = targets(scope, source, only, &Flow::Bound(Vec::new()));
            return Self { code: quote!(#report #statements #leave), total };
        }
        let with_input = arms.iter().any(|arm| arm.input.is_some());
        let cases: TokenStream = arms
            .iter()
            .map(|arm| {
                let (flow, pattern) = failure_flow(arm, &failure);
                let statements = targets(scope, source, arm, &flow);
                case(arm, &pattern, with_input, quote!(#statements #leave))
            })
            .collect();
        let rest = (!total).then(|| {
            let rest = if with_input { quote!((#failure, _)) } else { quote!(#failure) };
            quote!(#[allow(unreachable_patterns)] #rest => #private::Fault::put_back(#failure),)
        });
        let matched = scrutinee(source, &failure, with_input, first.word.span());
        let read = quote!(let #failure = #fault.with(#stored)?;);
        let code = if total {
            quote!(#report #read match #matched { #cases })
        } else {
            quote!(#report #read let #fault = match #matched { #cases #rest };)
        };
        Self { code, total }
    }
}

/// The report that a bare `fail` passes on, if there is one.
fn report(arms: &[&Arm<Linked>]) -> Option<TokenStream> {
    let passes = arms
        .iter()
        .flat_map(|arm| &arm.targets)
        .any(|target| matches!(&target.kind, TargetKind::Fail { reason: None, .. } | TargetKind::Rollback { .. }));
    let (report, fault) = (local("report"), local("fault"));
    passes.then(|| quote!(let #report = #fault.report();))
}

/// What flows along an arm that takes failures, and the pattern that it is matched with.
fn failure_flow(arm: &Arm<Linked>, failure: &Ident) -> (Flow, TokenStream) {
    match &arm.pattern {
        None if uses_flow(arm) => (Flow::Failure(failure.clone()), failure.to_token_stream()),
        None => (Flow::Failure(failure.clone()), quote!(_)),
        Some(pattern) => match pattern::whole(pattern) {
            Some(name) => (Flow::Failure(name.clone()), pattern.to_token_stream()),
            None => (Flow::Bound(pattern::bindings(pattern)), pattern.to_token_stream()),
        },
    }
}

/// The arms that match the task's own error.
fn errors(
    scope: &Scope<'_>,
    source: &Source<'_>,
    arms: &[&Arm<Linked>],
    private: &TokenStream,
    caught: bool,
) -> TokenStream {
    let krate = scope.krate;
    let [fault, attempts, id] = ["fault", "attempts", "id"].map(local);
    let error = source.local("error");
    let report = report(arms);
    let leave = leave();
    let with_input = arms.iter().any(|arm| arm.input.is_some());
    let cases: TokenStream = arms
        .iter()
        .map(|arm| {
            let bound = arm.pattern.as_ref().map(pattern::bindings).unwrap_or_default();
            let statements = targets(scope, source, arm, &Flow::Bound(bound));
            case(arm, &arm.pattern.to_token_stream(), with_input, quote!(#statements #leave))
        })
        .collect();
    let total = arms.iter().any(|arm| arm.takes_all());
    let rest = (caught && !total).then(|| {
        let rest = if with_input { quote!((#error, _)) } else { quote!(#error) };
        quote! {
            #[allow(unreachable_patterns)]
            #rest => #private::Fault { cause: #krate::Cause::Error(#error), #attempts, #id },
        }
    });
    let word = arms.first().map_or_else(Span::mixed_site, |arm| arm.word.span());
    let matched = scrutinee(source, &error, with_input, word);
    let (attempts_field, id_field) =
        if rest.is_some() { (quote!(#attempts), quote!(#id)) } else { (quote!(attempts: _), quote!(id: _)) };
    quote! {
        #report
        let #fault = match #fault {
            #private::Fault { cause: #krate::Cause::Error(#error), #attempts_field, #id_field } => {
                match #matched { #cases #rest }
            }
            #fault => #fault,
        };
    }
}
