//! Reads the statements of a block that are no steps with a task: `join` and `wait`.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::parse::{ParseBuffer, ParseStream};
use syn::{LitStr, Path, Token, Type, token};

use super::parse::{Does, Join, Member};
use crate::arms::last_word;
use crate::messages;

/// `join (a, each b) => c;` and `join all settled (a, b) => c;`
pub(super) fn join(input: ParseStream<'_>) -> syn::Result<Join> {
    let word = input.call(Ident::parse_any)?;
    let settled = all_settled(input)?;
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(word.span(), messages::JOIN));
    }
    let inner: ParseBuffer<'_>;
    syn::parenthesized!(inner in input);
    let mut members = Vec::new();
    while !inner.is_empty() {
        members.push(member(&inner)?);
        if !inner.is_empty() {
            inner.parse::<Token![,]>()?;
        }
    }
    if members.is_empty() {
        return Err(syn::Error::new(word.span(), messages::JOIN));
    }
    input
        .parse::<Token![=>]>()
        .map_err(|error| syn::Error::new(error.span(), messages::arrow_expected("join (..)")))?;
    let then = input.call(Path::parse_mod_style).map_err(|error| syn::Error::new(error.span(), messages::JOIN_THEN))?;
    if input.peek(token::Brace) || input.peek(token::Paren) {
        return Err(input.error(messages::join_payload(&last_word(&then).to_string())));
    }
    input.parse::<Option<Token![;]>>()?;
    Ok(Join { word, settled, members, then })
}

fn all_settled(input: ParseStream<'_>) -> syn::Result<bool> {
    let Ok(all) = input.fork().parse::<Ident>() else { return Ok(false) };
    if all != "all" {
        return Err(syn::Error::new(all.span(), messages::JOIN));
    }
    input.parse::<Ident>()?;
    match input.parse::<Ident>() {
        Ok(word) if word == "settled" => Ok(true),
        _ => Err(syn::Error::new(all.span(), messages::ALL_SETTLED)),
    }
}

fn member(input: ParseStream<'_>) -> syn::Result<Member> {
    let ahead = input.fork();
    let is_each = ahead.parse::<Ident>().is_ok_and(|word| word == "each") && ahead.peek(Ident::peek_any);
    if is_each {
        input.parse::<Ident>()?;
    }
    let path =
        input.call(Path::parse_mod_style).map_err(|error| syn::Error::new(error.span(), messages::JOIN_MEMBER))?;
    if input.peek(token::Paren) || input.peek(token::Brace) {
        return Err(input.error(messages::JOIN_MEMBER));
    }
    Ok(Member { is_each, word: last_word(&path) })
}

/// `wait approval<Approval> for "3d"`, up to its arms.
pub(super) fn wait(input: ParseStream<'_>) -> syn::Result<(Ident, Does)> {
    let word = input.call(Ident::parse_any)?;
    let name: Ident = input.parse().map_err(|_| syn::Error::new(word.span(), messages::WAIT))?;
    if !input.peek(Token![<]) {
        return Err(syn::Error::new(name.span(), messages::wait_type(&name.to_string())));
    }
    input.parse::<Token![<]>()?;
    let of: Type = input.parse()?;
    input.parse::<Token![>]>()?;
    let mut patience = None;
    if input.parse::<Option<Token![for]>>()?.is_some() {
        let at = input.span();
        let text = input.parse::<LitStr>().map_err(|_| syn::Error::new(at, messages::NOT_A_DURATION))?;
        patience = Some(text);
    }
    Ok((name, Does::Wait { word, of: Box::new(of), patience }))
}
