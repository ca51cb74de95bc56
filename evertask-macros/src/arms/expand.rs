//! The route of a list of arms: an uninhabited type with one function. This module has the frame and the good
//! side; `failing` has the other one.

use std::cell::RefCell;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{LitStr, Type};

use super::target::{Flow, targets};
use super::{Arm, Linked, Outcome, TargetKind, failing, pattern};
use crate::krate::Krate;
use crate::names::{self, at};

/// Where the arms stand.
pub(crate) struct Scope<'a> {
    pub(crate) krate: &'a Krate,
    /// In a block, where work is its steps.
    pub(crate) in_block: bool,
    /// What is to know of the steps of a block, by number.
    pub(crate) steps: Vec<StepFacts<'a>>,
    /// What the block promises, if it does.
    pub(crate) promise: Option<Promise<'a>>,
    /// The type that the block takes.
    pub(crate) input: Option<&'a Type>,
    /// The durations that were used.
    pub(crate) durations: RefCell<Vec<LitStr>>,
}

/// What an edge must know of the step that it leads to.
#[derive(Clone, Copy, Default)]
pub(crate) struct StepFacts<'a> {
    /// What it waits for, if it does.
    pub(crate) waits_for: Option<&'a Type>,
    /// Where its output goes, if it is a member of a join.
    pub(crate) arrives: Option<Arrives>,
    /// Whether it undoes another one.
    pub(crate) is_undo: bool,
}

/// An earlier step, and where its names stand in the step's entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PastStep {
    pub(crate) step: usize,
    pub(crate) first: usize,
    pub(crate) names: usize,
}

/// A member of a join.
#[derive(Clone, Copy)]
pub(crate) struct Arrives {
    pub(crate) join: usize,
    pub(crate) member: usize,
    pub(crate) settled: bool,
}

/// The output that a block promises.
pub(crate) struct Promise<'a> {
    /// The block's name.
    pub(crate) workflow: &'a Ident,
    /// Where the output is written.
    pub(crate) span: Span,
}

impl Promise<'_> {
    /// The block's type, shown where the output is.
    pub(crate) fn workflow(&self) -> Ident {
        Ident::new(&self.workflow.to_string(), self.workflow.span().located_at(self.span))
    }
}

/// What ended: the task or workflow whose arms these are.
pub(crate) struct Source<'a> {
    /// Its type.
    pub(crate) work: &'a TokenStream,
    /// Where its name is written.
    pub(crate) span: Span,
    /// The name of the route.
    pub(crate) route: &'a Ident,
    /// What is known of the step.
    pub(crate) facts: StepFacts<'a>,
    /// The earlier steps that its arms ask for, in the order of its entry.
    pub(crate) past: &'a [PastStep],
}

impl<'a> Source<'a> {
    /// A task or a workflow with a standing chain.
    pub(crate) fn standing(work: &'a TokenStream, span: Span, route: &'a Ident) -> Self {
        Self { work, span, route, facts: StepFacts::default(), past: &[] }
    }

    /// A local of the route that the compiler may have to show.
    pub(super) fn local(&self, name: &str) -> Ident {
        names::shown(name, self.span)
    }
}

impl<'a> Scope<'a> {
    /// A standing chain.
    pub(crate) fn standing(krate: &'a Krate) -> Self {
        Self { krate, in_block: false, steps: Vec::new(), promise: None, input: None, durations: RefCell::default() }
    }

    /// Whether this is a step that waits.
    pub(super) fn waits(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|facts| facts.waits_for.is_some())
    }

    /// A duration that the compiler reads: a mistake in it is an error at the text.
    pub(crate) fn duration(&self, text: &LitStr) -> TokenStream {
        let mut durations = self.durations.borrow_mut();
        let name = names::duration(durations.len(), text.span());
        durations.push(text.clone());
        // Shown at the text, here too: the compiler notes where a constant that it could not compute is used.
        name.into_token_stream()
    }

    /// The durations, as constants.
    pub(crate) fn durations(&self) -> TokenStream {
        let constant = |(number, text): (usize, &LitStr)| {
            let span = text.span();
            let (name, private) = (names::duration(number, span), self.krate.private(span));
            quote_spanned!(span=> const #name: ::core::time::Duration = #private::duration(#text);)
        };
        self.durations.borrow().iter().enumerate().map(constant).collect()
    }
}

