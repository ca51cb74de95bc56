//! Reads arms. A mistake in one arm does not hide those in the next. What they lead to is in `target`.

mod target;

use proc_macro2::{Ident, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{ParseBuffer, ParseStream};
use syn::{Expr, Pat, Path, Token, token};

use super::written::written;
use super::{Arm, Outcome, With, last_word};
use crate::errors::Errors;
use crate::messages;
use target::targets;

/// Where arms are written, which decides what they may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a task or a workflow: what follows is a task or a workflow of its own.
    Standing,
    /// In a block: what follows is a step of it, or an end.
    Block,
}

/// The arms in the braces of a step.
pub(crate) fn arms(input: ParseStream<'_>, place: Place, errors: &mut Errors) -> Vec<Arm<Path>> {
    let mut arms = Vec::new();
    while !input.is_empty() {
        if let Some(arm) = errors.take(arm(input, place)) {
            arms.push(arm);
            if input.is_empty() || errors.take(input.parse::<Token![,]>()).is_some() {
                continue;
            }
        }
        skip_to_comma(input);
    }
    arms
}

/// Goes on behind the next comma.
pub(crate) fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() {
        if let Ok(TokenTree::Punct(punct)) = input.parse::<TokenTree>()
            && punct.as_char() == ','
        {
            return;
        }
    }
}

/// Whether an arm begins here: one of its words, before `=>`, `(`, `if` or `with`; or something much like it.
pub(crate) fn begins_arm(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let Ok(word) = ahead.call(Ident::parse_any) else { return false };
    let word = word.to_string();
    Outcome::of(&word).is_some() || word.starts_with("on_") || ahead.peek(Token![=>])
}

/// One arm.
pub(crate) fn arm(input: ParseStream<'_>, place: Place) -> syn::Result<Arm<Path>> {
    // Docs may stand before an arm; they are for the reader.
    input.call(syn::Attribute::parse_outer)?;
    let word = input.call(Ident::parse_any)?;
    let Some(outcome) = Outcome::of(&word.to_string()) else {
        return Err(syn::Error::new(word.span(), messages::no_outcome(&word.to_string())));
    };
    if outcome == Outcome::Undo && place == Place::Standing {
        return Err(syn::Error::new(word.span(), messages::outside_a_block("undo")));
    }
    arm_of(input, word, outcome, place)
}

/// The rest of an arm, behind its word.
pub(crate) fn arm_of(input: ParseStream<'_>, word: Ident, outcome: Outcome, place: Place) -> syn::Result<Arm<Path>> {
    let mut head = word.to_token_stream();
    let (mut pattern, mut input_pattern) = (None, None);
    if input.peek(token::Paren) {
        head.extend([input.fork().parse::<TokenTree>()?]);
        let inner: ParseBuffer<'_>;
        syn::parenthesized!(inner in input);
        if inner.is_empty() {
            return Err(syn::Error::new(word.span(), messages::empty_pattern(&word.to_string())));
        }
        pattern = Some(Pat::parse_multi_with_leading_vert(&inner)?);
        if inner.parse::<Option<Token![,]>>()?.is_some() && !inner.is_empty() {
            input_pattern = Some(Pat::parse_multi_with_leading_vert(&inner)?);
            inner.parse::<Option<Token![,]>>()?;
        }
        if !inner.is_empty() {
            let message = if input_pattern.is_some() { messages::TOO_MANY_PATTERNS } else { messages::AFTER_PATTERN };
            return Err(syn::Error::new(inner.span(), message));
        }
    }
    let mut guard = None;
    if input.peek(Token![if]) {
        let keyword: Token![if] = input.parse()?;
        let condition: Expr = input.parse()?;
        keyword.to_tokens(&mut head);
        condition.to_tokens(&mut head);
        guard = Some(condition);
    }
    let with = with(input, place, &mut head)?;
    input.parse::<Token![=>]>().map_err(|error| {
        let after = written(head.clone());
        syn::Error::new(error.span(), messages::arrow_expected(&after))
    })?;
    let behind = input.fork();
    let targets = targets(input, place, outcome)?;
    let mut end = word.span();
    while behind.cursor() != input.cursor() {
        end = behind.parse::<TokenTree>()?.span();
    }
    Ok(Arm { outcome, word, pattern, input: input_pattern, guard, with, targets, end, written: written(head) })
}

/// `with step(pattern), step(pattern)`, if it is there.
fn with(input: ParseStream<'_>, place: Place, head: &mut proc_macro2::TokenStream) -> syn::Result<Vec<With>> {
    let mut read = Vec::new();
    match input.fork().parse::<Ident>() {
        Ok(word) if word == "with" => {}
        _ => return Ok(read),
    }
    let keyword: Ident = input.parse()?;
    if place == Place::Standing {
        return Err(syn::Error::new(keyword.span(), messages::outside_a_block("with")));
    }
    keyword.to_tokens(head);
    loop {
        let path =
            input.call(Path::parse_mod_style).map_err(|error| syn::Error::new(error.span(), messages::WITH_WHAT))?;
        let word = last_word(&path);
        if !input.peek(token::Paren) {
            return Err(syn::Error::new(word.span(), messages::with_pattern(&word.to_string())));
        }
        path.to_tokens(head);
        head.extend([input.fork().parse::<TokenTree>()?]);
        let inner: ParseBuffer<'_>;
        syn::parenthesized!(inner in input);
        if inner.is_empty() {
            return Err(syn::Error::new(word.span(), messages::with_pattern(&word.to_string())));
        }
        let pattern = Pat::parse_multi_with_leading_vert(&inner)?;
        if !inner.is_empty() {
            return Err(inner.error(messages::WITH_ONE_PATTERN));
        }
        read.push(With { word, pattern, from: None });
        if !input.peek(Token![,]) {
            return Ok(read);
        }
        let comma: Token![,] = input.parse()?;
        comma.to_tokens(head);
    }
}
