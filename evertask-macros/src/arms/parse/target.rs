//! Reads what an arm leads to.

use proc_macro2::{Ident, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseBuffer, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, LitInt, LitStr, Path, Token, token};

use super::Place;
use crate::arms::{After, Limit, Outcome, Payload, Target, TargetKind, last_word};
use crate::messages;

/// One target, or a list of them.
pub(super) fn targets(input: ParseStream<'_>, place: Place, on: Outcome) -> syn::Result<Vec<Target<Path>>> {
    if !input.peek(token::Bracket) {
        return Ok(vec![target(input, place, on)?]);
    }
    let inner: ParseBuffer<'_>;
    let brackets = syn::bracketed!(inner in input);
    let mut targets = Vec::new();
    while !inner.is_empty() {
        targets.push(target(&inner, place, on)?);
        if !inner.is_empty() {
            inner.parse::<Token![,]>()?;
        }
    }
    if targets.is_empty() {
        return Err(syn::Error::new(brackets.span.join(), messages::EMPTY_LIST));
    }
    if let Some(pause) = after(input)? {
        for target in &mut targets {
            if let Some(own) = &target.after {
                return Err(syn::Error::new_spanned(own, messages::AFTER_TWICE));
            }
            if let TargetKind::Each { items, .. } = &target.kind {
                return Err(syn::Error::new_spanned(items, messages::EACH_AFTER));
            }
            target.after = Some(pause.clone());
        }
    }
    if let Some(limit) = limit(input, place)? {
        return Err(syn::Error::new(limit.word.span(), messages::LIMIT_OF_A_LIST));
    }
    Ok(targets)
}

/// One target, with its pause and its limit, in either order.
fn target(input: ParseStream<'_>, place: Place, on: Outcome) -> syn::Result<Target<Path>> {
    let kind = kind(input, place, on)?;
    let (mut pause, mut most) = (None, None);
    for _ in 0..2 {
        if let Some(found) = after(input)?
            && pause.replace(found.clone()).is_some()
        {
            return Err(syn::Error::new_spanned(found, messages::duplicate_option("after")));
        }
        if let Some(found) = limit(input, place)? {
            let word = found.word.span();
            if most.replace(found).is_some() {
                return Err(syn::Error::new(word, messages::duplicate_option("limit")));
            }
        }
    }
    if let (TargetKind::Each { .. }, Some(pause)) = (&kind, &pause) {
        return Err(syn::Error::new_spanned(pause, messages::EACH_AFTER));
    }
    let leads_on = matches!(kind, TargetKind::Work { .. } | TargetKind::Each { .. });
    if let (false, Some(limit)) = (leads_on, &most) {
        return Err(syn::Error::new(limit.word.span(), messages::LIMIT_OF_AN_END));
    }
    Ok(Target { kind, after: pause, limit: most })
}

fn after(input: ParseStream<'_>) -> syn::Result<Option<After>> {
    if !input.fork().parse::<Ident>().is_ok_and(|word| word == "after") {
        return Ok(None);
    }
    input.parse::<Ident>()?;
    if input.peek(LitStr) {
        return Ok(Some(After::Text(input.parse()?)));
    }
    let at = input.span();
    match input.call(Expr::parse_without_eager_brace) {
        Ok(Expr::Lit(value)) => Err(syn::Error::new_spanned(value, messages::NOT_A_DURATION)),
        Ok(value) => Ok(Some(After::Value(Box::new(value)))),
        Err(_) => Err(syn::Error::new(at, messages::NOT_A_DURATION)),
    }
}

fn limit(input: ParseStream<'_>, place: Place) -> syn::Result<Option<Limit>> {
    if !input.fork().parse::<Ident>().is_ok_and(|word| word == "limit") {
        return Ok(None);
    }
    let word: Ident = input.parse()?;
    if place == Place::Standing {
        return Err(syn::Error::new(word.span(), messages::outside_a_block("limit")));
    }
    let at = input.span();
    let number = input.parse::<LitInt>().and_then(|number| number.base10_parse::<u32>());
    match number {
        Ok(number) if number > 0 => Ok(Some(Limit { word, number })),
        _ => Err(syn::Error::new(at, messages::LIMIT_NUMBER)),
    }
}