/// The route's type and its implementation.
pub(crate) fn route(scope: &Scope<'_>, source: &Source<'_>, arms: &[Arm<Linked>]) -> TokenStream {
    let krate = scope.krate;
    let (work, name) = (source.work, source.route);
    let [ended, stored, next] = ["ended", "stored", "next"].map(|name| names::local(name, Span::mixed_site()));
    let (output, fault) = (source.local("output"), names::local("fault", Span::mixed_site()));
    let (undo, good) = (undo(scope, source, arms), good(scope, source, arms));
    let bad = failing::failing(scope, source, arms);
    let on_cancel = arms.iter().any(|arm| arm.outcome == Outcome::Cancel).then(|| {
        quote!(
            const ON_CANCEL: ::core::primitive::bool = true;
        )
    });
    let output_pattern = if good.is_empty() && undo.is_empty() { quote!(_) } else { quote!(#output) };
    // All of the frame stands at the name: whatever the compiler says of it, it says there, and once.
    let at = source.span;
    let private = krate.private(at);
    let frame = quote_spanned! {at=>
        fn route(
            #ended: #private::Ended<#work>,
            #stored: #private::Stored<'_>,
            #next: &mut #private::Next<'_>,
        ) -> ::core::result::Result<(), #private::RouteError>
    };
    let body = quote_spanned! {at=> {
        let _ = #stored;
        match #ended {
            #private::Ended::Ok(#output_pattern) => { #undo #good }
            #private::Ended::Failed(#fault) => { #bad }
        }
        ::core::result::Result::Ok(())
    }};
    quote_spanned! {at=>
        #[doc(hidden)]
        enum #name {}

        impl #private::Route<#work> for #name {
            #on_cancel

            #frame #body
        }
    }
}

