//! The rules of a task, one function each.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{GenericParam, Safety, Type};

use super::expand::fields_of;
use super::model::{Argument, Call, Kind, Task};
use crate::arms;
use crate::arms::pattern::plain_name;
use crate::errors::Errors;
use crate::messages;
use crate::schedule::takes as takes_of;

/// All of them.
pub(crate) fn check(task: &Task, errors: &mut Errors) {
    arms::check::check(&task.arms, errors);
    match &task.kind {
        Kind::Function(call) => {
            called_as_a_plain_function(call, errors);
            function_not_generic(call, errors);
            arguments_have_names(call, errors);
            arguments_do_not_come_and_go(call, errors);
            payload_is_owned(call, errors);
            payload_has_one_type(call, errors);
            injected_is_shared(call, errors);
            result_is_said(call, errors);
            nothing_is_derived_twice(task, errors);
        }
        Kind::Struct(item) => not_generic(&item.generics, messages::GENERIC_TASK, errors),
    }
    schedule_gives_what_is_taken(task, errors);
}

fn schedule_gives_what_is_taken(task: &Task, errors: &mut Errors) {
    let Some(schedule) = &task.options.schedule else { return };
    let takes = match &task.kind {
        Kind::Function(call) => call.fields().into_iter().map(|(name, of)| (name.unraw().to_string(), of)).collect(),
        Kind::Struct(item) => fields_of(&item.fields),
    };
    schedule.check(&task.ident.unraw().to_string(), &takes_of(&takes), errors);
}

fn called_as_a_plain_function(call: &Call, errors: &mut Errors) {
    let signature = &call.signature;
    if let Some(word) = &signature.constness {
        errors.at(word, messages::no_such_function("const fn"));
    }
    if let Safety::Unsafe(word) = &signature.safety {
        errors.at(word, messages::no_such_function("unsafe fn"));
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, messages::no_such_function("extern fn"));
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, messages::no_such_function("variadic"));
    }
}

fn function_not_generic(call: &Call, errors: &mut Errors) {
    let generics = &call.signature.generics;
    let is_type = |param: &&GenericParam| !matches!(param, GenericParam::Lifetime(_));
    if let Some(param) = generics.params.iter().find(is_type) {
        errors.at(param, messages::GENERIC_TASK);
    }
}

/// One error for what must not be generic.
pub(crate) fn not_generic(generics: &syn::Generics, message: &str, errors: &mut Errors) {
    if !generics.params.is_empty() {
        errors.at(&generics.params, message);
    } else if let Some(clause) = &generics.where_clause {
        errors.at(clause, messages::GENERIC_WHERE);
    }
}

fn arguments_have_names(call: &Call, errors: &mut Errors) {
    for argument in &call.arguments {
        match argument {
            Argument::Receiver(receiver) => errors.at(receiver, messages::SELF_ARGUMENT),
            Argument::Payload(typed) if plain_name(&typed.pat).is_none() => {
                errors.at(&typed.pat, messages::PATTERN_ARGUMENT);
            }
            _ => {}
        }
    }
}

fn arguments_do_not_come_and_go(call: &Call, errors: &mut Errors) {
    for input in &call.signature.inputs {
        let (syn::FnArg::Typed(syn::PatType { attrs, .. }) | syn::FnArg::Receiver(syn::Receiver { attrs, .. })) = input;
        if let Some(attribute) = attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
            errors.at(attribute, messages::CFG_ARGUMENT);
        }
    }
}

fn payload_is_owned(call: &Call, errors: &mut Errors) {
    for argument in &call.arguments {
        match argument {
            Argument::Payload(typed) => {
                if let Some(borrow) = borrow(typed.ty.to_token_stream()) {
                    errors.at(&borrow, messages::borrowed_payload(None));
                }
            }
            // `&str` and `&[T]` are not things that a worker is given.
            Argument::Injected(typed, reference) => match reference.elem.as_ref() {
                Type::Path(path) if path.path.is_ident("str") => {
                    errors.at(&typed.ty, messages::borrowed_payload(Some("String")));
                }
                Type::Slice(slice) => {
                    let owned = format!("Vec<{}>", arms::written::written(slice.elem.to_token_stream()));
                    errors.at(&typed.ty, messages::borrowed_payload(Some(&owned)));
                }
                _ => {}
            },
            Argument::Receiver(_) => {}
        }
    }
}

/// The first reference or lifetime in a type, `'static` aside.
fn borrow(tokens: TokenStream) -> Option<TokenStream> {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "static" => {}
                name => return Some([Some(token), name].into_iter().flatten().collect()),
            },
            TokenTree::Punct(punct) if punct.as_char() == '&' => return Some(token.into()),
            TokenTree::Group(group) => {
                if let Some(found) = borrow(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

fn payload_has_one_type(call: &Call, errors: &mut Errors) {
    for argument in &call.arguments {
        if let Argument::Payload(typed) = argument
            && matches!(typed.ty.as_ref(), Type::ImplTrait(_))
        {
            errors.at(&typed.ty, messages::IMPL_ARGUMENT);
        }
    }
}

fn injected_is_shared(call: &Call, errors: &mut Errors) {
    for argument in &call.arguments {
        let Argument::Injected(_, reference) = argument else { continue };
        if let Some(word) = &reference.mutability {
            errors.at_span(word.span, messages::INJECTED_MUT);
        } else if let Some(lifetime) = &reference.lifetime
            && lifetime.ident == "static"
        {
            errors.at(lifetime, messages::INJECTED_LIFETIME);
        } else if let Type::ImplTrait(_) = reference.elem.as_ref() {
            errors.at(&reference.elem, messages::IMPL_ARGUMENT);
        } else if let Some(borrow) = borrow(reference.elem.to_token_stream()) {
            errors.at(&borrow, messages::INJECTED_LIFETIME);
        }
    }
}

fn result_is_said(call: &Call, errors: &mut Errors) {
    match call.returned() {
        None => errors.at(&call.signature.ident, messages::no_result(&call.signature.ident.to_string())),
        Some(Type::ImplTrait(returned)) => errors.at_span(returned.span(), messages::IMPL_RESULT),
        Some(returned) if is_no_result(returned) => {
            errors.at(returned, messages::no_result(&call.signature.ident.to_string()));
        }
        // Whether another name is one is for the compiler to say.
        Some(_) => {}
    }
}

/// Whether a type can't be a `Result`, whatever names mean: it has a form of its own, or is built into the language.
pub(super) fn is_no_result(of: &Type) -> bool {
    const BUILT_IN: [&str; 17] = [
        "bool", "char", "str", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
        "u128", "usize",
    ];
    match of {
        Type::Path(path) => path.path.get_ident().is_some_and(|name| BUILT_IN.contains(&name.to_string().as_str())),
        Type::Paren(inner) => is_no_result(&inner.elem),
        Type::Tuple(_) | Type::Array(_) | Type::Slice(_) | Type::Reference(_) | Type::Ptr(_) | Type::Never(_) => true,
        _ => false,
    }
}

fn nothing_is_derived_twice(task: &Task, errors: &mut Errors) {
    for path in &task.options.derive {
        let word = arms::last_word(path);
        if word == "Serialize" || word == "Deserialize" {
            errors.at(path, messages::derived_already(&word.to_string()));
        }
    }
}
