//! What a pattern binds, and whether it takes everything.
//!
//! A name that begins with a capital letter is a constant or a variant, as everywhere in Rust; only the compiler
//! could know for sure.

use proc_macro2::Ident;
use syn::{Expr, Pat};

/// Whether the pattern takes everything: `_` or a plain name.
pub(crate) fn takes_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(ident) => match &ident.subpat {
            Some((_, inner)) => takes_all(inner),
            None => is_binding(ident),
        },
        Pat::Paren(inner) => takes_all(&inner.pat),
        _ => false,
    }
}

/// The name that the pattern gives to the whole value, if that is all it does.
pub(crate) fn whole(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(ident) if ident.subpat.is_none() && is_binding(ident) => Some(&ident.ident),
        Pat::Paren(inner) => whole(&inner.pat),
        _ => None,
    }
}

/// The names that the pattern binds, in order.
pub(crate) fn bindings(pattern: &Pat) -> Vec<Ident> {
    let mut found = Vec::new();
    collect(pattern, &mut found);
    found
}

fn is_binding(ident: &syn::PatIdent) -> bool {
    let is_variant = ident.ident.to_string().chars().next().is_some_and(char::is_uppercase);
    ident.subpat.is_some() || ident.mutability.is_some() || ident.by_ref.is_some() || !is_variant
}

fn collect(pattern: &Pat, found: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(ident) => {
            if is_binding(ident) {
                found.push(ident.ident.clone());
            }
            if let Some((_, inner)) = &ident.subpat {
                collect(inner, found);
            }
        }
        Pat::Or(or) => {
            if let Some(case) = or.cases.first() {
                collect(case, found);
            }
        }
        Pat::Paren(inner) => collect(&inner.pat, found),
        Pat::Reference(inner) => collect(&inner.pat, found),
        Pat::Slice(slice) => slice.elems.iter().for_each(|inner| collect(inner, found)),
        Pat::Struct(fields) => fields.fields.iter().for_each(|field| collect(&field.pat, found)),
        Pat::Tuple(tuple) => tuple.elems.iter().for_each(|inner| collect(inner, found)),
        Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|inner| collect(inner, found)),
        Pat::Type(typed) => collect(&typed.pat, found),
        // The others bind nothing.
        _ => {}
    }
}

/// The name that an argument's pattern is, if it is one.
pub(crate) fn plain_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(ident) if ident.subpat.is_none() && ident.by_ref.is_none() => Some(&ident.ident),
        _ => None,
    }
}

/// The text of a string literal, if that is what the expression is.
pub(crate) fn text(value: &Expr) -> Option<&syn::LitStr> {
    match value {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text),
        Expr::Group(group) => text(&group.expr),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use syn::parse::Parser as _;

    use super::*;

    fn pattern(text: &str) -> Pat {
        Pat::parse_multi.parse_str(text).expect(text)
    }

    #[test]
    fn binds_in_order() {
        for (text, expected) in [
            ("receipt", "receipt"),
            ("Charge::Captured(receipt)", "receipt"),
            ("Order { id, lines: [first, ..], note: _ }", "id first"),
            ("Some((a, ref b)) | Other(a, b)", "a b"),
            ("whole @ Some(inner)", "whole inner"),
            ("None", ""),
            ("Declined | Lost", ""),
            ("_", ""),
            ("3..=5", ""),
            ("&x", "x"),
        ] {
            let names: Vec<String> = bindings(&pattern(text)).iter().map(ToString::to_string).collect();
            assert_eq!(names.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn knows_what_takes_all() {
        for text in ["_", "x", "(x)", "mut x", "x @ _"] {
            assert!(takes_all(&pattern(text)), "{text}");
        }
        for text in ["None", "Some(_)", "x @ Some(_)", "(a, b)", "Order { .. }"] {
            assert!(!takes_all(&pattern(text)), "{text}");
        }
    }
}
