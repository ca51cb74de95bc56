//! Reads what `#[task]` stands on. A function's body is not looked into: that is for the compiler.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, ItemStruct, Path, Signature, Token, Visibility, token};

use super::options::{self, On, Options};
use crate::arms::Arm;
use crate::errors::Errors;
use crate::messages;
use crate::options::{Among, Entries, entries};

/// What was read.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) options: Options,
    pub(crate) arms: Vec<Arm<Path>>,
    pub(crate) item: Item,
}

#[derive(Debug)]
pub(crate) enum Item {
    Function(Box<Function>),
    Struct(Box<ItemStruct>),
}

/// A function, its body unread.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

/// Reads the attribute and its item. `None` when the item can be no task at all.
pub(crate) fn parse(options: TokenStream, item: TokenStream, errors: &mut Errors) -> Option<Parsed> {
    let item = errors.take(item_of.parse2(item));
    let on = match &item {
        Some(Item::Struct(_)) => On::Struct,
        _ => On::Function,
    };
    let mut read = Entries::default();
    let parsed = (|input: ParseStream<'_>| {
        read = entries(input, Among::Arms, errors);
        Ok(())
    })
    .parse2(options);
    errors.left_over(parsed);
    let options = options::read(&read.options, on, errors);
    Some(Parsed { options, arms: read.arms, item: item? })
}

fn item_of(input: ParseStream<'_>) -> syn::Result<Item> {
    let ahead = input.fork();
    ahead.call(Attribute::parse_outer)?;
    ahead.parse::<Visibility>()?;
    if ahead.peek(Token![struct]) {
        return Ok(Item::Struct(input.parse()?));
    }
    if let Some(kind) = other_kind(&ahead) {
        return Err(ahead.error(messages::no_such_item(kind)));
    }
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    let signature = input.parse()?;
    let body = input.parse()?;
    Ok(Item::Function(Box::new(Function { attributes, visibility, signature, body })))
}

/// What else the item is, where it is no function.
fn other_kind(input: ParseStream<'_>) -> Option<&'static str> {
    let is_union = input.fork().parse::<syn::Ident>().is_ok_and(|word| word == "union") && input.peek2(syn::Ident);
    Some(if input.peek(Token![enum]) {
        "an enum"
    } else if is_union {
        "a union"
    } else if input.peek(Token![trait]) {
        "a trait"
    } else if input.peek(Token![impl]) {
        "an `impl` block"
    } else if input.peek(Token![mod]) {
        "a module"
    } else if input.peek(Token![type]) {
        "a type alias"
    } else if input.peek(Token![static])
        || (input.peek(Token![const]) && !input.peek2(token::Extern) && input.peek3(Token![:]))
    {
        "a constant"
    } else {
        return None;
    })
}
