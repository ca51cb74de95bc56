//! The names that generated code uses. Locals are hygienic; items can't be, so theirs are ones that nobody writes.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt as _;

/// A local that the user's code can't see, shown at `span`.
pub(crate) fn local(name: &str, span: Span) -> Ident {
    Ident::new(name, Span::mixed_site().located_at(span))
}

/// A local that the compiler may have to show: it belongs to the user's code, under a name that nobody writes.
pub(crate) fn shown(name: &str, span: Span) -> Ident {
    Ident::new(&format!("__evertask_{name}"), span)
}

/// The same name, shown at another place.
pub(crate) fn at(name: &Ident, span: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(name.span().located_at(span));
    name
}

/// The alias of the `number`th work.
pub(crate) fn work(number: usize, span: Span) -> Ident {
    Ident::new(&format!("__EvertaskWork{number}"), span)
}

/// The alias of its type as it is written, for a payload given field by field.
pub(crate) fn payload(number: usize, span: Span) -> Ident {
    Ident::new(&format!("__EvertaskPayload{number}"), span)
}

/// The function that edges to the `number`th work go through.
pub(crate) fn way(number: usize, span: Span) -> Ident {
    Ident::new(&format!("__evertask_to_{number}"), span)
}

/// The route of the `number`th step.
pub(crate) fn route(number: usize, span: Span) -> Ident {
    Ident::new(&format!("__EvertaskRoute{number}"), span)
}

/// The entry of the `number`th step.
pub(crate) fn step(number: usize, span: Span) -> Ident {
    Ident::new(&format!("__EVERTASK_STEP_{number}"), span)
}

/// The names of the steps of a block, so that an editor leads from where one is named to where it is written.
pub(crate) fn steps() -> Ident {
    Ident::new("__EvertaskSteps", Span::mixed_site())
}

/// What the step of this name waits for; the compiler may have to show it.
pub(crate) fn signal(step: &Ident) -> Ident {
    Ident::new(&format!("__signal_{}", step.unraw()), step.span())
}

/// The entry of the `number`th join.
pub(crate) fn join(number: usize, span: Span) -> Ident {
    Ident::new(&format!("__EVERTASK_JOIN_{number}"), span)
}

/// The constant of the `number`th duration.
pub(crate) fn duration(number: usize, span: Span) -> Ident {
    Ident::new(&format!("__EVERTASK_DURATION_{number}"), span)
}

/// The constant of a text that the compiler reads, in a block of its own.
pub(crate) fn text(span: Span) -> Ident {
    Ident::new("__EVERTASK_TEXT", span)
}

/// The constant of a task's rate.
pub(crate) fn rate(span: Span) -> Ident {
    Ident::new("__EVERTASK_RATE", span)
}

/// The alias of the task that a workflow starts with.
pub(crate) fn first(span: Span) -> Ident {
    Ident::new("__EvertaskFirst", span)
}

/// The function that gives a task's entry.
pub(crate) fn entry() -> Ident {
    Ident::new("__evertask_entry", Span::mixed_site())
}
