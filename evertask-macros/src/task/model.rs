//! A task as the checks and the expansion see it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, FnArg, Path, ReturnType, Signature, Type, Visibility};

use super::options::Options;
use super::parse::{Function, Item, Parsed};
use crate::arms::{Arm, Linked, last_word};
use crate::krate::Krate;

/// A task.
pub(crate) struct Task {
    pub(crate) krate: Krate,
    /// The name of its type.
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    /// The user's item, as it is.
    pub(crate) item: TokenStream,
    pub(crate) kind: Kind,
    pub(crate) options: Options,
    pub(crate) arms: Vec<Arm<Linked>>,
    pub(crate) works: Vec<Work>,
}

/// A task or workflow that arms lead to.
pub(crate) struct Work {
    pub(crate) path: Path,
}

pub(crate) enum Kind {
    Function(Box<Call>),
    Struct(Box<syn::ItemStruct>),
}

/// A function, and how it is called.
pub(crate) struct Call {
    pub(crate) signature: Signature,
    pub(crate) arguments: Vec<Argument>,
}

/// One argument, in its place.
pub(crate) enum Argument {
    /// `self`, which can't be.
    Receiver(syn::Receiver),
    /// Owned: a field of the payload.
    Payload(syn::PatType),
    /// Borrowed: the context, or what the worker was given.
    Injected(syn::PatType, syn::TypeReference),
}

impl Task {
    /// The name on disk.
    pub(crate) fn stored_name(&self) -> String {
        self.options.name.as_ref().map_or_else(|| self.ident.unraw().to_string(), syn::LitStr::value)
    }
}

impl Call {
    /// The fields of the payload: each has a name, once the checks have passed.
    pub(crate) fn fields(&self) -> Vec<(&Ident, &Type)> {
        self.arguments
            .iter()
            .filter_map(|argument| match argument {
                Argument::Payload(typed) => Some((crate::arms::pattern::plain_name(&typed.pat)?, typed.ty.as_ref())),
                _ => None,
            })
            .collect()
    }

    /// What the function returns, if it says so.
    pub(crate) fn returned(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, returned) => Some(returned.as_ref()),
        }
    }
}

/// Makes the model.
pub(crate) fn model(parsed: Parsed) -> Task {
    let Parsed { options, arms, item } = parsed;
    let krate = options.krate.as_ref().map_or_else(Krate::found, Krate::given);
    let mut works = Works::default();
    let arms = arms.into_iter().map(|arm| arm.link(&mut |path| works.link(path))).collect();
    let (attributes, visibility, ident, kind, item) = match item {
        Item::Function(function) => {
            let Function { attributes, visibility, signature, body } = *function;
            // A task owns its arguments, returns a `Result`, and is `async` to say where it runs: no choice of its author.
            let item = quote! {
                #(#attributes)*
                #[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps, clippy::unused_async)]
                #visibility #signature #body
            };
            let arguments = signature.inputs.iter().map(argument).collect();
            let ident = signature.ident.clone();
            (attributes, visibility, ident, Kind::Function(Box::new(Call { signature, arguments })), item)
        }
        Item::Struct(item) => {
            let tokens = item.to_token_stream();
            (item.attrs.clone(), item.vis.clone(), item.ident.clone(), Kind::Struct(item), tokens)
        }
    };
    let named = |name: &str| attributes.iter().filter(|attribute| attribute.path().is_ident(name)).cloned().collect();
    let (docs, cfgs) = (named("doc"), named("cfg"));
    Task { krate, ident, visibility, docs, cfgs, item, kind, options, arms, works: works.0 }
}

fn argument(argument: &FnArg) -> Argument {
    match argument {
        FnArg::Receiver(receiver) => Argument::Receiver(receiver.clone()),
        FnArg::Typed(typed) => match reference(&typed.ty) {
            Some(reference) => Argument::Injected(typed.clone(), reference.clone()),
            None => Argument::Payload(typed.clone()),
        },
    }
}

fn reference(of: &Type) -> Option<&syn::TypeReference> {
    match of {
        Type::Reference(reference) => Some(reference),
        Type::Paren(inner) => reference(&inner.elem),
        Type::Group(inner) => reference(&inner.elem),
        _ => None,
    }
}

/// The tasks and workflows of a standing chain, each once.
#[derive(Default)]
pub(crate) struct Works(pub(crate) Vec<Work>);

impl Works {
    /// The number of this one.
    pub(crate) fn link(&mut self, path: Path) -> Linked {
        let span = last_word(&path).span();
        let number = self.0.iter().position(|work| work.path == path).unwrap_or_else(|| {
            self.0.push(Work { path });
            self.0.len() - 1
        });
        Linked { number, span, first: last_word(&self.0[number].path).span() }
    }
}