/// What the target is.
fn kind(input: ParseStream<'_>, place: Place, on: Outcome) -> syn::Result<TargetKind<Path>> {
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(input.span(), messages::NO_TARGET));
    }
    // `each step(..)` and `rollback` are words, `each::step` and a step of that name are not.
    let ahead = input.fork();
    if let Ok(word) = ahead.parse::<Ident>() {
        let text = word.to_string();
        let is_a_name = ahead.peek(Token![::]) || ahead.peek(token::Brace) || ahead.peek(token::Paren);
        let is_ours = text == "each" && ahead.peek(Ident::peek_any) && !is_after_or_limit(&ahead)
            || text == "rollback" && !is_a_name;
        if is_ours && place == Place::Standing {
            return Err(syn::Error::new(word.span(), messages::outside_a_block(&text)));
        }
        if is_ours {
            input.parse::<Ident>()?;
            return if text == "each" { each(input) } else { rollback(word, on) };
        }
    }
    let path = path(input)?;
    let word = path.get_ident().map(ToString::to_string).unwrap_or_default();
    Ok(match word.as_str() {
        "done" | "fail" | "end" if !input.peek(token::Brace) => {
            let ident = last_word(&path);
            if place == Place::Standing {
                return Err(syn::Error::new(ident.span(), messages::outside_a_block(&word)));
            }
            let value = ending(input, &ident)?;
            match word.as_str() {
                "done" => TargetKind::Done { word: ident, output: value },
                "fail" => TargetKind::Fail { word: ident, reason: value },
                _ if value.is_some() => return Err(syn::Error::new(ident.span(), messages::END_HAS_NO_VALUE)),
                _ => TargetKind::End { word: ident },
            }
        }
        _ => TargetKind::Work { to: path, payload: payload(input)? },
    })
}

/// Whether what follows a step named `each` is its pause or its limit.
fn is_after_or_limit(ahead: ParseStream<'_>) -> bool {
    let ahead = ahead.fork();
    let word = ahead.parse::<Ident>().map(|word| word.to_string()).unwrap_or_default();
    let is_called = ahead.peek(token::Paren);
    match word.as_str() {
        "after" => !is_called,
        "limit" => ahead.peek(LitInt),
        _ => false,
    }
}

/// A step as it is named.
fn path(input: ParseStream<'_>) -> syn::Result<Path> {
    if let Ok(path) = input.fork().parse::<Path>()
        && let Some(arguments) = path.segments.iter().find_map(|segment| match &segment.arguments {
            syn::PathArguments::AngleBracketed(arguments) => Some(arguments),
            _ => None,
        })
    {
        return Err(syn::Error::new_spanned(arguments, messages::GENERIC_TARGET));
    }
    input.call(Path::parse_mod_style)
}

/// `each step(items)`, behind its word.
fn each(input: ParseStream<'_>) -> syn::Result<TargetKind<Path>> {
    let to = path(input)?;
    let word = last_word(&to);
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(word.span(), messages::each_items(&word.to_string())));
    }
    let inner: ParseBuffer<'_>;
    syn::parenthesized!(inner in input);
    if inner.is_empty() {
        return Err(syn::Error::new(word.span(), messages::each_items(&word.to_string())));
    }
    let items = inner.parse()?;
    inner.parse::<Option<Token![,]>>()?;
    if !inner.is_empty() {
        return Err(inner.error(messages::each_one_value(&word.to_string())));
    }
    Ok(TargetKind::Each { to, items })
}

fn rollback(word: Ident, on: Outcome) -> syn::Result<TargetKind<Path>> {
    match on {
        Outcome::Ok | Outcome::Undo => Err(syn::Error::new(word.span(), messages::ROLLBACK_WITHOUT_FAILURE)),
        _ => Ok(TargetKind::Rollback { word }),
    }
}

/// What stands in the parentheses of `done(..)` and `fail(..)`.
fn ending(input: ParseStream<'_>, word: &Ident) -> syn::Result<Option<Expr>> {
    if !input.peek(token::Paren) {
        return Ok(None);
    }
    let inner: ParseBuffer<'_>;
    syn::parenthesized!(inner in input);
    if inner.is_empty() {
        return Err(syn::Error::new(word.span(), messages::empty_ending(&word.to_string())));
    }
    let value = inner.parse()?;
    if !inner.is_empty() {
        return Err(inner.error(messages::one_value(&word.to_string())));
    }
    Ok(Some(value))
}

fn payload(input: ParseStream<'_>) -> syn::Result<Payload> {
    if input.peek(token::Brace) {
        let TokenTree::Group(group) = input.fork().parse::<TokenTree>()? else {
            return Err(input.error(messages::NO_TARGET));
        };
        let inner: ParseBuffer<'_>;
        syn::braced!(inner in input);
        fields(&inner)?;
        return Ok(Payload::Fields(TokenTree::Group(group).into()));
    }
    if input.peek(token::Paren) {
        let inner: ParseBuffer<'_>;
        syn::parenthesized!(inner in input);
        return Ok(Payload::Values(Punctuated::parse_terminated(&inner)?));
    }
    Ok(Payload::Flows)
}

/// Makes sure that the fields are some, so that the compiler is given nothing that it can't read.
fn fields(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        if input.peek(Token![..]) {
            input.parse::<Token![..]>()?;
            input.parse::<Expr>()?;
            break;
        }
        input.parse::<syn::FieldValue>()?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    if input.is_empty() { Ok(()) } else { Err(input.error(messages::BASE_IS_LAST)) }
}