/// What follows an output.
fn good(scope: &Scope<'_>, source: &Source<'_>, arms: &[Arm<Linked>]) -> TokenStream {
    let undone = arms.iter().any(|arm| arm.outcome == Outcome::Undo);
    let arms: Vec<&Arm<Linked>> = arms.iter().filter(|arm| arm.outcome == Outcome::Ok).collect();
    let output = source.local("output");
    let Some(first) = arms.first() else {
        return match source.facts.arrives {
            Some(arrives) => arrival(arrives),
            None if scope.in_block => ends(scope, source),
            None => TokenStream::new(),
        };
    };
    if let [only] = arms.as_slice()
        && only.pattern.is_none()
        && only.guard.is_none()
    {
        // Nothing to choose from, so there is no `match`.
        let statements = targets(scope, source, only, &Flow::Whole(output.clone()));
        // What undoes the step has used it up already, where nothing else takes it.
        return if uses_flow(only) || undone { statements } else { quote!(let _ = #output; #statements) };
    }
    let with_input = arms.iter().any(|arm| arm.input.is_some());
    let value = source.local("value");
    let cases: TokenStream = arms
        .iter()
        .map(|arm| {
            let flow = flow_of(arm, &value);
            let pattern = match &arm.pattern {
                Some(pattern) => pattern.to_token_stream(),
                None if uses_flow(arm) => value.to_token_stream(),
                None => quote!(_),
            };
            let statements = targets(scope, source, arm, &flow);
            case(arm, &pattern, with_input, statements)
        })
        .collect();
    let scrutinee = scrutinee(source, &output, with_input, first.word.span());
    quote!(match #scrutinee { #cases })
}

/// Whether the arms after an output take it, so that what undoes the step needs one of its own.
fn takes_output(source: &Source<'_>, arms: &[Arm<Linked>]) -> bool {
    let arms: Vec<&Arm<Linked>> = arms.iter().filter(|arm| arm.outcome == Outcome::Ok).collect();
    match arms.as_slice() {
        [] => source.facts.arrives.is_none(),
        [only] => only.pattern.is_some() || only.guard.is_some() || uses_flow(only),
        _ => true,
    }
}

/// What undoes the step, said before what follows: not every output must be undone.
fn undo(scope: &Scope<'_>, source: &Source<'_>, arms: &[Arm<Linked>]) -> TokenStream {
    let undone: Vec<&Arm<Linked>> = arms.iter().filter(|arm| arm.outcome == Outcome::Undo).collect();
    let Some(first) = undone.first() else { return TokenStream::new() };
    let word = first.word.span();
    let (output, value) = (source.local("output"), source.local("done"));
    let own = if takes_output(source, arms) && undone.iter().any(|arm| arm.pattern.is_some() || uses_flow(arm)) {
        let call = Span::mixed_site().located_at(word);
        let (private, shared, output) = (scope.krate.private(call), names::local("shared", word), at(&output, word));
        quote_spanned!(call=> { let #shared = &#output; #private::share(#shared) })
    } else if takes_output(source, arms) {
        quote!(())
    } else {
        output.to_token_stream()
    };
    let with_input = undone.iter().any(|arm| arm.input.is_some());
    let cases: TokenStream = undone
        .iter()
        .map(|arm| {
            let pattern = match &arm.pattern {
                Some(pattern) => pattern.to_token_stream(),
                None if uses_flow(arm) => value.to_token_stream(),
                None => quote!(_),
            };
            case(arm, &pattern, with_input, targets(scope, source, arm, &flow_of(arm, &value)))
        })
        .collect();
    let scrutinee = scrutinee(source, &value, with_input, word);
    quote! {
        let #value = #own;
        match #scrutinee {
            #cases
            #[allow(unreachable_patterns)]
            _ => {}
        }
    }
}

/// The output goes to the join.
pub(super) fn arrival(arrives: Arrives) -> TokenStream {
    let next = names::local("next", Span::mixed_site());
    let (join, member) = (names::join(arrives.join, Span::mixed_site()), number(arrives.member));
    quote!(#next.join(&#join, #member);)
}

/// A number as a literal of `u32`.
pub(super) fn number(number: usize) -> proc_macro2::Literal {
    proc_macro2::Literal::u32_suffixed(u32::try_from(number).unwrap_or(u32::MAX))
}

/// What flows along an arm with a pattern, or the whole value.
fn flow_of(arm: &Arm<Linked>, whole: &Ident) -> Flow {
    match &arm.pattern {
        Some(pattern) => Flow::Bound(pattern::bindings(pattern)),
        None => Flow::Whole(whole.clone()),
    }
}

/// One arm of a `match`. Its body ends where the user's arm does: the compiler shows what is missing behind it.
pub(super) fn case(arm: &Arm<Linked>, pattern: &TokenStream, with_input: bool, statements: TokenStream) -> TokenStream {
    let pattern = match (with_input, &arm.input) {
        (false, _) => pattern.clone(),
        (true, Some(input)) => quote!((#pattern, #input)),
        (true, None) => quote!((#pattern, _)),
    };
    let guard = arm.guard.as_ref().map(|guard| quote!(if #guard));
    let mut body = Group::new(Delimiter::Brace, statements);
    body.set_span(arm.end);
    quote!(#pattern #guard => #body)
}

/// What is matched on, shown at the word of the first arm: the compiler says there what is missing.
pub(super) fn scrutinee(source: &Source<'_>, value: &Ident, with_input: bool, word: Span) -> TokenStream {
    let value = at(value, word);
    if !with_input {
        return value.into_token_stream();
    }
    // With the payload of what ended, read back.
    let stored = names::local("stored", Span::mixed_site());
    let of = source.work;
    quote_spanned!(word=> (#value, #stored.payload::<#of>()?))
}

/// Whether some target takes what flows.
pub(super) fn uses_flow(arm: &Arm<Linked>) -> bool {
    arm.targets.iter().any(|target| {
        matches!(
            &target.kind,
            TargetKind::Work { payload: super::Payload::Flows, .. } | TargetKind::Done { output: None, .. }
        )
    })
}

/// A step that nothing follows.
fn ends(scope: &Scope<'_>, source: &Source<'_>) -> TokenStream {
    let private = scope.krate.private(source.span);
    let output = source.local("output");
    let Some(promise) = scope.promise.as_ref().filter(|_| !source.facts.is_undo) else {
        return quote_spanned!(source.span=> #private::end_branch(#output););
    };
    let workflow = promise.workflow();
    let next = names::local("next", source.span);
    quote_spanned!(source.span=> #private::end_branch_in::<#workflow, _, _>(#output, #next)?;)
}
