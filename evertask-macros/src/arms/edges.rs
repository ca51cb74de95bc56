//! The edges of arms, as data for people.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};

use super::expand::Scope;
use super::target::limit;
use super::{After, Arm, Linked, Outcome, TargetKind, written::written};
use crate::names;

/// Each edge; `step` names the steps of a block.
pub(crate) fn edges(scope: &Scope<'_>, arms: &[Arm<Linked>], step: impl Fn(usize) -> String) -> TokenStream {
    let private = scope.krate.private(Span::mixed_site());
    arms.iter()
        .flat_map(|arm| arm.targets.iter().map(move |target| (arm, target)))
        .map(|(arm, target)| {
            let on = &arm.written;
            let to = match &target.kind {
                TargetKind::Work { to, .. } if scope.in_block => {
                    let name = step(to.number);
                    if arm.outcome == Outcome::Undo { quote!(Undo(#name)) } else { quote!(Step(#name)) }
                }
                TargetKind::Each { to, .. } => {
                    let name = step(to.number);
                    quote!(Each(#name))
                }
                TargetKind::Rollback { .. } => quote!(Rollback),
                TargetKind::Work { to, .. } => {
                    let work = names::work(to.number, to.first);
                    let krate = scope.krate.at(to.first);
                    quote_spanned!(to.first=> Work(<#work as #krate::Work>::registered))
                }
                TargetKind::Done { .. } => quote!(Done),
                TargetKind::Fail { .. } => quote!(Fail),
                TargetKind::End { .. } => quote!(End),
            };
            let after = match &target.after {
                Some(After::Text(text)) => quote!(::core::option::Option::Some(#text)),
                Some(After::Value(value)) => {
                    let text = written(value.to_token_stream());
                    quote!(::core::option::Option::Some(#text))
                }
                None => quote!(::core::option::Option::None),
            };
            let limit = limit(target);
            quote!(#private::EdgeEntry { on: #on, to: #private::Target::#to, after: #after, limit: #limit },)
        })
        .collect()
}
